//! Telling the host: on a thread of the client's own, or when it polls.

#![allow(unsafe_code, reason = "exported symbols")]

use super::Client;
use crate::answer::{Answer, Laid, Outcome};
use crate::boundary;
use crate::fault::{Error, Fault};
use crate::handles::ClientHandle;
use crate::input::{self, Out};
use crate::objects;
use crate::status::{
    QUORATE_BUSY, QUORATE_CANCELLED, QUORATE_CLOSED, QUORATE_INVALID_ARGUMENT, QUORATE_PANICKED,
};
use crate::system::{Flag, without_signals};
use crate::watch::Watch;
use quorate::client::{Completion, Notice};
use quorate_bridge::{Outcome as Ended, guarded};
use std::collections::VecDeque;
use std::ffi::c_void;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::thread::ThreadId;

/// How the host is woken.
pub(crate) enum Bell {
    /// A thread of ours calls back.
    Thread { rung: Mutex<bool>, bell: Condvar },
    /// The host polls, and sees by this that it should.
    Flag(Flag),
}

impl Bell {
    pub(super) fn ring(&self) {
        match self {
            Self::Thread { rung, bell } => {
                *rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
                bell.notify_one();
            }
            Self::Flag(flag) => flag.raise(),
        }
    }

    fn wait(&self) {
        if let Self::Thread { rung, bell } = self {
            let rung = rung.lock().unwrap_or_else(PoisonError::into_inner);
            let woken = bell.wait_while(rung, |rung| !*rung);
            *woken.unwrap_or_else(PoisonError::into_inner) = false;
        }
    }
}

/// Something to be told.
pub(crate) struct Told {
    /// Whether the desk waits for it.
    pub(crate) counted: bool,
    pub(crate) what: What,
}

/// What is to be told.
pub(crate) enum What {
    /// The result of a call, with the caller's token.
    Result(u64, Result<Answer, Fault>),
    /// Whatever it takes to tell it.
    Callback(Box<dyn FnOnce() + Send>),
}

/// What is told, in order.
#[allow(clippy::large_enum_variant, reason = "nearly all of them are results")]
enum Item {
    Result(Laid),
    Event(Arc<Watch>, Notice),
    Callback(Box<dyn FnOnce() + Send>),
}

/// What was taken and not told yet, and what was told last.
#[derive(Default)]
pub(crate) struct Backlog {
    items: VecDeque<Item>,
    told: Vec<Laid>,
}

/// The result of a call that has ended in one way or another.
pub(crate) fn settled(outcome: Ended<Result<Answer, Fault>>) -> Result<Answer, Fault> {
    match outcome {
        Ended::Done(result) => result,
        Ended::Cancelled => Err(Error::new(QUORATE_CANCELLED, "the call was cancelled")),
        Ended::Panicked(message) => {
            Err(Error::new(QUORATE_PANICKED, format!("a defect of this library: {message}")))
        }
    }
}

impl Client {
    /// Starts the thread that calls back.
    pub(super) fn start_dispatcher(self: &Arc<Self>) -> Result<ThreadId, Fault> {
        let client = Arc::clone(self);
        let dispatch = move || {
            let mut items = VecDeque::new();
            // A panic costs what it was about; the rest is told, and the client can only be closed any more.
            loop {
                match guarded(|| client.dispatch(&mut items)) {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(_panic) => client.poison(),
                }
            }
        };
        let builder = std::thread::Builder::new().name("quorate-callback".to_owned());
        let thread = without_signals(|| builder.spawn(dispatch))?;
        Ok(thread.thread().id())
    }

    /// Tells what there is, or waits for more. False when there will be no more, and everything was let go of.
    fn dispatch(&self, items: &mut VecDeque<Item>) -> bool {
        let is_over = self.is_over();
        self.gather(items);
        if !items.is_empty() {
            self.call_back(items);
        } else if is_over {
            self.clear();
            return false;
        } else {
            self.bell.wait();
        }
        true
    }

    /// Leaves nothing to be done with this client but to close it.
    fn poison(&self) {
        if let Some(handle) = self.handle.get() {
            objects::poison::<Self>(*handle);
        }
    }

    /// Takes everything that is to be told.
    fn gather(&self, items: &mut VecDeque<Item>) {
        for completion in self.inbox.take() {
            match completion {
                Completion::Done { token, result } => self.gather_result(token, result, items),
                Completion::Event { token, notice } => {
                    if let Some(watch) = self.watch_of(token, &notice) {
                        items.push_back(Item::Event(watch, notice));
                    }
                }
            }
        }
        for Told { counted, what } in self.calls.queue().take() {
            if counted {
                self.lock().calls -= 1;
            }
            items.push_back(match what {
                What::Result(token, result) => {
                    if result.as_ref().is_err_and(|fault| fault.status == QUORATE_PANICKED) {
                        self.poison();
                    }
                    Item::Result(Laid::new(result, token))
                }
                What::Callback(callback) => Item::Callback(callback),
            });
        }
    }

    fn gather_result(
        &self,
        key: u64,
        result: quorate::client::Result<quorate::client::Reply>,
        items: &mut VecDeque<Item>,
    ) {
        let key = usize::try_from(key).ok();
        let Some(waiting) = key.and_then(|key| self.lock().waiting.try_remove(key)) else { return };
        let mut result = result.map(Answer::from).map_err(Fault::from);
        if let Some(token) = waiting.watch {
            match &mut result {
                Ok(answer) => answer.handle = self.watch_handle(token),
                Err(_) => self.forget_watch(token),
            }
        }
        items.push_back(Item::Result(Laid::new(result, waiting.token)));
    }

    /// Calls back for everything that was taken.
    fn call_back(&self, items: &mut VecDeque<Item>) {
        let completion = self.completion();
        let mut batch = Vec::new();
        let tell = |batch: &mut Vec<Laid>| {
            if let Some(completion) = &completion
                && let Some(function) = completion.function
                && !batch.is_empty()
            {
                let pointers: Vec<_> =
                    batch.iter().map(|laid| std::ptr::from_ref(laid.outcome())).collect();
                completion.user.complete(function, &pointers);
            }
            batch.clear();
        };
        while let Some(item) = items.pop_front() {
            match item {
                Item::Result(laid) => batch.push(laid),
                Item::Event(watch, notice) => {
                    tell(&mut batch);
                    watch.tell(&notice);
                }
                Item::Callback(callback) => {
                    tell(&mut batch);
                    callback();
                }
            }
        }
        tell(&mut batch);
    }

    /// Tells the states of the session from now on.
    pub(super) fn tell_states(
        self: &Arc<Self>,
        function: unsafe extern "C" fn(*mut c_void, i32),
    ) -> Result<(), Fault> {
        let (mut states, teller) = (self.core.states(), self.teller());
        let client = Arc::downgrade(self);
        let tell = move |state| {
            let (client, state) = (Weak::clone(&client), super::session::state_number(state));
            let callback = Box::new(move || {
                if let Some(completion) = client.upgrade().and_then(|client| client.completion()) {
                    completion.user.tell(function, state);
                }
            });
            teller.queue().push(Told { counted: false, what: What::Callback(callback) });
        };
        let watch = async move {
            if states.current() != quorate::client::State::Connecting {
                tell(states.current());
            }
            while let Some(state) = states.next().await {
                tell(state);
            }
        };
        // The client is not over until its last state has been told.
        self.run_told(watch, |_| What::Callback(Box::new(|| {})))?;
        Ok(())
    }

    fn poll(&self, limit: i64, out: &mut [*const Outcome]) -> Result<usize, Fault> {
        let Some(flag) = self.flag() else {
            return Err(Error::argument("the client was not opened as a polled one"));
        };
        let Some(mut backlog) = self.backlog_of_who_polls() else {
            return Err(Error::new(QUORATE_BUSY, "the client is being polled"));
        };
        let poller = Some(std::thread::current().id());
        self.lock().poller = poller;
        let Backlog { items, told } = &mut *backlog;
        told.clear();
        let is_over = self.is_over();
        if items.is_empty() && !is_over {
            flag.wait(limit);
        }
        flag.lower();
        // What is left in the inbox counts there, so that a host which polls too slowly is refused more requests.
        if items.is_empty() {
            self.gather(items);
        }
        while told.len() < out.len()
            && let Some(item) = items.pop_front()
        {
            match item {
                Item::Result(laid) => told.push(laid),
                Item::Event(watch, notice) => watch.tell(&notice),
                Item::Callback(callback) => callback(),
            }
        }
        if !(items.is_empty() && self.inbox.is_empty() && self.calls.queue().is_empty()) {
            flag.raise();
        }
        for (place, laid) in out.iter_mut().zip(told.iter()) {
            *place = std::ptr::from_ref(laid.outcome());
        }
        let (count, is_empty) = (told.len(), items.is_empty());
        drop(backlog);
        self.lock().poller = None;
        if count == 0 && is_empty && is_over {
            self.clear();
            return Err(Error::new(QUORATE_CLOSED, "the client is closed"));
        }
        Ok(count)
    }
}

/// The descriptor that is readable when quorate_client_poll has something to do: for select, poll, epoll. It belongs to the client and must
/// only be waited on.
///
/// From any thread, also in a callback; does not block. QUORATE_INVALID_ARGUMENT for a client that is not polled.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_client_poll_fd(client: ClientHandle, fd: *mut i32) -> i32 {
    boundary::on::<Client>(client, |client| {
        let fd = Out::new(fd, -1, "the place for the descriptor")?;
        let flag = client.flag().ok_or_else(|| {
            Error::new(QUORATE_INVALID_ARGUMENT, "the client was not opened as a polled one")
        })?;
        fd.set(flag.number());
        Ok(())
    })
}

/// Takes results of a polled client, `capacity` of them at most, and calls its callbacks. `results` are pointers to the library's memory: they
/// are good until the next call for this client. Waits up to `timeout_ms` milliseconds for something to do; 0 does not wait, a
/// negative number waits without limit. That nothing was there is no error: `count` is 0.
///
/// From any thread, one at a time (QUORATE_BUSY), and not in the client's own callbacks (QUORATE_BUSY). After quorate_client_close it
/// goes on until everything is told, and then says QUORATE_CLOSED.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_client_poll(
    client: ClientHandle,
    timeout_ms: i64,
    results: *mut *const Outcome,
    capacity: usize,
    count: *mut usize,
) -> i32 {
    let handle = client;
    boundary::closing::<Client>(handle, |client| {
        // After a panic, only who closes a client may still poll it.
        if !client.is_closing() {
            objects::get::<Client>(handle)?;
        }
        let count = Out::new(count, 0, "the place for the count")?;
        let results = input::places(results, capacity, "the place for results")?;
        if results.is_empty() {
            return Err(Error::argument("there must be room for one result"));
        }
        count.set(client.poll(timeout_ms, results)?);
        Ok(())
    })
}

impl Client {
    /// Whether the session is over and nothing new can come: what is not in the queues yet never will be.
    pub(super) fn is_over(&self) -> bool {
        let desk = self.lock();
        desk.ended && desk.calls == 0 && desk.waiting.is_empty()
    }

    /// Whether no result of a call and nothing taken before waits for who polls.
    pub(super) fn queues_are_empty(&self) -> bool {
        self.calls.queue().is_empty()
            && self.backlog_of_who_polls().is_some_and(|backlog| backlog.items.is_empty())
    }

    /// The backlog, unless somebody else has it.
    fn backlog_of_who_polls(&self) -> Option<MutexGuard<'_, Backlog>> {
        match self.backlog.try_lock() {
            Ok(backlog) => Some(backlog),
            // Whatever has panicked there, items are taken out one by one.
            Err(TryLockError::Poisoned(backlog)) => Some(backlog.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Whether its owner has closed it.
    fn is_closing(&self) -> bool {
        self.lock().closing
    }

    /// Lets go of everything, when everything has been told.
    pub(super) fn clear(&self) {
        let cleared = std::mem::replace(&mut self.lock().cleared, true);
        if !cleared {
            self.let_go();
            self.lock().released = true;
            self.cleared.notify_all();
        }
    }

    /// Lets go of everything that was the host's.
    fn let_go(&self) {
        drop(self.take_completion());
        let children =
            std::mem::take(&mut *self.children.lock().unwrap_or_else(PoisonError::into_inner));
        for child in children {
            objects::discard(child);
        }
        let watches =
            std::mem::take(&mut *self.watches.lock().unwrap_or_else(PoisonError::into_inner));
        drop(watches);
        if self.flag().is_some()
            && let Some(handle) = self.handle.get()
        {
            objects::discard(*handle);
        }
    }
}
