//! One thread for connections and state: on small machines nothing is faster, and nothing has to be locked.
//!
//! A round: wait for news, read, take the log's reports, answer, seal what was judged, send. The engines decide;
//! the order of the calls here is the whole of the driver's wisdom.
//!
//! A client in the same process may run a round on its own thread when the server's is idle: its request is answered
//! without a change of threads. So the state has a lock; the server's thread takes it once per round.

use super::alarm::Alarm;
use super::clock::Clock;
use super::handle::{Control, EndGuard, ServerError};
use super::journal::{Journal, News, Refusals};
use super::links::{Core, Links, Stream};
use super::listener::{LISTENER, Listener};
use super::pipe::{Calls, Host};
use super::snapshotter::Snapshotter;
use super::words::Words;
use mio::{Events, Poll, Registry};
use quorate_engine::replica::{Now, Replica};
use quorate_engine::shard::{ConnKey, EVENT_SLICE, Shard, Submission, Submit, WATCH_SLICE};
use quorate_engine::tree::Tree;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::Duration;

/// The thread.
pub(super) struct Fused {
    poll: Poll,
    control: Arc<Control>,
    shop: Arc<Shop>,
}

/// The state, and a sign at its door.
struct Shop {
    state: Mutex<State>,
    /// The server's thread waits for the state: it comes before the clients', which would keep it out otherwise.
    wanted: AtomicBool,
}

/// What a round works on.
pub(super) struct State {
    pub(super) registry: Registry,
    pub(super) clock: Clock,
    pub(super) control: Arc<Control>,
    pub(super) calls: Arc<Calls>,
    pub(super) listener: Option<Listener>,
    pub(super) tree: Tree,
    pub(super) replica: Replica,
    pub(super) shard: Shard,
    pub(super) journal: Journal,
    pub(super) refusals: Refusals,
    pub(super) snapshotter: Option<Snapshotter>,
    pub(super) words: Words,
    pub(super) links: Links,
    /// Why a round on a client's thread failed: the server's thread ends with it.
    pub(super) failed: Option<ServerError>,
}

/// Submissions go straight to the replica.
struct Direct<'a> {
    replica: &'a mut Replica,
    tree: &'a Tree,
    now: Now,
}

impl Submit for Direct<'_> {
    fn submit(&mut self, conn: ConnKey, submission: Submission<'_>) {
        self.replica.submit(0, conn, submission, self.tree, self.now);
    }
}

impl Core for Direct<'_> {
    fn is_crowded(&self) -> bool {
        self.replica.is_crowded()
    }
}

impl Fused {
    /// A thread for this state.
    pub(super) fn new(poll: Poll, state: State) -> Self {
        let control = Arc::clone(&state.control);
        let calls = Arc::clone(&state.calls);
        let shop = Arc::new(Shop { state: Mutex::new(state), wanted: AtomicBool::new(false) });
        calls.set_host(Arc::downgrade(&shop) as _);
        Self { poll, control, shop }
    }

    /// Serves until told to stop, or until something makes it impossible.
    pub(super) fn run(mut self) -> Result<(), ServerError> {
        let _end = EndGuard(Arc::clone(&self.control));
        let result = self.serve();
        let mut state = self.lock()?;
        let State { links, shard, snapshotter, journal, .. } = &mut *state;
        links.close_all(shard);
        drop(snapshotter.take());
        let closed = std::mem::replace(journal, Journal::Volatile).close();
        result.and(closed.map_err(ServerError::from))
    }

    fn serve(&mut self) -> Result<(), ServerError> {
        let mut events = Events::with_capacity(EVENTS);
        let mut alarm = Alarm::new();
        while !self.control.is_stopping() {
            let timeout = self.lock()?.timeout(&alarm);
            match self.poll.poll(&mut events, timeout) {
                Err(e) if e.kind() != io::ErrorKind::Interrupted => {
                    return Err(ServerError::System { what: "poll", cause: e });
                }
                _ => {}
            }
            let mut state = self.lock()?;
            let now = state.clock.now();
            state.take_events(&events, now);
            state.read(now);
            state.take_reports(now)?;
            state.settle(now)?;
            if alarm.rings(now.mono) {
                alarm.set(state.tick(now));
                state.settle(now)?;
            } else {
                // Only touches make deadlines later, and a deadline that is too early costs one idle round.
                alarm.advance(state.replica.next_deadline());
            }
            state.snapshot();
            state.send();
        }
        Ok(())
    }

    /// A client's thread that panicked in a round may have left anything behind.
    fn lock(&self) -> Result<MutexGuard<'_, State>, ServerError> {
        self.shop.wanted.store(true, Ordering::Relaxed);
        let state = self.shop.state.lock();
        self.shop.wanted.store(false, Ordering::Relaxed);
        state.map_err(|_poisoned| ServerError::Panic("of a client in this process"))
    }
}

impl Host for Shop {
    /// A round for one pipe, if the server's thread is not at work. What this cannot finish is left to that thread.
    fn visit(&self, number: usize) -> bool {
        if self.wanted.load(Ordering::Relaxed) {
            return false;
        }
        let mut state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::WouldBlock | TryLockError::Poisoned(_)) => return false,
        };
        if state.control.is_stopping() {
            return false;
        }
        let now = state.clock.now();
        state.links.ready(number, true, true);
        state.read(now);
        if let Err(error) = state.settle(now) {
            tracing::error!("{error}");
            state.failed = Some(error);
        }
        state.send();
        let busy = state.is_busy() || state.failed.is_some();
        if busy {
            state.calls.wake();
        }
        true
    }
}

impl State {
    fn read(&mut self, now: Now) {
        let mut core = Direct { replica: &mut self.replica, tree: &self.tree, now };
        self.links.read_all(&mut self.shard, &self.tree, now.mono, &mut core);
    }

    fn send(&mut self) {
        self.links.flush(&mut self.shard, EVENT_SLICE);
        self.shard.end_round(WATCH_SLICE);
    }

    fn is_busy(&self) -> bool {
        self.shard.has_work()
            || self.shard.watches().has_leftovers()
            || self.links.has_work(&self.shard, self.replica.is_crowded())
            || self.snapshotter.as_ref().is_some_and(Snapshotter::wants_to_walk)
    }

    fn timeout(&self, alarm: &Alarm) -> Option<Duration> {
        if self.is_busy() || !self.journal.may_sleep() {
            return Some(Duration::ZERO);
        }
        let wait = alarm.at().saturating_sub(self.clock.now().mono).max(0);
        Some(Duration::from_millis(u64::try_from(wait).unwrap_or(0)))
    }

    fn take_events(&mut self, events: &Events, now: Now) {
        for event in events {
            if event.token() == LISTENER {
                self.accept(now);
            } else {
                self.links.take_event(event);
            }
        }
        for pipe in self.control.visitors() {
            let key = self.shard.open(None, now.mono);
            // A pipe needs no registration that could fail.
            let _ = self.links.add(key, Stream::Local(pipe), &self.registry);
        }
        for number in self.calls.take() {
            self.links.ready(number, true, true);
        }
    }

    fn accept(&mut self, now: Now) {
        let Some(listener) = &mut self.listener else { return };
        self.links.accept(listener, &mut self.shard, &self.registry, now.mono);
    }

    /// What the log has done meanwhile.
    fn take_reports(&mut self, now: Now) -> Result<(), ServerError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        for news in self.journal.news() {
            match news {
                News::Synced(zxid) => {
                    self.replica.synced(zxid, &mut self.tree, &mut [&mut self.shard], now)?;
                }
                News::Refused(reason) => {
                    self.refusals.note(&reason, now.mono);
                    self.replica.refused(&self.tree, &mut [&mut self.shard], now);
                }
                News::Room => tracing::info!("there is room for transactions again"),
                News::Failed(failure) => return Err(failure.into()),
            }
        }
        Ok(())
    }

    /// Answers and goes on with what waited, until nothing more can be done without the outside world.
    fn settle(&mut self, now: Now) -> Result<(), ServerError> {
        loop {
            self.replica.deliver(&self.tree, &mut [&mut self.shard], now);
            for word in self.replica.take_words() {
                self.words.answer(
                    &word,
                    &self.tree,
                    &self.replica,
                    None,
                    &mut [&mut self.shard],
                    now,
                );
            }
            let mut core = Direct { replica: &mut self.replica, tree: &self.tree, now };
            self.shard.resume(&self.tree, now.mono, &mut core);
            let durable = self.replica.seal().and_then(|segment| self.journal.append(segment));
            if let Some(zxid) = durable {
                self.replica.synced(zxid, &mut self.tree, &mut [&mut self.shard], now)?;
            } else if !self.replica.has_ready() && !self.shard.has_resumable() {
                return Ok(());
            }
        }
    }

    fn tick(&mut self, now: Now) -> i64 {
        self.accept(now);
        let strangers = self.shard.tick(now.mono);
        let replica = self.replica.tick(&self.tree, now);
        let nap = now.mono.saturating_add(LONGEST_NAP);
        strangers.into_iter().chain(replica).fold(nap, i64::min)
    }

    fn snapshot(&mut self) {
        let Some(snapshotter) = &mut self.snapshotter else { return };
        if !snapshotter.is_busy() && self.replica.snapshot_due(&self.tree) {
            self.journal.roll();
            snapshotter.begin(&mut self.tree);
        }
        snapshotter.step(&mut self.tree);
    }
}

/// Events taken in one round.
const EVENTS: usize = 1024;
/// The thread looks after itself at least this often, ms.
const LONGEST_NAP: i64 = 1000;
