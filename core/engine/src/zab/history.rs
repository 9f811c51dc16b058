//! The end of a server's history that it keeps in memory, so that a learner can be given what it lacks.

use super::Entry;
use quorate_wire::Zxid;
use std::collections::VecDeque;

/// The transactions after `base`, without a gap. What lies before is only in the tree and on the disk.
///
/// Invariant: the entries' zxids rise, and all are above `base`.
#[derive(Clone, Debug, Default)]
pub struct History {
    base: Zxid,
    entries: VecDeque<Entry>,
    bytes: usize,
}

impl History {
    /// Nothing in memory: what there is ends at `base`.
    #[must_use]
    pub const fn after(base: Zxid) -> Self {
        Self { base, entries: VecDeque::new(), bytes: 0 }
    }

    /// Before the first entry: a learner that is there can be given everything that follows.
    #[must_use]
    pub const fn base(&self) -> Zxid {
        self.base
    }

    /// The last transaction.
    #[must_use]
    pub fn last(&self) -> Zxid {
        self.entries.back().map_or(self.base, Entry::zxid)
    }

    /// Adds the next transaction.
    pub fn push(&mut self, entry: Entry) {
        debug_assert!(entry.zxid() > self.last(), "a history goes on");
        self.bytes = self.bytes.saturating_add(entry.payload().len());
        self.entries.push_back(entry);
    }

    /// The transactions after `zxid`.
    pub fn since(&self, zxid: Zxid) -> impl Iterator<Item = &Entry> {
        let from = self.entries.partition_point(|entry| entry.zxid() <= zxid);
        self.entries.range(from..)
    }

    /// Whether `zxid` is a point of this history that is known: `base` or an entry.
    #[must_use]
    pub fn knows(&self, zxid: Zxid) -> bool {
        zxid == self.base || self.entries.binary_search_by_key(&zxid, Entry::zxid).is_ok()
    }

    /// The last transaction at or before `zxid`; `None` if it lies before `base`.
    #[must_use]
    pub fn floor(&self, zxid: Zxid) -> Option<Zxid> {
        if zxid < self.base {
            return None;
        }
        let after = self.entries.partition_point(|entry| entry.zxid() <= zxid);
        let before = after.checked_sub(1).and_then(|n| self.entries.get(n));
        Some(before.map_or(self.base, Entry::zxid))
    }

    /// Forgets from the front until at most `limit` bytes are held, but never what comes after `keep`.
    pub fn shrink(&mut self, limit: usize, keep: Zxid) {
        while self.bytes > limit
            && let Some(entry) = self.entries.pop_front_if(|entry| entry.zxid() <= keep)
        {
            self.bytes = self.bytes.saturating_sub(entry.payload().len());
            self.base = entry.zxid();
        }
    }

    /// How many transactions are in memory.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is in memory.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
