//! One client connection: where it stands, who it is, what it still waits for.

use super::stats::ConnStats;
use crate::access::Identities;
use crate::limits::large::Reserved;
use quorate_wire::OpCode;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Names a connection of a shard for as long as it lives; never reused while anyone may hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnKey {
    /// Its place in the shard, reused after it has closed.
    pub slot: u32,
    /// Tells it from earlier tenants of the slot.
    pub generation: u32,
}

/// What a connection may do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing has come yet: a handshake or a four-letter word is expected.
    Stranger,
    /// The replica has been asked for its session; further input waits.
    Connecting,
    /// It has said a four-letter word: nothing more is read, not even that its peer has ended, before the answer has been sent.
    /// Tools such as netcat end their half of the connection right behind the word.
    Asking,
    /// It has a session.
    Open,
    /// It is closed as soon as its output has been sent.
    Closing,
}

/// A client connection.
#[derive(Debug)]
pub struct Conn {
    /// Its name.
    pub key: ConnKey,
    /// The peer; `None` within the process.
    pub remote: Option<SocketAddr>,
    /// What it may do now.
    pub state: State,
    /// Its session, 0 before there is one.
    pub session: i64,
    /// The session's timeout on this connection, ms.
    pub timeout: i32,
    /// Who it has proven to be.
    pub identities: Identities,
    /// Counters.
    pub stats: ConnStats,
    /// Bytes of a frame that is not complete or may not be looked at yet.
    pub(super) input: Vec<u8>,
    /// Bytes to send.
    pub(super) out: Vec<u8>,
    /// How many of `out` have been sent.
    pub(super) sent: usize,
    /// Bytes of events put into `out` since it was last empty.
    pub(super) events: usize,
    /// Unanswered requests, in order. The first is a write, unless so much waits to be sent already that reads
    /// have to wait, too.
    pub(super) queue: VecDeque<Waiting>,
    /// Bytes of the reads in `queue`.
    pub(super) queued: usize,
    /// Unanswered writes.
    pub(super) writes: u32,
    /// Which tick the session was last touched for.
    pub(super) touched: i64,
    /// The read-only byte of the handshake: whether the client makes do with reading. The answer has one too if there was one.
    pub(super) read_only: Option<bool>,
    /// Whether a long read of it waits for the next round.
    pub(super) postponed: bool,
    /// Whether it stands in a list of connections with output.
    pub(super) listed: Listed,
}

/// In which list of connections with output one stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    No,
    /// Events only: they may be spread over time.
    Events,
    /// Replies: at once.
    Replies,
}

/// An unanswered request.
#[derive(Debug)]
pub(super) enum Waiting {
    /// The replica has it.
    Write {
        /// The request's number.
        xid: i32,
        /// The operation.
        op: OpCode,
        /// When it came, ms.
        since: i64,
        /// Its bytes, if it is large.
        #[expect(dead_code, reason = "held for its drop")]
        large: Option<Reserved>,
    },
    /// A request that has to see the writes before it: the whole frame.
    Read(Box<[u8]>, i64, Option<Reserved>),
}

impl Conn {
    pub(super) fn new(key: ConnKey, remote: Option<SocketAddr>, now: i64) -> Self {
        Self {
            key,
            remote,
            state: State::Stranger,
            session: 0,
            timeout: 0,
            identities: Identities::from_address(
                remote.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |addr| addr.ip()),
            ),
            stats: ConnStats::new(now),
            input: Vec::new(),
            out: Vec::new(),
            sent: 0,
            events: 0,
            queue: VecDeque::new(),
            queued: 0,
            writes: 0,
            touched: i64::MIN,
            read_only: Some(false),
            postponed: false,
            listed: Listed::No,
        }
    }

    /// Requests that have not been answered.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.queue.len()
    }

    /// Whether it makes do with reading, as its handshake has said.
    #[must_use]
    pub const fn makes_do_with_reading(&self) -> bool {
        matches!(self.read_only, Some(true))
    }

    /// Whether more is read from it now.
    #[must_use]
    pub const fn is_listening(&self) -> bool {
        matches!(self.state, State::Stranger | State::Open)
    }

    /// When its session may end unless something is heard of it, ms; `None` before there is a session.
    #[must_use]
    pub fn deadline(&self) -> Option<i64> {
        let first = self.stats.established.saturating_add(self.timeout as i64);
        let known = self.session != 0;
        known.then_some(if self.touched > first { self.touched } else { first })
    }

    /// Whether it could go on without the replica: a read is next, or there is input.
    pub(super) fn has_more_to_do(&self) -> bool {
        matches!(self.queue.front(), Some(Waiting::Read(..)))
            || (self.state == State::Open && !self.input.is_empty())
    }

    /// Bytes that wait to be sent.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.out.len().saturating_sub(self.sent)
    }
}
