//! The disk of a server: what survives which end of the process.
//!
//! Writes take time. A process that ends alone leaves the log as far as it was written; a power failure leaves of what was not
//! synced only a beginning, and of the record behind it some bytes, of which the product's reader says what they are. A file that is replaced by renaming
//! is the old one or the new one; a snapshot that is being written may be left behind unfinished. What a failed sync was to
//! bring to the device is in no file any more when the machine has failed.

use crate::state::{Kept, State};
use crate::torn::{Torn, read_torn};
use quorate_engine::zab::log_search::Step;
use quorate_engine::zab::{Durable, Entry, Epoch, History, LogSearch, Mistake, Mistakes};
use quorate_tests_kit::random::Random;
use quorate_wire::Zxid;

/// A snapshot file: everything up to a zxid.
#[derive(Clone, Debug)]
pub struct Snapshot<S = State> {
    /// The zxid in its name.
    pub zxid: Zxid,
    /// What it holds.
    pub state: S,
    /// Whether it was written to its end.
    pub whole: bool,
}

impl<S: Kept> Snapshot<S> {
    /// A whole one.
    #[must_use]
    pub const fn new(zxid: Zxid, state: S) -> Self {
        Self { zxid, state, whole: true }
    }

    /// What is left of it when it was not written to its end.
    fn unfinished(&self, random: &mut Random) -> Self {
        let (state, whole) = self.state.cut(random);
        Self { zxid: self.zxid, state, whole }
    }
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
    /// A snapshot beside what there is.
    Snapshot(Snapshot<S>),
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
    /// A sync has failed: from this record on, nothing that was written before has reached the device, whatever later syncs say.
    hole: Option<usize>,
    mistakes: Mistakes,
    /// What has happened to it.
    pub harm: Harm,
}

/// How often a disk was left in a state that no end of a process alone explains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Harm {
    /// Records of which a part was there.
    pub torn: u64,
    /// Snapshots of which a part was there.
    pub unfinished: u64,
}

impl<S: Kept> Disk<S> {
    /// An empty one, of a server that makes these mistakes.
    #[must_use]
    pub fn new(mistakes: Mistakes) -> Self {
        Self { mistakes, ..Self::default() }
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
            Write::Snapshot(snapshot) => self.snapshots.push(snapshot.clone()),
        }
    }

    /// A snapshot, beside what there is.
    pub fn snapshot(&mut self, zxid: Zxid, state: &S) {
        self.snapshots.push(Snapshot::new(zxid, state.clone()));
    }

    /// The snapshots that a start looks at. One that was not written to its end is none.
    fn usable(&self) -> impl Iterator<Item = &Snapshot<S>> {
        let takes_halves = self.mistakes.make(Mistake::HalfSnapshotFile);
        self.snapshots.iter().filter(move |snapshot| snapshot.whole || takes_halves)
    }

    /// A log that ends before the newest snapshot is what this snapshot replaced. (One that was written from the log lies within it.)
    fn forget_replaced(&mut self) {
        let newest = self.usable().map(|snapshot| snapshot.zxid).max();
        if newest.is_some_and(|newest| self.end() < newest) {
            self.base = newest.unwrap_or_default();
            self.log.clear();
            self.snapshots.retain(|snapshot| snapshot.zxid == self.base);
            (self.synced, self.hole) = (0, None);
        }
    }

    /// Whether the disk holds exactly what comes before, so that it can be cut here.
    #[must_use]
    pub fn can_cut(&self, at: Zxid) -> bool {
        let begins = at.counter() == 0 && at > self.base;
        begins || at == self.base || self.log.iter().any(|entry| entry.zxid() == at)
    }

    fn drop_snapshots(&mut self, after: Zxid) {
        if !self.mistakes.make(Mistake::TruncKeepsSnapshots) {
            self.snapshots.retain(|snapshot| snapshot.zxid <= after);
        }
    }

    fn cut(&mut self, after: Zxid) {
        self.log.retain(|entry| entry.zxid() <= after);
        self.synced = self.synced.min(self.log.len());
        self.hole = self.hole.filter(|&hole| hole < self.log.len());
    }

    /// The process ends while this is being written. With `power` the machine does, and `tears` if a record may be written in part then.
    pub fn crash(&mut self, writing: &[Write<S>], power: bool, tears: bool, random: &mut Random) {
        for write in writing {
            self.interrupt(write, tears, random);
        }
        if power || self.hole.is_some() {
            self.lose_unsynced(tears, random);
        }
        self.synced = self.log.len();
    }

    /// A write ends before its time: the old is there, or the new, or something between them.
    pub fn interrupt(&mut self, write: &Write<S>, tears: bool, random: &mut Random) {
        match write {
            Write::Sync(_) => {}
            Write::Truncate(zxid) if random.chance(500) => self.cut(*zxid),
            Write::Install(snapshot) | Write::Snapshot(snapshot) if tears => {
                let left = snapshot.unfinished(random);
                self.harm.unfinished += u64::from(!left.whole);
                self.snapshots.push(left);
            }
            Write::Install(snapshot) if random.chance(500) => self.snapshots.push(snapshot.clone()),
            write if random.chance(500) => self.complete(write),
            _ => {}
        }
    }

    /// Only a beginning is left of what was not synced.
    fn lose_unsynced(&mut self, tears: bool, random: &mut Random) {
        if let Some(hole) = self.hole.take() {
            self.log.truncate(hole);
            self.synced = self.synced.min(hole);
        }
        let unsynced = self.log.len().saturating_sub(self.synced);
        let kept = self.synced + random.index(unsynced + 1);
        let torn = self.log.get(kept).filter(|_| tears).cloned();
        self.log.truncate(kept);
        let Some(torn) = torn else { return };
        self.harm.torn += 1;
        let before = self.log.get(kept.saturating_sub(BEFORE)..).unwrap_or_default();
        match read_torn(before, &torn, random) {
            Torn::Whole => self.log.push(torn),
            Torn::Broken(broken) if self.mistakes.make(Mistake::TornRecord) => {
                self.log.push(broken);
            }
            Torn::Gone | Torn::Broken(_) => {}
        }
    }

    /// A sync has failed. What it was to bring to the device will never get there, though the process may not see that.
    pub fn sync_failed(&mut self) {
        self.hole = Some(self.hole.map_or(self.synced, |hole| hole.min(self.synced)));
    }

    /// What a process finds that begins: the state after the whole log, and as much of the history as fits in memory.
    #[must_use]
    pub fn open(&mut self, memory: usize) -> (S, Durable) {
        self.forget_replaced();
        let newest = self.usable().max_by_key(|snapshot| snapshot.zxid);
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

    /// From where on the log holds everything that a learner lacks whose log ends at `at`, up to `upto`.
    #[must_use]
    pub fn search(&self, at: Zxid, upto: Zxid) -> Option<Zxid> {
        let snapshots = self.snapshots.iter().map(|snapshot| snapshot.zxid).collect();
        let mut search = LogSearch::new(at, upto, None, snapshots);
        let steps = self.log.iter().map(|entry| search.record(entry.zxid(), entry.payload().len()));
        match steps.into_iter().find(|step| *step != Step::GoOn) {
            Some(Step::Found(floor)) => Some(floor),
            _ => None,
        }
    }

    /// What the log holds after `from`, up to `upto`.
    #[must_use]
    pub fn between(&self, from: Zxid, upto: Zxid) -> Vec<Entry> {
        let wanted = |entry: &&Entry| from < entry.zxid() && entry.zxid() <= upto;
        self.log.iter().filter(wanted).cloned().collect()
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

    /// What is on the device for good: a copy of it is a backup.
    #[must_use]
    pub fn durable(&self) -> Self {
        let mut copy = self.clone();
        copy.log.truncate(copy.synced.min(copy.hole.unwrap_or(usize::MAX)));
        copy.hole = None;
        copy.snapshots.retain(|snapshot| snapshot.whole);
        copy
    }

    /// Somebody has put something else in its place.
    pub fn replace(&mut self, other: Self) {
        *self = Self { harm: self.harm, ..other };
    }

    /// The epochs that are written down: promised, and of the history.
    #[must_use]
    pub const fn epochs(&self) -> (Epoch, Epoch) {
        (self.accepted, self.current)
    }

    /// Up to where it holds a history that no failure can take.
    #[must_use]
    pub fn safe(&self) -> Zxid {
        let synced = self.synced.min(self.hole.unwrap_or(usize::MAX));
        let logged = synced.checked_sub(1).and_then(|n| self.log.get(n)).map(Entry::zxid);
        let whole = self.snapshots.iter().filter(|snapshot| snapshot.whole);
        whole.map(|snapshot| snapshot.zxid).chain(logged).max().unwrap_or(Zxid::ZERO)
    }
}

/// So many records before a torn one are read again with it.
const BEFORE: usize = 3;
