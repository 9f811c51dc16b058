//! What a forked process has of its parent's clients and servers: memory, and nothing that works on it.
//!
//! The threads are not there, sockets and polls are the parent's too, and a lock that another thread held at the fork is never released.
//! So nothing of it may be used, or waited for, or closed. [`Origin`] tells in which process something was made; [`ForkMutex`] is a lock
//! that a forked process finds free, with a value of its own behind it.
//!
//! The fork is counted by a handler of `pthread_atfork`, so that looking costs one load: `getpid` is a system call (100 to 200 ns, where
//! a pipelined request costs 300), and asking it only where a call blocks would leave requests of the
//! child unanswered. A process that is cloned by a bare system call, past the C library, is not noticed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// The process in which something was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    forks: u64,
}

impl Origin {
    /// This process.
    pub(crate) fn here() -> Self {
        count_forks();
        Self { forks: FORKS.load(Ordering::Relaxed) }
    }

    /// Whether the process is a fork of one that had an origin already.
    pub(crate) const fn is_forked(self) -> bool {
        self.forks > 0
    }

    /// Whether this is another process by now: a fork of that one.
    pub(crate) fn is_elsewhere(self) -> bool {
        self.forks != FORKS.load(Ordering::Relaxed)
    }
}

/// A mutex whose value is another one in a forked process: what `afresh` makes. Poisoning is ignored.
#[derive(Debug)]
pub(crate) struct ForkMutex<T> {
    origin: Origin,
    value: Mutex<T>,
    forked: OnceLock<Box<Mutex<T>>>,
    afresh: fn() -> T,
}

impl<T> ForkMutex<T> {
    pub(crate) fn new(value: T, afresh: fn() -> T) -> Self {
        let (value, forked) = (Mutex::new(value), OnceLock::new());
        Self { origin: Origin::here(), value, forked, afresh }
    }

    /// Whether this is a fork of the process that made it.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.origin.is_elsewhere()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        let mutex = if self.is_elsewhere() { self.forked_value() } else { &self.value };
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cold]
    fn forked_value(&self) -> &Mutex<T> {
        self.forked.get_or_init(|| Box::new(Mutex::new((self.afresh)())))
    }
}

/// How often this process, or one of its ancestors, has come into being by a fork since the first [`Origin`].
static FORKS: AtomicU64 = AtomicU64::new(0);

#[cfg(unix)]
#[allow(unsafe_code, reason = "no crate offers pthread_atfork without it")]
fn count_forks() {
    extern "C" fn forked() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }

    static COUNTED: std::sync::Once = std::sync::Once::new();
    COUNTED.call_once(|| {
        // SAFETY: the handler runs in the child before fork() returns there. All it does is to add to a static atomic, which is
        // async-signal-safe and cannot unwind. It lives as long as the code it is in: the C library forgets the handlers of a shared
        // object that is unloaded.
        let error = unsafe { libc::pthread_atfork(None, None, Some(forked)) };
        if error != 0 {
            let error = std::io::Error::from_raw_os_error(error);
            tracing::warn!(%error, "forks of this process cannot be noticed");
        }
    });
}

/// There is no fork.
#[cfg(not(unix))]
const fn count_forks() {}
