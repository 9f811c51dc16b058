//! Group commit without a thread: takes queued segments, writes them in groups, syncs once per group and
//! reports how far the log is.
//!
//! [`LogThread`](super::LogThread) runs it on a thread of its own, the simulator from its single one. What happens
//! when the device is full is told there.

use super::error::{AppendError, LogFailure};
use super::log_thread::{GroupCommit, LogReport};
use super::log_writer::{GROUP_LIMIT, LogWriter};
use quorate_engine::segment::Segment;
use quorate_wire::Zxid;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

/// Something that the log has to do, in the order of the queue.
#[derive(Clone, Debug)]
pub enum LogItem {
    /// Make a segment of this generation durable.
    Append(u64, Arc<Segment>),
    /// End the file: the next segment begins a new one.
    Roll,
}

/// The log behind its queue.
pub struct GroupWriter {
    writer: LogWriter,
    group: GroupCommit,
    /// Segments of this generation and older ones are dropped.
    refused: Option<u64>,
    wants_room: bool,
}

impl GroupWriter {
    /// Of `group`, what concerns time is the caller's, but for the warning.
    #[must_use]
    pub const fn new(writer: LogWriter, group: GroupCommit) -> Self {
        Self { writer, group, refused: None, wants_room: false }
    }

    /// Does everything in `items`, in groups that end at a roll or at a limit. `report` is called in the order of the segments,
    /// for each group as soon as it is durable.
    ///
    /// # Errors
    /// Final: what is on the device is unknown then, and the rest of `items` is lost.
    pub fn handle(
        &mut self,
        items: &mut VecDeque<LogItem>,
        report: &mut dyn FnMut(LogReport),
    ) -> Result<(), LogFailure> {
        let enough = self.group.max_records.unwrap_or(usize::MAX);
        let mut group = Vec::new();
        let (mut newest, mut bytes, mut records) = (0, 0, 0);
        while let Some(item) = items.pop_front() {
            match item {
                LogItem::Append(generation, _)
                    if self.refused.is_some_and(|refused| generation <= refused) => {}
                LogItem::Append(generation, segment) => {
                    newest = generation;
                    for piece in segment.pieces(GROUP_LIMIT) {
                        if bytes + piece.bytes().len() > GROUP_LIMIT {
                            self.commit(newest, &mut group, report)?;
                            (bytes, records) = (0, 0);
                        }
                        if self.refused.is_some_and(|refused| generation <= refused) {
                            break;
                        }
                        bytes += piece.bytes().len();
                        records += piece.records().len();
                        group.push(piece);
                    }
                }
                LogItem::Roll => {
                    self.commit(newest, &mut group, report)?;
                    self.writer.roll()?;
                }
            }
            if bytes >= GROUP_LIMIT || records >= enough {
                self.commit(newest, &mut group, report)?;
                (bytes, records) = (0, 0);
            }
        }
        self.commit(newest, &mut group, report)
    }

    /// Whether the device was full when it was last written to, so that [`look_for_room`](Self::look_for_room) is due
    /// now and then.
    #[must_use]
    pub const fn wants_room(&self) -> bool {
        self.wants_room
    }

    /// Reports [`LogReport::Room`] if there seems to be room again.
    pub fn look_for_room(&mut self, report: &mut dyn FnMut(LogReport)) {
        if self.wants_room && self.writer.has_room() {
            self.wants_room = false;
            report(LogReport::Room);
        }
    }

    /// Ends the file.
    ///
    /// # Errors
    /// As [`handle`](Self::handle).
    pub fn finish(&mut self) -> Result<(), LogFailure> {
        self.writer.roll()
    }

    /// Makes a group durable, or as much of it as there is room for, and reports.
    fn commit(
        &mut self,
        generation: u64,
        group: &mut Vec<Arc<Segment>>,
        report: &mut dyn FnMut(LogReport),
    ) -> Result<(), LogFailure> {
        if group.is_empty() {
            return Ok(());
        }
        let before = self.writer.appended();
        let refusal = self.append(group)?;
        let appended = self.writer.appended();
        if appended != before {
            let began = Instant::now();
            self.writer.sync()?;
            let took = began.elapsed();
            if self.group.slow.is_some_and(|slow| took > slow) {
                tracing::warn!(
                    "syncing the transaction log took {} ms: the device is slow, and so is every write",
                    took.as_millis()
                );
            }
            report(LogReport::Synced(appended));
            self.writer.settle()?;
        }
        self.wants_room = refusal.is_some();
        if let Some((from, reason)) = refusal {
            self.refused = Some(generation);
            report(LogReport::Refused { generation, from, reason });
        }
        group.clear();
        Ok(())
    }

    /// Appends the group in one piece; where there is no room for that, segment by segment. Returns the first
    /// transaction that found no room, and why.
    fn append(&mut self, group: &[Arc<Segment>]) -> Result<Option<(Zxid, String)>, LogFailure> {
        match self.writer.append(group) {
            Ok(()) => return Ok(None),
            Err(AppendError::Failed(failure)) => return Err(failure),
            Err(AppendError::Full { .. }) => {}
        }
        for segment in group {
            match self.writer.append(std::slice::from_ref(segment)) {
                Ok(()) => {}
                Err(AppendError::Failed(failure)) => return Err(failure),
                Err(full @ AppendError::Full { .. }) => {
                    let from = segment.records().first().map_or(Zxid::ZERO, |r| r.zxid);
                    return Ok(Some((from, full.to_string())));
                }
            }
        }
        Ok(None)
    }
}
