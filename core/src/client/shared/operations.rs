//! Requests: how they are handed in, and how their results are waited for.

use super::super::completion::Inbox;
use super::super::error::{Error, Result};
use super::super::spans;
use super::Shared;
use super::locked::{Core, Slot, number};
use quorate_engine::client::{ClientSession, Refused, Reply, Request, WatchKey};
use std::sync::Arc;
use std::task::{Poll, Waker};
use tracing::Span;

impl Shared {
    /// Submits a request whose result waits in a slot.
    pub(in crate::client) fn submit(&self, root: &str, request: &Request<'_>) -> Result<usize> {
        let span = spans::operation(request);
        self.with(|core| {
            let key = core.ops.insert(Slot::Waiting(None));
            core.submit(root, request, key, span)
        })
    }

    /// The same, if the session of this number still lives.
    pub(in crate::client) fn submit_in(
        &self,
        generation: u64,
        root: &str,
        request: &Request<'_>,
    ) -> Result<usize> {
        // Looks at the clock.
        self.generation();
        let span = spans::operation(request);
        self.with(|core| {
            if core.generation != generation && !core.is_inherited {
                let (what, path) = (request.op().name(), request.path());
                return Err(Error::new(quorate_wire::ErrorCode::SessionExpired, what, path));
            }
            let key = core.ops.insert(Slot::Waiting(None));
            core.submit(root, request, key, span)
        })
    }

    /// Submits a request that leaves a watch: answers the keys of the operation and of the watch.
    pub(in crate::client) fn submit_watch<'a>(
        &self,
        root: &str,
        request: impl Fn(WatchKey) -> Request<'a>,
    ) -> Result<(usize, WatchKey)> {
        let span = spans::operation(&request(0));
        self.with(|core| {
            let watch = core.watches.insert(None);
            let key = core.ops.insert(Slot::Waiting(None));
            let submitted = core.submit(root, &request(watch), key, span);
            if submitted.is_err() {
                core.watches.remove(watch);
            }
            submitted.map(|key| (key, watch))
        })
    }

    /// Submits a request whose result goes to a batch of completions.
    pub(in crate::client) fn submit_queued(
        &self,
        root: &str,
        request: &Request<'_>,
        inbox: &Arc<Inbox>,
        token: u64,
    ) -> Result<()> {
        let span = spans::operation(request);
        self.with(|core| {
            let watch = request.watch_key();
            let known = watch.is_none_or(|watch| core.watches.get_mut(watch).is_some());
            if !known && !core.is_inherited {
                let (what, path) = (request.op().name(), request.path());
                return Err(Error::new(quorate_wire::ErrorCode::NoWatcher, what, path)
                    .with_detail("the watch of this key is over"));
            }
            let untaken = inbox.untaken(core.number);
            let key = core.ops.insert(Slot::Queued { inbox: Arc::clone(inbox), token, watch });
            core.submit_beside(untaken, root, request, key, span).map(drop)
        })
    }

    /// Adds credentials; the result waits in a slot.
    pub(in crate::client) fn authenticate(&self, scheme: &str, secret: &[u8]) -> Result<usize> {
        self.with(|core| {
            let key = core.ops.insert(Slot::Waiting(None));
            core.accepted(core_auth(key, scheme, secret), quorate_wire::OpCode::Auth, "", key)
        })
    }

    /// Begins to close; the result waits in a slot.
    pub(in crate::client) fn close(&self, give_up_at: i64) -> Result<usize> {
        self.with(|core| {
            let key = core.ops.insert(Slot::Waiting(None));
            let close = move |session: &mut ClientSession| session.close(give_up_at, number(key));
            core.accepted(close, quorate_wire::OpCode::CloseSession, "", key)
        })
    }

    /// The result, when it is there, as `read` understands it, which is called without the lock.
    pub(in crate::client) fn poll_op<T>(
        &self,
        key: usize,
        waker: &Waker,
        read: impl FnOnce(Reply) -> Result<T>,
    ) -> Poll<Result<T>> {
        let mut core = self.lock();
        if core.is_inherited {
            return Poll::Ready(Err(Error::after_fork("operation", "")));
        }
        match core.ops.get_mut(key) {
            Some(Slot::Waiting(slot)) => {
                match slot {
                    Some(old) => old.clone_from(waker),
                    None => *slot = Some(waker.clone()),
                }
                Poll::Pending
            }
            Some(Slot::Done(_)) => {
                let slot = core.claim(key);
                drop(core);
                Poll::Ready(match slot {
                    Slot::Done(Ok(reply)) => read(reply),
                    Slot::Done(Err(failure)) => Err(Error::failed(failure)),
                    _ => Err(Error::unexpected("operation")),
                })
            }
            _ => Poll::Ready(Err(Error::unexpected("operation"))),
        }
    }

    /// Nobody wants the result any more. The operation itself cannot be taken back.
    pub(in crate::client) fn abandon_op(&self, key: usize) {
        let mut core = self.lock();
        let slot = match core.ops.get_mut(key) {
            Some(slot @ Slot::Waiting(_)) => Some(std::mem::replace(slot, Slot::Abandoned)),
            Some(Slot::Done(_)) => Some(core.claim(key)),
            _ => None,
        };
        drop(core);
        // Outside of the lock: a waker may be the last of a task, with whatever that holds.
        drop(slot);
    }

    /// Waits until there is room for another request, and fewer than `low` are in flight.
    pub(in crate::client) fn poll_ready(&self, low: usize, waker: &Waker) -> Poll<()> {
        let mut core = self.lock();
        if core.is_inherited || (core.session.in_flight() < low && core.session.has_room()) {
            return Poll::Ready(());
        }
        enlist(&mut core.crowd, waker);
        Poll::Pending
    }
}

impl Core {
    fn submit(
        &mut self,
        root: &str,
        request: &Request<'_>,
        key: usize,
        span: Option<Span>,
    ) -> Result<usize> {
        self.submit_beside((0, 0), root, request, key, span)
    }

    fn submit_beside(
        &mut self,
        untaken: (usize, usize),
        root: &str,
        request: &Request<'_>,
        key: usize,
        span: Option<Span>,
    ) -> Result<usize> {
        let token = number(key);
        self.untaken = untaken.0;
        let submit =
            |session: &mut ClientSession| session.submit_beside(untaken, root, request, token);
        self.accepted(submit, request.op(), request.path(), key)?;
        if let Some(span) = span {
            self.spans.insert(key, span);
        }
        Ok(key)
    }

    fn accepted(
        &mut self,
        submit: impl FnOnce(&mut ClientSession) -> std::result::Result<(), Refused>,
        op: quorate_wire::OpCode,
        path: &str,
        key: usize,
    ) -> Result<usize> {
        if let Some(meter) = &mut self.meter {
            meter.begin(key, op);
        }
        submit(&mut self.session).map(|()| key).map_err(|why| {
            self.ops.try_remove(key);
            if self.is_inherited {
                return Error::after_fork(op.name(), path);
            }
            Error::refused(why, op, path)
        })
    }

    fn claim(&mut self, key: usize) -> Slot {
        self.unclaimed = self.unclaimed.saturating_sub(1);
        self.ops.remove(key)
    }
}

/// Remembers a waker, once.
fn enlist(list: &mut Vec<Waker>, waker: &Waker) {
    if !list.iter().any(|other| other.will_wake(waker)) {
        list.push(waker.clone());
    }
}

fn core_auth(
    key: usize,
    scheme: &str,
    secret: &[u8],
) -> impl FnOnce(&mut ClientSession) -> std::result::Result<(), Refused> {
    move |session| session.authenticate(scheme, secret, number(key))
}
