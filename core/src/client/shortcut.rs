//! The shortest way to a server: without the driver.
//!
//! A request is handed to the connection by the thread that submits it, while the driver sleeps and nothing else is on its way. To a server in this
//! process it is carried there and back: no change of threads at all. On a socket it is sent, and the driver, which sleeps on, hears the
//! answer: one change of threads less, and one system call. The bytes and the engines are the same as ever; only the threads are spared.
//! Whoever pipelines is better served by the driver, beside whom it can go on.

use super::port::Port;
use super::shared::Shared;
use crate::server::LocalStream;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError, Weak};
use tokio::net::tcp::OwnedWriteHalf;

/// Held by the driver while it works; open to users while it sleeps.
#[derive(Debug, Default)]
pub(super) struct Shortcut {
    way: Mutex<Way>,
    shared: OnceLock<Weak<Shared>>,
}

/// A connection, if there is one with nothing half written.
#[derive(Debug, Default)]
pub(super) struct Way {
    pub(super) connection: Option<(u64, Road)>,
    /// What was taken from the session and could not be sent this way: the driver sends it first.
    pub(super) rest: Vec<u8>,
    answer: Vec<u8>,
}

/// What the connection goes through.
#[derive(Debug)]
pub(super) enum Road {
    /// This process.
    Local(LocalStream),
    /// A socket.
    Tcp(Arc<OwnedWriteHalf>),
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

    /// Carries what waits to the server, if the server is in this process also the answer back. False when the driver has to.
    /// `is_next_to_driver` tells whether the driver runs next on this thread anyway.
    pub(super) fn take(&self, is_next_to_driver: impl FnOnce() -> bool) -> bool {
        let mut way = match self.way.try_lock() {
            Ok(way) => way,
            Err(TryLockError::WouldBlock | TryLockError::Poisoned(_)) => return false,
        };
        let Way { connection: Some((attempt, road)), rest, answer } = &mut *way else {
            return false;
        };
        let Some(shared) = self.shared.get().and_then(Weak::upgrade) else { return false };
        if matches!(road, Road::Tcp(_)) && is_next_to_driver() {
            return false;
        }
        if !rest.is_empty() || !shared.take_lonely_output(rest) {
            return false;
        }
        answer.clear();
        if !road.carry(rest, answer) {
            return false;
        }
        let port = Port::new(shared);
        if !answer.is_empty() {
            port.received(*attempt, answer);
        }
        port.rest(true)
    }
}

impl Road {
    /// Sends bytes, and takes the answer that comes at once. False when something is left of them.
    fn carry(&self, bytes: &mut Vec<u8>, answer: &mut Vec<u8>) -> bool {
        match self {
            Self::Local(stream) if stream.exchange(bytes, answer).is_some() => bytes.clear(),
            Self::Local(_) => {}
            Self::Tcp(stream) => match stream.try_write(bytes) {
                Ok(sent) if sent >= bytes.len() => bytes.clear(),
                Ok(sent) => drop(bytes.drain(..sent)),
                // Whatever is the matter, the driver will meet it too.
                Err(_) => {}
            },
        }
        bytes.is_empty()
    }
}
