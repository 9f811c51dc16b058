//! Results in batches: the interface for languages that drain a queue rather than poll futures.
//!
//! A request is submitted with a token of the caller's choice; what becomes of it, and the events of watches, are
//! collected in an [`Inbox`] and taken in batches. Its owner is called once when the inbox stops being empty, not once
//! per completion.

use super::error::Result;
use crate::fork::ForkMutex;
use quorate_engine::client::{Notice, Reply};
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, MutexGuard, PoisonError};
use std::time::Duration;

/// One thing that happened.
///
/// ```
/// use quorate::client::{Completion, Error, ErrorCode};
///
/// let completion = Completion::Done { token: 3, result: Err(Error::new(ErrorCode::NoNode, "get", "/x")) };
/// match completion {
///     Completion::Done { token, result } => assert!(token == 3 && result.is_err()),
///     Completion::Event { token, notice } => println!("{token}: {notice:?}"),
/// }
/// ```
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

/// Called when an inbox stops being empty: on the library's thread, which does nothing else meanwhile, or within the submission that is
/// answered at once by a server in this process. No lock of the client is held, but the submitting thread may hold the caller's.
/// If it panics, that goes no further: it is logged with `tracing`, and the completions are in the inbox all the same.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::{Call, Inbox, Request};
/// use std::sync::{Arc, mpsc};
///
/// let (bell, rung) = mpsc::sync_channel(1);
/// let call: Call = Box::new(move || drop(bell.try_send(())));
/// let inbox = Arc::new(Inbox::new(Some(call)));
/// client.submit_to(&inbox, &Request::Sync { path: "/" }, 1)?;
/// rung.recv().unwrap();
/// assert_eq!(inbox.take().len(), 1);
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
pub type Call = Box<dyn Fn() + Send + Sync>;

/// Where completions wait to be taken. They come in the order in which the server answered. In a forked process it is
/// empty.
///
/// It is bounded. A client's results that wait here count as requests in flight, and so do bytes of them: beyond
/// [`Builder::max_in_flight`](super::Builder::max_in_flight) a submission to this inbox is refused with `ThrottledOp` until they are taken. What was in
/// flight before still comes. Events have a bound of their own, 64 times
/// [`Builder::max_events`](super::Builder::max_events): beyond it a watch is told once that it [missed](Notice::Missed) some.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::{Completion, Inbox, Notice, Reply, Request};
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// let inbox = Arc::new(Inbox::new(None));
/// // A one-shot watch on a node that is not there yet.
/// let watch = client.watch_once_to(&inbox, 7);
/// client.submit_to(&inbox, &Request::Exists { path: "/job", watch: Some(watch) }, 1)?;
/// let done = inbox.wait(Duration::from_secs(10));
/// assert!(matches!(done[..], [Completion::Done { token: 1, result: Ok(Reply::Absent) }]));
///
/// client.create("/job", b"", quorate::client::CreateMode::Persistent).await?;
/// let event = inbox.wait(Duration::from_secs(10));
/// assert!(matches!(event[..], [Completion::Event { token: 7, notice: Notice::Changed { .. } }]));
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
pub struct Inbox {
    ready: ForkMutex<Ready>,
    filled: Condvar,
    call: Option<Call>,
}

#[derive(Debug, Default)]
struct Ready {
    completions: Vec<Completion>,
    /// Events among them.
    events: usize,
    /// The rest, by their clients.
    results: Vec<Untaken>,
    /// How often everything was taken.
    taken: u64,
}

/// Results of one client that wait to be taken.
#[derive(Clone, Copy, Debug)]
struct Untaken {
    client: u64,
    results: usize,
    bytes: usize,
}

impl Ready {
    /// Counts a result.
    fn count(&mut self, client: u64, bytes: usize) {
        match self.results.iter_mut().find(|untaken| untaken.client == client) {
            Some(untaken) => {
                untaken.results += 1;
                untaken.bytes = untaken.bytes.saturating_add(bytes);
            }
            None => self.results.push(Untaken { client, results: 1, bytes }),
        }
    }

    fn take(&mut self) -> Vec<Completion> {
        self.events = 0;
        self.results.clear();
        self.taken += 1;
        std::mem::take(&mut self.completions)
    }
}

impl Inbox {
    /// An inbox whose owner is told by `call` that there is something in it; without, by [`wait`](Self::wait) only.
    #[must_use]
    pub fn new(call: Option<Call>) -> Self {
        Self {
            ready: ForkMutex::new(Ready::default(), Ready::default),
            filled: Condvar::new(),
            call,
        }
    }

    /// Takes everything that is there.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{Inbox, Request};
    /// use std::sync::Arc;
    ///
    /// let inbox = Arc::new(Inbox::new(None));
    /// for token in 0..3 {
    ///     client.submit_to(&inbox, &Request::Exists { path: "/", watch: None }, token)?;
    /// }
    /// // Answers come in order: these are there when a later one is.
    /// client.exists("/").await?;
    /// assert_eq!(inbox.take().len(), 3);
    /// assert!(inbox.is_empty());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn take(&self) -> Vec<Completion> {
        self.lock().take()
    }

    /// Waits until there is something, and takes it all. Empty when the time ran out first.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{Completion, Inbox, Request};
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// let inbox = Arc::new(Inbox::new(None));
    /// // Nothing came in time.
    /// assert!(inbox.wait(Duration::from_millis(1)).is_empty());
    /// client.submit_to(&inbox, &Request::Sync { path: "/" }, 1)?;
    /// assert!(matches!(inbox.wait(Duration::from_secs(10))[..], [Completion::Done { token: 1, .. }]));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn wait(&self, timeout: Duration) -> Vec<Completion> {
        let (mut ready, _) = self
            .filled
            .wait_timeout_while(self.lock(), timeout, |ready| ready.completions.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        ready.take()
    }

    /// Whether nothing waits to be taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().completions.is_empty()
    }

    /// How many results of a client wait to be taken, and bytes of them.
    pub(super) fn untaken(&self, client: u64) -> (usize, usize) {
        let ready = self.lock();
        let untaken = ready.results.iter().find(|untaken| untaken.client == client);
        untaken.map_or((0, 0), |untaken| (untaken.results, untaken.bytes))
    }

    /// Adds what has become of a client's request. True when the owner has to be [called](Self::call).
    pub(super) fn push(&self, client: u64, token: u64, result: Result<Reply>) -> bool {
        let mut ready = self.lock();
        ready.count(client, result.as_ref().map_or(0, Reply::weight));
        Self::add(&mut ready, Completion::Done { token, result })
    }

    /// Adds an event. Where `limit` of them wait already, it tells instead that some are missing: once for each watch until the inbox is
    /// emptied, which `told` remembers. The end of a watch is told in any case.
    pub(super) fn push_event(
        &self,
        token: u64,
        notice: Notice,
        limit: usize,
        told: &mut Option<u64>,
    ) -> bool {
        let mut ready = self.lock();
        if ready.events < limit || matches!(notice, Notice::Ended(_)) {
            ready.events += 1;
            return Self::add(&mut ready, Completion::Event { token, notice });
        }
        if told.replace(ready.taken) == Some(ready.taken) {
            return false;
        }
        Self::add(&mut ready, Completion::Event { token, notice: Notice::Missed })
    }

    fn add(ready: &mut Ready, completion: Completion) -> bool {
        ready.completions.push(completion);
        ready.completions.len() == 1
    }

    /// Tells the owner that the inbox is not empty any more. Never under a lock of the client: the owner may have to wait for a thread
    /// that submits.
    pub(super) fn call(&self) {
        self.filled.notify_all();
        if let Some(call) = &self.call {
            contain(call);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ready> {
        self.ready.lock()
    }
}

impl Drop for Inbox {
    /// What the call has captured is the owner's code too, and the last completion may bring it down on the library's thread.
    fn drop(&mut self) {
        let call = self.call.take();
        contain(move || drop(call));
    }
}

/// Runs the owner's code. A panic of it must not end the library's thread, nor leave half done what the caller is about.
fn contain(code: impl FnOnce()) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(code)) else { return };
    tracing::error!(panic = message(&*panic), "the call of an inbox panicked");
    // A payload may panic once more when it goes. No panic can be made of that: it is left where it is.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(payload);
    }
}

/// What was given to `panic!`.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}
