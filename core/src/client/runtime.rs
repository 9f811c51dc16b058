//! The library's own thread: one tokio runtime for all clients of the process, started with the first and ended with the
//! last, unless the host lends its own.

use super::environment::{Environment, Task};
use super::shortcut::Shortcut;
use crate::fork::Origin;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, TryLockError, Weak};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::Sleep;

/// The thread, while somebody needs it.
#[derive(Debug)]
pub(super) struct IoThread {
    origin: Origin,
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl IoThread {
    /// The process's thread; it is started if it does not run.
    pub(super) fn get() -> io::Result<Arc<Self>> {
        static CURRENT: Mutex<Weak<IoThread>> = Mutex::new(Weak::new());
        let mut current = match CURRENT.try_lock() {
            Ok(current) => current,
            // A thread of the parent may have held it at the fork.
            Err(TryLockError::WouldBlock) if Origin::here().is_forked() => {
                return Self::start().map(Arc::new);
            }
            Err(TryLockError::WouldBlock) => CURRENT.lock().unwrap_or_else(PoisonError::into_inner),
            // A start has panicked. The error has the lock with it, so it must not be asked for again.
            Err(TryLockError::Poisoned(current)) => current.into_inner(),
        };
        // A forked process has the handle of its parent's thread, but no such thread.
        if let Some(running) = current.upgrade()
            && !running.origin.is_elsewhere()
        {
            return Ok(running);
        }
        let started = Arc::new(Self::start()?);
        *current = Arc::downgrade(&started);
        Ok(started)
    }

    fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name(NAME.to_owned()).spawn(move || {
            let _stopped = runtime.block_on(stopped);
            // Names are looked up on threads that cannot be interrupted: nobody waits for them.
            runtime.shutdown_background();
        })?;
        Ok(Self { origin: Origin::here(), handle, stop: Some(stop), thread: Some(thread) })
    }

    pub(super) const fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for IoThread {
    fn drop(&mut self) {
        if self.origin.is_elsewhere() {
            // The thread to be stopped and joined is the parent's.
            std::mem::forget((self.stop.take(), self.thread.take()));
            return;
        }
        drop(self.stop.take());
        // The last client may be dropped by a task on this very thread, which cannot wait for itself.
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            let _ended = thread.join();
        }
    }
}

/// Whether a runtime still runs. Its timers may not be touched afterwards: they panic, in the thread of whoever waits for them.
#[derive(Debug, Default)]
struct Life {
    ended: RwLock<bool>,
    sentinel: OnceLock<AbortHandle>,
}

impl Life {
    /// A task of the runtime that never ends finds out: a runtime drops its tasks before it stops its clock.
    fn of(runtime: &Handle) -> Arc<Self> {
        let life = Arc::new(Self::default());
        let sentinel = Sentinel(Arc::downgrade(&life));
        let task = runtime.spawn(async move {
            let _sentinel = sentinel;
            std::future::pending::<()>().await;
        });
        let _first = life.sentinel.set(task.abort_handle());
        life
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if let Some(sentinel) = self.sentinel.get() {
            sentinel.abort();
        }
    }
}

/// Lives as long as the runtime.
struct Sentinel(Weak<Life>);

impl Drop for Sentinel {
    fn drop(&mut self) {
        if let Some(life) = self.0.upgrade() {
            *life.ended.write().unwrap_or_else(PoisonError::into_inner) = true;
        }
    }
}

/// A timer that is over when its runtime is.
struct Nap {
    timer: Pin<Box<Sleep>>,
    life: Arc<Life>,
}

impl Future for Nap {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let life = Arc::clone(&self.life);
        // Held, so that the runtime does not stop its clock meanwhile.
        let ended = life.ended.read().unwrap_or_else(PoisonError::into_inner);
        if *ended { Poll::Ready(()) } else { self.timer.as_mut().poll(cx) }
    }
}

/// The real world, on a tokio runtime.
#[derive(Debug)]
pub(super) struct RealWorld {
    pub(super) origin: Origin,
    handle: Handle,
    driver: Mutex<Option<Waker>>,
    life: Arc<Life>,
    start: Instant,
    pub(super) shortcut: Shortcut,
}

impl RealWorld {
    pub(super) fn new(handle: Handle) -> Arc<Self> {
        let (driver, shortcut) = Default::default();
        let (origin, life, start) = (Origin::here(), Life::of(&handle), Instant::now());
        Arc::new(Self { origin, handle, driver, life, start, shortcut })
    }

    /// Whom [`Environment::wake`] wakes.
    pub(super) fn set_driver(&self, waker: &Waker) {
        let mut driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *driver {
            Some(known) => known.clone_from(waker),
            None => *driver = Some(waker.clone()),
        }
    }

    pub(super) const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Whether this is a task of the driver's own runtime: then the driver's turn comes without a change of threads.
    fn is_next_to_driver(&self) -> bool {
        Handle::try_current().is_ok_and(|here| here.id() == self.handle.id())
    }
}

impl Environment for RealWorld {
    fn now(&self) -> i64 {
        now(self.start)
    }

    fn wake(&self) {
        if self.shortcut.take(|| self.is_next_to_driver()) {
            return;
        }
        let driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    fn sleep(&self, duration: Duration) -> Task {
        if self.origin.is_elsewhere() {
            // Nobody would wake its task: the time is over at once.
            return Box::pin(std::future::ready(()));
        }
        let _entered = self.handle.enter();
        let life = Arc::clone(&self.life);
        Box::pin(Nap { timer: Box::pin(tokio::time::sleep(duration)), life })
    }

    fn spawn(&self, task: Task) {
        // In a forked process nobody would run it.
        if !self.origin.is_elsewhere() {
            self.handle.spawn(task);
        }
    }

    fn random(&self) -> u64 {
        // Each state of the standard library's hasher has keys of its own, from the system's source of chance.
        std::hash::RandomState::new().build_hasher().finish()
    }
}

/// Monotonic time that goes on while the machine sleeps, as sessions do on the server.
#[cfg(target_os = "linux")]
fn now(_start: Instant) -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    now.tv_sec.saturating_mul(1000).saturating_add(now.tv_nsec / 1_000_000)
}

/// Elsewhere the system's own monotonic clock has to do.
#[cfg(not(target_os = "linux"))]
fn now(start: Instant) -> i64 {
    i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX)
}

/// The name of the thread.
const NAME: &str = "quorate-client";
