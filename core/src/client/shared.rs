//! The session between its users and its driver, behind one lock.
//!
//! A user's thread encodes its request here and goes on; the driver's thread takes bytes and commands out and hands
//! in what the server sent. Whoever causes an effect carries it out at once: results go to the slots of their
//! futures, events to the queues of their watches. Wakers are called after the lock is released.
//!
//! **Architecture Invariant:** requests are ordered by the calls that made them, not by the first poll of a future.

mod locked;
mod operations;
mod waiting;
mod wakers;
mod watches;

pub use self::locked::Command;
use self::locked::Core;
use self::wakers::Wakers;
use super::environment::Environment;
use super::metrics::Metrics;
use super::spans;
use crate::fork::ForkMutex;
use quorate_engine::client::{ClientSession, Counters, Identity, Settings, State};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, MutexGuard};

/// One session for all its handles.
#[derive(Debug)]
pub(super) struct Shared {
    core: ForkMutex<Core>,
    pub(super) environment: Arc<dyn Environment>,
    span: spans::Session,
    /// Requests that a policy has repeated.
    pub(super) retries: AtomicU64,
    /// Events that a watch may hold until its owner takes them.
    pub(super) watch_limit: usize,
}

impl Shared {
    pub(super) fn new(
        settings: Settings,
        sasl: Option<Box<dyn quorate_engine::client::Mechanism>>,
        watch_limit: usize,
        environment: Arc<dyn Environment>,
    ) -> Arc<Self> {
        let (seed, now) = (environment.random(), environment.now());
        let core = Core::new(ClientSession::new(settings, sasl, seed, now));
        Arc::new(Self {
            core: ForkMutex::new(core, Core::inherited),
            environment,
            span: spans::Session::default(),
            retries: AtomicU64::new(0),
            watch_limit: watch_limit.max(1),
        })
    }

    /// Runs `work` on the session and carries out what follows from it.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Core) -> T) -> T {
        self.with_then(work, |_, result| result)
    }

    /// The same; `then` sees what it has come to.
    fn with_then<T, U>(
        &self,
        work: impl FnOnce(&mut Core) -> T,
        then: impl FnOnce(&mut Core, T) -> U,
    ) -> U {
        let mut core = self.lock();
        let result = work(&mut core);
        let wakers = core.settle(self.watch_limit);
        let result = then(&mut core, result);
        let call_driver = core.calls_driver();
        drop(core);
        if let Some(wakers) = wakers {
            self.carry_out(wakers);
        }
        if call_driver {
            self.environment.wake();
        }
        result
    }

    /// The same for the driver, which sees for itself what there is to do.
    pub(super) fn with_driver<T>(&self, work: impl FnOnce(&mut Core) -> T) -> T {
        let mut core = self.lock();
        core.driver_called = true;
        let result = work(&mut core);
        let wakers = core.settle(self.watch_limit);
        drop(core);
        if let Some(wakers) = wakers {
            self.carry_out(wakers);
        }
        result
    }

    /// Tells everybody, when the lock is free.
    fn carry_out(&self, mut wakers: Wakers) {
        for (state, identity) in wakers.states.drain(..) {
            self.span.entered(state, identity);
        }
        wakers.call();
    }

    /// From now on latencies are measured.
    pub(super) fn measure(&self) {
        self.lock().meter.get_or_insert_default();
    }

    pub(super) fn metrics(&self) -> Option<Metrics> {
        self.lock().meter.as_ref().map(|meter| meter.metrics())
    }

    /// The driver is about to sleep until it is called. Answers false when there is something to do first. While the connection
    /// takes no more, output is nothing to do.
    pub(super) fn rest(&self, takes_output: bool) -> bool {
        let mut core = self.lock();
        core.blocked = !takes_output;
        core.driver_called = core.has_work();
        !core.driver_called
    }

    /// Moves what waits to be sent to `out`, if nothing is on its way, no result waits to be taken, and the driver has nothing to decide. It tells
    /// nobody anything: whoever submits may hold a lock that those need who are told.
    pub(super) fn take_lonely_output(&self, out: &mut Vec<u8>) -> bool {
        let now = self.environment.now();
        let mut core = self.lock();
        let pipelines = core.unclaimed > 0 || core.untaken > 0 || core.session.awaits_answer();
        if pipelines || !core.commands.is_empty() {
            return false;
        }
        core.session.output(now, out, usize::MAX);
        !out.is_empty() && !core.session.has_effect()
    }

    /// What is submitted until the guard is dropped leaves together.
    pub(super) fn together(&self) -> Together<'_> {
        self.lock().together += 1;
        Together { shared: self }
    }

    pub(super) fn state(&self) -> State {
        self.lock().session.state()
    }

    pub(super) fn identity(&self) -> Option<Identity> {
        self.lock().session.identity()
    }

    pub(super) fn servers(&self) -> Vec<String> {
        self.lock().session.servers().to_vec()
    }

    pub(super) fn server(&self) -> Option<String> {
        self.lock().session.server().map(str::to_owned)
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

    /// Whether the session is lost and no other follows.
    pub(super) fn is_over(&self) -> bool {
        self.lock().session.is_over()
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock()
    }

    /// Whether this process is a fork of the one that opened the client. Then the session is closed, as far as it is concerned.
    pub(super) fn is_after_fork(&self) -> bool {
        self.core.is_elsewhere()
    }
}

/// While there is one, the driver is not called for what is submitted.
pub(super) struct Together<'a> {
    shared: &'a Shared,
}

impl Drop for Together<'_> {
    fn drop(&mut self) {
        self.shared.with(|core| core.together = core.together.saturating_sub(1));
    }
}
