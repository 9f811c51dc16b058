//! checkWatches and removeWatches: of this connection, on exactly this path.

use super::{Answer, ReadContext};
use quorate_wire::op::remove_watches::{WatcherType, WatchesRequest};
use quorate_wire::{DecodeError, ErrorCode, Jute};

pub(super) fn check(body: &[u8], context: &ReadContext<'_>) -> Answer {
    let (request, kind) = decode(body)?;
    let found = context.watches.has(context.conn.key.slot, &request.path, kind);
    if found { Ok(()) } else { Err(ErrorCode::NoWatcher.into()) }
}

pub(super) fn remove(body: &[u8], context: &mut ReadContext<'_>) -> Answer {
    let (request, kind) = decode(body)?;
    let found = context.watches.remove(context.conn.key.slot, &request.path, kind);
    if found { Ok(()) } else { Err(ErrorCode::NoWatcher.into()) }
}

fn decode(body: &[u8]) -> Result<(WatchesRequest<'_>, WatcherType), DecodeError> {
    let request = WatchesRequest::from_bytes(body)?;
    let kind = WatcherType::from_code(request.kind)
        .ok_or(DecodeError::Unknown { what: "watcher type", value: request.kind.into() })?;
    Ok((request, kind))
}
