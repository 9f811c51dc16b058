//! A data directory that an ensemble of Apache ZooKeeper 3.8.0 left behind opens with the tree that a client saw
//! in it, from every snapshot there is; and so does what we make of it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the helpers of a test fail as the test does"
)]

use quorate::storage::{Report, Storage, StorageConfig, StorageError};
use quorate_engine::tree::{Tree, TreeConfig};
use quorate_tests::vectors::{data_file, data_files, expected_tree};
use quorate_wire::Zxid;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tempfile::{TempDir, tempdir};

/// A copy of those files of the directory that `wanted` picks.
fn directory(wanted: impl Fn(&str) -> bool) -> TempDir {
    let dir = tempdir().unwrap();
    fs::create_dir(dir.path().join("version-2")).unwrap();
    for file in data_files() {
        let name = file.rsplit('/').next().unwrap();
        if name != "myid" && wanted(name) {
            fs::write(dir.path().join("version-2").join(name), data_file(&file)).unwrap();
        }
    }
    dir
}

fn open(dir: &Path) -> (Storage, Tree, Report) {
    let tree = TreeConfig { hash_seed: 1, digest: true };
    Storage::open(StorageConfig::new(dir, tree)).unwrap()
}

fn number(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

fn assert_expected(tree: &Tree, what: &str) {
    let expected = expected_tree();
    assert_eq!(tree.last_zxid().0.unsigned_abs(), number(&expected["last_zxid"]), "{what}");
    assert_eq!(tree.digest(), number(&expected["tree_digest"]), "{what}");
    assert_eq!(tree.digest(), tree.computed_digest(), "{what}");
    let sessions: BTreeMap<_, _> =
        tree.sessions().map(|(id, timeout)| (format!("{id:#x}"), timeout)).collect();
    assert_eq!(json!(sessions), expected["sessions_in_database"], "{what}");
    let nodes = expected["nodes"].as_array().unwrap();
    assert_eq!(tree.node_count(), nodes.len(), "{what}");
    for node in nodes {
        assert_node(tree, node, what);
    }
}

fn assert_node(tree: &Tree, node: &Value, what: &str) {
    let path = node["path"].as_str().unwrap();
    let id = tree.find(path).unwrap();
    let (stat, wanted) = (tree.stat(id), &node["stat"]);
    let found = json!({
        "czxid": stat.czxid, "mzxid": stat.mzxid, "pzxid": stat.pzxid, "ctime": stat.ctime,
        "mtime": stat.mtime, "version": stat.version, "cversion": stat.cversion,
        "aversion": stat.aversion, "ephemeralOwner": stat.ephemeral_owner,
        "dataLength": stat.data_length, "numChildren": stat.num_children,
    });
    // Each server keeps these two by itself, so their stats are not those of the one that the client asked.
    if !matches!(path, "/zookeeper/config" | "/zookeeper/quota/plain/zookeeper_stats") {
        assert_eq!(&found, wanted, "{what}: {path}");
    }
    let data: String =
        tree.data(id).unwrap_or_default().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(data, node["data_hex"].as_str().unwrap_or_default(), "{what}: {path}");
    let acl: Vec<_> =
        tree.acl(id).iter().map(|acl| json!([acl.perms, acl.id.scheme, acl.id.id])).collect();
    assert_eq!(json!(acl), node["acl"], "{what}: {path}");
}

#[test]
fn every_snapshot_leads_to_the_tree_that_the_clients_saw() {
    for (snapshot, records) in [
        ("snapshot.0", 63),
        ("snapshot.10000002e", 17),
        ("snapshot.200000011.gz", 0),
        ("snapshot.200000011.snappy", 0),
    ] {
        let dir = directory(|name| name == snapshot || !name.starts_with("snapshot."));
        let (storage, mut tree, report) = open(dir.path());
        assert_eq!(report.records, records, "{snapshot}");
        assert_eq!(report.mismatches, 0, "{snapshot}");
        assert_eq!(report.warnings, [""; 0], "{snapshot}");
        assert_eq!((report.epochs.accepted, report.epochs.current), (Some(2), Some(2)));
        assert_expected(&tree, snapshot);
        // A snapshot of our own holds the same.
        for name in fs::read_dir(dir.path().join("version-2")).unwrap() {
            fs::remove_file(name.unwrap().path()).unwrap();
        }
        storage.write_snapshot(&mut tree).unwrap();
        drop(storage);
        let (_storage, tree, report) = open(dir.path());
        assert_eq!(report.snapshot.unwrap().1, Zxid(0x2_0000_0011));
        assert_expected(&tree, &format!("ours of {snapshot}"));
    }
}

/// Where one epoch ends and the next begins, only the digests tell that something is missing.
#[test]
fn a_missing_epoch_is_noticed() {
    let dir = directory(|name| name != "log.100000001" && name != "snapshot.10000002e");
    for name in ["snapshot.200000011.gz", "snapshot.200000011.snappy"] {
        fs::remove_file(dir.path().join("version-2").join(name)).unwrap();
    }
    let tree = TreeConfig { hash_seed: 1, digest: true };
    let Err(error) = Storage::open(StorageConfig::new(dir.path(), tree)) else {
        unreachable!("opened without an epoch")
    };
    let StorageError::Gap { last, found, .. } = &error else { unreachable!("{error}") };
    assert_eq!((*last, *found), (Zxid::ZERO, Zxid(0x2_0000_0001)));
}
