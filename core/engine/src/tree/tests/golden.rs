//! Replay of the transactions that an Apache 3.8.0 ensemble logged, digests included.
//!
//! The data is the payload of each log record: 46 of the first epoch, 17 of the second. Error records carry no
//! digest, all others do.

use super::*;
use quorate_wire::{Acl, Stat};

#[test]
fn every_digest_that_apache_logged_is_ours() {
    let mut tree = Tree::new(CONFIG);
    assert_eq!(tree.digest(), 0x51c6_d660, "of a fresh tree");
    assert_eq!(tree.approximate_data_size(), 44, "what mntr says of a fresh server");
    let mut compared = 0;
    for bytes in records(FIRST).iter().chain(&records(SECOND)) {
        let record = record(bytes);
        tree.apply(&record, &mut ());
        assert_eq!(tree.last_zxid(), record.header.zxid);
        assert_eq!(tree.digest(), tree.computed_digest());
        if let Some(digest) = record.digest {
            assert_eq!(tree.digest(), digest.tree, "after {record:?}");
            compared += 1;
        }
    }
    assert_eq!(compared, 60);
    assert_eq!(tree.digest(), 0xd_6e21_084d);
}

#[test]
fn replaying_twice_changes_nothing() {
    let mut tree = Tree::new(CONFIG);
    let first = records(FIRST);
    for bytes in &first {
        tree.apply(&record(bytes), &mut ());
    }
    let once = dump(&tree);
    for bytes in &first {
        tree.apply(&record(bytes), &mut ());
    }
    assert_eq!(dump(&tree), once);
}

#[test]
fn a_snapshot_after_each_transaction_loads_as_the_tree() {
    let mut tree = Tree::new(CONFIG);
    for bytes in records(FIRST).iter().chain(&records(SECOND)) {
        tree.apply(&record(bytes), &mut ());
        let loaded = load(&snapshot(&mut tree), tree.last_zxid());
        assert_eq!(dump(&loaded), dump(&tree));
    }
}

/// One line per node: path, data in hex, ACL, stat, as a client with every permission saw them.
#[test]
fn the_replayed_tree_is_what_a_client_saw() {
    let mut tree = Tree::new(CONFIG);
    for bytes in records(FIRST).iter().chain(&records(SECOND)) {
        tree.apply(&record(bytes), &mut ());
    }
    let hex = |data: &[u8]| -> String { data.iter().map(|byte| format!("{byte:02x}")).collect() };
    for line in VIEW.lines() {
        let path = line.split(' ').next().unwrap();
        let id = tree.find(path).expect(path);
        let data = tree.data(id).map_or("null".to_owned(), |data| format!("x{}", hex(data)));
        let entry = |a: &Acl<'_>| format!("{}:{}:{}", a.perms, a.id.scheme(), a.id.id());
        let acl: Vec<_> = tree.acl(id).iter().map(entry).collect();
        let s = tree.stat(id);
        let Stat { czxid, mzxid, ctime, mut mtime, version, cversion, aversion, pzxid, .. } = s;
        let (owner, length, children) = (s.ephemeral_owner, s.data_length, s.num_children);
        if path == "/zookeeper/config" {
            // Each server writes this node by its own clock when a configuration takes effect.
            mtime = 1_795_364_298_578;
        }
        let stat = format!(
            "{czxid},{mzxid},{ctime},{mtime},{version},{cversion},{aversion},{owner},{length},{children},{pzxid}"
        );
        assert_eq!(format!("{path} {data} {} {stat}", acl.join(",")), line);
    }
    assert_eq!(tree.node_count(), VIEW.lines().count());
    assert_eq!(tree.last_zxid(), Zxid(0x2_0000_0011));
}

const VIEW: &str = include_str!("data/clients-view.txt");
const FIRST: &str = include_str!("data/log.100000001.hex");
const SECOND: &str = include_str!("data/log.200000001.hex");
