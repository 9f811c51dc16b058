//! exists: the stat, and a watch on what is there or on what may come.

use super::{Answer, ReadContext};
use crate::watch::{Kind, STANDARD};
use quorate_wire::acl::READ;
use quorate_wire::op::exists::ExistsRequest;
use quorate_wire::{ErrorCode, Jute};

pub(super) fn execute(body: &[u8], context: &mut ReadContext<'_>, out: &mut Vec<u8>) -> Answer {
    let request = ExistsRequest::from_bytes(body)?;
    if request.path.contains('\0') {
        return Err(ErrorCode::BadArguments.into());
    }
    let found = context.permitted(&request.path, READ);
    if request.watch && found != Err(ErrorCode::NoAuth) {
        context.watches.add(context.conn.key.slot, &request.path, Kind::Data, STANDARD);
    }
    context.tree.stat(found?).write(out);
    Ok(())
}
