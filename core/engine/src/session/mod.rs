//! Sessions and when they end.
//!
//! Deadlines are rounded up to multiples of the tick, as in Apache's `ExpiryQueue`: a session lives between
//! its timeout and one tick more after it was last heard of, and touching it again within a tick costs nothing.
//! The tracker says *that* a session is over; ending it is a transaction of the replica.

mod number;

pub use number::SessionNumber;

use hashbrown::HashMap;
use std::collections::{BTreeMap, BTreeSet};

/// Where a client is attached: a shard, and a connection of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnRef {
    /// The shard's number.
    pub shard: usize,
    /// The connection within the shard.
    pub conn: crate::shard::ConnKey,
}

/// All sessions that this server knows, with their deadlines.
#[derive(Debug)]
pub struct Tracker {
    tick: i64,
    sessions: HashMap<i64, Session, foldhash::fast::FixedState>,
    /// Sessions by deadline, so that expiry looks at nothing else; sets are ordered for determinism.
    buckets: BTreeMap<i64, BTreeSet<i64>>,
}

#[derive(Debug)]
struct Session {
    timeout: i32,
    deadline: i64,
    closing: bool,
    owner: Option<ConnRef>,
}

impl Tracker {
    /// A tracker that rounds deadlines to `tick_ms`.
    #[must_use]
    pub fn new(tick_ms: i32) -> Self {
        Self {
            tick: i64::from(tick_ms.max(1)),
            sessions: HashMap::with_hasher(foldhash::fast::FixedState::with_seed(0x5E55)),
            buckets: BTreeMap::new(),
        }
    }

    /// Begins to watch over a session; one that is known already starts afresh.
    pub fn add(&mut self, id: i64, timeout: i32, owner: Option<ConnRef>, now: i64) {
        self.remove(id);
        let deadline = self.deadline(timeout, now);
        self.buckets.entry(deadline).or_default().insert(id);
        self.sessions.insert(id, Session { timeout, deadline, closing: false, owner });
    }

    /// Notes a sign of life. Returns false for a session that is unknown or closing.
    pub fn touch(&mut self, id: i64, timeout: i32, now: i64) -> bool {
        let deadline = self.deadline(timeout, now);
        let Some(session) = self.sessions.get_mut(&id) else { return false };
        if session.closing {
            return false;
        }
        if deadline > session.deadline {
            let old = std::mem::replace(&mut session.deadline, deadline);
            Self::unlist(&mut self.buckets, old, id);
            self.buckets.entry(deadline).or_default().insert(id);
        }
        true
    }

    /// Whether requests of the session are welcome.
    #[must_use]
    pub fn is_open(&self, id: i64) -> bool {
        self.sessions.get(&id).is_some_and(|session| !session.closing)
    }

    /// Whether the session is watched over, open or about to end.
    #[must_use]
    pub fn knows(&self, id: i64) -> bool {
        self.sessions.contains_key(&id)
    }

    /// From now on requests, touches and resumption of the session fail.
    pub fn close(&mut self, id: i64) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.closing = true;
            Self::unlist(&mut self.buckets, session.deadline, id);
        }
    }

    /// The attempt to end the session came to nothing: it is open again and gets one more timeout.
    pub fn reopen(&mut self, id: i64, now: i64) {
        let Some(session) = self.sessions.get(&id) else { return };
        let (timeout, owner) = (session.timeout, session.owner);
        self.add(id, timeout, owner, now);
    }

    /// Forgets a session. Returns the connection that held it.
    pub fn remove(&mut self, id: i64) -> Option<ConnRef> {
        let session = self.sessions.remove(&id)?;
        Self::unlist(&mut self.buckets, session.deadline, id);
        session.owner
    }

    /// Makes `owner` the session's connection. Returns the one before.
    pub fn attach(&mut self, id: i64, owner: ConnRef) -> Option<ConnRef> {
        self.sessions.get_mut(&id).and_then(|session| session.owner.replace(owner))
    }

    /// The session's client has gone to another server. Returns the connection that held it here.
    pub fn detach(&mut self, id: i64) -> Option<ConnRef> {
        self.sessions.get_mut(&id).and_then(|session| session.owner.take())
    }

    /// The timeout of a session, ms.
    #[must_use]
    pub fn timeout(&self, id: i64) -> Option<i32> {
        self.sessions.get(&id).map(|session| session.timeout)
    }

    /// The connection that holds the session.
    #[must_use]
    pub fn owner(&self, id: i64) -> Option<ConnRef> {
        self.sessions.get(&id).and_then(|session| session.owner)
    }

    /// When the next session may end, in ms of the caller's clock.
    #[must_use]
    pub fn next_deadline(&self) -> Option<i64> {
        self.buckets.keys().next().copied()
    }

    /// Marks every session whose deadline has come as closing and names it, in order of deadline and id.
    pub fn expire(&mut self, now: i64) -> Vec<i64> {
        let mut over = Vec::new();
        while let Some(entry) = self.buckets.first_entry() {
            if *entry.key() > now {
                break;
            }
            over.extend(entry.remove());
        }
        for id in &over {
            if let Some(session) = self.sessions.get_mut(id) {
                session.closing = true;
            }
        }
        over
    }

    /// Number of known sessions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether no session is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Deadlines with their sessions, in order; for the `dump` word.
    pub fn buckets(&self) -> impl Iterator<Item = (i64, &BTreeSet<i64>)> {
        self.buckets.iter().map(|(&deadline, ids)| (deadline, ids))
    }

    fn deadline(&self, timeout: i32, now: i64) -> i64 {
        deadline(now, timeout, self.tick)
    }

    fn unlist(buckets: &mut BTreeMap<i64, BTreeSet<i64>>, deadline: i64, id: i64) {
        if let Some(ids) = buckets.get_mut(&deadline) {
            ids.remove(&id);
            if ids.is_empty() {
                buckets.remove(&deadline);
            }
        }
    }
}

/// The deadline of a session heard of at `now`: the next multiple of the tick after its timeout.
#[must_use]
pub const fn deadline(now: i64, timeout: i32, tick: i64) -> i64 {
    let due = now.saturating_add(timeout as i64);
    (due / tick + 1).saturating_mul(tick)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lives_its_timeout_and_at_most_one_tick_more() {
        for start in [0, 1, 1999, 2000, 12_345] {
            let mut tracker = Tracker::new(2000);
            tracker.add(7, 4000, None, start);
            let due = tracker.next_deadline().unwrap();
            assert!(due > start + 4000 && due <= start + 6000, "{start} {due}");
            assert!(tracker.expire(due - 1).is_empty());
            assert_eq!(tracker.expire(due), [7]);
            assert!(!tracker.is_open(7) && !tracker.touch(7, 4000, due));
        }
    }

    #[test]
    fn a_touch_moves_the_deadline_and_never_back() {
        let mut tracker = Tracker::new(1000);
        tracker.add(1, 4000, None, 0);
        assert!(tracker.touch(1, 4000, 3000));
        assert_eq!(tracker.next_deadline(), Some(8000));
        assert!(tracker.touch(1, 1000, 3000), "a shorter timeout of a later resume");
        assert_eq!(tracker.next_deadline(), Some(8000));
        tracker.close(1);
        assert_eq!((tracker.next_deadline(), tracker.is_open(1)), (None, false));
        tracker.reopen(1, 10_000);
        assert!(tracker.is_open(1) && tracker.next_deadline() == Some(15_000));
    }

    #[test]
    fn expiry_is_in_order_of_deadline_and_id() {
        let mut tracker = Tracker::new(10);
        for (id, timeout) in [(5, 10), (3, 10), (4, 5)] {
            tracker.add(id, timeout, None, 0);
        }
        assert_eq!(tracker.expire(100), [4, 3, 5]);
        assert_eq!(tracker.len(), 3);
        assert!(tracker.remove(3).is_none() && tracker.len() == 2);
    }
}
