//! A small directory with one byte flipped, or one file cut, at every place in turn.
//!
//! Whatever happens to a file, the server either starts with a state that it had at some time, or does not
//! start and says why; and what the sidecar knows to have been durable is never missing without a word.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use quorate::storage::{Report, Storage, StorageConfig, StorageError};
use quorate_engine::tree::Tree;
use quorate_wire::Zxid;
use quorate_wire::disk::log::LogScan;
use quorate_wire::disk::names::Compression;
use quorate_wire::disk::sidecar::{Sidecar, SumEntry, file_header};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use support::History;
use support::memory::MemoryDisk;

/// The files of a directory, to be put back before each attempt.
struct Original {
    disk: MemoryDisk,
    files: BTreeMap<String, Vec<u8>>,
    history: History,
}

/// Two logs of three records each, with a snapshot between them if asked for.
fn original(snapshot: bool, sums: bool) -> Original {
    compressed(snapshot.then_some(Compression::Plain), sums)
}

fn compressed(snapshot: Option<Compression>, sums: bool) -> Original {
    let disk = MemoryDisk::default();
    let mut history = History::new();
    let mut settings = config(&disk);
    let (storage, _, _) = Storage::open(settings.clone()).unwrap();
    let mut log = storage.log_writer();
    log.append(&[history.record(), history.records(2)]).unwrap();
    log.roll().unwrap();
    if let Some(compression) = snapshot {
        settings.compression = compression;
        let (storage, _, _) = Storage::open(settings).unwrap();
        storage.write_snapshot(&mut history.tree).unwrap();
    }
    for _ in 0..3 {
        log.append(&[history.record()]).unwrap();
        log.sync().unwrap();
        log.settle().unwrap();
    }
    let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let files = disk.files().into_iter().map(|(path, bytes)| (name(path), bytes));
    let files = files.filter(|(name, _)| sums || !name.starts_with("sum.")).collect();
    Original { disk, files, history }
}

fn config(disk: &MemoryDisk) -> StorageConfig {
    let mut settings = support::config(Path::new("/data"));
    settings.disk = Arc::new(disk.clone());
    settings.pre_allocate = 200;
    settings
}

fn path(name: &str) -> PathBuf {
    Path::new("/data/version-2").join(name)
}

impl Original {
    /// Opens the directory with one file changed.
    fn with(&self, name: &str, bytes: &[u8]) -> Result<(Tree, Report), StorageError> {
        let mut files: BTreeMap<_, _> =
            self.files.iter().map(|(name, bytes)| (path(name), bytes.clone())).collect();
        files.insert(path(name), bytes.to_owned());
        self.disk.set(files);
        self.open()
    }

    fn open(&self) -> Result<(Tree, Report), StorageError> {
        Storage::open(config(&self.disk)).map(|(_, tree, report)| (tree, report))
    }

    /// After which record of the history this is the state.
    fn position(&self, tree: &Tree, what: &str) -> usize {
        assert_eq!(tree.digest(), tree.computed_digest(), "{what}");
        let state = (tree.last_zxid(), tree.digest());
        let position = self.history.digests.iter().position(|&s| s == state);
        position.unwrap_or_else(|| panic!("{what}: a state that never was: {state:?}"))
    }

    fn flips(&self, name: &str) -> impl Iterator<Item = (usize, Vec<u8>)> {
        let bytes = self.files[name].clone();
        (0..bytes.len()).flat_map(move |at| {
            let bytes = bytes.clone();
            [1 << (at % 8), 0xFF].into_iter().map(move |flip: u8| {
                let mut bytes = bytes.clone();
                bytes[at] ^= flip;
                (at, bytes)
            })
        })
    }

    /// The error says in which file and record the damage at `at` is, and what to do about it.
    fn is_named(&self, error: &StorageError, name: &str, at: usize) {
        let at = u64::try_from(at).unwrap();
        let mut scan = LogScan::new(&self.files[name], 1 << 20);
        let mut begins: Vec<u64> = scan.by_ref().map(|record| record.offset).collect();
        begins.push(scan.finish().offset());
        let begin = begins.into_iter().take_while(|&offset| offset <= at).last().unwrap_or(0);
        let StorageError::Damaged { file, offset, .. } = error else { panic!("{error}") };
        assert_eq!((file, *offset), (&path(name), begin), "{name} at {at}: {error}");
        let (file, text) = (file.display(), error.to_string());
        assert!(text.starts_with(&format!("{file} is damaged at offset {begin} (")), "{text}");
        assert!(text.contains(": restore the file from a backup; to accept the loss, "), "{text}");
    }

    /// Where the data of a file end and its padding begins.
    fn end(&self, name: &str) -> usize {
        self.files[name].iter().rposition(|&b| b != 0).map_or(0, |at| at + 1)
    }
}

const FULL: usize = 6;

#[test]
fn a_flipped_byte_in_a_log_with_sums_is_refused_or_harmless() {
    let original = original(false, true);
    for name in ["log.1", "log.4"] {
        for (at, bytes) in original.flips(name) {
            let what = format!("{name} at {at}");
            match original.with(name, &bytes) {
                Ok((tree, _)) => {
                    assert_eq!(original.position(&tree, &what), FULL, "{what}");
                    let unchecked = (4..16).contains(&at) || at >= original.end(name);
                    assert!(unchecked, "{what} was not noticed");
                }
                Err(error @ StorageError::Damaged { .. }) => {
                    original.is_named(&error, name, at);
                }
                Err(other) => panic!("{what}: {other}"),
            }
        }
    }
}

#[test]
fn a_flipped_byte_in_a_log_without_sums_loses_at_most_the_last_record() {
    let original = original(false, false);
    for name in ["log.1", "log.4"] {
        for (at, bytes) in original.flips(name) {
            let what = format!("{name} at {at}");
            match original.with(name, &bytes) {
                Ok((tree, report)) => {
                    let position = original.position(&tree, &what);
                    assert!(
                        position == FULL || (position == FULL - 1 && name == "log.4"),
                        "{what}"
                    );
                    assert!(position == FULL || !report.warnings.is_empty(), "{what}: silently");
                }
                Err(StorageError::Damaged { .. }) => {}
                Err(other) => panic!("{what}: {other}"),
            }
        }
    }
}

#[test]
fn a_log_cut_anywhere_is_refused_when_its_sums_know_better() {
    let original = original(false, true);
    for name in ["log.1", "log.4"] {
        let (bytes, end) = (&original.files[name], original.end(name));
        for cut in 0..bytes.len() {
            for padding in [false, true] {
                let what = format!("{name} cut at {cut}, padding {padding}");
                let mut bytes = bytes.clone();
                if padding {
                    bytes[cut..].fill(0);
                } else {
                    bytes.truncate(cut);
                }
                match original.with(name, &bytes) {
                    Ok((tree, _)) => {
                        assert!(cut >= end || padding && bytes == original.files[name], "{what}");
                        assert_eq!(original.position(&tree, &what), FULL);
                    }
                    Err(StorageError::Damaged { .. } | StorageError::Gap { .. }) => {
                        assert!(cut < end, "{what}");
                    }
                    Err(other) => panic!("{what}: {other}"),
                }
            }
        }
    }
}

#[test]
fn a_last_log_cut_anywhere_leaves_a_prefix_and_can_be_continued() {
    let original = original(false, false);
    let (bytes, end) = (&original.files["log.4"], original.end("log.4"));
    let mut seen = [0; FULL + 1];
    for cut in 0..=end {
        let what = format!("cut at {cut}");
        let (tree, report) = original.with("log.4", &bytes[..cut]).unwrap();
        let position = original.position(&tree, &what);
        seen[position] += 1;
        // What is left ends with a whole record, and opening it again has nothing to complain about.
        let (again, second) = original.open().unwrap();
        assert_eq!(again.digest(), tree.digest(), "{what}");
        assert_eq!(second.warnings, [""; 0], "{what}");
        assert_eq!(second.records, report.records, "{what}");
    }
    assert!(seen[3..].iter().all(|&n| n > 0) && seen[..3] == [0; 3], "{seen:?}");
}

#[test]
fn an_older_log_cut_anywhere_is_refused() {
    let original = original(false, false);
    let (bytes, end) = (&original.files["log.1"], original.end("log.1"));
    for cut in 0..end {
        match original.with("log.1", &bytes[..cut]) {
            Err(StorageError::Damaged { file, .. }) => assert!(file.ends_with("log.1")),
            Err(StorageError::Gap { file, .. }) => assert!(file.ends_with("log.4")),
            Err(other) => panic!("cut at {cut}: {other}"),
            Ok(_) => panic!("cut at {cut}: not noticed"),
        }
    }
}

#[test]
fn a_torn_end_of_an_older_log_is_fine_when_the_next_goes_on_there() {
    let original = original(false, false);
    let mut torn = original.files["log.1"].clone();
    torn.truncate(original.end("log.1"));
    let record = original.files["log.4"][16..60].to_vec();
    torn.extend_from_slice(&record);
    let (tree, report) = original.with("log.1", &torn).unwrap();
    assert_eq!(original.position(&tree, "torn"), FULL);
    assert_eq!(report.records, 6);
    let len = original.disk.files()[&path("log.1")].len();
    assert_eq!(len, original.end("log.1"), "the torn record is cut");
}

#[test]
fn a_damaged_sidecar_costs_nothing() {
    let original = original(false, true);
    for name in ["sum.1", "sum.4"] {
        for (at, bytes) in original.flips(name) {
            let what = format!("{name} at {at}");
            let (tree, _) = original.with(name, &bytes).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_eq!(original.position(&tree, &what), FULL, "{what}");
        }
    }
}

/// What a power failure takes of a sidecar is given back by the next start, so that damage afterwards is seen as such.
#[test]
fn a_record_that_was_read_once_is_vouched_for() {
    let original = original(false, true);
    let (log, whole) = (original.files["log.4"].clone(), original.files["sum.4"].clone());
    let last = original.end("log.4") - 10;
    let mut holed = whole.clone();
    holed[64..96].fill(0);
    let mut foreign = whole.clone();
    foreign[8] ^= 1;
    let torn = [&whole[..96], &[7; 20][..]].concat();
    let lost: [&[u8]; 8] =
        [&[], &whole[..20], &whole[..32], &whole[..64], &whole[..96], &torn, &holed, &foreign];
    for (case, lost) in lost.into_iter().enumerate() {
        let (tree, report) = original.with("sum.4", lost).unwrap();
        assert_eq!(original.position(&tree, "at first"), FULL, "case {case}");
        let ignored = usize::from(!lost.is_empty() && (lost.len() < 32 || lost[8] != 0));
        assert_eq!(report.warnings.len(), ignored, "case {case}: {:?}", report.warnings);
        let mut files = original.disk.files();
        assert_eq!(files[&path("sum.4")], whole, "case {case}");
        // Twice is not once more.
        let (_, report) = original.open().unwrap();
        assert_eq!((original.disk.files(), report.warnings.len()), (files.clone(), 0));
        let bytes = files.get_mut(&path("log.4")).unwrap();
        assert_eq!(bytes[..], log[..bytes.len()], "case {case}");
        bytes[last] ^= 1;
        original.disk.set(files);
        assert!(matches!(original.open(), Err(StorageError::Damaged { .. })), "case {case}");
    }
}

/// Whoever dies while he completes a sidecar takes away nothing that it proves, and the next start completes it.
#[test]
fn a_sidecar_that_is_half_completed_proves_what_it_proved_before() {
    let original = original(false, true);
    let (disk, whole) = (&original.disk, &original.files["sum.4"]);
    let mut holed = whole.clone();
    holed[32..64].fill(0);
    let entries = || -> Vec<SumEntry> {
        let bytes = disk.files().remove(&path("sum.4")).unwrap_or_default();
        Sidecar::new(&bytes, Zxid(4)).map_or_else(|_| Vec::new(), |sums| sums.entries().collect())
    };
    let cases: [&[u8]; 5] = [&[], &whole[..20], &whole[..64], &whole[..70], &holed];
    for (case, present) in cases.into_iter().enumerate() {
        for changes in 0.. {
            let what = format!("case {case} after {changes} changes");
            let files = original.files.iter().map(|(name, bytes)| (path(name), bytes.clone()));
            let mut files: BTreeMap<_, _> = files.collect();
            files.insert(path("sum.4"), present.to_vec());
            disk.set(files);
            let before = entries();
            disk.die_after(Some(changes));
            let survived = original.open().is_ok();
            disk.die_after(None);
            let after = entries();
            assert!(before.iter().all(|entry| after.contains(entry)), "{what}: {after:?}");
            let (tree, _) = original.open().unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_eq!(original.position(&tree, &what), FULL);
            assert_eq!(disk.files()[&path("sum.4")], *whole, "{what}");
            if survived {
                assert!(changes > 3, "case {case}: {changes} changes are too few");
                break;
            }
        }
    }
}

/// What a killed process had written and not synced becomes durable first, and is vouched for then: else a power failure meanwhile
/// would leave a sidecar that knows of records that are gone.
#[test]
fn nothing_is_vouched_for_before_it_is_durable() {
    let original = original(false, true);
    let (disk, log) = (&original.disk, &original.files["log.4"]);
    let first = LogScan::new(log, 1 << 20).next().unwrap().end();
    let durable = &log[..usize::try_from(first).unwrap()];
    for changes in 0.. {
        let what = format!("after {changes} changes");
        let files = original.files.iter().map(|(name, bytes)| (path(name), bytes.clone()));
        let mut files: BTreeMap<_, _> = files.filter(|(name, _)| *name != path("sum.4")).collect();
        files.insert(path("log.4"), durable.to_vec());
        disk.set(files);
        disk.write(path("log.4"), log.clone());
        disk.die_after(Some(changes));
        let survived = original.open().is_ok();
        disk.die_after(None);
        disk.lose_power();
        let vouched = disk.files().remove(&path("sum.4"));
        let (tree, _) = original.open().unwrap_or_else(|e| panic!("{what}: {e}"));
        assert!(original.position(&tree, &what) > 3, "{what}");
        if survived {
            assert_eq!(original.position(&tree, &what), FULL);
            assert_eq!(vouched.as_ref(), original.files.get("sum.4"), "durable before serving");
            assert!(changes > 4, "{changes} changes are too few");
            break;
        }
    }
}

/// The records of a torn log are cut before the rest is vouched for.
#[test]
fn a_torn_record_is_not_vouched_for() {
    let original = original(false, true);
    let log = &original.files["log.4"];
    let sums = original.files["sum.4"][..64].to_vec();
    let mut files: BTreeMap<_, _> =
        original.files.iter().map(|(name, bytes)| (path(name), bytes.clone())).collect();
    files.insert(path("sum.4"), sums);
    files.insert(path("log.4"), log[..original.end("log.4") - 5].to_vec());
    original.disk.set(files);
    let (tree, report) = original.open().unwrap();
    assert_eq!((original.position(&tree, "torn"), report.warnings.len()), (FULL - 1, 1));
    assert_eq!(original.disk.files()[&path("sum.4")], original.files["sum.4"][..96]);
    assert_eq!(original.open().unwrap().1.warnings, [""; 0]);
}

#[test]
fn a_damaged_snapshot_is_passed_over_when_the_log_makes_up_for_it() {
    let original = original(true, true);
    let bytes = &original.files["snapshot.3"];
    let check = |bytes: &[u8], what: &str| {
        let (tree, report) = original.with("snapshot.3", bytes).unwrap();
        assert_eq!(original.position(&tree, what), FULL, "{what}");
        assert_eq!(report.snapshot.unwrap().1, Zxid::ZERO, "{what}");
        assert!(report.warnings[0].contains("snapshot.3 is passed over"), "{what}");
    };
    for (at, bytes) in original.flips("snapshot.3") {
        check(&bytes, &format!("flip at {at}"));
    }
    // Without its last sections it is a snapshot of an older release.
    let shorter = [bytes.len() - 21, bytes.len() - 54];
    for cut in (0..bytes.len()).filter(|cut| !shorter.contains(cut)) {
        check(&bytes[..cut], &format!("cut at {cut}"));
    }
    for cut in shorter {
        let (tree, report) = original.with("snapshot.3", &bytes[..cut]).unwrap();
        assert_eq!(original.position(&tree, "shorter"), FULL);
        assert_eq!(report.snapshot.unwrap().1, Zxid(3));
    }
}

#[test]
fn a_damaged_snapshot_is_fatal_when_the_log_does_not_make_up_for_it() {
    let mut original = original(true, true);
    original.files.retain(|name, _| name.starts_with("snapshot."));
    let mut flipped = original.files["snapshot.3"].clone();
    let (tree, _) = original.with("snapshot.3", &flipped.clone()).unwrap();
    assert_eq!(original.position(&tree, "whole"), 3);
    flipped[100] ^= 1;
    let Err(error) = original.with("snapshot.3", &flipped) else { panic!("went back in time") };
    let StorageError::SnapshotLost { file, last, .. } = &error else { panic!("{error}") };
    assert!(file.ends_with("snapshot.3") && *last == Zxid::ZERO);
    original.files.remove("snapshot.0");
    let Err(error) = original.with("snapshot.3", &flipped) else { panic!("began anew") };
    assert!(matches!(error, StorageError::NoValidSnapshot { tried: 1, .. }), "{error}");
}

#[test]
fn compressed_snapshots_are_checked_as_well() {
    for (compression, name) in
        [(Compression::Gzip, "snapshot.3.gz"), (Compression::Snappy, "snapshot.3.snappy")]
    {
        let original = compressed(Some(compression), true);
        let bytes = &original.files[name];
        let check = |bytes: &[u8], what: &str| {
            let (tree, report) = original.with(name, bytes).unwrap();
            assert_eq!(original.position(&tree, what), FULL, "{what}");
            report.snapshot.unwrap().1
        };
        assert_eq!(check(bytes, name), Zxid(3));
        for (at, bytes) in original.flips(name) {
            check(&bytes, &format!("{name} at {at}"));
        }
        for cut in 0..bytes.len() {
            check(&bytes[..cut], &format!("{name} cut at {cut}"));
        }
    }
}

/// Adler-32 is blind to a change of three neighbours by +1, -2 and +1. The sidecar is not, and without one the digest is not.
#[test]
fn a_change_that_the_checksum_does_not_show_is_noticed() {
    for sums in [true, false] {
        let original = original(false, sums);
        let mut bytes = original.files["log.1"].clone();
        let data = bytes.windows(4).position(|w| w == [3, 10, 17, 24]).unwrap();
        bytes[data] += 1;
        bytes[data + 1] -= 2;
        bytes[data + 2] += 1;
        match original.with("log.1", &bytes) {
            Err(StorageError::Damaged { reason, .. }) => {
                assert!(sums && reason.contains("sidecar"))
            }
            Err(other) => panic!("{other}"),
            Ok((_, report)) => {
                assert!(!sums && report.mismatches > 0);
                assert!(report.warnings[0].contains("the digest of the tree after 0x1"));
            }
        }
    }
}

/// A record of several sectors in the last write, some of which the device never wrote, with good records behind.
#[test]
fn lost_sectors_of_the_last_write_are_a_torn_tail_unless_it_was_synced() {
    let disk = MemoryDisk::default();
    let mut history = History::new();
    let (storage, _, _) = Storage::open(config(&disk)).unwrap();
    let mut log = storage.log_writer();
    log.append(&[history.records(4)]).unwrap();
    log.sync().unwrap();
    log.settle().unwrap();
    log.append(&[history.sized(2000), history.records(3)]).unwrap();
    let files = disk.files();
    let whole = &files[&path("log.1")];
    let open = |log: &[u8], sums: &[u8]| {
        let mut files = files.clone();
        files.insert(path("log.1"), log.to_owned());
        files.insert(path("sum.1"), sums.to_owned());
        disk.set(files);
        Storage::open(config(&disk)).map(|(_, tree, report)| (tree, report))
    };
    let sums = &files[&path("sum.1")];
    assert_eq!(open(whole, sums).unwrap().0.digest(), history.tree.digest());
    // A sector that was lost is a torn tail.
    let mut lost = whole.clone();
    lost[1024..1536].fill(0);
    let (tree, report) = open(&lost, sums).unwrap();
    assert_eq!((tree.last_zxid(), tree.digest()), history.digests[4]);
    assert!(report.warnings[0].contains("not written completely"), "{:?}", report.warnings);
    // A flipped bit is none.
    let mut flipped = whole.clone();
    flipped[1100] ^= 1;
    assert!(matches!(open(&flipped, sums), Err(StorageError::Damaged { .. })));
    // And if the record was synced, a lost sector is damage.
    let mut all = file_header(Zxid(1));
    for record in LogScan::new(whole, 1 << 20) {
        SumEntry::of(&record, Zxid(1)).write(&mut all);
    }
    assert!(matches!(open(&lost, &all), Err(StorageError::Damaged { .. })));
}

/// The first write to a new log, without its first sector: wherever the next record begins.
#[test]
fn a_lost_first_sector_is_a_torn_tail() {
    for size in 350..480 {
        let disk = MemoryDisk::default();
        let mut history = History::new();
        let (storage, _, _) = Storage::open(config(&disk)).unwrap();
        let mut log = storage.log_writer();
        log.append(&[history.sized(size), history.records(3)]).unwrap();
        let mut files = disk.files();
        files.get_mut(&path("log.1")).unwrap()[..512].fill(0);
        disk.set(files);
        drop(storage);
        let (_, tree, _) = Storage::open(config(&disk)).unwrap_or_else(|e| panic!("{size}: {e}"));
        assert_eq!(tree.last_zxid(), Zxid::ZERO);
    }
}
