//! What the standard library has no safe form of: forks, signal masks, eventfds.

#![allow(unsafe_code, reason = "calls of the C library")]

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many forks lie between the process that first used this library and this one.
static EPOCH: AtomicU64 = AtomicU64::new(0);

/// The number of this process among its ancestors. Reading it costs nothing; it takes no lock, which a thread that the child does
/// not have might hold for ever.
pub(crate) fn epoch() -> u64 {
    static WATCHING: Once = Once::new();
    if !WATCHING.is_completed() {
        WATCHING.call_once(|| {
            // SAFETY: the handler is a function for the whole life of this library, and does nothing but count, which is allowed
            // in the child of a process with threads.
            let _refused_for_want_of_memory =
                unsafe { libc::pthread_atfork(None, None, Some(forked)) };
        });
    }
    EPOCH.load(Ordering::Relaxed)
}

extern "C" fn forked() {
    EPOCH.fetch_add(1, Ordering::Relaxed);
}

/// Runs `work` while this thread takes no signal, so that the threads it starts take none either: signals are the host's.
pub(crate) fn without_signals<T>(work: impl FnOnce() -> T) -> T {
    let _mask = Mask::block_all();
    work()
}

/// Restores the thread's signal mask when dropped.
struct Mask(libc::sigset_t);

impl Mask {
    fn block_all() -> Self {
        // SAFETY: `sigset_t` is a set of bits, for which zeros are valid.
        let (mut all, mut before): (libc::sigset_t, libc::sigset_t) =
            unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
        // SAFETY: both are valid sets on this stack. It cannot fail with these arguments.
        unsafe {
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        }
        Self(before)
    }
}

impl Drop for Mask {
    fn drop(&mut self) {
        // SAFETY: the set was filled by `pthread_sigmask`.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut());
        }
    }
}

/// A file descriptor that is readable while it is raised.
#[derive(Debug)]
pub(crate) struct Flag(File);

impl Flag {
    /// One that is not raised.
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: has no preconditions.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it was opened just now, and nobody else knows it.
        Ok(Self(File::from(unsafe { OwnedFd::from_raw_fd(fd) })))
    }

    pub(crate) fn raise(&self) {
        // It can only fail when the count is at its end, and then it is raised.
        let _raised = (&self.0).write(&1_u64.to_ne_bytes());
    }

    pub(crate) fn lower(&self) {
        // It can only fail when it was not raised.
        let _lowered = (&self.0).read(&mut [0; 8]);
    }

    /// Waits until it is raised, so many milliseconds at most; a negative number is no limit. A signal ends the wait too.
    pub(crate) fn wait(&self, limit: i64) {
        if limit == 0 {
            return;
        }
        let limit = if limit < 0 { -1 } else { i32::try_from(limit).unwrap_or(i32::MAX) };
        let mut poll = libc::pollfd { fd: self.number(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, on this stack.
        let _ready_or_late = unsafe { libc::poll(&raw mut poll, 1, limit) };
    }

    pub(crate) fn number(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_raised_until_it_is_lowered() {
        let flag = Flag::new().unwrap();
        let is_raised = || {
            let before = std::time::Instant::now();
            flag.wait(20);
            before.elapsed() < std::time::Duration::from_millis(20)
        };
        assert!(!is_raised());
        flag.raise();
        flag.raise();
        assert!(is_raised());
        flag.lower();
        assert!(!is_raised());
        flag.lower();
    }

    #[test]
    fn threads_started_without_signals_take_none() {
        let blocked = || {
            // SAFETY: as in `Mask`.
            unsafe {
                let mut now: libc::sigset_t = std::mem::zeroed();
                libc::pthread_sigmask(libc::SIG_SETMASK, std::ptr::null(), &raw mut now);
                libc::sigismember(&raw const now, libc::SIGTERM) == 1
            }
        };
        assert!(without_signals(|| std::thread::spawn(blocked)).join().unwrap());
        assert!(!blocked());
    }
}
