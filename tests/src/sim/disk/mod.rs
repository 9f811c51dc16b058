//! A disk that does what disks may do: it loses what was not synced, wholly or in part, fills up, fails, and dies
//! at any moment.
//!
//! It stands in for the operating system behind `quorate::storage::disk::Disk`. Content is lost by sectors of 512
//! bytes, or from some byte on; names are lost from the newest on, as a journal loses them. A process
//! that ends alone leaves the page cache behind; a power failure does not. What it does not do: lose what was
//! synced, except for the bits that the world flips on purpose.

mod calls;

use super::inode::{Inode, SECTOR};
use super::random::Random;
use super::trace::{Trace, note};
use quorate::storage::disk::DiskFile;
use quorate_wire::Zxid;
use quorate_wire::disk::log::{DEFAULT_MAX_PAYLOAD, LogScan};
use quorate_wire::disk::sidecar::Sidecar;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How a process comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The process alone: what it wrote is still in the page cache.
    Process,
    /// The machine: what was not synced may be lost.
    Power,
}

/// A disk. Clones are handles to the same one.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

struct State {
    inodes: BTreeMap<u64, Inode>,
    next: u64,
    names: BTreeMap<PathBuf, u64>,
    /// The names that survive a power failure.
    durable: BTreeMap<PathBuf, u64>,
    /// Changes of names that are not durable, oldest first.
    pending: Vec<NameOp>,
    dirs: BTreeSet<PathBuf>,
    locks: BTreeSet<PathBuf>,
    /// Counts processes: handles of earlier ones are dead.
    life: u64,
    dead: bool,
    /// Changes until the disk dies.
    fuse: Option<u64>,
    capacity: u64,
    failing: bool,
    /// Bits that were flipped: file, offset, mask, and the byte as it is now.
    flips: Vec<(u64, usize, u8, u8)>,
    flip_per_mille: u64,
    random: Random,
    trace: Trace,
}

#[derive(Clone, Debug)]
enum NameOp {
    Set(PathBuf, u64),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf, u64),
}

impl NameOp {
    fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Self::Set(path, inode) => _ = names.insert(path.clone(), *inode),
            Self::Remove(path) => _ = names.remove(path),
            Self::Rename(from, to, inode) => {
                names.remove(from);
                names.insert(to.clone(), *inode);
            }
        }
    }

    const fn inode(&self) -> Option<u64> {
        match self {
            Self::Set(_, inode) | Self::Rename(_, _, inode) => Some(*inode),
            Self::Remove(_) => None,
        }
    }

    fn is_in(&self, dir: &Path) -> bool {
        let (Self::Set(path, _) | Self::Remove(path) | Self::Rename(path, ..)) = self;
        path.parent() == Some(dir)
    }
}

impl SimDisk {
    /// An empty disk with so many bytes.
    #[must_use]
    pub fn new(capacity: u64, random: Random, trace: Trace) -> Self {
        Self(Arc::new(Mutex::new(State {
            inodes: BTreeMap::new(),
            next: 1,
            names: BTreeMap::new(),
            durable: BTreeMap::new(),
            pending: Vec::new(),
            dirs: BTreeSet::new(),
            locks: BTreeSet::new(),
            life: 0,
            dead: false,
            fuse: None,
            capacity,
            failing: false,
            flips: Vec::new(),
            flip_per_mille: 0,
            random,
            trace,
        })))
    }

    /// Another disk with what a process would see on this one now, for a look at it.
    #[must_use]
    pub fn copy(&self, trace: Trace) -> Self {
        let state = self.lock();
        let copy = Self::new(u64::MAX, Random::new(0), trace);
        let mut other = copy.lock();
        other.inodes.clone_from(&state.inodes);
        other.names.clone_from(&state.names);
        other.durable.clone_from(&state.names);
        other.next = state.next;
        other.dirs.clone_from(&state.dirs);
        drop(other);
        copy
    }

    /// From now on every change is one step towards the disk's death, which comes after `changes` of them.
    pub fn light_fuse(&self, changes: u64) {
        self.lock().fuse = Some(changes);
    }

    /// Puts the fuse out.
    pub fn disarm(&self) {
        self.lock().fuse = None;
    }

    /// Whether it has died: nothing works until [`end`](Self::end).
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.lock().dead
    }

    /// Kills it now, so that nothing that is still to be dropped can change it.
    pub fn die(&self) {
        self.lock().dead = true;
    }

    /// How many bytes there are; less than what is used means full.
    pub fn set_capacity(&self, capacity: u64) {
        self.lock().capacity = capacity;
    }

    /// Bytes in use.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.lock().used()
    }

    /// Makes syncs fail, or work again.
    pub fn set_failing(&self, failing: bool) {
        self.lock().failing = failing;
    }

    /// Whether syncs fail.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.lock().failing
    }

    /// How often (in a thousand) an unsynced sector that survives has a bit flipped.
    pub fn set_flips(&self, per_mille: u64) {
        self.lock().flip_per_mille = per_mille;
    }

    /// Whether bits have been flipped and not been mended.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        !self.lock().flips.is_empty()
    }

    /// Takes the flipped bits back, where the bytes are still there: somebody has restored the files.
    pub fn mend(&self) {
        let state = &mut *self.lock();
        for (id, at, mask, now) in std::mem::take(&mut state.flips) {
            if let Some(inode) = state.inodes.get_mut(&id)
                && inode.data.get(at) == Some(&now)
            {
                inode.flip(at, mask);
            }
        }
    }

    /// Flips a bit of what is there, synced or not, in a file whose name begins with `prefix`. Of logs only records that a
    /// sidecar vouches for: without one the last record cannot be told from a torn one.
    pub fn flip_somewhere(&self, prefix: &str) {
        let state = &mut *self.lock();
        let names = state.names.iter().filter(|(path, _)| name(path).starts_with(prefix));
        let files: Vec<(PathBuf, u64)> = names.map(|(path, id)| (path.clone(), *id)).collect();
        let Some((path, id)) = state.random.pick(&files).cloned() else { return };
        let vouched = state.vouched_for(&path);
        let Some(inode) = state.inodes.get_mut(&id) else { return };
        let len = inode.data.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        let (at, mask) = (state.random.index(len), 1 << state.random.below(8));
        if len == 0 || prefix == "log." && !vouched.iter().any(|range| range.contains(&at)) {
            return;
        }
        let now = inode.flip(at, mask);
        state.flips.push((id, at, mask, now));
        note!(state.trace, "disk: bit flipped at {at} of {}", path.display());
    }

    /// Whether the newest log ends with a record that its sidecar would not vouch for after a power failure.
    #[must_use]
    pub fn has_doubtful_record(&self) -> bool {
        let state = self.lock();
        let logs = state.names.keys().filter(|path| name(path).starts_with("log."));
        let zxid = |path: &&PathBuf| {
            i64::from_str_radix(name(path).strip_prefix("log.").unwrap_or_default(), 16)
                .unwrap_or(0)
        };
        let Some(newest) = logs.max_by_key(zxid) else { return false };
        let Ok(log) = state.inode(newest) else { return false };
        let end = LogScan::new(&log.data, DEFAULT_MAX_PAYLOAD).map(|record| record.end()).last();
        let known = state.vouched_for(newest).last().map(|range| to_u64(range.end));
        end != known || !state.is_durable(&sums_of(newest))
    }

    /// A process has ended; the next one finds what is left. Forgets locks and fuse.
    pub fn end(&self, end: End) {
        let state = &mut *self.lock();
        state.life += 1;
        (state.dead, state.fuse) = (false, None);
        state.locks.clear();
        if end == End::Power {
            state.lose_names();
        }
        let pending = state.pending.iter().filter_map(NameOp::inode);
        let reachable: BTreeSet<u64> =
            state.names.values().chain(state.durable.values()).copied().chain(pending).collect();
        state.inodes.retain(|id, _| reachable.contains(id));
        let (random, flips) = (&mut state.random, &mut state.flips);
        for (&id, inode) in &mut state.inodes {
            if end == End::Power || inode.is_failed() {
                let flipped = inode.lose(random, state.flip_per_mille);
                flips.extend(flipped.into_iter().map(|(at, mask, now)| (id, at, mask, now)));
            }
        }
        note!(state.trace, "disk: after {end:?}: {} files", state.names.len());
    }

    /// Removes the newest snapshot, if there is an older one.
    #[must_use]
    pub fn remove_newest_snapshot(&self) -> bool {
        let mut state = self.lock();
        let zxid = |path: &Path| {
            let zxid = name(path).strip_prefix("snapshot.")?;
            i64::from_str_radix(zxid.split('.').next()?, 16).ok()
        };
        let paths = state.names.keys().filter_map(|path| Some((zxid(path)?, path.clone())));
        let snapshots: BTreeMap<i64, PathBuf> = paths.collect();
        match snapshots.values().next_back() {
            Some(newest) if snapshots.len() > 1 => state.names.remove(newest).is_some(),
            _ => false,
        }
    }

    /// Names and lengths of all files.
    #[must_use]
    pub fn files(&self) -> Vec<(PathBuf, usize)> {
        let state = self.lock();
        let len = |id: &u64| state.inodes.get(id).map_or(0, |inode| inode.data.len());
        state.names.iter().map(|(path, id)| (path.clone(), len(id))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, inode: u64, life: u64) -> Box<dyn DiskFile> {
        Box::new(calls::SimFile { disk: self.clone(), inode, life })
    }
}

impl State {
    fn used(&self) -> u64 {
        self.inodes.values().map(|inode| to_u64(inode.data.len())).fold(0, u64::saturating_add)
    }

    fn alive(&self) -> io::Result<()> {
        if self.dead { Err(off()) } else { Ok(()) }
    }

    /// Counts a change. Returns whether the disk dies with it, and whether it still takes effect then.
    fn step(&mut self) -> io::Result<Step> {
        self.alive()?;
        match &mut self.fuse {
            None => Ok(Step::Done),
            Some(0) => {
                self.dead = true;
                Ok(if self.random.chance(500) { Step::DoneThenDead } else { Step::Dead })
            }
            Some(left) => {
                *left -= 1;
                Ok(Step::Done)
            }
        }
    }

    fn change_name(&mut self, op: NameOp) -> io::Result<()> {
        let step = self.step()?;
        if step != Step::Dead {
            op.apply(&mut self.names);
            self.pending.push(op);
        }
        step.result()
    }

    fn find(&self, path: &Path) -> io::Result<u64> {
        self.alive()?;
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn inode(&self, path: &Path) -> io::Result<&Inode> {
        let id = self.find(path)?;
        self.inodes.get(&id).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// The records of a log that its sidecar has.
    fn vouched_for(&self, log: &Path) -> Vec<Range<usize>> {
        let Some(zxid) = name(log).strip_prefix("log.") else { return Vec::new() };
        let sums = sums_of(log);
        let zxid = Zxid(i64::from_str_radix(zxid, 16).unwrap_or(0));
        let bytes = self.inode(&sums).map_or(&[][..], |inode| &inode.data);
        let entries = Sidecar::new(bytes, zxid).ok().map(|sums| sums.entries().collect::<Vec<_>>());
        let place = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let entries = entries.unwrap_or_default().into_iter();
        entries.map(|entry| place(entry.offset)..place(entry.end())).collect()
    }

    /// Whether a power failure would leave a file as it is.
    fn is_durable(&self, path: &Path) -> bool {
        let id = self.names.get(path);
        id == self.durable.get(path)
            && id.and_then(|id| self.inodes.get(id)).is_some_and(Inode::is_synced)
    }

    /// The newest changes of names are lost, as many as chance wants.
    fn lose_names(&mut self) {
        let kept = match self.random.below(4) {
            0 => 0,
            1 => self.pending.len(),
            _ => self.random.index(self.pending.len() + 1),
        };
        self.pending.truncate(kept);
        for op in self.pending.drain(..) {
            op.apply(&mut self.durable);
        }
        self.names.clone_from(&self.durable);
    }

    /// How much of a growth of a file to `len` fits.
    fn fits(&self, inode: u64, len: u64) -> u64 {
        let now = self.inodes.get(&inode).map_or(0, |inode| to_u64(inode.data.len()));
        let free = self.capacity.saturating_sub(self.used());
        if len <= now { len } else { len.min(now.saturating_add(free)) }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Done,
    DoneThenDead,
    Dead,
}

impl Step {
    fn result(self) -> io::Result<()> {
        if self == Self::Done { Ok(()) } else { Err(off()) }
    }
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// The sidecar of a log.
fn sums_of(log: &Path) -> PathBuf {
    log.with_file_name(name(log).replacen("log.", "sum.", 1))
}

fn off() -> io::Error {
    io::Error::other("the process is dead")
}

fn broken() -> io::Error {
    io::Error::other("the device is broken")
}

fn to_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

const _: () = assert!(SECTOR == 512, "what recovery takes for the least that a device writes");
