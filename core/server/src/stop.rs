//! Ctrl-C and its like: flags that everything long looks at.
//!
//! The first signal asks for an orderly end (partial results, the session closed); a second one of its kind ends
//! the process at once. Only the binary installs handlers, never the library.

use signal_hook::consts::{SIGINT, SIGTERM};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the user has asked for the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop {
    /// Of what is being done.
    interrupted: Arc<AtomicBool>,
    /// Of the process.
    terminated: Arc<AtomicBool>,
}

impl Stop {
    /// Raised by SIGINT and SIGTERM from now on.
    pub(crate) fn on_signals() -> std::io::Result<Self> {
        let stop = Self::default();
        for (signal, code, flag) in
            [(SIGINT, INTERRUPTED, &stop.interrupted), (SIGTERM, TERMINATED, &stop.terminated)]
        {
            // Order matters: the shutdown looks at the flag as the *previous* signal left it.
            signal_hook::flag::register_conditional_shutdown(
                signal,
                code.into(),
                Arc::clone(flag),
            )?;
            signal_hook::flag::register(signal, Arc::clone(flag))?;
        }
        Ok(stop)
    }

    /// Asks for the end, as a signal would.
    pub(crate) fn request(&self) {
        self.interrupted.store(true, Ordering::Relaxed);
    }

    /// Whether to stop.
    pub(crate) fn requested(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed) || self.is_final()
    }

    /// Whether the process is to end, not only what it is doing.
    pub(crate) fn is_final(&self) -> bool {
        self.terminated.load(Ordering::Relaxed)
    }

    /// Begins something new, to which an earlier Ctrl-C does not apply.
    pub(crate) fn begin_anew(&self) {
        self.interrupted.store(false, Ordering::Relaxed);
    }

    /// Exit status of a process that ended for this, as shells have it.
    pub(crate) fn exit_code(&self) -> u8 {
        if self.is_final() { TERMINATED } else { INTERRUPTED }
    }
}

/// Exit status after Ctrl-C.
pub(crate) const INTERRUPTED: u8 = 130;
/// Exit status after SIGTERM.
const TERMINATED: u8 = 143;
