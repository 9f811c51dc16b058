//! getAllChildrenNumber: descendants at every depth.

use super::{Answer, ReadContext};
use quorate_wire::Jute;
use quorate_wire::acl::READ;
use quorate_wire::op::get_all_children_number::GetAllChildrenNumberRequest;

pub(super) fn execute(body: &[u8], context: &ReadContext<'_>, out: &mut Vec<u8>) -> Answer {
    let request = GetAllChildrenNumberRequest::from_bytes(body)?;
    let node = context.permitted(&request.path, READ)?;
    // Under its other name, the root counts as one of its own descendants.
    let itself = i32::from(request.path.is_empty());
    context.tree.descendants(node).saturating_add(itself).write(out);
    Ok(())
}
