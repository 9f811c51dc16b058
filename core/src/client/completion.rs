//! Results in batches: the interface for languages that drain a queue rather than poll futures.
//!
//! A request is submitted with a token of the caller's choice; what becomes of it, and the events of watches, are
//! collected in an [`Inbox`] and taken in batches. Its owner is called once when the inbox stops being empty, not once
//! per completion.

use super::error::Result;
use quorate_engine::client::{Notice, Reply};
use std::fmt;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Completion {
    /// A request is over.
    Done {
        /// The token it was submitted with.
        token: u64,
        /// How it ended.
        result: Result<Reply>,
    },
    /// An event of a watch.
    Event {
        /// The token the watch was made with.
        token: u64,
        /// What happened.
        notice: Notice,
    },
}

/// Called when an inbox stops being empty. It must not block, and must not call back into the client.
pub type Call = Box<dyn Fn() + Send + Sync>;

/// Where completions wait to be taken. They come in the order in which the server answered.
pub struct Inbox {
    ready: Mutex<Vec<Completion>>,
    filled: Condvar,
    call: Option<Call>,
}

impl Inbox {
    /// An inbox whose owner is told by `call` that there is something in it; without, by [`wait`](Self::wait) only.
    #[must_use]
    pub fn new(call: Option<Call>) -> Self {
        Self { ready: Mutex::default(), filled: Condvar::new(), call }
    }

    /// Takes everything that is there.
    #[must_use]
    pub fn take(&self) -> Vec<Completion> {
        std::mem::take(&mut *self.ready.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until there is something, and takes it all. Empty when the time ran out first.
    #[must_use]
    pub fn wait(&self, timeout: Duration) -> Vec<Completion> {
        let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut ready, _) = self
            .filled
            .wait_timeout_while(ready, timeout, |ready| ready.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *ready)
    }

    pub(super) fn push(&self, completion: Completion) {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let was_empty = ready.is_empty();
        ready.push(completion);
        drop(ready);
        if was_empty {
            self.filled.notify_all();
            if let Some(call) = &self.call {
                call();
            }
        }
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}
