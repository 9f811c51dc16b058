//! The set partitioner: every item with one member, and what happens when members come and go.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "support/tasks.rs"]
mod tasks;

use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode, ErrorCode, Result};
use quorate::recipes::partitioner::{Change, Member, Partitioner, Share};
use std::time::Duration;
use tasks::{Running, client, clients, count, mortal, poll_times, server, soon, spawn, until};

const ITEMS: [&str; 5] = ["a", "b", "c", "d", "e"];

fn set(client: &Client, name: &str) -> Partitioner {
    let set = Partitioner::new(client, "/set", ITEMS).unwrap().identifier(name).unwrap();
    set.quiet(Duration::from_millis(20))
}

fn acquiring(client: &Client, mut member: Member) -> Running<(Member, Share)> {
    spawn(client, async move {
        let share = member.acquire().await.unwrap();
        (member, share)
    })
}

fn items(share: &Share) -> Vec<&str> {
    share.items().collect()
}

#[test]
fn items_are_shared_and_shared_anew() {
    let server = server();
    let [a, b, c] = clients(&server);
    wait(async {
        let mut one = set(&a, "one").join().await?;
        let mut all = soon(&c, one.acquire()).await?;
        assert_eq!(items(&all), ITEMS);
        all.guarded("c").unwrap().commit().await?;
        assert!(all.guarded("z").is_none());

        // Another one comes: it gets its share when the first has given back.
        let two = set(&b, "two").join().await?;
        assert_eq!(soon(&c, all.changed()).await, Change::Group);
        assert_eq!(all.changed().await, Change::Group, "said again");
        let mut second = acquiring(&b, two);
        // It waits for its first item, in line behind the holder.
        until(&c, || async { count(&c, "/set/locks/b").await == 2 }).await;
        assert!(!second.is_done(), "two owners of an item");
        let token = all.held("b").unwrap().token();
        all.release().await?;
        let first = soon(&c, one.acquire()).await?;
        let (two, mut other) = second.join(&c).await;
        assert_eq!((items(&first), items(&other)), (vec!["a", "c", "e"], vec!["b", "d"]));
        assert!(other.held("b").unwrap().token() > token);

        // The first one leaves.
        first.release().await?;
        one.leave().await?;
        assert_eq!(soon(&c, other.changed()).await, Change::Group);
        other.release().await?;
        let (two, all) = acquiring(&b, two).join(&c).await;
        assert_eq!(items(&all), ITEMS);
        drop((all, two));
        for item in ITEMS {
            until(&c, || async { count(&c, &format!("/set/locks/{item}")).await == 0 }).await;
        }
        until(&c, || async { count(&c, "/set/party").await == 0 }).await;
        until(&c, || async { a.counters().watches + b.counters().watches == 0 }).await;
        Result::Ok(())
    })
    .unwrap();
}

#[test]
fn a_dead_member_leaves_its_share_to_the_others() {
    let server = server();
    let other = client(&server);
    let silent = mortal(&server);
    wait(async {
        let (one, two) = (set(&other, "one").join().await?, set(&silent, "two").join().await?);
        let (first, second) = (acquiring(&other, one), acquiring(&silent, two));
        let (one, mut first) = first.join(&other).await;
        let (_two, mut second) = second.join(&other).await;
        assert_eq!((first.items().count(), second.items().count()), (3, 2));
        silent.abandon();
        assert_eq!(soon(&other, second.changed()).await, Change::Lost);
        assert!(!second.is_held());
        assert_eq!(soon(&other, first.changed()).await, Change::Group);
        first.release().await?;
        let (_one, all) = acquiring(&other, one).join(&other).await;
        assert_eq!(items(&all), ITEMS);
        Result::Ok(())
    })
    .unwrap();
}

#[test]
fn more_members_than_items_and_who_gives_up() {
    let server = server();
    let watching = client(&server);
    let members: [Client; 7] = clients(&server);
    wait(async {
        let mut joined = Vec::new();
        for (index, client) in members.iter().enumerate() {
            joined.push(set(client, &format!("m{index}")).join().await?);
        }
        let tasks: Vec<_> = joined
            .into_iter()
            .zip(&members)
            .map(|(member, client)| acquiring(client, member))
            .collect();
        let mut shares = Vec::new();
        for task in tasks {
            shares.push(task.join(&watching).await);
        }
        let mut all: Vec<&str> = shares.iter().flat_map(|(_, share)| share.items()).collect();
        all.sort_unstable();
        assert_eq!(all, ITEMS);
        assert!(shares[5].1.items().next().is_none());
        // One gives up waiting for its share: nothing stays locked.
        let giver = client(&server);
        let mut member = set(&giver, "giver").join().await?;
        for polls in 0..8 {
            drop(poll_times(&giver, polls, member.acquire()).await);
        }
        member.leave().await?;
        drop(shares);
        for item in ITEMS {
            let path = format!("/set/locks/{item}");
            until(&watching, || async { count(&watching, &path).await == 0 }).await;
        }
        Result::Ok(())
    })
    .unwrap();
}

/// Only persistent ones with names of their own are foreign: a share of theirs would be nobody's.
#[test]
fn a_foreign_child_gets_no_share_and_an_ephemeral_one_does() {
    let server = server();
    let [a, b] = clients(&server);
    wait(async {
        let mut one = set(&a, "one").join().await?;
        for name in ["/set/party/foreign", "/set/party/x-one"] {
            b.create(name, b"", CreateMode::Persistent).await?;
        }
        let share = soon(&b, one.acquire()).await?;
        assert_eq!(items(&share), ITEMS);
        // Whoever it is, it is there as long as its session, and "aged" comes before "one".
        b.create("/set/party/aged", b"", CreateMode::Ephemeral).await?;
        share.release().await?;
        let share = soon(&b, one.acquire()).await?;
        assert_eq!(items(&share), ["b", "d"]);
        share.release().await?;
        one.leave().await
    })
    .unwrap();
}

#[test]
fn names_are_checked() {
    let server = server();
    let [a] = clients(&server);
    for items in [vec!["a/b"], vec![""], vec![".."], vec!["x", "x"]] {
        let error = Partitioner::new(&a, "/set", items).unwrap_err();
        assert_eq!(error.code(), ErrorCode::BadArguments);
    }
    assert!(Partitioner::new(&a, "/set", ["x"]).unwrap().identifier("a/b").is_err());
}

#[test]
fn a_namesake_is_refused_and_ones_own_past_is_not() {
    let server = server();
    let patient = client(&server);
    // It is known after twice the timeout that a namesake is not from the past.
    let timeout = Duration::from_secs(3);
    let a = wait(server.client().session_timeout(timeout).connect()).unwrap();
    wait(async {
        let partitioner = set(&a, "same");
        let one = partitioner.join().await?;
        let error = partitioner.clone().join().await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::BadArguments);
        let mut two = set(&a, "same").join().await?;
        let error = soon(&patient, two.acquire()).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::BadArguments);
        two.leave().await?;

        // Again and again, while the node before may still be there.
        drop(one);
        for _ in 0..20 {
            drop(partitioner.join().await?);
        }
        let mut last = partitioner.join().await?;
        assert_eq!(items(&soon(&patient, last.acquire()).await?), ITEMS);
        Result::Ok(())
    })
    .unwrap();
}
