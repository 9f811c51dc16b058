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

/// Counters of a whole shard.
#[derive(Clone, Copy, Debug, Default)]
pub struct ShardStats {
    /// Frames received.
    pub received: u64,
    /// Frames sent, notifications included.
    pub sent: u64,
    /// Request times.
    pub latency: Latency,
    /// Failed authentications.
    pub auth_failed: u64,
}

/// Counters of one connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConnStats {
    /// When it was accepted, ms of the driver's clock.
    pub established: i64,
    /// Frames received.
    pub received: u64,
    /// Frames sent, notifications included.
    pub sent: u64,
    /// The last operation answered.
    pub last_op: Option<OpCode>,
    /// Its xid.
    pub last_xid: i32,
    /// Its zxid.
    pub last_zxid: i64,
    /// When it was answered, ms of the driver's clock.
    pub last_response: i64,
    /// How long it took, ms.
    pub last_latency: u64,
    /// Request times.
    pub latency: Latency,
}

impl ShardStats {
    pub(super) const fn received(&mut self, conn: &mut Conn) {
        self.received += 1;
        conn.stats.received += 1;
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
        self.latency.add(took);
        let stats = &mut conn.stats;
        stats.sent += 1;
        stats.last_op = Some(op);
        stats.last_xid = xid;
        stats.last_zxid = zxid.0;
        stats.last_response = now;
        stats.last_latency = took;
        stats.latency.add(took);
    }
}
