//! The session between its users and its driver, behind one lock.
//!
//! A user's thread encodes its request here and goes on; the driver's thread takes bytes and commands out and hands
//! in what the server sent. Whoever causes an effect carries it out at once: results go to the slots of their
//! futures, events to the queues of their watches. Wakers are called after the lock is released.
//!
//! **Architecture Invariant:** requests are ordered by the calls that made them, not by the first poll of a future.

mod watches;

use self::watches::{Place, Places, Subscription};
use super::completion::Inbox;
use super::environment::Environment;
use super::error::{Error, Result};
use quorate_engine::client::{
    ClientSession, Counters, Effect, Failure, Identity, Notice, Refused, Reply, Request, Settings,
    State, WatchKey,
};
use slab::Slab;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// One session for all its handles.
#[derive(Debug)]
pub(super) struct Shared {
    core: Mutex<Core>,
    pub(super) environment: Arc<dyn Environment>,
    /// Events that a watch may hold until its owner takes them.
    pub(super) watch_limit: usize,
}

/// What the lock guards.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) session: ClientSession,
    ops: Slab<Slot>,
    watches: Places,
    /// Inboxes' watches that may be over: to be looked at when everything that is to be told is told.
    doubtful: Vec<WatchKey>,
    listeners: Slab<Listener>,
    /// Who waits for the end of the present session.
    mourners: Slab<Waker>,
    /// Who waits for room.
    crowd: Vec<Waker>,
    pub(super) commands: VecDeque<Command>,
    /// How many sessions have ended. A thing held under one number is lost when the number is another.
    generation: u64,
    /// Whether the driver knows that there is something to do.
    driver_called: bool,
    /// Whether the connection takes no more bytes: it will call the driver by itself.
    blocked: bool,
    /// Results that nobody has taken yet: more than none when requests are pipelined.
    unclaimed: usize,
}

/// What the driver has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Drop the connection, if any, and open one to the server of this index.
    Connect {
        /// Names the connection in reports.
        attempt: u64,
        /// Index into the list of servers.
        server: usize,
    },
    /// Close the connection.
    Disconnect {
        /// The connection.
        attempt: u64,
    },
    /// Ask a server, on a connection of its own, whether it takes writes.
    Probe {
        /// Index into the list of servers.
        server: usize,
    },
}

/// An operation's place.
#[derive(Debug)]
enum Slot {
    Waiting(Option<Waker>),
    Done(std::result::Result<Reply, Failure>),
    /// Nobody wants the result.
    Abandoned,
    /// The result goes to a batch of completions.
    Queued {
        inbox: Arc<Inbox>,
        token: u64,
        /// The watch that the request registers.
        watch: Option<WatchKey>,
    },
}

#[derive(Debug, Default)]
struct Listener {
    queue: VecDeque<State>,
    waker: Option<Waker>,
}

/// Whom to call when the lock is released.
#[derive(Default)]
struct Wakers {
    tasks: Vec<Waker>,
    /// Inboxes that were empty before.
    inboxes: Vec<Arc<Inbox>>,
    /// What may be the last of an inbox, and so of whatever its owner has put into its call.
    released: Vec<Arc<Inbox>>,
    /// The same for watches.
    ended: Vec<Place>,
}

impl Wakers {
    fn inbox(&mut self, inbox: Arc<Inbox>, was_empty: bool) {
        if was_empty { self.inboxes.push(inbox) } else { self.released.push(inbox) }
    }

    fn call(self) {
        self.tasks.into_iter().for_each(Waker::wake);
        self.inboxes.iter().for_each(|inbox| inbox.call());
    }
}

impl Shared {
    pub(super) fn new(
        settings: Settings,
        sasl: Option<Box<dyn quorate_engine::client::Mechanism>>,
        watch_limit: usize,
        environment: Arc<dyn Environment>,
    ) -> Arc<Self> {
        let (seed, now) = (environment.random(), environment.now());
        let core = Core {
            session: ClientSession::new(settings, sasl, seed, now),
            ops: Slab::new(),
            watches: Places::default(),
            doubtful: Vec::new(),
            listeners: Slab::new(),
            mourners: Slab::new(),
            crowd: Vec::new(),
            commands: VecDeque::new(),
            generation: 0,
            driver_called: true,
            blocked: false,
            unclaimed: 0,
        };
        Arc::new(Self { core: Mutex::new(core), environment, watch_limit: watch_limit.max(1) })
    }

    /// Runs `work` on the session and carries out what follows from it.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Core) -> T) -> T {
        let mut core = self.lock();
        let result = work(&mut core);
        let mut wakers = Wakers::default();
        core.settle(self.watch_limit, &mut wakers);
        let call_driver = !core.driver_called && core.has_work();
        core.driver_called |= call_driver;
        drop(core);
        wakers.call();
        if call_driver {
            self.environment.wake();
        }
        result
    }

    /// The same for the driver, which sees for itself what there is to do.
    pub(super) fn with_driver<T>(&self, work: impl FnOnce(&mut Core) -> T) -> T {
        let mut core = self.lock();
        core.driver_called = true;
        let mut wakers = Wakers::default();
        let result = work(&mut core);
        core.settle(self.watch_limit, &mut wakers);
        drop(core);
        wakers.call();
        result
    }

    /// The driver is about to sleep until it is called. Answers false when there is something to do first. While the connection
    /// takes no more, output is nothing to do.
    pub(super) fn rest(&self, takes_output: bool) -> bool {
        let mut core = self.lock();
        core.blocked = !takes_output;
        core.driver_called = core.has_work();
        !core.driver_called
    }

    /// Moves the only request that is under way to `out`, if there is just one and nothing for the driver to decide.
    pub(super) fn take_lonely_output(&self, out: &mut Vec<u8>) -> bool {
        let now = self.environment.now();
        let mut core = self.lock();
        if core.unclaimed > 0 || core.session.in_flight() != 1 || !core.commands.is_empty() {
            return false;
        }
        core.session.output(now, out, usize::MAX);
        !out.is_empty()
    }

    /// Submits a request whose result waits in a slot.
    pub(super) fn submit(&self, root: &str, request: &Request<'_>) -> Result<usize> {
        self.with(|core| {
            let key = core.ops.insert(Slot::Waiting(None));
            core.submit(root, request, key)
        })
    }

    /// The same, if the session of this number still lives.
    pub(super) fn submit_in(
        &self,
        generation: u64,
        root: &str,
        request: &Request<'_>,
    ) -> Result<usize> {
        // Looks at the clock.
        self.generation();
        self.with(|core| {
            if core.generation != generation {
                let (what, path) = (request.op().name(), request.path());
                return Err(Error::new(quorate_wire::ErrorCode::SessionExpired, what, path));
            }
            let key = core.ops.insert(Slot::Waiting(None));
            core.submit(root, request, key)
        })
    }

    /// Submits a request that leaves a watch: answers the keys of the operation and of the watch.
    pub(super) fn submit_watch<'a>(
        &self,
        root: &str,
        request: impl FnOnce(WatchKey) -> Request<'a>,
    ) -> Result<(usize, WatchKey)> {
        self.with(|core| {
            let watch = core.watches.insert(None);
            let key = core.ops.insert(Slot::Waiting(None));
            let submitted = core.submit(root, &request(watch), key);
            if submitted.is_err() {
                core.watches.remove(watch);
            }
            submitted.map(|key| (key, watch))
        })
    }

    /// Submits a request whose result goes to a batch of completions.
    pub(super) fn submit_queued(
        &self,
        root: &str,
        request: &Request<'_>,
        inbox: &Arc<Inbox>,
        token: u64,
    ) -> Result<()> {
        self.with(|core| {
            let watch = request.watch_key();
            if watch.is_some_and(|watch| core.watches.get_mut(watch).is_none()) {
                let (what, path) = (request.op().name(), request.path());
                return Err(Error::new(quorate_wire::ErrorCode::NoWatcher, what, path)
                    .with_detail("the watch of this key is over"));
            }
            let key = core.ops.insert(Slot::Queued { inbox: Arc::clone(inbox), token, watch });
            core.submit(root, request, key).map(drop)
        })
    }

    /// A watch whose events go to a batch of completions; `once` for one event only.
    pub(super) fn queued_watch(&self, inbox: &Arc<Inbox>, token: u64, once: bool) -> WatchKey {
        let subscription = Subscription { inbox: Arc::clone(inbox), token, once, told: None };
        self.lock().watches.insert(Some(subscription))
    }

    /// Adds credentials; the result waits in a slot.
    pub(super) fn authenticate(&self, scheme: &str, secret: &[u8]) -> Result<usize> {
        self.with(|core| {
            let key = core.ops.insert(Slot::Waiting(None));
            core.accepted(core_auth(key, scheme, secret), quorate_wire::OpCode::Auth, "", key)
        })
    }

    /// Begins to close; the result waits in a slot.
    pub(super) fn close(&self, give_up_at: i64) -> Result<usize> {
        self.with(|core| {
            let key = core.ops.insert(Slot::Waiting(None));
            let close = move |session: &mut ClientSession| session.close(give_up_at, number(key));
            core.accepted(close, quorate_wire::OpCode::CloseSession, "", key)
        })
    }

    pub(super) fn poll_op(&self, key: usize, waker: &Waker) -> Poll<Result<Reply>> {
        let mut core = self.lock();
        match core.ops.get_mut(key) {
            Some(Slot::Waiting(slot)) => {
                match slot {
                    Some(old) => old.clone_from(waker),
                    None => *slot = Some(waker.clone()),
                }
                Poll::Pending
            }
            Some(Slot::Done(_)) => match core.claim(key) {
                Slot::Done(result) => Poll::Ready(result.map_err(Error::failed)),
                _ => Poll::Ready(Err(Error::unexpected("operation"))),
            },
            _ => Poll::Ready(Err(Error::unexpected("operation"))),
        }
    }

    /// Nobody wants the result any more. The operation itself cannot be taken back.
    pub(super) fn abandon_op(&self, key: usize) {
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

    pub(super) fn poll_watch(&self, key: WatchKey, waker: &Waker) -> Poll<Notice> {
        let mut core = self.lock();
        let Some(slot) = core.watches.get_mut(key) else {
            return Poll::Ready(Notice::Ended(quorate_wire::ErrorCode::NoWatcher));
        };
        if let Some(notice) = slot.queue.pop_front() {
            return Poll::Ready(notice);
        }
        if std::mem::take(&mut slot.missed) {
            return Poll::Ready(Notice::Missed);
        }
        let old = slot.waker.replace(waker.clone());
        drop(core);
        drop(old);
        Poll::Pending
    }

    /// Nobody listens to a watch any more.
    pub(super) fn drop_watch(&self, key: WatchKey) {
        let slot = self.with(|core| {
            let slot = core.watches.remove(key)?;
            core.session.unwatch(key);
            Some(slot)
        });
        drop(slot);
    }

    /// A listener, and the state that it starts from.
    pub(super) fn listen(&self) -> (usize, State) {
        let mut core = self.lock();
        let state = core.session.state();
        (core.listeners.insert(Listener::default()), state)
    }

    pub(super) fn poll_state(&self, key: usize, waker: &Waker) -> Poll<State> {
        let mut core = self.lock();
        let Some(listener) = core.listeners.get_mut(key) else { return Poll::Pending };
        match listener.queue.pop_front() {
            Some(state) => Poll::Ready(state),
            None => {
                let old = listener.waker.replace(waker.clone());
                drop(core);
                drop(old);
                Poll::Pending
            }
        }
    }

    pub(super) fn unlisten(&self, key: usize) {
        let listener = self.lock().listeners.try_remove(key);
        drop(listener);
    }

    /// The number of the present session. It looks at the clock: after a pause of the whole process it says that the
    /// session is lost before anything else does.
    pub(super) fn generation(&self) -> u64 {
        let now = self.environment.now();
        self.with(|core| core.session.tick(now));
        self.lock().generation
    }

    /// Waits until the session of this number has ended. `place` is where the waiter is listed.
    pub(super) fn poll_generation(
        &self,
        generation: u64,
        place: &mut Option<usize>,
        waker: &Waker,
    ) -> Poll<()> {
        if self.generation() != generation {
            return Poll::Ready(());
        }
        let mut core = self.lock();
        if core.generation != generation {
            return Poll::Ready(());
        }
        match place.and_then(|key| core.mourners.get_mut(key)) {
            Some(known) => known.clone_from(waker),
            None => *place = Some(core.mourners.insert(waker.clone())),
        }
        Poll::Pending
    }

    /// Forgets a waiter for the end of the session of this number.
    pub(super) fn forget_mourner(&self, generation: u64, place: usize) {
        let mut core = self.lock();
        // All places are given out anew after the end.
        let waker = (core.generation == generation).then(|| core.mourners.try_remove(place));
        drop(core);
        // Outside of the lock, because it may be the last of a task.
        drop(waker);
    }

    /// Waits until there is room for another request.
    pub(super) fn poll_ready(&self, low: usize, waker: &Waker) -> Poll<()> {
        let mut core = self.lock();
        if core.session.in_flight() < low {
            return Poll::Ready(());
        }
        enlist(&mut core.crowd, waker);
        Poll::Pending
    }

    pub(super) fn state(&self) -> State {
        self.lock().session.state()
    }

    pub(super) fn identity(&self) -> Option<Identity> {
        self.lock().session.identity()
    }

    pub(super) fn timeout(&self) -> i64 {
        self.lock().session.timeout()
    }

    pub(super) fn last_zxid(&self) -> i64 {
        self.lock().session.last_zxid()
    }

    pub(super) fn counters(&self) -> (Counters, usize, usize) {
        let core = self.lock();
        (core.session.counters(), core.session.in_flight(), core.session.watch_count())
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Core {
    fn submit(&mut self, root: &str, request: &Request<'_>, key: usize) -> Result<usize> {
        let token = number(key);
        let submit = |session: &mut ClientSession| session.submit(root, request, token);
        self.accepted(submit, request.op(), request.path(), key)
    }

    fn accepted(
        &mut self,
        submit: impl FnOnce(&mut ClientSession) -> std::result::Result<(), Refused>,
        op: quorate_wire::OpCode,
        path: &str,
        key: usize,
    ) -> Result<usize> {
        submit(&mut self.session).map(|()| key).map_err(|why| {
            self.ops.try_remove(key);
            Error::refused(why, op, path)
        })
    }

    fn claim(&mut self, key: usize) -> Slot {
        self.unclaimed = self.unclaimed.saturating_sub(1);
        self.ops.remove(key)
    }

    /// Whether the driver is needed.
    fn has_work(&self) -> bool {
        !self.commands.is_empty() || (!self.blocked && self.session.has_output())
    }

    /// Carries out what the session wants.
    fn settle(&mut self, watch_limit: usize, wakers: &mut Wakers) {
        while let Some(effect) = self.session.next_effect() {
            match effect {
                Effect::Connect { attempt, server } => {
                    self.commands.push_back(Command::Connect { attempt, server });
                }
                Effect::Disconnect { attempt } => {
                    self.commands.push_back(Command::Disconnect { attempt })
                }
                Effect::Probe { server } => self.commands.push_back(Command::Probe { server }),
                Effect::Complete { token, result } => self.completed(token, result, wakers),
                Effect::Event { watch, event } => self.noticed(watch, event, watch_limit, wakers),
                Effect::State(state) => self.entered(state, wakers),
            }
        }
        while let Some(watch) = self.doubtful.pop() {
            if !self.session.knows_watch(watch) {
                wakers.ended.extend(self.watches.remove(watch));
            }
        }
    }

    fn completed(
        &mut self,
        token: u64,
        result: std::result::Result<Reply, Failure>,
        wakers: &mut Wakers,
    ) {
        wakers.tasks.append(&mut self.crowd);
        let Ok(key) = usize::try_from(token) else { return };
        match self.ops.get_mut(key) {
            Some(slot @ Slot::Waiting(_)) => {
                if let Slot::Waiting(Some(waker)) = std::mem::replace(slot, Slot::Done(result)) {
                    wakers.tasks.push(waker);
                }
                self.unclaimed += 1;
            }
            Some(Slot::Abandoned) => drop(self.ops.remove(key)),
            Some(Slot::Queued { .. }) => {
                if let Slot::Queued { inbox, token, watch } = self.ops.remove(key) {
                    if result.is_err()
                        && let Some(watch) = watch
                        && self.watches.get_mut(watch).is_some_and(|place| place.is_once())
                    {
                        self.doubtful.push(watch);
                    }
                    let was_empty = inbox.push(token, result.map_err(Error::failed));
                    wakers.inbox(inbox, was_empty);
                }
            }
            Some(Slot::Done(_)) | None => {}
        }
    }

    fn noticed(&mut self, watch: WatchKey, notice: Notice, limit: usize, wakers: &mut Wakers) {
        let Some(slot) = self.watches.get_mut(watch) else { return };
        if let Some(Subscription { inbox, token, once, told }) = &mut slot.inbox {
            if *once || matches!(notice, Notice::Ended(_)) {
                self.doubtful.push(watch);
            }
            let limit = limit.saturating_mul(INBOX_SHARE);
            if inbox.push_event(*token, notice, limit, told) {
                wakers.inboxes.push(Arc::clone(inbox));
            }
            return;
        }
        // The end must be told in any case; everything else can be missed, and that is told.
        if slot.queue.len() >= limit && !matches!(notice, Notice::Ended(_)) {
            slot.missed = true;
        } else {
            slot.queue.push_back(notice);
        }
        wakers.tasks.extend(slot.waker.take());
    }

    fn entered(&mut self, state: State, wakers: &mut Wakers) {
        if state == State::Lost || state.is_final() {
            self.generation += 1;
            wakers.tasks.extend(self.mourners.drain());
            wakers.tasks.append(&mut self.crowd);
        }
        for (_, listener) in &mut self.listeners {
            if listener.queue.len() >= MAX_STATES {
                listener.queue.pop_front();
            }
            listener.queue.push_back(state);
            wakers.tasks.extend(listener.waker.take());
        }
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

/// A slot's number as the engine's token.
fn number(key: usize) -> u64 {
    u64::try_from(key).unwrap_or(u64::MAX)
}

/// How many watches' worth of events an inbox holds.
const INBOX_SHARE: usize = 64;
/// States that a listener may lag behind; older ones are forgotten.
const MAX_STATES: usize = 64;
