//! How fast the tree is and what a znode costs: `cargo bench -p quorate-tests --bench tree -- [nodes] [no-digest]`.
//!
//! Prints time per operation and resident bytes per znode. Names have 14 bytes, data 100, a thousand
//! nodes share a parent, paths have three levels. Numbers to look at, not a test.

#![allow(clippy::unwrap_used, reason = "a measurement may stop at the first surprise")]

use quorate_engine::tree::{Tree, TreeConfig, TreeLoader, WalkState};
use quorate_wire::disk::snapshot::{Sealer, SnapshotReader, Trailer};
use quorate_wire::txn::{CreateBody, SetDataBody, Txn, TxnHeader, TxnRecord};
use quorate_wire::{AclList, Zxid};
use std::hint::black_box;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

fn main() {
    let count = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(1_000_000);
    let digest = !std::env::args().any(|arg| arg == "no-digest");
    println!("{count} nodes, digest {}", if digest { "on" } else { "off" });
    measure(count, TreeConfig { hash_seed: 1, digest });
}

fn measure(count: u32, config: TreeConfig) {
    let paths: Vec<String> = (0..count).map(path).collect();
    let data = [b'd'; 100];
    let before = resident();
    let mut tree = Tree::new(config);
    let mut zxid = 0;
    let mut apply = |tree: &mut Tree, txn: Txn<'_>| {
        zxid += 1;
        let header =
            TxnHeader { client_id: 1, cxid: 1, zxid: Zxid(zxid), time: 1_795_000_000_000, kind: 1 };
        black_box(tree.apply(&TxnRecord { header, txn, digest: None }, &mut ()));
    };
    for parent in std::iter::once("/bench".to_owned()).chain((0..=count / 1000).map(parent)) {
        apply(&mut tree, create(&parent, &[]));
    }
    time("create", count, || paths.iter().for_each(|p| apply(&mut tree, create(p, &data))));
    if let (Some(before), Some(now)) = (before, resident()) {
        let nodes = u64::try_from(tree.node_count()).unwrap();
        println!("  {:<22}{:>8} bytes", "resident per znode", (now - before) / nodes);
    }
    let step = 7_919;
    let mixed: Vec<&String> =
        (0..paths.len()).filter_map(|n| paths.get(n * step % paths.len())).collect();
    time("find, scattered", count, || mixed.iter().for_each(|p| _ = black_box(tree.find(p))));
    time("find, data and stat", count, || {
        for path in &mixed {
            let id = tree.find(path).unwrap();
            black_box((tree.data(id), tree.stat(id)));
        }
    });
    let hot: Vec<&String> = paths.iter().take(1000).cycle().take(paths.len()).collect();
    time("find, cached", count, || hot.iter().for_each(|p| _ = black_box(tree.find(p))));
    time("setData, scattered", count, || {
        mixed.iter().for_each(|path| apply(&mut tree, set_data(path, &data)));
    });
    time("setData, cached", count, || {
        hot.iter().for_each(|path| apply(&mut tree, set_data(path, &data)));
    });
    let mut bytes = Vec::with_capacity(paths.len() * 250);
    time("snapshot, per node", count, || {
        tree.freeze();
        while tree.walk(1000, &mut bytes) == WalkState::More {}
    });
    let mut sealer = Sealer::new();
    sealer.absorb(&bytes);
    sealer.finish(&Trailer::default(), &mut bytes);
    time("load, per node", count, || {
        let loaded = load(&bytes, config);
        assert_eq!(loaded.digest(), tree.digest());
    });
    time("delete, scattered", count, || {
        mixed.iter().for_each(|path| apply(&mut tree, Txn::Delete(path.as_str().into())));
    });
}

fn load(bytes: &[u8], config: TreeConfig) -> Tree {
    let mut reader = SnapshotReader::new(bytes).unwrap();
    let mut loader = TreeLoader::new(config);
    while let Some(node) = reader.next_node().unwrap() {
        loader.node(&node.path, node.data, node.acl, &node.stat).unwrap();
    }
    loader.finish(Zxid::ZERO).unwrap()
}

fn time(what: &str, count: u32, run: impl FnOnce()) {
    let start = on_cpu();
    run();
    let per_node = (on_cpu() - start).as_secs_f64() * 1e9 / f64::from(count);
    println!("  {what:<22}{per_node:>8.0} ns");
}

/// Time this thread has been running, so that a busy machine matters less; else time since some start.
fn on_cpu() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = stat.and_then(|stat| stat.split_whitespace().next()?.parse().ok());
    nanos.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

fn parent(n: u32) -> String {
    format!("/bench/parent-{n:08}")
}

fn path(n: u32) -> String {
    format!("{}/node-{n:09}", parent(n / 1000))
}

fn create<'a>(path: &'a str, data: &'a [u8]) -> Txn<'a> {
    Txn::Create(CreateBody {
        path: path.into(),
        data: Some(data),
        acl: AclList::OPEN,
        ephemeral: false,
        parent_cversion: None,
    })
}

fn set_data<'a>(path: &'a str, data: &'a [u8]) -> Txn<'a> {
    Txn::SetData(SetDataBody { path: path.into(), data: Some(data), version: 1 })
}

/// Resident bytes of this process, where the system tells.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}
