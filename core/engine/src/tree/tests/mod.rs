//! Tests of the tree as a whole: against what Apache wrote, and against a naive model.

mod generate;
mod golden;
mod model;
mod random;
mod stream;
mod views;

use super::{Tree, TreeConfig, TreeLoader, WalkState};
use crate::session::SessionNumber;
use quorate_wire::disk::snapshot::{Sealer, SnapshotReader, Trailer, newest_session};
use quorate_wire::txn::TxnRecord;
use quorate_wire::{Jute, Zxid};

const CONFIG: TreeConfig = TreeConfig { hash_seed: 7, digest: true };

/// Loads the bytes of a walk, completed to a file.
fn load(bytes: &[u8], zxid: Zxid) -> Tree {
    let mut file = bytes.to_vec();
    let mut sealer = Sealer::new();
    sealer.absorb(bytes);
    sealer.finish(&Trailer::default(), &mut file);
    let mut reader = SnapshotReader::new(&file).unwrap();
    let mut loader = TreeLoader::new(CONFIG);
    loader.keep_quota_totals();
    let newest = newest_session(reader.dbid()).unwrap();
    loader.newest_session(SessionNumber::of(newest.cast_signed()));
    for session in reader.sessions() {
        loader.session(session.id, session.timeout);
    }
    for entry in reader.acls() {
        loader.acl(entry.id, &entry.acl);
    }
    while let Some(node) = reader.next_node().unwrap() {
        loader.node(&node.path, node.data, node.acl, &node.stat).unwrap();
    }
    reader.finish().unwrap();
    loader.finish(zxid).unwrap()
}

/// Walks to the end.
fn snapshot(tree: &mut Tree) -> Vec<u8> {
    let mut bytes = Vec::new();
    tree.freeze();
    while tree.walk(3, &mut bytes) == WalkState::More {}
    bytes
}

/// Everything two trees can differ in, as text to compare; nothing that depends on ids or on the order of
/// children.
fn dump(tree: &Tree) -> Vec<String> {
    let ids = std::iter::once(super::NodeId::ROOT).chain(tree.nodes.below(super::NodeId::ROOT));
    let node = |id| {
        let (path, stat, acl) = (tree.path(id), tree.persisted(id), tree.acl(id));
        let children = tree.child_count(id);
        format!("{path} {:?} {stat:?} {children} {acl:?} {:x}", tree.data(id), tree.crc_prefix(id))
    };
    let mut lines: Vec<_> = ids.map(node).collect();
    lines.sort();
    for (session, timeout) in tree.sessions() {
        lines.push(format!("session {session:x} {timeout}"));
    }
    lines.push(format!("newest {:?}", tree.newest_session()));
    for session in tree.ephemeral_sessions() {
        let paths: Vec<_> = tree.ephemerals(session).collect();
        lines.push(format!("ephemerals {session:x} {paths:?}"));
    }
    let (containers, ttls) = (tree.containers(), tree.ttl_nodes());
    let mut owned: Vec<_> = containers.chain(ttls).map(|id| tree.path(id)).collect();
    owned.sort();
    lines.push(format!("owned {owned:?} quotas {:?}", tree.quotas));
    lines.push(format!(
        "zxid {} digest {:x} nodes {} size {} ephemerals {} acls {}",
        tree.last_zxid(),
        tree.digest(),
        tree.node_count(),
        tree.approximate_data_size(),
        tree.ephemeral_count(),
        tree.acl_count(),
    ));
    lines
}

/// Shows the first line that differs.
fn assert_equal(left: &[String], right: &[String], context: impl std::fmt::Display) {
    for (left, right) in left.iter().zip(right) {
        assert_eq!(left, right, "{context}");
    }
    assert_eq!(left.len(), right.len(), "{context}");
}

/// The records of a log, one per line in hex.
fn records(hex: &str) -> Vec<Vec<u8>> {
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    hex.lines().map(|line| line.as_bytes().chunks(2).map(byte).collect()).collect()
}

fn record(bytes: &[u8]) -> TxnRecord<'_> {
    TxnRecord::from_bytes(bytes).unwrap()
}
