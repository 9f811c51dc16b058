//! What the caller hands over to be called.

#![allow(unsafe_code, reason = "functions and pointers from C")]

use crate::answer::Outcome;
use crate::handles::WatchHandle;
use std::ffi::{c_char, c_void};

/// Destroys a user pointer. Called exactly once, when nothing will use the pointer any more, whatever happened to what it was given
/// for; on any thread, but never on one that serves connections.
pub type DestroyFn = Option<unsafe extern "C" fn(user: *mut c_void)>;

/// Takes results of asynchronous calls, in the order in which they came: `count` of them, at least one. They belong to the library and are
/// gone when this returns. Called on a thread of the client's own, for one batch at a time: it may block (nothing but the
/// client's other callbacks waits for it), and it may call everything, quorate_client_close included. It must not throw.
pub type CompletionFn =
    Option<unsafe extern "C" fn(user: *mut c_void, results: *const *const Outcome, count: usize)>;

/// Takes the states of a session, `QUORATE_STATE_…`, each once and in order. Where and how as for quorate_completion_fn; with a polled client within
/// quorate_client_poll.
pub type StateFn = Option<unsafe extern "C" fn(user: *mut c_void, state: i32)>;

/// Takes the events of a watch, in order. The event belongs to the library and is gone when this returns. Where and how as for
/// quorate_completion_fn; with a polled client within quorate_client_poll.
pub type EventFn = Option<unsafe extern "C" fn(user: *mut c_void, event: *const Event)>;

/// Is told once that something is lost: `QUORATE_LOST_…` says why. Where and how as for quorate_completion_fn; with a polled
/// client within quorate_client_poll.
pub type LostFn = Option<unsafe extern "C" fn(user: *mut c_void, reason: i32)>;

/// What happened to a watched node.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// `QUORATE_EVENT_…`.
    pub kind: i32,
    /// QUORATE_EVENT_ENDED: why the watch is over. Otherwise QUORATE_OK.
    pub status: i32,
    /// The node that changed; the watched one where no single one changed. Never NULL.
    pub path: *const c_char,
    /// The transaction that changed it, where the server says so (quorate, ZooKeeper 3.9 and newer); otherwise 0.
    pub zxid: i64,
    /// The watch.
    pub watch: WatchHandle,
}

/// A user pointer and what destroys it.
pub(crate) struct User {
    pointer: *mut c_void,
    destroy: DestroyFn,
}

// SAFETY: the header says that the pointer is used and destroyed on any thread.
unsafe impl Send for User {}
// SAFETY: as above; the library itself never looks at what it points to.
unsafe impl Sync for User {}

impl User {
    pub(crate) const fn new(pointer: *mut c_void, destroy: DestroyFn) -> Self {
        Self { pointer, destroy }
    }

    pub(crate) fn complete(
        &self,
        function: unsafe extern "C" fn(*mut c_void, *const *const Outcome, usize),
        results: &[*const Outcome],
    ) {
        // SAFETY: the function is for this pointer, says who has given both; the results live until it returns.
        unsafe { function(self.pointer, results.as_ptr(), results.len()) }
    }

    pub(crate) fn tell(&self, function: unsafe extern "C" fn(*mut c_void, i32), number: i32) {
        // SAFETY: the function is for this pointer, says who has given both.
        unsafe { function(self.pointer, number) }
    }

    pub(crate) fn event(
        &self,
        function: unsafe extern "C" fn(*mut c_void, *const Event),
        event: &Event,
    ) {
        // SAFETY: the function is for this pointer, says who has given both; the event lives until it returns.
        unsafe { function(self.pointer, event) }
    }
}

impl Drop for User {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: the function is for this pointer, says who has given both; this happens once.
            unsafe { destroy(self.pointer) }
        }
    }
}
