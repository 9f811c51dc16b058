//! What the limits let in, and when: new sessions by their throttle, requests by theirs.

use super::pending::Purpose;
use super::{LimitFigures, Now, Ready, Replica};
use crate::limits::throttle::{Held, Next, Peer};
use crate::session::ConnRef;
use crate::shard::{Shard, State, Submission};
use crate::tree::Tree;
use quorate_wire::ErrorCode;

impl Replica {
    /// Whether a submission is to be taken up now. Otherwise it waits, or its connection is closed.
    #[inline]
    pub(super) fn admits(&mut self, conn: ConnRef, submission: &Submission<'_>, now: Now) -> bool {
        let handshake = match submission {
            Submission::NewSession { .. } => Some(false),
            Submission::Resume { .. } => Some(true),
            _ => None,
        };
        if let Some(resumes) = handshake
            && !self.sessions_throttle.admit(resumes, now.mono)
        {
            self.figures.sessions_refused += 1;
            self.ready.push(Ready::HangUp(conn));
            return false;
        }
        if self.throttle.must_wait(submission, self.pending.len()) {
            self.figures.requests_held += 1;
            self.throttle.hold(conn, *submission, now.mono);
            return false;
        }
        true
    }

    /// Goes on with what waited, as far as there is room.
    pub(super) fn release(&mut self, tree: &Tree, shards: &mut [&mut Shard], now: Now) {
        loop {
            let peer = |conn: ConnRef| {
                let conn = shards.get(conn.shard).and_then(|shard| shard.conn(conn.conn));
                Peer {
                    is_there: conn.is_some_and(|conn| conn.state != State::Closing),
                    timeout: conn.map_or(0, |conn| conn.timeout),
                }
            };
            match self.throttle.next(self.pending.len(), now.mono, peer) {
                None => return,
                Some(Next::Submit(held)) => {
                    self.accept(held.conn, held.letter.submission(), tree, now);
                }
                Some(Next::Refuse(held)) => self.refuse(&held),
                Some(Next::Drop(conn, dropped)) => {
                    self.figures.stale_dropped += dropped;
                    if let Some(shard) = shards.get_mut(conn.shard) {
                        shard.hang_up(conn.conn);
                    }
                }
            }
        }
    }

    /// The answer is ThrottledOp; it keeps its place behind what was submitted before.
    fn refuse(&mut self, held: &Held) {
        let Some(xid) = held.letter.xid() else { return };
        self.figures.throttled += 1;
        if self.pending.is_empty() {
            let err = ErrorCode::ThrottledOp.code();
            self.ready.push(Ready::Bare { conn: held.conn, xid, err });
        } else {
            self.mark(held.conn, Purpose::Throttled { xid });
        }
    }

    /// What the limits have done.
    #[must_use]
    pub fn limit_figures(&self) -> LimitFigures {
        LimitFigures { drop_probability: self.sessions_throttle.drop_probability(), ..self.figures }
    }
}
