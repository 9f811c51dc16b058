//! [`Op`]: a request on its way, as a future.

use super::error::{Error, Result};
use super::shared::Shared;
use quorate_engine::client::{Reply, WatchKey};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A request on its way. It was submitted when the method was called; awaiting it only waits for the answer. Works on any
/// executor. Dropping it forgets the answer, not the operation.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::{CreateMode, Op};
///
/// // All of them are on their way before the first is awaited, in this order.
/// let create = client.create("/n", b"", CreateMode::Persistent);
/// let sets: Vec<Op<_>> = (0..10).map(|n: u8| client.set("/n", &[n], None)).collect();
/// assert_eq!(client.get("/n").await?.0, [9]);
/// drop(create);
/// for set in sets {
///     set.await?;
/// }
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[must_use = "the outcome is only known by awaiting it"]
pub struct Op<T> {
    state: State<T>,
}

enum State<T> {
    Waiting(Waiting<T>),
    /// It was not accepted, or has been answered.
    Settled(Option<Result<T>>),
}

struct Waiting<T> {
    shared: Arc<Shared>,
    key: usize,
    /// The result was taken: the slot is free, and may be another operation's already.
    taken: bool,
    /// Whether its task had to wait.
    waited: bool,
    /// The watch that the request leaves.
    watch: Option<WatchGuard>,
    read: fn(Reply, Option<WatchGuard>) -> Result<T>,
    /// What a failure is taken for, where it is an answer.
    mend: fn(Error) -> Result<T>,
}

/// Removes a watch when dropped.
#[derive(Debug)]
pub(super) struct WatchGuard {
    pub(super) shared: Arc<Shared>,
    pub(super) key: WatchKey,
    pub(super) path: String,
}

impl Drop for WatchGuard {
    fn drop(&mut self) {
        self.shared.drop_watch(self.key);
    }
}

impl<T> Op<T> {
    /// An operation that waits in a slot of `shared`.
    pub(super) fn new(
        shared: &Arc<Shared>,
        submitted: Result<usize>,
        read: fn(Reply, Option<WatchGuard>) -> Result<T>,
    ) -> Self {
        Self::with_watch(shared, submitted.map(|key| (key, None)), read)
    }

    pub(super) fn with_watch(
        shared: &Arc<Shared>,
        submitted: Result<(usize, Option<WatchGuard>)>,
        read: fn(Reply, Option<WatchGuard>) -> Result<T>,
    ) -> Self {
        let state = match submitted {
            Ok((key, watch)) => {
                let shared = Arc::clone(shared);
                let (taken, waited, mend) = (false, false, Err);
                State::Waiting(Waiting { shared, key, taken, waited, watch, read, mend })
            }
            Err(error) => State::Settled(Some(Err(error))),
        };
        Self { state }
    }

    /// Some failures are answers: `mend` says which.
    pub(super) fn or_else(mut self, mend: fn(Error) -> Result<T>) -> Self {
        if let State::Waiting(waiting) = &mut self.state {
            waiting.mend = mend;
        }
        self
    }
}

impl<T: Unpin> Future for Op<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let (result, waited) = match &mut self.state {
            State::Settled(result) => {
                let over = || Err(Error::unexpected("an operation polled after its end"));
                (result.take().unwrap_or_else(over), false)
            }
            State::Waiting(waiting) => {
                let read = |reply| (waiting.read)(reply, waiting.watch.take());
                let polled = waiting.shared.poll_op(waiting.key, context.waker(), read);
                let Poll::Ready(result) = polled else {
                    waiting.waited = true;
                    return Poll::Pending;
                };
                waiting.taken = true;
                (result.or_else(waiting.mend), waiting.waited)
            }
        };
        // Within the process, requests can be answered at once: a task that awaits one after the other must let the others of its
        // executor run from time to time, the client's driver among them. One that had to wait has done so.
        if !waited {
            let Poll::Ready(budget) = tokio::task::coop::poll_proceed(context) else {
                self.state = State::Settled(Some(result));
                return Poll::Pending;
            };
            budget.made_progress();
        }
        self.state = State::Settled(None);
        Poll::Ready(result)
    }
}

impl<T> Drop for Waiting<T> {
    fn drop(&mut self) {
        if !self.taken {
            self.shared.abandon_op(self.key);
        }
    }
}

impl<T> std::fmt::Debug for Op<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Op").finish_non_exhaustive()
    }
}
