//! What waits to be sent, and in which order connections get their turn.
//!
//! Replies go out at once; events of connections that asked for nothing are handed out in slices, so that
//! five thousand notifications do not delay anybody's reply. Within one connection bytes never overtake each other.
//! Buffers are borrowed from a pool, so that an idle connection holds none.

use super::conn::{Conn, ConnKey, Listed, State};
use super::{Shard, index};
use std::collections::VecDeque;

#[derive(Debug, Default)]
pub(super) struct Outputs {
    replies: Vec<ConnKey>,
    events: VecDeque<ConnKey>,
    pool: Vec<Vec<u8>>,
    /// Sum of [`Conn::events`] of all connections.
    unread: usize,
}

/// What a driver has to do for a connection with output.
#[derive(Debug)]
pub enum Flush<'a> {
    /// Send these bytes and report with [`Shard::sent`].
    Send(&'a [u8]),
    /// Everything is sent and the connection has to be closed.
    Close,
    /// Nothing to do.
    Nothing,
}

impl Outputs {
    /// The output buffer of a connection.
    pub(super) fn of<'c>(&mut self, conn: &'c mut Conn) -> &'c mut Vec<u8> {
        if conn.out.capacity() == 0
            && let Some(buffer) = self.pool.pop()
        {
            conn.out = buffer;
        }
        &mut conn.out
    }

    /// Bytes of events that wait.
    #[cfg(test)]
    pub(super) const fn unread(&self) -> usize {
        self.unread
    }

    pub(super) fn recycle(&mut self, mut buffer: Vec<u8>) {
        if self.pool.len() < POOL_BUFFERS && (1..=POOL_BUFFER_SIZE).contains(&buffer.capacity()) {
            buffer.clear();
            self.pool.push(buffer);
        }
    }

    pub(super) fn mark_replied(&mut self, conn: &mut Conn) {
        if conn.listed != Listed::Replies {
            conn.listed = Listed::Replies;
            self.replies.push(conn.key);
        }
    }

    /// The connection's output is empty, or will never be sent.
    pub(super) fn forget_events(&mut self, conn: &mut Conn) {
        self.unread = self.unread.saturating_sub(std::mem::take(&mut conn.events));
    }

    /// Closes a connection without sending what is left for it.
    pub(super) fn cut_off(&mut self, conn: &mut Conn) {
        conn.state = State::Closing;
        conn.queue = VecDeque::new();
        conn.out = Vec::new();
        conn.sent = 0;
        self.forget_events(conn);
        self.mark_replied(conn);
    }

    /// Puts an event into a connection's output, unless more than `limit` bytes would wait there, or more than
    /// `total` of events in the whole shard and this connection has a large share: then it is cut off. A client that
    /// does not read its events will re-read everything anyway.
    pub(super) fn push_event(&mut self, conn: &mut Conn, frame: &[u8], limit: usize, total: usize) {
        if conn.state == State::Closing {
            return;
        }
        let crowds = self.unread > total && conn.events > total / LARGE_SHARE;
        if crowds || conn.unsent().saturating_add(frame.len()) > limit {
            self.cut_off(conn);
        } else {
            self.of(conn).extend_from_slice(frame);
            conn.events += frame.len();
            self.unread += frame.len();
        }
        if conn.listed == Listed::No {
            conn.listed = Listed::Events;
            self.events.push_back(conn.key);
        }
    }
}

impl Shard {
    /// The next connection that has replies to send; each is named once.
    pub fn next_replied(&mut self) -> Option<ConnKey> {
        self.output.replies.pop()
    }

    /// The next connection that has only events to send; each is named once.
    pub fn next_notified(&mut self) -> Option<ConnKey> {
        while let Some(key) = self.output.events.pop_front() {
            if self.conn(key).is_some_and(|conn| conn.listed == Listed::Events) {
                return Some(key);
            }
        }
        None
    }

    /// Whether connections wait for their events.
    #[must_use]
    pub fn has_notified(&self) -> bool {
        !self.output.events.is_empty()
    }

    /// Whether the shard's thread has something to do.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.has_resumable()
            || self.has_notified()
            || self.has_postponed()
            || !self.output.replies.is_empty()
    }

    /// What is to be done for a connection.
    pub fn flush(&mut self, key: ConnKey) -> Flush<'_> {
        let Some(conn) = self.conns.get_mut(index(key.slot)).filter(|conn| conn.key == key) else {
            return Flush::Nothing;
        };
        conn.listed = Listed::No;
        match conn.out.get(conn.sent..) {
            Some(bytes) if !bytes.is_empty() => Flush::Send(bytes),
            _ if conn.state == State::Closing => Flush::Close,
            _ => Flush::Nothing,
        }
    }

    /// Notes that the first `n` of the unsent bytes have been taken by the socket. Returns whether more
    /// are waiting, so that the driver has to come back when the socket takes more.
    pub fn sent(&mut self, key: ConnKey, n: usize) -> bool {
        let Some(conn) = self.conns.get_mut(index(key.slot)).filter(|conn| conn.key == key) else {
            return false;
        };
        conn.sent = conn.sent.saturating_add(n);
        if conn.sent >= conn.out.len() {
            conn.sent = 0;
            let buffer = std::mem::take(&mut conn.out);
            self.output.forget_events(conn);
            self.output.recycle(buffer);
            if conn.has_more_to_do() {
                self.resumable.push(key);
            }
            return false;
        }
        if conn.sent > conn.out.len() / 2 {
            conn.out.drain(..conn.sent);
            conn.sent = 0;
        }
        true
    }
}

/// A connection has a large share of the events that wait when it has one part in so many of the limit.
const LARGE_SHARE: usize = 256;
const POOL_BUFFERS: usize = 64;
const POOL_BUFFER_SIZE: usize = 256 << 10;
