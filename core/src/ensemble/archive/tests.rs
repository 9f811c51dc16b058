//! The archive on disks in memory that die, on a device that is full, and with threads that are late.

use super::*;
use crate::storage::disk::Disk;
use quorate_engine::session::SessionNumber;
use quorate_engine::tree::{TreeReceiver, WalkState};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Condvar, Mutex};
use std::time::Duration;
use support::faulty::FaultyDisk;
use support::hooked::{HookedDisk, Op};
use support::memory::MemoryDisk;
use support::{History as Writing, TREE};

#[path = "../../../tests/support/mod.rs"]
pub(crate) mod support;

/// A member's disk, and the tree that its one thread would hold.
struct Member {
    archive: Archive,
    tree: Tree,
    durable: Durable,
    woken: Receiver<()>,
}

/// Where a directory in memory is.
const DIR: &str = "/data";
const MEMORY: usize = 1 << 20;
const LONG: Duration = Duration::from_secs(60);

impl Member {
    fn open(disk: impl Disk + 'static, dir: impl Into<PathBuf>) -> Result<Self, StorageError> {
        let config = StorageConfig { disk: Arc::new(disk), ..support::config(&dir.into()) };
        let (wake, woken) = channel();
        let wake = Mutex::new(wake);
        let (archive, tree, durable) = Archive::open(config, MEMORY, move || {
            let _ = wake.lock().unwrap().send(());
        })?;
        Ok(Self { archive, tree, durable, woken })
    }

    fn in_memory(disk: &MemoryDisk) -> Self {
        Self::open(disk.clone(), DIR).unwrap()
    }

    fn state(&self) -> (Zxid, u64) {
        (self.tree.last_zxid(), self.tree.digest())
    }

    /// Lives the life of the one thread until `done` has found what it wants in the news.
    fn hear(&mut self, mut done: impl FnMut(&News) -> bool) -> Vec<News> {
        let mut heard = Vec::new();
        loop {
            let news = self.archive.news();
            let found = news.iter().any(&mut done);
            heard.extend(news);
            if found {
                return heard;
            }
            if self.archive.may_sleep() {
                self.woken.recv_timeout(LONG).expect("nothing is heard of the log");
            }
        }
    }

    fn synced(&mut self, upto: Zxid) -> Vec<News> {
        self.hear(|news| matches!(news, News::Synced(zxid) if *zxid == upto))
    }

    /// Lets a snapshot come to its end.
    fn finish_snapshot(&mut self) {
        while self.archive.is_snapshotting() {
            if !self.archive.wants_to_walk() {
                self.woken.recv_timeout(LONG).expect("nothing is heard of the snapshot");
            }
            self.archive.step_snapshot(&mut self.tree);
        }
    }

    fn reload(&mut self) -> Result<(Zxid, u64), StorageError> {
        (self.tree, self.durable) = self.archive.reload()?;
        Ok(self.state())
    }
}

/// Ends a role. What is remembered of the history must be what the disk has of it.
fn drained(archive: &mut Archive) -> Durable {
    let durable = archive.drain().unwrap();
    let all = |history: &History| history.since(history.base()).cloned().collect::<Vec<_>>();
    let on_disk = archive.storage().recent(MEMORY).unwrap();
    assert_eq!(durable.history.last(), on_disk.last());
    let (remembered, read) = (all(&durable.history), all(&on_disk));
    assert!(remembered.ends_with(&read), "{remembered:?} is not {read:?}");
    durable
}

fn last(writing: &Writing) -> (Zxid, u64) {
    *writing.digests.last().unwrap()
}

fn digest_at(writing: &Writing, at: Zxid) -> Option<u64> {
    writing.digests.iter().find(|(zxid, _)| *zxid == at).map(|(_, digest)| *digest)
}

/// A leader's tree of five nodes.
fn elsewhere(zxid: Zxid) -> Tree {
    let mut writing = Writing::new();
    writing.records(5);
    let (stream, _) = writing.tree.freeze_stream();
    let mut bytes = Vec::new();
    while writing.tree.walk_stream(stream, 1000, &mut bytes) != WalkState::Done {}
    let mut receiver = TreeReceiver::new(TREE, 1 << 20);
    receiver.receive(&bytes).unwrap();
    receiver.finish(zxid).unwrap()
}

/// A disk with logs of two epochs and a snapshot of the middle. Both epochs were promised and begun.
fn lived() -> (MemoryDisk, Writing) {
    let disk = MemoryDisk::default();
    let mut member = Member::in_memory(&disk);
    let mut writing = Writing::new();
    for part in 0..4 {
        if part == 2 {
            writing.next_epoch();
            member.archive.write_accepted(1).unwrap();
            member.archive.write_current(1).unwrap();
            let (mut tree, _) = member.archive.reload().unwrap();
            member.archive.storage().write_snapshot(&mut tree).unwrap();
        }
        member.archive.append(writing.records(4));
        assert_eq!(drained(&mut member.archive).last_zxid(), last(&writing).0);
    }
    member.archive.close().unwrap();
    (disk, writing)
}

fn file_names(disk: &MemoryDisk) -> Vec<String> {
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    disk.files().keys().map(name).collect()
}

/// Snapshots there are, or are being written, of something after `at`.
fn snapshots_after(names: &[String], at: Zxid) -> Vec<&String> {
    let zxid = |name: &str| i64::from_str_radix(name.rsplit('.').next().unwrap(), 16).unwrap();
    names.iter().filter(|name| name.contains("snapshot.") && zxid(name) > at.0).collect()
}

#[test]
fn what_was_appended_is_told_and_is_there_when_the_role_has_ended() {
    let disk = MemoryDisk::default();
    let mut member = Member::in_memory(&disk);
    let mut writing = Writing::new();
    member.archive.append(writing.records(3));
    let upto = last(&writing).0;
    assert!(matches!(member.synced(upto)[..], [News::Synced(_)]));
    // A leader's: some of one segment, some of others.
    let entries: Vec<Entry> = [3, 1, 2]
        .into_iter()
        .flat_map(|n| Entry::all_of(&writing.records(n)).collect::<Vec<_>>())
        .collect();
    member.archive.append_entries(entries[..4].to_vec());
    member.archive.append_entries(entries[4..].to_vec());
    let durable = drained(&mut member.archive);
    let found: Vec<Entry> = durable.history.since(upto).cloned().collect();
    assert_eq!((durable.last_zxid(), found), (last(&writing).0, entries));
    assert!(member.archive.news().is_empty(), "the role is over");
    // It goes on, and what is there is what was written.
    member.archive.append(writing.records(2));
    assert_eq!(member.reload().unwrap(), last(&writing));
    member.archive.append(writing.records(2));
    member.archive.close().unwrap();
    assert_eq!(Member::in_memory(&disk).state(), last(&writing));
}

#[test]
fn nothing_that_was_said_before_a_cut_counts_after_it() {
    let (disk, mut writing) = lived();
    let mut member = Member::in_memory(&disk);
    member.archive.append(writing.records(5));
    let at = writing.digests[14].0;
    let (tree, history) = member.archive.truncate(at).unwrap().unwrap();
    assert_eq!((tree.last_zxid(), Some(tree.digest())), (at, digest_at(&writing, at)));
    assert_eq!(history.last(), at);
    assert!(member.archive.news().is_empty());
    writing.take_back(at.next(), tree);
    member.archive.append(writing.records(2));
    let heard = member.synced(last(&writing).0);
    let mut zxids = heard.iter().map(|news| match news {
        News::Synced(zxid) => *zxid,
        other => panic!("{other:?}"),
    });
    assert!(zxids.all(|zxid| zxid <= last(&writing).0));
    assert_eq!(member.reload().unwrap(), last(&writing));
}

#[test]
fn where_nothing_can_be_cut_nothing_is_changed() {
    let (disk, mut writing) = lived();
    let mut member = Member::in_memory(&disk);
    let before = disk.files();
    assert!(member.archive.truncate(Zxid(77)).unwrap().is_none());
    assert_eq!(disk.files(), before);
    // What was given is still told, and the log goes on.
    member.archive.append(writing.records(1));
    let first = last(&writing).0;
    assert!(member.archive.truncate(Zxid(77)).unwrap().is_none());
    member.archive.append(writing.records(1));
    let heard = member.synced(last(&writing).0);
    assert!(matches!(heard[0], News::Synced(zxid) if zxid == first), "{heard:?}");
    assert_eq!(member.reload().unwrap(), last(&writing));
}

#[test]
fn a_tree_that_is_installed_is_the_whole_history() {
    let (disk, writing) = lived();
    let mut member = Member::in_memory(&disk);
    let mut tree = elsewhere(Zxid(9));
    // Of an earlier zxid than the log that it replaces, so it stands for the beginning of the epoch.
    let zxid = Zxid(2 << 32);
    assert!(zxid > last(&writing).0);
    member.archive.write_accepted(2).unwrap();
    member.archive.install(&mut tree, &member.tree, zxid).unwrap();
    assert_eq!(tree.last_zxid(), zxid);
    assert_eq!(drained(&mut member.archive).history.base(), zxid);
    let mut after = Writing::new();
    after.take_back(Zxid(zxid.0 + 1), tree);
    member.archive.append(after.records(3));
    assert_eq!(drained(&mut member.archive).last_zxid(), last(&after).0);
    assert_eq!(member.reload().unwrap(), last(&after));
    // One that is called by an earlier zxid than its own cannot be right, and changes nothing.
    assert!(member.archive.install(&mut elsewhere(Zxid(3 << 32)), &member.tree, Zxid(3)).is_err());
    drop(member);
    let member = Member::in_memory(&disk);
    assert_eq!(member.state(), last(&after));
}

#[test]
fn a_tree_that_is_installed_remembers_which_sessions_there_were() {
    let (disk, writing) = lived();
    let mut member = Member::in_memory(&disk);
    let newest = SessionNumber::of(0x0123_4567);
    member.tree.remember_session(newest);
    member.archive.write_accepted(2).unwrap();
    let mut tree = elsewhere(Zxid(9));
    assert!(tree.newest_session() != newest && last(&writing).0 < Zxid(2 << 32));
    member.archive.install(&mut tree, &member.tree, Zxid(2 << 32)).unwrap();
    assert_eq!(tree.newest_session(), newest);
    drop(member);
    assert_eq!(Member::in_memory(&disk).tree.newest_session(), newest, "after a restart");
}

#[test]
fn what_is_refused_is_not_in_the_history_and_nothing_follows_it() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let mut member = Member::open(disk.clone(), dir.path()).unwrap();
    let mut writing = Writing::new();
    member.archive.append(writing.records(3));
    let kept = last(&writing);
    member.synced(kept.0);
    disk.set(|faults| faults.room = Some(0));
    // More than is reserved: nothing of it fits.
    member.archive.append(writing.sized(200_000));
    member.hear(|news| matches!(news, News::Refused(_)));
    disk.set(|faults| faults.room = None);
    // The role has not ended yet.
    member.archive.append(writing.records(1));
    member.archive.write_accepted(3).unwrap();
    member.archive.append(writing.records(1));
    assert_eq!(drained(&mut member.archive).last_zxid(), kept.0);
    assert_eq!(member.reload().unwrap(), kept);
    // Now it goes on, behind what is there.
    writing.take_back(kept.0.next(), member.tree);
    member.archive.append(writing.records(2));
    assert_eq!(drained(&mut member.archive).last_zxid(), last(&writing).0);
    member.archive.close().unwrap();
    assert_eq!(Member::open(disk, dir.path()).unwrap().state(), last(&writing));
}

#[test]
fn a_refusal_that_nobody_has_heard_of_yet_outlives_what_ends_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let mut member = Member::open(disk.clone(), dir.path()).unwrap();
    let mut writing = Writing::new();
    disk.set(|faults| faults.room = Some(0));
    member.archive.append(writing.sized(200_000));
    // Both end the log thread, which refuses only now.
    assert!(member.archive.truncate(Zxid(77)).unwrap().is_none());
    disk.set(|faults| faults.room = None);
    member.archive.append(writing.records(1));
    member.archive.write_current(0).unwrap();
    member.archive.append(writing.records(1));
    let heard = member.archive.news();
    assert!(heard.iter().any(|news| matches!(news, News::Refused(_))), "{heard:?}");
    assert_eq!(drained(&mut member.archive).last_zxid(), Zxid::ZERO);
    assert_eq!(member.reload().unwrap().0, Zxid::ZERO, "a gap");
}

#[test]
fn a_failed_log_is_final() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let mut member = Member::open(disk.clone(), dir.path()).unwrap();
    disk.set(|faults| faults.sync = true);
    let mut writing = Writing::new();
    member.archive.append(writing.records(1));
    member.hear(|news| matches!(news, News::Failed(_)));
    disk.set(|faults| faults.sync = false);
    member.archive.append(writing.records(1));
    let failed = |error: Option<StorageError>| matches!(error, Some(StorageError::Log(_)));
    assert!(failed(member.archive.drain().err()));
    assert!(failed(member.archive.truncate(Zxid::ZERO).err()));
    assert!(failed(member.archive.install(&mut elsewhere(Zxid(9)), &member.tree, Zxid(9)).err()));
    assert!(failed(member.archive.write_current(4).err()));
    assert!(failed(member.archive.reload().err()));
    assert!(failed(member.archive.close().err()));
}

#[test]
fn an_epoch_is_written_behind_what_the_log_was_given() {
    let disk = MemoryDisk::default();
    let mut member = Member::in_memory(&disk);
    let mut writing = Writing::new();
    writing.next_epoch();
    member.archive.write_accepted(1).unwrap();
    member.archive.append(writing.records(4));
    member.archive.write_current(1).unwrap();
    let found = disk.files();
    // What is durable at this moment.
    disk.lose_power();
    let other = Member::in_memory(&disk);
    assert_eq!((other.state(), other.durable.current_epoch), (last(&writing), 1));
    other.archive.close().unwrap();
    disk.set(found);
    assert!(!member.archive.may_sleep(), "the caller waits for it");
    member.synced(last(&writing).0);
}

#[test]
fn without_epoch_files_the_epoch_is_that_of_the_last_transaction() {
    let (disk, writing) = lived();
    let without = |names: &[&str]| {
        let mut files: BTreeMap<PathBuf, Vec<u8>> = disk.files();
        files.retain(|path, _| !names.iter().any(|name| path.ends_with(name)));
        let other = MemoryDisk::default();
        other.set(files);
        let durable = Member::in_memory(&other).durable;
        (durable.accepted_epoch, durable.current_epoch, durable.last_zxid())
    };
    let all = (1, 1, last(&writing).0);
    assert_eq!(without(&[]), all);
    assert_eq!(without(&["acceptedEpoch"]), all);
    assert_eq!(without(&["currentEpoch"]), all);
    assert_eq!(without(&["acceptedEpoch", "currentEpoch"]), all);
}

#[test]
fn epoch_files_that_cannot_be_right_are_refused() {
    let (disk, _) = lived();
    let files = disk.files();
    let opened = |accepted: Option<&str>, current: &str| {
        let mut files = files.clone();
        let dir = Path::new(DIR).join(VERSION_DIR);
        files.remove(&dir.join("acceptedEpoch"));
        files.extend(accepted.map(|text| (dir.join("acceptedEpoch"), text.into())));
        files.insert(dir.join("currentEpoch"), current.into());
        let disk = MemoryDisk::default();
        disk.set(files);
        Member::open(disk, DIR).map(|m| (m.durable.accepted_epoch, m.durable.current_epoch))
    };
    assert_eq!(opened(Some("3"), "2").unwrap(), (3, 2));
    // Promised and logged; the process has ended before it was written that this epoch has begun.
    assert_eq!(opened(Some("2"), "0").unwrap(), (2, 1));
    for (accepted, current, said) in [
        (Some("1"), "2", "acceptedEpoch is 1, less than currentEpoch, 2;"),
        (None, "2", "acceptedEpoch is 1, less than currentEpoch, 2 (there is no acceptedEpoch"),
        (Some("0"), "0", "currentEpoch is 0, but the last transaction"),
        (None, "0", "currentEpoch is 0, but the last transaction"),
        (Some("x"), "1", "acceptedEpoch does not hold an epoch"),
    ] {
        let error = opened(accepted, current).unwrap_err().to_string();
        assert!(error.contains(said) && error.contains("/data/version-2"), "{error}");
    }
}

/// A member with 400 transactions and a snapshot of them that has been begun, and been walked a little.
fn snapshotting(disk: impl Disk + 'static) -> (Member, Writing) {
    let mut member = Member::open(disk, DIR).unwrap();
    let mut writing = Writing::new();
    member.archive.append(writing.records(400));
    drained(&mut member.archive);
    member.reload().unwrap();
    member.archive.begin_snapshot(&mut member.tree);
    member.archive.step_snapshot(&mut member.tree);
    assert!(member.archive.is_snapshotting() && member.archive.wants_to_walk());
    (member, writing)
}

#[test]
fn a_snapshot_is_written_while_a_role_ends() {
    let disk = MemoryDisk::default();
    let (mut member, mut writing) = snapshotting(disk.clone());
    let frozen = last(&writing).0;
    member.archive.append(writing.records(3));
    drained(&mut member.archive);
    member.finish_snapshot();
    assert!(file_names(&disk).contains(&format!("snapshot.{:x}", frozen.0)));
    assert_eq!(member.reload().unwrap(), last(&writing));
}

#[test]
fn a_snapshot_that_is_under_way_does_not_bring_back_what_is_cut() {
    let disk = MemoryDisk::default();
    let (mut member, writing) = snapshotting(disk.clone());
    let at = writing.digests[300].0;
    (member.tree, _) = member.archive.truncate(at).unwrap().unwrap();
    member.finish_snapshot();
    assert!(snapshots_after(&file_names(&disk), at).is_empty(), "{:?}", file_names(&disk));
    drop(member);
    assert_eq!(Member::in_memory(&disk).state(), writing.digests[300]);
}

#[test]
fn a_snapshot_that_is_under_way_does_not_count_beside_a_tree_that_is_installed() {
    let disk = MemoryDisk::default();
    let (mut member, _) = snapshotting(disk.clone());
    let zxid = Zxid(400);
    let mut tree = elsewhere(Zxid(9));
    member.archive.install(&mut tree, &member.tree, zxid).unwrap();
    member.tree = tree;
    member.finish_snapshot();
    let names = file_names(&disk);
    let snapshots = names.iter().filter(|name| name.contains("snapshot"));
    assert_eq!(snapshots.collect::<Vec<_>>(), ["snapshot.190"]);
    let expected = member.state();
    drop(member);
    assert_eq!(Member::in_memory(&disk).state(), expected);
}

/// All of a snapshot was handed over, and its thread is late: it names the file after the cut has looked which ones there are, if it may.
#[test]
fn a_snapshot_that_cannot_be_given_up_any_more_is_waited_for() {
    let memory = MemoryDisk::default();
    let lists = Arc::new((Mutex::new(0), Condvar::new()));
    let seen = Arc::clone(&lists);
    let disk = HookedDisk::new(memory.clone(), move |op, path| {
        let (lists, told) = &*seen;
        let mut lists = lists.lock().unwrap();
        match op {
            Op::List => {
                *lists += 1;
                told.notify_all();
            }
            Op::Rename if path.to_string_lossy().contains("snapshot.190") => {
                let before = *lists;
                let most = Duration::from_millis(200);
                drop(told.wait_timeout_while(lists, most, |lists| *lists == before).unwrap());
            }
            _ => {}
        }
        Ok(())
    });
    let (mut member, writing) = snapshotting(disk);
    while member.archive.wants_to_walk() {
        member.archive.step_snapshot(&mut member.tree);
    }
    let at = writing.digests[300].0;
    assert!(member.archive.truncate(at).unwrap().is_some());
    // As if it was the slowest of all.
    let (lists, told) = &*lists;
    *lists.lock().unwrap() += 1;
    told.notify_all();
    drop(member);
    assert!(snapshots_after(&file_names(&memory), at).is_empty(), "{:?}", file_names(&memory));
    assert_eq!(Member::in_memory(&memory).state(), writing.digests[300]);
}

#[test]
fn a_walk_that_was_given_up_in_vain_ends() {
    let (mut member, _) = snapshotting(MemoryDisk::default());
    assert!(member.archive.truncate(Zxid(7 << 32 | 1)).unwrap().is_none());
    assert!(!member.archive.is_snapshotting() && member.tree.is_walking());
    member.archive.step_snapshot(&mut member.tree);
    assert!(!member.tree.is_walking(), "the tree remembers what nobody writes");
    member.archive.begin_snapshot(&mut member.tree);
    member.finish_snapshot();
}

/// A disk on which one kind of operation is refused for want of room, while it is said so.
fn full_for(disk: &MemoryDisk, refused: Op) -> (HookedDisk, Arc<Mutex<bool>>) {
    let full = Arc::new(Mutex::new(false));
    let now = Arc::clone(&full);
    let disk = HookedDisk::new(disk.clone(), move |op, _| {
        let refuse = op == refused && *now.lock().unwrap();
        if refuse { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    });
    (disk, full)
}

/// Whether it is for want of room; afterwards only loading helps, and finds what was there before.
fn fails_and_loads_again(refused: Op, act: impl Fn(&mut Member) -> Option<StorageError>) {
    let (memory, mut writing) = lived();
    let (disk, full) = full_for(&memory, refused);
    let mut member = Member::open(disk, DIR).unwrap();
    *full.lock().unwrap() = true;
    let error = act(&mut member).unwrap();
    assert!(error.is_want_of_room(), "{error}");
    let unfinished =
        |error: Option<StorageError>| matches!(error, Some(StorageError::Unfinished { .. }));
    *full.lock().unwrap() = false;
    member.archive.append(writing.records(1));
    assert!(unfinished(member.archive.drain().err()));
    assert!(unfinished(member.archive.truncate(Zxid::ZERO).err()));
    assert!(unfinished(member.archive.write_current(3).err()));
    let found = member.reload().unwrap();
    let old = writing.digests[writing.digests.len() - 2];
    assert_eq!(found, old, "{refused:?}");
    writing.take_back(Zxid(old.0.0 + 1), member.tree);
    member.archive.append(writing.records(2));
    assert_eq!(drained(&mut member.archive).last_zxid(), last(&writing).0);
    member.archive.close().unwrap();
    assert_eq!(Member::in_memory(&memory).state(), last(&writing));
}

#[test]
fn a_change_for_which_there_is_no_room_leaves_the_old_history() {
    // The last log only, so that nothing is removed before it is shortened.
    let cut = |member: &mut Member| {
        let at = Zxid(member.durable.last_zxid().0 - 1);
        member.archive.truncate(at).err()
    };
    fails_and_loads_again(Op::Open, cut);
    fails_and_loads_again(Op::Shorten, cut);
    let install = |member: &mut Member| {
        let zxid = Zxid(9 << 32);
        member.archive.install(&mut elsewhere(Zxid(9)), &member.tree, zxid).err()
    };
    fails_and_loads_again(Op::Create, install);
    fails_and_loads_again(Op::Write, install);
    fails_and_loads_again(Op::Rename, install);
}

/// Lets a member die after each number of changes that `act` makes, of itself or with its machine, and checks what its next life finds.
fn at_every_death(
    disk: &MemoryDisk,
    act: impl Fn(&mut Member) -> Result<(), StorageError>,
    check: impl Fn(Member),
) {
    let files = disk.files();
    for power in [false, true] {
        for changes in 0.. {
            assert!(changes < 500, "it fails though nobody dies");
            disk.set(files.clone());
            let mut member = Member::in_memory(disk);
            disk.die_after(Some(changes));
            let survived = act(&mut member).is_ok();
            drop(member);
            disk.die_after(None);
            if power {
                disk.lose_power();
            }
            let next = Member::open(disk.clone(), DIR);
            check(next.unwrap_or_else(|e| panic!("after {changes} changes: {e}")));
            if survived {
                assert!(changes > 3, "it did nothing");
                break;
            }
        }
    }
    disk.set(files);
}

#[test]
fn a_death_while_a_history_is_cut_leaves_more_and_never_less() {
    let (disk, writing) = lived();
    for n in [2, 7, 9, 14] {
        let (at, digest) = writing.digests[n];
        let mut more = Writing::new();
        more.take_back(last(&writing).0.next(), Tree::new(TREE));
        let extra = more.records(2);
        // Something is still on its way to the log.
        let act = |member: &mut Member| {
            member.archive.append(Arc::clone(&extra));
            member.archive.truncate(at).map(|cut| assert!(cut.is_some()))
        };
        let check = |mut member: Member| {
            let (zxid, found) = member.state();
            assert!(zxid >= at, "{zxid} is less than was to be kept");
            assert!(digest_at(&writing, zxid).is_none_or(|digest| digest == found), "{zxid}");
            let (tree, history) = member.archive.truncate(at).unwrap().unwrap();
            assert_eq!((tree.digest(), history.last()), (digest, at));
        };
        at_every_death(&disk, act, check);
    }
}

#[test]
fn a_death_while_a_tree_is_installed_leaves_the_old_one_or_the_new() {
    let (disk, writing) = lived();
    let zxid = Zxid(2 << 32);
    let new = elsewhere(zxid).digest();
    let act = |member: &mut Member| {
        member.archive.write_accepted(2)?;
        member.archive.install(&mut elsewhere(Zxid(9)), &member.tree, zxid)
    };
    let check = |member: Member| {
        let found = member.state();
        assert!(found == last(&writing) || found == (zxid, new), "{found:x?}");
    };
    at_every_death(&disk, act, check);
}

#[test]
fn a_death_while_a_leader_is_joined_leaves_what_it_can_be_joined_with() {
    let (disk, writing) = lived();
    let mut next = Writing::new();
    next.take_back(last(&writing).0.next(), {
        let mut member = Member::in_memory(&disk);
        member.reload().unwrap();
        member.tree
    });
    next.next_epoch();
    let segments: Vec<Arc<Segment>> = (0..3).map(|_| next.records(2)).collect();
    let done = std::cell::Cell::new((1, 1, last(&writing).0));
    let act = |member: &mut Member| {
        done.set((1, 1, last(&writing).0));
        // Of a leader of epoch 3, whose history ends in epoch 2.
        member.archive.write_accepted(3)?;
        done.set((3, 1, last(&writing).0));
        for segment in &segments {
            member.archive.append(Arc::clone(segment));
            member.archive.drain()?;
            done.set((3, 1, segment.last_zxid().unwrap()));
        }
        member.archive.write_current(3)?;
        done.set((3, 3, last(&next).0));
        Ok(())
    };
    let check = |member: Member| {
        let durable = &member.durable;
        let found = (durable.accepted_epoch, durable.current_epoch, durable.last_zxid());
        let (accepted, current, at) = done.get();
        assert!(found.0 >= accepted && found.1 >= current && found.2 >= at, "{found:?}");
        assert!(found.1 < 3 || found.2 == last(&next).0, "it does not hold what comes before");
        let all = || writing.digests.iter().chain(&next.digests);
        assert!(all().any(|state| *state == member.state()), "{:x?}", member.state());
    };
    at_every_death(&disk, act, check);
}
