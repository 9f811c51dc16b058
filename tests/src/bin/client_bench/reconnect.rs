//! A server that restarts under many clients: how many reads it gets in each second afterwards, and whether a session is lost.
//!
//! Each client reads once a second. What could not be read while the server was away is read when it is back; clients come
//! back at random moments, so that the reads of no second exceed the usual ones by much.

use quorate::client::Client;
use quorate::client::blocking::wait;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Runs the binary with `count` clients, kills it, starts it again, and prints one line of JSON.
pub(crate) fn run(binary: &str, count: usize) {
    let directory = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let start = || {
        let data = format!("dataDir={}", directory.path().display());
        Command::new(binary)
            .args(["server", "--set", &data, "--set", &format!("clientPort={port}")])
            .args(["--set", "maxClientCnxns=0"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut server = Guard(start());
    let address = format!("127.0.0.1:{port}");
    let clients: Vec<Client> = (0..count).map(|_| open(&address)).collect();
    for client in &clients {
        wait(client.connected()).unwrap();
    }
    let (reads, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    for (at, client) in clients.iter().enumerate() {
        let offset = Duration::from_micros(1_000_000 * at as u64 / count as u64);
        read_every_second(client.clone(), offset, Arc::clone(&reads), Arc::clone(&stop));
    }
    std::thread::sleep(Duration::from_secs(3));
    let steady = per_second(&reads, 5);
    server.0.kill().unwrap();
    server.0.wait().unwrap();
    server = Guard(start());
    let after = per_second(&reads, 20);
    stop.store(true, Ordering::Relaxed);
    let lost: u64 = clients.iter().map(|client| client.counters().session.lost).sum();
    let usual = steady.iter().sum::<u64>() as f64 / steady.len() as f64;
    let most = after.iter().skip(1).max().copied().unwrap_or(0) as f64;
    println!(
        r#"{{"clients": {count}, "steady": {usual:.0}, "after": {after:?}, "most": {:.2}, "lost": {lost}}}"#,
        most / usual
    );
    drop(server);
}

struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn open(address: &str) -> Client {
    Client::builder().servers(address).session_timeout(Duration::from_secs(20)).open().unwrap()
}

fn read_every_second(
    client: Client,
    offset: Duration,
    reads: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
) {
    let environment = Arc::clone(client.environment());
    environment.spawn(Box::pin(async move {
        client.sleep(offset).await;
        while !stop.load(Ordering::Relaxed) {
            if client.exists("/").await.is_ok() {
                reads.fetch_add(1, Ordering::Relaxed);
                client.sleep(Duration::from_secs(1)).await;
            }
        }
    }));
}

/// How much the counter grows in each of the next seconds.
fn per_second(counter: &AtomicU64, seconds: u32) -> Vec<u64> {
    let start = Instant::now();
    let mut before = counter.load(Ordering::Relaxed);
    (1..=seconds)
        .map(|second| {
            std::thread::sleep(
                (start + Duration::from_secs(second.into()))
                    .saturating_duration_since(Instant::now()),
            );
            let now = counter.load(Ordering::Relaxed);
            let grown = now - before;
            before = now;
            grown
        })
        .collect()
}
