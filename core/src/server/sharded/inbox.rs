//! Submissions on their way from the shards to the writer.

use mio::Waker;
use quorate_engine::access::Identities;
use quorate_engine::shard::{ConnKey, Submission};
use quorate_wire::OpCode;
use quorate_wire::four_letter::FourLetterWord;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A submission with bytes of its own.
#[derive(Debug)]
pub(super) struct Mail {
    pub(super) shard: usize,
    pub(super) conn: ConnKey,
    letter: Letter,
}

#[derive(Debug)]
enum Letter {
    Write { session: i64, xid: i32, op: OpCode, body: Box<[u8]>, identities: Identities },
    Sync { xid: i32, body: Box<[u8]> },
    NewSession { timeout: i32 },
    Resume { session: i64, password: Box<[u8]>, timeout: i32 },
    Touch { session: i64, timeout: i32 },
    Word { word: FourLetterWord, rest: Box<[u8]> },
}

impl Mail {
    pub(super) fn new(shard: usize, conn: ConnKey, submission: Submission<'_>) -> Self {
        let letter = match submission {
            Submission::Write { session, xid, op, body, identities } => Letter::Write {
                session,
                xid,
                op,
                body: body.into(),
                identities: identities.clone(),
            },
            Submission::Sync { xid, body } => Letter::Sync { xid, body: body.into() },
            Submission::NewSession { timeout } => Letter::NewSession { timeout },
            Submission::Resume { session, password, timeout } => {
                Letter::Resume { session, password: password.into(), timeout }
            }
            Submission::Touch { session, timeout } => Letter::Touch { session, timeout },
            Submission::FourLetter { word, rest } => Letter::Word { word, rest: rest.into() },
        };
        Self { shard, conn, letter }
    }

    pub(super) fn submission(&self) -> Submission<'_> {
        match &self.letter {
            Letter::Write { session, xid, op, body, identities } => {
                Submission::Write { session: *session, xid: *xid, op: *op, body, identities }
            }
            Letter::Sync { xid, body } => Submission::Sync { xid: *xid, body },
            Letter::NewSession { timeout } => Submission::NewSession { timeout: *timeout },
            Letter::Resume { session, password, timeout } => {
                Submission::Resume { session: *session, password, timeout: *timeout }
            }
            Letter::Touch { session, timeout } => {
                Submission::Touch { session: *session, timeout: *timeout }
            }
            Letter::Word { word, rest } => Submission::FourLetter { word: *word, rest },
        }
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

    pub(super) fn set_crowded(&self, crowded: bool) {
        self.crowded.store(crowded, Ordering::Relaxed);
    }

    pub(super) fn is_crowded(&self) -> bool {
        self.crowded.load(Ordering::Relaxed)
    }
}
