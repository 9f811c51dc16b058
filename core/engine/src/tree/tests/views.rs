//! What others ask the tree: reapers, quota checks, ephemerals; and what a loader makes of odd snapshots.

use super::*;
use crate::tree::{LoadError, NodeId, Outcome, QuotaLimits, QuotaView};
use quorate_wire::stat::Owner;
use quorate_wire::txn::*;
use quorate_wire::{Acl, StatPersisted};

/// A tree and the number of its last transaction, which is its clock, too.
struct World(Tree, i64);

impl World {
    fn new() -> Self {
        Self(Tree::new(CONFIG), 0)
    }

    fn apply(&mut self, client_id: i64, txn: Txn<'_>) -> Outcome {
        self.1 += 1;
        let (zxid, time, kind) = (Zxid(self.1), self.1, txn.kind());
        let header = TxnHeader { client_id, cxid: 0, zxid, time, kind };
        self.0.apply(&TxnRecord { header, txn, digest: None }, &mut ())
    }

    fn create(&mut self, path: &str, data: &str, session: i64) {
        let (path, data, acl) = (path.into(), Some(data.as_bytes()), vec![Acl::world(31)]);
        let ephemeral = session != 0;
        let body = CreateBody { path, data, acl: acl.into(), ephemeral, parent_cversion: None };
        assert!(matches!(self.apply(session, Txn::Create(body)), Outcome::Node(_)));
    }

    fn data(&self, path: &str) -> &str {
        str::from_utf8(self.0.data(self.0.find(path).unwrap()).unwrap()).unwrap()
    }
}

#[test]
fn the_reaper_finds_used_containers_and_expired_nodes() {
    let mut world = World::new();
    for path in ["/used", "/fresh"] {
        let (path, acl) = (path.into(), vec![Acl::world(31)]);
        let body = CreateContainerBody { path, data: None, acl: acl.into(), parent_cversion: -1 };
        world.apply(0, Txn::CreateContainer(body));
    }
    let (path, acl) = ("/brief".into(), vec![Acl::world(31)]);
    let body = CreateTtlBody { path, data: None, acl: acl.into(), parent_cversion: -1, ttl: 100 };
    world.apply(0, Txn::CreateTtl(body));
    let reapable = |world: &World, now, never_used| -> Vec<String> {
        world.0.reapable(now, never_used).collect()
    };
    assert_eq!(reapable(&world, 50, 0), [""; 0]);
    world.create("/used/child", "", 0);
    assert_eq!(reapable(&world, 50, 0), [""; 0], "there is a child");
    world.apply(0, Txn::Delete("/used/child".into()));
    assert_eq!(reapable(&world, 50, 0), ["/used"]);
    assert_eq!(reapable(&world, 103, 0), ["/used"], "exactly the time to live is not over it");
    assert_eq!(reapable(&world, 104, 0), ["/used", "/brief"]);
    assert_eq!(reapable(&world, 50, 10), ["/used", "/fresh"]);
    let brief = world.0.find("/brief").unwrap();
    assert_eq!((world.0.owner(brief), world.0.stat(brief).ephemeral_owner), (Owner::Ttl(100), 0));
    world.create("/brief/child", "", 0);
    assert_eq!(reapable(&world, 500, 0), ["/used"]);
}

#[test]
fn quotas_are_charged_and_seen() {
    let mut world = World::new();
    world.create("/a", "12345", 0);
    world.create("/a/b", "12", 0);
    world.create("/zookeeper/quota/a", "", 0);
    assert_eq!(world.0.quota("/a"), None);
    let text = "count=9,bytes=-1=;byteHardLimit=99;countHardLimit=-1";
    world.create("/zookeeper/quota/a/zookeeper_limits", text, 0);
    assert_eq!(world.0.quota("/a"), None, "no totals yet");
    world.create("/zookeeper/quota/a/zookeeper_stats", "count=-1,bytes=-1", 0);
    let limits = QuotaLimits { count: Some(9), bytes_hard: Some(99), ..QuotaLimits::default() };
    let view = |count, bytes| Some(QuotaView { path: "/a".into(), limits, count, bytes });
    assert_eq!(world.0.quota("/a/b/c"), view(2, 7));
    world.create("/a/b/c", "123", 0);
    assert_eq!(world.0.quota("/a"), view(3, 10));
    let path = "/a/b".into();
    world.apply(0, Txn::SetData(SetDataBody { path, data: None, version: 1 }));
    assert_eq!(world.0.quota("/a"), view(3, 8));
    world.apply(0, Txn::Delete("/a/b/c".into()));
    assert_eq!(world.0.quota("/a"), view(2, 5));
    assert_eq!(world.data("/zookeeper/quota/a/zookeeper_stats"), "count=2,bytes=5");
    let stats = world.0.find("/zookeeper/quota/a/zookeeper_stats").unwrap();
    let stat = world.0.stat(stats);
    assert_eq!((stat.version, stat.mzxid), (0, stat.czxid), "charging leaves no trace");
    assert_eq!(world.0.quota("/ab"), None);
    world.apply(0, Txn::Delete("/zookeeper/quota/a/zookeeper_limits".into()));
    world.create("/a/d", "123", 0);
    assert_eq!(world.data("/zookeeper/quota/a/zookeeper_stats"), "count=2,bytes=5", "inactive");
}

#[test]
fn ephemerals_are_listed_by_path_and_end_with_their_session() {
    let mut world = World::new();
    world.apply(8, Txn::CreateSession(4000));
    world.apply(9, Txn::CreateSession(4000));
    for (path, session) in [("/c", 9), ("/a", 9), ("/b", 8)] {
        world.create(path, "", session);
    }
    assert!(world.0.ephemerals(9).eq(["/a", "/c"]));
    assert!(world.0.ephemeral_sessions().eq([8, 9]));
    world.apply(9, Txn::CloseSession(Some(vec!["/c".into()])));
    assert!(world.0.ephemeral_sessions().eq([8]));
    assert!(world.0.sessions().eq([(8, 4000)]));
    assert_eq!((world.0.find("/a"), world.0.ephemeral_count()), (None, 1));
}

#[test]
fn a_refused_multi_changes_nothing_and_says_where_it_failed() {
    let mut world = World::new();
    let before = world.0.digest();
    let txns = [Txn::Delete("/a".into()), Txn::Error(-101), Txn::Check("/a".into(), 1)];
    let parts = txns.into_iter().map(|txn| SubTxn { txn }).collect();
    let outcome = world.apply(0, Txn::Multi(MultiTxn { parts }));
    assert_eq!(outcome, Outcome::Multi([0, -101, -2].map(Outcome::Error).to_vec()));
    assert_eq!((world.0.digest(), world.0.last_zxid()), (before, Zxid(1)));
}

#[test]
fn odd_snapshots_are_refused() {
    let zero = StatPersisted::default();
    let load = |paths: &[&str]| -> Result<Tree, LoadError> {
        let mut loader = TreeLoader::new(CONFIG);
        for path in paths {
            loader.node(path, None, -1, &zero)?;
        }
        loader.finish(Zxid(5))
    };
    let path = |path: &str| path.to_owned();
    assert_eq!(load(&[]).unwrap_err(), LoadError::NoRoot);
    assert_eq!(load(&["/a"]).unwrap_err(), LoadError::NoParent { path: path("/a") });
    assert_eq!(load(&["", "/a/b"]).unwrap_err(), LoadError::NoParent { path: path("/a/b") });
    assert_eq!(load(&["", ""]).unwrap_err(), LoadError::Duplicate { path: path("") });
    let twice = load(&["", "/a", "/a"]);
    assert_eq!(twice.unwrap_err(), LoadError::Duplicate { path: path("/a") });
    for odd in ["/", "a", "//a", "/a/"] {
        assert_eq!(load(&["", odd]).unwrap_err(), LoadError::Path { path: path(odd) });
    }
    let old = load(&["", "/zookeeper", "/zookeeper/quota"]).unwrap();
    let config = old.find("/zookeeper/config").expect("added");
    assert_eq!((old.acl(config), old.persisted(config).aversion), (&[Acl::world(1)][..], -1));
    assert_eq!(old.last_zxid(), Zxid(5));
}

#[test]
fn a_missing_acl_permits_nothing_until_the_log_brings_it() {
    let zero = StatPersisted::default();
    let mut loader = TreeLoader::new(CONFIG);
    loader.acl(3, &[Acl::world(1)]);
    loader.acl(4, &[Acl::world(2)]);
    for (path, acl) in [("", -1), ("/a", 77), ("/b", 77), ("/c", 3)] {
        loader.node(path, None, acl, &zero).unwrap();
    }
    let mut world = World(loader.finish(Zxid(0)).unwrap(), 0);
    assert_eq!(world.0.acl_count(), 2, "entry 4 is not used");
    for path in ["/a", "/b"] {
        assert_eq!(world.0.missing_acl(), Some(77));
        let id = world.0.find(path).unwrap();
        assert_eq!(world.0.acl(id), [Acl::world(0)]);
        let (path, acl) = (path.into(), vec![Acl::world(31)]);
        world.apply(0, Txn::SetAcl(SetAclBody { path, acl: acl.into(), version: 1 }));
        assert!(world.0.has_open_acl(id));
    }
    assert_eq!((world.0.missing_acl(), world.0.acl_count()), (None, 1));
}

#[test]
fn loading_counts_quotas_again() {
    let mut world = World::new();
    world.create("/a", "12345", 0);
    world.create("/zookeeper/quota/a", "", 0);
    world.create("/zookeeper/quota/a/zookeeper_limits", "count=1,bytes=1", 0);
    world.create("/zookeeper/quota/a/zookeeper_stats", "", 0);
    let mut loader = TreeLoader::new(CONFIG);
    let ids = std::iter::once(NodeId::ROOT).chain(world.0.nodes.below(NodeId::ROOT));
    for id in ids {
        let path = world.0.path_or_empty(id);
        let data = if path.ends_with("_stats") { Some(&b"zzz"[..]) } else { world.0.data(id) };
        loader.node(&path, data, -1, &world.0.persisted(id)).unwrap();
    }
    let mut loaded = World(loader.finish(Zxid(9)).unwrap(), 9);
    assert_eq!(loaded.data("/zookeeper/quota/a/zookeeper_stats"), "count=1,bytes=5");
    loaded.create("/a/b", "1", 0);
    assert_eq!(loaded.data("/zookeeper/quota/a/zookeeper_stats"), "count=2,bytes=6");
}
