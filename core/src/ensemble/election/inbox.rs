//! What others have for the thread, and how it is woken for it.

use super::ElectionError;
use super::listeners::Bound;
use mio::{Token, Waker};
use quorate_engine::election::History;
use quorate_wire::quorum::membership::HostPort;
use quorate_wire::quorum::{Membership, ServerState, Vote};
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

/// One thing for the thread to do or to know.
#[derive(Debug)]
pub(super) enum Order {
    Look(History),
    Rest,
    Silent(i64),
    Established(i64),
    Assume(ServerState, Vote),
    See(Membership),
    Commit(Membership),
    /// The addresses of a host were looked up.
    Found(HostPort, io::Result<Vec<SocketAddr>>),
    /// Own addresses were bound, or not.
    Bound(Vec<Bound>, Option<ElectionError>),
    Close,
}

/// The queue, in order.
#[derive(Debug)]
pub(super) struct Inbox {
    orders: Mutex<Vec<Order>>,
    waker: Waker,
    /// How often the thread has looked here, which it does once in a round.
    #[cfg(test)]
    pub(super) rounds: std::sync::atomic::AtomicU64,
}

/// The poll token of the waker.
pub(super) const WAKER: Token = Token(0);

impl Inbox {
    pub(super) fn new(waker: Waker) -> Self {
        Self {
            orders: Mutex::new(Vec::new()),
            waker,
            #[cfg(test)]
            rounds: Default::default(),
        }
    }

    pub(super) fn push(&self, order: Order) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let first = orders.is_empty();
        orders.push(order);
        if first {
            // Writing to an event descriptor of this process cannot fail.
            let _ = self.waker.wake();
        }
    }

    pub(super) fn take(&self) -> Vec<Order> {
        #[cfg(test)]
        self.rounds.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        std::mem::take(&mut self.orders.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
