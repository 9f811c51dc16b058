//! Work queues: layouts, at most once, at least once, order, limits, lost answers, dead consumers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/cutting.rs"]
mod cutting;
#[path = "support/tasks.rs"]
mod tasks;

use cutting::Proxy;
use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode, ErrorCode, Result, Task, within};
use quorate::recipes::queue::{Layout, Order, WorkQueue};
use quorate_wire::OpCode;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use tasks::Server;

/// Long enough for anything that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);
const LAYOUTS: [Layout; 6] = [
    Layout::Curator,
    Layout::Priority,
    Layout::Delay,
    Layout::Simple,
    Layout::Kazoo,
    Layout::KazooLocking,
];

/// A server, a proxy before it, a client behind the proxy, and one beside it.
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

/// Runs a task on the client's executor.
fn spawn<T: Send + 'static>(
    client: &Client,
    work: impl Future<Output = T> + Send + 'static,
) -> mpsc::Receiver<T> {
    let (send, receive) = mpsc::channel();
    let task: Task = Box::pin(async move { drop(send.send(work.await)) });
    client.environment().spawn(task);
    receive
}

async fn soon<T>(client: &Client, future: impl Future<Output = T>) -> T {
    within(&**client.environment(), PATIENCE, future).await.unwrap()
}

/// Waits until a directory has so many children.
async fn children(client: &Client, path: &str, count: usize) -> Result<()> {
    soon(client, async {
        loop {
            let (names, _, watch) = client.children_and_watch(path).await?;
            if names.len() == count {
                return Ok(());
            }
            watch.await?;
        }
    })
    .await
}

#[test]
fn items_come_out_in_order_once() -> Result<()> {
    let world = World::new();
    let client = &world.other;
    wait(async {
        for layout in LAYOUTS {
            let queue = WorkQueue::new(client, &format!("/{layout:?}"), layout);
            assert!(queue.try_take().await?.is_none() && queue.try_hold().await?.is_none());
            for data in [b"one", b"two", b"ten", b"six"] {
                queue.put(data).await?;
            }
            assert_eq!((queue.len().await?, queue.peek_all().await?.len()), (4, 4));
            assert_eq!(queue.take().await?.data(), b"one", "{layout:?}");
            let held = queue.hold().await?;
            assert_eq!(held.data(), b"two");
            let next = queue.hold().await?;
            assert_eq!(next.data(), b"ten");
            assert!(next.token() > held.token());
            held.release().await?;
            let again = queue.hold().await?;
            assert_eq!(again.data(), b"two", "released to its place");
            next.complete().await?;
            again.complete().await?;
            queue.hold().await?.requeue().await?;
            assert_eq!(queue.take().await?.data(), b"six");
            assert!(queue.is_empty().await?);
        }
        Ok(())
    })
}

#[test]
fn nodes_are_those_of_the_other_clients() -> Result<()> {
    let world = World::new();
    let client = &world.other;
    wait(async {
        let queue = |path: &str, layout| WorkQueue::new(client, path, layout);
        queue("/c", Layout::Curator).put(b"hello").await?;
        let frame = b"\x00\x01\x00\x01\x01\x00\x00\x00\x05hello\x02";
        assert_eq!(client.get("/c/queue-0000000000").await?.0, frame);
        queue("/p", Layout::Priority).put_in(Order::Priority(-5), &[b"x"]).await?;
        assert!(client.exists("/p/queue-0FFFFFFFB0000000000").await?.is_some());
        queue("/d", Layout::Delay).put_in(Order::At(0x1A2_043F_4346), &[b"x"]).await?;
        assert!(client.exists("/d/queue-|1A2043F4346|0000000000").await?.is_some());
        queue("/i", Layout::Id).put_in(Order::Id("a/b|c"), &[b"x"]).await?;
        assert!(client.exists("/i/queue-|a_b_c|0000000000").await?.is_some());
        queue("/s", Layout::Simple).put(b"raw").await?;
        assert_eq!(client.get("/s/qn-0000000000").await?.0, b"raw");
        queue("/k", Layout::Kazoo).put_in(Order::Priority(7), &[b"raw"]).await?;
        assert_eq!(client.get("/k/entry-007-0000000000").await?.0, b"raw");
        let locking = queue("/l", Layout::KazooLocking);
        locking.put(b"raw").await?;
        let held = locking.hold().await?;
        let mark = client.get("/l/taken/entry-100-0000000000").await?;
        assert_eq!((mark.0.len(), mark.1.ephemeral_owner), (32, client.session_id()));
        held.complete().await?;
        assert!(client.children("/l/entries").await?.0.is_empty());

        // Several items in one of Curator's nodes, a node that is none, and a foreign child.
        let curators = queue("/c2", Layout::Curator);
        curators.put_in(Order::End, &[b"a", b"b"]).await?;
        let sequential = CreateMode::PersistentSequential;
        client.create("/c2/queue-", b"no frame", sequential).await?;
        client.create("/c2/foreign", b"", sequential).await?;
        assert_eq!(curators.take().await?.parts, [b"a", b"b"]);
        assert!(curators.try_take().await?.is_none() && curators.try_hold().await?.is_none());
        let waiting = within(&**client.environment(), Duration::from_millis(20), curators.hold());
        assert!(waiting.await.is_none());
        let bad = queue("/s", Layout::Simple).put_in(Order::Priority(1), &[b"x"]).await;
        assert_eq!(bad.unwrap_err().code(), ErrorCode::BadArguments);
        Ok(())
    })
}

#[test]
fn many_consumers_get_each_item_once() -> Result<()> {
    let world = World::new();
    wait(async {
        for (layout, hold) in
            [(Layout::Curator, false), (Layout::Kazoo, false), (Layout::KazooLocking, true)]
        {
            let path = format!("/{layout:?}");
            let consumers: Vec<_> = (0..4)
                .map(|_| {
                    let client = connect(&world.server);
                    let queue = WorkQueue::new(&client, &path, layout);
                    spawn(&client, async move {
                        let mut got = Vec::new();
                        loop {
                            let data = if hold {
                                let held = queue.hold().await?;
                                let data = held.data().to_vec();
                                held.complete().await?;
                                data
                            } else {
                                queue.take().await?.data().to_vec()
                            };
                            if data == b"end" {
                                return Result::Ok(got);
                            }
                            got.push(data);
                        }
                    })
                })
                .collect();
            let queue = WorkQueue::new(&world.client, &path, layout);
            for n in 0..60_u32 {
                queue.put(&n.to_be_bytes()).await?;
            }
            for _ in 0..4 {
                queue.put(b"end").await?;
            }
            let mut all: Vec<Vec<u8>> = Vec::new();
            for consumer in consumers {
                let got = consumer.recv_timeout(PATIENCE).unwrap()?;
                assert!(got.is_sorted(), "each consumer sees the order");
                all.extend(got);
            }
            all.sort();
            let expected: Vec<_> = (0..60_u32).map(|n| n.to_be_bytes().to_vec()).collect();
            assert_eq!(all, expected, "{layout:?}");
        }
        Ok(())
    })
}

#[test]
fn a_dead_consumer_loses_no_item_and_deletes_none() -> Result<()> {
    let world = World::new();
    wait(async {
        let dead = connect(&world.server);
        let queue = WorkQueue::new(&world.other, "/work", Layout::KazooLocking);
        queue.put(b"precious").await?;
        let held = WorkQueue::new(&dead, "/work", Layout::KazooLocking).hold().await?;
        let (waiting, lost) = (queue.clone(), held.lost());
        let next = spawn(&world.other, async move { waiting.hold().await });
        dead.close().await?;
        let next = next.recv_timeout(PATIENCE).unwrap()?;
        assert_eq!(next.data(), b"precious");
        assert!(next.token() > held.token());
        soon(&world.other, lost).await;
        assert!(!held.is_held());
        held.complete().await.unwrap_err();
        assert_eq!(queue.len().await?, 1, "the dead one's late word does not count");
        next.complete().await?;
        assert!(queue.is_empty().await?);
        Ok(())
    })
}

/// The same name, the same version, another session: only the session tells the two marks apart.
#[test]
fn a_consumer_in_its_next_session_cannot_delete_what_another_holds() -> Result<()> {
    let short = tasks::SHORT_LIFE;
    let server = Server::start();
    let proxy = Proxy::start(server.address().unwrap());
    let client =
        wait(Client::builder().servers(&proxy.servers()).session_timeout(short).connect())?;
    let other = connect(&server);
    wait(async {
        let queue = WorkQueue::new(&client, "/work", Layout::Curator);
        queue.put(b"precious").await?;
        let stale = queue.hold().await?;
        let guarded = stale.guarded();
        let idle = WorkQueue::new(&client, "/other", Layout::Curator);
        let taken = spawn(&client, async move { idle.take().await });
        proxy.close();
        soon(&other, stale.lost()).await;
        proxy.open();
        soon(&other, client.connected()).await?;
        let next = soon(&other, WorkQueue::new(&other, "/work", Layout::Curator).hold()).await?;
        let error = stale.complete().await.unwrap_err();
        assert_eq!((error.code(), error.outcome_unknown()), (ErrorCode::SessionExpired, false));
        assert_eq!(guarded.commit().await.unwrap_err().code(), ErrorCode::SessionExpired);
        // Who was only waiting goes on in the next session.
        WorkQueue::new(&other, "/other", Layout::Curator).put(b"later").await?;
        assert_eq!(taken.recv_timeout(PATIENCE).unwrap()?.data(), b"later");
        next.complete().await
    })
}

#[test]
fn results_are_written_once_with_the_item() -> Result<()> {
    let world = World::new();
    wait(async {
        let client = &world.client;
        client.create("/sum", b"", CreateMode::Persistent).await?;
        let queue = WorkQueue::new(client, "/work", Layout::Simple);
        for _ in 0..2 {
            queue.put(b"5").await?;
        }
        // The transaction happens, its answer is lost: it is not done twice.
        let held = queue.hold().await?;
        world.proxy.lose_answer(OpCode::Multi);
        held.complete_with(|multi| multi.set("/sum", b"5", Some(0))).await?;
        assert_eq!((world.other.get("/sum").await?.1.version, queue.len().await?), (1, 1));
        // It does not happen: it is tried again.
        let held = queue.hold().await?;
        world.proxy.lose_request(OpCode::Multi);
        held.complete_with(|multi| multi.set("/sum", b"10", Some(1))).await?;
        assert_eq!((world.other.get("/sum").await?.1.version, queue.len().await?), (2, 0));
        assert_eq!(world.proxy.cuts(), 2);
        // A part that fails gives the item back.
        queue.put(b"7").await?;
        let held = queue.hold().await?;
        let error = held.complete_with(|multi| multi.set("/sum", b"", Some(0))).await.unwrap_err();
        assert_eq!((error.code(), error.part()), (ErrorCode::BadVersion, Some(3)));
        soon(client, queue.hold()).await?.complete().await
    })
}

#[test]
fn a_mark_whose_answer_is_lost_is_found_again() -> Result<()> {
    let world = World::new();
    wait(async {
        let queue = WorkQueue::new(&world.client, "/work", Layout::Curator);
        queue.put(b"x").await?;
        queue.hold().await?.release().await?;
        world.proxy.lose_answer(OpCode::Multi);
        let held = soon(&world.other, queue.hold()).await?;
        assert_eq!(world.other.children("/work-locks").await?.0.len(), 1);
        world.proxy.lose_answer(OpCode::Multi);
        held.release().await?;
        children(&world.other, "/work-locks", 0).await?;
        // A cancelled hold leaves no mark.
        for wait in [0, 1, 2, 5] {
            let limit = Duration::from_millis(wait);
            drop(within(&**world.client.environment(), limit, queue.hold()).await);
            children(&world.other, "/work-locks", 0).await?;
        }
        assert_eq!((world.proxy.cuts(), queue.len().await?), (2, 1));
        Ok(())
    })
}

#[test]
fn a_put_whose_answer_is_lost_is_reported_or_known() -> Result<()> {
    let world = World::new();
    wait(async {
        let queue = WorkQueue::new(&world.client, "/work", Layout::Curator);
        queue.put(b"x").await?;
        world.proxy.lose_answer(OpCode::Create2);
        assert!(queue.put(b"y").await.unwrap_err().outcome_unknown());
        assert_eq!(queue.len().await?, 2, "it was there, and is not put again");
        queue.put_once(Order::End, &[b"z"]).await?;
        world.proxy.lose_answer(OpCode::Multi);
        queue.put_once(Order::End, &[b"z"]).await?;
        world.proxy.lose_request(OpCode::Multi);
        queue.put_once(Order::End, &[b"z"]).await?;
        assert_eq!((queue.len().await?, world.proxy.cuts()), (5, 3));
        children(&world.other, "/work-receipts", 0).await
    })
}

#[test]
fn a_take_whose_answer_is_lost_is_reported() -> Result<()> {
    let world = World::new();
    wait(async {
        let queue = WorkQueue::new(&world.client, "/work", Layout::Curator);
        queue.put(b"x").await?;
        world.proxy.lose_request(OpCode::Delete);
        assert_eq!(queue.take().await?.data(), b"x");
        queue.put(b"y").await?;
        world.proxy.lose_answer(OpCode::Delete);
        assert!(queue.take().await.unwrap_err().outcome_unknown());
        assert!(queue.is_empty().await?);
        Ok(())
    })
}

#[test]
fn priorities_delays_and_ids() -> Result<()> {
    let world = World::new();
    let client = &world.other;
    wait(async {
        for (layout, priorities) in [(Layout::Priority, [5, -1, 0]), (Layout::Kazoo, [500, 1, 100])]
        {
            let queue = WorkQueue::new(client, &format!("/{layout:?}"), layout);
            for priority in priorities {
                queue.put_in(Order::Priority(priority), &[priority.to_string().as_bytes()]).await?;
            }
            let first = queue.take().await?;
            assert_eq!(first.data(), priorities[1].to_string().as_bytes());
            queue.put_in(Order::Priority(1), &[b"late"]).await?;
            let second = queue.take().await?.data().to_vec();
            let late_is_next = layout == Layout::Kazoo;
            assert_eq!(second == b"late", late_is_next, "{layout:?}");
        }

        let delayed = WorkQueue::new(client, "/delay", Layout::Delay);
        let delay = Duration::from_millis(150);
        delayed.put_in(Order::After(Duration::from_secs(3600)), &[b"much later"]).await?;
        let start = client.environment().now();
        delayed.put_in(Order::After(delay), &[b"later"]).await?;
        assert!(delayed.try_take().await?.is_none() && delayed.try_hold().await?.is_none());
        assert_eq!(soon(client, delayed.take()).await?.data(), b"later");
        assert!(client.environment().now() - start >= 150, "not before its time");
        assert_eq!(delayed.len().await?, 1);

        let ids = WorkQueue::new(client, "/ids", Layout::Id);
        for id in ["a", "b", "a", "b"] {
            ids.put_in(Order::Id(id), &[id.as_bytes()]).await?;
        }
        let held = ids.hold().await?;
        assert_eq!(ids.remove("a").await?, 1, "one of two is held");
        assert_eq!((ids.remove("b").await?, ids.len().await?), (2, 1));
        held.complete().await
    })
}

#[test]
fn a_bounded_queue_is_never_longer() -> Result<()> {
    let world = World::new();
    let longest = Arc::new(Mutex::new(0));
    wait(async {
        let producers: Vec<_> = (0..4)
            .map(|_| {
                let client = connect(&world.server);
                let queue = WorkQueue::new(&client, "/work", Layout::Simple).bounded(3);
                let longest = Arc::clone(&longest);
                spawn(&client, async move {
                    for _ in 0..10 {
                        queue.put(b"x").await?;
                        let len = queue.queue().len().await?;
                        let mut longest = longest.lock().unwrap();
                        *longest = len.max(*longest);
                    }
                    Result::Ok(())
                })
            })
            .collect();
        let queue = WorkQueue::new(&world.other, "/work", Layout::Simple);
        for _ in 0..40 {
            soon(&world.other, queue.take()).await?;
        }
        for producer in producers {
            producer.recv_timeout(PATIENCE).unwrap()?;
        }
        assert!((1..=3).contains(&*longest.lock().unwrap()));
        // Lost answers neither double nor drop an item.
        let bounded = WorkQueue::new(&world.client, "/work", Layout::Simple).bounded(3);
        for lose in [Proxy::lose_answer, Proxy::lose_request] {
            lose(&world.proxy, OpCode::Multi);
            assert!(bounded.try_put(b"x").await?);
        }
        assert_eq!((queue.len().await?, world.proxy.cuts()), (2, 2));
        Ok(())
    })
}

/// Containers vanish when they have been empty for a while: in the middle of waiting, between mark and completion.
#[test]
fn reaped_directories_are_made_anew() -> Result<()> {
    let world = World::new();
    let client = &world.other;
    wait(async {
        for layout in [Layout::Curator, Layout::KazooLocking] {
            let path = format!("/{layout:?}");
            let queue = WorkQueue::new(client, &path, layout);
            let (entries, marks) = match layout {
                Layout::KazooLocking => (format!("{path}/entries"), format!("{path}/taken")),
                _ => (path.clone(), format!("{path}-locks")),
            };
            queue.put(b"1").await?;
            queue.hold().await?.complete().await?;
            let mut last = 0;
            for _ in 0..2 {
                for directory in [&entries, &marks] {
                    client.delete(directory, None).await?;
                }
                queue.put(b"2").await?;
                let held = queue.hold().await?;
                assert!(held.token() > last, "tokens grow although numbers start again");
                last = held.token();
                held.complete().await?;
            }
            let waiting = queue.clone();
            let held = spawn(client, async move { waiting.hold().await });
            for directory in [&entries, &marks] {
                client.delete(directory, None).await?;
            }
            queue.put_once(Order::End, &[b"3"]).await?;
            held.recv_timeout(PATIENCE).unwrap()?.complete().await?;
            let bounded = queue.clone().bounded(1);
            client.delete(&entries, None).await?;
            assert!(bounded.try_put(b"4").await? && !bounded.try_put(b"5").await?);
            assert_eq!(queue.take().await?.data(), b"4");
        }
        Ok(())
    })
}

/// Who waits is woken, gets one item, and nobody is woken twice for nothing while the queue stands still.
#[test]
fn an_idle_consumer_asks_nothing() -> Result<()> {
    let world = World::new();
    wait(async {
        let queue = WorkQueue::new(&world.client, "/work", Layout::KazooLocking);
        let other = WorkQueue::new(&world.other, "/work", Layout::KazooLocking);
        other.put(b"busy").await?;
        let busy = other.hold().await?;
        let waiting = queue.clone();
        let held = spawn(&world.client, async move { waiting.hold().await });
        // Two directories, each listed without and with a watch.
        soon(&world.other, async {
            while world.proxy.requests(OpCode::GetChildren2) < 4 {
                world.other.sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        world.other.sleep(Duration::from_millis(50)).await;
        assert!(world.proxy.requests(OpCode::GetChildren2) <= 8);
        busy.release().await?;
        assert_eq!(held.recv_timeout(PATIENCE).unwrap()?.data(), b"busy");
        Ok(())
    })
}
