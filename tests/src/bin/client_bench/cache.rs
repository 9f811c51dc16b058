//! `fill` makes a tree for caches, `cache` is the tree cache's first copy of it: beside `JavaCache.java`.

use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode};
use quorate::recipes::cache::Cache;
use std::time::Instant;

/// Children of one directory.
const FAN: usize = 1_000;
/// Bytes of data in a node.
const DATA: [u8; 32] = [7; 32];

/// Makes `/bench-cache/COUNT` with so many nodes, if it is not there.
pub(crate) fn fill(servers: &str, count: usize) {
    let client = wait(Client::builder().servers(servers).connect()).unwrap();
    let root = root(count);
    wait(async {
        let _ = client.create("/bench-cache", b"", CreateMode::Persistent).await;
        if client.create(&root, b"", CreateMode::Persistent).await.is_err() {
            return;
        }
        let mut made = 0;
        for directory in 0..count.div_ceil(FAN) {
            let parent = format!("{root}/directory-{directory:06}");
            let mut creates = vec![client.create(&parent, b"", CreateMode::Persistent)];
            for node in 0..FAN.min(count - made) {
                let path = format!("{parent}/node-{node:06}");
                creates.push(client.create(&path, &DATA, CreateMode::Persistent));
            }
            made += creates.len() - 1;
            for create in creates {
                create.await.unwrap();
            }
        }
    });
    println!(r#"{{"ops": {count}}}"#);
}

/// Fills a cache with it, in a process that has done nothing before.
pub(crate) fn run(servers: &str, count: usize) {
    let client = wait(Client::builder().servers(servers).connect()).unwrap();
    wait(client.exists("/")).unwrap();
    let (memory, cpu, start) = (resident(), super::cpu_seconds(), Instant::now());
    let cache = Cache::tree(&client, &root(count)).start().unwrap();
    wait(cache.ready()).unwrap();
    let (seconds, cpu) = (start.elapsed().as_secs_f64(), super::cpu_seconds() - cpu);
    let (nodes, held) = (cache.len(), resident().saturating_sub(memory));
    assert!(nodes > count, "{nodes} nodes of {count}");
    let (each, data) = (held / nodes, cache.bytes() / nodes);
    println!(
        r#"{{"ops": {nodes}, "seconds": {seconds}, "cpu": {cpu}, "bytes": {each}, "data": {data}}}"#
    );
}

fn root(count: usize) -> String {
    format!("/bench-cache/{count}")
}

/// Bytes of memory that the process has, as Linux tells it.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
