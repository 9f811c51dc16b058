//! The shortest way to a server in this process: no change of threads at all.
//!
//! A request that is alone is carried to the server and back by the thread that submits it, while the driver sleeps. The bytes
//! and the engines are the same as ever; only the threads are spared. Whoever pipelines is better served by the driver,
//! beside whom it can go on.

use super::port::Port;
use super::shared::Shared;
use crate::server::LocalStream;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError, Weak};

/// Held by the driver while it works; open to users while it sleeps.
#[derive(Debug, Default)]
pub(super) struct Shortcut {
    way: Mutex<Way>,
    shared: OnceLock<Weak<Shared>>,
}

/// A connection within the process, if there is one with nothing half written.
#[derive(Debug, Default)]
pub(super) struct Way {
    pub(super) connection: Option<(u64, LocalStream)>,
    /// What was taken from the session and could not be sent this way: the driver sends it first.
    pub(super) rest: Vec<u8>,
    answer: Vec<u8>,
}

impl Shortcut {
    pub(super) fn serve(&self, shared: Weak<Shared>) {
        // Set once, by whoever makes the client.
        let _ = self.shared.set(shared);
    }

    /// The driver's turn: no user comes between until the guard is dropped.
    pub(super) fn close(&self) -> MutexGuard<'_, Way> {
        self.way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries the one request that waits to the server and back. False when the driver has to.
    pub(super) fn take(&self) -> bool {
        let mut way = match self.way.try_lock() {
            Ok(way) => way,
            Err(TryLockError::WouldBlock | TryLockError::Poisoned(_)) => return false,
        };
        let Way { connection: Some((attempt, stream)), rest, answer } = &mut *way else {
            return false;
        };
        let Some(shared) = self.shared.get().and_then(Weak::upgrade) else { return false };
        if !rest.is_empty() || !shared.take_lonely_output(rest) {
            return false;
        }
        answer.clear();
        if stream.exchange(rest, answer).is_none() {
            return false;
        }
        rest.clear();
        let port = Port::new(shared);
        if !answer.is_empty() {
            port.received(*attempt, answer);
        }
        port.rest(true)
    }
}
