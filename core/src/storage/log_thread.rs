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

use super::error::LogFailure;
use super::group_writer::{GroupWriter, LogItem};
use super::log_writer::LogWriter;
use quorate_engine::segment::Segment;
use quorate_wire::Zxid;
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What the log thread tells the core. Reports come in the order of the segments.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # use quorate::storage::{Storage, StorageConfig};
/// # use quorate_engine::tree::TreeConfig;
/// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
/// # let (storage, mut tree, report) = Storage::open(config)?;
/// use quorate::storage::LogReport;
/// use quorate_engine::segment::Segment;
/// use quorate_wire::Zxid;
/// use std::sync::Arc;
///
/// // `storage` is an open directory, and `tree` what it holds.
/// let mut records = Segment::default();
/// records.push(Zxid(1), |out| out.extend_from_slice(b"a transaction"));
/// let segment = Arc::new(records);
/// let (sender, reports) = std::sync::mpsc::channel();
/// let log = storage.start_log(move |report| drop(sender.send(report)))?;
/// log.append(0, segment);
/// match reports.recv()? {
///     LogReport::Synced(zxid) => assert_eq!(zxid, Zxid(1)),
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
///
/// ```
/// use quorate::storage::GroupCommit;
/// use std::time::Duration;
///
/// let patient = GroupCommit { delay: Duration::from_millis(5), max_records: Some(1_000), ..Default::default() };
/// assert_eq!(GroupCommit::default().delay, Duration::ZERO);
/// ```
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
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # use quorate::storage::{Storage, StorageConfig};
/// # use quorate_engine::tree::TreeConfig;
/// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
/// # let (storage, mut tree, report) = Storage::open(config)?;
/// use quorate::storage::{GroupCommit, LogThread};
/// use quorate_engine::segment::Segment;
/// use quorate_wire::Zxid;
/// use std::sync::Arc;
///
/// // `storage` is an open directory, and `tree` what it holds.
/// let mut records = Segment::default();
/// records.push(Zxid(1), |out| out.extend_from_slice(b"a transaction"));
/// let segment = Arc::new(records);
/// let log = LogThread::start(storage.log_writer(), GroupCommit::default(), |_| {})?;
/// log.append(0, segment);
/// log.close()?;
/// assert!(directory.path().join("version-2/log.1").exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LogThread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<(), LogFailure>>>,
}

impl LogThread {
    /// Starts the thread. `report` is called on it, must not block, and must not call back into this handle's
    /// [`close`](Self::close).
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// use quorate::storage::{GroupCommit, LogThread};
    ///
    /// // `storage` is an open directory, and `tree` what it holds.
    /// let log = LogThread::start(storage.log_writer(), GroupCommit::default(), |report| println!("{report:?}"))?;
    /// assert_eq!(log.queued(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the system has no thread for us.
    pub fn start(
        writer: LogWriter,
        group: GroupCommit,
        report: impl Fn(LogReport) + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let log = GroupWriter::new(writer, group);
        let worker = Worker { shared: Arc::clone(&shared), log, group, report: Box::new(report) };
        let thread =
            thread::Builder::new().name("quorate-log".into()).spawn(move || worker.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Hands over a segment of the given generation. Never blocks; [`queued`](Self::queued) tells how much waits.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// use quorate_engine::segment::Segment;
    /// use quorate_wire::Zxid;
    /// use std::sync::Arc;
    ///
    /// // `storage` is an open directory, and `tree` what it holds.
    /// let mut records = Segment::default();
    /// records.push(Zxid(1), |out| out.extend_from_slice(b"a transaction"));
    /// let segment = Arc::new(records);
    /// let log = storage.start_log(|_| {})?;
    /// // It is durable when a report says so; this does not wait.
    /// log.append(0, segment);
    /// log.close()?;
    /// assert!(directory.path().join("version-2/log.1").exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn append(&self, generation: u64, segment: Arc<Segment>) {
        self.shared.push(LogItem::Append(generation, segment));
    }

    /// Ends the current file after what has been handed over: the next segment begins a new one.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// use quorate_engine::segment::Segment;
    /// use quorate_wire::Zxid;
    /// use std::sync::Arc;
    ///
    /// // `storage` is an open directory, and `tree` what it holds.
    /// let mut records = Segment::default();
    /// records.push(Zxid(1), |out| out.extend_from_slice(b"a transaction"));
    /// let segment = Arc::new(records);
    /// let mut next = Segment::default();
    /// next.push(Zxid(2), |out| out.extend_from_slice(b"the next"));
    /// let log = storage.start_log(|_| {})?;
    /// log.append(0, segment);
    /// log.roll();
    /// log.append(0, Arc::new(next));
    /// log.close()?;
    /// assert!(directory.path().join("version-2/log.2").exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn roll(&self) {
        self.shared.push(LogItem::Roll);
    }

    /// Bytes handed over and not yet taken up. Whoever judges requests should stop when this grows beyond a limit.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.shared.lock().bytes
    }

    /// Writes and syncs what was handed over, ends the file and the thread.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// use quorate_engine::segment::Segment;
    /// use quorate_wire::Zxid;
    /// use std::sync::Arc;
    ///
    /// // `storage` is an open directory, and `tree` what it holds.
    /// let mut records = Segment::default();
    /// records.push(Zxid(1), |out| out.extend_from_slice(b"a transaction"));
    /// let segment = Arc::new(records);
    /// let log = storage.start_log(|_| {})?;
    /// log.append(0, segment);
    /// // Everything is on the disk when this returns.
    /// log.close()?;
    /// assert!(directory.path().join("version-2/log.1").exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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

#[derive(Default)]
struct Queue {
    items: VecDeque<LogItem>,
    /// Of the segments in `items`.
    bytes: usize,
    /// The thread sleeps until something comes. It is woken only then: a notification is a system call, whoever hears it.
    asleep: bool,
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
        #[cfg(test)]
        crate::interleave::point();
        // Nobody panics while holding it, and the queue is whole between any two statements.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, item: LogItem) {
        if self.put(item) {
            self.wake.notify_one();
        }
    }

    /// Returns whether the thread has to be woken for it.
    fn put(&self, item: LogItem) -> bool {
        let mut queue = self.lock();
        if let LogItem::Append(_, segment) = &item {
            queue.bytes += segment.bytes().len();
        }
        queue.items.push_back(item);
        std::mem::take(&mut queue.asleep)
    }
}

impl Queue {
    /// Whether there is nothing to do. From then on the next item wakes the thread.
    fn may_sleep(&mut self) -> bool {
        self.asleep = self.items.is_empty() && !self.closing;
        self.asleep
    }
}

struct Worker {
    shared: Arc<Shared>,
    log: GroupWriter,
    group: GroupCommit,
    report: Box<dyn Fn(LogReport) + Send>,
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
                return self.log.finish();
            }
            self.log.handle(&mut items, &mut |report| (self.report)(report))?;
        }
    }

    /// Waits for work and takes all of it. Returns whether the log is to be closed.
    fn take(&mut self, items: &mut VecDeque<LogItem>) -> bool {
        let mut queue = self.shared.lock();
        while queue.may_sleep() {
            if !self.log.wants_room() {
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
                self.log.look_for_room(&mut |report| (self.report)(report));
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
            // Nobody wakes the thread here, so look again now and then.
            let nap = left.min(Duration::from_millis(1));
            queue =
                self.shared.wake.wait_timeout(queue, nap).unwrap_or_else(PoisonError::into_inner).0;
        }
        queue
    }
}

fn crashed() -> LogFailure {
    let path = PathBuf::from("the transaction log");
    LogFailure { action: "go on writing", path, reason: "the log thread crashed".into() }
}

/// How often a full device is looked at.
const ROOM_INTERVAL: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interleave;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// In whichever order items come and the thread looks and goes to sleep: it sleeps over none, and none is lost.
    #[test]
    fn no_item_is_slept_over() {
        #[derive(Default)]
        struct Both {
            shared: Shared,
            woken: AtomicBool,
            asleep: AtomicBool,
        }
        let core = |both: &Both| {
            for _ in 0..2 {
                // Whoever does not sleep yet hears nothing: a notification is not kept.
                if both.shared.put(LogItem::Roll) && both.asleep.load(Ordering::SeqCst) {
                    both.woken.store(true, Ordering::SeqCst);
                }
            }
        };
        let thread = |both: &Both| {
            for _ in 0..2 {
                let mut queue = both.shared.lock();
                // The lock is given up by falling asleep, and at the same moment.
                if queue.may_sleep() {
                    return both.asleep.store(true, Ordering::SeqCst);
                }
                queue.items.clear();
            }
        };
        interleave::in_every_order(Both::default, core, thread, |both, order| {
            let left = !both.shared.lock().items.is_empty();
            let sleeps_on = both.asleep.into_inner() && !both.woken.into_inner();
            assert!(!left || !sleeps_on, "{order:?}");
        });
    }
}
