//! whoAmI: the connection's identities.

use super::{Answer, ReadContext};
use crate::access;
use quorate_wire::Jute;
use quorate_wire::op::who_am_i::WhoAmIResponse;

pub(super) fn execute(context: &ReadContext<'_>, out: &mut Vec<u8>) -> Answer {
    WhoAmIResponse { clients: access::who_am_i(&context.conn.identities) }.write(out);
    Ok(())
}
