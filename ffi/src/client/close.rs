//! Closing.

#![allow(unsafe_code, reason = "exported symbols")]

use super::{Client, duration, timed_out};
use crate::boundary;
use crate::fault::{Error, Fault};
use crate::handles::ClientHandle;
use crate::objects;
use crate::status::QUORATE_CLOSED;
use std::sync::{Arc, PoisonError};

/// Says that the session is over when it is dropped: by the task that closes it, or with that task. The library's thread ends with
/// the last client, perhaps before the task has had its last turn.
pub(super) struct Ending(pub(super) Arc<Client>);

impl Drop for Ending {
    fn drop(&mut self) {
        let Self(client) = self;
        client.lock().ended = true;
        client.bell.ring();
        client.cleared.notify_all();
    }
}

impl Client {
    /// Begins to close: what is under way is told, and then nothing follows. `polite` tells the server.
    fn begin_close(self: &Arc<Self>, polite: bool) -> Result<(), Fault> {
        if std::mem::replace(&mut self.lock().closing, true) {
            return Err(Error::new(QUORATE_CLOSED, "the client was closed before"));
        }
        let ending = Ending(Arc::clone(self));
        let close = async move {
            let core = &ending.0.core;
            if polite {
                // When no server could be told, the session ends by its timeout: that is no reason to go on.
                let _told_or_not = core.close().await;
            } else {
                core.abandon();
            }
        };
        self.core.environment().spawn(Box::pin(close));
        Ok(())
    }

    /// Closes a client that nobody has seen, in the background: nobody is told of anything any more.
    pub(super) fn give_up(self: &Arc<Self>) {
        drop(self.take_completion());
        // There is nobody else who could have closed it.
        let _begun = self.begin_close(true);
    }

    /// Sees to it that somebody lets go of what is the host's when the time has come.
    fn ensure_dispatcher(self: &Arc<Self>) {
        let mut desk = self.lock();
        if desk.dispatcher.is_none() {
            desk.dispatcher = self.start_dispatcher().ok();
        }
    }

    /// Whether this is the thread that calls the client's callbacks, now.
    fn is_calling_back(&self) -> bool {
        let here = Some(std::thread::current().id());
        let desk = self.lock();
        desk.dispatcher == here || desk.poller == here
    }

    fn close(self: &Arc<Self>, polite: bool, limit: i64) -> Result<(), Fault> {
        self.begin_close(polite)?;
        if self.flag().is_none()
            && let Some(handle) = self.handle.get()
        {
            // A polled client goes on to be polled.
            objects::remove::<Self>(*handle)?;
        }
        if self.is_calling_back() {
            return Ok(());
        }
        if self.lock().dispatcher.is_some() {
            return self.await_closed(limit, |desk| desk.released);
        }
        let ended = self.await_closed(limit, |desk| desk.ended);
        if self.flag().is_some() {
            // Only who polls can be told; if there is nothing to tell, this is the end.
            if self.is_over() && self.has_told_everything() {
                self.clear();
            }
        } else if ended.is_ok() && self.is_over() {
            self.clear();
        } else {
            self.ensure_dispatcher();
        }
        ended
    }

    /// Whether nothing waits for who polls.
    fn has_told_everything(&self) -> bool {
        let watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        watches.is_empty() && self.queues_are_empty()
    }

    fn await_closed(&self, limit: i64, is_so: impl Fn(&super::Desk) -> bool) -> Result<(), Fault> {
        let desk = self.lock();
        let desk = match duration(limit) {
            Some(limit) => {
                self.cleared
                    .wait_timeout_while(desk, limit, |desk| !is_so(desk))
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
            None => self
                .cleared
                .wait_while(desk, |desk| !is_so(desk))
                .unwrap_or_else(PoisonError::into_inner),
        };
        if is_so(&desk) { Ok(()) } else { Err(timed_out(limit, "close", "")) }
    }
}

/// Closes a client with its watches, transactions and calls; locks, candidates and terms are lost, but have handles that are
/// to be closed yet. Its session ends, with its ephemeral nodes; without a connection this is tried
/// for ten seconds, then the session ends by its timeout. Whatever is under way is told exactly once, before the destructors are called.
/// Waits for all of that, `timeout_ms` milliseconds at most (without limit for a negative number): QUORATE_TIMED_OUT says that it
/// goes on in the background.
///
/// From any thread; blocks. In a callback of this client it returns at once, and what follows happens when the callback has returned. The handle is
/// closed in any case, and closing it again does nothing but answer QUORATE_CLOSED. Only a polled client is to be polled
/// on, until quorate_client_poll says QUORATE_CLOSED, if anything was left to be told.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_client_close(client: ClientHandle, timeout_ms: i64) -> i32 {
    boundary::closing::<Client>(client, |client| client.close(true, timeout_ms))
}

/// The same, without telling the server: the session lives on until its timeout, and can be resumed with its id and password.
///
/// From any thread; blocks for a moment, in a callback not at all.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_client_abandon(client: ClientHandle, timeout_ms: i64) -> i32 {
    boundary::closing::<Client>(client, |client| client.close(false, timeout_ms))
}
