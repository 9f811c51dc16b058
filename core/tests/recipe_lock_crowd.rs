//! The exclusive lock under a crowd: who is woken by a release, as the server's counters show it, and what ten thousand rounds leave behind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "support/raw.rs"]
mod raw;
#[path = "support/tasks.rs"]
mod tasks;

use quorate::client::blocking::wait;
use quorate::client::{Client, Result};
use quorate::recipes::kit::Held;
use quorate::recipes::layout::lock::Mode;
use quorate::recipes::layout::read_write::Mode as SharedMode;
use quorate::recipes::lock::Lock;
use quorate::recipes::read_write::ReadWriteLock;
use quorate::recipes::simple_lock::SimpleLock;
use raw::{eventually, figure};
use std::pin::Pin;
use std::sync::mpsc;
use tasks::{PATIENCE, client, clients, count, server, spawn};

/// A lock to wait for, of any kind.
type Wanted = Pin<Box<dyn Future<Output = Result<Held>> + Send>>;
type Acquire = fn(&Client) -> Wanted;

/// Locks whose waiters stand in line, each with the nodes of one who does.
const LINES: [(&str, usize, Acquire); 6] = [
    ("curator", 1, |client| lock(client, Mode::Curator)),
    ("kazoo", 1, |client| lock(client, Mode::Kazoo { yields_to_curator: true })),
    ("bridge", 2, |client| lock(client, Mode::Bridge)),
    ("writers", 1, |client| writer(client, SharedMode::Curator)),
    ("writers of kazoo", 1, |client| writer(client, SharedMode::Kazoo)),
    ("writers over a bridge", 2, |client| writer(client, SharedMode::Bridge)),
];

fn lock(client: &Client, mode: Mode) -> Wanted {
    let lock = Lock::new(client, "/lock").mode(mode);
    Box::pin(async move { lock.acquire().await })
}

fn writer(client: &Client, mode: SharedMode) -> Wanted {
    let lock = ReadWriteLock::new(client, "/lock").mode(mode);
    Box::pin(async move { lock.write().await })
}

/// One waiter watches one node, and a release wakes one waiter: no herd.
#[test]
fn a_thousand_waiters_and_one_is_woken_per_release() {
    for (kind, nodes, acquire) in LINES {
        let server = server();
        let address = server.address().unwrap();
        let watches = || figure(address, "zk_watch_count");
        let holder = client(&server);
        let crowd: [Client; 10] = clients(&server);
        let first = wait(acquire(&holder)).unwrap();
        let (send, granted) = mpsc::channel();
        for (index, client) in crowd.iter().cycle().take(WAITERS).enumerate() {
            let (acquired, send) = (acquire(client), send.clone());
            let waiting = async move { send.send((index, acquired.await)).unwrap() };
            drop(spawn(client, waiting));
        }
        eventually(1000.0, watches);
        assert_eq!(wait(count(&holder, "/lock")), nodes * (1 + WAITERS), "{kind}");

        let told = |crowd: &[Client; 10]| -> u64 {
            crowd.iter().map(|client| client.counters().session.events).sum()
        };
        let before = told(&crowd);
        let mut held = first;
        for release in 1..=RELEASES {
            let token = held.token();
            wait(held.release()).unwrap();
            let (_, next) = granted.recv_timeout(PATIENCE).unwrap();
            held = next.unwrap();
            assert!(held.token() > token, "{kind}: in the order in which they came");
            // The one that was woken watches nothing now, and nobody else was.
            let left = 1000.0 - f64::from(u32::try_from(release).unwrap());
            eventually(left, watches);
            let woken = told(&crowd) - before;
            assert_eq!(woken, u64::try_from(release).unwrap(), "{kind}: events");
        }
        assert!(granted.try_recv().is_err(), "{kind}: two holders");
        // Who waits leaves with its session, and its watches with it.
        for client in &crowd {
            wait(client.close()).unwrap();
        }
        eventually(0.0, watches);
        assert_eq!(wait(count(&holder, "/lock")), 0, "{kind}");
        drop(held);
    }
}

/// The lock on one node is the other case: a release wakes everybody. That is what its documentation says.
#[test]
fn the_one_node_wakes_all_who_wait() {
    let server = server();
    let address = server.address().unwrap();
    let holder = client(&server);
    let crowd: [Client; 5] = clients(&server);
    let held = wait(SimpleLock::new(&holder, "/one").acquire()).unwrap();
    for client in &crowd {
        let lock = SimpleLock::new(client, "/one");
        drop(spawn(client, async move { drop(lock.acquire().await) }));
    }
    eventually(5.0, || figure(address, "zk_watch_count"));
    wait(held.release()).unwrap();
    eventually(true, || crowd.iter().all(|client| client.counters().session.events >= 1));
    eventually(0, || wait(count(&holder, "/one")));
}

#[test]
fn ten_thousand_rounds_leave_nothing() {
    let server = server();
    let address = server.address().unwrap();
    let [a, b] = clients(&server);
    wait(async {
        let (lock, busy) = (Lock::new(&a, "/free"), Lock::new(&b, "/busy"));
        let (blocked, owner) = (Lock::new(&a, "/busy"), Lock::new(&a, "/owner").owner());
        let holder = busy.acquire().await?;
        let round = async |kind: usize| {
            match kind {
                0 => lock.acquire().await?.release().await?,
                // Dropped: released in the background.
                1 => drop(lock.acquire().await?),
                2 => assert!(blocked.try_acquire().await?.is_none()),
                // Asked for its loss, and not waited for.
                3 => {
                    let held = lock.acquire().await?;
                    let _unheard = tasks::poll_times(&a, 0, held.lost()).await;
                    held.release().await?;
                }
                // Given up while waiting.
                4 => drop(tasks::poll_times(&a, 0, blocked.acquire()).await),
                _ => {
                    let outer = owner.acquire().await?;
                    owner.acquire().await?.release().await?;
                    outer.release().await?;
                }
            }
            Result::Ok(())
        };
        for kind in 0..6 {
            round(kind).await?;
        }
        let at_rest = || {
            let counters = a.counters();
            (counters.in_flight, counters.watches)
        };
        eventually((0, 0), at_rest);
        eventually(0.0, || figure(address, "zk_watch_count"));
        eventually(1.0, || figure(address, "zk_ephemerals_count"));
        let nodes = figure(address, "zk_znode_count");
        for number in 0..10_000 {
            round(number % 6).await?;
        }
        eventually((0, 0), at_rest);
        eventually(0.0, || figure(address, "zk_watch_count"));
        eventually(1.0, || figure(address, "zk_ephemerals_count"));
        eventually(nodes, || figure(address, "zk_znode_count"));
        let counters = a.counters().session;
        assert_eq!(counters.submitted, counters.completed);
        holder.release().await
    })
    .unwrap();
    // No task holds the client: its session ends with its last handle.
    drop(a);
    eventually(1.0, || figure(address, "zk_num_alive_connections") - 1.0);
}

const WAITERS: usize = 1000;
const RELEASES: usize = 20;
