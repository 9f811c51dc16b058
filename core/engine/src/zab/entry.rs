//! One transaction of the history, as bytes that the log, the learners and the tree share.

use crate::segment::Segment;
use quorate_wire::Zxid;
use std::sync::Arc;

/// A record of a sealed segment.
#[derive(Clone)]
pub struct Entry {
    segment: Arc<Segment>,
    n: usize,
    zxid: Zxid,
}

impl Entry {
    /// All records of a segment, in order.
    pub fn all_of(segment: &Arc<Segment>) -> impl Iterator<Item = Self> {
        let segment = Arc::clone(segment);
        let zxids: Vec<Zxid> = segment.records().iter().map(|record| record.zxid).collect();
        zxids.into_iter().enumerate().map(move |(n, zxid)| Self {
            segment: Arc::clone(&segment),
            n,
            zxid,
        })
    }

    /// An entry of its own from a transaction's bytes, which are copied once.
    #[must_use]
    pub fn from_payload(zxid: Zxid, payload: &[u8]) -> Self {
        let mut segment = Segment::for_one(payload.len());
        segment.push(zxid, |out| out.extend_from_slice(payload));
        Self { segment: Arc::new(segment), n: 0, zxid }
    }

    /// Its place in the history.
    #[must_use]
    pub const fn zxid(&self) -> Zxid {
        self.zxid
    }

    /// The transaction's bytes, which are also a proposal's.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.segment.payload(self.n).unwrap_or_default()
    }
}

/// Two entries are the same transaction if their bytes are.
impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.zxid == other.zxid && self.payload() == other.payload()
    }
}

impl Eq for Entry {}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entry({}, {} bytes)", self.zxid, self.payload().len())
    }
}
