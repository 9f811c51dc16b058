//! getData: data and stat of one instant.

use super::{Answer, ReadContext};
use crate::watch::{Kind, STANDARD};
use quorate_wire::Jute;
use quorate_wire::acl::READ;
use quorate_wire::op::get_data::GetDataRequest;

pub(super) fn execute(body: &[u8], context: &mut ReadContext<'_>, out: &mut Vec<u8>) -> Answer {
    let request = GetDataRequest::from_bytes(body)?;
    let node = context.permitted(&request.path, READ)?;
    if request.watch {
        context.watches.add(context.conn.key.slot, &request.path, Kind::Data, STANDARD);
    }
    context.tree.data(node).write(out);
    context.tree.stat(node).write(out);
    Ok(())
}
