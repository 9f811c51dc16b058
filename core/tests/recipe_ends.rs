//! Every recipe that numbers its nodes where the numbers end, and every recipe whose directory is a container when the server has
//! reaped it.
//!
//! **The end of the numbers.** A node's counter stops at 2147483647, and its children get that number again and again: it says
//! nothing about who came first. Nobody leads, holds or loses an item by it; who finds no number is told what to do, and doing
//! that helps. **Reaping.** A container that had children and has none any more is deleted by the server. Whoever comes next, or
//! waits there meanwhile, goes on as if nothing had happened.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/cutting.rs"]
mod cutting;
#[path = "support/tasks.rs"]
mod tasks;
#[path = "support/used_up.rs"]
mod used_up;

use cutting::Proxy;
use quorate::client::blocking::wait;
use quorate::client::{Client, ErrorCode, Result};
use quorate::recipes::assignment::Assignments;
use quorate::recipes::barrier::{Barrier, DoubleBarrier};
use quorate::recipes::counting_barrier::CountingBarrier;
use quorate::recipes::election::{Election, Form};
use quorate::recipes::group::{Group, Style};
use quorate::recipes::kit::Held;
use quorate::recipes::latch::LeaderLatch;
use quorate::recipes::layout::{barrier, semaphore};
use quorate::recipes::leader::{Candidate, Observer};
use quorate::recipes::lock::Lock;
use quorate::recipes::process_queue::ProcessQueue;
use quorate::recipes::progress::{Progress, Report};
use quorate::recipes::queue::{Layout, Order, WorkQueue};
use quorate::recipes::read_write::ReadWriteLock;
use quorate::recipes::selector::LeaderSelector;
use quorate::recipes::semaphore::Semaphore;
use quorate::recipes::standby::{ColdStandby, Duty, HotStandby};
use quorate::server::Server;
use quorate_wire::OpCode;
use std::time::Duration;
use tasks::{Running, children, count, soon, spawn, until};
use tokio::sync::oneshot;

/// The last number that says who came first.
const LAST: i32 = i32::MAX - 1;

/// Recipes in which one is in and the others wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turns {
    Lock,
    Read,
    Write,
    Process,
    Latch,
    Selector,
    Kazoo,
    Offer,
    Single,
    Standby,
    Semaphore,
    KazooSemaphore,
    Adjustable,
}

const TURNS: [Turns; 13] = [
    Turns::Lock,
    Turns::Read,
    Turns::Write,
    Turns::Process,
    Turns::Latch,
    Turns::Selector,
    Turns::Kazoo,
    Turns::Offer,
    Turns::Single,
    Turns::Standby,
    Turns::Semaphore,
    Turns::KazooSemaphore,
    Turns::Adjustable,
];

/// Being in.
enum Inside {
    Held(Held),
    Candidate(Candidate),
    Work(oneshot::Sender<()>, Running<Result<()>>),
    Duty(Duty),
}

impl Turns {
    /// Where the recipe is used.
    fn path(self) -> String {
        format!("/turns/{self:?}")
    }

    /// The directory of those who wait.
    fn line(self) -> String {
        let path = self.path();
        match self {
            Self::Standby => path + "/task/instances",
            Self::Semaphore | Self::Adjustable => semaphore::Kind::Curator.entry_lock(&path),
            Self::KazooSemaphore => semaphore::Kind::Kazoo.entry_lock(&path),
            _ => path,
        }
    }

    /// The node that is gone when the server has reaped everything.
    fn top(self) -> String {
        if self == Self::KazooSemaphore { self.line() } else { self.path() }
    }

    /// Whether its nodes have numbers: the one node of this election has not.
    fn is_numbered(self) -> bool {
        self != Self::Single
    }

    async fn enter(self, client: &Client) -> Result<Inside> {
        let path = self.path();
        let held = match self {
            Self::Lock => Lock::new(client, &path).acquire().await?,
            Self::Read => ReadWriteLock::new(client, &path).read().await?,
            Self::Write => ReadWriteLock::new(client, &path).write().await?,
            Self::Process => ProcessQueue::new(client, &path).turn().await?,
            Self::Semaphore => Semaphore::new(client, &path, 1).acquire().await?,
            Self::KazooSemaphore => {
                let semaphore = Semaphore::new(client, &path, 1).kind(semaphore::Kind::Kazoo);
                semaphore.acquire().await?
            }
            Self::Adjustable => Semaphore::adjustable(client, &path, COUNT, 1).acquire().await?,
            Self::Latch => return lead(LeaderLatch::new(client, &path).join()).await,
            Self::Kazoo => return lead(Election::new(client, &path, Form::Kazoo).join()).await,
            Self::Offer => return lead(Election::new(client, &path, Form::Offer).join()).await,
            Self::Single => {
                return lead(Election::new(client, &path, Form::SingleNode).join()).await;
            }
            Self::Selector => return select(client, &path).await,
            Self::Standby => {
                let standby = HotStandby::new(client, &path, "task", "host");
                return standby.stand_by().await.map(Inside::Duty);
            }
        };
        Ok(Inside::Held(held))
    }

    async fn observe(self, client: &Client) -> Option<Observer> {
        let path = self.path();
        let observer = match self {
            Self::Latch => LeaderLatch::new(client, &path).observe().await,
            Self::Selector => LeaderSelector::new(client, &path).observe().await,
            Self::Kazoo => Election::new(client, &path, Form::Kazoo).observe().await,
            Self::Offer => Election::new(client, &path, Form::Offer).observe().await,
            Self::Single => Election::new(client, &path, Form::SingleNode).observe().await,
            _ => return None,
        };
        Some(observer.unwrap())
    }

    /// Enters in a task of its own.
    fn begin(self, client: &Client) -> Running<Result<Inside>> {
        let own = client.clone();
        spawn(client, async move { self.enter(&own).await })
    }
}

impl Inside {
    fn is_in(&mut self) -> bool {
        match self {
            Self::Held(held) => held.is_held(),
            Self::Candidate(candidate) => candidate.is_leader(),
            Self::Work(_, task) => !task.is_done(),
            Self::Duty(duty) => duty.is_held(),
        }
    }

    async fn leave(self, client: &Client) -> Result<()> {
        match self {
            Self::Held(held) => held.release().await,
            Self::Candidate(candidate) => candidate.leave().await,
            Self::Work(stop, task) => {
                drop(stop);
                task.join(client).await
            }
            Self::Duty(duty) => duty.complete().await,
        }
    }
}

async fn lead(candidate: Candidate) -> Result<Inside> {
    candidate.leads().await?;
    Ok(Inside::Candidate(candidate))
}

async fn select(client: &Client, path: &str) -> Result<Inside> {
    let (tell, told) = oneshot::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let selector = LeaderSelector::new(client, path);
    let task = spawn(client, async move {
        let work = async move |_| {
            let _ = tell.send(());
            let _ = stopped.await;
        };
        selector.lead(work).await.map(drop)
    });
    match told.await {
        Ok(()) => Ok(Inside::Work(stop, task)),
        Err(_) => Err(task.join(client).await.unwrap_err()),
    }
}

/// The count of the adjustable semaphore.
const COUNT: &str = "/count";

/// Clients inside the process.
fn clients<const N: usize>(server: &Server) -> [Client; N] {
    std::array::from_fn(|_| {
        let builder = Client::builder().in_process(server).session_timeout(tasks::PATIENCE);
        wait(builder.connect()).unwrap()
    })
}

fn assert_refused<T>(what: &dyn std::fmt::Debug, outcome: Result<T>, directory: &str) {
    let Err(error) = outcome else { panic!("{what:?}: there is no number left") };
    assert_eq!((error.code(), error.path()), (ErrorCode::QuotaExceeded, directory), "{what:?}");
    assert!(!error.outcome_unknown(), "{what:?}: {error}");
    assert!(error.to_string().contains("delete it once it is empty"), "{what:?}: {error}");
}

/// Who came before goes on in turn; who comes at the end is refused, also when nobody else is there; in a new directory it goes on.
#[test]
fn nobody_gets_a_turn_by_the_last_number() {
    let numbered = TURNS.into_iter().filter(|turns| turns.is_numbered());
    let lines: Vec<_> = numbered.clone().map(Turns::line).collect();
    let (server, _home) = used_up::server(lines.iter().map(String::as_str), LAST - 1);
    let [a, b, c, look] = clients(&server);
    for turns in numbered {
        wait(soon(&look, async {
            let line = turns.line();
            let observer = turns.observe(&look).await;
            let mut first = turns.enter(&a).await.unwrap();
            let next = turns.begin(&b);
            until(&look, || async { has_number(&look, &line, LAST).await }).await;
            for _ in 0..2 {
                assert_refused(&turns, turns.enter(&c).await, &line);
                assert!(first.is_in(), "{turns:?}");
            }
            first.leave(&look).await.unwrap();
            let mut second = next.join(&look).await.unwrap();
            assert_refused(&turns, turns.enter(&c).await, &line);
            assert!(second.is_in(), "{turns:?}");
            second.leave(&look).await.unwrap();
            assert_refused(&turns, turns.enter(&c).await, &line);
            // Nothing is left of those who were refused, and nobody is seen to lead.
            children(&look, &line, 0).await;
            if let Some(observer) = &observer {
                until(&look, || async { observer.leader().is_none() }).await;
            }
            // As the error says.
            look.delete(&line, None).await.unwrap();
            let again = turns.enter(&c).await.unwrap();
            if let Some(observer) = &observer {
                assert!(observer.newer_than(0).await.is_some(), "{turns:?}");
            }
            again.leave(&look).await.unwrap();
        }));
    }
}

async fn has_number(client: &Client, directory: &str, number: i32) -> bool {
    let names = client.children(directory).await.map_or(Vec::new(), |(names, _)| names);
    names.iter().any(|name| name.ends_with(&number.to_string()))
}

/// Leases are counted and not ordered: a number that comes twice does no harm, and several leases at once are refused.
#[test]
fn leases_need_no_number_of_their_own() {
    let leases = semaphore::Kind::Curator.leases("/semaphore");
    let (server, _home) = used_up::server([leases.as_str()], LAST);
    let [a, b] = clients(&server);
    wait(soon(&a, async {
        let (ours, theirs) =
            (Semaphore::new(&a, "/semaphore", 3), Semaphore::new(&b, "/semaphore", 3));
        assert_refused(&"leases", ours.try_acquire_many(3).await, &leases);
        children(&a, &leases, 0).await;
        let held = ours.acquire_many(2).await.unwrap();
        let third = theirs.acquire().await.unwrap();
        assert!(ours.try_acquire().await.unwrap().is_none());
        assert_eq!(count(&a, &leases).await, 3);
        for lease in held {
            lease.release().await.unwrap();
        }
        assert_refused(&"leases", ours.try_acquire_many(2).await, &leases);
        let fourth = ours.acquire().await.unwrap();
        let fifth = theirs.acquire().await.unwrap();
        assert!(ours.try_acquire().await.unwrap().is_none());
        for lease in [third, fourth, fifth] {
            lease.release().await.unwrap();
        }
        a.delete(&leases, None).await.unwrap();
        assert_eq!(theirs.acquire_many(3).await.unwrap().len(), 3);
    }));
}

/// The queues of items, and with which order something is put into them.
const QUEUES: [(Layout, Order<'_>); 7] = [
    (Layout::Curator, Order::End),
    (Layout::Priority, Order::Priority(-3)),
    (Layout::Delay, Order::At(1_000)),
    (Layout::Id, Order::Id("id")),
    (Layout::Simple, Order::End),
    (Layout::Kazoo, Order::Priority(5)),
    (Layout::KazooLocking, Order::End),
];

/// How something is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Put,
    Once,
    Bounded,
}

const WAYS: [Way; 3] = [Way::Put, Way::Once, Way::Bounded];

fn queue_path(layout: Layout, way: Way) -> String {
    format!("/queues/{layout:?}-{way:?}")
}

impl Way {
    async fn put(self, queue: &WorkQueue, order: Order<'_>, item: &str) -> Result<()> {
        match self {
            Self::Put => queue.put_in(order, &[item.as_bytes()]).await,
            Self::Once => queue.put_once(order, &[item.as_bytes()]).await,
            Self::Bounded => queue.clone().bounded(5).put_in(order, &[item.as_bytes()]).await,
        }
    }
}

async fn taken(queue: &WorkQueue) -> Option<Vec<u8>> {
    queue.try_take().await.unwrap().map(|item| item.data().to_vec())
}

/// Where the marks of held items are.
fn marks_of(queue: &WorkQueue) -> String {
    match queue.path().strip_suffix("/entries") {
        Some(path) => format!("{path}/taken"),
        None => format!("{}-locks", queue.path()),
    }
}

/// What is in stays in and comes out once, in order; one item at a time has the last number, and a second one is refused.
#[test]
fn no_item_is_lost_at_the_last_number() {
    let rows =
        || QUEUES.into_iter().flat_map(|(layout, order)| WAYS.map(|way| (layout, order, way)));
    let at = |(layout, _, way): (Layout, Order<'_>, Way)| {
        let path = queue_path(layout, way);
        if layout == Layout::KazooLocking { path + "/entries" } else { path }
    };
    let paths: Vec<_> = rows().map(at).collect();
    let (server, _home) = used_up::server(paths.iter().map(String::as_str), LAST);
    let [client] = clients(&server);
    for (layout, order, way) in rows() {
        let queue = WorkQueue::new(&client, &queue_path(layout, way), layout);
        let what = (layout, way);
        wait(soon(&client, async {
            let put = async |item| way.put(&queue, order, item).await;
            let refused = async || assert_refused(&what, put("too many").await, queue.path());
            put("0").await.unwrap();
            put("1").await.unwrap();
            refused().await;
            // The item keeps its place when there is none at the end.
            let held = queue.try_hold().await.unwrap().unwrap();
            assert_eq!(held.data(), b"0", "{what:?}");
            assert_refused(&what, held.requeue().await, queue.path());
            children(&client, &marks_of(&queue), 0).await;
            assert_eq!(taken(&queue).await.as_deref(), Some(&b"0"[..]), "{what:?}");
            refused().await;
            // Held by one, it is given to no other.
            let held = queue.try_hold().await.unwrap().unwrap();
            assert_eq!(held.data(), b"1", "{what:?}");
            assert!(queue.try_hold().await.unwrap().is_none(), "{what:?}");
            assert!(taken(&queue).await.is_none(), "{what:?}");
            refused().await;
            held.complete().await.unwrap();
            put("2").await.unwrap();
            refused().await;
            queue.try_hold().await.unwrap().unwrap().requeue().await.unwrap();
            assert_eq!(taken(&queue).await.as_deref(), Some(&b"2"[..]), "{what:?}");
            assert!(queue.is_empty().await.unwrap() && taken(&queue).await.is_none(), "{what:?}");
            put("3").await.unwrap();
            assert_eq!(queue.take().await.unwrap().data(), b"3", "{what:?}");
            client.delete(queue.path(), None).await.unwrap();
            for item in ["4", "5"] {
                put(item).await.unwrap();
            }
            assert_eq!(queue.take().await.unwrap().data(), b"4", "{what:?}");
            assert_eq!(queue.hold().await.unwrap().data(), b"5", "{what:?}");
        }));
    }
}

/// Between the reading of an item and its removal another takes it, and the next one gets its name.
#[test]
fn two_items_of_one_name_are_told_apart() {
    let (server, _home) = used_up::server(["/take", "/hold"], i32::MAX);
    let [other] = clients(&server);
    let proxy = Proxy::start(server.address().unwrap());
    let slow = tasks::client_of(&proxy.servers());
    for path in ["/take", "/hold"] {
        let (fast, theirs) = (
            WorkQueue::new(&other, path, Layout::Simple),
            WorkQueue::new(&slow, path, Layout::Simple),
        );
        wait(soon(&other, async {
            // So that the directory of the marks is there.
            fast.put(b"warm").await.unwrap();
            fast.hold().await.unwrap().complete().await.unwrap();
            fast.put(b"first").await.unwrap();
            let before = proxy.requests(OpCode::Multi) + proxy.requests(OpCode::Delete);
            proxy.hold(OpCode::Multi);
            proxy.hold(OpCode::Delete);
            let late = spawn(&slow, async move {
                if path == "/take" {
                    return theirs.take().await.map(|item| item.data().to_vec());
                }
                let held = theirs.hold().await?;
                let data = held.data().to_vec();
                held.complete().await.map(|()| data)
            });
            let asked = || proxy.requests(OpCode::Multi) + proxy.requests(OpCode::Delete);
            until(&other, || async { asked() > before }).await;
            assert_eq!(fast.take().await.unwrap().data(), b"first");
            fast.put(b"second").await.unwrap();
            proxy.let_go();
            assert_eq!(
                late.join(&other).await.unwrap(),
                b"second",
                "{path}: first twice, second lost"
            );
            assert!(fast.is_empty().await.unwrap());
        }));
    }
}

/// Who waits for the item with the last number is woken when its holder gives it back.
#[test]
fn the_last_item_is_given_back_to_a_waiting_taker() {
    let (server, _home) = used_up::server(["/queue"], i32::MAX);
    let [a, b] = clients(&server);
    wait(soon(&a, async {
        let queue = WorkQueue::new(&a, "/queue", Layout::Curator);
        queue.put(b"only").await.unwrap();
        let held = queue.hold().await.unwrap();
        let before = b.counters().watches;
        let waiting = spawn(&b, {
            let queue = WorkQueue::new(&b, "/queue", Layout::Curator);
            async move { queue.take().await }
        });
        until(&a, || async { b.counters().watches >= before + 2 }).await;
        held.release().await.unwrap();
        assert_eq!(waiting.join(&a).await.unwrap().data(), b"only");
    }));
}

/// A server that reaps all the time.
fn reaping() -> Server {
    let builder = Server::builder().volatile().free_port().configure(|config| {
        config.tick_time_ms = 100;
        config.max_session_timeout_ms = Some(60_000);
        config.containers.check_interval_ms = 10;
    });
    builder.start().unwrap()
}

/// Waits until a node is there that never had children, and says which life of it this is.
async fn unused(client: &Client, path: &str) -> i64 {
    soon(client, async {
        loop {
            match client.exists(path).await.unwrap() {
                Some(stat) if stat.cversion == 0 => return stat.czxid,
                _ => client.sleep(Duration::from_millis(2)).await,
            }
        }
    })
    .await
}

/// Waits until the server has deleted this life of a node; another may have begun.
async fn gone(client: &Client, path: &str, life: i64) {
    until(client, || async {
        client.exists(path).await.unwrap().is_none_or(|stat| stat.czxid != life)
    })
    .await;
}

/// Waits until nothing is left of a node.
async fn all_reaped(client: &Client, path: &str) {
    until(client, || async { client.exists(path).await.unwrap().is_none() }).await;
}

#[test]
fn turns_go_on_when_the_directory_was_reaped() {
    let server = reaping();
    let [a, b, look] = clients(&server);
    for turns in TURNS {
        wait(soon(&look, async {
            let observer = turns.observe(&look).await;
            let mut last = 0;
            for (first, second) in [(&a, &b), (&b, &a), (&a, &b)] {
                let mut inside = turns.enter(first).await.unwrap();
                let waits = turns.begin(second);
                assert!(inside.is_in(), "{turns:?}");
                if let Some(observer) = &observer {
                    last = observer.newer_than(last).await.unwrap().token;
                }
                inside.leave(&look).await.unwrap();
                let mut inside = waits.join(&look).await.unwrap();
                assert!(inside.is_in(), "{turns:?}");
                inside.leave(&look).await.unwrap();
                all_reaped(&look, &turns.top()).await;
                if let Some(observer) = &observer {
                    until(&look, || async { observer.leader().is_none() }).await;
                }
            }
        }));
    }
}

/// The place of a semaphore's leases goes while somebody waits for the limit to be raised.
#[test]
fn a_limit_is_raised_although_the_leases_were_reaped() {
    let server = reaping();
    let [a, b] = clients(&server);
    wait(soon(&a, async {
        let ours = Semaphore::adjustable(&a, "/semaphore", COUNT, 1);
        let theirs = Semaphore::adjustable(&b, "/semaphore", COUNT, 1);
        let leases = semaphore::Kind::Curator.leases("/semaphore");
        let held = ours.acquire().await.unwrap();
        ours.set_limit(0).await.unwrap();
        let waiting = spawn(&b, async move { theirs.acquire().await });
        children(&a, &semaphore::Kind::Curator.entry_lock("/semaphore"), 1).await;
        let before = a.exists(&leases).await.unwrap().unwrap().czxid;
        held.release().await.unwrap();
        gone(&a, &leases, before).await;
        ours.set_limit(1).await.unwrap();
        assert!(waiting.join(&a).await.unwrap().is_held());
    }));
}

/// A consumer waits at an empty queue that the server reaps; and the queue is reaped between two uses.
#[test]
fn items_come_through_when_the_queue_was_reaped() {
    let server = reaping();
    let [a, b] = clients(&server);
    for ((layout, order), way) in QUEUES.into_iter().flat_map(|row| WAYS.map(|way| (row, way))) {
        let path = queue_path(layout, way);
        let (puts, takes) = (WorkQueue::new(&a, &path, layout), WorkQueue::new(&b, &path, layout));
        let what = (layout, way);
        wait(soon(&a, async {
            for holding in [false, true] {
                let work = takes.clone();
                let waiting = spawn(&b, async move {
                    let mut got = Vec::new();
                    while got.len() < 3 {
                        if holding {
                            let held = work.hold().await.unwrap();
                            got.push(held.data().to_vec());
                            held.complete().await.unwrap();
                        } else {
                            got.push(work.take().await.unwrap().data().to_vec());
                        }
                    }
                    got
                });
                for item in ["1", "2", "3"] {
                    let before = unused(&a, puts.path()).await;
                    way.put(&puts, order, item).await.unwrap();
                    gone(&a, puts.path(), before).await;
                }
                let got = waiting.join(&a).await;
                assert_eq!(got, [b"1", b"2", b"3"], "{what:?}");
            }
        }));
    }
}

#[test]
fn barriers_are_used_again_when_they_were_reaped() {
    let server = reaping();
    let [a, b] = clients(&server);
    wait(soon(&a, async {
        for _ in 0..2 {
            let barrier = Barrier::new(&a, "/barriers/simple/gate");
            barrier.close().await.unwrap();
            let waiting = spawn(&b, {
                let barrier = Barrier::new(&b, "/barriers/simple/gate");
                async move { barrier.wait().await }
            });
            barrier.open().await.unwrap();
            waiting.join(&a).await.unwrap();
            all_reaped(&a, "/barriers/simple").await;
        }
        for style in [barrier::Style::Curator, barrier::Style::Kazoo] {
            for _ in 0..3 {
                let [one, two] = [&a, &b]
                    .map(|client| DoubleBarrier::new(client, "/barriers/double", 2).style(style));
                let other = spawn(&b, async move { two.enter().await?.leave().await });
                one.enter().await.unwrap().leave().await.unwrap();
                other.join(&a).await.unwrap();
                all_reaped(&a, "/barriers/double").await;
            }
        }
    }));
}

/// The node of the counting barrier says how many have to come: it is no container, and stays when everybody has gone.
#[test]
fn a_counting_barrier_is_not_reaped() {
    let server = reaping();
    let [a, b] = clients(&server);
    wait(soon(&a, async {
        let [one, two] = [&a, &b].map(|client| CountingBarrier::new(client, "/counting/barrier"));
        one.prepare(2).await.unwrap();
        let before = a.exists("/counting/barrier").await.unwrap().unwrap().czxid;
        for _ in 0..2 {
            let there = spawn(&b, {
                let two = two.clone();
                async move { two.arrive(b"").await?.release().await }
            });
            one.arrive(b"").await.unwrap().release().await.unwrap();
            there.join(&a).await.unwrap();
            one.prepare(2).await.unwrap();
            // Whatever the reaper finds, it has found when this one is gone.
            Lock::new(&a, "/other").acquire().await.unwrap().release().await.unwrap();
            all_reaped(&a, "/other").await;
            let now = a.exists("/counting/barrier").await.unwrap().unwrap().czxid;
            assert_eq!(now, before);
        }
    }));
}

#[test]
fn members_are_seen_when_the_group_was_reaped() {
    let server = reaping();
    let [a, b] = clients(&server);
    wait(soon(&a, async {
        for style in [Style::Curator, Style::Party, Style::Shallow] {
            let [ours, theirs] =
                [&a, &b].map(|client| Group::new(client, "/groups/one").style(style));
            let members = ours.members().await.unwrap();
            for (group, name) in [(&theirs, "b"), (&ours, "a"), (&theirs, "b")] {
                let kept = group.join(name, "data");
                let token = kept.there().await.unwrap();
                let seen = members.until(|all| all.iter().any(|it| it.stat.czxid == token)).await;
                assert_eq!(seen.unwrap().len(), 1, "{style:?}");
                kept.remove().await.unwrap();
                all_reaped(&a, "/groups").await;
                members.until(|all| all.is_empty()).await.unwrap();
            }
        }
    }));
}

#[test]
fn progress_and_tasks_go_on_when_their_directories_were_reaped() {
    let server = reaping();
    let [a, b] = clients(&server);
    wait(soon(&a, async {
        let board = Progress::new(&a, "/progress/task").watch().await.unwrap();
        for done in 1..4 {
            let reporter = Progress::new(&b, "/progress/task").report_as("b", &Report::new(0, 9));
            reporter.report(&Report::new(done, 9));
            let says = |all: &[(String, Report)]| all.iter().any(|(_, it)| it.done == done);
            board.until(says).await.unwrap();
            reporter.end().await.unwrap();
            all_reaped(&a, "/progress").await;
            board.until(|all| all.is_empty()).await.unwrap();
        }

        let (controller, agent) = (Assignments::new(&a, "/work"), Assignments::new(&b, "/work"));
        let agents = controller.agents().await.unwrap();
        for task in ["1", "2", "3"] {
            let kept = agent.register("agent", "");
            agents.until(|all| all.len() == 1).await.unwrap();
            let todo = agent.tasks("agent").await.unwrap();
            controller.assign("agent", task, b"do").await.unwrap();
            todo.until(|all| all.iter().any(|entry| entry.name == task)).await.unwrap();
            agent.finish("agent", task, task.as_bytes()).await.unwrap();
            let result = controller.result(task).await.unwrap();
            assert_eq!(result.as_deref(), Some(task.as_bytes()));
            kept.remove().await.unwrap();
            for directory in ["/work/agents", "/work/receipts"] {
                all_reaped(&a, directory).await;
            }
            agents.until(|all| all.is_empty()).await.unwrap();
        }
    }));
}

/// Who looks for work from time to time finds what was recorded, whatever was reaped around it.
#[test]
fn a_cold_standby_finds_tasks_whose_instances_were_reaped() {
    let server = reaping();
    let [a, b] = clients(&server);
    wait(soon(&a, async {
        let mut duty = HotStandby::new(&a, "/tasks", "one", "a").stand_by().await.unwrap();
        duty.record(b"half").await.unwrap();
        duty.end().await.unwrap();
        all_reaped(&a, "/tasks/one/instances").await;
        let cold = ColdStandby::new(&b, "/tasks", "b");
        let duty = cold.scan().await.unwrap().unwrap();
        assert_eq!((duty.task(), duty.position()), ("one", Some(&b"half"[..])));
        duty.complete().await.unwrap();
        all_reaped(&a, "/tasks").await;
        assert!(cold.scan().await.unwrap().is_none());
    }));
}
