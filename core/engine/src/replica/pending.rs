//! What is on its way through the log, and what to do when it has arrived.

use crate::segment::Segment;
use crate::session::ConnRef;
use quorate_wire::{OpCode, Zxid};
use std::collections::VecDeque;
use std::sync::Arc;

/// Something that waits for the log, in the order of submission.
#[derive(Debug)]
pub(super) struct Pending {
    /// Its transaction; `None` when it only waits for what was submitted before.
    pub(super) zxid: Option<Zxid>,
    /// Who is to be answered.
    pub(super) conn: Option<ConnRef>,
    pub(super) purpose: Purpose,
    /// The parts of a multi that were create2, see `Prep::take_create2_parts`.
    pub(super) create2_parts: Vec<usize>,
}

impl Pending {
    /// Whether it is its turn when everything up to `zxid` is to be applied, and so many syncs have been confirmed.
    pub(super) fn is_due(&self, zxid: Zxid, confirmed: u64) -> bool {
        match (self.zxid, &self.purpose) {
            (Some(at), _) => at <= zxid,
            (None, &Purpose::Sync { number, .. }) => number <= confirmed,
            (None, _) => true,
        }
    }
}

/// Why it was submitted.
#[derive(Debug)]
pub(super) enum Purpose {
    /// A client's request.
    Request { xid: i32, op: OpCode, session: i64 },
    /// A client's sync. In an ensemble it has a number, and waits until its leader has confirmed so many.
    Sync { xid: i32, body: Box<[u8]>, number: u64 },
    /// A request of a client of another server, which answers it.
    Foreign,
    /// A request that had waited too long: answered in its turn, done never.
    Throttled { xid: i32 },
    /// A session of this server alone ends, as its client wants.
    LocalEnd { xid: i32, session: i64 },
    /// A session begins.
    NewSession { session: i64 },
    /// A session has not been heard of for too long.
    Expiry { session: i64 },
    /// A container or TTL node is no longer needed.
    Reap,
}

impl Purpose {
    /// Whether it waits for nothing but what its own client has asked for before.
    pub(super) const fn is_marker(&self) -> bool {
        matches!(self, Self::Throttled { .. } | Self::LocalEnd { .. })
    }
}

/// Sealed segments whose records have not all been applied.
#[derive(Debug, Default)]
pub(super) struct Inflight {
    segments: VecDeque<Arc<Segment>>,
    /// Records of the first segment that have been applied.
    done: usize,
    /// Bytes of the segments.
    bytes: usize,
}

impl Inflight {
    pub(super) fn push(&mut self, segment: Arc<Segment>) {
        self.bytes = self.bytes.saturating_add(segment.bytes().len());
        self.segments.push_back(segment);
    }

    /// The bytes of the segments, applied or not.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The next record: its segment and its place there.
    pub(super) fn next(&mut self) -> Option<(Arc<Segment>, usize)> {
        let front = self.segments.front()?;
        let next = (Arc::clone(front), self.done);
        self.done += 1;
        if self.done >= front.records().len() {
            self.bytes = self.bytes.saturating_sub(next.0.bytes().len());
            self.segments.pop_front();
            self.done = 0;
        }
        Some(next)
    }
}
