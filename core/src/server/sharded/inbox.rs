//! Submissions on their way from the shards to the writer, and how much is in flight in all.
//!
//! Every submission counts from the moment in which its shard makes it, so the limit of what may be in flight holds across
//! threads: a shard that finds it exceeded reads no more from connections with writes in flight. Beyond the limit there is at
//! most what each I/O thread has read at that time (one buffer, or the frame that it completes), and the
//! same of every connection that had nothing in flight.

use mio::Waker;
use quorate_engine::limits::Load;
use quorate_engine::shard::{ConnKey, Letter, Submission};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A submission with bytes of its own.
#[derive(Debug)]
pub(super) struct Mail {
    pub(super) shard: usize,
    pub(super) conn: ConnKey,
    letter: Letter,
}

impl Mail {
    pub(super) fn new(shard: usize, conn: ConnKey, submission: Submission<'_>) -> Self {
        Self { shard, conn, letter: submission.into() }
    }

    pub(super) fn submission(&self) -> Submission<'_> {
        self.letter.submission()
    }

    pub(super) const fn load(&self) -> Load {
        self.letter.load()
    }
}

/// The queue, and the figures that bound it.
#[derive(Debug)]
pub(super) struct Inbox {
    queue: Mutex<Vec<Mail>>,
    waker: Arc<Waker>,
    limit: Load,
    /// In flight: what the writer has, and what is on its way to it. Never less than that, for a moment perhaps more.
    requests: AtomicUsize,
    bytes: AtomicUsize,
    /// Somebody reads less because of the crowd, and has to be told when it is over.
    waiting: AtomicBool,
}

impl Inbox {
    pub(super) const fn new(waker: Arc<Waker>, limit: Load) -> Self {
        let (requests, bytes) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let waiting = AtomicBool::new(false);
        Self { queue: Mutex::new(Vec::new()), waker, limit, requests, bytes, waiting }
    }

    /// Counts what a shard is going to post.
    pub(super) fn announce(&self, load: Load) {
        self.requests.fetch_add(load.requests, Ordering::SeqCst);
        self.bytes.fetch_add(load.bytes, Ordering::SeqCst);
    }

    /// Delivers a shard's batch, and wakes the writer when it may be asleep.
    pub(super) fn post(&self, batch: &mut Vec<Mail>) {
        if batch.is_empty() {
            return;
        }
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let was_empty = queue.is_empty();
        queue.append(batch);
        drop(queue);
        if was_empty {
            let _ = self.waker.wake();
        }
    }

    pub(super) fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut *self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The writer has `now` in flight in place of `before`. Returns whether shards have to be told that the crowd is gone.
    pub(super) fn settle(&self, before: Load, now: Load) -> bool {
        self.announce(now);
        self.requests.fetch_sub(before.requests, Ordering::SeqCst);
        self.bytes.fetch_sub(before.bytes, Ordering::SeqCst);
        !self.is_exceeded() && self.waiting.swap(false, Ordering::SeqCst)
    }

    /// Whether too much is in flight. Whoever is told so is woken when that has ended.
    pub(super) fn is_crowded(&self) -> bool {
        if !self.is_exceeded() {
            return false;
        }
        self.waiting.store(true, Ordering::SeqCst);
        // The writer may have seen nobody wait a moment ago.
        self.is_exceeded()
    }

    fn is_exceeded(&self) -> bool {
        let requests = self.requests.load(Ordering::SeqCst);
        let bytes = self.bytes.load(Ordering::SeqCst);
        Load { requests, bytes }.exceeds(self.limit)
    }
}
