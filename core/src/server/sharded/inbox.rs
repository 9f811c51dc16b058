//! Submissions on their way from the shards to the writer.

use mio::Waker;
use quorate_engine::shard::{ConnKey, Letter, Submission};
use std::sync::atomic::{AtomicBool, Ordering};
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
}

/// The queue; what the writer may have in flight bounds it, because crowded shards are not read.
#[derive(Debug)]
pub(super) struct Inbox {
    queue: Mutex<Vec<Mail>>,
    waker: Arc<Waker>,
    crowded: AtomicBool,
}

impl Inbox {
    pub(super) const fn new(waker: Arc<Waker>) -> Self {
        Self { queue: Mutex::new(Vec::new()), waker, crowded: AtomicBool::new(false) }
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

    /// Notes whether too much is in flight; returns whether that has just ended.
    pub(super) fn set_crowded(&self, crowded: bool) -> bool {
        self.crowded.swap(crowded, Ordering::AcqRel) && !crowded
    }

    pub(super) fn is_crowded(&self) -> bool {
        self.crowded.load(Ordering::Acquire)
    }
}
