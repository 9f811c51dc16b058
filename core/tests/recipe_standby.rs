//! Hot and cold standby against a server in this process.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/cutting.rs"]
mod cutting;
#[path = "support/recipes.rs"]
mod recipes;

use cutting::Proxy;
use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode};
use quorate::recipes::kit::Loss;
use quorate::recipes::standby::{ColdStandby, HotStandby};
use quorate_wire::OpCode;
use recipes::{Server, clients, expire, names, server, soon, spawn, until};
use std::time::Duration;

#[test]
fn the_next_instance_begins_where_the_last_one_stopped() {
    let server = server();
    let [a, b, c] = clients(&server);
    wait(async {
        let (first, second, third) = (
            HotStandby::new(&a, "/tasks", "copy", "alpha"),
            HotStandby::new(&b, "/tasks", "copy", "beta"),
            HotStandby::new(&c, "/tasks", "copy", "gamma"),
        );
        let mut duty = first.stand_by().await.unwrap();
        assert_eq!((duty.task(), duty.position()), ("copy", None));
        let waiting = second.clone();
        let next = spawn(&b, async move { waiting.stand_by().await.unwrap() });
        until(&c, async || Ok(first.instances().await?.len() == 2)).await;
        let after = spawn(&c, async move { third.stand_by().await.unwrap() });
        until(&c, async || Ok(first.instances().await?.len() == 3)).await;
        let hosts: Vec<_> = first.instances().await.unwrap();
        let hosts: Vec<_> = hosts.iter().filter_map(HotStandby::host).collect();
        assert_eq!(hosts, ["alpha", "beta", "gamma"]);
        duty.record(b"10").await.unwrap();
        duty.record(b"20").await.unwrap();
        assert_eq!(b.get("/tasks/copy/position").await.unwrap().0, b"20");

        let lost = duty.lost();
        expire(&server, &a).await;
        let mut next = next.join();
        assert_eq!(next.position(), Some(&b"20"[..]));
        assert!(next.token() > duty.token());
        assert_eq!(soon(&a, lost).await, Loss::Session);
        // Whoever was replaced cannot write any more, whatever it believes.
        a.connected().await.unwrap();
        let late = duty.record(b"30").await.unwrap_err();
        assert!(late.is_session_end(), "{late}");
        next.record(b"25").await.unwrap();
        assert!(duty.complete().await.is_err());
        next.end().await.unwrap();
        let last = after.join();
        assert_eq!(last.position(), Some(&b"25"[..]));
        last.complete().await.unwrap();
        assert_eq!(names(&a, "/tasks/copy").await, ["instances"]);
        assert!(names(&a, "/tasks/copy/instances").await.is_empty());
    });
}

#[test]
fn recording_outlasts_lost_answers() {
    let server = Server::start();
    let proxy = Proxy::start(server.address().unwrap());
    let client = wait(Client::builder().servers(&proxy.servers()).connect()).unwrap();
    wait(async {
        client.create("/t", b"", CreateMode::Persistent).await.unwrap();
        let standby = HotStandby::new(&client, "/t", "copy", "alpha");
        proxy.lose_answer_after(OpCode::Create2, 2);
        let mut duty = soon(&client, standby.stand_by()).await.unwrap();
        assert_eq!(standby.instances().await.unwrap().len(), 1);
        for _ in 0..2 {
            proxy.lose_answer_after(OpCode::Multi, 1);
            soon(&client, duty.record(b"1")).await.unwrap();
            soon(&client, duty.record(b"2")).await.unwrap();
        }
        assert!(proxy.cuts() >= 2);
        assert_eq!(client.get("/t/copy/position").await.unwrap().0, b"2");
        soon(&client, duty.end()).await.unwrap();
        assert!(names(&client, "/t/copy/instances").await.is_empty());
    });
}

#[test]
fn a_cold_standby_takes_what_nobody_runs() {
    let server = server();
    let [a, b] = clients(&server);
    wait(async {
        a.create("/tasks", b"", CreateMode::Persistent).await.unwrap();
        for task in ["one", "two", "three"] {
            a.create(&format!("/tasks/{task}"), b"", CreateMode::Persistent).await.unwrap();
        }
        let hot = HotStandby::new(&a, "/tasks", "two", "alpha").stand_by().await.unwrap();
        let cold = ColdStandby::new(&b, "/tasks", "beta");
        let (first, second) =
            (cold.scan().await.unwrap().unwrap(), cold.scan().await.unwrap().unwrap());
        let mut tasks = [first.task().to_owned(), second.task().to_owned()];
        tasks.sort();
        assert_eq!(tasks, ["one", "three"]);
        assert!(cold.scan().await.unwrap().is_none());
        let finder = cold.clone();
        let found = spawn(&b, async move { finder.find(Duration::from_millis(5)).await.unwrap() });
        b.sleep(Duration::from_millis(30)).await;
        assert!(found.is_running());
        // The holder dies: a scan finds its task.
        drop(hot);
        let found = found.join();
        assert_eq!(found.task(), "two");
        assert!(found.is_held());
        assert_eq!(names(&a, "/tasks/two/instances").await.len(), 1);
    });
}
