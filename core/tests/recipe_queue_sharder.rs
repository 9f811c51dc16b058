//! Several queues in place of one: who adds them, where items go and come from, what a lost answer and a lost session do.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/cutting.rs"]
mod cutting;
#[path = "support/tasks.rs"]
mod tasks;

use cutting::Proxy;
use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode, Result};
use quorate::recipes::layout::queue::is_shard;
use quorate::recipes::queue::{Layout, Order, QueueSharder, ShardedQueue, WorkQueue};
use quorate_wire::OpCode;
use std::collections::BTreeSet;
use std::time::Duration;
use tasks::{children, client, client_of, clients, count, poll_once, server, soon, spawn, until};

/// How often these tests look: nearly always.
const OFTEN: Duration = Duration::from_millis(5);

fn mail(client: &Client) -> ShardedQueue {
    ShardedQueue::new(client, "/mail", Layout::Curator).threshold(4).max_queues(3).interval(OFTEN)
}

/// Paths of the queues, as the tree has them.
async fn queues(client: &Client) -> Vec<String> {
    let (mut names, _) = client.children("/mail").await.unwrap();
    names.sort();
    names.into_iter().map(|name| format!("/mail/{name}")).collect()
}

/// Waits until a sharder knows so many queues.
async fn knows(sharder: &QueueSharder, client: &Client, wanted: usize) {
    until(client, || async { sharder.queues().len() == wanted }).await;
}

#[test]
fn of_those_who_begin_together_one_makes_the_first_queue() {
    let server = server();
    let all: [Client; 4] = clients(&server);
    let start = |client| {
        let mail = mail(client);
        (client, spawn(client, async move { mail.start().await }))
    };
    let starting: Vec<_> = all.iter().map(start).collect();
    wait(async {
        let mut sharders = Vec::new();
        for (client, starting) in starting {
            sharders.push(starting.join(client).await?);
        }
        let found = queues(&all[0]).await;
        assert_eq!(found.len(), 1);
        assert!(is_shard(found[0].trim_start_matches("/mail/")), "{found:?}");
        for sharder in sharders {
            assert_eq!(sharder.queues().len(), 1);
            sharder.stop().await;
        }
        assert_eq!(count(&all[0], "/mail-leader").await, 0);
        Result::Ok(())
    })
    .unwrap();
}

/// Who found no queue, and is slow to make one, sees that another has made it.
#[test]
fn a_late_first_queue_is_not_made() {
    let server = server();
    let proxy = Proxy::start(server.address().unwrap());
    let (slow, fast) = (client_of(&proxy.servers()), client(&server));
    wait(async {
        proxy.hold(OpCode::Multi);
        let slow_mail = mail(&slow);
        let starting = spawn(&slow, async move { slow_mail.start().await });
        until(&fast, || async { proxy.requests(OpCode::Multi) == 1 }).await;
        let sharder = mail(&fast).start().await?;
        proxy.let_go();
        let late = starting.join(&fast).await?;
        let paths = |sharder: &QueueSharder| {
            let queues = sharder.queues();
            queues.iter().map(|queue| queue.path().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!((paths(&late), paths(&sharder)), (queues(&fast).await, queues(&fast).await));
        assert_eq!(paths(&late).len(), 1);
        Result::Ok(())
    })
    .unwrap();
}

#[test]
fn a_full_queue_gets_another_beside_it_until_there_are_enough() {
    let server = server();
    let [a, b] = clients(&server);
    wait(async {
        let (first, second) = (mail(&a).start().await?, mail(&b).start().await?);
        // A full queue is not put into, and there is another soon, for both.
        let full = first.queue();
        for n in 0..4 {
            full.put(&[n]).await?;
        }
        knows(&first, &a, 2).await;
        knows(&second, &b, 2).await;
        let [one, other] = <[String; 2]>::try_from(queues(&a).await).unwrap();
        let is_full = |path: &str| {
            let path = path.to_owned();
            let a = a.clone();
            async move { count(&a, &path).await >= 4 }
        };
        let empty = if is_full(&one).await { &other } else { &one };
        for n in 4..7 {
            second.put(&[n]).await?;
        }
        assert_eq!(count(&a, empty).await, 3, "the items go where there is room");
        second.put(&[7]).await?;
        knows(&first, &a, 3).await;
        for n in 8..12 {
            soon(&a, first.put(&[n])).await?;
        }
        // There are no more than three; what comes now goes to any.
        let before = first.queues().len();
        first.put(&[12]).await?;
        assert_eq!((before, queues(&a).await.len()), (3, 3));

        // All of it comes out, once, by whatever way.
        let mut taken = BTreeSet::new();
        for n in 0..13 {
            let sharder = if n % 2 == 0 { &first } else { &second };
            let data = if n % 3 == 0 {
                let held = soon(&a, sharder.hold()).await?;
                let data = held.data().to_vec();
                held.complete().await?;
                data
            } else {
                soon(&a, sharder.take()).await?.data().to_vec()
            };
            assert!(taken.insert(data), "twice");
        }
        assert_eq!(taken.len(), 13);
        assert!(first.try_take().await?.is_none() && second.try_hold().await?.is_none());
        first.stop().await;
        // The next leader goes on.
        second.stop().await;
        Result::Ok(())
    })
    .unwrap();
}

/// A queue that was full is put into again when half of it is gone.
#[test]
fn a_queue_is_open_again_when_half_of_it_is_gone() {
    let server = server();
    let client = client(&server);
    wait(async {
        let sharder = mail(&client).max_queues(2).start().await?;
        let full = sharder.queue();
        for n in 0..4 {
            full.put(&[n]).await?;
        }
        knows(&sharder, &client, 2).await;
        let open = || {
            let draw = |_| sharder.queue().path().to_owned();
            (0..100).map(draw).collect::<BTreeSet<String>>().len()
        };
        until(&client, || async { open() == 1 }).await;
        full.take().await?;
        full.take().await?;
        until(&client, || async { open() == 2 }).await;
        sharder.stop().await;
        Result::Ok(())
    })
    .unwrap();
}

/// Who waits takes from a queue that is there, and from one that comes.
#[test]
fn who_waits_hears_of_items_in_any_queue() {
    let server = server();
    let [a, b] = clients(&server);
    wait(async {
        let sharder = mail(&a).start().await?;
        for hold in [true, false] {
            let mut waiting: std::pin::Pin<Box<dyn Future<Output = Result<Vec<u8>>> + Send>> =
                if hold {
                    Box::pin(async { Ok(sharder.hold().await?.data().to_vec()) })
                } else {
                    Box::pin(async { Ok(sharder.take().await?.data().to_vec()) })
                };
            assert!(poll_once(&mut waiting).await.is_none());
            // Curator makes its queues in this way.
            let name = quorate::recipes::layout::queue::shard(quorate::recipes::layout::Id(9));
            let path = format!("/mail/{name}");
            let _ = b.create(&path, b"", CreateMode::Persistent).await;
            let theirs = WorkQueue::new(&b, &path, Layout::Curator);
            theirs.put(b"theirs").await?;
            assert_eq!(soon(&b, waiting).await?, b"theirs");
            if hold {
                // It was dropped: somebody gets it again.
                assert_eq!(soon(&b, sharder.take()).await?.data(), b"theirs");
            }
        }
        sharder.stop().await;
        Result::Ok(())
    })
    .unwrap();
}

/// Nothing but queues lies below the path: Curator would take it for one.
#[test]
fn beside_the_queues_there_is_nothing() {
    let server = server();
    let client = client(&server);
    for layout in [Layout::Curator, Layout::Delay, Layout::Simple, Layout::KazooLocking] {
        wait(async {
            let sharded = ShardedQueue::new(&client, "/mail", layout).interval(OFTEN);
            let sharder = sharded.start().await?;
            sharder.queue().put_once(Order::End, &[b"once"]).await?;
            let held = soon(&client, sharder.hold()).await?;
            let found = queues(&client).await;
            assert_eq!(found.len(), 1, "{found:?}");
            held.complete().await?;
            sharder.stop().await;
            Result::Ok(())
        })
        .unwrap();
    }
}

#[test]
fn lost_answers_and_sessions_do_no_harm() {
    let server = server();
    let other = client(&server);
    let proxy = Proxy::start(server.address().unwrap());
    let client = client_of(&proxy.servers());
    wait(async {
        // The first queue is made once.
        proxy.lose_answer(OpCode::Multi);
        let sharder = soon(&other, mail(&client).start()).await?;
        assert_eq!((proxy.cuts(), queues(&other).await.len()), (1, 1));
        // One more is added although the answer is lost, and no third one.
        let full = sharder.queue();
        proxy.lose_answer(OpCode::Multi);
        for n in 0..4 {
            full.put(&[n]).await?;
        }
        knows(&sharder, &other, 2).await;
        assert_eq!((proxy.cuts(), queues(&other).await.len()), (2, 2));
        // Under the next session it goes on.
        let twin = server.client().resume(client.identity().unwrap()).connect().await?;
        twin.close().await?;
        for n in 4..8 {
            let put = async {
                while sharder.put(&[n]).await.is_err() {
                    client.connected().await.unwrap();
                }
            };
            soon(&other, put).await;
        }
        knows(&sharder, &other, 3).await;
        sharder.stop().await;
        children(&other, "/mail-leader", 0).await;
        Result::Ok(())
    })
    .unwrap();
}
