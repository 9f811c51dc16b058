//! Writes the sidecar of a log: one checksum per synced record.
//!
//! An entry is written after the record's sync, so that it proves that the record was there
//! ([`quorate_wire::disk::sidecar`]). The file is a help for a later start and never an obstacle to writing: whatever
//! goes wrong here ends the sidecar, with a line in the log, and nothing else.

use super::disk::{Disk, DiskFile};
use quorate_engine::segment::Segment;
use quorate_wire::Zxid;
use quorate_wire::disk::log::RawRecord;
use quorate_wire::disk::names::FileName;
use quorate_wire::disk::sidecar::{SumEntry, file_header};
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
