//! The thread that owns the log: segments in, reports of durability out.
//!
//! Group commit needs no timer: whatever was queued while the device was busy is the next group, written in one piece and
//! synced once. `flushDelay` and `maxBatchSize` are honoured where they are configured.
//!
//! **When the device is full.** A refused segment must not be followed by a later one, because that was judged in the
//! belief that the refused one happens. So every segment carries a *generation*: the thread reports
//! [`LogReport::Refused`] once and drops everything else of that generation, queued or still to come. The core
//! takes back what it had in flight from that zxid on, answers with an error, and sends new segments under a
//! greater generation, whose zxids begin again at the refused one. That number is the whole handshake. While refusing,
//! the thread looks for room and reports [`LogReport::Room`] when it finds some; trying without waiting for it
//! is fine too.

use super::error::{AppendError, LogFailure};
use super::log_writer::{GROUP_LIMIT, LogWriter};
use quorate_engine::segment::Segment;
use quorate_wire::Zxid;
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What the log thread tells the core. Reports come in the order of the segments.
#[derive(Clone, Debug)]
pub enum LogReport {
    /// Everything up to this transaction is durable.
    Synced(Zxid),
    /// The device is full. The transaction `from` and all later ones of this generation are not in the log.
    Refused {
        /// The generation of the refused segment.
        generation: u64,
        /// The first transaction that was refused.
        from: Zxid,
        /// What the system said, with the file's name.
        reason: String,
    },
    /// After a refusal: there is room again.
    Room,
    /// The log failed for good; this is the last report, and every later segment is lost.
    Failed(LogFailure),
}

/// When groups are synced; the default is as soon as the device is free.
#[derive(Clone, Copy, Debug, Default)]
pub struct GroupCommit {
    /// How long to hold a group open (`flushDelay`).
    pub delay: Duration,
    /// How many records end a group (`maxBatchSize`).
    pub max_records: Option<usize>,
    /// How long nothing new may come before a group that is held open ends (`maxWriteQueuePollTime`).
    pub idle: Option<Duration>,
    /// A sync that takes longer is worth a warning (`fsync.warningthresholdms`).
    pub slow: Option<Duration>,
}

/// A handle to the thread. Dropping it closes the log.
pub struct LogThread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<(), LogFailure>>>,
}

impl LogThread {
    /// Starts the thread. `report` is called on it, must not block, and must not call back into this handle's
    /// [`close`](Self::close).
    ///
    /// # Errors
    /// When the system has no thread for us.
    pub fn start(
        writer: LogWriter,
        group: GroupCommit,
        report: impl Fn(LogReport) + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let worker = Worker {
            shared: Arc::clone(&shared),
            writer,
            group,
            report: Box::new(report),
            refused: None,
            looking_for_room: false,
        };
        let thread =
            thread::Builder::new().name("quorate-log".into()).spawn(move || worker.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Hands over a segment of the given generation. Never blocks; [`queued`](Self::queued) tells how much waits.
    pub fn append(&self, generation: u64, segment: Arc<Segment>) {
        self.shared.push(Item::Append(generation, segment));
    }

    /// Ends the current file after what has been handed over: the next segment begins a new one.
    pub fn roll(&self) {
        self.shared.push(Item::Roll);
    }

    /// Bytes handed over and not yet taken up. Whoever judges requests should stop when this grows beyond a limit.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.shared.lock().bytes
    }

    /// Writes and syncs what was handed over, ends the file and the thread.
    ///
    /// # Errors
    /// When the log had failed or fails now.
    pub fn close(mut self) -> Result<(), LogFailure> {
        self.join()
    }

    fn join(&mut self) -> Result<(), LogFailure> {
        self.shared.lock().closing = true;
        self.shared.wake.notify_one();
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(crashed()),
        }
    }
}

impl Drop for LogThread {
    fn drop(&mut self) {
        if let Err(failure) = self.join() {
            tracing::error!("{failure}");
        }
    }
}

enum Item {
    Append(u64, Arc<Segment>),
    Roll,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Item>,
    /// Of the segments in `items`.
    bytes: usize,
    closing: bool,
}

/// The queue between the core and the thread: one short lock per hand-over, no allocation per message.
#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nobody panics while holding it, and the queue is whole between any two statements.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, item: Item) {
        let mut queue = self.lock();
        if let Item::Append(_, segment) = &item {
            queue.bytes += segment.bytes().len();
        }
        queue.items.push_back(item);
        let first = queue.items.len() == 1;
        drop(queue);
        // The thread sleeps only on an empty queue.
        if first {
            self.wake.notify_one();
        }
    }
}

struct Worker {
    shared: Arc<Shared>,
    writer: LogWriter,
    group: GroupCommit,
    report: Box<dyn Fn(LogReport) + Send>,
    /// Segments of this generation and older ones are dropped.
    refused: Option<u64>,
    looking_for_room: bool,
}

impl Worker {
    fn run(mut self) -> Result<(), LogFailure> {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.work()))
            .unwrap_or_else(|_| Err(crashed()));
        if let Err(failure) = &result {
            (self.report)(LogReport::Failed(failure.clone()));
        }
        result
    }

    fn work(&mut self) -> Result<(), LogFailure> {
        let mut items = VecDeque::new();
        loop {
            let closing = self.take(&mut items);
            if closing && items.is_empty() {
                return self.writer.roll();
            }
            self.handle(&mut items)?;
        }
    }

    /// Waits for work and takes all of it. Returns whether the log is to be closed.
    fn take(&mut self, items: &mut VecDeque<Item>) -> bool {
        let mut queue = self.shared.lock();
        while queue.items.is_empty() && !queue.closing {
            if !self.looking_for_room {
                queue = self.shared.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let (guard, wait) = self
                .shared
                .wake
                .wait_timeout(queue, ROOM_INTERVAL)
                .unwrap_or_else(PoisonError::into_inner);
            queue = guard;
            if wait.timed_out() && queue.items.is_empty() {
                drop(queue);
                if self.writer.has_room() {
                    self.looking_for_room = false;
                    (self.report)(LogReport::Room);
                }
                queue = self.shared.lock();
            }
        }
        if !self.group.delay.is_zero() {
            queue = self.hold_open(queue);
        }
        std::mem::swap(&mut queue.items, items);
        queue.bytes = 0;
        queue.closing
    }

    /// Waits until the group is `flushDelay` old, has `maxBatchSize` segments, or nothing new has come for a while.
    fn hold_open<'a>(&self, mut queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        let deadline = Instant::now() + self.group.delay;
        let (mut newest, mut quiet_since) = (queue.items.len(), Instant::now());
        let enough = self.group.max_records.unwrap_or(usize::MAX);
        while !queue.closing && queue.items.len() < enough {
            let left = deadline.saturating_duration_since(Instant::now());
            if newest != queue.items.len() {
                (newest, quiet_since) = (queue.items.len(), Instant::now());
            }
            let is_quiet = self.group.idle.is_some_and(|idle| quiet_since.elapsed() >= idle);
            if left.is_zero() || is_quiet {
                break;
            }
            // Only the first segment of a group wakes the thread, so look again now and then.
            let nap = left.min(Duration::from_millis(1));
            queue =
                self.shared.wake.wait_timeout(queue, nap).unwrap_or_else(PoisonError::into_inner).0;
        }
        queue
    }

    /// Writes `items` in groups that end at a roll or at a limit.
    fn handle(&mut self, items: &mut VecDeque<Item>) -> Result<(), LogFailure> {
        let enough = self.group.max_records.unwrap_or(usize::MAX);
        let mut group = Vec::new();
        let (mut newest, mut bytes, mut records) = (0, 0, 0);
        while let Some(item) = items.pop_front() {
            match item {
                Item::Append(generation, _) if self.refused.is_some_and(|r| generation <= r) => {}
                Item::Append(generation, segment) => {
                    newest = generation;
                    bytes += segment.bytes().len();
                    records += segment.records().len();
                    group.push(segment);
                }
                Item::Roll => {
                    self.commit(newest, &mut group)?;
                    self.writer.roll()?;
                }
            }
            if bytes >= GROUP_LIMIT || records >= enough {
                self.commit(newest, &mut group)?;
                (bytes, records) = (0, 0);
            }
        }
        self.commit(newest, &mut group)
    }

    /// Makes a group durable, or as much of it as there is room for, and reports.
    fn commit(&mut self, generation: u64, group: &mut Vec<Arc<Segment>>) -> Result<(), LogFailure> {
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
            (self.report)(LogReport::Synced(appended));
            self.writer.settle()?;
        }
        self.looking_for_room = refusal.is_some();
        if let Some((from, reason)) = refusal {
            self.refused = Some(generation);
            (self.report)(LogReport::Refused { generation, from, reason });
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

fn crashed() -> LogFailure {
    let path = PathBuf::from("the transaction log");
    LogFailure { action: "go on writing", path, reason: "the log thread crashed".into() }
}

/// How often a full device is looked at.
const ROOM_INTERVAL: Duration = Duration::from_millis(100);
