//! What is left of every recipe that holds something when it was used, dropped or given up, again and again: nothing.
//!
//! Each is a test by its name. `QUORATE_LONG=1` makes ten thousand rounds, and looks at the memory of the process as well.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "support/raw.rs"]
mod raw;
#[path = "support/tasks.rs"]
mod tasks;

use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode, Result, RetryPolicy, WatchMode, within};
use quorate::recipes::assignment::Assignments;
use quorate::recipes::barrier::{Barrier, DoubleBarrier};
use quorate::recipes::cache::Cache;
use quorate::recipes::counter::{BlockCounter, Counter};
use quorate::recipes::counting_barrier::CountingBarrier;
use quorate::recipes::discovery::{Discovery, Strategy};
use quorate::recipes::dubbo::{Registry, Url};
use quorate::recipes::election::{Election, Form};
use quorate::recipes::group::{Group, Style};
use quorate::recipes::kit::ensure;
use quorate::recipes::latch::LeaderLatch;
use quorate::recipes::layout::lock::Mode;
use quorate::recipes::lease::LeaseLock;
use quorate::recipes::lock::{Lock, Revocable as _};
use quorate::recipes::multi_lock::MultiLock;
use quorate::recipes::naming::Naming;
use quorate::recipes::partitioner::Partitioner;
use quorate::recipes::persistent::PersistentNode;
use quorate::recipes::process_queue::ProcessQueue;
use quorate::recipes::progress::{Progress, Report};
use quorate::recipes::queue::{Layout, Order, ShardedQueue, WorkQueue};
use quorate::recipes::read_write::ReadWriteLock;
use quorate::recipes::selector::LeaderSelector;
use quorate::recipes::semaphore::Semaphore;
use quorate::recipes::simple_lock::SimpleLock;
use quorate::recipes::staged::StagedConfig;
use quorate::recipes::standby::{ColdStandby, HotStandby};
use quorate::recipes::value::SharedValue;
use quorate::recipes::wall_lease::WallLease;
use raw::figure;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tasks::{PATIENCE, Server, poll_times};
use tokio::runtime::Handle;

/// A client on a runtime of its own, whose tasks can be counted, and another one.
struct World {
    address: SocketAddr,
    client: Client,
    other: Client,
    runtime: Handle,
    _server: Server,
}

/// What there is of everything.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Footprint {
    nodes: f64,
    ephemerals: f64,
    watches: f64,
    connections: f64,
    in_flight: usize,
    listening: usize,
    tasks: usize,
    threads: usize,
}

impl World {
    fn new() -> Self {
        let server = Server::start();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.unwrap();
            tell.send(runtime.handle().clone()).unwrap();
            runtime.block_on(std::future::pending::<()>());
        });
        let runtime = told.recv().unwrap();
        let address = server.address().unwrap();
        let builder = Client::builder().servers(&address.to_string()).runtime(runtime.clone());
        let client = wait(builder.session_timeout(PATIENCE).connect()).unwrap();
        Self { address, client, other: tasks::client(&server), runtime, _server: server }
    }

    fn footprint(&self) -> Footprint {
        let counters = self.client.counters();
        Footprint {
            nodes: figure(self.address, "zk_znode_count"),
            ephemerals: figure(self.address, "zk_ephemerals_count"),
            watches: figure(self.address, "zk_watch_count"),
            connections: figure(self.address, "zk_num_alive_connections"),
            in_flight: counters.in_flight,
            listening: counters.watches,
            tasks: self.runtime.metrics().num_alive_tasks(),
            threads: std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count),
        }
    }

    /// Waits until what is removed in the background is gone: two looks in a row see the same, and no request and no watch.
    fn at_rest(&self) -> Footprint {
        let end = Instant::now() + PATIENCE;
        let mut last = self.footprint();
        loop {
            wait(self.client.sync("/")).unwrap();
            std::thread::yield_now();
            let now = self.footprint();
            if now == last && (now.in_flight, now.listening) == (0, 0) {
                return now;
            }
            assert!(Instant::now() < end, "it does not come to rest: {now:?}");
            last = now;
        }
    }

    /// Gives a future up in the middle.
    async fn give_up<T>(&self, number: usize, future: impl Future<Output = T>) {
        drop(poll_times(&self.client, number % 4, future).await);
    }
}

/// One use of a recipe: the number says which.
type Round = for<'a> fn(&'a World, usize) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// A test for each function of this name.
macro_rules! recipes {
    ($($name:ident),* $(,)?) => {
        mod nothing_is_left_of {
            $(#[test]
            fn $name() {
                super::check(|world, number| Box::pin(super::$name(world, number)));
            })*
        }
    };
}

recipes![
    lock,
    lock_of_kazoo,
    lock_bridge,
    lock_waiting,
    simple_lock,
    reentrant,
    revocation,
    multi_lock,
    read_write,
    semaphore,
    semaphore_waiting,
    lease,
    wall_lease,
    latch,
    election_of_kazoo,
    election_by_offers,
    election_by_one_node,
    selector,
    observer,
    standby,
    barrier,
    double_barrier,
    counting_barrier,
    process_queue,
    work_queue,
    work_queue_waiting,
    bounded_queue,
    sharded_queue,
    counter,
    value,
    staged,
    cache,
    group,
    party,
    persistent,
    naming,
    partitioner,
    discovery,
    dubbo,
    progress,
    assignment,
    watches,
    retries,
];

async fn lock(world: &World, number: usize) -> Result<()> {
    use_lock(world, number, &Lock::new(&world.client, "/lock")).await
}

async fn lock_of_kazoo(world: &World, number: usize) -> Result<()> {
    let mode = Mode::Kazoo { yields_to_curator: true };
    use_lock(world, number, &Lock::new(&world.client, "/kazoo").mode(mode)).await
}

async fn lock_bridge(world: &World, number: usize) -> Result<()> {
    use_lock(world, number, &Lock::new(&world.client, "/bridge").mode(Mode::Bridge)).await
}

async fn use_lock(world: &World, number: usize, lock: &Lock) -> Result<()> {
    match number % 3 {
        0 => lock.acquire().await?.release().await,
        1 => {
            let held = lock.acquire().await?;
            world.give_up(number, held.lost()).await;
            drop(held);
            Ok(())
        }
        _ => {
            world.give_up(number, lock.acquire()).await;
            Ok(())
        }
    }
}

/// Another has it, or gives it just then.
async fn lock_waiting(world: &World, number: usize) -> Result<()> {
    let held = Lock::new(&world.other, "/busy").acquire().await?;
    let lock = Lock::new(&world.client, "/busy");
    assert!(lock.try_acquire().await?.is_none());
    if number.is_multiple_of(2) {
        world.give_up(number, lock.acquire()).await;
        held.release().await
    } else {
        let release = held.release();
        let (mine, released) = (lock.acquire(), release);
        released.await?;
        mine.await?.release().await
    }
}

async fn simple_lock(world: &World, number: usize) -> Result<()> {
    let held = SimpleLock::new(&world.other, "/simple").acquire().await?;
    let lock = SimpleLock::new(&world.client, "/simple");
    world.give_up(number, lock.acquire()).await;
    held.release().await?;
    let held = lock.acquire().await?;
    world.give_up(number, held.lost()).await;
    held.release().await
}

async fn reentrant(world: &World, number: usize) -> Result<()> {
    let owner = Lock::new(&world.client, "/owner").owner();
    world.give_up(number, owner.acquire()).await;
    let outer = owner.acquire().await?;
    owner.acquire().await?.release().await?;
    outer.release().await
}

async fn revocation(world: &World, number: usize) -> Result<()> {
    let lock = Lock::new(&world.client, "/revocable").revocable();
    let held = lock.acquire().await?;
    world.give_up(number, held.revoked()).await;
    lock.revoke(&lock.participants().await?.remove(0)).await?;
    held.revoked().await?;
    held.release().await
}

async fn multi_lock(world: &World, number: usize) -> Result<()> {
    let lock = |path| Lock::new(&world.client, path);
    let both = MultiLock::new([lock("/one"), lock("/two")])?;
    let busy = Lock::new(&world.other, "/two").acquire().await?;
    world.give_up(number, both.acquire()).await;
    busy.release().await?;
    let held = both.acquire().await?;
    world.give_up(number, held.lost()).await;
    held.release().await
}

async fn read_write(world: &World, number: usize) -> Result<()> {
    let lock = ReadWriteLock::new(&world.client, "/table");
    let writer = ReadWriteLock::new(&world.other, "/table").write().await?;
    world.give_up(number, lock.read()).await;
    world.give_up(number, lock.write()).await;
    writer.release().await?;
    let write = lock.write().await?;
    world.give_up(number, lock.read_beside(&write)).await;
    let read = lock.downgrade(write).await?;
    let other = lock.read().await?;
    drop(read);
    other.release().await
}

async fn semaphore(world: &World, number: usize) -> Result<()> {
    let semaphore = Semaphore::new(&world.client, "/uploads", 3);
    let leases = semaphore.acquire_many(2).await?;
    world.give_up(number, leases.first().unwrap().lost()).await;
    world.give_up(number, semaphore.acquire()).await;
    drop(leases);
    semaphore.acquire().await?.release().await
}

async fn semaphore_waiting(world: &World, number: usize) -> Result<()> {
    let all = Semaphore::new(&world.other, "/full", 2).acquire_many(2).await?;
    let semaphore = Semaphore::new(&world.client, "/full", 2);
    assert!(semaphore.try_acquire().await?.is_none());
    world.give_up(number, semaphore.acquire()).await;
    for lease in all {
        lease.release().await?;
    }
    Ok(())
}

async fn lease(world: &World, number: usize) -> Result<()> {
    let lock = Lock::new(&world.client, "/cleaner");
    let lease = LeaseLock::new(lock, Duration::from_secs(60)).acquire().await?;
    world.give_up(number, lease.ended()).await;
    if number.is_multiple_of(2) {
        drop(lease);
        return Ok(());
    }
    lease.release().await
}

async fn wall_lease(world: &World, number: usize) -> Result<()> {
    let lease = |host| WallLease::new(&world.client, "/hourly", host, Duration::from_secs(3600));
    lease("host-1").obtain().await?;
    world.give_up(number, lease("host-2").obtain()).await;
    Ok(())
}

async fn latch(world: &World, number: usize) -> Result<()> {
    let candidate = LeaderLatch::new(&world.client, "/latch").join();
    world.give_up(number, candidate.leads()).await;
    let leadership = candidate.leads().await?;
    world.give_up(number, leadership.lost()).await;
    let next = LeaderLatch::new(&world.client, "/latch").join();
    if number.is_multiple_of(2) {
        candidate.leave().await?;
        next.leads().await?;
    }
    drop(next);
    Ok(())
}

async fn election_of_kazoo(world: &World, number: usize) -> Result<()> {
    election(world, number, Form::Kazoo).await
}

async fn election_by_offers(world: &World, number: usize) -> Result<()> {
    election(world, number, Form::Offer).await
}

async fn election_by_one_node(world: &World, number: usize) -> Result<()> {
    election(world, number, Form::SingleNode).await
}

async fn election(world: &World, number: usize, form: Form) -> Result<()> {
    let path = format!("/election-{form:?}");
    let election = |client| Election::new(client, &path, form);
    let leader = election(&world.other).join();
    leader.leads().await?;
    let candidate = election(&world.client).join();
    world.give_up(number, candidate.leads()).await;
    if number.is_multiple_of(2) {
        leader.leave().await?;
        candidate.leads().await?;
        return candidate.leave().await;
    }
    drop(candidate);
    leader.leave().await
}

async fn selector(world: &World, number: usize) -> Result<()> {
    let selector = LeaderSelector::new(&world.client, "/selector");
    world.give_up(number, selector.lead(|_| std::future::pending::<()>())).await;
    selector.lead(|_| std::future::ready(())).await.map(drop)
}

async fn observer(world: &World, number: usize) -> Result<()> {
    let latch = LeaderLatch::new(&world.other, "/observed");
    let observer = LeaderLatch::new(&world.client, "/observed").observe().await?;
    let candidate = latch.join();
    let token = candidate.leads().await?.token();
    world.give_up(number, observer.newer_than(token)).await;
    observer.newer_than(token - 1).await.unwrap();
    candidate.leave().await
}

async fn standby(world: &World, number: usize) -> Result<()> {
    let standby = |client, host| HotStandby::new(client, "/tasks", "copy", host);
    let mut duty = standby(&world.other, "host-1").stand_by().await?;
    duty.record(b"5").await?;
    world.give_up(number, standby(&world.client, "host-2").stand_by()).await;
    duty.end().await?;
    let duty = ColdStandby::new(&world.client, "/tasks", "host-2").find(SOON).await?;
    world.give_up(number, duty.lost()).await;
    duty.end().await
}

async fn barrier(world: &World, number: usize) -> Result<()> {
    let barrier = Barrier::new(&world.client, "/barrier");
    barrier.close().await?;
    world.give_up(number, barrier.wait()).await;
    barrier.open().await?;
    barrier.wait().await
}

async fn double_barrier(world: &World, number: usize) -> Result<()> {
    ensure(&world.client, "/double").await?;
    world.give_up(number, DoubleBarrier::new(&world.client, "/double", 2).enter()).await;
    let inside = DoubleBarrier::new(&world.client, "/double-one", 1).enter().await?;
    if number.is_multiple_of(2) {
        drop(inside);
        return Ok(());
    }
    inside.leave().await
}

async fn counting_barrier(world: &World, number: usize) -> Result<()> {
    let barrier = CountingBarrier::new(&world.client, "/counting");
    barrier.prepare(2).await?;
    world.give_up(number, barrier.arrive(b"host-1")).await;
    Ok(())
}

async fn process_queue(world: &World, number: usize) -> Result<()> {
    let queue = |client| ProcessQueue::new(client, "/printer");
    let first = queue(&world.other).join().await?.turn().await?;
    let place = queue(&world.client).join().await?;
    world.give_up(number, place.wait()).await;
    if number.is_multiple_of(2) {
        place.leave().await?;
        return first.release().await;
    }
    first.release().await?;
    place.turn().await?.release().await
}

async fn work_queue(world: &World, number: usize) -> Result<()> {
    let queue = WorkQueue::new(&world.client, "/mail", Layout::Curator);
    queue.put_once(Order::End, &[b"1"]).await?;
    let held = queue.hold().await?;
    world.give_up(number, held.lost()).await;
    drop(held);
    queue.hold().await?.complete().await?;
    queue.put(b"2").await?;
    queue.take().await.map(drop)
}

async fn work_queue_waiting(world: &World, number: usize) -> Result<()> {
    for layout in [Layout::Simple, Layout::Delay, Layout::KazooLocking] {
        let queue = WorkQueue::new(&world.client, &format!("/idle-{layout:?}"), layout);
        if number == 0 {
            // Makes the directories.
            queue.put(b"").await?;
            queue.hold().await?.complete().await?;
        }
        world.give_up(number, queue.hold()).await;
        world.give_up(number, queue.take()).await;
    }
    Ok(())
}

async fn bounded_queue(world: &World, number: usize) -> Result<()> {
    let queue = WorkQueue::new(&world.client, "/bounded", Layout::Simple).bounded(1);
    while queue.queue().try_take().await?.is_some() {}
    queue.put(b"1").await?;
    world.give_up(number, queue.put(b"2")).await;
    while queue.queue().try_take().await?.is_some() {}
    Ok(())
}

async fn sharded_queue(world: &World, number: usize) -> Result<()> {
    let sharder = ShardedQueue::new(&world.client, "/sharded", Layout::Curator).start().await?;
    world.give_up(number, sharder.hold()).await;
    sharder.put(b"1").await?;
    sharder.hold().await?.complete().await?;
    if number.is_multiple_of(2) {
        drop(sharder);
    } else {
        sharder.stop().await;
    }
    Ok(())
}

async fn counter(world: &World, number: usize) -> Result<()> {
    let counter = Counter::long(&world.client, "/counter");
    world.give_up(number, counter.add(1)).await;
    BlockCounter::new(counter, 2).next().await.map(drop)
}

async fn value(world: &World, number: usize) -> Result<()> {
    let value = SharedValue::new(&world.client, "/value");
    let mut subscription = value.subscribe().await?;
    value.set(number.to_string().as_bytes()).await?;
    subscription.changed().await?;
    world.give_up(number, subscription.changed()).await;
    world.give_up(number, value.subscribe()).await;
    Ok(())
}

async fn staged(world: &World, number: usize) -> Result<()> {
    let config = StagedConfig::new(&world.client, "/staged");
    let mut subscription = config.subscribe().await?;
    config.publish([("host", "db1")]).await?;
    subscription.changed().await?;
    world.give_up(number, subscription.changed()).await;
    Ok(())
}

async fn cache(world: &World, number: usize) -> Result<()> {
    let client = &world.client;
    if client.exists("/cached/below").await?.is_none() {
        client.create("/cached", b"", CreateMode::Persistent).await?;
        client.create("/cached/below", b"", CreateMode::Persistent).await?;
    }
    for builder in [
        Cache::node(client, "/cached"),
        Cache::children(client, "/cached"),
        Cache::tree(client, "/cached"),
    ] {
        let cache = builder.start()?;
        world.give_up(number, cache.ready()).await;
        if number.is_multiple_of(2) {
            cache.ready().await?;
            let mut changes = cache.changes();
            world.give_up(number, changes.next()).await;
        }
    }
    Ok(())
}

async fn group(world: &World, number: usize) -> Result<()> {
    members(world, number, Style::default()).await
}

async fn party(world: &World, number: usize) -> Result<()> {
    members(world, number, Style::Party).await
}

async fn members(world: &World, number: usize, style: Style) -> Result<()> {
    let group = Group::new(&world.client, &format!("/group-{style:?}")).style(style);
    let members = group.members().await?;
    let membership = group.join("host-1", "up");
    world.give_up(number, membership.there()).await;
    members.until(|list| list.len() == 1).await.unwrap();
    if number.is_multiple_of(2) {
        return membership.remove().await;
    }
    drop(membership);
    Ok(())
}

async fn persistent(world: &World, number: usize) -> Result<()> {
    let kept = PersistentNode::new(&world.client, "/hosts/host-1").keep();
    world.give_up(number, kept.there()).await;
    let token = kept.there().await?;
    if number.is_multiple_of(2) {
        world.other.delete("/hosts/host-1", None).await?;
        kept.newer_than(token).await?;
        return kept.remove().await;
    }
    drop(kept);
    Ok(())
}

async fn naming(world: &World, _: usize) -> Result<()> {
    let naming = Naming::new(&world.client, "/names", "id-");
    naming.unique().await?;
    naming.sortable().await.map(drop)
}

async fn partitioner(world: &World, number: usize) -> Result<()> {
    let shards = Partitioner::new(&world.client, "/shards", ["a", "b"])?.quiet(SOON);
    let mut member = shards.join().await?;
    world.give_up(number, member.acquire()).await;
    let mut share = member.acquire().await?;
    world.give_up(number, share.changed()).await;
    if number.is_multiple_of(2) {
        drop(share);
        drop(member);
        return Ok(());
    }
    share.release().await?;
    member.leave().await
}

async fn discovery(world: &World, number: usize) -> Result<()> {
    let discovery = Discovery::new(&world.client, "/discovery");
    let mut instance = discovery.instance("search");
    instance.id = "the-one".to_owned();
    let registration = discovery.register(instance).await?;
    let provider = discovery.provider("search", Strategy::RoundRobin)?;
    provider.ready().await?;
    if number.is_multiple_of(2) {
        registration.unregister().await;
    }
    Ok(())
}

async fn dubbo(world: &World, number: usize) -> Result<()> {
    let registry = Registry::new(&world.client, "/dubbo");
    let provider = Url::parse("dubbo://10.0.0.1:20880/org.shop.Orders").unwrap();
    let consumer = Url::parse("consumer://10.0.0.2/org.shop.Orders").unwrap();
    let registration = registry.register(&provider).await?;
    let mut subscription = registry.subscribe(&consumer).await?;
    subscription.next().await?;
    world.give_up(number, subscription.next()).await;
    if number.is_multiple_of(2) {
        registration.unregister().await;
    }
    Ok(())
}

async fn progress(world: &World, number: usize) -> Result<()> {
    let progress = Progress::new(&world.client, "/progress");
    let board = progress.watch().await?;
    let reporter = progress.report_as("worker-1", &Report::new(0, 10));
    board.until(|reports| !reports.is_empty()).await.unwrap();
    if number.is_multiple_of(2) {
        return reporter.end().await;
    }
    drop(reporter);
    Ok(())
}

async fn assignment(world: &World, number: usize) -> Result<()> {
    let assignments = Assignments::new(&world.client, "/system");
    let presence = assignments.register("agent-1", "2 cores");
    presence.there().await?;
    let tasks = assignments.tasks("agent-1").await?;
    assignments.assign("agent-1", "task", b"work").await?;
    let list = tasks.until(|list| !list.is_empty()).await.unwrap();
    assignments.finish("agent-1", &list.first().unwrap().name, b"done").await?;
    if number.is_multiple_of(2) {
        return presence.remove().await;
    }
    drop(presence);
    Ok(())
}

/// No recipe, but what they are made of.
async fn watches(world: &World, number: usize) -> Result<()> {
    let client = &world.client;
    let (_, watch) = client.exists_and_watch("/never").await?;
    world.give_up(number, watch).await;
    let mut watcher = client.watch("/", WatchMode::Recursive).await?;
    world.give_up(number, watcher.next()).await;
    let mut states = client.states();
    world.give_up(number, states.next()).await;
    world.give_up(number, client.lifetime().ended()).await;
    Ok(())
}

async fn retries(world: &World, number: usize) -> Result<()> {
    let patient = world.client.retrying(RetryPolicy::tries(3));
    patient.exists("/").await?;
    let create = || patient.create_protected("/protected-", b"", CreateMode::PersistentSequential);
    let created = poll_times(&world.client, number % 4, create()).await;
    let created = if let Some(created) = created { created? } else { create().await? };
    patient.delete(&created.path, None).await
}

/// Uses a recipe again and again.
fn check(round: Round) {
    // Threads and memory are the whole process's.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let long = std::env::var_os("QUORATE_LONG").is_some();
    let rounds = if long { 10_000 } else { 24 };
    let world = World::new();
    let run = |rounds: std::ops::Range<usize>| {
        for number in rounds {
            let environment = &**world.client.environment();
            match wait(within(environment, PATIENCE, round(&world, number))) {
                Some(result) => result.unwrap_or_else(|error| panic!("round {number}: {error}")),
                None => panic!("round {number} never ends"),
            }
        }
    };
    // What stays for good (directories, a counter) is there after a few, and memory is as large as it gets after some more.
    run(0..8);
    if long {
        run(0..1_000);
    }
    let (before, resident_before) = (world.at_rest(), resident());
    run(0..rounds);
    let end = Instant::now() + PATIENCE;
    let mut after = world.at_rest();
    while !is_no_more(after, before) {
        assert!(Instant::now() < end, "something is left:\n{before:?}\n{after:?}");
        after = world.at_rest();
    }
    assert_eq!(world.client.counters().session.lost, 0);
    if long {
        let grown = resident().saturating_sub(resident_before);
        println!("{rounds} rounds, {grown} KiB more");
        assert!(grown < MOST_GROWTH, "{grown} KiB more");
    }
    // No task holds the client: its session ends with its last handle, and its driver with it.
    let World { address, client, runtime, other: _other, _server } = world;
    let connections = figure(address, "zk_num_alive_connections");
    drop(client);
    raw::eventually(connections - 1.0, || figure(address, "zk_num_alive_connections"));
    raw::eventually(0, || runtime.metrics().num_alive_tasks());
}

/// The same, but for empty containers, which the server removes when it likes.
fn is_no_more(after: Footprint, before: Footprint) -> bool {
    after.nodes <= before.nodes && Footprint { nodes: before.nodes, ..after } == before
}

/// Memory of this process that lies in the machine's, KiB: the server's too.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// A pause that recipes are to make, as short as they can.
const SOON: Duration = Duration::from_millis(1);
/// What ten thousand rounds may take of memory, KiB: less than 300 bytes for each.
const MOST_GROWTH: usize = 3_000;
