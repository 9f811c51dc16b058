//! A thousand who wait for a leadership, for a lease of a semaphore, for their turn in a queue or for a duty: who is woken when one goes, as the server's counters show it. For locks
//! see `recipe_lock_crowd`.
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
use quorate::recipes::election::{Election, Form};
use quorate::recipes::kit::Held;
use quorate::recipes::latch::LeaderLatch;
use quorate::recipes::layout::semaphore::Kind;
use quorate::recipes::leader::Candidate;
use quorate::recipes::process_queue::ProcessQueue;
use quorate::recipes::selector::LeaderSelector;
use quorate::recipes::semaphore::Semaphore;
use quorate::recipes::standby::{Duty, HotStandby};
use raw::figure;
use std::pin::Pin;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tasks::{PATIENCE, client, clients, server, spawn};
use tokio::sync::oneshot;

/// What one has who is at the head, and its token.
enum Turn {
    Lease(Held),
    OnDuty(Duty),
    Leads(Candidate, i64),
    /// The selector's work ends with the sender.
    Selected(oneshot::Sender<()>, i64),
}

type Wanted = Pin<Box<dyn Future<Output = Result<Turn>> + Send>>;

impl Turn {
    fn token(&self) -> i64 {
        match self {
            Self::Lease(held) => held.token(),
            Self::OnDuty(duty) => duty.token(),
            Self::Leads(_, token) | Self::Selected(_, token) => *token,
        }
    }

    async fn end(self) -> Result<()> {
        match self {
            Self::Lease(held) => held.release().await,
            Self::OnDuty(duty) => duty.end().await,
            Self::Leads(candidate, _) => candidate.leave().await,
            Self::Selected(work, _) => {
                drop(work);
                Ok(())
            }
        }
    }
}

fn lease(client: &Client, kind: Kind) -> Wanted {
    let semaphore = Semaphore::new(client, "/crowd", 1).kind(kind);
    Box::pin(async move { semaphore.acquire().await.map(Turn::Lease) })
}

fn queue(client: &Client) -> Wanted {
    let queue = ProcessQueue::new(client, "/crowd");
    Box::pin(async move { queue.turn().await.map(Turn::Lease) })
}

fn stand_by(client: &Client) -> Wanted {
    let standby = HotStandby::new(client, "/crowd", "task", "host");
    Box::pin(async move { standby.stand_by().await.map(Turn::OnDuty) })
}

fn stand(candidate: Candidate) -> Wanted {
    Box::pin(async move {
        let token = candidate.leads().await?.token();
        Ok(Turn::Leads(candidate, token))
    })
}

fn elect(client: &Client, form: Form) -> Wanted {
    stand(Election::new(client, "/crowd", form).join())
}

fn select(client: &Client) -> Wanted {
    let selector = LeaderSelector::new(client, "/crowd");
    let (tell, told) = oneshot::channel();
    let (finish, finished) = oneshot::channel::<()>();
    drop(spawn(client, async move {
        let work = |term: quorate::recipes::leader::Leadership| async move {
            let _ = tell.send(term.token());
            let _ = finished.await;
        };
        let _ = selector.lead(work).await;
    }));
    Box::pin(async move {
        match told.await {
            Ok(token) => Ok(Turn::Selected(finish, token)),
            // The client is closed.
            Err(_) => std::future::pending().await,
        }
    })
}

/// `own` are the watches of who is at the head, and `events` those of a hand-over: to who is next, and with a semaphore also to who then waits
/// for the lease.
fn check(kind: &str, own: f64, events: u64, want: fn(&Client) -> Wanted) {
    let server = server();
    let address = server.address().unwrap();
    let watches = || figure(address, "zk_watch_count");
    let ephemerals = || figure(address, "zk_ephemerals_count");
    let holder = client(&server);
    let crowd: [Client; 20] = clients(&server);
    let mut turn = wait(want(&holder)).unwrap();
    let (send, granted) = mpsc::channel();
    // One half after the other, so that no two that follow each other are of one connection: their watches of a node would count once.
    for (n, half) in crowd.chunks(HALF).cycle().take(WAITERS / HALF).enumerate() {
        for client in half {
            let (wanted, send) = (want(client), send.clone());
            drop(spawn(client, async move { drop(send.send(wanted.await)) }));
        }
        let queued = u32::try_from(1 + (n + 1) * HALF).unwrap();
        eventually(|| ephemerals() == f64::from(queued));
    }
    eventually(|| watches() == 1000.0 + own);
    let told = || -> u64 { crowd.iter().map(|client| client.counters().session.events).sum() };
    let before = told();
    for release in 1..=RELEASES {
        let token = turn.token();
        wait(turn.end()).unwrap();
        turn = granted.recv_timeout(PATIENCE).unwrap().unwrap();
        assert!(turn.token() > token, "{kind}");
        let left = 1000.0 + own - f64::from(release);
        let woken = u64::from(release) * events;
        eventually(|| {
            let events = told() - before;
            assert!(events <= woken, "{kind}: {events} events, {woken} wanted");
            watches() == left && events == woken
        });
    }
    assert!(granted.try_recv().is_err(), "{kind}: two have it");
    for client in &crowd {
        wait(client.close()).unwrap();
    }
    eventually(|| watches() == 0.0);
}

/// A crowd takes its time on a machine that has other things to do.
fn eventually(holds: impl Fn() -> bool) {
    let end = Instant::now() + 4 * PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "it takes too long");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn one_waiter_for_a_semaphore_is_woken_per_lease() {
    check("curator", 0.0, 2, |client| lease(client, Kind::Curator));
}

#[test]
fn one_waiter_for_kazoos_semaphore_is_woken_per_lease() {
    check("kazoo", 0.0, 2, |client| lease(client, Kind::Kazoo));
}

#[test]
fn one_process_of_a_queue_is_woken_per_turn() {
    check("queue", 0.0, 1, queue);
}

#[test]
fn one_who_stands_by_is_woken_per_duty() {
    check("standby", 0.0, 1, stand_by);
}

#[test]
fn one_candidate_of_a_latch_is_woken_per_leader() {
    check("latch", 1.0, 1, |client| stand(LeaderLatch::new(client, "/crowd").join()));
}

#[test]
fn one_candidate_of_an_election_is_woken_per_leader() {
    check("kazoo", 1.0, 1, |client| elect(client, Form::Kazoo));
    check("offers", 1.0, 1, |client| elect(client, Form::Offer));
}

#[test]
fn one_selector_is_woken_per_term() {
    check("selector", 1.0, 1, select);
}

const WAITERS: usize = 1_000;
/// How many clients take their places at once.
const HALF: usize = 10;
const RELEASES: u32 = 10;
