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
///
/// ```
/// use quorate::storage::LogItem;
/// use quorate_engine::segment::Segment;
/// use std::{collections::VecDeque, sync::Arc};
///
/// let segment = Arc::new(Segment::default());
/// let items = VecDeque::from([LogItem::Append(0, segment), LogItem::Roll]);
/// assert!(matches!(items.back(), Some(LogItem::Roll)));
/// ```
#[derive(Clone, Debug)]
pub enum LogItem {
    /// Make a segment of this generation durable.
    Append(u64, Arc<Segment>),
    /// End the file: the next segment begins a new one.
    Roll,
}

/// The log behind its queue.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # use quorate::storage::{Storage, StorageConfig};
/// # use quorate_engine::tree::TreeConfig;
/// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
/// # let (storage, mut tree, report) = Storage::open(config)?;
/// use quorate::storage::{GroupCommit, GroupWriter, LogItem, LogReport};
/// use quorate_engine::segment::Segment;
/// use quorate_wire::Zxid;
/// use std::sync::Arc;
///
/// // `storage` is an open directory, and `tree` what it holds.
/// let mut records = Segment::default();
/// records.push(Zxid(1), |out| out.extend_from_slice(b"a transaction"));
/// let segment = Arc::new(records);
/// let mut log = GroupWriter::new(storage.log_writer(), GroupCommit::default());
/// let mut reports = Vec::new();
/// log.handle(&mut [LogItem::Append(0, segment)].into(), &mut |report| reports.push(report))?;
/// assert!(matches!(reports[..], [LogReport::Synced(Zxid(1))]) && !log.wants_room());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// use quorate::storage::{GroupCommit, GroupWriter, LogItem};
    /// use quorate_engine::segment::Segment;
    /// use quorate_wire::Zxid;
    /// use std::sync::Arc;
    ///
    /// // `storage` is an open directory, and `tree` what it holds.
    /// let mut records = Segment::default();
    /// records.push(Zxid(1), |out| out.extend_from_slice(b"a transaction"));
    /// let segment = Arc::new(records);
    /// let mut log = GroupWriter::new(storage.log_writer(), GroupCommit::default());
    /// let mut synced = Vec::new();
    /// let mut items = [LogItem::Append(0, segment), LogItem::Roll].into();
    /// log.handle(&mut items, &mut |report| synced.push(report))?;
    /// // A report for each group.
    /// assert_eq!((synced.len(), items.len()), (1, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// use quorate::storage::{GroupCommit, GroupWriter};
    ///
    /// // `storage` is an open directory, and `tree` what it holds.
    /// let mut log = GroupWriter::new(storage.log_writer(), GroupCommit::default());
    /// // The device was not full, so there is nothing to tell.
    /// log.look_for_room(&mut |report| panic!("{report:?}"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn look_for_room(&mut self, report: &mut dyn FnMut(LogReport)) {
        if self.wants_room && self.writer.has_room() {
            self.wants_room = false;
            report(LogReport::Room);
        }
    }

    /// Ends the file.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// use quorate::storage::{GroupCommit, GroupWriter};
    ///
    /// // `storage` is an open directory, and `tree` what it holds.
    /// let mut log = GroupWriter::new(storage.log_writer(), GroupCommit::default());
    /// log.finish()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
