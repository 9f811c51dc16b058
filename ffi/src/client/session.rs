//! Session and state.

#![allow(unsafe_code, reason = "structs from C, and exported symbols")]

use super::{Client, timed_out, wait};
use crate::boundary;
use crate::fault::Error;
use crate::handles::ClientHandle;
use crate::input::{self, Out, WithSize};
use crate::objects;
use crate::status::{QUORATE_CLOSED, QUORATE_SESSION_EXPIRED};
use quorate::client::State;

/// There is no session yet.
pub const QUORATE_STATE_CONNECTING: i32 = 1;
/// Requests are answered.
pub const QUORATE_STATE_CONNECTED: i32 = 2;
/// Reads are answered, by a server without a quorum.
pub const QUORATE_STATE_READ_ONLY: i32 = 3;
/// Out of touch; the session may live.
pub const QUORATE_STATE_SUSPENDED: i32 = 4;
/// The session is over, with everything that was held under it. A new one follows, unless that was turned off.
pub const QUORATE_STATE_LOST: i32 = 5;
/// Closed. Nothing follows.
pub const QUORATE_STATE_CLOSED: i32 = 6;
/// The credentials were refused. Nothing follows.
pub const QUORATE_STATE_AUTH_FAILED: i32 = 7;

pub(super) const fn state_number(state: State) -> i32 {
    match state {
        State::Connecting => QUORATE_STATE_CONNECTING,
        State::Connected => QUORATE_STATE_CONNECTED,
        State::ReadOnly => QUORATE_STATE_READ_ONLY,
        State::Suspended => QUORATE_STATE_SUSPENDED,
        State::Lost => QUORATE_STATE_LOST,
        State::Closed => QUORATE_STATE_CLOSED,
        State::AuthFailed => QUORATE_STATE_AUTH_FAILED,
    }
}

/// What proves that a session is one's own. Set its size before use.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Session {
    /// sizeof(quorate_session).
    pub size: usize,
    /// The session.
    pub id: i64,
    /// Its timeout, as granted by the server, ms.
    pub timeout_ms: i64,
    /// Its password.
    pub password: [u8; 16],
}

// SAFETY: `repr(C)`, begins with its size, zeros are valid.
unsafe impl WithSize for Session {}

/// Where the session stands: `QUORATE_STATE_…`; QUORATE_STATE_CLOSED also when the handle was closed.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_client_state(client: ClientHandle, state: *mut i32) -> i32 {
    boundary::call(|| {
        let number = match objects::get::<Client>(client) {
            Ok(client) => state_number(client.core.state()),
            Err(fault) if fault.status == QUORATE_CLOSED => QUORATE_STATE_CLOSED,
            Err(fault) => return Err(fault),
        };
        Out::new(state, number, "the place for the state").map(drop)
    })
}

/// Waits until requests are answered, `timeout_ms` milliseconds at most; without limit for a negative number.
///
/// From any thread, also in a callback; blocks. QUORATE_CLOSING, QUORATE_AUTH_FAILED when that cannot happen any more.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_client_wait_connected(client: ClientHandle, timeout_ms: i64) -> i32 {
    boundary::on::<Client>(client, |client| match wait(timeout_ms, client.core.connected()) {
        Some(result) => Ok(result?),
        None => Err(timed_out(timeout_ms, "connect", "")),
    })
}

/// Id and password of the present session: what another client needs to resume it after quorate_client_abandon.
///
/// From any thread, also in a callback; does not block. QUORATE_SESSION_EXPIRED when there is no session.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_client_session(client: ClientHandle, session: *mut Session) -> i32 {
    boundary::on::<Client>(client, |client| {
        let known = input::options(session, "the session")?;
        if session.is_null() || known.size < size_of::<Session>() {
            return Err(Error::argument("the place for the session is NULL or has no size"));
        }
        let identity = client
            .core
            .identity()
            .ok_or_else(|| Error::new(QUORATE_SESSION_EXPIRED, "there is no session"))?;
        let timeout = client.core.session_timeout().as_millis();
        let timeout_ms = i64::try_from(timeout).unwrap_or(i64::MAX);
        let Session { size, .. } = known;
        let told = Session { size, id: identity.id, timeout_ms, password: identity.password };
        input::write_sized(session, &told);
        Ok(())
    })
}
