//! One transaction of the history, as bytes that the log, the learners and the tree share.

use crate::segment::Segment;
use quorate_wire::quorum::Membership;
use quorate_wire::txn::{Txn, TxnHeader, TxnRecord, TxnType};
use quorate_wire::{Jute, Zxid};
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

    /// One segment that holds these entries, which must be in order: the log's part. Records are copied as they are, and a single one that has a
    /// segment of its own not even that.
    #[must_use]
    pub fn merged(entries: &[Self]) -> Arc<Segment> {
        match entries {
            [one] if one.segment.records().len() == 1 => Arc::clone(&one.segment),
            entries => Arc::new(Segment::gather(entries.iter().map(|e| (&*e.segment, e.n)))),
        }
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

    /// The configuration that it brings, if it is a reconfiguration that can be read.
    #[must_use]
    pub fn membership(&self) -> Option<Membership> {
        let header = TxnHeader::from_bytes(self.payload()).ok()?;
        if header.kind != TxnType::RECONFIG {
            return None;
        }
        let record = TxnRecord::from_bytes(self.payload()).ok()?;
        let Txn::Reconfig(body) = record.txn else { return None };
        Membership::parse(std::str::from_utf8(body.data?).ok()?).ok()
    }
}

#[cfg(test)]
impl Entry {
    /// A reconfiguration.
    pub(super) fn reconfig(zxid: Zxid, membership: &Membership) -> Self {
        let kind = TxnType::RECONFIG;
        let header = TxnHeader { client_id: 1, cxid: 2, zxid, time: 3, kind };
        let (path, text) = ("/zookeeper/config".into(), membership.to_string());
        let body =
            quorate_wire::txn::SetDataBody { path, data: Some(text.as_bytes()), version: -1 };
        let record = TxnRecord { header, txn: Txn::Reconfig(body), digest: None };
        Self::from_payload(zxid, &record.to_bytes())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_entries_are_the_bytes_of_a_segment_written_in_one() {
        let mut whole = Segment::default();
        let (mut first, mut second) = (Segment::default(), Segment::default());
        for zxid in 1..8_u8 {
            let push = |to: &mut Segment| {
                to.push(Zxid(zxid.into()), |out| out.resize(out.len() + usize::from(zxid), zxid));
            };
            push(if zxid < 4 { &mut first } else { &mut second });
            if zxid > 1 {
                push(&mut whole);
            }
        }
        let entries: Vec<Entry> = [first, second]
            .into_iter()
            .flat_map(|segment| Entry::all_of(&Arc::new(segment)).collect::<Vec<_>>())
            .skip(1)
            .collect();
        let merged = Entry::merged(&entries);
        assert_eq!((merged.bytes(), merged.records()), (whole.bytes(), whole.records()));
        assert!(Entry::merged(&[]).is_empty());
        let alone = Entry::from_payload(Zxid(9), b"alone");
        assert!(Arc::ptr_eq(&Entry::merged(std::slice::from_ref(&alone)), &alone.segment));
        let one = Entry::merged(&entries[1..2]);
        assert_eq!((one.records().len(), one.last_zxid()), (1, Some(entries[1].zxid())));
    }
}
