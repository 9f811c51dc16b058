//! Takes back the end of a history, or replaces all of it, as a leader orders a server that joins it.
//!
//! A history is cut exactly where it should be, or not at all: first the tree is built as it will be, from a snapshot that holds nothing later
//! and the records up to there, and only then something is changed. A crash leaves more than was to be kept, and
//! never less: later logs go before earlier ones, and all logs before snapshots. Apache's servers look at the log alone, so
//! that a snapshot brings back what was cut (ZOOKEEPER-1549).

use super::disk::DiskFile;
use super::error::StorageError;
use super::layout::{Files, Layout, LogFile, SnapshotFile};
use super::loading::Loading;
use super::recovery::{self, Rules};
use super::replay;
use super::snapshot_load;
use quorate_engine::tree::Tree;
use quorate_engine::zab::{Entry, History};
use quorate_wire::disk::log::{LogScan, RawRecord};
use quorate_wire::disk::sidecar::Sidecar;
use quorate_wire::jute::{Jute, Reader};
use quorate_wire::txn::{TxnHeader, TxnRecord};
use quorate_wire::{DecodeError, Zxid};
use std::io;
use std::path::PathBuf;

/// What a history is up to some point, and what has to go for it.
struct UpTo {
    tree: Tree,
    /// The log in which later records begin, and where.
    end: Option<(LogFile, u64)>,
    /// Snapshots that hold something later.
    later: Vec<SnapshotFile>,
}

/// Cuts the history after `at`. `None`, and nothing is changed, if it does not hold exactly what comes before.
pub(crate) fn cut(layout: &Layout, rules: &Rules, at: Zxid) -> Result<Option<Tree>, StorageError> {
    let files = layout.list()?;
    let Some(UpTo { tree, end, later }) = up_to(layout, rules, &files, at)? else {
        return Ok(None);
    };
    let end = end.filter(|(log, _)| log.zxid <= at);
    // What cannot be opened, for want of room for one more open file, say, is to be known before anything has changed.
    let end = end.map(|(log, offset)| Shorter::open(layout, log, offset)).transpose()?;
    for log in files.logs.iter().rev().filter(|log| log.zxid > at) {
        layout.remove_log(log.zxid)?;
        sync(layout)?;
    }
    if let Some(end) = end {
        end.shorten(layout)?;
    }
    for snapshot in &later {
        layout.remove(&layout.snapshot_path(snapshot))?;
    }
    sync(layout)?;
    Ok(Some(tree))
}

/// Makes this tree the whole history: its snapshot first, which counts from then on, and then away with what it replaces.
pub(crate) fn replace(layout: &Layout, rules: &Rules, tree: &mut Tree) -> Result<(), StorageError> {
    let files = layout.list()?;
    recovery::write_snapshot(layout, rules, tree)?;
    let zxid = tree.last_zxid();
    for log in files.logs.iter().rev() {
        layout.remove_log(log.zxid)?;
    }
    for snapshot in files.snapshots.iter().filter(|snapshot| snapshot.zxid < zxid) {
        layout.remove(&layout.snapshot_path(snapshot))?;
    }
    sync(layout)
}

/// The end of the history up to `last`, in memory: about so many bytes of transactions.
pub(crate) fn recent(
    layout: &Layout,
    rules: &Rules,
    last: Zxid,
    limit: usize,
) -> Result<History, StorageError> {
    let files = layout.list()?;
    let mut room = u64::try_from(limit).unwrap_or(u64::MAX);
    let wanted = files.logs.iter().rev().take_while(|log| {
        let wanted = room > 0;
        room = room.saturating_sub(log.len);
        wanted
    });
    let first = files.logs.len().saturating_sub(wanted.count());
    let mut history = Recent { history: None, snapshots: &files.snapshots };
    for log in files.logs.get(first..).unwrap_or_default() {
        let path = layout.log_path(log.zxid);
        let bytes = layout.disk.read(&path).map_err(StorageError::io("read", &path))?;
        for record in LogScan::new(&bytes, rules.max_payload) {
            match zxid_of(&record) {
                Ok(zxid) if zxid <= last => history.add(zxid, record.payload),
                _ => break,
            }
        }
    }
    let found = history.history.filter(|history| history.last() == last);
    let mut history = found.unwrap_or_else(|| History::after(last));
    history.shrink(limit, last);
    Ok(history)
}

/// A history that is read from logs, in order.
struct Recent<'a> {
    history: Option<History>,
    snapshots: &'a [SnapshotFile],
}

impl Recent<'_> {
    /// Adds a record. Where it does not follow, or a snapshot between may have replaced what is missing, the history begins anew.
    fn add(&mut self, zxid: Zxid, payload: &[u8]) {
        let last = self.history.as_ref().map(History::last);
        if last.is_some_and(|last| zxid <= last) {
            return;
        }
        let begins = zxid.counter() == 1;
        let mut before = self.snapshots.iter().map(|snapshot| snapshot.zxid);
        // Newest first.
        let replaced =
            before.find(|&snapshot| snapshot < zxid && (begins || snapshot.next() == zxid));
        let follows = last.is_some_and(|last| last.next() == zxid || (begins && last < zxid));
        let anew = !follows || replaced.is_some_and(|snapshot| Some(snapshot) > last);
        if anew {
            self.history = Some(History::after(replaced.unwrap_or(zxid)));
        }
        if let Some(history) = &mut self.history
            && history.last() < zxid
        {
            history.push(Entry::from_payload(zxid, payload));
        }
    }
}

/// Builds the tree as it was at `at`, or where an epoch began, if that is what `at` is.
fn up_to(
    layout: &Layout,
    rules: &Rules,
    files: &Files,
    at: Zxid,
) -> Result<Option<UpTo>, StorageError> {
    let loading = Loading::default();
    let (mut later, mut found) = (Vec::new(), None);
    for &file in &files.snapshots {
        if found.is_some() {
            break;
        }
        if file.zxid > at {
            later.push(file);
            continue;
        }
        match snapshot_load::newest(layout, &[file], rules.tree, &loading) {
            // One that Apache took while it went on holds something of what came after.
            Ok((loaded, _)) if loaded.digest.is_some_and(|digest| digest.zxid > at) => {
                later.push(file);
            }
            Ok((loaded, _)) => found = Some(loaded.tree),
            Err(StorageError::NoValidSnapshot { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let Some(mut tree) = found else { return Ok(None) };
    let Some(end) = apply_up_to(layout, rules, &files.logs, &mut tree, at)? else {
        return Ok(None);
    };
    let last = tree.last_zxid();
    let there = last == at || (at.counter() == 0 && last < at);
    Ok(there.then_some(UpTo { tree, end, later }))
}

/// Applies the records up to `at`. Returns where later ones begin, if there are any; nothing if a record is missing or unreadable.
fn apply_up_to(
    layout: &Layout,
    rules: &Rules,
    logs: &[LogFile],
    tree: &mut Tree,
    at: Zxid,
) -> Result<Option<Option<(LogFile, u64)>>, StorageError> {
    for &log in replay::needed(logs, tree.last_zxid()) {
        let path = layout.log_path(log.zxid);
        let bytes = layout.disk.read(&path).map_err(StorageError::io("read", &path))?;
        for record in LogScan::new(&bytes, rules.max_payload) {
            let last = tree.last_zxid();
            match zxid_of(&record) {
                Ok(zxid) if zxid > at => return Ok(Some(Some((log, record.offset)))),
                Ok(zxid) if zxid <= last => continue,
                Ok(zxid) if zxid == last.next() => {}
                Ok(zxid) if zxid.epoch() > last.epoch() && zxid.counter() == 1 => {}
                _ => return Ok(None),
            }
            match TxnRecord::from_bytes(record.payload) {
                Ok(txn) => drop(tree.apply(&txn, &mut ())),
                Err(_) => return Ok(None),
            }
        }
    }
    Ok(Some(None))
}

fn zxid_of(record: &RawRecord<'_>) -> Result<Zxid, DecodeError> {
    Reader::new(record.payload).get::<TxnHeader>().map(|header| header.zxid)
}

/// A log that is to be cut at the end of a record, with its sidecar.
struct Shorter {
    log: Open,
    sums: Option<Open>,
    /// One that is no use.
    bad_sums: Option<PathBuf>,
}

/// A file and its length to be.
struct Open {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    len: u64,
}

impl Shorter {
    fn open(layout: &Layout, log: LogFile, offset: u64) -> Result<Self, StorageError> {
        let sums = layout.sums_path(log.zxid);
        let (mut kept, mut bad_sums) = (None, None);
        match layout.disk.read(&sums) {
            Ok(bytes) => match Sidecar::new(&bytes, log.zxid) {
                Ok(sidecar) => kept = Some(Open::new(layout, sums, sidecar.len_before(offset))?),
                Err(_) => bad_sums = Some(sums),
            },
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(StorageError::io("read", &sums)(e)),
        }
        let log = Open::new(layout, layout.log_path(log.zxid), offset)?;
        Ok(Self { log, sums: kept, bad_sums })
    }

    /// What the sidecar says of later records goes first, for it would call them lost.
    fn shorten(self, layout: &Layout) -> Result<(), StorageError> {
        if let Some(sums) = self.sums {
            sums.shorten()?;
        }
        if let Some(sums) = self.bad_sums {
            layout.remove(&sums)?;
        }
        self.log.shorten()?;
        sync(layout)
    }
}

impl Open {
    fn new(layout: &Layout, path: PathBuf, len: u64) -> Result<Self, StorageError> {
        let file = layout.disk.open(&path).map_err(StorageError::io("open", &path))?;
        Ok(Self { file, path, len })
    }

    fn shorten(mut self) -> Result<(), StorageError> {
        self.file.set_len(self.len).map_err(StorageError::io("shorten", &self.path))?;
        self.file.sync_data().map_err(StorageError::io("sync", &self.path))
    }
}

fn sync(layout: &Layout) -> Result<(), StorageError> {
    recovery::sync_dirs(layout)
}
