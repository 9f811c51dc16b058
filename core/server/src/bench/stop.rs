//! Ctrl-C: a flag that every loop of the bench looks at.
//!
//! The first signal asks for an orderly end (partial results, nodes removed); the second one ends
//! the process at once. Only the binary installs handlers, never the library.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the user has asked for the end.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Raised by SIGINT and SIGTERM from now on.
    pub(super) fn on_signals() -> std::io::Result<Self> {
        let stop = Self::default();
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            // Order matters: the shutdown looks at the flag as the *previous* signal left it.
            signal_hook::flag::register_conditional_shutdown(
                signal,
                INTERRUPTED,
                Arc::clone(&stop.0),
            )?;
            signal_hook::flag::register(signal, Arc::clone(&stop.0))?;
        }
        Ok(stop)
    }

    /// Asks for the end, as a signal would.
    pub(super) fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether to stop.
    pub(super) fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Exit status after Ctrl-C, as shells have it.
pub(super) const INTERRUPTED: i32 = 130;
