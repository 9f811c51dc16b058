//! The disk of a server: what survives which end of the process.
//!
//! Writes take time. A process that ends alone leaves the log as far as it was written; a power failure leaves of what was not
//! synced only a beginning. A file that is replaced by renaming is the old one or the new one.

use crate::state::{Kept, State};
use quorate_engine::zab::{Durable, Entry, Epoch, History};
use quorate_tests_kit::random::Random;
use quorate_wire::Zxid;

/// A snapshot file: everything up to a zxid.
#[derive(Clone, Debug)]
pub struct Snapshot<S = State> {
    /// The zxid in its name.
    pub zxid: Zxid,
    /// What it holds.
    pub state: S,
}

/// Something that is being written.
#[derive(Clone, Debug)]
pub enum Write<S = State> {
    /// `acceptedEpoch`.
    Accepted(Epoch),
    /// `currentEpoch`.
    Current(Epoch),
    /// The log up to here is being synced.
    Sync(Zxid),
    /// The log is cut after this, and snapshots beyond it are removed before.
    Truncate(Zxid),
    /// A snapshot that replaces everything.
    Install(Snapshot<S>),
}

/// The disk.
#[derive(Clone, Debug, Default)]
pub struct Disk<S = State> {
    accepted: Epoch,
    current: Epoch,
    log: Vec<Entry>,
    /// How many records of the log no failure can take.
    synced: usize,
    snapshots: Vec<Snapshot<S>>,
    /// Where the log goes on: the beginning of everything, or a snapshot that was installed.
    base: Zxid,
    keeps_snapshots: bool,
}

impl<S: Kept> Disk<S> {
    /// An empty one. On purpose, snapshots may survive a truncation.
    #[must_use]
    pub fn new(keeps_snapshots: bool) -> Self {
        Self { keeps_snapshots, ..Self::default() }
    }

    /// Records go to the file, not yet to the device.
    pub fn append(&mut self, entries: Vec<Entry>) {
        self.log.extend(entries);
    }

    /// The last record of the log.
    #[must_use]
    pub fn end(&self) -> Zxid {
        self.log.last().map_or(Zxid::ZERO, Entry::zxid)
    }

    /// A write has reached the device.
    pub fn complete(&mut self, write: &Write<S>) {
        match write {
            Write::Accepted(epoch) => self.accepted = *epoch,
            Write::Current(epoch) => self.current = *epoch,
            Write::Sync(upto) => {
                let done = self.log.iter().rposition(|entry| entry.zxid() <= *upto);
                self.synced = self.synced.max(done.map_or(0, |n| n + 1));
            }
            Write::Truncate(zxid) => {
                self.cut(*zxid);
                self.drop_snapshots(*zxid);
            }
            Write::Install(snapshot) => {
                self.snapshots.push(snapshot.clone());
                self.forget_replaced();
            }
        }
    }

    /// A snapshot of what is applied, beside what there is.
    pub fn snapshot(&mut self, zxid: Zxid, state: &S) {
        self.snapshots.push(Snapshot { zxid, state: state.clone() });
    }

    /// A log that ends before the newest snapshot is what this snapshot replaced. (One that was written from the log lies within it.)
    fn forget_replaced(&mut self) {
        let newest = self.snapshots.iter().map(|snapshot| snapshot.zxid).max();
        if newest.is_some_and(|newest| self.end() < newest) {
            self.base = newest.unwrap_or_default();
            self.log.clear();
            self.snapshots.retain(|snapshot| snapshot.zxid == self.base);
            self.synced = 0;
        }
    }

    /// Whether the disk holds exactly what comes before, so that it can be cut here.
    #[must_use]
    pub fn can_cut(&self, at: Zxid) -> bool {
        let begins = at.counter() == 0 && at > self.base;
        begins || at == self.base || self.log.iter().any(|entry| entry.zxid() == at)
    }

    fn drop_snapshots(&mut self, after: Zxid) {
        if !self.keeps_snapshots {
            self.snapshots.retain(|snapshot| snapshot.zxid <= after);
        }
    }

    fn cut(&mut self, after: Zxid) {
        self.log.retain(|entry| entry.zxid() <= after);
        self.synced = self.synced.min(self.log.len());
    }

    /// The process ends while this is being written. With `power` the machine does.
    pub fn crash(&mut self, writing: &[Write<S>], power: bool, random: &mut Random) {
        for write in writing {
            match write {
                Write::Sync(_) => {}
                Write::Truncate(zxid) if random.chance(500) => self.cut(*zxid),
                Write::Install(snapshot) if random.chance(500) => {
                    self.snapshots.push(snapshot.clone())
                }
                write if random.chance(500) => self.complete(write),
                _ => {}
            }
        }
        if power {
            let unsynced = self.log.len().saturating_sub(self.synced);
            self.log.truncate(self.synced + random.index(unsynced + 1));
        }
        self.synced = self.log.len();
    }

    /// What a process finds that begins: the state after the whole log, and as much of the history as fits in memory.
    #[must_use]
    pub fn open(&mut self, memory: usize) -> (S, Durable) {
        self.forget_replaced();
        let newest = self.snapshots.iter().max_by_key(|snapshot| snapshot.zxid);
        let (mut state, from) =
            newest.map_or((S::default(), Zxid::ZERO), |s| (s.state.clone(), s.zxid));
        // Files that begin before the snapshot hold what it replaced; a log goes on behind it.
        let first = self.log.iter().rposition(|entry| entry.zxid() <= from).map_or(0, |n| n + 1);
        let records = self.log.get(first..).unwrap_or_default();
        let kept = records.len().saturating_sub(memory);
        let base = kept.checked_sub(1).and_then(|n| records.get(n)).map_or(from, Entry::zxid);
        let mut history = History::after(base);
        for (n, entry) in records.iter().enumerate() {
            state.apply(entry);
            if n >= kept {
                history.push(entry.clone());
            }
        }
        let durable = Durable {
            accepted_epoch: self.accepted,
            current_epoch: self.current,
            history,
            ..Durable::default()
        };
        (state, durable)
    }

    /// On purpose: what was not synced is dropped, though the process lives on.
    pub fn forget_unsynced(&mut self) {
        self.log.truncate(self.synced);
    }

    /// How many records wait for the device.
    #[must_use]
    pub fn unsynced(&self) -> usize {
        self.log.len().saturating_sub(self.synced)
    }
}
