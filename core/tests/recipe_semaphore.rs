//! The semaphore in both layouts: limits fixed and changed, several leases at once, foreign layouts, and who gives up.
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
use quorate::recipes::layout::semaphore::Kind;
use quorate::recipes::lock::Lock;
use quorate::recipes::semaphore::Semaphore;
use quorate_wire::OpCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tasks::{
    children, client, client_of, clients, count, mortal, poll_times, server, spawn, until,
};

const KINDS: [Kind; 2] = [Kind::Curator, Kind::Kazoo];

fn semaphore(client: &Client, kind: Kind, limit: u32) -> Semaphore {
    Semaphore::new(client, &format!("/deep/{kind:?}"), limit).kind(kind)
}

#[test]
fn never_more_leases_than_the_limit() {
    let server = server();
    let contenders: [Client; 4] = clients(&server);
    let watching = client(&server);
    for kind in KINDS {
        let out = Arc::new(AtomicUsize::new(0));
        wait(async {
            let tasks: Vec<_> = contenders
                .iter()
                .enumerate()
                .map(|(index, client)| {
                    let (semaphore, out) = (semaphore(client, kind, 3), Arc::clone(&out));
                    let many = u32::try_from(index % 3).unwrap() + 1;
                    spawn(client, async move {
                        for _ in 0..8 {
                            let leases = semaphore.acquire_many(many).await.unwrap();
                            assert_eq!(leases.len(), usize::try_from(many).unwrap());
                            let now = out.fetch_add(leases.len(), Ordering::SeqCst) + leases.len();
                            assert!(now <= 3, "{now} leases of 3");
                            out.fetch_sub(leases.len(), Ordering::SeqCst);
                            for lease in leases {
                                assert!(lease.token() > 0);
                                lease.release().await.unwrap();
                            }
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.join(&watching).await;
            }
            assert_eq!(semaphore(&watching, kind, 3).leases().await?, 0);
            assert_eq!(count(&watching, &kind.entry_lock(&format!("/deep/{kind:?}"))).await, 0);
            Result::Ok(())
        })
        .unwrap();
    }
}

/// kazoo #429: a try that fails left a node, and blocked everybody after it.
#[test]
fn a_try_that_fails_leaves_no_node() {
    let server = server();
    let [a, b] = clients(&server);
    for kind in KINDS {
        wait(async {
            let (a, b) = (semaphore(&a, kind, 2), semaphore(&b, kind, 2));
            let both = a.acquire_many(2).await?;
            let entry = kind.entry_lock(a.path());
            for _ in 0..3 {
                assert!(b.try_acquire().await?.is_none());
                assert!(b.acquire_within(Duration::from_millis(3)).await?.is_none());
                let none = b.acquire_many_within(2, Duration::from_millis(3)).await?;
                assert!(none.is_none());
            }
            children(b.client(), &entry, 0).await;
            assert_eq!(b.leases().await?, 2);
            for lease in both {
                lease.release().await?;
            }
            let lease = b.try_acquire().await?.expect("there is room");
            assert!(b.try_acquire_many(2).await?.is_none());
            drop(lease);
            until(b.client(), || async { b.leases().await.unwrap() == 0 }).await;
            until(b.client(), || async { b.client().counters().watches == 0 }).await;
            Result::Ok(())
        })
        .unwrap();
    }
}

/// Two who want all, one by one, would block each other half-way. Together they take turns.
#[test]
fn several_at_once_take_turns() {
    let server = server();
    let [a, b, c] = clients(&server);
    for kind in KINDS {
        wait(async {
            let all = semaphore(&a, kind, 2).acquire_many(2).await?;
            let [second, third] = [&b, &c].map(|client| {
                let semaphore = semaphore(client, kind, 2);
                spawn(
                    client,
                    async move { semaphore.acquire_many(2).await.map(|leases| leases.len()) },
                )
            });
            children(&a, &kind.entry_lock(&format!("/deep/{kind:?}")), 2).await;
            // One comes back, which is not enough for anybody.
            let mut all = all;
            all.pop().unwrap().release().await?;
            assert!(semaphore(&a, kind, 2).try_acquire().await?.is_none(), "others wait");
            all.pop().unwrap().release().await?;
            assert_eq!((second.join(&a).await?, third.join(&a).await?), (2, 2));
            Result::Ok(())
        })
        .unwrap();
    }
}

#[test]
fn an_adjustable_limit_is_followed() {
    let server = server();
    let [a, b] = clients(&server);
    wait(async {
        let adjustable = |client| Semaphore::adjustable(client, "/s", "/limits/s", 1);
        let (a, b) = (adjustable(&a), adjustable(&b));
        let first = a.acquire().await?;
        assert_eq!(a.limit().await?, 1);
        assert_eq!(a.client().get("/limits/s").await?.0, [0, 0, 0, 1], "as Curator's SharedCount");
        let waiting = spawn(b.client(), {
            let b = b.clone();
            async move { b.acquire_many(2).await }
        });
        until(a.client(), || async { b.client().counters().watches == 2 }).await;
        a.set_limit(3).await?;
        let more = waiting.join(a.client()).await?;
        // Lowered while waiting: nothing is taken away, nothing is granted.
        let mut waiting = spawn(b.client(), {
            let b = b.clone();
            async move { b.acquire().await }
        });
        until(a.client(), || async { b.client().counters().watches == 2 }).await;
        a.set_limit(1).await?;
        assert!(first.is_held() && more.iter().all(|lease| lease.is_held()));
        first.release().await?;
        for lease in more {
            assert!(!waiting.is_done());
            lease.release().await?;
        }
        waiting.join(a.client()).await?.release().await?;

        a.client().set("/limits/s", b"", None).await?;
        assert!(a.try_acquire().await?.is_none(), "an empty count is 0");
        a.client().set("/limits/s", b"12345", None).await?;
        let error = a.try_acquire().await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::DataInconsistency);
        let fixed = Semaphore::new(a.client(), "/s", 1).set_limit(2).await.unwrap_err();
        assert_eq!(fixed.code(), ErrorCode::BadArguments);
        Result::Ok(())
    })
    .unwrap();
}

#[test]
fn the_other_layout_is_refused_before_harm_is_done() {
    let server = server();
    let a = client(&server);
    wait(async {
        let with = |path: &str, kind, limit| Semaphore::new(&a, path, limit).kind(kind);
        drop(with("/c", Kind::Curator, 1).acquire().await?);
        drop(with("/k", Kind::Kazoo, 1).acquire().await?);
        assert_eq!(a.get("/k").await?.0, b"1");
        for (path, kind, limit) in
            [("/c", Kind::Kazoo, 1), ("/k", Kind::Curator, 1), ("/k", Kind::Kazoo, 2)]
        {
            let before = a.count_descendants("/").await?;
            let error = with(path, kind, limit).acquire().await.unwrap_err();
            assert_eq!(error.code(), ErrorCode::BadArguments, "{path} {kind:?}");
            assert!(a.count_descendants("/").await? <= before, "something was created");
        }
        for refused in [
            with("/n", Kind::Curator, 1).acquire_many(2).await,
            Semaphore::adjustable(&a, "/n", "/count", 1).kind(Kind::Kazoo).acquire_many(1).await,
        ] {
            assert_eq!(refused.unwrap_err().code(), ErrorCode::BadArguments);
        }
        assert_eq!(a.exists("/n").await?, None);
        // A node that kazoo's `ensure_path` has left empty gets the limit.
        a.create("/e", b"", CreateMode::Persistent).await?;
        drop(with("/e", Kind::Kazoo, 4).acquire().await?);
        assert_eq!(a.get("/e").await?.0, b"4");
        assert!(with("/n", Kind::Curator, 0).acquire_many(0).await?.is_empty());
        Result::Ok(())
    })
    .unwrap();
}

#[test]
fn leases_of_a_lost_session_come_back() {
    let server = server();
    let other = client(&server);
    for kind in KINDS {
        let silent = mortal(&server);
        wait(async {
            let mut leases = semaphore(&silent, kind, 2).acquire_many(2).await?;
            let lost = leases.pop().unwrap().lost();
            // The entry lock of a client that dies waiting comes back as well.
            let waiter = mortal(&server);
            let mut waiting = spawn(&waiter, {
                let semaphore = semaphore(&waiter, kind, 2);
                async move { semaphore.acquire_many(2).await }
            });
            children(&other, &kind.entry_lock(&format!("/deep/{kind:?}")), 1).await;
            assert!(!waiting.is_done());
            waiter.abandon();
            silent.abandon();
            assert_eq!(lost.await, Loss::Session);
            let semaphore = semaphore(&other, kind, 2);
            let leases = tasks::soon(&other, semaphore.acquire_many(2)).await?;
            for lease in leases {
                lease.release().await?;
            }
            Result::Ok(())
        })
        .unwrap();
    }
}

#[test]
fn lost_answers_leave_no_lease() {
    let server = server();
    let watching = client(&server);
    for kind in KINDS {
        let proxy = Proxy::start(server.address().unwrap());
        let client = client_of(&proxy.servers());
        let semaphore = semaphore(&client, kind, 3);
        wait(async {
            semaphore.acquire().await?.release().await?;
            for (count, lose) in [(1, 0), (1, 1), (2, 1)] {
                let op = if count > 1 && kind == Kind::Curator {
                    OpCode::Multi
                } else {
                    OpCode::Create2
                };
                // First the node of the entry lock, then the lease.
                let skip = if op == OpCode::Multi { 0 } else { lose };
                proxy.lose_answer_after(op, skip);
                let cuts = proxy.cuts();
                let leases = tasks::soon(&watching, semaphore.acquire_many(count)).await?;
                assert_eq!(proxy.cuts(), cuts + 1, "{kind:?} {count} {lose}");
                assert_eq!(semaphore.leases().await?, leases.len(), "{kind:?} {count} {lose}");
                for lease in leases {
                    lease.guarded().commit().await?;
                    lease.release().await?;
                }
                assert_eq!(semaphore.leases().await?, 0);
            }
            let entry = Lock::new(&watching, &kind.entry_lock(semaphore.path()));
            assert!(entry.participants().await?.is_empty());
            Result::Ok(())
        })
        .unwrap();
    }
}

#[test]
fn nothing_is_left_of_who_gives_up() {
    let server = server();
    let [holder, giver] = clients(&server);
    wait(async {
        for kind in KINDS {
            for busy in [false, true] {
                let (holding, giving) = (semaphore(&holder, kind, 2), semaphore(&giver, kind, 2));
                let held = if busy { Some(holding.acquire().await?) } else { None };
                for polls in 0..14 {
                    drop(poll_times(&giver, polls, giving.acquire_many(2)).await);
                    drop(poll_times(&giver, polls, giving.try_acquire()).await);
                }
                let left = usize::from(busy);
                until(&holder, || async { holding.leases().await.unwrap() == left }).await;
                children(&holder, &kind.entry_lock(holding.path()), 0).await;
                if let Some(held) = held {
                    held.release().await?;
                }
            }
        }
        until(&giver, || async { giver.counters().watches == 0 }).await;
        Result::Ok(())
    })
    .unwrap();
}
