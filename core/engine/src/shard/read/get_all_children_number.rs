//! getAllChildrenNumber: descendants at every depth.

use super::{Answer, ReadContext};
use quorate_wire::Jute;
use quorate_wire::acl::READ;
use quorate_wire::op::get_all_children_number::GetAllChildrenNumberRequest;

pub(super) fn execute(body: &[u8], context: &ReadContext<'_>, out: &mut Vec<u8>) -> Answer {
    let request = GetAllChildrenNumberRequest::from_bytes(body)?;
    let node = context.permitted(&request.path, READ)?;
    context.tree.descendants(node).write(out);
    Ok(())
}
