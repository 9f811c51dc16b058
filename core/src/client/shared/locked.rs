//! What the lock guards: the session, and the places of all who wait for something of it.

use super::super::completion::Inbox;
use super::super::error::Error;
use super::super::metrics::Meter;
use super::wakers::Wakers;
use super::watches::{Places, Subscription};
use quorate_engine::client::{
    ClientSession, Effect, Failure, Notice, Reply, Settings, State, WatchKey,
};
use slab::Slab;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use tracing::Span;

/// What the lock guards.
#[derive(Debug)]
pub(in crate::client) struct Core {
    /// Tells this client from others who share an inbox with it.
    pub(super) number: u64,
    pub(in crate::client) session: ClientSession,
    pub(super) ops: Slab<Slot>,
    pub(super) watches: Places,
    /// Inboxes' watches that may be over: to be looked at when everything that is to be told is told.
    pub(super) doubtful: Vec<WatchKey>,
    pub(super) listeners: Slab<Listener>,
    /// Who waits for the end of the present session.
    pub(super) mourners: Slab<Waker>,
    /// Who waits for room.
    pub(super) crowd: Vec<Waker>,
    pub(in crate::client) commands: VecDeque<Command>,
    /// How many sessions have ended. A thing held under one number is lost when the number is another.
    pub(super) generation: u64,
    /// Whether the driver knows that there is something to do.
    pub(super) driver_called: bool,
    /// How many are submitting what is to leave together. Each of them calls the driver at the end.
    pub(super) together: usize,
    /// Whether the connection takes no more bytes: it will call the driver by itself.
    pub(super) blocked: bool,
    /// Results that nobody has taken yet: more than none when requests are pipelined.
    pub(super) unclaimed: usize,
    /// The same of the inbox of the last request, if it went to one.
    pub(super) untaken: usize,
    /// What measures latencies, if it is wanted.
    pub(super) meter: Option<Box<Meter>>,
    /// Spans of operations, for who traces them.
    pub(super) spans: BTreeMap<usize, Span>,
    /// Whether it stands for the session of the process that this one was forked from.
    pub(super) is_inherited: bool,
}

/// What the driver has to do.
///
/// ```
/// use quorate::client::Command;
///
/// let command = Command::Connect { attempt: 3, server: 0 };
/// match command {
///     Command::Connect { attempt, server } => assert_eq!((attempt, server), (3, 0)),
///     Command::Disconnect { .. } | Command::Probe { .. } => unreachable!(),
/// }
/// ```
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
pub(super) enum Slot {
    Waiting(Option<Waker>),
    Done(Result<Reply, Failure>),
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
pub(super) struct Listener {
    pub(super) queue: VecDeque<State>,
    pub(super) waker: Option<Waker>,
}

impl Core {
    pub(super) fn new(session: ClientSession) -> Self {
        Self {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            session,
            ops: Slab::new(),
            watches: Places::default(),
            doubtful: Vec::new(),
            listeners: Slab::new(),
            mourners: Slab::new(),
            crowd: Vec::new(),
            commands: VecDeque::new(),
            generation: 0,
            driver_called: true,
            together: 0,
            blocked: false,
            unclaimed: 0,
            untaken: 0,
            meter: None,
            spans: BTreeMap::new(),
            is_inherited: false,
        }
    }

    /// What a forked process has instead of its parent's session: one that is closed.
    pub(super) fn inherited() -> Self {
        let mut session = ClientSession::new(Settings::default(), None, 0, 0);
        session.abandon();
        while session.next_effect().is_some() {}
        // No session that was begun before the fork is this one.
        Self { generation: u64::MAX, is_inherited: true, ..Self::new(session) }
    }

    /// Whether the driver is needed.
    pub(super) fn has_work(&self) -> bool {
        !self.commands.is_empty() || (!self.blocked && self.session.has_output())
    }

    /// Whether the driver has to be called now; then it counts as called.
    pub(super) fn calls_driver(&mut self) -> bool {
        let calls = !self.driver_called && self.together == 0 && self.has_work();
        self.driver_called |= calls;
        calls
    }

    /// Carries out what the session wants, which mostly is nothing.
    #[inline]
    pub(super) fn settle(&mut self, watch_limit: usize) -> Option<Wakers> {
        if !self.session.has_effect() && self.doubtful.is_empty() {
            return None;
        }
        let mut wakers = Wakers::default();
        self.carry_out(watch_limit, &mut wakers);
        Some(wakers)
    }

    fn carry_out(&mut self, watch_limit: usize, wakers: &mut Wakers) {
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

    fn completed(&mut self, token: u64, result: Result<Reply, Failure>, wakers: &mut Wakers) {
        wakers.tasks.append(&mut self.crowd);
        let Ok(key) = usize::try_from(token) else { return };
        if let Some(meter) = &mut self.meter {
            meter.end(key);
        }
        if !self.spans.is_empty()
            && let Some(span) = self.spans.remove(&key)
        {
            wakers.spans.push((span, result.as_ref().err().map(|failure| failure.code)));
        }
        match self.ops.get_mut(key) {
            Some(slot @ Slot::Waiting(_)) => {
                if let Slot::Waiting(waker) = slot {
                    wakers.tasks.extend(waker.take());
                }
                *slot = Slot::Done(result);
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
                    let was_empty = inbox.push(self.number, token, result.map_err(Error::failed));
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
        wakers.states.push((state, self.session.identity()));
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

/// A slot's number as the engine's token.
pub(super) fn number(key: usize) -> u64 {
    u64::try_from(key).unwrap_or(u64::MAX)
}

/// The number of the next client in this process.
static NUMBERS: AtomicU64 = AtomicU64::new(1);
/// How many watches' worth of events an inbox holds.
const INBOX_SHARE: usize = 64;
/// States that a listener may lag behind; older ones are forgotten.
const MAX_STATES: usize = 64;
