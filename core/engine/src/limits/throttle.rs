//! A limit for requests in progress: what comes beyond it waits here, in order, until others have been answered.
//!
//! What waits may become *stale*: its connection is gone, or it has waited longer than its session's timeout. Stale requests
//! are dropped, and with them their connection and everything else that it wanted, so that a client never
//! sees a later request answered without an earlier one. What has waited too long may be answered with ThrottledOp instead of
//! being done. The replica owns it and does what it says. Source: `org.apache.zookeeper.server.RequestThrottler`.
//!
//! Reads that a shard answers at once are never in progress here; those behind a waiting write of their session wait
//! with it.

use crate::session::ConnRef;
use crate::shard::{Letter, Submission};
use quorate_wire::OpCode;
use std::collections::VecDeque;

/// Rules; times in ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleConfig {
    /// Requests in progress from which others wait; 0 for no limit.
    pub most: usize,
    /// Longest time between two looks at what waits.
    pub stall: i64,
    /// Whether stale requests are dropped.
    pub drop_stale: bool,
    /// Whether waiting longer than the session's timeout makes a request stale.
    pub stale_by_time: bool,
    /// Whether losing its connection makes a request stale.
    pub stale_by_connection: bool,
    /// Waiting longer than this is answered with ThrottledOp; `None` never.
    pub refuse_after: Option<i64>,
}

impl Default for ThrottleConfig {
    fn default() -> Self {
        Self {
            most: 0,
            stall: 100,
            drop_stale: true,
            stale_by_time: false,
            stale_by_connection: true,
            refuse_after: None,
        }
    }
}

/// What waits.
#[derive(Debug)]
pub struct Throttle {
    config: ThrottleConfig,
    held: VecDeque<Held>,
    next_look: i64,
    due: bool,
}

/// A submission that waits.
#[derive(Debug)]
pub struct Held {
    /// Who wants it.
    pub conn: ConnRef,
    /// What.
    pub letter: Letter,
    /// Since when, ms.
    pub since: i64,
}

/// What the throttle needs to know of a connection: whether it is still there, and its session's timeout, ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Whether somebody would read an answer.
    pub is_there: bool,
    /// The session's timeout, ms.
    pub timeout: i32,
}

/// What is to be done with the first that waits.
#[derive(Debug)]
pub enum Next {
    /// Go on with it.
    Submit(Held),
    /// Answer it with ThrottledOp.
    Refuse(Held),
    /// Close its connection; everything else of it has been dropped, this many in all.
    Drop(ConnRef, u64),
}

impl Throttle {
    /// Nothing waits.
    #[must_use]
    pub const fn new(config: ThrottleConfig) -> Self {
        Self { config, held: VecDeque::new(), next_look: 0, due: false }
    }

    /// Whether a submission has to wait while this many requests are in progress.
    #[must_use]
    #[inline]
    pub fn must_wait(&self, submission: &Submission<'_>, in_progress: usize) -> bool {
        self.config.most != 0
            && (in_progress >= self.config.most || !self.held.is_empty())
            && matches!(
                submission,
                Submission::Write { .. } | Submission::Sync { .. } | Submission::NewSession { .. }
            )
    }

    /// Lets a submission wait.
    pub fn hold(&mut self, conn: ConnRef, submission: Submission<'_>, now: i64) {
        if self.held.is_empty() {
            self.next_look = now.saturating_add(self.config.stall.max(1));
        }
        self.held.push_back(Held { conn, letter: Letter::from(submission), since: now });
    }

    /// What waits.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Who waits, for each request.
    pub fn waiting(&self) -> impl Iterator<Item = ConnRef> {
        self.held.iter().map(|held| held.conn)
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether [`next`](Self::next) may have something.
    #[must_use]
    pub fn is_ready(&self, in_progress: usize) -> bool {
        !self.held.is_empty() && (self.due || in_progress < self.config.most)
    }

    /// Notes the time. Returns when to be called again.
    pub fn tick(&mut self, now: i64) -> Option<i64> {
        if !self.held.is_empty() && now >= self.next_look {
            self.due = true;
            self.next_look = now.saturating_add(self.config.stall.max(1));
        }
        self.next_deadline()
    }

    /// When what waits is to be looked at again.
    #[must_use]
    pub fn next_deadline(&self) -> Option<i64> {
        (!self.held.is_empty()).then_some(self.next_look)
    }

    /// The first that need not wait any longer. `peer` tells about connections.
    pub fn next(
        &mut self,
        in_progress: usize,
        now: i64,
        peer: impl Fn(ConnRef) -> Peer,
    ) -> Option<Next> {
        self.due = false;
        let first = self.held.front()?;
        if self.config.drop_stale && self.is_stale(first, peer(first.conn), now) {
            let (conn, before) = (first.conn, self.held.len());
            self.held.retain(|held| held.conn != conn);
            let dropped = u64::try_from(before.saturating_sub(self.held.len())).unwrap_or(0);
            return Some(Next::Drop(conn, dropped));
        }
        if in_progress >= self.config.most {
            return None;
        }
        let held = self.held.pop_front()?;
        let waited = now.saturating_sub(held.since);
        let too_long = self.config.refuse_after.is_some_and(|most| waited > most);
        if too_long && is_refusable(&held.letter) {
            return Some(Next::Refuse(held));
        }
        Some(Next::Submit(held))
    }

    fn is_stale(&self, held: &Held, peer: Peer, now: i64) -> bool {
        // The end of a session cleans up after its client.
        if held.letter.op() == Some(OpCode::CloseSession) {
            return false;
        }
        (self.config.stale_by_connection && !peer.is_there)
            || (self.config.stale_by_time
                && now.saturating_sub(held.since) > i64::from(peer.timeout))
    }
}

/// Whether ThrottledOp is an answer: sessions begin and end all the same.
fn is_refusable(letter: &Letter) -> bool {
    letter.op().is_some_and(|op| op != OpCode::CloseSession)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Identities;
    use crate::shard::ConnKey;

    const THERE: Peer = Peer { is_there: true, timeout: 4000 };

    fn conn(slot: u32) -> ConnRef {
        ConnRef { shard: 0, conn: ConnKey { slot, generation: 1 } }
    }

    fn throttle(change: impl FnOnce(&mut ThrottleConfig)) -> Throttle {
        let mut config = ThrottleConfig { most: 2, ..ThrottleConfig::default() };
        change(&mut config);
        Throttle::new(config)
    }

    fn write(throttle: &mut Throttle, slot: u32, xid: i32, op: OpCode, now: i64) {
        let identities = Identities::none();
        let session = i64::from(slot);
        let submission =
            Submission::Write { session, xid, op, body: b"x", identities: &identities };
        throttle.hold(conn(slot), submission, now);
    }

    #[test]
    fn beyond_the_limit_requests_wait_in_order() {
        let mut throttle = throttle(|_| {});
        let new = Submission::NewSession { timeout: 1 };
        assert!(!throttle.must_wait(&new, 1) && throttle.must_wait(&new, 2));
        assert!(!throttle.must_wait(&Submission::Touch { session: 1, timeout: 1 }, 2));
        write(&mut throttle, 1, 1, OpCode::SetData, 0);
        write(&mut throttle, 2, 2, OpCode::SetData, 0);
        assert!(throttle.must_wait(&new, 0), "nobody overtakes");
        assert!(!throttle.is_ready(2) && throttle.next(2, 1, |_| THERE).is_none());
        for slot in [1, 2] {
            assert!(throttle.is_ready(1));
            let Some(Next::Submit(held)) = throttle.next(1, 1, |_| THERE) else { panic!("{slot}") };
            assert_eq!(held.conn, conn(slot));
        }
        assert!(throttle.is_empty() && !throttle.is_ready(0) && throttle.next_deadline().is_none());
    }

    #[test]
    fn stale_requests_go_with_everything_their_connection_wants() {
        let mut throttle = throttle(|_| {});
        for (slot, xid) in [(1, 1), (2, 1), (1, 2), (2, 2)] {
            write(&mut throttle, slot, xid, OpCode::SetData, 0);
        }
        let gone = |of: ConnRef| Peer { is_there: of != conn(1), ..THERE };
        assert!(throttle.tick(99) == Some(100) && !throttle.is_ready(2));
        assert!(
            throttle.tick(100) == Some(200) && throttle.is_ready(2),
            "a look although it is full"
        );
        assert!(matches!(throttle.next(2, 100, gone), Some(Next::Drop(of, 2)) if of == conn(1)));
        assert!(throttle.next(2, 100, gone).is_none() && throttle.len() == 2);
    }

    #[test]
    fn staleness_is_what_the_rules_say() {
        let gone = |_| Peer { is_there: false, timeout: 4000 };
        let mut lax = throttle(|config| config.stale_by_connection = false);
        write(&mut lax, 1, 1, OpCode::SetData, 0);
        assert!(matches!(lax.next(0, 9000, gone), Some(Next::Submit(_))));
        let mut strict = throttle(|config| config.stale_by_time = true);
        write(&mut strict, 1, 1, OpCode::CloseSession, 0);
        write(&mut strict, 1, 1, OpCode::SetData, 0);
        assert!(
            matches!(strict.next(0, 9000, gone), Some(Next::Submit(_))),
            "closing is never stale"
        );
        assert!(strict.next(2, 4000, |_| THERE).is_none());
        assert!(matches!(strict.next(2, 4001, |_| THERE), Some(Next::Drop(_, 1))));
        let mut keeping = throttle(|config| config.drop_stale = false);
        write(&mut keeping, 1, 1, OpCode::SetData, 0);
        assert!(matches!(keeping.next(0, 0, gone), Some(Next::Submit(_))));
    }

    #[test]
    fn what_waited_too_long_is_refused_unless_it_is_about_sessions() {
        let mut throttle = throttle(|config| config.refuse_after = Some(50));
        write(&mut throttle, 1, 1, OpCode::SetData, 0);
        write(&mut throttle, 1, 2, OpCode::CloseSession, 0);
        throttle.hold(conn(2), Submission::NewSession { timeout: 1 }, 0);
        write(&mut throttle, 3, 1, OpCode::SetData, 1);
        assert!(matches!(throttle.next(0, 51, |_| THERE), Some(Next::Refuse(_))));
        for _ in 0..3 {
            assert!(matches!(throttle.next(0, 51, |_| THERE), Some(Next::Submit(_))));
        }
    }
}
