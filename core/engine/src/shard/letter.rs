//! A submission with bytes of its own, for when it has to wait or to travel between threads.

use super::Submission;
use crate::access::Identities;
use crate::limits::Load;
use quorate_wire::OpCode;
use quorate_wire::four_letter::FourLetterWord;

/// A [`Submission`] that borrows nothing.
#[derive(Clone, Debug)]
pub struct Letter(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Write { session: i64, xid: i32, op: OpCode, body: Box<[u8]>, identities: Identities },
    Sync { xid: i32, body: Box<[u8]> },
    NewSession { timeout: i32 },
    Resume { session: i64, password: Box<[u8]>, timeout: i32 },
    Touch { session: i64, timeout: i32 },
    Word { word: FourLetterWord, rest: Box<[u8]> },
}

impl From<Submission<'_>> for Letter {
    fn from(submission: Submission<'_>) -> Self {
        Self(match submission {
            Submission::Write { session, xid, op, body, identities } => {
                let identities = identities.clone();
                Kind::Write { session, xid, op, body: body.into(), identities }
            }
            Submission::Sync { xid, body } => Kind::Sync { xid, body: body.into() },
            Submission::NewSession { timeout } => Kind::NewSession { timeout },
            Submission::Resume { session, password, timeout } => {
                Kind::Resume { session, password: password.into(), timeout }
            }
            Submission::Touch { session, timeout } => Kind::Touch { session, timeout },
            Submission::FourLetter { word, rest } => Kind::Word { word, rest: rest.into() },
        })
    }
}

impl Letter {
    /// The submission again.
    #[must_use]
    pub fn submission(&self) -> Submission<'_> {
        match &self.0 {
            Kind::Write { session, xid, op, body, identities } => {
                Submission::Write { session: *session, xid: *xid, op: *op, body, identities }
            }
            Kind::Sync { xid, body } => Submission::Sync { xid: *xid, body },
            Kind::NewSession { timeout } => Submission::NewSession { timeout: *timeout },
            Kind::Resume { session, password, timeout } => {
                Submission::Resume { session: *session, password, timeout: *timeout }
            }
            Kind::Touch { session, timeout } => {
                Submission::Touch { session: *session, timeout: *timeout }
            }
            Kind::Word { word, rest } => Submission::FourLetter { word: *word, rest },
        }
    }

    /// What it adds to what is in flight.
    #[must_use]
    pub const fn load(&self) -> Load {
        let bytes = match &self.0 {
            Kind::Write { body, .. } | Kind::Sync { body, .. } => body.len(),
            Kind::Resume { password: bytes, .. } | Kind::Word { rest: bytes, .. } => bytes.len(),
            Kind::NewSession { .. } | Kind::Touch { .. } => 0,
        };
        Load { requests: 1, bytes }
    }

    /// The operation of a request.
    #[must_use]
    pub const fn op(&self) -> Option<OpCode> {
        match self.0 {
            Kind::Write { op, .. } => Some(op),
            Kind::Sync { .. } => Some(OpCode::Sync),
            _ => None,
        }
    }

    /// The number of a request.
    #[must_use]
    pub const fn xid(&self) -> Option<i32> {
        match self.0 {
            Kind::Write { xid, .. } | Kind::Sync { xid, .. } => Some(xid),
            _ => None,
        }
    }
}
