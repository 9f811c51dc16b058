//! [`Registrar`]: answers to the registrations of watches, for threads that wait for them.
//!
//! The events of a watch go to its client's inbox, where only who calls back takes anything out; an answer that a thread waits for has to come
//! another way.

use crate::client::Client;
use quorate::client::{Completion, Inbox, Reply, Request, Result};
use slab::Slab;
use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Waker};

/// Where registrations wait for their answers.
pub(crate) struct Registrar {
    inbox: Arc<Inbox>,
    slots: Arc<Mutex<Slab<Slot>>>,
}

enum Slot {
    Waiting(Option<Waker>),
    Answered(Result<Reply>),
    /// Who waited has gone.
    Abandoned,
}

impl Registrar {
    pub(crate) fn new() -> Arc<Self> {
        let slots = Arc::new(Mutex::new(Slab::new()));
        let answered = Arc::clone(&slots);
        let inbox = Arc::new_cyclic(|inbox: &Weak<Inbox>| {
            let inbox = Weak::clone(inbox);
            Inbox::new(Some(Box::new(move || {
                if let Some(inbox) = inbox.upgrade() {
                    inbox.take().into_iter().for_each(|done| answer(&answered, done));
                }
            })))
        });
        Arc::new(Self { inbox, slots })
    }

    /// Submits a request and answers what waits for its answer.
    pub(crate) fn register(
        &self,
        client: &Client,
        request: &Request<'_>,
    ) -> Result<impl Future<Output = Result<Reply>> + use<>> {
        let key = lock(&self.slots).insert(Slot::Waiting(None));
        let token = u64::try_from(key).unwrap_or(u64::MAX);
        if let Err(error) = client.core.submit_to(&self.inbox, request, token) {
            lock(&self.slots).try_remove(key);
            return Err(error);
        }
        let wait = Wait { slots: Arc::clone(&self.slots), key };
        Ok(async move { poll_fn(|context| wait.poll(context.waker())).await })
    }
}

fn answer(slots: &Mutex<Slab<Slot>>, completion: Completion) {
    let Completion::Done { token, result } = completion else { return };
    let Ok(key) = usize::try_from(token) else { return };
    let mut slots = lock(slots);
    let waker = match slots.get_mut(key) {
        Some(slot @ Slot::Waiting(_)) => match std::mem::replace(slot, Slot::Answered(result)) {
            Slot::Waiting(waker) => waker,
            _ => None,
        },
        Some(Slot::Abandoned) => {
            slots.try_remove(key);
            None
        }
        _ => None,
    };
    drop(slots);
    if let Some(waker) = waker {
        waker.wake();
    }
}

fn lock(slots: &Mutex<Slab<Slot>>) -> MutexGuard<'_, Slab<Slot>> {
    slots.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A wait for an answer.
struct Wait {
    slots: Arc<Mutex<Slab<Slot>>>,
    key: usize,
}

impl Wait {
    fn poll(&self, waker: &Waker) -> Poll<Result<Reply>> {
        let mut slots = lock(&self.slots);
        match slots.get_mut(self.key) {
            Some(Slot::Waiting(known)) => {
                *known = Some(waker.clone());
                Poll::Pending
            }
            Some(slot) => match std::mem::replace(slot, Slot::Abandoned) {
                Slot::Answered(result) => Poll::Ready(result),
                _ => Poll::Pending,
            },
            None => Poll::Pending,
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut slots = lock(&self.slots);
        match slots.get_mut(self.key) {
            Some(slot @ Slot::Waiting(_)) => *slot = Slot::Abandoned,
            _ => drop(slots.try_remove(self.key)),
        }
    }
}
