//! Barriers against a server in this process. The letters are those of the known weak points of Curator's and kazoo's double barriers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/cutting.rs"]
mod cutting;
#[path = "support/recipes.rs"]
mod recipes;

use cutting::Proxy;
use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode, ErrorCode};
use quorate::recipes::barrier::{Barrier, DoubleBarrier, Inside};
use quorate::recipes::counting_barrier::CountingBarrier;
use quorate::recipes::layout::barrier::Style;
use quorate_wire::OpCode;
use recipes::{Running, Server, clients, expire, names, server, soon, spawn, until};
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(40);

fn enter(barrier: &DoubleBarrier, client: &Client) -> Running<Inside> {
    let barrier = barrier.clone();
    spawn(client, async move { barrier.enter().await.unwrap() })
}

fn leave(inside: Inside, client: &Client) -> Running<()> {
    spawn(client, async move { inside.leave().await.unwrap() })
}

async fn members(client: &Client, count: usize) {
    until(client, async || {
        let names = names(client, "/b").await;
        let foreign = ["ready", "foreign"];
        Ok(names.iter().filter(|name| !foreign.contains(&name.as_str())).count() == count)
    })
    .await;
}

#[test]
fn a_barrier_holds_everybody_until_it_is_opened() {
    let server = server();
    let [a, b, c] = clients(&server);
    wait(async {
        Barrier::new(&a, "/b/gate").wait().await.unwrap();
        let barrier = Barrier::new(&a, "/b/gate");
        barrier.close().await.unwrap();
        barrier.close().await.unwrap();
        let waiting = [&b, &c].map(|client| {
            let barrier = Barrier::new(client, "/b/gate");
            spawn(client, async move { barrier.wait().await.unwrap() })
        });
        assert!(!Barrier::new(&b, "/b/gate").wait_within(SHORT).await.unwrap());
        // It outlives the loss of a waiter's session: kazoo's wait does not.
        expire(&server, &c).await;
        c.connected().await.unwrap();
        assert!(waiting.iter().all(Running::is_running));
        barrier.open().await.unwrap();
        barrier.open().await.unwrap();
        waiting.into_iter().for_each(Running::join);
    });
}

#[test]
fn members_enter_and_leave_together() {
    let server = server();
    let clients: [Client; 3] = clients(&server);
    wait(async {
        // Two rounds: (f) the second does not see the first one's `ready`.
        for round in 0..2 {
            let barriers = clients.each_ref().map(|client| DoubleBarrier::new(client, "/b", 3));
            let styled = [
                barriers[0].clone(),
                barriers[1].clone().style(Style::Kazoo),
                barriers[2].clone().data("10.0.0.1"),
            ];
            let first = enter(&styled[0], &clients[0]);
            let second = enter(&styled[1], &clients[1]);
            members(&clients[2], 2).await;
            // (a) `ready` is no member, and there is none before all are here.
            assert!(!names(&clients[2], "/b").await.contains(&"ready".to_owned()), "{round}");
            assert!(first.is_running() && second.is_running());
            let inside = [first, second, enter(&styled[2], &clients[2])].map(Running::join);
            let [one, two, three] = inside;
            let one = leave(one, &clients[0]);
            let two = leave(two, &clients[1]);
            clients[2].sleep(SHORT).await;
            assert!(one.is_running() && two.is_running(), "nobody leaves before the last one");
            leave(three, &clients[2]).join();
            one.join();
            two.join();
            // (b), (f): neither a member nor `ready` is left.
            assert!(names(&clients[0], "/b").await.is_empty());
        }
        for client in &clients {
            until(client, async || Ok(client.counters().watches == 0)).await;
        }
    });
}

/// (c): kazoo's latecomer waits for ever for a creation that has been.
#[test]
fn a_ready_of_a_round_that_died_does_not_stop_the_next() {
    let server = server();
    let [a, b] = clients(&server);
    wait(async {
        a.create("/b", b"", CreateMode::Persistent).await.unwrap();
        a.create("/b/ready", b"", CreateMode::Persistent).await.unwrap();
        let first = enter(&DoubleBarrier::new(&a, "/b", 2), &a);
        members(&b, 1).await;
        assert!(first.is_running(), "the old `ready` opens nothing");
        let second = enter(&DoubleBarrier::new(&b, "/b", 2), &b);
        let (first, second) = (first.join(), second.join());
        let first = leave(first, &a);
        soon(&b, second.leave()).await.unwrap();
        first.join();
    });
}

/// (f): who comes while a round is leaving waits for the next one.
#[test]
fn a_latecomer_waits_for_the_next_round() {
    let server = server();
    let [a, b, c] = clients(&server);
    wait(async {
        let (first, second) = (
            enter(&DoubleBarrier::new(&a, "/b", 2), &a),
            enter(&DoubleBarrier::new(&b, "/b", 2), &b),
        );
        let (first, second) = (first.join(), second.join());
        let late = enter(&DoubleBarrier::new(&c, "/b", 2), &c);
        c.sleep(SHORT).await;
        assert!(late.is_running());
        // A member that dies inside does not hold up those who leave.
        drop(first);
        soon(&b, second.leave()).await.unwrap();
        members(&a, 1).await;
        assert!(late.is_running());
        let again = enter(&DoubleBarrier::new(&a, "/b", 2), &a);
        let (late, again) = (late.join(), again.join());
        let late = leave(late, &c);
        soon(&a, again.leave()).await.unwrap();
        late.join();
    });
}

/// (e): a member that dies while entering is not counted; (d): errors are told.
#[test]
fn a_member_that_gives_up_is_not_counted() {
    let server = server();
    let [a, b, c] = clients(&server);
    wait(async {
        let first = enter(&DoubleBarrier::new(&a, "/b", 3), &a);
        members(&b, 1).await;
        // Its session expires: it enters anew under the next one, and counts once.
        expire(&server, &a).await;
        a.connected().await.unwrap();
        members(&b, 1).await;
        let three = DoubleBarrier::new(&b, "/b", 3);
        assert!(three.enter_within(SHORT).await.unwrap().is_none());
        members(&b, 1).await;
        assert!(first.is_running());
        let (second, third) = (enter(&three, &b), enter(&DoubleBarrier::new(&c, "/b", 3), &c));
        drop([first, second, third].map(Running::join));
        members(&b, 0).await;

        let error = DoubleBarrier::new(&a, "no path", 1).enter().await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::BadArguments);
        a.close().await.unwrap();
        let error = DoubleBarrier::new(&a, "/b", 1).enter().await.unwrap_err();
        assert!(error.is_session_end());
    });
}

/// A persistent child with another name: something that somebody else has put there.
async fn put_foreign(client: &Client) {
    client.create("/b", b"", CreateMode::Persistent).await.ok();
    client.create("/b/foreign", b"", CreateMode::Persistent).await.unwrap();
}

#[test]
fn a_foreign_child_does_not_enter() {
    let server = server();
    let [a, b] = clients(&server);
    wait(async {
        put_foreign(&a).await;
        let barriers = [&a, &b].map(|client| DoubleBarrier::new(client, "/b", 2));
        assert!(barriers[0].enter_within(SHORT).await.unwrap().is_none());
        let first = enter(&barriers[0], &a);
        members(&b, 1).await;
        assert!(first.is_running());
        let second = enter(&barriers[1], &b);
        let first = leave(first.join(), &a);
        soon(&b, second.join().leave()).await.unwrap();
        first.join();
        assert_eq!(names(&a, "/b").await, ["foreign"]);
    });
}

#[test]
fn nobody_waits_for_a_foreign_child_in_order_to_leave() {
    let server = server();
    let [a, b] = clients(&server);
    wait(async {
        for while_leaving in [false, true] {
            let barriers = [&a, &b].map(|client| DoubleBarrier::new(client, "/b", 2));
            let (first, second) = (enter(&barriers[0], &a), enter(&barriers[1], &b));
            let (first, second) = (first.join(), second.join());
            if !while_leaving {
                put_foreign(&a).await;
            }
            let first = leave(first, &a);
            if while_leaving {
                a.sleep(SHORT).await;
                put_foreign(&a).await;
            }
            soon(&b, second.leave()).await.unwrap();
            first.join();
            assert_eq!(names(&a, "/b").await, ["foreign"]);
            a.delete("/b/foreign", None).await.unwrap();
        }
    });
}

#[test]
fn a_ready_beside_a_foreign_child_is_no_round() {
    let server = server();
    let [a] = clients(&server);
    wait(async {
        put_foreign(&a).await;
        a.create("/b/ready", b"", CreateMode::Persistent).await.unwrap();
        let inside = soon(&a, DoubleBarrier::new(&a, "/b", 1).enter()).await.unwrap();
        soon(&a, inside.leave()).await.unwrap();
        assert_eq!(names(&a, "/b").await, ["foreign"]);
    });
}

/// Not everybody names members as Curator and kazoo do; but those of everybody are ephemeral.
#[test]
fn an_ephemeral_child_is_a_member_whatever_its_name() {
    let server = server();
    let [a, b] = clients(&server);
    wait(async {
        put_foreign(&a).await;
        b.create("/b/host-1", b"", CreateMode::Ephemeral).await.unwrap();
        let inside = soon(&a, DoubleBarrier::new(&a, "/b", 2).enter()).await.unwrap();
        let leaving = leave(inside, &a);
        a.sleep(SHORT).await;
        assert!(leaving.is_running());
        b.delete("/b/host-1", None).await.unwrap();
        leaving.join();

        let barrier = CountingBarrier::new(&a, "/b");
        barrier.prepare(2).await.unwrap();
        assert!(barrier.arrive_within(b"", SHORT).await.unwrap().is_none());
        b.create("/b/host-1", b"", CreateMode::Ephemeral).await.unwrap();
        let arrived = soon(&a, barrier.arrive(b"")).await.unwrap();
        assert_eq!(barrier.arrived().await.unwrap(), 2);
        arrived.release().await.unwrap();
    });
}

#[test]
fn lost_answers_leave_no_member_behind() {
    let server = Server::start();
    for op in [OpCode::Create2, OpCode::Exists, OpCode::GetChildren2, OpCode::Multi] {
        let proxy = Proxy::start(server.address().unwrap());
        let client = wait(Client::builder().servers(&proxy.servers()).connect()).unwrap();
        wait(async {
            let barrier = DoubleBarrier::new(&client, "/b", 1);
            client.create("/b", b"", CreateMode::Persistent).await.ok();
            proxy.lose_answer(op);
            let inside = soon(&client, barrier.enter()).await.unwrap();
            assert_eq!(proxy.cuts(), 1, "{op:?}");
            let all = names(&client, "/b").await;
            assert_eq!(all.len(), 2, "{op:?} {all:?}");
            for op in [OpCode::Multi, OpCode::GetChildren2] {
                proxy.lose_answer(op);
            }
            soon(&client, inside.leave()).await.unwrap();
            assert!(names(&client, "/b").await.is_empty());
            client.close().await.unwrap();
        });
    }
}

#[test]
fn a_counting_barrier_opens_for_all_at_once() {
    let server = server();
    let clients: [Client; 5] = clients(&server);
    wait(async {
        let barrier = CountingBarrier::new(&clients[0], "/queue_barrier");
        let error = barrier.arrive(b"").await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::NoNode);
        for round in 0..2 {
            barrier.prepare(5).await.unwrap();
            assert_eq!(clients[1].get("/queue_barrier").await.unwrap().0, b"5");
            let arrive = |client: &Client| {
                let barrier = CountingBarrier::new(client, "/queue_barrier");
                // Each goes on, and vanishes, at once.
                spawn(client, async move { barrier.arrive(b"").await.unwrap().release().await })
            };
            let first: Vec<_> = clients[..4].iter().map(arrive).collect();
            until(&clients[4], async || Ok(barrier.arrived().await? == 4)).await;
            assert!(first.iter().all(Running::is_running), "{round}");
            // One that gives up does not count.
            let wanderer = CountingBarrier::new(&clients[4], "/queue_barrier");
            drop(wanderer.arrive_within(b"", Duration::ZERO).await.unwrap());
            let last = arrive(&clients[4]);
            for member in first.into_iter().chain([last]) {
                member.join().unwrap();
            }
            assert_eq!(barrier.arrived().await.unwrap(), 0);
        }
        clients[0].set("/queue_barrier", b"many", None).await.unwrap();
        assert_eq!(barrier.arrive(b"").await.unwrap_err().code(), ErrorCode::BadArguments);
    });
}
