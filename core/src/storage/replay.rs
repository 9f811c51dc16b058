//! Applies the records of the log files to the tree, and judges whether they are all there.
//!
//! Apache checks none of this when it starts: a hole in the history goes unnoticed. Here every record must follow
//! its predecessor, or begin an epoch; what is already applied is skipped; a file that ends badly is
//! accepted only if it is the last one and an interrupted write explains it.

use super::error::StorageError;
use super::layout::{Layout, LogFile};
use super::loading::{self, Loading};
use super::log_writer::GROUP_LIMIT;
use super::read_ahead::{self, Read};
use super::sums::Completion;
use quorate_engine::tree::Tree;
use quorate_wire::disk::log::{Fault, LogEnd, LogScan, RawRecord};
use quorate_wire::disk::sidecar::{Sidecar, SumEntry};
use quorate_wire::disk::snapshot::SnapshotDigest;
use quorate_wire::jute::Jute;
use quorate_wire::txn::{DIGEST_VERSION, TxnDigest, TxnRecord};
use quorate_wire::{DecodeError, Zxid};
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
    /// Whether the last digest that could be compared was the tree's.
    agreed: bool,
    /// The beginning of an epoch, until a digest shows that nothing is missing before it.
    jump: Option<Jump>,
    pub(crate) records: u64,
    pub(crate) mismatches: u64,
    pub(crate) warnings: Vec<String>,
    /// What the sidecars lack of the records that were read, by log, oldest first.
    pub(crate) completions: Vec<Completion>,
    settings: ReplaySettings,
    loading: &'t Loading,
}

/// What a replay needs to know beforehand.
#[derive(Clone, Copy)]
pub(crate) struct ReplaySettings {
    /// The longest payload of a record that is not taken for damage, bytes.
    pub(crate) max_payload: usize,
    /// Whether the tree keeps a digest to compare.
    pub(crate) digest: bool,
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

/// A record that begins an epoch, at a time when the digests agreed.
struct Jump {
    path: PathBuf,
    offset: u64,
    last: Zxid,
    found: Zxid,
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
        loading: &'t Loading,
    ) -> Self {
        let last = tree.last_zxid();
        let mut this = Self {
            tree,
            last,
            awaited: digest.filter(|digest| digest.version == DIGEST_VERSION),
            settings: *settings,
            loading,
            torn: None,
            agreed: last == Zxid::ZERO,
            jump: None,
            records: 0,
            mismatches: 0,
            warnings: Vec::new(),
            completions: Vec::new(),
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
        let needed = match needed(logs, self.last) {
            [only] if is_covered(layout, only, self.last) => return Ok(tails),
            needed => needed,
        };
        for (n, log) in needed.iter().enumerate() {
            let newest = n + 1 == needed.len();
            let tail = self.file(layout, log, newest)?;
            if tail.torn || newest {
                tails.push(tail);
            }
        }
        if let Some(Torn { path, offset, last, why }) = self.torn.take() {
            // No later file has a record, so this is the last one after all.
            self.warnings.push(cut(&path, offset, last, &why));
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
        let present = if sums.is_some() { sums_bytes.as_slice() } else { &[] };
        let mut completion = Completion::new(log.zxid, present);
        let mut scan = LogScan::new(&bytes, self.settings.max_payload);
        self.loading.begin(bytes.len());
        let mut previous = self.last;
        read_ahead::for_each(&path, &mut scan, self.last, |read| {
            let offset = read.raw.offset;
            self.loading.reach(offset)?;
            while entries.next_if(|entry| entry.offset < offset).is_some() {}
            let entry = entries.next_if(|entry| entry.offset == offset);
            let found;
            (previous, found) = self.record(&path, read, entry, previous)?;
            completion.add(&found, present);
            Ok(())
        })?;
        self.loading.reach(loading::bytes(bytes.len()))?;
        let mut end = scan.finish();
        if let Some(sums) = &sums {
            // The exception for files that end with a record is not for the newest one: nothing follows it that would
            // show whether something is missing.
            end = sums.judge(end, if newest { u64::MAX } else { log.len });
        }
        let tail = self.end(&path, log, &bytes, sums.as_ref(), end, newest, previous)?;
        self.completions.push(completion);
        Ok(tail)
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

    /// Takes the next intact record of a file and what the sidecar says of it. `previous` is the one before it, for
    /// messages. Returns its zxid, and what the sidecar should say.
    fn record(
        &mut self,
        path: &Path,
        Read { raw, head, txn }: Read<'_>,
        entry: Option<SumEntry>,
        previous: Zxid,
    ) -> Result<(Zxid, SumEntry), StorageError> {
        let (zxid, found) = head.map_err(|e| unreadable(path, &raw, Zxid::ZERO, &e))?;
        if entry.is_some_and(|entry| (entry.length, entry.crc) != (found.length, found.crc)) {
            return Err(StorageError::Damaged {
                file: path.to_owned(),
                offset: raw.offset,
                last: previous,
                reason: Fault::Sidecar.to_string(),
            });
        }
        // Some releases wrote a record twice after a change of role (ZOOKEEPER-4712).
        if zxid <= self.last {
            return Ok((zxid, found));
        }
        self.check_continuity(path, raw.offset, zxid)?;
        let txn = txn.unwrap_or_else(|| TxnRecord::from_bytes(raw.payload));
        let txn = txn.map_err(|e| unreadable(path, &raw, zxid, &e))?;
        self.tree.apply(&txn, &mut ());
        self.last = zxid;
        self.records += 1;
        self.check_digest(zxid, txn.digest)?;
        Ok((zxid, found))
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
        let (path, last) = (path.to_owned(), self.last);
        if zxid.epoch() == last.epoch() {
            let (file, expected) = (path, last.next());
            return Err(StorageError::Gap { file, offset, last, expected, found: zxid });
        }
        let jump = Jump { path, offset, last, found: zxid };
        if zxid.counter() != 1 {
            return Err(jump.into());
        }
        self.jump = self.agreed.then_some(jump);
        Ok(())
    }

    /// Compares the tree's digest with the one that the writer of a record had. Up to the zxid of the snapshot's own
    /// digest the tree may be ahead of the records, so there is nothing to compare.
    ///
    /// The end of an epoch cannot be seen in a log. If the digests agreed before a new epoch and do not after its first
    /// change, then the end of the one before is missing.
    fn check_digest(&mut self, zxid: Zxid, digest: Option<TxnDigest>) -> Result<(), StorageError> {
        if self.awaited.is_some() {
            self.check_awaited();
        } else if let Some(digest) = digest.filter(|digest| digest.version == DIGEST_VERSION) {
            self.compare(zxid, digest.tree);
            if let Some(jump) = self.jump.take_if(|_| self.settings.digest)
                && !self.agreed
            {
                return Err(jump.into());
            }
        }
        Ok(())
    }

    fn check_awaited(&mut self) {
        if let Some(digest) = self.awaited.take_if(|digest| digest.zxid <= self.last)
            && digest.zxid == self.last
        {
            self.compare(digest.zxid, digest.tree);
        }
    }

    fn compare(&mut self, zxid: Zxid, expected: u64) {
        if !self.settings.digest {
            return;
        }
        let found = self.tree.digest();
        self.agreed = found == expected;
        if !self.agreed {
            if self.mismatches == 0 {
                self.warnings.push(format!(
                    "the digest of the tree after {zxid} is {found:#x}, but {expected:#x} was written: this \
                     server and the one that wrote the log disagree about an earlier transaction"
                ));
            }
            self.mismatches += 1;
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
        if damaged && !(newest && is_lost_write(bytes, &end, sums)) {
            return Err(known.into());
        }
        if newest {
            self.warnings.push(cut(path, offset, last, &known.why));
        } else {
            // Nothing is missing if the next file goes on where this one should have.
            self.torn = Some(known);
        }
        Ok(torn)
    }
}

impl From<Jump> for StorageError {
    fn from(jump: Jump) -> Self {
        let Jump { path: file, offset, last, found } = jump;
        let first = Zxid((found.epoch() << 32) | 1);
        let expected = if found == first { last.next() } else { first };
        Self::Gap { file, offset, last, expected, found }
    }
}

impl From<Torn> for StorageError {
    fn from(torn: Torn) -> Self {
        let Torn { path: file, offset, last, why: reason } = torn;
        Self::Damaged { file, offset, last, reason }
    }
}

/// The files that may hold records after `last`: from the newest one that begins at or before it.
pub(super) fn needed(logs: &[LogFile], last: Zxid) -> &[LogFile] {
    let from = logs.iter().rposition(|log| log.zxid <= last.next()).unwrap_or(0);
    logs.get(from..).unwrap_or_default()
}

/// Whether a file holds nothing after `last`, which is seen without reading it when its sidecar is complete and it was
/// ended in order: its last byte is that of the last record in the sidecar. So it is after most snapshots.
fn is_covered(layout: &Layout, log: &LogFile, last: Zxid) -> bool {
    let sums = layout.disk.read(&layout.sums_path(log.zxid)).unwrap_or_default();
    let newest = Sidecar::new(&sums, log.zxid).ok().and_then(|sums| sums.newest());
    newest.is_some_and(|entry| entry.zxid <= last && entry.end() == log.len)
}

/// Whether bad bytes with good records behind them may be the trace of the last write before a power failure. A
/// device writes the sectors of one write in any order; those that it did not get to still hold the zeros of the
/// preallocation. That explains the bad record if a whole sector of it is blank, if no more follows
/// than one write can be, and if the sidecar does not say that something there was synced.
fn is_lost_write(bytes: &[u8], end: &LogEnd, sums: Option<&Sidecar<'_>>) -> bool {
    let offset = end.offset();
    let synced = sums.is_some_and(|sums| sums.entries().any(|entry| entry.end() > offset));
    let written = bytes.iter().rposition(|&byte| byte != 0).unwrap_or(0);
    let bad = match *end {
        // The first bytes of the good record are zeros, so a blank sector may end with them.
        LogEnd::Damage { next_valid: Some(next), .. } => {
            usize::try_from(next).map_or(written, |next| next.saturating_add(ZEROS_OF_A_RECORD))
        }
        _ => written,
    };
    let Ok(start) = usize::try_from(offset) else { return false };
    if synced || written.saturating_sub(start) > GROUP_LIMIT + LONGEST_RECORD {
        return false;
    }
    // The sector in which the record begins may hold the end of its predecessor, so it is judged from there on.
    let bad = bytes.get(start..bad).unwrap_or_default();
    let first = SECTOR - start % SECTOR;
    let Some((head, rest)) = bad.split_at_checked(first) else { return false };
    is_blank(head) || rest.chunks_exact(SECTOR).any(is_blank)
}

fn cut(path: &Path, offset: u64, last: Zxid, why: &str) -> String {
    format!(
        "{} ended with a record that was not written completely ({why}); it is cut at \
         offset {offset}, after {last}",
        path.display()
    )
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

/// Every record begins with these: the upper half of its checksum.
const ZEROS_OF_A_RECORD: usize = 4;
/// More than one transaction can be, bytes: a multi with as many ACL entries as are allowed.
const LONGEST_RECORD: usize = 20 << 20;
/// What a device writes as a whole, at least.
const SECTOR: usize = 512;
