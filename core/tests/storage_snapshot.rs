//! Snapshots on a thread of their own: the queue, giving up, and a device without room.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use quorate::storage::{SnapshotJob, SnapshotReport, Storage};
use quorate_engine::tree::{FrozenHead, Tree, WalkState};
use quorate_wire::Zxid;
use quorate_wire::disk::names::Compression;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use support::faulty::FaultyDisk;
use support::{History, names, open};
use tempfile::tempdir;

/// A directory with a history in its log, and the frozen tree.
fn history(storage: &Storage) -> (History, FrozenHead) {
    let mut history = History::new();
    let mut log = storage.log_writer();
    log.append(&[history.records(900)]).unwrap();
    log.roll().unwrap();
    let head = history.tree.freeze();
    (history, head)
}

fn start(storage: &Storage, head: &FrozenHead) -> (SnapshotJob, Receiver<SnapshotReport>) {
    let (send, receive) = channel();
    let writer = storage.snapshot_writer(head).unwrap();
    (SnapshotJob::start(writer, move |report| drop(send.send(report))).unwrap(), receive)
}

fn next(reports: &Receiver<SnapshotReport>) -> SnapshotReport {
    reports.recv_timeout(Duration::from_secs(20)).expect("a report in time")
}

/// The walk in small pieces.
fn walk(tree: &mut Tree) -> Vec<Vec<u8>> {
    let mut chunks = Vec::new();
    loop {
        let mut chunk = Vec::new();
        let state = tree.walk(40, &mut chunk);
        chunks.push(chunk);
        if state == WalkState::Done {
            return chunks;
        }
    }
}

#[test]
fn a_job_writes_what_it_is_offered_in_every_compression() {
    for compression in Compression::ALL {
        let dir = tempdir().unwrap();
        let mut settings = support::config(dir.path());
        settings.compression = compression;
        let (storage, _, _) = Storage::open(settings).unwrap();
        let (mut history, head) = history(&storage);
        let (mut job, reports) = start(&storage, &head);
        for mut chunk in walk(&mut history.tree) {
            // A refused chunk comes back whole and fits after the next report.
            while let Err(back) = job.offer(chunk) {
                assert!(matches!(next(&reports), SnapshotReport::Ready));
                chunk = back;
            }
        }
        job.complete(storage.trailer(&head));
        let path = loop {
            match next(&reports) {
                SnapshotReport::Ready => {}
                SnapshotReport::Written(path) => break path,
                SnapshotReport::Failed(error) => panic!("{error}"),
            }
        };
        assert!(path.ends_with(format!("snapshot.384{}", compression.extension())));
        drop((job, storage));
        let (_storage, tree, report) = open(dir.path()).unwrap();
        assert_eq!((report.records, report.snapshot.unwrap().1), (0, Zxid(900)));
        assert_eq!(tree.digest(), history.tree.digest());
    }
}

#[test]
fn an_abandoned_job_leaves_nothing_behind() {
    let dir = tempdir().unwrap();
    let (storage, _, _) = open(dir.path()).unwrap();
    let (mut history, head) = history(&storage);
    let before = names(dir.path());
    let (job, reports) = start(&storage, &head);
    job.send(walk(&mut history.tree).swap_remove(0));
    assert!(names(dir.path()).contains(&"tmp.snapshot.384".to_owned()));
    drop(job);
    assert_eq!(names(dir.path()), before);
    assert!(reports.iter().all(|report| matches!(report, SnapshotReport::Ready)));
}

#[test]
fn a_snapshot_that_finds_no_room_is_reported_and_costs_nothing_else() {
    let (dir, disk) = (tempdir().unwrap(), FaultyDisk::default());
    let mut settings = support::config(dir.path());
    settings.disk = Arc::new(disk.clone());
    let (storage, _, _) = Storage::open(settings).unwrap();
    for room in [0, 1, 5000, 40_000] {
        let (mut history, head) = history_at(&storage, dir.path());
        let before = names(dir.path());
        let (mut job, reports) = start(&storage, &head);
        disk.set(|f| f.room = Some(room));
        walk(&mut history.tree).into_iter().for_each(|chunk| job.send(chunk));
        job.complete(storage.trailer(&head));
        let last = reports.iter().last();
        let Some(SnapshotReport::Failed(error)) = last else { panic!("room {room}: {last:?}") };
        assert!(error.to_string().contains("tmp.snapshot.384"), "{error}");
        assert_eq!(names(dir.path()), before, "room {room}");
        disk.set(|f| f.room = None);
    }
    // With room, it works.
    let (mut history, head) = history_at(&storage, dir.path());
    let (mut job, _) = start(&storage, &head);
    walk(&mut history.tree).into_iter().for_each(|chunk| job.send(chunk));
    job.complete(storage.trailer(&head));
    job.join();
    drop(storage);
    assert_eq!(open(dir.path()).unwrap().2.snapshot.unwrap().1, Zxid(900));
}

/// As [`history`], for a directory that may hold it already.
fn history_at(storage: &Storage, dir: &Path) -> (History, FrozenHead) {
    if !names(dir).contains(&"log.1".to_owned()) {
        return history(storage);
    }
    let mut history = History::new();
    history.records(900);
    let head = history.tree.freeze();
    (history, head)
}
