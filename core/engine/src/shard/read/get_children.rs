//! getChildren and getChildren2: names, in no particular order.

use super::{Answer, ReadContext};
use crate::watch::{Kind, STANDARD};
use quorate_wire::Jute;
use quorate_wire::acl::READ;
use quorate_wire::jute::write_str;
use quorate_wire::op::get_children::GetChildrenRequest;

pub(super) fn execute(
    body: &[u8],
    context: &mut ReadContext<'_>,
    with_stat: bool,
    out: &mut Vec<u8>,
) -> Answer {
    let request = GetChildrenRequest::from_bytes(body)?;
    let node = context.permitted(&request.path, READ)?;
    if request.watch {
        context.watches.add(context.conn.key.slot, &request.path, Kind::Child, STANDARD);
    }
    context.tree.child_count(node).write(out);
    for child in context.tree.children(node) {
        write_str(child, out);
    }
    if with_stat {
        context.tree.stat(node).write(out);
    }
    Ok(())
}
