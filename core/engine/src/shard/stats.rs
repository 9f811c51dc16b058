//! What a shard counts, for the four-letter words.

use super::conn::Conn;
use quorate_wire::{OpCode, Zxid};

/// How long requests took, ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Requests counted.
    pub count: u64,
    /// Sum of their times.
    pub sum: u64,
    /// The shortest.
    pub min: u64,
    /// The longest.
    pub max: u64,
}

impl Latency {
    fn add(&mut self, ms: u64) {
        self.min = if self.count == 0 { ms } else { self.min.min(ms) };
        self.max = self.max.max(ms);
        self.sum = self.sum.saturating_add(ms);
        self.count = self.count.saturating_add(1);
    }

    /// Adds what another has counted.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        self.min = if self.count == 0 { other.min } else { self.min.min(other.min) };
        self.max = self.max.max(other.max);
        self.sum = self.sum.saturating_add(other.sum);
        self.count = self.count.saturating_add(other.count);
    }
}

/// Sizes of replies without their length field, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    last: u64,
    /// Larger than `max` before the first.
    min: u64,
    max: u64,
    /// When the last one was made, ms of the driver's clock.
    at: i64,
    sum: u64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { last: 0, min: u64::MAX, max: 0, at: i64::MIN, sum: 0 }
    }
}

impl Sizes {
    #[inline]
    fn add(&mut self, bytes: usize, now: i64) {
        let size = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.last = size;
        self.min = self.min.min(size);
        self.max = self.max.max(size);
        self.at = now;
        self.sum = self.sum.wrapping_add(size);
    }

    /// Adds what another has seen; the last is that of the later one.
    pub fn merge(&mut self, other: &Self) {
        if other.at >= self.at {
            (self.last, self.at) = (other.last, other.at);
        }
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// The last, the smallest and the largest; `None` before the first.
    #[must_use]
    pub fn seen(&self) -> Option<(u64, u64, u64)> {
        (self.min <= self.max).then_some((self.last, self.min, self.max))
    }

    /// Sum of all.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        self.sum
    }
}

/// Counters of a whole shard.
#[derive(Clone, Copy, Debug, Default)]
pub struct ShardStats {
    /// Frames (and four-letter words) received.
    pub received: u64,
    /// Frames sent, notifications included.
    pub sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Request times of what changes nothing.
    pub reads: Latency,
    /// Request times of what goes through the log.
    pub updates: Latency,
    /// Sizes of replies.
    pub responses: Sizes,
    /// Handshakes received.
    pub handshakes: u64,
    /// Those that resumed a session.
    pub resumed: u64,
    /// Connections given up because no handshake came.
    pub strangers_expired: u64,
    /// Failed authentications.
    pub auth_failed: u64,
}

/// Counters of one connection.
#[derive(Clone, Copy, Debug)]
pub struct ConnStats {
    /// When it was accepted, ms of the driver's clock.
    pub established: i64,
    /// Frames received.
    pub received: u64,
    /// Frames sent, notifications included.
    pub sent: u64,
    /// The last operation answered.
    pub last_op: Option<OpCode>,
    /// The last xid that is no special one; -1 before.
    pub last_xid: i32,
    /// The server's zxid when it was answered; -1 before.
    pub last_zxid: i64,
    /// When it was answered, ms of the driver's clock.
    pub last_response: i64,
    /// How long it took, ms.
    pub last_latency: u64,
    /// Request times.
    pub latency: Latency,
}

impl ConnStats {
    /// Nothing counted yet on a connection accepted at `established`.
    #[must_use]
    pub const fn new(established: i64) -> Self {
        Self {
            established,
            received: 0,
            sent: 0,
            last_op: None,
            last_xid: -1,
            last_zxid: -1,
            last_response: 0,
            last_latency: 0,
            latency: Latency { count: 0, sum: 0, min: 0, max: 0 },
        }
    }

    /// The session has been created: its first sign in the figures, as xid 0.
    pub(super) const fn session_began(&mut self, zxid: Zxid, now: i64) {
        self.last_op = Some(OpCode::CreateSession);
        self.last_xid = 0;
        self.last_zxid = zxid.0;
        self.last_response = now;
    }
}

impl ShardStats {
    pub(super) const fn received(&mut self, conn: &mut Conn) {
        self.received += 1;
        conn.stats.received += 1;
    }

    /// Notes the size of a reply or notification: a whole frame, from which the length field is taken off.
    #[inline]
    pub(super) fn responded(&mut self, frame: usize, now: i64) {
        self.responses.add(frame.saturating_sub(4), now);
    }

    /// Request times of all kinds.
    #[must_use]
    pub fn latency(&self) -> Latency {
        let mut all = self.reads;
        all.merge(&self.updates);
        all
    }

    /// Adds what another shard has counted.
    pub fn merge(&mut self, other: &Self) {
        self.received = self.received.saturating_add(other.received);
        self.sent = self.sent.saturating_add(other.sent);
        self.bytes_received = self.bytes_received.saturating_add(other.bytes_received);
        self.reads.merge(&other.reads);
        self.updates.merge(&other.updates);
        self.responses.merge(&other.responses);
        self.handshakes = self.handshakes.saturating_add(other.handshakes);
        self.resumed = self.resumed.saturating_add(other.resumed);
        self.strangers_expired = self.strangers_expired.saturating_add(other.strangers_expired);
        self.auth_failed = self.auth_failed.saturating_add(other.auth_failed);
    }

    pub(super) const fn notified(&mut self, conn: &mut Conn) {
        self.sent += 1;
        conn.stats.sent += 1;
    }

    pub(super) fn answered(
        &mut self,
        conn: &mut Conn,
        op: OpCode,
        xid: i32,
        zxid: Zxid,
        since: i64,
        now: i64,
    ) {
        let took = u64::try_from(now.saturating_sub(since)).unwrap_or(0);
        self.sent += 1;
        if is_update(op) {
            self.updates.add(took);
        } else {
            self.reads.add(took);
        }
        let stats = &mut conn.stats;
        stats.sent += 1;
        stats.last_op = Some(op);
        if xid >= 0 {
            stats.last_xid = xid;
        }
        stats.last_zxid = zxid.0;
        stats.last_response = now;
        stats.last_latency = took;
        stats.latency.add(took);
    }
}

/// Whether the operation's time counts as an update: it went through the log.
const fn is_update(op: OpCode) -> bool {
    matches!(
        op,
        OpCode::Create
            | OpCode::Create2
            | OpCode::CreateContainer
            | OpCode::CreateTtl
            | OpCode::Delete
            | OpCode::DeleteContainer
            | OpCode::SetData
            | OpCode::SetAcl
            | OpCode::Multi
            | OpCode::Reconfig
            | OpCode::CloseSession
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_figures_are_those_of_all() {
        let (mut a, mut b) = (ShardStats::default(), ShardStats::default());
        a.responded(24, 5);
        b.responded(20, 9);
        b.responded(104, 7);
        a.reads.add(4);
        b.updates.add(2);
        let empty = ShardStats::default();
        a.merge(&empty);
        a.merge(&b);
        assert_eq!(a.responses.seen(), Some((100, 16, 100)));
        assert_eq!(a.latency(), Latency { count: 2, sum: 6, min: 2, max: 4 });
        assert_eq!((empty.responses.seen(), a.responses.sum()), (None, 136));
    }
}
