//! The tree digest: a sum of node digests that two replicas can compare.
//!
//! A node's digest is the CRC-32 of path, data and stat; the tree's is their sum modulo 2^64. Nodes below
//! `/zookeeper` do not count. The tree keeps the CRC of path and data per node, so that a changed stat
//! costs 60 bytes of CRC. Request preparation uses the same functions to predict.
//! Source: `org.apache.zookeeper.server.DigestCalculator`, version 2.

use quorate_wire::StatPersisted;

/// Whether the node of this path counts.
#[must_use]
pub fn counts(path: &str) -> bool {
    !path.starts_with("/zookeeper/")
}

/// CRC-32 of path and data; null data adds nothing. The root's path is empty.
#[must_use]
pub fn prefix(path: &str, data: Option<&[u8]>) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(path.as_bytes());
    crc.update(data.unwrap_or_default());
    crc.finalize()
}

/// The digest of a node: its [`prefix`] continued over the stat.
#[must_use]
pub fn of_node(prefix: u32, stat: &StatPersisted) -> u64 {
    let mut crc = crc32fast::Hasher::new_with_initial(prefix);
    crc.update(&bytes(stat));
    u64::from(crc.finalize())
}

/// Both: what [`prefix`] and [`of_node`] say.
#[must_use]
pub fn of_new(path: &str, data: Option<&[u8]>, stat: &StatPersisted) -> (u32, u64) {
    let mut crc = crc32fast::Hasher::new();
    crc.update(path.as_bytes());
    crc.update(data.unwrap_or_default());
    let prefix = crc.clone().finalize();
    crc.update(&bytes(stat));
    (prefix, u64::from(crc.finalize()))
}

fn bytes(stat: &StatPersisted) -> [u8; 60] {
    let mut bytes = [0; 60];
    bytes[0..8].copy_from_slice(&stat.czxid.to_be_bytes());
    bytes[8..16].copy_from_slice(&stat.mzxid.to_be_bytes());
    bytes[16..24].copy_from_slice(&stat.pzxid.to_be_bytes());
    bytes[24..32].copy_from_slice(&stat.ctime.to_be_bytes());
    bytes[32..40].copy_from_slice(&stat.mtime.to_be_bytes());
    bytes[40..44].copy_from_slice(&stat.version.to_be_bytes());
    bytes[44..48].copy_from_slice(&stat.cversion.to_be_bytes());
    bytes[48..52].copy_from_slice(&stat.aversion.to_be_bytes());
    bytes[52..60].copy_from_slice(&stat.ephemeral_owner.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_what_apache_logged() {
        let zero = StatPersisted::default();
        assert_eq!(of_node(prefix("", Some(b"")), &zero), 0x0412_8908);
        assert_eq!(of_node(prefix("/zookeeper", None), &zero), 0x4db4_4d58);
        let (zxid, time) = (0x1_0000_0002, 1_795_364_288_992);
        let root = StatPersisted { cversion: 1, pzxid: zxid, ..zero };
        assert_eq!(of_node(prefix("", None), &root), 0xeb02_e853);
        let plain = StatPersisted {
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: time,
            mtime: time,
            ..zero
        };
        let crc = prefix("/plain", Some(b"hello"));
        assert_eq!(of_node(crc, &plain), 0x0d6b_7fda);
        assert_eq!(of_new("/plain", Some(b"hello"), &plain), (crc, 0x0d6b_7fda));
    }

    #[test]
    fn only_what_lies_below_zookeeper_is_left_out() {
        assert!(counts("") && counts("/zookeeper") && counts("/zookeeper2/a"));
        assert!(!counts("/zookeeper/quota"));
    }
}
