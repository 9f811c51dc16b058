//! The sockets of the quorum port: what a leader and its learners say to each other.
//!
//! [`LearnerLinks`] is the leader's end, from when its role begins to its end; [`LeaderLink`] is a learner's. Both carry the messages of
//! `quorate_engine::zab`, and the tree behind a SNAP. They live in the poll of the thread that owns the state, have no thread of their own
//! (but for names, which are looked up beside it), decide nothing and never wait. A round:
//!
//! 1. `ready` for each event of the poll that is theirs,
//! 2. `next` until it has nothing to report; between two reports anything may be sent or closed,
//! 3. `flush`, with which a new round begins,
//! 4. no sleep while `has_work`.
//!
//! Readiness is edge-triggered. In one round no link is read more than a few times, and each is written at most once.
//! What a link holds in memory has a limit in both directions; whoever goes beyond it, or says what is no message, loses
//! its connection, with a [`Loss`] that says what and where, and nobody else notices.

mod channel;
mod input;
mod leader;
mod learner;
mod learners;
mod link;
mod loss;
mod names;
mod output;
mod ports;
mod search;
#[cfg(test)]
mod tests;

pub(crate) use leader::{LeaderLink, LeaderReport, LeaderSettings};
pub(crate) use learners::{LearnerLinks, LearnerReport};
pub(crate) use loss::Loss;

/// How much a link may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The longest data of a packet, see [`read_limit`](quorate_wire::quorum::packet::read_limit). A connection holds at most about six
    /// times as much of what it has received, and usually 64 KiB.
    pub(crate) packet: usize,
    /// Bytes that may wait to be sent. More than the history in memory, which a learner may be sent at once. Beside it, a tree on
    /// its way may take as much again.
    pub(crate) queue: usize,
    /// Bytes of requests that are put aside while there are too many of them; a link with more is not read.
    pub(crate) aside: usize,
}

/// Reads of one link in one round.
const READS: u32 = 4;
