//! SIGINT and SIGTERM: the first one ends loading or serving in good order, the second one the process.
//!
//! Ending at once costs nothing that was acknowledged: that is on the disk.

use crate::stop::INTERRUPTED;
use quorate::server::Stopper;
use quorate::storage::Loading;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// The thread that waits for signals, until this is dropped.
pub(super) struct Ending {
    state: Arc<Mutex<State>>,
    signals: Handle,
    thread: Option<JoinHandle<()>>,
}

/// What a signal ends.
enum State {
    Loading(Arc<Loading>),
    Serving(Stopper),
    Asked,
}

impl Ending {
    /// Waits from now on; until there is a server it is its loading that is given up.
    pub(super) fn on_signals(loading: Arc<Loading>) -> io::Result<Self> {
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let handle = signals.handle();
        let state = Arc::new(Mutex::new(State::Loading(loading)));
        let theirs = Arc::clone(&state);
        let wait = move || {
            for _ in signals.forever() {
                end(&theirs);
            }
        };
        let thread = std::thread::Builder::new().name("quorate-signals".into()).spawn(wait)?;
        Ok(Self { state, signals: handle, thread: Some(thread) })
    }

    /// From now on a signal stops the server; one that came while it started does so now.
    pub(super) fn applies_to(&self, stopper: Stopper) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            State::Loading(_) => *state = State::Serving(stopper),
            State::Serving(_) | State::Asked => stopper.stop(),
        }
    }
}

fn end(state: &Mutex<State>) {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    match std::mem::replace(&mut *state, State::Asked) {
        State::Loading(loading) => loading.give_up(),
        State::Serving(stopper) => stopper.stop(),
        State::Asked => signal_hook::low_level::exit(INTERRUPTED.into()),
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.signals.close();
        if let Some(thread) = self.thread.take() {
            // It has nothing left to do than to end.
            let _ = thread.join();
        }
    }
}
