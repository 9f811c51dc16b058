//! Opening data directories: what was written comes back, and what was lost is said.

mod support;

use quorate::storage::{RealDisk, Storage, StorageError};
use quorate_engine::tree::{Tree, WalkState};
use quorate_wire::Zxid;
use quorate_wire::disk::names::Compression;
use std::fs;
use support::{History, config, copy, names, open, version_2, writer};
use tempfile::tempdir;

#[test]
fn a_new_directory_gets_a_first_snapshot_and_opens_again() {
    let dir = tempdir().unwrap();
    let (storage, tree, report) = open(dir.path()).unwrap();
    assert!(report.created && report.snapshot.is_none());
    assert_eq!(tree.digest(), Tree::new(support::TREE).digest());
    assert_eq!(names(dir.path()), ["snapshot.0"]);
    drop(storage);
    let (_storage, again, report) = open(dir.path()).unwrap();
    assert!(!report.created);
    assert_eq!(report.snapshot.map(|(_, zxid)| zxid), Some(Zxid::ZERO));
    assert_eq!(again.digest(), tree.digest());
    assert_eq!(report.warnings, [""; 0]);
}

#[test]
fn the_log_is_replayed_across_lives_rolls_and_epochs() {
    let dir = tempdir().unwrap();
    let mut history = History::new();
    for life in 0..4 {
        let (storage, tree, report) = open(dir.path()).unwrap();
        assert_eq!(tree.digest(), history.tree.digest(), "life {life}");
        assert_eq!(report.last, history.digests.last().unwrap().0);
        assert_eq!((report.mismatches, report.warnings.len()), (0, 0), "{report:?}");
        let mut log = storage.log_writer();
        for _ in 0..3 {
            log.append(&[history.records(5), history.record()]).unwrap();
            log.sync().unwrap();
            log.settle().unwrap();
        }
        if life == 1 {
            log.roll().unwrap();
            history.next_epoch();
            log.append(&[history.records(2)]).unwrap();
            log.sync().unwrap();
        }
        // No farewell: the log keeps its padding and the last sums are not written.
    }
    assert_eq!(names(dir.path()).iter().filter(|n| n.starts_with("log.")).count(), 5);
    let (_storage, tree, report) = open(dir.path()).unwrap();
    assert_eq!(tree.digest(), history.tree.digest());
    assert_eq!(report.records, 4 * 18 + 2);
}

#[test]
fn snapshots_of_every_compression_come_back_and_shorten_the_replay() {
    for compression in Compression::ALL {
        let dir = tempdir().unwrap();
        let mut history = History::new();
        let mut settings = config(dir.path());
        settings.compression = compression;
        let (storage, _, _) = Storage::open(settings).unwrap();
        let mut log = storage.log_writer();
        log.append(&[history.records(3000)]).unwrap();
        log.sync().unwrap();
        storage.write_snapshot(&mut history.tree).unwrap();
        log.append(&[history.records(10)]).unwrap();
        log.roll().unwrap();
        drop(storage);
        let (_storage, tree, report) = open(dir.path()).unwrap();
        assert_eq!(report.snapshot.unwrap().1, Zxid(3000), "{compression:?}");
        assert_eq!(report.records, 10);
        assert_eq!(tree.digest(), history.tree.digest());
        assert_eq!(tree.computed_digest(), tree.digest());
    }
}

#[test]
fn a_snapshot_taken_while_the_tree_changes_is_of_its_zxid() {
    let dir = tempdir().unwrap();
    let (storage, mut tree, _) = open(dir.path()).unwrap();
    let mut history = History::new();
    let mut log = storage.log_writer();
    log.append(&[history.records(500)]).unwrap();
    log.sync().unwrap();
    std::mem::swap(&mut tree, &mut history.tree);
    let (head, expected) = (tree.freeze(), tree.digest());
    std::mem::swap(&mut tree, &mut history.tree);
    let mut snapshot = storage.snapshot_writer(&head).unwrap();
    let mut bytes = Vec::new();
    loop {
        let more = history.record();
        log.append(&[more]).unwrap();
        let state = history.tree.walk(7, &mut bytes);
        snapshot.write(&bytes).unwrap();
        bytes.clear();
        if state == WalkState::Done {
            break;
        }
    }
    log.sync().unwrap();
    snapshot.finish(&storage.trailer(&head)).unwrap();
    drop(storage);
    let (_storage, tree, report) = open(dir.path()).unwrap();
    assert_eq!(report.snapshot.unwrap().1, Zxid(500));
    assert!(report.records > 10);
    assert_eq!(tree.digest(), history.tree.digest());
    assert_eq!(report.mismatches, 0);
    // The snapshot alone is the state at its zxid.
    for name in names(dir.path()).iter().filter(|n| !n.starts_with("snapshot.1f4")) {
        fs::remove_file(version_2(dir.path()).join(name)).unwrap();
    }
    drop(_storage);
    let (_storage, tree, _) = open(dir.path()).unwrap();
    assert_eq!(tree.digest(), expected);
}

/// A log that a snapshot makes superfluous is not read, which here shows by its not being looked at.
#[test]
fn a_log_that_ends_before_the_snapshot_is_not_read() {
    let dir = tempdir().unwrap();
    let mut history = History::new();
    let (storage, _, _) = open(dir.path()).unwrap();
    let mut log = storage.log_writer();
    log.append(&[history.records(50)]).unwrap();
    log.roll().unwrap();
    storage.write_snapshot(&mut history.tree).unwrap();
    drop(storage);
    let path = version_2(dir.path()).join("log.1");
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let (_storage, tree, report) = open(dir.path()).unwrap();
    assert_eq!((tree.digest(), report.records), (history.tree.digest(), 0));
    // A longer file may hold more.
    bytes.push(0);
    fs::write(&path, &bytes).unwrap();
    drop(_storage);
    assert!(matches!(open(dir.path()), Err(StorageError::Damaged { .. })));
}

#[test]
fn a_second_user_of_the_directory_is_refused_by_name() {
    let dir = tempdir().unwrap();
    let first = open(dir.path()).unwrap();
    let Err(error) = open(dir.path()) else { panic!("opened twice") };
    assert!(
        matches!(error, StorageError::Locked { pid: Some(pid), .. } if pid == std::process::id())
    );
    assert!(error.to_string().contains(&format!("by process {}", std::process::id())), "{error}");
    drop(first);
    open(dir.path()).unwrap();
}

#[test]
fn one_log_directory_cannot_serve_two_data_directories() {
    let dir = tempdir().unwrap();
    let settings = |name: &str| {
        let mut settings = config(&dir.path().join(name));
        settings.log_dir = Some(dir.path().join("logs"));
        settings
    };
    let first = Storage::open(settings("a")).unwrap();
    assert!(matches!(Storage::open(settings("b")), Err(StorageError::Locked { .. })));
    drop(first);
    Storage::open(settings("b")).unwrap();
}

#[test]
fn separate_directories_hold_each_their_own() {
    let dir = tempdir().unwrap();
    let mut settings = config(&dir.path().join("data"));
    settings.log_dir = Some(dir.path().join("logs"));
    let mut history = History::new();
    let (storage, _, _) = Storage::open(settings.clone()).unwrap();
    let mut log = storage.log_writer();
    log.append(&[history.records(4)]).unwrap();
    log.roll().unwrap();
    drop(storage);
    assert_eq!(names(&dir.path().join("data")), ["snapshot.0"]);
    assert_eq!(names(&dir.path().join("logs")), ["log.1", "sum.1"]);
    let (storage, tree, _) = Storage::open(settings.clone()).unwrap();
    assert_eq!(tree.digest(), history.tree.digest());
    let sizes = storage.dir_sizes().unwrap();
    assert!(sizes.snapshots > 400 && sizes.logs > 300, "{sizes:?}");
    drop(storage);
    // Swapped, they are refused.
    std::mem::swap(&mut settings.data_dir, settings.log_dir.as_mut().unwrap());
    let Err(error) = Storage::open(settings) else { panic!("opened swapped directories") };
    assert!(matches!(error, StorageError::Misplaced { .. }), "{error}");
}

#[test]
fn missing_directories_and_databases_need_permission() {
    let dir = tempdir().unwrap();
    let mut settings = config(&dir.path().join("new"));
    settings.create_dirs = false;
    assert!(matches!(Storage::open(settings.clone()), Err(StorageError::Missing(_))));
    settings.create_dirs = true;
    settings.create_database = false;
    assert!(matches!(Storage::open(settings.clone()), Err(StorageError::NotInitialized(_))));
    let marker = settings.data_dir.join("initialize");
    fs::write(&marker, "").unwrap();
    let (storage, _, report) = Storage::open(settings.clone()).unwrap();
    assert!(report.created && !marker.exists());
    drop(storage);
    Storage::open(settings).unwrap();
}

#[test]
fn logs_without_a_snapshot_need_trust() {
    let dir = tempdir().unwrap();
    let mut history = History::new();
    fs::create_dir_all(version_2(dir.path())).unwrap();
    let mut log = writer(dir.path(), Zxid::ZERO);
    log.append(&[history.records(9)]).unwrap();
    log.roll().unwrap();
    assert!(matches!(open(dir.path()), Err(StorageError::NoSnapshot { .. })));
    let mut settings = config(dir.path());
    settings.trust_empty = true;
    let (storage, tree, report) = Storage::open(settings).unwrap();
    assert!(!report.created);
    assert_eq!(tree.digest(), history.tree.digest());
    drop(storage);
    // Trust was needed once: now there is a snapshot.
    let (_storage, tree, report) = open(dir.path()).unwrap();
    assert_eq!(report.snapshot.unwrap().1, Zxid(9));
    assert_eq!(tree.digest(), history.tree.digest());
}

#[test]
fn a_hole_in_the_history_is_refused() {
    let dir = tempdir().unwrap();
    let mut history = History::new();
    let (storage, _, _) = open(dir.path()).unwrap();
    let mut log = storage.log_writer();
    for _ in 0..3 {
        log.append(&[history.records(5)]).unwrap();
        log.roll().unwrap();
    }
    drop(storage);
    let other = tempdir().unwrap();
    copy(dir.path(), other.path());
    let middle = version_2(other.path()).join("log.6");
    fs::remove_file(&middle).unwrap();
    let Err(error) = open(other.path()) else { panic!("opened with a hole") };
    let StorageError::Gap { file, last, expected, found, .. } = &error else { panic!("{error}") };
    assert_eq!((*last, *expected, *found), (Zxid(5), Zxid(6), Zxid(11)));
    assert!(file.ends_with("log.b"));
    // A last file that is gone shows only in its sidecar.
    copy(dir.path(), other.path());
    fs::remove_file(version_2(other.path()).join("log.b")).unwrap();
    let Err(error) = open(other.path()) else { panic!("opened without the last log") };
    let StorageError::LogLost { held, last, .. } = &error else { panic!("{error}") };
    assert_eq!((*held, *last), (Zxid(15), Zxid(10)));
}

#[test]
fn a_record_that_comes_twice_is_applied_once() {
    let dir = tempdir().unwrap();
    let mut history = History::new();
    let (storage, _, _) = open(dir.path()).unwrap();
    let mut log = storage.log_writer();
    let (first, second) = (history.records(4), history.records(4));
    log.append(&[first.clone(), second.clone()]).unwrap();
    log.append(&[second]).unwrap();
    log.append(&[history.records(4)]).unwrap();
    log.roll().unwrap();
    drop(storage);
    let (_storage, tree, report) = open(dir.path()).unwrap();
    assert_eq!(tree.digest(), history.tree.digest());
    assert_eq!(report.records, 12);
}

#[test]
fn epoch_files_are_reported_and_a_conflict_is_said() {
    let dir = tempdir().unwrap();
    let (storage, _, report) = open(dir.path()).unwrap();
    assert_eq!((report.epochs.accepted, report.epochs.current), (None, None));
    storage.write_accepted_epoch(4).unwrap();
    storage.write_current_epoch(5).unwrap();
    assert_eq!(storage.epochs().unwrap().current, Some(5));
    drop(storage);
    assert_eq!(fs::read(version_2(dir.path()).join("currentEpoch")).unwrap(), b"5");
    let (_storage, _, report) = open(dir.path()).unwrap();
    assert_eq!((report.epochs.accepted, report.epochs.current), (Some(4), Some(5)));
    assert!(report.warnings[0].contains("less than currentEpoch"), "{:?}", report.warnings);
}

#[test]
fn an_interrupted_snapshot_is_swept_away() {
    let dir = tempdir().unwrap();
    drop(open(dir.path()).unwrap());
    let leftover = version_2(dir.path()).join("tmp.snapshot.7");
    fs::write(&leftover, b"ZKSN").unwrap();
    fs::write(version_2(dir.path()).join("snapshot.7.tmp"), b"not ours").unwrap();
    let (storage, mut tree, _) = open(dir.path()).unwrap();
    assert!(!leftover.exists());
    assert_eq!(names(dir.path()), ["snapshot.0", "snapshot.7.tmp"]);
    let head = tree.freeze();
    drop(storage.snapshot_writer(&head).unwrap());
    assert_eq!(names(dir.path()), ["snapshot.0", "snapshot.7.tmp"]);
}

#[test]
fn the_real_disk_reads_up_to_the_last_data() {
    use quorate::storage::disk::Disk;
    let dir = tempdir().unwrap();
    let path = dir.path().join("file");
    let mut file = RealDisk.create(&path).unwrap();
    file.allocate(1 << 20).unwrap();
    file.write_at(b"data", 5000).unwrap();
    file.sync_data().unwrap();
    // The last byte that Apache writes to extend a file.
    file.write_at(&[0], (1 << 20) - 1).unwrap();
    let bytes = RealDisk.read(&path).unwrap();
    assert_eq!(&bytes[5000..5004], b"data");
    assert!(bytes.iter().filter(|&&b| b != 0).count() == 4);
    assert_eq!(fs::metadata(&path).unwrap().len(), 1 << 20);
    assert_eq!(RealDisk.read_at(&path, 5001, 2).unwrap(), b"at");
    assert_eq!(RealDisk.read_at(&path, (1 << 20) - 1, 9).unwrap(), b"\0");
}
