//! [`Client`]: a client with what C needs beside it: who is called, and what is still to be told.

pub mod access;
pub mod close;
pub mod delivery;
pub mod open;
pub mod session;
#[cfg(test)]
mod tests;

pub(crate) use delivery::{Told, What};

use crate::answer::Answer;
use crate::callback::{CompletionFn, User};
use crate::fault::{Error, Fault};
use crate::objects::{self, Handled};
use crate::registrar::Registrar;
use crate::status::{QUORATE_CLOSING, QUORATE_TIMED_OUT};
use crate::system::Flag;
use crate::watch::Watch;
use delivery::{Backlog, Bell};
use quorate::client::{self, Inbox, Request};
use quorate_bridge::{Calls, Outcome, Waited};
use slab::Slab;
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::ThreadId;
use std::time::Duration;

/// A client under a handle.
pub(crate) struct Client {
    pub(crate) core: client::Client,
    /// Results of plain operations and events of watches, in the server's order.
    pub(crate) inbox: Arc<Inbox>,
    /// Everything else that is to be told.
    calls: Calls<Told>,
    bell: Arc<Bell>,
    desk: Mutex<Desk>,
    /// Wakes who waits for the desk to be cleared.
    cleared: Condvar,
    /// Who is told of results; gone when there are no more.
    completion: Mutex<Option<Arc<Completion>>>,
    pub(crate) watches: Mutex<HashMap<u64, Arc<Watch>>>,
    pub(crate) registrar: Arc<Registrar>,
    backlog: Mutex<Backlog>,
    /// The handles that end with this client.
    children: Mutex<HashSet<u64>>,
    pub(crate) handle: OnceLock<u64>,
}

/// What is under way.
#[derive(Default)]
struct Desk {
    waiting: Slab<Waiting>,
    /// Calls of recipes and the like.
    calls: usize,
    /// Its owner has closed it: nothing new is taken on.
    closing: bool,
    /// The session is over: whatever waits has been told.
    ended: bool,
    /// Everything has been told and nothing will follow.
    cleared: bool,
    /// The host has everything back that was its own.
    released: bool,
    /// The thread that calls back, once there was something to tell.
    dispatcher: Option<ThreadId>,
    /// The thread that is polling.
    poller: Option<ThreadId>,
}

/// A plain operation on its way.
struct Waiting {
    /// The caller's.
    token: u64,
    /// The watch that it leaves.
    watch: Option<u64>,
}

/// Who is told of results.
pub(crate) struct Completion {
    function: CompletionFn,
    pub(crate) user: User,
}

impl Client {
    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this client's owner polls.
    fn flag(&self) -> Option<&Flag> {
        match &*self.bell {
            Bell::Flag(flag) => Some(flag),
            Bell::Thread { .. } => None,
        }
    }

    /// The desk, if something new can be taken on that will be told.
    fn desk(self: &Arc<Self>) -> Result<MutexGuard<'_, Desk>, Fault> {
        let mut desk = self.lock();
        if desk.closing {
            return Err(Error::new(QUORATE_CLOSING, "the client is closed"));
        }
        if desk.dispatcher.is_none() && self.flag().is_none() {
            desk.dispatcher = Some(self.start_dispatcher()?);
        }
        Ok(desk)
    }

    /// Sees to it that something can be told.
    pub(crate) fn will_tell(self: &Arc<Self>) -> Result<(), Fault> {
        self.desk().map(drop)
    }

    /// Who is told of results, as long as somebody is.
    fn completion(&self) -> Option<Arc<Completion>> {
        self.completion.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn take_completion(&self) -> Option<Arc<Completion>> {
        self.completion.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Refuses results that nobody would take.
    fn expects_results(&self) -> Result<(), Fault> {
        let is_told = self.completion().is_some_and(|it| it.function.is_some());
        if is_told || self.flag().is_some() {
            return Ok(());
        }
        Err(Error::argument("the client was opened neither polled nor with a completion function"))
    }

    /// Submits a plain operation, whose result will be told with the caller's token.
    pub(crate) fn submit(
        self: &Arc<Self>,
        token: u64,
        watch: Option<u64>,
        request: &Request<'_>,
    ) -> Result<(), Fault> {
        self.expects_results()?;
        let mut desk = self.desk()?;
        let key = desk.waiting.insert(Waiting { token, watch });
        drop(desk);
        let number = u64::try_from(key).unwrap_or(u64::MAX);
        self.core.submit_to(&self.inbox, request, number).map_err(|error| {
            self.strike_out(key);
            error.into()
        })
    }

    /// Takes back an operation of which nothing will be told. It may be the last thing that the client's end has waited for.
    fn strike_out(&self, key: usize) {
        self.lock().waiting.try_remove(key);
        self.bell.ring();
    }

    /// Runs a call whose result will be told with the caller's token.
    pub(crate) fn run(
        self: &Arc<Self>,
        token: u64,
        future: impl Future<Output = Result<Answer, Fault>> + Send + 'static,
    ) -> Result<quorate_bridge::Call, Fault> {
        self.expects_results()?;
        self.run_told(future, move |outcome| What::Result(token, delivery::settled(outcome)))
    }

    /// Runs a call of which something is to be told.
    pub(crate) fn run_told<T: Send + 'static>(
        self: &Arc<Self>,
        future: impl Future<Output = T> + Send + 'static,
        tell: impl FnOnce(Outcome<T>) -> What + Send + 'static,
    ) -> Result<quorate_bridge::Call, Fault> {
        self.desk()?.calls += 1;
        let done = |outcome| Told { counted: true, what: tell(outcome) };
        Ok(self.calls.spawn(&**self.core.environment(), future, done))
    }

    /// Tells something on the way.
    pub(crate) fn teller(&self) -> Calls<Told> {
        self.calls.clone()
    }

    /// Gives something of this client's a handle that ends with the client.
    pub(crate) fn adopt<H: Handled>(&self, object: Arc<H>) -> Result<u64, Fault> {
        let handle = objects::insert(object)?;
        let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        // Who comes after the end has to close it by itself.
        if !self.lock().cleared {
            children.insert(handle);
        }
        Ok(handle)
    }

    /// A handle has ended before its client.
    pub(crate) fn disown(&self, handle: u64) {
        self.children.lock().unwrap_or_else(PoisonError::into_inner).remove(&handle);
    }
}

/// Waits for `future` on this thread, for so many milliseconds; without limit for a negative number.
pub(crate) fn wait<F: Future>(limit: i64, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    // What a server in this process has answered already needs neither a waker nor a clock.
    if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        return Some(value);
    }
    match quorate_bridge::wait(future, duration(limit), LONG, || false) {
        Waited::Done(value) => Some(value),
        Waited::TimedOut | Waited::Interrupted => None,
    }
}

/// The same for an operation, which fails when the time is over.
pub(crate) fn wait_for<T: Into<Answer>>(
    limit: i64,
    (operation, path, writes): (&str, &str, bool),
    future: impl Future<Output = client::Result<T>>,
) -> Result<Answer, Fault> {
    match wait(limit, future) {
        Some(result) => Ok(result?.into()),
        None => {
            let mut fault = timed_out(limit, operation, path);
            fault.outcome_unknown = writes;
            Err(fault)
        }
    }
}

/// What a call fails with whose time is over.
pub(crate) fn timed_out(limit: i64, operation: &str, path: &str) -> Fault {
    let message = format!("not done within {limit} ms");
    Error::during(QUORATE_TIMED_OUT, operation, path, &message)
}

/// A time limit as C says it; `None` for none.
pub(crate) fn duration(limit: i64) -> Option<Duration> {
    u64::try_from(limit).ok().map(Duration::from_millis)
}

/// How long a thread sleeps at most before it looks again whether it has been woken.
const LONG: Duration = Duration::from_secs(3600);
