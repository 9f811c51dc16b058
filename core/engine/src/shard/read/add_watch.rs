//! addWatch: a watch that stays. Neither existence nor permission is asked for.

use super::{Answer, ReadContext};
use crate::watch::{Kind, PERSISTENT, RECURSIVE};
use quorate_wire::op::add_watch::AddWatchRequest;
use quorate_wire::{DecodeError, Jute};

pub(super) fn execute(body: &[u8], context: &mut ReadContext<'_>, out: &mut Vec<u8>) -> Answer {
    let request = AddWatchRequest::from_bytes(body)?;
    let slot = context.conn.key.slot;
    match request.mode {
        0 => {
            context.watches.add(slot, &request.path, Kind::Data, PERSISTENT);
            context.watches.add(slot, &request.path, Kind::Child, PERSISTENT);
        }
        1 => context.watches.add(slot, &request.path, Kind::Data, RECURSIVE),
        mode => return Err(DecodeError::Unknown { what: "watch mode", value: mode.into() }.into()),
    }
    // Success carries a body here: an ErrorResponse of 0. The Java client would hang up without it.
    0i32.write(out);
    Ok(())
}
