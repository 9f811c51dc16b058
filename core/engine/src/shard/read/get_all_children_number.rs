//! getAllChildrenNumber: descendants at every depth.

use super::{Answer, ReadContext};
use quorate_wire::Jute;
use quorate_wire::acl::READ;
use quorate_wire::op::get_all_children_number::GetAllChildrenNumberRequest;

pub(super) fn execute(body: &[u8], context: &mut ReadContext<'_>, out: &mut Vec<u8>) -> Answer {
    let request = GetAllChildrenNumberRequest::from_bytes(body)?;
    let node = context.permitted(&request.path, READ)?;
    // Under its other name, the root counts as one of its own descendants.
    let itself = i32::from(request.path.is_empty());
    let descendants = context.tree.descendants(node);
    // That of the root is known without looking.
    let is_root = matches!(&*request.path, "" | "/");
    context.nodes = if is_root { 0 } else { usize::try_from(descendants).unwrap_or(0) };
    descendants.saturating_add(itself).write(out);
    Ok(())
}
