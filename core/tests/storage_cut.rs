//! Taking back the end of a history, and replacing all of it: exactly, or not at all, whenever the process dies.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use quorate::storage::disk::{Disk, DiskFile, Entry, Locked, Space};
use quorate::storage::{RealDisk, Storage, StorageConfig, StorageError};
use quorate_engine::tree::Tree;
use quorate_wire::Zxid;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use support::faulty::FaultyDisk;
use support::hooked::{HookedDisk, Op};
use support::{History, config, copy, names, open};
use tempfile::{TempDir, tempdir};

/// A directory with several logs, two epochs and snapshots between.
fn written() -> (TempDir, History) {
    with_snapshots(true)
}

/// The same, with or without others than the first.
fn with_snapshots(more: bool) -> (TempDir, History) {
    let dir = tempdir().unwrap();
    let mut history = History::new();
    let (storage, _, _) = open(dir.path()).unwrap();
    let mut log = storage.log_writer();
    let mut snapshots = Vec::new();
    for part in 0..6 {
        if part == 3 {
            history.next_epoch();
        }
        log.append(&[history.records(4)]).unwrap();
        log.sync().unwrap();
        if part % 2 == 1 {
            log.roll().unwrap();
        }
        if part % 2 == 1 && more {
            snapshots.push(history.digests.last().unwrap().0);
        }
    }
    drop(log);
    drop(storage);
    // Snapshots of the middle: each is taken by a life that ends there.
    for zxid in snapshots {
        let other = tempdir().unwrap();
        copy(dir.path(), other.path());
        let (storage, _, _) = open(other.path()).unwrap();
        let mut tree = storage.cut(zxid).unwrap().unwrap();
        let path = storage.write_snapshot(&mut tree).unwrap();
        std::fs::copy(&path, support::version_2(dir.path()).join(path.file_name().unwrap()))
            .unwrap();
    }
    (dir, history)
}

fn digest_at(history: &History, at: Zxid) -> Option<u64> {
    history.digests.iter().find(|(zxid, _)| *zxid == at).map(|(_, digest)| *digest)
}

/// What a start finds.
fn state(dir: &Path) -> (Zxid, u64) {
    let (_storage, tree, report) = open(dir).unwrap();
    assert_eq!(report.mismatches, 0);
    (tree.last_zxid(), tree.digest())
}

#[test]
fn a_history_can_be_cut_after_each_of_its_transactions() {
    let (dir, history) = written();
    for &(at, digest) in &history.digests {
        let other = tempdir().unwrap();
        copy(dir.path(), other.path());
        let (storage, _, _) = open(other.path()).unwrap();
        let tree = storage.cut(at).unwrap().unwrap();
        assert_eq!((tree.last_zxid(), tree.digest()), (at, digest));
        // It goes on from there.
        let mut log = storage.log_writer();
        let mut more = History::new();
        more.take_back(at.next(), tree);
        log.append(&[more.records(2)]).unwrap();
        log.sync().unwrap();
        drop(log);
        drop(storage);
        assert_eq!(state(other.path()), *more.digests.last().unwrap(), "after {at}");
    }
}

#[test]
fn the_beginning_of_an_epoch_is_the_end_of_the_one_before() {
    let (dir, history) = written();
    let (storage, _, _) = open(dir.path()).unwrap();
    let tree = storage.cut(Zxid(1 << 32)).unwrap().unwrap();
    assert_eq!((tree.last_zxid(), tree.digest()), history.digests[12]);
    drop(storage);
    assert_eq!(state(dir.path()), history.digests[12]);
}

#[test]
fn what_is_not_there_cannot_be_gone_back_to() {
    let (dir, history) = written();
    let last = history.digests.last().unwrap().0;
    let before = names(dir.path());
    let (storage, _, _) = open(dir.path()).unwrap();
    // After the end; between two epochs; in an epoch that nobody knows.
    for at in [last.next(), Zxid(13), Zxid(1 << 32 | 99), Zxid(7 << 32 | 1)] {
        assert!(storage.cut(at).unwrap().is_none(), "{at}");
        assert_eq!(names(dir.path()), before, "{at}");
    }
    drop(storage);
    assert_eq!(state(dir.path()), *history.digests.last().unwrap());
}

#[test]
fn a_tree_from_elsewhere_replaces_everything() {
    let (dir, history) = written();
    let (storage, _, _) = open(dir.path()).unwrap();
    let mut tree = elsewhere(Zxid(5 << 32));
    storage.replace(&mut tree).unwrap();
    assert_eq!(names(dir.path()), ["snapshot.500000000"]);
    assert!(storage.recent(1 << 20).unwrap().is_empty());
    let mut early = elsewhere(Zxid(3));
    assert!(storage.replace(&mut early).is_err(), "what was logged would come after it");
    assert!(storage.cut(history.digests[3].0).unwrap().is_none(), "nobody knows any more");
    drop(storage);
    assert_eq!(state(dir.path()), (tree.last_zxid(), tree.digest()));
}

/// A leader's tree: what a history has after five transactions, called by another zxid.
fn elsewhere(zxid: Zxid) -> Tree {
    use quorate_engine::tree::TreeReceiver;
    let mut history = History::new();
    history.records(5);
    let mut bytes = Vec::new();
    let (stream, _) = history.tree.freeze_stream();
    while history.tree.walk_stream(stream, 1000, &mut bytes)
        != quorate_engine::tree::WalkState::Done
    {}
    let mut receiver = TreeReceiver::new(support::TREE, 1 << 20);
    receiver.receive(&bytes).unwrap();
    receiver.finish(zxid).unwrap()
}

#[test]
fn the_end_of_a_history_is_read_from_the_logs() {
    let (dir, history) = written();
    let (storage, _, _) = open(dir.path()).unwrap();
    let all: Vec<Zxid> = history.digests.iter().map(|(zxid, _)| *zxid).collect();
    let last = *all.last().unwrap();
    let known = storage.recent(usize::MAX).unwrap();
    let found: Vec<Zxid> = known.since(known.base()).map(|entry| entry.zxid()).collect();
    assert_eq!([&[known.base()], &found[..]].concat(), all[all.len() - found.len() - 1..]);
    assert!(found.len() > 4, "{found:?}");
    let short = storage.recent(300).unwrap();
    assert!(short.len() < found.len() && short.last() == last);
    let cut = all[17];
    storage.cut(cut).unwrap().unwrap();
    assert_eq!(storage.recent(usize::MAX).unwrap().last(), cut);
}

/// The operating system's disk, until so many changes have been made.
#[derive(Clone)]
struct Mortal {
    left: Arc<AtomicUsize>,
}

impl Mortal {
    fn dies_after(changes: usize) -> Self {
        Self { left: Arc::new(AtomicUsize::new(changes)) }
    }

    fn change(&self) -> io::Result<()> {
        let less = |left: usize| left.checked_sub(1);
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less) {
            Ok(_) => Ok(()),
            Err(_) => Err(io::Error::other("dead")),
        }
    }
}

struct MortalFile(Mortal, Box<dyn DiskFile>);

impl DiskFile for MortalFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.change()?;
        self.1.write_at(bytes, offset)
    }
    fn allocate(&mut self, len: u64) -> io::Result<()> {
        self.1.allocate(len)
    }
    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.0.change()?;
        self.1.set_len(len)
    }
    fn sync_data(&mut self) -> io::Result<()> {
        self.0.change()?;
        self.1.sync_data()
    }
}

impl Disk for Mortal {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_dir_all(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        RealDisk.list(dir)
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        RealDisk.read(path)
    }
    fn read_at(&self, path: &Path, offset: u64, len: u64) -> io::Result<Vec<u8>> {
        RealDisk.read_at(path, offset, len)
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.change()?;
        Ok(Box::new(MortalFile(self.clone(), RealDisk.create(path)?)))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(MortalFile(self.clone(), RealDisk.open(path)?)))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change()?;
        RealDisk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change()?;
        RealDisk.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.change()?;
        RealDisk.sync_dir(dir)
    }
    fn lock(&self, path: &Path, note: &str) -> io::Result<Locked> {
        RealDisk.lock(path, note)
    }
    fn space(&self, dir: &Path) -> io::Result<Space> {
        RealDisk.space(dir)
    }
}

/// Opens a copy of a directory, lets `act` die after each number of changes, and gives what a start finds then to `check`.
fn at_every_death(dir: &Path, act: impl Fn(&Storage) -> bool, check: impl Fn(&Path, (Zxid, u64))) {
    for changes in 0.. {
        let other = tempdir().unwrap();
        copy(dir, other.path());
        let disk = Mortal::dies_after(usize::MAX);
        let config = StorageConfig { disk: Arc::new(disk.clone()), ..config(other.path()) };
        let (storage, _, _) = Storage::open(config).unwrap();
        disk.left.store(changes, Ordering::SeqCst);
        let survived = act(&storage);
        drop(storage);
        check(other.path(), state(other.path()));
        if survived {
            assert!(changes > 3, "it did nothing");
            return;
        }
    }
}

#[test]
fn a_death_while_a_history_is_cut_leaves_more_and_never_less() {
    for ((dir, history), n) in
        [true, false].into_iter().flat_map(|more| [2, 9, 14].map(|n| (with_snapshots(more), n)))
    {
        let at = history.digests[n].0;
        let check = |dir: &Path, found: (Zxid, u64)| {
            assert!(found.0 >= at, "{found:x?} is less than was to be kept");
            assert_eq!(digest_at(&history, found.0), Some(found.1), "{found:x?}");
            let (storage, _, _) = open(dir).unwrap();
            let tree = storage.cut(at).unwrap().unwrap();
            assert_eq!(Some(tree.digest()), digest_at(&history, at));
        };
        at_every_death(dir.path(), |storage| storage.cut(at).is_ok(), check);
    }
}

#[test]
fn a_death_while_a_tree_is_installed_leaves_the_old_one_or_the_new() {
    let (dir, history) = written();
    let new = elsewhere(Zxid(5 << 32));
    let check = |_: &Path, found: (Zxid, u64)| {
        let old = *history.digests.last().unwrap();
        assert!(found == old || found == (new.last_zxid(), new.digest()), "{found:x?}");
    };
    let act = |storage: &Storage| storage.replace(&mut elsewhere(Zxid(5 << 32))).is_ok();
    at_every_death(dir.path(), act, check);
}

/// Opens a copy of a directory on a disk that says from `start` on that it is full when one of `operations` comes.
fn full_for(
    dir: &Path,
    operations: &'static [Op],
    act: impl Fn(&Storage) -> Option<StorageError>,
) -> Full {
    let other = tempdir().unwrap();
    copy(dir, other.path());
    let full = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&full);
    let disk = HookedDisk::new(RealDisk, move |op, _| {
        let refused = now.load(Ordering::SeqCst) && operations.contains(&op);
        if refused { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    });
    let config = StorageConfig { disk: Arc::new(disk), ..config(other.path()) };
    let (storage, _, _) = Storage::open(config).unwrap();
    full.store(true, Ordering::SeqCst);
    let error = act(&storage);
    drop(storage);
    Full { names: names(other.path()), found: state(other.path()), error, dir: other }
}

/// What came of it.
struct Full {
    error: Option<StorageError>,
    names: Vec<String>,
    found: (Zxid, u64),
    dir: TempDir,
}

fn is_full(error: Option<&StorageError>) -> bool {
    matches!(error, Some(StorageError::Io { source, .. }) if source.kind() == io::ErrorKind::StorageFull)
}

#[test]
fn a_cut_for_which_there_is_no_room_leaves_everything() {
    let (dir, history) = written();
    let old = *history.digests.last().unwrap();
    let before = names(dir.path());
    // In the last log, and in one before it.
    for n in [22, 14] {
        let at = history.digests[n].0;
        let cut = |storage: &Storage| storage.cut(at).err();
        let full = full_for(dir.path(), &[Op::Open], cut);
        assert!(is_full(full.error.as_ref()), "{n}: {:?}", full.error);
        assert_eq!((&full.names, full.found), (&before, old), "{n}");
        // A file system that needs room to shorten a file: later logs may be gone, nothing else.
        let full = full_for(dir.path(), &[Op::Shorten], cut);
        assert!(is_full(full.error.as_ref()), "{n}: {:?}", full.error);
        assert!(full.found.0 >= at, "{n}");
        assert_eq!(digest_at(&history, full.found.0), Some(full.found.1), "{n}");
        assert!(n < 20 || full.found == old, "{n}");
        let (storage, _, _) = open(full.dir.path()).unwrap();
        assert_eq!(storage.cut(at).unwrap().unwrap().last_zxid(), at);
    }
}

#[test]
fn a_full_device_is_no_obstacle_to_a_cut() {
    let (dir, history) = written();
    let disk = FaultyDisk::default();
    let config = StorageConfig { disk: Arc::new(disk.clone()), ..config(dir.path()) };
    let (storage, _, _) = Storage::open(config).unwrap();
    disk.set(|faults| faults.room = Some(0));
    let (at, digest) = history.digests[14];
    let tree = storage.cut(at).unwrap().unwrap();
    assert_eq!((tree.last_zxid(), tree.digest()), (at, digest));
}

#[test]
fn a_tree_for_which_there_is_no_room_leaves_the_old_one() {
    let (dir, history) = written();
    let old = *history.digests.last().unwrap();
    let before = names(dir.path());
    let replace = |storage: &Storage| {
        let mut tree = elsewhere(Zxid(5 << 32));
        let error = storage.replace(&mut tree).err();
        assert!(!tree.is_walking(), "it remembers what nobody writes");
        error
    };
    for operations in [&[Op::Create][..], &[Op::Write], &[Op::Rename]] {
        let full = full_for(dir.path(), operations, replace);
        assert!(is_full(full.error.as_ref()), "{operations:?}: {:?}", full.error);
        assert_eq!((&full.names, full.found), (&before, old), "{operations:?}");
    }
}

/// A purge has looked at what there is and is about to remove the first snapshot, when the history is cut to where only that one helps.
#[test]
fn a_purge_and_a_cut_do_not_take_each_others_snapshots() {
    let (dir, history) = written();
    let purging = Arc::new(Stages::default());
    let stages = Arc::clone(&purging);
    let disk = HookedDisk::new(RealDisk, move |op, path| {
        if op == Op::Remove && path.ends_with("version-2/snapshot.0") {
            stages.reach(1);
            // Not for good: a cut may wait for the purge.
            stages.wait(2, Duration::from_millis(200));
        }
        Ok(())
    });
    let config = StorageConfig { disk: Arc::new(disk), ..config(dir.path()) };
    let (storage, _, _) = Storage::open(config).unwrap();
    std::thread::scope(|scope| {
        let purge = scope.spawn(|| storage.purge().unwrap());
        assert!(purging.wait(1, Duration::from_secs(60)), "there is something to purge");
        let tree = storage.cut(history.digests[2].0).unwrap();
        purging.reach(2);
        assert!(!purge.join().unwrap().files.is_empty());
        assert!(tree.is_none(), "the snapshot before it is gone");
    });
    drop(storage);
    assert_eq!(state(dir.path()), *history.digests.last().unwrap());
}

/// How far things are, for threads that wait for each other.
#[derive(Default)]
struct Stages(Mutex<usize>, Condvar);

impl Stages {
    fn reach(&self, stage: usize) {
        *self.0.lock().unwrap() = stage;
        self.1.notify_all();
    }

    /// Returns whether it was reached in time.
    fn wait(&self, stage: usize, most: Duration) -> bool {
        let reached = self.0.lock().unwrap();
        let (reached, _) =
            self.1.wait_timeout_while(reached, most, |reached| *reached < stage).unwrap();
        *reached >= stage
    }
}
