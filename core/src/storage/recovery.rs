//! Opens a database: the newest good snapshot, then the log, then a clean end to go on from.
//!
//! Nothing on disk is changed before everything has been read and found whole; a directory that is refused is left as
//! it was. Order and rules follow `FileTxnSnapLog#restore`, except that what Apache would lose in silence is
//! refused here.

use super::epochs::Epochs;
use super::error::StorageError;
use super::layout::{Files, Layout};
use super::loading::Loading;
use super::replay::{Replay, ReplaySettings, Tail};
use super::snapshot_load::{self, Rejected};
use super::snapshot_writer::SnapshotWriter;
use super::sums::Completion;
use quorate_engine::tree::{FrozenHead, Tree, TreeConfig, WalkState};
use quorate_wire::Zxid;
use quorate_wire::disk::log::HEADER_LEN;
use quorate_wire::disk::names::Compression;
use quorate_wire::disk::sidecar::Sidecar;
use quorate_wire::disk::snapshot::{SnapshotDigest, Trailer};
use quorate_wire::txn::DIGEST_VERSION;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What opening a directory found and did.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # use quorate::storage::{Storage, StorageConfig};
/// # use quorate_engine::tree::TreeConfig;
/// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
/// # let (storage, mut tree, report) = Storage::open(config)?;
/// // `storage` is an open directory, and `tree` what it holds.
/// assert!(report.created && report.warnings.is_empty());
/// assert_eq!((report.records, report.mismatches), (0, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The snapshot that was loaded, and its zxid; `None` for a new database.
    pub snapshot: Option<(PathBuf, Zxid)>,
    /// Whether the database was made now.
    pub created: bool,
    /// How many log records were applied.
    pub records: u64,
    /// The last transaction.
    pub last: Zxid,
    /// How many digests were written that are not the tree's; a warning names the first.
    pub mismatches: u64,
    /// The epoch files.
    pub epochs: Epochs,
    /// What an operator should know, a line each.
    pub warnings: Vec<String>,
    /// How long it took.
    pub elapsed: Duration,
}

/// How a directory is to be opened.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    /// `zookeeper.db.autocreate`.
    pub(crate) autocreate: bool,
    /// `zookeeper.snapshot.trust.empty`.
    pub(crate) trust_empty: bool,
    pub(crate) max_payload: usize,
    pub(crate) compression: Compression,
    /// `serializeLastProcessedZxid.enabled`.
    pub(crate) last_processed: bool,
    pub(crate) tree: TreeConfig,
}

/// What has to be done to the logs that were read, once everything is accepted.
struct Found {
    tails: Vec<Tail>,
    completions: Vec<Completion>,
}

/// Builds the tree from what is in the directories, which must be locked.
pub(crate) fn open(
    layout: &Layout,
    rules: &Rules,
    loading: &Loading,
) -> Result<(Tree, Report), StorageError> {
    let started = Instant::now();
    let files = layout.list()?;
    let initialize = layout.log_root.join(INITIALIZE);
    let may_begin = rules.autocreate || layout.disk.read(&initialize).is_ok();
    let mut report = Report::default();
    let (mut tree, found) = if files.snapshots.is_empty() {
        without_snapshot(layout, rules, loading, &files, may_begin, &mut report)?
    } else {
        with_snapshot(layout, rules, loading, &files, &mut report)?
    };
    report.last = tree.last_zxid();
    check_lost_logs(layout, &files, report.last)?;
    read_epochs(layout, &mut report);
    loading.go_on()?;
    for tail in &found.tails {
        clean_end(layout, tail)?;
    }
    sync_dirs(layout)?;
    complete_sums(layout, &found.completions, &mut report);
    for name in &files.leftovers {
        layout.remove(&layout.snapshots.join(name))?;
    }
    if report.snapshot.is_none() {
        write_snapshot(layout, rules, &mut tree)?;
        report.created = report.records == 0;
    }
    layout.remove(&initialize)?;
    report.elapsed = started.elapsed();
    Ok((tree, report))
}

/// Takes the state of a tree in one go, as a snapshot of its own zxid.
pub(crate) fn write_snapshot(
    layout: &Layout,
    rules: &Rules,
    tree: &mut Tree,
) -> Result<PathBuf, StorageError> {
    let head = tree.freeze();
    let written = write_frozen(layout, rules, tree, &head);
    if written.is_err() {
        tree.abandon_walk();
    }
    written
}

fn write_frozen(
    layout: &Layout,
    rules: &Rules,
    tree: &mut Tree,
    head: &FrozenHead,
) -> Result<PathBuf, StorageError> {
    let (disk, dir) = (layout.disk.clone(), &layout.snapshots);
    let mut writer = SnapshotWriter::create(disk, dir, head.zxid, rules.compression)?;
    let mut bytes = Vec::new();
    loop {
        let state = tree.walk(WALK_BUDGET, &mut bytes);
        writer.write(&bytes)?;
        bytes.clear();
        if state == WalkState::Done {
            return writer.finish(&trailer(head, rules));
        }
    }
}

/// The sections of an exact snapshot.
pub(crate) fn trailer(head: &FrozenHead, rules: &Rules) -> Trailer {
    let zxid = head.zxid;
    let digest = SnapshotDigest { zxid, version: DIGEST_VERSION, tree: head.digest };
    Trailer {
        digest: rules.tree.digest.then_some(digest),
        last_processed: rules.last_processed.then_some(zxid),
    }
}

/// The usual case: a snapshot, and the records after it.
fn with_snapshot(
    layout: &Layout,
    rules: &Rules,
    loading: &Loading,
    files: &Files,
    report: &mut Report,
) -> Result<(Tree, Found), StorageError> {
    let (loaded, rejected) = snapshot_load::newest(layout, &files.snapshots, rules.tree, loading)?;
    for Rejected { file, reason } in &rejected {
        let path = layout.snapshot_path(file);
        report.warnings.push(format!("{} is passed over: {reason}", path.display()));
    }
    report.snapshot = Some((layout.snapshot_path(&loaded.file), loaded.file.zxid));
    let mut tree = loaded.tree;
    let found = replay(layout, rules, loading, files, &mut tree, loaded.digest, report)?;
    let last = tree.last_zxid();
    if let Some(Rejected { file, reason }) = rejected.into_iter().find(|r| r.file.zxid > last) {
        // A snapshot is begun after its last transaction is in the log.
        let file = layout.snapshot_path(&file);
        return Err(StorageError::SnapshotLost { file, reason, last });
    }
    Ok((tree, found))
}

/// A new database, or one of a release that wrote no first snapshot.
fn without_snapshot(
    layout: &Layout,
    rules: &Rules,
    loading: &Loading,
    files: &Files,
    may_begin: bool,
    report: &mut Report,
) -> Result<(Tree, Found), StorageError> {
    let mut tree = Tree::new(rules.tree);
    let found = replay(layout, rules, loading, files, &mut tree, None, report);
    loading.go_on()?;
    // Without trust, logs that hold anything are a reason to refuse, whatever is in them.
    let has_records = match &found {
        Ok(_) => report.records > 0,
        Err(_) => true,
    };
    if has_records && !rules.trust_empty {
        return Err(StorageError::NoSnapshot { dir: layout.snapshots.clone() });
    }
    let found = found?;
    if !has_records && !may_begin {
        return Err(StorageError::NotInitialized(layout.log_root.clone()));
    }
    Ok((tree, found))
}

fn replay(
    layout: &Layout,
    rules: &Rules,
    loading: &Loading,
    files: &Files,
    tree: &mut Tree,
    digest: Option<SnapshotDigest>,
    report: &mut Report,
) -> Result<Found, StorageError> {
    let settings = ReplaySettings { max_payload: rules.max_payload, digest: rules.tree.digest };
    let mut replay = Replay::new(tree, digest, &settings, loading);
    let tails = replay.run(layout, &files.logs);
    report.records = replay.records;
    report.mismatches = replay.mismatches;
    report.warnings.append(&mut replay.warnings);
    Ok(Found { completions: replay.completions, tails: tails? })
}

/// Refuses when a log that held later records is gone, which only its sidecar tells.
fn check_lost_logs(layout: &Layout, files: &Files, last: Zxid) -> Result<(), StorageError> {
    let is_log = |zxid: Zxid| files.logs.iter().any(|log| log.zxid == zxid);
    for &zxid in files.sums.iter().filter(|&&zxid| zxid > last && !is_log(zxid)) {
        let sums = layout.sums_path(zxid);
        let bytes = layout.disk.read(&sums).unwrap_or_default();
        let held = Sidecar::new(&bytes, zxid).ok().and_then(|sums| sums.entries().last());
        if let Some(held) = held.map(|entry| entry.zxid) {
            return Err(StorageError::LogLost { file: layout.log_path(zxid), sums, held, last });
        }
    }
    Ok(())
}

/// Makes a log end with a whole record, so that Apache can read on from there, and gives back the space that
/// was reserved. A log without records goes.
///
/// What the log of a process that was killed holds may be in the page cache only. It is state from now on, and
/// clients will see it, so it is made durable first.
fn clean_end(layout: &Layout, tail: &Tail) -> Result<(), StorageError> {
    let path = layout.log_path(tail.file.zxid);
    if tail.end <= HEADER {
        return layout.remove_log(tail.file.zxid);
    }
    let mut file = layout.disk.open(&path).map_err(StorageError::io("open", &path))?;
    if tail.file.len > tail.end {
        match file.set_len(tail.end) {
            Err(e) if tail.torn => return Err(StorageError::io("shorten", &path)(e)),
            // Padding is as good as an end.
            _ => {}
        }
    }
    file.sync_data().map_err(StorageError::io("sync", &path))
}

/// Adds to the sidecars what they do not know. A power failure takes the entries that were not synced, and whatever a
/// log holds now is state: from here on it is damage if it cannot be read.
///
/// What goes wrong is only said: the records themselves are durable.
fn complete_sums(layout: &Layout, completions: &[Completion], report: &mut Report) {
    let newest = completions.len().saturating_sub(1);
    for (n, completion) in completions.iter().enumerate() {
        let newest = n == newest;
        if completion.is_needed(newest)
            && let Err(error) = completion.write(layout, newest)
        {
            report.warnings.push(format!(
                "{error}; later damage to the last records of its log may pass for an interrupted write"
            ));
        }
    }
}

/// Makes the names of what was read durable.
pub(super) fn sync_dirs(layout: &Layout) -> Result<(), StorageError> {
    let sync = |dir| layout.disk.sync_dir(dir).map_err(StorageError::io("sync", dir));
    sync(&layout.logs)?;
    if layout.snapshots == layout.logs { Ok(()) } else { sync(&layout.snapshots) }
}

/// A standalone server does not need these files: what is wrong with them is only said.
fn read_epochs(layout: &Layout, report: &mut Report) {
    match Epochs::read(layout, report.last) {
        Ok(epochs) => {
            report.epochs = epochs;
            report.warnings.extend(epochs.conflict(report.last));
        }
        Err(e) => report.warnings.push(e.to_string()),
    }
}

/// The marker that permits a new database.
const INITIALIZE: &str = "initialize";
/// Nodes per step of a walk that nothing waits for.
const WALK_BUDGET: usize = 2000;
/// Bytes of a log file's header.
#[expect(clippy::as_conversions, reason = "a constant that fits")]
const HEADER: u64 = HEADER_LEN as u64;
