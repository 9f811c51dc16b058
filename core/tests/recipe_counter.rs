//! Counters: no change is lost, none happens twice, formats of the other clients.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/cutting.rs"]
mod cutting;
#[path = "support/tasks.rs"]
mod tasks;

use cutting::Proxy;
use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode, ErrorCode, Result, Task};
use quorate::recipes::counter::{BlockCounter, Counter, Format};
use quorate_wire::OpCode;
use std::collections::BTreeSet;
use std::sync::mpsc;
use std::time::Duration;
use tasks::Server;

/// Long enough for anything that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);

struct World {
    server: Server,
    proxy: Proxy,
    client: Client,
    other: Client,
}

impl World {
    fn new() -> Self {
        let server = Server::start();
        let proxy = Proxy::start(server.address().unwrap());
        let client = wait(Client::builder().servers(&proxy.servers()).connect()).unwrap();
        let other = connect(&server);
        Self { server, proxy, client, other }
    }
}

fn connect(server: &Server) -> Client {
    wait(server.client().connect()).unwrap()
}

fn spawn<T: Send + 'static>(
    client: &Client,
    work: impl Future<Output = T> + Send + 'static,
) -> mpsc::Receiver<T> {
    let (send, receive) = mpsc::channel();
    let task: Task = Box::pin(async move { drop(send.send(work.await)) });
    client.environment().spawn(task);
    receive
}

#[test]
fn numbers_are_written_as_the_other_clients_write_them() -> Result<()> {
    let world = World::new();
    let client = &world.other;
    wait(async {
        for (format, bytes) in [
            (Format::Long, &b"\0\0\0\0\0\0\0\x2A"[..]),
            (Format::Int, b"\0\0\0\x2A"),
            (Format::Text, b"42"),
        ] {
            let path = format!("/deep/{format:?}");
            let counter = Counter::new(client, &path, format);
            assert_eq!(counter.get().await?, 0, "a missing node");
            let change = counter.add(40).await?;
            assert_eq!((change.before, change.after, change.version), (0, 40, 1));
            let change = counter.compare_and_set(40, 42).await?.unwrap();
            assert_eq!((change.before, change.after, change.version), (40, 42, 2));
            assert!(counter.compare_and_set(40, 0).await?.is_none());
            assert_eq!(client.get(&path).await?.0, bytes);
            assert_eq!(counter.update(|n| n.checked_mul(2)).await?.unwrap().after, 84);
            assert_eq!(counter.set(-1).await?.before, 84);
            client.set(&path, b"no number", None).await?;
            assert_eq!(counter.add(1).await.unwrap_err().code(), ErrorCode::DataInconsistency);
        }
        let int = Counter::int(client, "/int");
        int.set(i64::from(i32::MAX)).await?;
        assert_eq!(int.add(1).await.unwrap_err().code(), ErrorCode::BadArguments);
        let long = Counter::long(client, "/long");
        long.set(i64::MAX).await?;
        assert_eq!(long.add(1).await.unwrap_err().code(), ErrorCode::BadArguments);
        assert_eq!(long.get().await?, i64::MAX);
        client.create("/float", b"1.5", CreateMode::Persistent).await?;
        let float = Counter::text(client, "/float").get().await.unwrap_err();
        assert_eq!(float.code(), ErrorCode::DataInconsistency);
        Ok(())
    })
}

#[test]
fn competitors_lose_no_change() -> Result<()> {
    let world = World::new();
    let workers: Vec<_> = (0..4)
        .map(|n| {
            let client = connect(&world.server);
            let counter = Counter::long(&client, "/count");
            let counter = if n % 2 == 0 { counter.exact() } else { counter };
            spawn(&client, async move {
                let mut seen = Vec::new();
                for _ in 0..25 {
                    seen.push(counter.add(1).await?.before);
                }
                Result::Ok(seen)
            })
        })
        .collect();
    let mut seen = BTreeSet::new();
    for worker in workers {
        let before = worker.recv_timeout(PATIENCE).unwrap()?;
        assert!(before.is_sorted());
        seen.extend(before);
    }
    assert!(seen.into_iter().eq(0..100));
    assert_eq!(wait(Counter::long(&world.other, "/count").get())?, 100);
    Ok(())
}

#[test]
fn an_increment_is_never_repeated_blindly() -> Result<()> {
    let world = World::new();
    wait(async {
        let counter = Counter::long(&world.client, "/count");
        counter.add(1).await?;
        // It did not happen: tried again.
        world.proxy.lose_request(OpCode::SetData);
        assert_eq!(counter.add(1).await?.after, 2);
        // It happened, or another did the same: reported, with what was read.
        world.proxy.lose_answer(OpCode::SetData);
        let error = counter.add(1).await.unwrap_err();
        assert!(error.outcome_unknown());
        assert!(error.to_string().contains("changing 2 to 3; now it is 3"), "{error}");
        assert_eq!((counter.get().await?, world.proxy.cuts()), (3, 2));
        Ok(())
    })
}

#[test]
fn with_receipts_every_outcome_is_known() -> Result<()> {
    let world = World::new();
    wait(async {
        let counter = Counter::long(&world.client, "/count").exact();
        assert_eq!(counter.add(1).await?.after, 1);
        for after in [2, 3] {
            world.proxy.lose_answer(OpCode::Multi);
            assert_eq!(counter.add(1).await?.after, after);
        }
        world.proxy.lose_request(OpCode::Multi);
        assert_eq!(counter.add(1).await?.after, 4);
        assert_eq!((world.proxy.cuts(), counter.get().await?), (3, 4));
        loop {
            let (left, _, watch) = world.other.children_and_watch("/count-receipts").await?;
            if left.is_empty() {
                return Ok(());
            }
            watch.await?;
        }
    })
}

#[test]
fn blocks_never_overlap() -> Result<()> {
    let world = World::new();
    let workers: Vec<_> = (0..3)
        .map(|_| {
            let client = connect(&world.server);
            let ids = BlockCounter::new(Counter::long(&client, "/ids"), 10);
            spawn(&client, async move {
                let mut mine = Vec::new();
                for _ in 0..25 {
                    mine.push(ids.next().await?);
                }
                Result::Ok(mine)
            })
        })
        .collect();
    let mut all = BTreeSet::new();
    for worker in workers {
        let mine = worker.recv_timeout(PATIENCE).unwrap()?;
        assert!(mine.windows(2).all(|pair| pair[0] < pair[1]));
        all.extend(mine);
    }
    assert_eq!(all.len(), 75);
    wait(async {
        let counter = Counter::long(&world.client, "/ids");
        assert_eq!(counter.get().await?, 90, "three blocks each");
        world.proxy.lose_answer(OpCode::SetData);
        let ids = BlockCounter::new(counter.clone(), 10);
        assert_eq!(ids.next().await?, 100, "the block in doubt is skipped");
        let sets = world.proxy.requests(OpCode::SetData);
        for next in 101..110 {
            assert_eq!(ids.clone().next().await?, next);
        }
        assert_eq!(world.proxy.requests(OpCode::SetData), sets, "no request in between");
        Ok(())
    })
}
