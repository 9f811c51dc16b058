//! Measures the tree cache: how fast it is filled from a server in memory, and what a node costs.
//!
//! `cargo run --release -p quorate --example bench_cache -- 1000000 [tcp]`
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement on the command line")]

use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode, Error};
use quorate::recipes::cache::Cache;
use quorate::server::Server;
use std::time::Instant;

/// Children of one directory.
const FAN: usize = 1_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count: usize = std::env::args().nth(1).map_or(Ok(100_000), |n| n.parse())?;
    let server = Server::builder().volatile().free_port().start()?;
    let address = server.address().ok_or("no address")?.to_string();
    let tcp = std::env::args().nth(2).is_some_and(|way| way == "tcp");
    let connect = || match tcp {
        true => Client::builder().servers(&address),
        false => Client::builder().in_process(&server),
    };
    let writer = wait(connect().connect())?;
    wait(fill(&writer, count))?;
    drop(writer);
    let reader = wait(connect().connect())?;
    for round in 0..3 {
        let before = resident();
        let start = Instant::now();
        let cache = Cache::tree(&reader, "/bench").start()?;
        wait(cache.ready())?;
        let seconds = start.elapsed().as_secs_f64();
        let (nodes, held) = (cache.len(), resident().saturating_sub(before));
        println!(
            "round {round}: {nodes} nodes in {seconds:.3} s: {:.0} nodes/s; {} B a node, of which {} B names and data",
            nodes as f64 / seconds,
            held / nodes.max(1),
            cache.bytes() / nodes.max(1),
        );
        if round == 0 {
            // The memory of the first round stays: later rounds reuse it.
            std::mem::forget(cache.clone());
        }
    }
    Ok(())
}

async fn fill(client: &Client, count: usize) -> Result<(), Error> {
    client.create("/bench", b"", CreateMode::Persistent).await?;
    let mut made = 0;
    for directory in 0..count.div_ceil(FAN) {
        let parent = format!("/bench/directory-{directory:06}");
        let mut creates = vec![client.create(&parent, b"", CreateMode::Persistent)];
        for node in 0..FAN.min(count - made) {
            let path = format!("{parent}/node-{node:06}");
            creates.push(client.create(&path, &[7; 32], CreateMode::Persistent));
        }
        made += creates.len() - 1;
        for create in creates {
            create.await?;
        }
    }
    Ok(())
}

/// Bytes of memory that the process has, as Linux tells it.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or(0) * 4096
}
