//! The exclusive lock, its re-entrant owner and the lock on one node when things go wrong: answers lost, callers gone, sessions over,
//! strangers in the directory; and what the faults known of other clients would look like here.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "support/cutting.rs"]
mod cutting;
#[path = "support/tasks.rs"]
mod tasks;

use cutting::Proxy;
use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode, ErrorCode, Result};
use quorate::recipes::kit::Loss;
use quorate::recipes::layout::lock::Mode;
use quorate::recipes::lock::{Lock, Revocable as _};
use quorate::recipes::simple_lock::SimpleLock;
use quorate_wire::OpCode;
use std::time::Duration;
use tasks::{
    children, client, client_of, clients, count, mortal, poll_once, poll_times, server, spawn,
    until,
};

const MODES: [Mode; 3] = [Mode::Curator, Mode::Kazoo { yields_to_curator: true }, Mode::Bridge];

/// samuel/go-zookeeper #229: a node whose creation was not answered blocks everybody for ever.
#[test]
fn a_lost_answer_leaves_no_ghost() {
    let server = server();
    let watching = client(&server);
    for mode in MODES {
        let proxy = Proxy::start(server.address().unwrap());
        let client = client_of(&proxy.servers());
        let op = if mode == Mode::Bridge { OpCode::Multi } else { OpCode::Create2 };
        let lock = Lock::new(&client, "/ghost").mode(mode);
        wait(async {
            // The directory is there already, so that the next creation is that of the node.
            lock.acquire().await?.release().await?;
            for lose_answer in [true, false] {
                if lose_answer {
                    proxy.lose_answer(op)
                } else {
                    proxy.lose_request(op)
                }
                let held = tasks::soon(&watching, lock.acquire()).await?;
                assert_eq!(count(&watching, "/ghost").await, mode.nodes(), "{mode:?}");
                assert!(held.token() > 0 && held.is_held());
                held.guarded().commit().await?;
                held.release().await?;
                assert_eq!(count(&watching, "/ghost").await, 0, "{mode:?}");
            }
            assert_eq!(proxy.cuts(), 2, "the answers were lost");
            Result::Ok(())
        })
        .unwrap();
    }
}

/// The same for the lock on one node: it exists because this client made it.
#[test]
fn the_one_node_is_known_again_after_a_lost_answer() {
    let server = server();
    let proxy = Proxy::start(server.address().unwrap());
    let client = client_of(&proxy.servers());
    let lock = SimpleLock::new(&client, "/exclusive_lock").data("me");
    wait(async {
        lock.acquire().await?.release().await?;
        proxy.lose_answer(OpCode::Create2);
        let held = tasks::soon(&client, lock.acquire()).await?;
        assert_eq!(proxy.cuts(), 1);
        let (data, stat) = client.get("/exclusive_lock/lock").await?;
        assert!(data.ends_with(b" me"));
        assert_eq!((stat.czxid, stat.ephemeral_owner), (held.token(), client.session_id()));
        // Another task of the same session does not take it for its own, even when it loses an answer.
        proxy.lose_answer(OpCode::Create2);
        assert!(lock.try_acquire().await?.is_none());
        assert_eq!(proxy.cuts(), 2);
        held.release().await?;
        assert_eq!(count(&client, "/exclusive_lock").await, 0);
        Result::Ok(())
    })
    .unwrap();
}

/// kazoo #412, apache/curator #1193 (CURATOR-678): released while the connection is away, the node has to go all the same.
#[test]
fn a_release_outlasts_the_connection() {
    let server = server();
    let other = client(&server);
    for (lose, drop_it) in
        [(Proxy::lose_answer as fn(&Proxy, OpCode), false), (Proxy::lose_request, true)]
    {
        let proxy = Proxy::start(server.address().unwrap());
        let client = client_of(&proxy.servers());
        wait(async {
            let held = Lock::new(&client, "/lock").acquire().await?;
            lose(&proxy, OpCode::Delete);
            if drop_it {
                drop(held);
            } else {
                held.release().await?;
                assert_eq!(count(&other, "/lock").await, 0);
            }
            // The session lives long: nothing but the release makes room.
            let next = Lock::new(&other, "/lock").acquire_within(tasks::PATIENCE).await?;
            assert_eq!(proxy.cuts(), 1);
            next.unwrap().release().await
        })
        .unwrap();
    }
}

/// A bridge keeps out two kinds of clients with one node each: without either node some of them can enter.
#[test]
fn a_bridge_is_lost_with_either_of_its_nodes() {
    let server = server();
    let [a, other] = clients(&server);
    wait(async {
        other.create("/value", b"", CreateMode::Persistent).await?;
        let lock = Lock::new(&a, "/bridge").mode(Mode::Bridge);
        for gone in 0..2 {
            let held = lock.acquire().await?;
            let lost = held.lost();
            // Two checks, which count as one part.
            let guarded = held.guarded().set("/value", b"mine", None).commit().await?;
            assert_eq!(guarded.len(), 2);
            let wrong = held.guarded().set("/missing", b"", None).commit().await.unwrap_err();
            assert_eq!((wrong.code(), wrong.part()), (ErrorCode::NoNode, Some(1)));

            let node = format!("/bridge/{}", held.claim().names()[gone]);
            other.delete(&node, None).await?;
            assert_eq!(tasks::soon(&other, lost).await, Loss::Deleted);
            let late = held.guarded().set("/value", b"late", None).commit().await.unwrap_err();
            assert_eq!(
                (late.code(), late.part(), late.path()),
                (ErrorCode::NoNode, Some(0), node.as_str())
            );
            assert_eq!(other.get("/value").await?.0, b"mine");
            held.release().await?;
            assert_eq!(count(&other, "/bridge").await, 0);
        }
        Result::Ok(())
    })
    .unwrap();
}

/// A watch that could not be set at once is set later: too many requests were in flight.
#[test]
fn a_deletion_is_noticed_whatever_was_in_the_way() {
    let server = server();
    let other = client(&server);
    let proxy = Proxy::start(server.address().unwrap());
    let builder = Client::builder().servers(&proxy.servers()).max_in_flight(2, 1 << 20);
    let client = wait(builder.session_timeout(tasks::PATIENCE).connect()).unwrap();
    wait(async {
        let held = Lock::new(&client, "/lock").acquire().await?;
        let mut lost = Box::pin(held.lost());
        proxy.hold(OpCode::GetData);
        let gets = [client.get("/"), client.get("/")];
        assert_eq!(client.get("/").await.unwrap_err().code(), ErrorCode::ThrottledOp);
        assert!(poll_once(&mut lost).await.is_none(), "there is no room for it to look");
        proxy.let_go();
        for get in gets {
            get.await?;
        }
        other.delete(&held.path(), None).await?;
        assert_eq!(tasks::soon(&other, lost).await, Loss::Deleted);
        Result::Ok(())
    })
    .unwrap();
}

/// Where all holders' nodes have one name, that there is a node does not say that it is one's own.
#[test]
fn another_node_in_its_place_is_a_loss() {
    let server = server();
    let [a, other] = clients(&server);
    wait(async {
        let held = SimpleLock::new(&a, "/one").acquire().await?;
        let lost = held.lost();
        let taken = other.multi().delete(held.path(), None);
        taken.create(held.path(), b"theirs", CreateMode::Ephemeral).commit().await?;
        assert_eq!(tasks::soon(&other, lost).await, Loss::Deleted);
        // What is another's is not released.
        held.release().await?;
        assert_eq!(other.get("/one/lock").await?.0, b"theirs");
        Result::Ok(())
    })
    .unwrap();
}

/// apache/curator #600 (CURATOR-79), kazoo #429: who gives up at whatever moment leaves no node behind.
#[test]
fn nothing_is_left_of_who_gives_up() {
    let server = server();
    let [holder, giver] = clients(&server);
    wait(async {
        let simple = SimpleLock::new(&giver, "/simple");
        let busy = SimpleLock::new(&holder, "/simple").acquire().await?;
        for mode in MODES {
            let path = format!("/give-up-{}", mode.stems(quorate::recipes::layout::Id(1)).concat());
            let lock = Lock::new(&giver, &path).mode(mode);
            for held_by_other in [false, true] {
                let other = Lock::new(&holder, &path).mode(mode);
                let held = if held_by_other { Some(other.acquire().await?) } else { None };
                let before = if held_by_other { mode.nodes() } else { 0 };
                for polls in 0..8 {
                    drop(poll_times(&giver, polls, lock.acquire()).await);
                    drop(poll_times(&giver, polls, lock.try_acquire()).await);
                    drop(poll_times(&giver, polls, lock.owner().acquire()).await);
                    drop(poll_times(&giver, polls, simple.acquire()).await);
                }
                children(&holder, &path, before).await;
                drop(held);
            }
        }
        drop(busy);
        children(&holder, "/simple", 0).await;
        until(&giver, || async { giver.counters().watches == 0 }).await;
        Result::Ok(())
    })
    .unwrap();
}

/// kazoo #170: the connection goes and comes while waiting.
#[test]
fn waiting_outlasts_the_connection() {
    let server = server();
    let holder = client(&server);
    let proxy = Proxy::start(server.address().unwrap());
    let client = client_of(&proxy.servers());
    wait(async {
        let held = Lock::new(&holder, "/lock").acquire().await?;
        let waiting = spawn(&client, {
            let lock = Lock::new(&client, "/lock");
            async move { lock.acquire().await }
        });
        children(&holder, "/lock", 2).await;
        proxy.close();
        // Released while the waiter is away: nobody will tell it.
        held.release().await?;
        proxy.open();
        let held = waiting.join(&holder).await?;
        assert!(held.is_held());
        Result::Ok(())
    })
    .unwrap();
}

/// kazoo's `is_acquired` stays true with the node gone; ours does not, and the waiter gets the lock when the session has ended.
#[test]
fn a_holder_that_falls_silent_makes_room() {
    let server = server();
    let other = client(&server);
    let silent = mortal(&server);
    wait(async {
        let held = Lock::new(&silent, "/lock").acquire().await?;
        let lost = held.lost();
        silent.abandon();
        assert_eq!(lost.await, Loss::Session);
        assert!(!held.is_held());
        let next = Lock::new(&other, "/lock").acquire_within(tasks::PATIENCE).await?.unwrap();
        assert!(next.token() > held.token());
        Result::Ok(())
    })
    .unwrap();
}

/// Number 2.2 of the ground rules: strangers neither block nor break, and a deleted place in the queue is taken anew.
#[test]
fn strangers_in_the_directory_and_thieves_of_places() {
    let server = server();
    let [a, b] = clients(&server);
    wait(async {
        a.create("/lock", b"", CreateMode::Persistent).await?;
        for name in ["config", "x-0000000000", "lock-", "0000000000"] {
            a.create(&format!("/lock/{name}"), b"", CreateMode::Persistent).await?;
        }
        let held = Lock::new(&a, "/lock").acquire().await?;
        let waiting = spawn(&b, {
            let lock = Lock::new(&b, "/lock");
            async move { lock.acquire().await }
        });
        children(&a, "/lock", 6).await;
        let theirs = Lock::new(&a, "/lock").participants().await?[1].path.clone();
        a.delete(&theirs, None).await?;
        // Its owner sees that when it is woken, and queues again.
        held.release().await?;
        let next = waiting.join(&a).await?;
        assert_ne!(next.path(), theirs);
        Result::Ok(())
    })
    .unwrap();
}

/// recipes 1.1: the directory is reaped between two acquisitions, numbers begin at 0 again, tokens do not.
#[test]
fn tokens_grow_when_the_directory_is_made_anew() {
    let server = server();
    let a = client(&server);
    wait(async {
        let mut last = 0;
        for _ in 0..5 {
            let held = Lock::new(&a, "/locks/deep/one").acquire().await?;
            assert!(held.path().ends_with("-lock-0000000000"), "{}", held.path());
            assert!(held.token() > last);
            last = held.token();
            held.release().await?;
            a.delete("/locks/deep/one", None).await?;
            a.delete("/locks/deep", None).await?;
        }
        Result::Ok(())
    })
    .unwrap();
}

/// A view whose root nobody has made is an error, not an endless repair.
#[test]
fn a_missing_root_is_told() {
    let server = server();
    let view = client(&server).view("/nobody/made/this").unwrap();
    let error = wait(Lock::new(&view, "/lock").acquire()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::NoNode);
    assert!(error.to_string().contains("root"), "{error}");
}

#[test]
fn an_owner_enters_again_and_its_tasks_share_one_node() {
    let server = server();
    let [a, b] = clients(&server);
    wait(async {
        let owner = Lock::new(&a, "/lock").owner();
        let other = Lock::new(&b, "/lock");
        let blocker = other.acquire().await?;
        assert!(owner.try_acquire().await?.is_none());
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let owner = owner.clone();
                spawn(&a, async move { owner.acquire().await })
            })
            .collect();
        // Ten tasks wait in one place.
        children(&b, "/lock", 2).await;
        // Who stands for the others may give up: the next one steps in.
        assert!(owner.try_acquire().await?.is_none());
        blocker.release().await?;
        let mut entered = Vec::new();
        for task in tasks {
            entered.push(task.join(&b).await?);
            assert_eq!(count(&b, "/lock").await, 1);
        }
        assert!(entered.iter().all(|one| one.token() == entered[0].token() && one.depth() == 10));
        // Without a single request it is entered again.
        let before = a.counters().session.submitted;
        entered.push(owner.acquire().await?);
        entered.push(owner.try_acquire().await?.unwrap());
        assert_eq!(a.counters().session.submitted, before);
        while entered.len() > 1 {
            entered.pop().unwrap().release().await?;
            assert!(other.try_acquire().await?.is_none(), "released before the last one left");
        }
        entered.pop().unwrap().release().await?;
        let held = other.try_acquire().await?.expect("released by the last one");

        // Another owner of the same lock has a place of its own.
        assert!(Lock::new(&b, "/lock").owner().try_acquire().await?.is_none());
        held.release().await
    })
    .unwrap();
}

#[test]
fn the_task_that_queues_for_its_owner_may_give_up() {
    let server = server();
    let [a, b] = clients(&server);
    wait(async {
        let owner = Lock::new(&a, "/lock").owner();
        let blocker = Lock::new(&b, "/lock").acquire().await?;
        assert!(owner.acquire_within(Duration::from_millis(20)).await?.is_none());
        let waiting = spawn(&a, {
            let owner = owner.clone();
            async move { owner.acquire().await }
        });
        blocker.release().await?;
        waiting.join(&b).await?.release().await
    })
    .unwrap();
}

/// apache/curator #727: a lock lost with its session must not be entered as if it were still held.
#[test]
fn an_owner_does_not_enter_a_lost_lock() {
    let server = server();
    let a = mortal(&server);
    let proxy = Proxy::start(server.address().unwrap());
    let b = wait(
        Client::builder().servers(&proxy.servers()).session_timeout(tasks::SHORT_LIFE).connect(),
    )
    .unwrap();
    wait(async {
        let owner = Lock::new(&b, "/lock").owner();
        let first = owner.acquire().await?;
        proxy.close();
        assert_eq!(first.lost().await, Loss::Session);
        proxy.open();
        let second = owner.acquire().await?;
        assert!(second.is_held() && !first.is_held());
        assert!(second.token() > first.token());
        assert_eq!(second.depth(), 1);
        drop(first);
        assert!(Lock::new(&a, "/lock").try_acquire().await?.is_none());
        Result::Ok(())
    })
    .unwrap();
}

#[test]
fn revocation_reaches_every_form_and_says_nothing_else() {
    let server = server();
    let [a, b] = clients(&server);
    wait(async {
        for mode in MODES {
            for which in 0..mode.nodes() {
                let lock = Lock::new(&a, "/lock").mode(mode).data("host").revocable();
                let held = lock.acquire().await?;
                let participants = lock.participants().await?;
                assert_eq!(participants.len(), mode.nodes());
                assert!(participants[which].data.is_empty());
                let mut asked = spawn(&a, async move {
                    held.revoked().await.unwrap();
                    held.release().await.unwrap();
                });
                // Something else in the node is no request.
                b.set(&participants[which].path, b"hello", None).await?;
                b.sync("/").await?;
                assert!(!asked.is_done());
                let other = Lock::new(&b, "/lock").mode(mode);
                other.revoke(&participants[which]).await?;
                asked.join(&b).await;
                let error = other.revoke(&participants[which]).await.unwrap_err();
                assert_eq!(error.code(), ErrorCode::NoNode);
            }
        }
        Result::Ok(())
    })
    .unwrap();
}

#[test]
fn the_one_node_goes_from_hand_to_hand() {
    let server = server();
    let contenders: [Client; 3] = clients(&server);
    let watching = client(&server);
    wait(async {
        let tasks: Vec<_> = contenders
            .iter()
            .map(|client| {
                let lock = SimpleLock::new(client, "/exclusive_lock");
                spawn(client, async move {
                    let mut tokens = Vec::new();
                    for _ in 0..10 {
                        let held = lock.acquire().await.unwrap();
                        held.guarded().commit().await.unwrap();
                        tokens.push(held.token());
                        held.release().await.unwrap();
                    }
                    tokens
                })
            })
            .collect();
        let mut tokens = Vec::new();
        for task in tasks {
            tokens.extend(task.join(&watching).await);
        }
        tokens.sort_unstable();
        tokens.dedup();
        assert_eq!(tokens.len(), 30, "every holder has a token of its own");

        // The holder's death releases it.
        let silent = mortal(&server);
        let held = SimpleLock::new(&silent, "/exclusive_lock").acquire().await?;
        let lock = SimpleLock::new(&contenders[0], "/exclusive_lock");
        assert!(lock.acquire_within(Duration::from_millis(20)).await?.is_none());
        silent.abandon();
        let next = lock.acquire_within(tasks::PATIENCE).await?.unwrap();
        assert!(next.token() > held.token() && !held.is_held());
        // Its late release does not touch the node of the next one.
        held.release().await?;
        assert!(next.guarded().commit().await.is_ok());
        Result::Ok(())
    })
    .unwrap();
}
