//! Writes the sidecar of a log: one checksum per synced record.
//!
//! An entry is written after the record's sync, so that it proves that the record was there
//! ([`quorate_wire::disk::sidecar`]). [`Sums`] accompanies the log that is being written; what a power failure took of
//! its entries, a [`Completion`] adds when the log is read again. The file is a help for a later start and never an
//! obstacle to writing: whatever goes wrong here ends the sidecar, with a line in the log, and nothing else.

use super::disk::{Disk, DiskFile};
use super::error::StorageError;
use super::layout::Layout;
use quorate_engine::segment::Segment;
use quorate_wire::Zxid;
use quorate_wire::disk::log::RawRecord;
use quorate_wire::disk::names::FileName;
use quorate_wire::disk::sidecar::{ENTRY_LEN, HEADER_LEN, SumEntry, file_header};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The sidecar of the log that is being written.
pub(crate) struct Sums {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    log: Zxid,
    state: State,
    /// Segments whose records have no entry yet, and where they begin in the log.
    pending: Vec<(u64, Arc<Segment>)>,
    buffer: Vec<u8>,
}

/// What the sidecar of a log that was read has to become: an entry for each of its records.
///
/// Entries are compared while the records go by, and only from the first missing one on are they kept.
pub(crate) struct Completion {
    log: Zxid,
    /// Bytes of the file as it is; 0 if it is of no use.
    len: usize,
    /// How many of them are right.
    right: usize,
    /// What has to follow them.
    missing: Vec<u8>,
    /// Whether the log has a record.
    needed: bool,
}

enum State {
    /// Nothing was written yet.
    New,
    /// The file, and its end.
    Open(Box<dyn DiskFile>, u64),
    /// Something failed: no more entries.
    Ended,
}

impl Sums {
    /// The sidecar of the log of that name in `dir`. Makes no file before there is an entry.
    pub(crate) fn new(disk: &Arc<dyn Disk>, dir: &Path, log: Zxid) -> Self {
        let path = dir.join(FileName::Sums(log).to_string());
        let (pending, buffer) = (Vec::new(), Vec::new());
        Self { disk: Arc::clone(disk), path, log, state: State::New, pending, buffer }
    }

    /// Remembers segments that were appended to the log at `start`, one after the other.
    pub(crate) fn add(&mut self, start: u64, segments: &[Arc<Segment>]) {
        if matches!(self.state, State::Ended) {
            return;
        }
        let mut at = start;
        for segment in segments {
            self.pending.push((at, Arc::clone(segment)));
            at = at.saturating_add(to_u64(segment.bytes().len()));
        }
    }

    /// Writes the entries of everything that was added; all of it must have been synced.
    pub(crate) fn write(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        self.buffer.clear();
        for (start, segment) in self.pending.drain(..) {
            entries(start, &segment, &mut self.buffer);
        }
        if let Err(error) = self.put() {
            tracing::warn!("no more checksums are written to {}: {error}", self.path.display());
            self.state = State::Ended;
        }
        if self.buffer.capacity() > KEEP {
            self.buffer = Vec::new();
        }
    }

    /// Makes the file durable; the log it belongs to is complete.
    pub(crate) fn finish(&mut self) {
        if let State::Open(file, _) = &mut self.state
            && let Err(error) = file.sync_data()
        {
            tracing::warn!("cannot sync {}: {error}", self.path.display());
        }
    }

    fn put(&mut self) -> io::Result<()> {
        if let State::New = self.state {
            let mut file = self.disk.create(&self.path)?;
            let header = file_header(self.log);
            file.write_at(&header, 0)?;
            self.state = State::Open(file, to_u64(header.len()));
        }
        if let State::Open(file, end) = &mut self.state {
            file.write_at(&self.buffer, *end)?;
            *end = end.saturating_add(to_u64(self.buffer.len()));
        }
        Ok(())
    }
}

impl Completion {
    /// For the log of that name, whose sidecar is `present`; that is empty if it cannot be used.
    pub(crate) fn new(log: Zxid, present: &[u8]) -> Self {
        let (right, missing) =
            if present.is_empty() { (0, file_header(log)) } else { (HEADER_LEN, Vec::new()) };
        Self { log, len: present.len(), right, missing, needed: false }
    }

    /// Takes the entry of the next record.
    pub(crate) fn add(&mut self, entry: &SumEntry, present: &[u8]) {
        let at = self.missing.len();
        entry.write(&mut self.missing);
        let end = self.right.saturating_add(ENTRY_LEN);
        if at == 0 && present.get(self.right..end) == Some(&self.missing) {
            self.missing.clear();
            self.right = end;
        }
        self.needed = true;
    }

    /// Whether the file may not be what it should be: something is missing, or it was not synced, which may be so
    /// of the `newest` only.
    pub(crate) fn is_needed(&self, newest: bool) -> bool {
        self.needed && (newest || self.differs())
    }

    /// Writes what is missing and makes it durable, after the records of the log, which are that already in the case of the
    /// `newest`. Entries that are there are not touched.
    pub(crate) fn write(&self, layout: &Layout, newest: bool) -> Result<(), StorageError> {
        if !newest {
            let log = layout.log_path(self.log);
            let mut file = layout.disk.open(&log).map_err(StorageError::io("open", &log))?;
            file.sync_data().map_err(StorageError::io("sync", &log))?;
        }
        let path = layout.sums_path(self.log);
        self.write_to(layout, &path).map_err(StorageError::io("complete", &path))
    }

    fn write_to(&self, layout: &Layout, path: &Path) -> io::Result<()> {
        let mut file = match layout.disk.open(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => layout.disk.create(path)?,
            opened => opened?,
        };
        if self.differs() {
            file.write_at(&self.missing, to_u64(self.right))?;
            file.set_len(to_u64(self.right.saturating_add(self.missing.len())))?;
        }
        file.sync_data()?;
        layout.disk.sync_dir(&layout.logs)
    }

    fn differs(&self) -> bool {
        !self.missing.is_empty() || self.len != self.right
    }
}

/// Appends the entries of the segment that begins at `start` of the log.
fn entries(start: u64, segment: &Segment, out: &mut Vec<u8>) {
    let mut offset = start;
    for (n, record) in segment.records().iter().enumerate() {
        let raw = RawRecord { offset, payload: segment.payload(n).unwrap_or_default() };
        SumEntry::of(&raw, record.zxid).write(out);
        offset = raw.end();
    }
}

fn to_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// The most memory to keep for gathering entries, bytes.
const KEEP: usize = 256 << 10;
