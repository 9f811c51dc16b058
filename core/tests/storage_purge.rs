//! Which snapshots and logs go, and which stay.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use quorate::storage::{Storage, StorageConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use support::History;
use support::memory::MemoryDisk;

struct Case {
    what: &'static str,
    retain: usize,
    snapshots: &'static [&'static str],
    logs: &'static [&'static str],
    /// Snapshots that were not written to their end.
    broken: &'static [&'static str],
    kept_snapshots: &'static [&'static str],
    kept_logs: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        what: "the log that begins before the oldest kept snapshot stays",
        retain: 3,
        snapshots: &["0", "a", "14", "1e", "28"],
        logs: &["1", "b", "12", "15", "1f", "29"],
        broken: &[],
        kept_snapshots: &["14", "1e", "28"],
        kept_logs: &["12", "15", "1f", "29"],
    },
    Case {
        what: "a log that begins at the oldest kept snapshot is enough",
        retain: 3,
        snapshots: &["0", "a", "14", "1e", "28"],
        logs: &["1", "b", "14", "1f"],
        broken: &[],
        kept_snapshots: &["14", "1e", "28"],
        kept_logs: &["14", "1f"],
    },
    Case {
        what: "fewer than three are never kept",
        retain: 1,
        snapshots: &["5", "6", "7", "8"],
        logs: &["1", "6", "8"],
        broken: &[],
        kept_snapshots: &["6", "7", "8"],
        kept_logs: &["6", "8"],
    },
    Case {
        what: "more can be kept",
        retain: 5,
        snapshots: &["1", "2", "3", "4", "5", "6"],
        logs: &["1", "2", "4"],
        broken: &[],
        kept_snapshots: &["2", "3", "4", "5", "6"],
        kept_logs: &["2", "4"],
    },
    Case {
        what: "incomplete snapshots do not count, and go when they are old",
        retain: 3,
        snapshots: &["1", "2", "3", "4", "5", "6"],
        logs: &["1", "3", "6"],
        broken: &["2", "4", "6"],
        kept_snapshots: &["1", "2", "3", "4", "5", "6"],
        kept_logs: &["1", "3", "6"],
    },
    Case {
        what: "incomplete and old",
        retain: 3,
        snapshots: &["1", "2", "3", "4", "5", "6"],
        logs: &["1", "3", "6"],
        broken: &["1", "2", "4"],
        kept_snapshots: &["3", "4", "5", "6"],
        kept_logs: &["3", "6"],
    },
    Case {
        what: "nothing goes without a complete snapshot",
        retain: 3,
        snapshots: &["1", "2", "3", "4"],
        logs: &["1", "2"],
        broken: &["1", "2", "3", "4"],
        kept_snapshots: &["1", "2", "3", "4"],
        kept_logs: &["1", "2"],
    },
    Case {
        what: "all logs are later than the snapshots",
        retain: 3,
        snapshots: &["1", "2", "3", "4"],
        logs: &["5", "6"],
        broken: &[],
        kept_snapshots: &["2", "3", "4"],
        kept_logs: &["5", "6"],
    },
];

fn path(name: &str) -> PathBuf {
    Path::new("/data/version-2").join(name)
}

fn open(disk: &MemoryDisk) -> (Storage, StorageConfig) {
    let mut settings = support::config(Path::new("/data"));
    settings.disk = Arc::new(disk.clone());
    (Storage::open(settings.clone()).unwrap().0, settings)
}

#[test]
fn the_table_of_cases() {
    for case in CASES {
        let disk = MemoryDisk::default();
        let (_, mut settings) = open(&disk);
        settings.retain = case.retain;
        let (storage, _, _) = Storage::open(settings).unwrap();
        let whole = disk.files().remove(&path("snapshot.0")).unwrap();
        let mut files = std::collections::BTreeMap::new();
        for zxid in case.snapshots {
            let mut bytes = whole.clone();
            if case.broken.contains(zxid) {
                bytes.truncate(bytes.len() - 3);
            }
            files.insert(path(&format!("snapshot.{zxid}")), bytes);
        }
        for zxid in case.logs {
            // Some are so large that they are given back in steps.
            let len = if *zxid == "1" { 9 << 20 } else { 0 };
            files.insert(path(&format!("log.{zxid}")), vec![0; len]);
            files.insert(path(&format!("sum.{zxid}")), Vec::new());
        }
        files.insert(path("currentEpoch"), b"0".to_vec());
        files.insert(path("snapshot.1.bak"), Vec::new());
        let before = files.len();
        disk.set(files);
        let purged = storage.purge().unwrap();
        let left = disk.files();
        let snapshots = case.kept_snapshots.iter();
        let mut expected: Vec<_> = snapshots.map(|z| path(&format!("snapshot.{z}"))).collect();
        for zxid in case.kept_logs {
            expected.extend([path(&format!("log.{zxid}")), path(&format!("sum.{zxid}"))]);
        }
        expected.extend([path("currentEpoch"), path("snapshot.1.bak")]);
        expected.sort();
        assert_eq!(left.keys().cloned().collect::<Vec<_>>(), expected, "{}", case.what);
        let logs = purged.files.iter().filter(|p| p.to_str().unwrap().contains("log.")).count();
        assert_eq!(before - left.len(), purged.files.len() + logs, "{}: {purged:?}", case.what);
        assert_eq!(storage.purge().unwrap().files, Vec::<PathBuf>::new(), "{}: twice", case.what);
    }
}

#[test]
fn what_is_left_starts_while_the_log_is_being_written() {
    let disk = MemoryDisk::default();
    let mut history = History::new();
    let (storage, settings) = open(&disk);
    let mut log = storage.log_writer();
    for _ in 0..8 {
        log.append(&[history.records(10)]).unwrap();
        log.roll().unwrap();
        storage.write_snapshot(&mut history.tree).unwrap();
        log.append(&[history.records(2)]).unwrap();
        log.sync().unwrap();
        log.settle().unwrap();
        storage.purge().unwrap();
    }
    let left = disk.files();
    assert_eq!(left.keys().filter(|p| p.to_str().unwrap().contains("snapshot.")).count(), 3);
    // The oldest snapshot that is left is as good a start as the newest.
    let newest: Vec<_> =
        left.keys().filter(|p| p.to_str().unwrap().contains("snapshot.")).collect();
    for gone in [vec![], newest[1..].to_vec()] {
        let mut files = left.clone();
        files.retain(|path, _| !gone.contains(&path));
        disk.set(files);
        let (_, tree, report) = Storage::open(settings.clone()).unwrap();
        assert_eq!(tree.digest(), history.tree.digest(), "{report:?}");
    }
}
