//! [`Wake`]: telling the event loop that there is something, and only once.

use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

/// The thread-safe function of an environment. Weak: it does not keep the event loop alive, the TypeScript half decides what does.
pub(crate) type Call = ThreadsafeFunction<(), (), (), napi::Status, false, true, 0>;

/// Wakes the event loop when something came and it does not know yet.
pub(crate) struct Wake {
    state: AtomicU8,
    /// Absent when the environment is going down.
    call: Mutex<Option<Call>>,
}

impl Wake {
    pub(crate) fn new(call: Call) -> Self {
        Self { state: AtomicU8::new(IDLE), call: Mutex::new(Some(call)) }
    }

    /// Something is there. Called from any thread.
    pub(crate) fn wake(&self) {
        let next = |state| match state {
            IDLE => Some(CALLED),
            SUBMITTING => Some(NOTED),
            _ => None,
        };
        if self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, next) == Ok(IDLE)
            && let Some(call) = &*self.call.lock().unwrap_or_else(PoisonError::into_inner)
        {
            call.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// The event loop looks now: what comes later wakes again.
    pub(crate) fn looking(&self) {
        self.state.store(IDLE, Ordering::Release);
    }

    /// The event loop will look again by itself.
    pub(crate) fn looks_again(&self) {
        self.state.store(CALLED, Ordering::Release);
    }

    /// Runs a submission on the event loop's own thread. True when something came meanwhile, of which nobody was told: the caller
    /// has to look.
    pub(crate) fn during(&self, submission: impl FnOnce()) -> bool {
        let own = self
            .state
            .compare_exchange(IDLE, SUBMITTING, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        submission();
        own && self.state.swap(IDLE, Ordering::AcqRel) == NOTED
    }

    /// Nobody is woken any more.
    pub(crate) fn silence(&self) {
        drop(self.call.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Whoever brings something has to wake.
const IDLE: u8 = 0;
/// The event loop has been called and has not looked yet.
const CALLED: u8 = 1;
/// The event loop's thread is submitting and looks afterwards.
const SUBMITTING: u8 = 2;
/// The same, and there is something to look at.
const NOTED: u8 = 3;
