//! What our client costs: the program that `tests/bench-clients` runs beside those of the other clients.
//!
//! `client_bench MODE SERVERS COUNT` prints one line of JSON: operations, seconds, and seconds of CPU of this process.
//! Modes: `get` and `set` keep 1,000 requests in flight on one session; `lock` acquires and releases an uncontended lock;
//! `handover` passes a lock through 100 sessions, `handover-10` through 10; `local` and `local-one` read from a server in this process, pipelined
//! and one at a time. `reconnect` (in `reconnect.rs`) restarts a server under COUNT clients; `fill` and `cache` (in `cache.rs`) make a tree and
//! copy it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark ends when something fails"
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of a benchmark are small"
)]

mod cache;
mod reconnect;

use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode};
use quorate::recipes::lock::Lock;
use quorate::server::Server;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, mode, servers, count] = arguments.as_slice() else {
        eprintln!(
            "usage: client_bench get|set|lock|handover|handover-10|local|local-one|fill|cache SERVERS COUNT, or reconnect BINARY COUNT"
        );
        std::process::exit(2);
    };
    let count: usize = count.parse().unwrap();
    match mode.as_str() {
        "reconnect" => return reconnect::run(servers, count),
        "fill" => return cache::fill(servers, count),
        "cache" => return cache::run(servers, count),
        _ => {}
    }
    let local = mode.starts_with("local");
    let server = local.then(|| Server::builder().volatile().no_port().start().unwrap());
    let builder = || match &server {
        Some(server) => Client::builder().in_process(server),
        None => Client::builder().servers(servers),
    };
    let client = wait(builder().connect()).unwrap();
    let _ = wait(client.create("/bench", &[7; 100], CreateMode::Persistent));
    let (warm_up, run): (usize, Box<dyn Fn(usize) -> Vec<Duration>>) = match mode.as_str() {
        "get" | "local" => (count / 10, Box::new(|n| wait(pipeline(&client, n, false)))),
        "set" => (count / 10, Box::new(|n| wait(pipeline(&client, n, true)))),
        "local-one" => (count / 10, Box::new(|n| (0..n).map(|_| one(&client)).collect())),
        "lock" => (count / 10, Box::new(|n| (0..n).map(|_| lock(&client)).collect())),
        "handover" | "handover-10" => {
            let waiters = if mode == "handover" { WAITERS } else { 10 };
            let clients: Vec<Client> =
                (0..waiters).map(|_| wait(builder().connect()).unwrap()).collect();
            (count / 10, Box::new(move |n| handover(&clients, n / waiters)))
        }
        other => panic!("there is no mode {other}"),
    };
    run(warm_up);
    let (start, cpu) = (Instant::now(), cpu_seconds());
    let mut times = run(count);
    let (seconds, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    times.sort_unstable();
    let p50 = times.get(times.len() / 2).copied().unwrap_or_default().as_secs_f64() * 1e6;
    println!(r#"{{"ops": {count}, "seconds": {seconds}, "cpu": {cpu}, "p50_us": {p50}}}"#);
}

async fn pipeline(client: &Client, count: usize, write: bool) -> Vec<Duration> {
    let mut gets = VecDeque::new();
    let mut sets = VecDeque::new();
    for _ in 0..count {
        if write {
            sets.push_back(client.set("/bench", &[8; 100], None));
        } else {
            gets.push_back(client.get("/bench"));
        }
        if gets.len() + sets.len() >= WINDOW {
            for _ in 0..WINDOW / 2 {
                match (gets.pop_front(), sets.pop_front()) {
                    (Some(get), _) => drop(get.await.unwrap()),
                    (None, Some(set)) => drop(set.await.unwrap()),
                    (None, None) => {}
                }
            }
        }
    }
    for get in gets {
        get.await.unwrap();
    }
    for set in sets {
        set.await.unwrap();
    }
    Vec::new()
}

fn one(client: &Client) -> Duration {
    let start = Instant::now();
    wait(client.get("/bench")).unwrap();
    start.elapsed()
}

fn lock(client: &Client) -> Duration {
    let start = Instant::now();
    wait(async {
        let held = Lock::new(client, "/bench-lock").acquire().await.unwrap();
        held.release().await.unwrap();
    });
    start.elapsed()
}

/// Every client takes the lock `rounds` times; all begin at once.
fn handover(clients: &[Client], rounds: usize) -> Vec<Duration> {
    let (done, ended) = mpsc::channel();
    for client in clients {
        let (client, done) = (client.clone(), done.clone());
        let environment = Arc::clone(client.environment());
        environment.spawn(Box::pin(async move {
            for _ in 0..rounds.max(1) {
                let held = Lock::new(&client, "/bench-handover").acquire().await.unwrap();
                held.release().await.unwrap();
            }
            drop(done);
        }));
    }
    drop(done);
    let _: Result<(), _> = ended.recv();
    Vec::new()
}

/// User and system time of this process so far, from Linux's accounting in clock ticks of 10 ms.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u32 = fields[11].parse::<u32>().unwrap() + fields[12].parse::<u32>().unwrap();
    f64::from(ticks) / 100.0
}

/// Requests in flight.
const WINDOW: usize = 1000;
/// Sessions that pass the lock round.
const WAITERS: usize = 100;
