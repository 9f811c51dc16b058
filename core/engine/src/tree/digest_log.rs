//! The digests that the tree had at every 128th transaction, so that two servers can be compared at the same
//! zxid although both go on serving. The `hash` word prints them. Source: `DataTree#logZxidDigest`.

use quorate_wire::Zxid;
use std::collections::VecDeque;

/// The last digests kept, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DigestLog(VecDeque<(Zxid, u64)>);

impl DigestLog {
    /// Notes the digest after a transaction if it is one of those that are kept.
    pub(super) fn note(&mut self, zxid: Zxid, digest: u64) {
        if zxid.0 % INTERVAL != 0 {
            return;
        }
        if self.0.len() >= KEPT {
            self.0.pop_front();
        }
        self.0.push_back((zxid, digest));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Zxid, u64)> {
        self.0.iter().copied()
    }
}

/// Transactions between two digests kept.
const INTERVAL: i64 = 128;
/// Most digests kept.
const KEPT: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_128th_is_kept_and_the_oldest_go() {
        let mut log = DigestLog::default();
        for zxid in 1..=128 * 1030 {
            log.note(Zxid(zxid), zxid.cast_unsigned());
        }
        let kept: Vec<_> = log.iter().collect();
        assert_eq!((kept.len(), kept[0]), (1024, (Zxid(128 * 7), 128 * 7)));
        assert_eq!(kept[1023].0, Zxid(128 * 1030));
    }
}
