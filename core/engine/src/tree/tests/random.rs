//! Long random histories: the tree against the model, snapshots against the tree they froze, and replay onto
//! snapshots that were taken the way Apache takes them.

use super::generate::{Generator, Random};
use super::model::{Model, ModelNode};
use super::*;
use crate::tree::{NodeId, Outcome, TreeEvent, TreeObserver};
use quorate_wire::txn::{CreateBody, Txn, TxnHeader};
use quorate_wire::{Acl, StatPersisted};
use std::borrow::Cow;

#[derive(Default)]
struct Told(Vec<String>);

impl TreeObserver for Told {
    fn fire(&mut self, event: TreeEvent<'_>) {
        self.0.push(match event {
            TreeEvent::Created { path, acl, parent_acl } => {
                format!("created {path} {acl:?} {parent_acl:?}")
            }
            TreeEvent::Deleted { path, acl, parent_acl } => {
                format!("deleted {path} {acl:?} {parent_acl:?}")
            }
            TreeEvent::DataChanged { path, acl } => format!("changed {path} {acl:?}"),
        });
    }
}

/// Compares by content, node for node.
fn assert_same(tree: &Tree, model: &Model, seed: u64) {
    assert_eq!(tree.node_count(), model.nodes.len(), "seed {seed}");
    for (path, node) in &model.nodes {
        let id = tree.find(path).unwrap_or_else(|| panic!("{path} is missing, seed {seed}"));
        let ModelNode { data, acl, stat } = node;
        assert_eq!(tree.data(id), data.as_deref(), "{path}, seed {seed}");
        assert_eq!((tree.persisted(id), tree.acl(id)), (*stat, &acl[..]), "{path}, seed {seed}");
        assert_eq!(tree.has_open_acl(id), *acl == [Acl::world(31)], "{path}, seed {seed}");
        let mut children: Vec<_> = tree.children(id).map(|c| format!("{path}/{c}")).collect();
        children.sort();
        assert_eq!(children, model.children(path), "seed {seed}");
        let below = model.nodes.keys().filter(|p| p.starts_with(&format!("{path}/"))).count();
        assert_eq!(tree.descendants(id), i32::try_from(below).unwrap(), "{path}, seed {seed}");
        assert_eq!(tree.path(id), if path.is_empty() { "/" } else { path });
    }
    assert_eq!(tree.digest(), model.digest(), "seed {seed}");
    assert!(tree.sessions().eq(model.sessions.iter().map(|(id, timeout)| (*id, *timeout))));
    let owners = model.nodes.values().map(|n| n.stat.ephemeral_owner);
    let size = |(p, n): (&String, &ModelNode)| {
        p.encode_utf16().count() + n.data.as_ref().map_or(0, Vec::len)
    };
    let size: usize = model.nodes.iter().map(size).sum();
    assert_eq!(tree.approximate_data_size(), size as u64 + 1, "seed {seed}");
    let ephemerals = owners.filter(|owner| *owner > 0).count();
    assert_eq!(tree.ephemeral_count(), ephemerals, "seed {seed}");
    let acls = model.nodes.values().map(|n| format!("{:?}", n.acl));
    let acls: std::collections::BTreeSet<_> = acls.collect();
    let open = usize::from(acls.contains(&format!("{:?}", [Acl::world(31)])));
    assert_eq!(tree.acl_count(), acls.len() - open, "seed {seed}");
}

#[test]
fn the_tree_is_the_model_after_every_transaction() {
    for seed in 0..60 {
        let mut generator = Generator::new(seed, seed % 2 == 1, seed % 3 != 0);
        let mut tree = Tree::new(CONFIG);
        for step in 0..300 {
            let record = generator.next();
            let mut told = Told::default();
            tree.apply(&record, &mut told);
            assert_eq!(tree.last_zxid().0, generator.model.zxid);
            assert_eq!(tree.digest(), generator.model.digest(), "seed {seed}, after {record:?}");
            let events = std::mem::take(&mut generator.model.events);
            assert_eq!(told.0, events, "seed {seed}, after {record:?}");
            if step % 10 == 0 {
                assert_same(&tree, &generator.model, seed);
            }
        }
        assert_same(&tree, &generator.model, seed);
    }
}

#[test]
fn a_snapshot_of_a_changing_tree_is_the_tree_at_the_freeze() {
    for seed in 100..160 {
        let mut generator = Generator::new(seed, seed % 2 == 1, true);
        let mut tree = Tree::new(CONFIG);
        for _ in 0..8 {
            for _ in 0..generator.random.below(60) {
                tree.apply(&generator.next(), &mut ());
            }
            let head = tree.freeze();
            let frozen = dump(&tree);
            assert_eq!((head.digest, head.nodes), (tree.digest(), tree.node_count()));
            let mut bytes = Vec::new();
            loop {
                for _ in 0..generator.random.below(4) {
                    tree.apply(&generator.next(), &mut ());
                }
                if generator.random.one_in(50) {
                    tree.abandon_walk();
                    break;
                }
                if tree.walk(generator.random.below(8), &mut bytes) == WalkState::Done {
                    assert_equal(&dump(&load(&bytes, head.zxid)), &frozen, format!("seed {seed}"));
                    break;
                }
            }
            assert_eq!(tree.walk(10, &mut bytes), WalkState::Done, "nothing is under way");
            assert_same(&tree, &generator.model, seed);
        }
    }
}

type LooseNode = (String, Option<Vec<u8>>, u32, StatPersisted);

/// Apache's way: node by node, the list of children read when their parent is, while changes go on.
fn loose_walk(
    tree: &mut Tree,
    generator: &mut Generator,
    log: &mut Vec<TxnRecord<'static>>,
) -> Vec<LooseNode> {
    let (mut nodes, mut todo) = (Vec::new(), vec![String::new()]);
    while let Some(path) = todo.pop() {
        for _ in 0..generator.random.below(3) {
            let record = generator.next();
            tree.apply(&record, &mut ());
            log.push(record);
        }
        let Some(id) = tree.find(&path) else { continue };
        let data = tree.data(id).map(<[u8]>::to_vec);
        nodes.push((path.clone(), data, tree.nodes.get(id).acl, tree.persisted(id)));
        todo.extend(tree.children(id).map(|name| format!("{path}/{name}")));
    }
    nodes
}

#[test]
fn replay_onto_a_snapshot_that_apache_could_have_taken_converges() {
    for seed in 200..400 {
        let mut generator = Generator::new(seed, false, false);
        let mut tree = Tree::new(CONFIG);
        for _ in 0..Random(seed).below(80) {
            tree.apply(&generator.next(), &mut ());
        }
        let (zxid, mut log) = (tree.last_zxid(), Vec::new());
        let mut loader = TreeLoader::new(CONFIG);
        // Of those that have ended, Apache would know nothing.
        loader.newest_session(tree.newest_session());
        tree.sessions().for_each(|(id, timeout)| loader.session(id, timeout));
        tree.acls.in_use().for_each(|(id, list)| loader.acl(id, list));
        for (path, data, acl, stat) in loose_walk(&mut tree, &mut generator, &mut log) {
            let acl = super::super::acls::snapshot_id(acl);
            loader.node(&path, data.as_deref(), acl, &stat).unwrap();
        }
        let mut loaded = loader.finish(zxid).unwrap();
        for record in &log {
            loaded.apply(record, &mut ());
            assert_eq!(loaded.digest(), loaded.computed_digest(), "seed {seed}");
        }
        assert_eq!(loaded.missing_acl(), None);
        assert_equal(&dump(&loaded), &dump(&tree), format!("seed {seed}"));
    }
}

/// The walk looks at 64 slots at a time.
#[test]
fn nodes_next_to_many_written_ones_are_not_missed() {
    for (from, to) in [(0, 64), (64, 128), (60, 199), (1, 2), (0, 200)] {
        let mut tree = Tree::new(CONFIG);
        let header = |zxid| TxnHeader { client_id: 0, cxid: 0, zxid: Zxid(zxid), time: 0, kind: 0 };
        for n in 0..196 {
            let (path, acl) = (format!("/{n}").into(), vec![Acl::world(31)]);
            let body = CreateBody {
                path,
                data: None,
                acl: acl.into(),
                ephemeral: false,
                parent_cversion: None,
            };
            let record = TxnRecord { header: header(n + 1), txn: Txn::Create(body), digest: None };
            tree.apply(&record, &mut ());
        }
        let head = tree.freeze();
        let frozen = dump(&tree);
        for id in from..to {
            tree.touch(NodeId(id));
        }
        let mut bytes = Vec::new();
        while tree.walk(7, &mut bytes) == WalkState::More {}
        assert_equal(&dump(&load(&bytes, head.zxid)), &frozen, format!("{from}..{to}"));
    }
}

/// What no server logs; the tree must not be harmed.
#[test]
fn transactions_on_impossible_paths_are_refused() {
    let mut tree = Tree::new(CONFIG);
    let before = dump(&tree);
    for path in ["", "/", "a", "//a", "/a/", "/missing/a", "/zookeeper/"] {
        let (path, acl) = (Cow::Borrowed(path), vec![Acl::world(31)]);
        let body = CreateBody {
            path: path.clone(),
            data: None,
            acl: acl.into(),
            ephemeral: false,
            parent_cversion: Some(1),
        };
        for txn in [Txn::Create(body), Txn::Delete(path)] {
            let header = TxnHeader { client_id: 0, cxid: 0, zxid: Zxid(0), time: 0, kind: 0 };
            let record = TxnRecord { header, txn, digest: None };
            assert_eq!(tree.apply(&record, &mut ()), Outcome::Error(-101), "{record:?}");
        }
    }
    assert_equal(&dump(&tree), &before, "");
}

#[test]
fn ids_are_used_again() {
    let mut generator = Generator::new(1, false, false);
    let mut tree = Tree::new(CONFIG);
    for _ in 0..5000 {
        tree.apply(&generator.next(), &mut ());
    }
    assert!(tree.nodes.slots() < 1000, "{} slots for a small tree", tree.nodes.slots());
    assert_eq!(tree.find("/"), Some(NodeId::ROOT));
}
