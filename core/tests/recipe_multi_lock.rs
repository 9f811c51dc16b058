//! Several locks as one: order, deadline, failure, loss.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "support/tasks.rs"]
mod tasks;

use quorate::client::blocking::wait;
use quorate::client::{Acl, Client, CreateMode, CreateOptions, ErrorCode, Result};
use quorate::recipes::kit::Loss;
use quorate::recipes::lock::Lock;
use quorate::recipes::multi_lock::MultiLock;
use std::time::Duration;
use tasks::{children, clients, count, mortal, poll_times, server, spawn, until};

fn both(client: &Client, paths: [&str; 2]) -> MultiLock {
    MultiLock::new(paths.map(|path| Lock::new(client, path))).unwrap()
}

#[test]
fn opposite_orders_do_not_deadlock() {
    let server = server();
    let [a, b, c] = clients(&server);
    wait(async {
        let tasks = [(&a, ["/x", "/y"]), (&b, ["/y", "/x"])].map(|(client, paths)| {
            let lock = both(client, paths);
            spawn(client, async move {
                for _ in 0..20 {
                    let held = lock.acquire().await.unwrap();
                    held.guarded().unwrap().commit().await.unwrap();
                    assert!(held.tokens()[0] < held.tokens()[1], "taken in order");
                    held.release().await.unwrap();
                }
            })
        });
        for task in tasks {
            task.join(&c).await;
        }
        assert_eq!((count(&c, "/x").await, count(&c, "/y").await), (0, 0));
        Result::Ok(())
    })
    .unwrap();
}

#[test]
fn all_or_none_and_one_deadline() {
    let server = server();
    let [a, b] = clients(&server);
    wait(async {
        let lock = both(&a, ["/y", "/x"]);
        assert_eq!(lock.locks()[0].path(), "/x");
        let busy = Lock::new(&b, "/y").acquire().await?;
        assert!(lock.try_acquire().await?.is_none());
        assert_eq!(count(&b, "/x").await, 0);
        assert!(lock.acquire_within(Duration::from_millis(20)).await?.is_none());
        children(&b, "/x", 0).await;
        children(&b, "/y", 1).await;
        for polls in 0..8 {
            drop(poll_times(&a, polls, lock.acquire()).await);
        }
        children(&b, "/x", 0).await;
        children(&b, "/y", 1).await;
        busy.release().await?;
        let held = lock.try_acquire().await?.unwrap();
        let lost = held.lost();
        b.delete(&held.locks()[1].path(), None).await?;
        assert_eq!(lost.await, Loss::Deleted);
        let error = held.guarded()?.commit().await.unwrap_err();
        assert_eq!((error.code(), error.part()), (ErrorCode::NoNode, Some(1)));
        held.release().await?;
        until(&a, || async { a.counters().watches == 0 }).await;
        Result::Ok(())
    })
    .unwrap();
}

/// Curator's goes on acquiring after a failure.
#[test]
fn the_first_failure_ends_it() {
    let server = server();
    let [a, b] = clients(&server);
    wait(async {
        let read_only = CreateOptions::new(CreateMode::Persistent).acl(vec![Acl::world(1)]);
        b.create("/y", b"", read_only).await?;
        let paths = ["/x", "/y", "/z"].map(|path| Lock::new(&a, path));
        let error = MultiLock::new(paths)?.acquire().await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::NoAuth);
        assert_eq!(count(&b, "/x").await, 0, "what it had is released");
        assert_eq!(b.exists("/z").await?, None, "what came after was not tried");

        assert_eq!(MultiLock::new([]).unwrap_err().code(), ErrorCode::BadArguments);
        let strange = MultiLock::new([Lock::new(&a, "/x"), Lock::new(&b, "/y")]);
        assert_eq!(strange.unwrap_err().code(), ErrorCode::BadArguments);
        // The same lock twice would wait for itself.
        let held = both(&a, ["/x", "/x"]).acquire().await?;
        assert_eq!(held.tokens().len(), 1);
        held.release().await
    })
    .unwrap();
}

#[test]
fn a_silent_holder_loses_all() {
    let server = server();
    let [a] = clients(&server);
    let silent = mortal(&server);
    wait(async {
        let held = both(&silent, ["/x", "/y"]).acquire().await?;
        let lost = held.lost();
        silent.abandon();
        assert_eq!(lost.await, Loss::Session);
        assert!(!held.is_held());
        let next = both(&a, ["/y", "/x"]).acquire_within(tasks::PATIENCE).await?.unwrap();
        assert!(next.tokens().iter().zip(held.tokens()).all(|(new, old)| *new > old));
        Result::Ok(())
    })
    .unwrap();
}
