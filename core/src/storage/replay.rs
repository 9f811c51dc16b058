//! Applies the records of the log files to the tree, and judges whether they are all there.
//!
//! Apache checks none of this when it starts: a hole in the history goes unnoticed. Here every record must follow
//! its predecessor, or begin an epoch; what is already applied is skipped; a file that ends badly is
//! accepted only if it is the last one and an interrupted write explains it.

use super::error::StorageError;
use super::layout::{Layout, LogFile};
use super::log_writer::GROUP_LIMIT;
use quorate_engine::tree::Tree;
use quorate_wire::disk::log::{Fault, LogEnd, LogScan, RECORD_OVERHEAD, RawRecord};
use quorate_wire::disk::sidecar::{Sidecar, SumEntry};
use quorate_wire::disk::snapshot::SnapshotDigest;
use quorate_wire::jute::{Jute, Reader};
use quorate_wire::txn::{DIGEST_VERSION, TxnDigest, TxnHeader, TxnRecord};
use quorate_wire::{DecodeError, Zxid};
use std::iter::Peekable;
use std::path::{Path, PathBuf};

/// A replay under way.
pub(crate) struct Replay<'t> {
    tree: &'t mut Tree,
    /// The last transaction in the tree.
    last: Zxid,
    /// What the snapshot says of the digest after some transaction, when that has not come yet.
    awaited: Option<SnapshotDigest>,
    /// The end of the file before, if it was not clean.
    torn: Option<Torn>,
    pub(crate) records: u64,
    pub(crate) mismatches: Vec<Mismatch>,
    pub(crate) warnings: Vec<String>,
    settings: ReplaySettings,
}

/// What a replay needs to know beforehand.
#[derive(Clone, Copy)]
pub(crate) struct ReplaySettings {
    /// The longest payload of a record that is not taken for damage, bytes.
    pub(crate) max_payload: usize,
    /// Whether the tree keeps a digest to compare.
    pub(crate) digest: bool,
}

/// A digest that is not the tree's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// After which transaction.
    pub zxid: Zxid,
    /// What was written.
    pub expected: u64,
    /// What the tree has.
    pub found: u64,
}

/// How a log file ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tail {
    pub(crate) file: LogFile,
    /// End of its last good record.
    pub(crate) end: u64,
    /// Whether what follows is more than padding, and must go.
    pub(crate) torn: bool,
}

struct Torn {
    path: PathBuf,
    offset: u64,
    last: Zxid,
    why: String,
}

impl<'t> Replay<'t> {
    /// Onto a tree that was loaded from a snapshot with this digest section.
    pub(crate) fn new(
        tree: &'t mut Tree,
        digest: Option<SnapshotDigest>,
        settings: &ReplaySettings,
    ) -> Self {
        let last = tree.last_zxid();
        let mut this = Self {
            tree,
            last,
            awaited: digest.filter(|digest| digest.version == DIGEST_VERSION),
            settings: *settings,
            torn: None,
            records: 0,
            mismatches: Vec::new(),
            warnings: Vec::new(),
        };
        this.check_awaited();
        this
    }

    /// Goes through the files that may hold later records, of `logs` (oldest first). Returns how those end that are to
    /// be shortened: torn ones, and the last one in any case.
    pub(crate) fn run(
        &mut self,
        layout: &Layout,
        logs: &[LogFile],
    ) -> Result<Vec<Tail>, StorageError> {
        let mut tails = Vec::new();
        let needed = needed(logs, self.last);
        for (n, log) in needed.iter().enumerate() {
            let newest = n + 1 == needed.len();
            let tail = self.file(layout, log, newest)?;
            if tail.torn || newest {
                tails.push(tail);
            }
        }
        Ok(tails)
    }

    fn file(&mut self, layout: &Layout, log: &LogFile, newest: bool) -> Result<Tail, StorageError> {
        let path = layout.log_path(log.zxid);
        let bytes = layout.disk.read(&path).map_err(StorageError::io("read", &path))?;
        let sums_path = layout.sums_path(log.zxid);
        let sums_bytes = layout.disk.read(&sums_path).unwrap_or_default();
        let sums = self.sidecar(&sums_path, &sums_bytes, log.zxid);
        let mut entries = sums.iter().flat_map(Sidecar::entries).peekable();
        let mut scan = LogScan::new(&bytes, self.settings.max_payload);
        let mut previous = self.last;
        for record in scan.by_ref() {
            previous = self.record(&path, &record, &mut entries, previous)?;
        }
        let mut end = scan.finish();
        if let Some(sums) = &sums {
            // The exception for files that end with a record is not for the newest one: nothing follows it that would
            // show whether something is missing.
            end = sums.judge(end, if newest { u64::MAX } else { log.len });
        }
        self.end(&path, log, &bytes, sums.as_ref(), end, newest, previous)
    }

    /// The sidecar in `bytes`, if there is one and it can be used.
    fn sidecar<'s>(&mut self, path: &Path, bytes: &'s [u8], log: Zxid) -> Option<Sidecar<'s>> {
        if bytes.is_empty() {
            return None;
        }
        match Sidecar::new(bytes, log) {
            Ok(sums) => Some(sums),
            Err(e) => {
                self.warnings.push(format!("{} is ignored: {e}", path.display()));
                None
            }
        }
    }

    /// Takes the next intact record of a file. `previous` is the one before it, for messages. Returns its zxid.
    fn record(
        &mut self,
        path: &Path,
        record: &RawRecord<'_>,
        entries: &mut Peekable<impl Iterator<Item = SumEntry>>,
        previous: Zxid,
    ) -> Result<Zxid, StorageError> {
        let mut reader = Reader::new(record.payload);
        let header: TxnHeader =
            reader.get().map_err(|e| unreadable(path, record, Zxid::ZERO, &e))?;
        let zxid = header.zxid;
        while entries.peek().is_some_and(|entry| entry.offset < record.offset) {
            entries.next();
        }
        let entry = entries.next_if(|entry| entry.offset == record.offset);
        if entry.is_some_and(|entry| !entry.matches(record.payload)) {
            return Err(StorageError::Damaged {
                file: path.to_owned(),
                offset: record.offset,
                last: previous,
                reason: Fault::Sidecar.to_string(),
            });
        }
        // Some releases wrote a record twice after a change of role (ZOOKEEPER-4712).
        if zxid <= self.last {
            return Ok(zxid);
        }
        self.check_continuity(path, record.offset, zxid)?;
        let txn = TxnRecord::read(&mut Reader::new(record.payload))
            .map_err(|e| unreadable(path, record, zxid, &e))?;
        self.tree.apply(&txn, &mut ());
        self.last = zxid;
        self.records += 1;
        self.check_digest(zxid, txn.digest);
        Ok(zxid)
    }

    /// Whether `zxid` may follow: the next of its epoch, or the first of a later one.
    fn check_continuity(
        &mut self,
        path: &Path,
        offset: u64,
        zxid: Zxid,
    ) -> Result<(), StorageError> {
        if zxid == self.last.next() {
            self.torn = None;
            return Ok(());
        }
        if let Some(torn) = self.torn.take() {
            return Err(torn.into());
        }
        let begins = zxid.epoch() > self.last.epoch() && zxid.counter() == 1;
        if begins {
            return Ok(());
        }
        let expected = if zxid.epoch() > self.last.epoch() {
            Zxid((zxid.epoch() << 32) | 1)
        } else {
            self.last.next()
        };
        let file = path.to_owned();
        Err(StorageError::Gap { file, offset, last: self.last, expected, found: zxid })
    }

    /// Compares the tree's digest with the one that the writer of a record had. Up to the zxid of the snapshot's own
    /// digest the tree may be ahead of the records, so there is nothing to compare.
    fn check_digest(&mut self, zxid: Zxid, digest: Option<TxnDigest>) {
        if self.awaited.is_some() {
            return self.check_awaited();
        }
        if let Some(digest) = digest.filter(|digest| digest.version == DIGEST_VERSION) {
            self.compare(zxid, digest.tree);
        }
    }

    fn check_awaited(&mut self) {
        if let Some(digest) = self.awaited.take_if(|digest| digest.zxid <= self.last)
            && digest.zxid == self.last
        {
            self.compare(digest.zxid, digest.tree);
        }
    }

    fn compare(&mut self, zxid: Zxid, expected: u64) {
        let found = self.tree.digest();
        if self.settings.digest && found != expected {
            if self.mismatches.is_empty() {
                self.warnings.push(format!(
                    "the digest of the tree after {zxid} is {found:#x}, but {expected:#x} was written: this \
                     server and the one that wrote the log disagree about an earlier transaction"
                ));
            }
            self.mismatches.push(Mismatch { zxid, expected, found });
        }
    }

    /// Judges the end of a file.
    #[expect(clippy::too_many_arguments, reason = "all of them are facts about one file")]
    fn end(
        &mut self,
        path: &Path,
        log: &LogFile,
        bytes: &[u8],
        sums: Option<&Sidecar<'_>>,
        end: LogEnd,
        newest: bool,
        last: Zxid,
    ) -> Result<Tail, StorageError> {
        let offset = end.offset();
        let torn = Tail { file: *log, end: offset, torn: true };
        let (LogEnd::TornTail { why, .. } | LogEnd::Damage { why, .. }) = end else {
            return Ok(Tail { torn: false, ..torn });
        };
        let known = Torn { path: path.to_owned(), offset, last, why: why.to_string() };
        let damaged = matches!(end, LogEnd::Damage { .. });
        if damaged && !(newest && is_lost_write(bytes, offset, sums)) {
            return Err(known.into());
        }
        if newest {
            self.warnings.push(format!(
                "{} ended with a record that was not written completely ({why}); it is cut at \
                 offset {offset}, after {last}",
                path.display()
            ));
        } else {
            // Nothing is missing if the next file goes on where this one should have.
            self.torn = Some(known);
        }
        Ok(torn)
    }
}

impl From<Torn> for StorageError {
    fn from(torn: Torn) -> Self {
        let Torn { path: file, offset, last, why: reason } = torn;
        Self::Damaged { file, offset, last, reason }
    }
}

/// The files that may hold records after `last`: from the newest one that begins at or before it.
fn needed(logs: &[LogFile], last: Zxid) -> &[LogFile] {
    let from = logs.iter().rposition(|log| log.zxid <= last.next()).unwrap_or(0);
    logs.get(from..).unwrap_or_default()
}

/// Whether bad bytes with good records behind them may be the trace of the last write before a power failure. A
/// device writes the sectors of one write in any order; those that it did not get to still hold the
/// zeros of the preallocation. That explains the bad record if a whole sector of it is blank, if no more follows
/// than one write can be, and if the sidecar does not say that something there was synced.
fn is_lost_write(bytes: &[u8], offset: u64, sums: Option<&Sidecar<'_>>) -> bool {
    let synced = sums.is_some_and(|sums| sums.entries().any(|entry| entry.end() > offset));
    let Ok(start) = usize::try_from(offset) else { return false };
    let tail = bytes.get(start..).unwrap_or_default();
    if synced || tail.len() > GROUP_LIMIT {
        return false;
    }
    // The sector in which the record begins may hold the end of its predecessor, so it is judged from there on.
    let first = tail.len().min(SECTOR - start % SECTOR);
    let (head, rest) = tail.split_at_checked(first).unwrap_or_default();
    is_blank(head) || rest.chunks(SECTOR).take(sectors_beyond(tail, first)).any(is_blank)
}

/// How many sectors the bad record at the beginning of `tail` reaches beyond its first `first` bytes, if its length is
/// right.
fn sectors_beyond(tail: &[u8], first: usize) -> usize {
    let mut r = Reader::new(tail);
    let length = r.get::<i64>().and_then(|_| r.get::<i32>()).unwrap_or(0);
    let whole = RECORD_OVERHEAD.saturating_add(usize::try_from(length).unwrap_or(0));
    whole.saturating_sub(first).div_ceil(SECTOR)
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

fn unreadable(
    path: &Path,
    record: &RawRecord<'_>,
    zxid: Zxid,
    error: &DecodeError,
) -> StorageError {
    let (file, offset, reason) = (path.to_owned(), record.offset, error.to_string());
    StorageError::Unreadable { file, offset, zxid, reason }
}

/// What a device writes as a whole, at least.
const SECTOR: usize = 512;
