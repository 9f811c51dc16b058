//! Writing the log: groups, refusals on a full device, failures that are final, and the thread.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use quorate::storage::{
    AppendError, GroupCommit, LogConfig, LogReport, LogThread, LogWriter, Storage, StorageConfig,
};
use quorate_engine::tree::Tree;
use quorate_wire::Zxid;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use support::faulty::FaultyDisk;
use support::{History, TREE, names, open, version_2};
use tempfile::tempdir;

fn settings(dir: &Path, disk: &FaultyDisk) -> StorageConfig {
    let mut settings = support::config(dir);
    settings.disk = Arc::new(disk.clone());
    settings
}

fn tree_of(dir: &Path) -> Tree {
    let (_storage, tree, report) = open(dir).unwrap();
    assert_eq!(report.warnings, [""; 0]);
    tree
}

fn is_full(result: Result<(), AppendError>) -> bool {
    matches!(result, Err(AppendError::Full { .. }))
}

#[test]
fn a_log_is_preallocated_with_zeros_and_shortened_when_it_ends() {
    let dir = tempdir().unwrap();
    let mut history = History::new();
    let (storage, _, _) = open(dir.path()).unwrap();
    let mut log = storage.log_writer();
    assert_eq!(names(dir.path()), ["snapshot.0"], "no log before the first record");
    let segment = history.records(2);
    log.append(std::slice::from_ref(&segment)).unwrap();
    assert_eq!(log.sync().unwrap(), Zxid(2));
    let path = version_2(dir.path()).join("log.1");
    let bytes = fs::read(&path).unwrap();
    let end = 16 + segment.bytes().len();
    assert!(bytes.len() >= 64 << 10);
    assert_eq!(&bytes[..16], b"ZKLG\0\0\0\x02\0\0\0\0\0\0\0\0");
    assert_eq!(&bytes[16..end], segment.bytes());
    assert!(bytes[end..].iter().all(|&b| b == 0));
    log.roll().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), u64::try_from(end).unwrap());
    // Large segments are preallocated past, too.
    let large = history.sized(200 << 10);
    log.append(&[large]).unwrap();
    log.append(&[history.record()]).unwrap();
    let bytes = fs::read(version_2(dir.path()).join("log.3")).unwrap();
    assert!(bytes.len() > (200 << 10) + 4096 && bytes.ends_with(&[0; 4096]));
}

#[test]
fn without_preallocation_the_file_is_as_long_as_its_records() {
    let dir = tempdir().unwrap();
    let mut history = History::new();
    let mut config = support::config(dir.path());
    config.pre_allocate = 0;
    let (storage, _, _) = Storage::open(config).unwrap();
    let mut log = storage.log_writer();
    let mut len = 16;
    for _ in 0..3 {
        let segment = history.records(3);
        len += segment.bytes().len();
        log.append(&[segment]).unwrap();
        let file = fs::metadata(version_2(dir.path()).join("log.1")).unwrap();
        assert_eq!(file.len(), u64::try_from(len).unwrap());
    }
    log.roll().unwrap();
    drop(storage);
    assert_eq!(tree_of(dir.path()).digest(), history.tree.digest());
}

/// What a killed process had written and not synced is in the page cache: the next one shows it to clients.
#[test]
fn what_recovery_believes_is_durable_first() {
    let (dir, disk) = (tempdir().unwrap(), FaultyDisk::default());
    let mut history = History::new();
    let (storage, _, _) = Storage::open(settings(dir.path(), &disk)).unwrap();
    storage.log_writer().append(&[history.records(3)]).unwrap();
    drop(storage);
    disk.set(|f| *f = Default::default());
    let (storage, tree, _) = Storage::open(settings(dir.path(), &disk)).unwrap();
    assert_eq!(tree.digest(), history.tree.digest());
    // The log and its name, then the sidecar and its name.
    assert_eq!((disk.get().syncs, disk.get().dir_syncs), (2, 2));
    drop(storage);
    disk.set(|f| f.sync = true);
    assert!(Storage::open(settings(dir.path(), &disk)).is_err());
}

#[test]
fn a_group_is_one_write_and_one_sync_and_a_new_name_is_synced_once() {
    let (dir, disk) = (tempdir().unwrap(), FaultyDisk::default());
    let mut history = History::new();
    let (storage, _, _) = Storage::open(settings(dir.path(), &disk)).unwrap();
    let mut log = storage.log_writer();
    disk.set(|f| *f = Default::default());
    for n in 1..=3 {
        let group = [history.records(3), history.records(4), history.record()];
        log.append(&group).unwrap();
        log.sync().unwrap();
        let bytes: usize = group.iter().map(|s| s.bytes().len()).sum();
        let faults = disk.get();
        assert_eq!(faults.writes.iter().filter(|&&w| w == bytes).count(), 1, "{faults:?}");
        assert_eq!((faults.syncs, faults.dir_syncs), (n, 1));
        disk.set(|f| f.writes.clear());
    }
    log.sync().unwrap();
    assert_eq!(disk.get().syncs, 3, "there was nothing to sync");
}

#[test]
fn large_groups_are_written_onto_blank_blocks_and_small_ones_are_not() {
    const BLANK: usize = 256 << 10;
    let (dir, disk) = (tempdir().unwrap(), FaultyDisk::default());
    let mut history = History::new();
    let mut settings = settings(dir.path(), &disk);
    settings.pre_allocate = 2 << 20;
    let (storage, _, _) = Storage::open(settings).unwrap();
    let mut log = storage.log_writer();
    let blanks = || disk.get().writes.iter().filter(|&&w| w == BLANK).count();
    for _ in 0..20 {
        log.append(&[history.records(3)]).unwrap();
    }
    assert_eq!(blanks(), 0);
    for _ in 0..40 {
        log.append(&[history.sized(16 << 10)]).unwrap();
    }
    assert!((2..=4).contains(&blanks()), "{}", blanks());
    log.sync().unwrap();
    drop((log, storage));
    assert_eq!(tree_of(dir.path()).digest(), history.tree.digest());
}

#[test]
fn force_sync_off_never_syncs() {
    let (dir, disk) = (tempdir().unwrap(), FaultyDisk::default());
    let mut history = History::new();
    let mut settings = settings(dir.path(), &disk);
    settings.force_sync = false;
    let (storage, _, _) = Storage::open(settings).unwrap();
    let mut log = storage.log_writer();
    disk.set(|f| *f = Default::default());
    log.append(&[history.records(3)]).unwrap();
    assert_eq!(log.sync().unwrap(), Zxid(3));
    log.roll().unwrap();
    assert_eq!((disk.get().syncs, disk.get().dir_syncs), (0, 0));
    assert_eq!(names(dir.path()), ["log.1", "snapshot.0"], "sums would promise too much");
}

#[test]
fn a_file_over_its_limit_is_followed_by_a_new_one() {
    let dir = tempdir().unwrap();
    let mut history = History::new();
    let mut settings = support::config(dir.path());
    settings.log_size_limit = Some(1000);
    let (storage, _, _) = Storage::open(settings).unwrap();
    let mut log = storage.log_writer();
    for _ in 0..4 {
        log.append(&[history.records(6)]).unwrap();
        log.sync().unwrap();
        log.settle().unwrap();
    }
    drop((log, storage));
    let logs: Vec<_> = names(dir.path()).into_iter().filter(|n| n.starts_with("log.")).collect();
    assert_eq!(logs, ["log.1", "log.d"]);
    assert_eq!(tree_of(dir.path()).digest(), history.tree.digest());
}

/// Fills the device at every possible amount of room, in both ways a file system can run out.
#[test]
fn a_refused_segment_leaves_nothing_behind_and_room_makes_it_work_again() {
    for no_reserve in [false, true] {
        for room in (0..1200).step_by(37).chain([5000, 9000]) {
            let (dir, disk) = (tempdir().unwrap(), FaultyDisk::default());
            let mut history = History::new();
            let mut settings = settings(dir.path(), &disk);
            settings.pre_allocate = if no_reserve { 0 } else { 64 << 10 };
            let (storage, _, _) = Storage::open(settings).unwrap();
            let mut log = storage.log_writer();
            disk.set(|f| (f.room, f.no_reserve) = (Some(room), no_reserve));
            let what = format!("room {room}, no_reserve {no_reserve}");
            let mut last = Zxid::ZERO;
            let refused = loop {
                let segment = history.records(2);
                match log.append(std::slice::from_ref(&segment)) {
                    Ok(()) => last = log.sync().unwrap(),
                    Err(AppendError::Full { .. }) => break segment,
                    Err(other) => panic!("{what}: {other}"),
                }
                assert!(last < Zxid(1000), "{what}: never full");
            };
            assert!(is_full(log.append(std::slice::from_ref(&refused))), "{what}: still full");
            assert!(!log.has_room(), "{what}");
            // A crash now would find exactly what was acknowledged.
            let copied = tempdir().unwrap();
            support::copy(dir.path(), copied.path());
            let (_s, tree, report) = open(copied.path()).unwrap();
            let expected = history.digests.iter().find(|(z, _)| *z == last).unwrap();
            assert_eq!((tree.last_zxid(), tree.digest()), *expected, "{what}");
            assert_eq!(report.warnings, [""; 0], "{what}");
            // With room, the same zxids can be used again, and for something else.
            disk.set(|f| f.room = None);
            assert!(log.has_room(), "{what}");
            history.take_back(last.next(), tree);
            log.append(&[history.records(5)]).unwrap();
            log.sync().unwrap();
            log.roll().unwrap();
            drop((log, storage));
            assert_eq!(tree_of(dir.path()).digest(), history.tree.digest(), "{what}");
        }
    }
}

#[test]
fn a_failed_sync_or_write_is_final() {
    type Break = fn(&mut support::faulty::Faults);
    let breaks: [Break; 3] = [|f| f.sync = true, |f| f.sync_dir = true, |f| f.write = true];
    for (n, damage) in breaks.into_iter().enumerate() {
        let (dir, disk) = (tempdir().unwrap(), FaultyDisk::default());
        let mut history = History::new();
        let (storage, _, _) = Storage::open(settings(dir.path(), &disk)).unwrap();
        let mut log = storage.log_writer();
        disk.set(damage);
        let result = log.append(&[history.record()]).and_then(|()| Ok(log.sync()?));
        let Err(AppendError::Failed(failure)) = result else { panic!("break {n} unnoticed") };
        assert!(failure.to_string().contains("the device is broken"), "{failure}");
        // The device recovers; the writer does not believe it.
        disk.set(|f| *f = Default::default());
        assert!(log.sync().is_err() && log.roll().is_err());
        assert!(matches!(log.append(&[history.record()]), Err(AppendError::Failed(_))));
    }
}

/// A thread with its reports in a channel.
fn thread(log: LogWriter, group: GroupCommit) -> (LogThread, Receiver<LogReport>) {
    let (send, receive) = channel();
    (LogThread::start(log, group, move |report| drop(send.send(report))).unwrap(), receive)
}

fn next(reports: &Receiver<LogReport>) -> LogReport {
    reports.recv_timeout(Duration::from_secs(20)).expect("a report in time")
}

/// Waits until everything up to `zxid` is reported as durable; returns how many reports that took.
fn synced(reports: &Receiver<LogReport>, zxid: Zxid) -> usize {
    let mut last = Zxid::ZERO;
    for n in 1.. {
        match next(reports) {
            LogReport::Synced(z) if z > last => last = z,
            other => panic!("{other:?} after {last}"),
        }
        if last == zxid {
            return n;
        }
    }
    unreachable!()
}

#[test]
fn the_thread_reports_in_order_and_closes_what_it_was_given() {
    let dir = tempdir().unwrap();
    let mut history = History::new();
    let (storage, _, _) = open(dir.path()).unwrap();
    let (log, reports) = thread(storage.log_writer(), GroupCommit::default());
    for n in 0..200 {
        log.append(0, history.record());
        if n == 100 {
            log.roll();
        }
    }
    synced(&reports, Zxid(200));
    assert_eq!(log.queued(), 0);
    log.append(0, history.records(5));
    log.close().unwrap();
    synced(&reports, Zxid(205));
    assert!(names(dir.path()).contains(&"log.66".to_owned()), "{:?}", names(dir.path()));
    drop(storage);
    assert_eq!(tree_of(dir.path()).digest(), history.tree.digest());
}

#[test]
fn a_delay_gathers_a_group_and_a_maximum_splits_it() {
    let dir = tempdir().unwrap();
    let mut history = History::new();
    let (storage, _, _) = open(dir.path()).unwrap();
    let group = GroupCommit {
        delay: Duration::from_secs(30),
        max_records: Some(50),
        ..GroupCommit::default()
    };
    let (log, reports) = thread(storage.log_writer(), group);
    // The delay is far longer than this waits: the maximum must have ended the groups.
    for n in [50, 100, 150] {
        for _ in 0..50 {
            log.append(0, history.record());
        }
        assert_eq!(synced(&reports, Zxid(n)), 1);
    }
    // What is short of the maximum is synced by the delay, or by closing.
    log.append(0, history.record());
    log.close().unwrap();
    assert_eq!(synced(&reports, Zxid(151)), 1);
}

#[test]
fn a_full_device_refuses_the_generation_and_tells_when_there_is_room() {
    let (dir, disk) = (tempdir().unwrap(), FaultyDisk::default());
    let mut history = History::new();
    let mut small = settings(dir.path(), &disk);
    small.pre_allocate = 4096;
    let (storage, _, _) = Storage::open(small).unwrap();
    let (log, reports) = thread(storage.log_writer(), GroupCommit::default());
    log.append(0, history.records(3));
    synced(&reports, Zxid(3));
    let kept = Tree::new(TREE);
    drop(kept);
    disk.set(|f| f.room = Some(0));
    for _ in 0..100 {
        log.append(0, history.sized(500));
    }
    let mut last = Zxid(3);
    let from = loop {
        match next(&reports) {
            LogReport::Synced(zxid) => last = zxid,
            LogReport::Refused { generation: 0, from, reason } => {
                assert!(reason.contains("log.1"), "{reason}");
                break from;
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(from, last.next());
    // Late segments of that generation are dropped even when there is room again.
    disk.set(|f| f.room = None);
    assert!(matches!(next(&reports), LogReport::Room));
    log.append(0, history.record());
    // The core has taken everything back to `from` and goes on from there.
    let copied = tempdir().unwrap();
    support::copy(dir.path(), copied.path());
    let tree = tree_of(copied.path());
    assert_eq!(tree.last_zxid(), last);
    history.take_back(from, tree);
    log.append(1, history.records(4));
    let expected = history.digests.last().unwrap().0;
    synced(&reports, expected);
    log.close().unwrap();
    assert!(reports.try_recv().is_err());
    drop(storage);
    assert_eq!(tree_of(dir.path()).digest(), history.tree.digest());
}

#[test]
fn a_failed_log_is_reported_once_and_closing_says_so() {
    let (dir, disk) = (tempdir().unwrap(), FaultyDisk::default());
    let mut history = History::new();
    let (storage, _, _) = Storage::open(settings(dir.path(), &disk)).unwrap();
    let (log, reports) = thread(storage.log_writer(), GroupCommit::default());
    disk.set(|f| f.sync = true);
    log.append(0, history.record());
    assert!(matches!(next(&reports), LogReport::Failed(_)));
    log.append(0, history.record());
    let failure = log.close().unwrap_err();
    assert_eq!(failure.action, "sync");
    assert!(reports.recv().is_err(), "nothing follows");
}

#[test]
fn a_crash_of_the_thread_is_a_failure_and_not_silence() {
    let dir = tempdir().unwrap();
    let mut history = History::new();
    drop(open(dir.path()).unwrap());
    let log = LogWriter::new(
        Arc::new(quorate::storage::RealDisk),
        LogConfig::new(version_2(dir.path())),
        Zxid::ZERO,
    );
    let (send, reports) = channel();
    let report = move |report| match report {
        LogReport::Synced(_) => panic!("on purpose"),
        other => drop(send.send(other)),
    };
    let log = LogThread::start(log, GroupCommit::default(), report).unwrap();
    log.append(0, history.record());
    assert!(matches!(next(&reports), LogReport::Failed(_)));
    assert!(log.close().is_err());
}
