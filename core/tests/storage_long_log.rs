//! Logs of so many records that two threads read them: what is wrong with a record is said of that record, wherever it is.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use quorate::storage::{Report, Storage, StorageConfig, StorageError};
use quorate_engine::segment::Segment;
use quorate_engine::tree::Tree;
use quorate_wire::disk::log::LogScan;
use quorate_wire::txn::{TxnHeader, TxnType};
use quorate_wire::{Jute, Zxid};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use support::History;
use support::memory::MemoryDisk;

/// Records around the borders of what changes threads at once, and at the ends of a log of [`ALL`].
const PLACES: [usize; 8] = [0, 1, 255, 256, 257, 700, 998, 999];
const ALL: usize = 1000;

fn config(disk: &MemoryDisk) -> StorageConfig {
    let mut settings = support::config(Path::new("/data"));
    settings.disk = Arc::new(disk.clone());
    settings
}

fn log() -> PathBuf {
    "/data/version-2/log.1".into()
}

fn open(disk: &MemoryDisk) -> Result<(Tree, Report), StorageError> {
    Storage::open(config(disk)).map(|(_, tree, report)| (tree, report))
}

fn zxid(n: usize) -> Zxid {
    Zxid(i64::try_from(n).unwrap())
}

#[test]
fn a_flipped_bit_is_found_where_it_is() {
    let (disk, mut history) = (MemoryDisk::default(), History::new());
    let (storage, ..) = Storage::open(config(&disk)).unwrap();
    let mut writer = storage.log_writer();
    writer.append(&[history.records(ALL)]).unwrap();
    writer.roll().unwrap();
    let files = disk.files();
    let offsets: Vec<_> =
        LogScan::new(&files[&log()], 1 << 20).map(|record| record.offset).collect();
    assert_eq!(offsets.len(), ALL);
    let (tree, report) = open(&disk).unwrap();
    assert_eq!((tree.digest(), report.records), (history.tree.digest(), 1000));
    for place in PLACES {
        let mut files = files.clone();
        let at = usize::try_from(offsets[place]).unwrap() + 60;
        files.get_mut(&log()).unwrap()[at] ^= 4;
        disk.set(files);
        let Err(error) = open(&disk) else { panic!("record {place}: not noticed") };
        let StorageError::Damaged { offset, last, .. } = error else { panic!("{place}: {error}") };
        assert_eq!((offset, last), (offsets[place], zxid(place)), "record {place}");
    }
}

/// The checksum says that the record is as it was written, and it is none that we know.
#[test]
fn a_record_that_cannot_be_decoded_is_named() {
    for place in PLACES {
        let (disk, mut history) = (MemoryDisk::default(), History::new());
        let (storage, ..) = Storage::open(config(&disk)).unwrap();
        let mut writer = storage.log_writer();
        let before = history.records(place);
        let mut odd = Segment::default();
        odd.push(zxid(place + 1), |out| create_without_a_body(zxid(place + 1)).write(out));
        history.records(1);
        writer.append(&[before.clone(), Arc::new(odd), history.records(ALL)]).unwrap();
        writer.roll().unwrap();
        let Err(error) = open(&disk) else { panic!("record {place}: not noticed") };
        let StorageError::Unreadable { offset, zxid: found, .. } = error else {
            panic!("{place}: {error}")
        };
        let expected = u64::try_from(16 + before.bytes().len()).unwrap();
        assert_eq!((offset, found), (expected, zxid(place + 1)), "record {place}");
    }
}

fn create_without_a_body(zxid: Zxid) -> TxnHeader {
    TxnHeader { client_id: 5, cxid: 1, zxid, time: 0, kind: TxnType::CREATE }
}
