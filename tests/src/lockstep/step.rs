//! What a sequence is made of: steps that are played on two servers alike.
//!
//! A step names slots, not connections, and every step can be played whatever came before it, so that any
//! subsequence of a sequence is a sequence too (the shrinker lives from that). Paths are under
//! [`PREFIX`], which the player replaces by the sequence's own top node.

use super::normalise::hex;
use crate::messages::Request;
use quorate_wire::OpCode;
use quorate_wire::frame::RequestHeader;
use quorate_wire::jute::{Jute, Reader};
use std::fmt;

/// The top node of every generated path; as long as what replaces it, so that no length changes.
pub(super) const PREFIX: &str = "/L000000";

/// How many clients a sequence has.
pub(super) const SLOTS: usize = 4;

/// One request: header and body as they go into a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    /// The payload. In setWatches the first eight bytes of the body count transactions back from the newest.
    pub payload: Vec<u8>,
}

/// The last zxid that a handshake claims to have seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LastSeen {
    /// None: 0.
    Nothing,
    /// The server's newest.
    Newest,
    /// One that the server does not have: it must close without a byte.
    Future,
}

/// Whose session a handshake asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// The session that this slot had last, with its password.
    Own(usize),
    /// The session that this slot had last, with a wrong password.
    WrongPassword(usize),
    /// A session that never was.
    Unknown,
}

/// What happens next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A new connection with a new session takes the slot.
    Open {
        /// Whose.
        slot: usize,
        /// The asked timeout, ms.
        timeout: i32,
        /// The read-only byte; `None` leaves it out as a client of the 3.3 era.
        read_only: Option<bool>,
        /// What the client claims to have seen.
        last_seen: LastSeen,
    },
    /// A new connection takes the slot and asks for a session that exists, or does not.
    Resume {
        /// Whose.
        slot: usize,
        /// Which session.
        claim: Claim,
        /// What the client claims to have seen.
        last_seen: LastSeen,
        /// The asked timeout, ms.
        timeout: i32,
    },
    /// The slot's connection is closed without a word; the session lives on.
    Drop {
        /// Whose.
        slot: usize,
    },
    /// Requests in one write; all replies are awaited.
    Send {
        /// Whose.
        slot: usize,
        /// The requests.
        requests: Vec<Sent>,
        /// Whether the server must close the connection after answering.
        closes: bool,
        /// Transactions that the server adds by itself soon after (reaped nodes), to be awaited.
        extra: i64,
    },
    /// Bytes that are no frame; the server must close the connection.
    Raw {
        /// Whose.
        slot: usize,
        /// The bytes, with whatever length.
        bytes: Vec<u8>,
    },
    /// Silence until the slot's session has expired.
    Expire {
        /// Whose.
        slot: usize,
    },
}

impl Step {
    /// How many operations the step counts for.
    #[must_use]
    pub(super) fn operations(&self) -> usize {
        match self {
            Self::Send { requests, .. } => requests.len(),
            _ => 1,
        }
    }

    /// Whether a session ends in it: Apache deletes its ephemerals in hash order, so the order of their events
    /// is nobody's promise.
    #[must_use]
    pub(super) fn ends_session(&self) -> bool {
        match self {
            Self::Send { requests, .. } => {
                requests.iter().any(|r| r.op() == OpCode::CloseSession.code())
            }
            Self::Expire { .. } => true,
            _ => false,
        }
    }
}

impl Sent {
    /// Header and body together.
    #[must_use]
    pub(super) fn new(xid: i32, op: i32, body: &[u8]) -> Self {
        let mut payload = RequestHeader { xid, op }.to_bytes();
        payload.extend_from_slice(body);
        Self { payload }
    }

    /// The opcode; 0 when the payload has none.
    #[must_use]
    pub(super) fn op(&self) -> i32 {
        RequestHeader::read(&mut Reader::new(&self.payload)).map_or(0, |h| h.op)
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(header) = RequestHeader::from_bytes(&self.payload) else {
            return write!(f, "{}", hex(&self.payload));
        };
        let name = OpCode::from_code(header.op).map_or("unknown", OpCode::name);
        write!(f, "{name}({}) xid {} ", header.op, header.xid)?;
        match Request::read(&self.payload) {
            Ok((request, [])) => write!(f, "{:?}", request.body),
            Ok((request, rest)) => write!(f, "{:?} and {} more bytes", request.body, rest.len()),
            Err(why) => {
                write!(f, "malformed ({why}): {}", hex(self.payload.get(8..).unwrap_or_default()))
            }
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send { slot, requests, closes, extra } => {
                write!(f, "client {slot} sends")?;
                if *closes {
                    write!(f, " (the server closes then)")?;
                }
                if *extra > 0 {
                    write!(f, " (the server adds {extra} transactions)")?;
                }
                requests.iter().try_for_each(|r| write!(f, "\n      {r}"))
            }
            Self::Raw { slot, bytes } => write!(f, "client {slot} sends the bytes {}", hex(bytes)),
            other => write!(f, "{other:?}"),
        }
    }
}
