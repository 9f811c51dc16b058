//! The read/write lock: who passes together, who waits, downgrade, refused upgrade, and the faults known of other clients.
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
use quorate::recipes::kit::Held;
use quorate::recipes::layout::read_write::{Access, Mode};
use quorate::recipes::read_write::ReadWriteLock;
use quorate_wire::OpCode;
use std::time::Duration;
use tasks::{
    Running, children, client, client_of, clients, count, mortal, poll_times, server, spawn, until,
};

fn modes() -> [Mode; 5] {
    let textbook = Mode::Textbook("host".into());
    [Mode::Curator, Mode::Kazoo, Mode::Bridge, Mode::Documentation, textbook]
}

fn nodes(mode: &Mode) -> usize {
    if *mode == Mode::Bridge { 2 } else { 1 }
}

fn lock(client: &Client, mode: &Mode) -> ReadWriteLock {
    ReadWriteLock::new(client, "/rw").mode(mode.clone())
}

fn reading(lock: &ReadWriteLock) -> Running<Result<Held>> {
    let lock = lock.clone();
    spawn(&lock.client().clone(), async move { lock.read().await })
}

fn writing(lock: &ReadWriteLock) -> Running<Result<Held>> {
    let lock = lock.clone();
    spawn(&lock.client().clone(), async move { lock.write().await })
}

#[test]
fn readers_pass_together_and_writers_alone() {
    let server = server();
    let [a, b, c] = clients(&server);
    for mode in modes() {
        let (a, b, c, n) = (lock(&a, &mode), lock(&b, &mode), lock(&c, &mode), nodes(&mode));
        wait(async {
            let (one, two) = (a.read().await?, b.read().await?);
            assert!(c.try_write().await?.is_none());
            assert!(c.write_within(Duration::from_millis(5)).await?.is_none());
            children(c.client(), "/rw", 2 * n).await;
            let write = writing(&c);
            children(c.client(), "/rw", 3 * n).await;
            // A writer waits: later readers stay behind it.
            assert!(a.try_read().await?.is_none());
            assert!(a.read_within(Duration::from_millis(5)).await?.is_none());
            children(c.client(), "/rw", 3 * n).await;
            let read = reading(&a);
            children(c.client(), "/rw", 4 * n).await;
            let order: Vec<Access> = a.participants().await?.iter().map(|(_, a)| *a).collect();
            let at = |access, times| vec![access; times * n];
            let expected = [at(Access::Read, 2), at(Access::Write, 1), at(Access::Read, 1)];
            assert_eq!(order, expected.concat(), "{mode:?}");
            two.release().await?;
            one.release().await?;
            let write = write.join(c.client()).await?;
            assert!(b.try_read().await?.is_none());
            let token = write.token();
            write.release().await?;
            let read = read.join(c.client()).await?;
            assert!(read.token() > token);
            read.release().await?;
            assert_eq!(count(c.client(), "/rw").await, 0, "{mode:?}");
            Result::Ok(())
        })
        .unwrap();
    }
}

/// A reader keeps the place of the writer: the writer that waits next does not come between.
#[test]
fn a_downgraded_writer_keeps_its_place() {
    let server = server();
    let [a, b, c] = clients(&server);
    for mode in modes() {
        let (a, b, c, n) = (lock(&a, &mode), lock(&b, &mode), lock(&c, &mode), nodes(&mode));
        wait(async {
            let write = a.write().await?;
            let path = write.path();
            let mut next = writing(&b);
            children(c.client(), "/rw", 2 * n).await;
            let behind = reading(&c);
            children(c.client(), "/rw", 3 * n).await;
            let token = write.token();
            let read = a.downgrade(write).await?;
            // The same number: the last ten digits.
            assert_eq!(read.path()[read.path().len() - 10..], path[path.len() - 10..]);
            assert!(read.token() > token && read.is_held());
            read.guarded().commit().await?;
            // The writer was woken, and waits on: it has looked at the list when its new watch is there.
            until(c.client(), || async { b.client().counters().watches == 1 }).await;
            b.client().sync("/").await?;
            assert!(!next.is_done(), "{mode:?}: a writer beside a reader");
            read.release().await?;
            next.join(c.client()).await?.release().await?;
            behind.join(c.client()).await?.release().await?;
            assert_eq!(count(c.client(), "/rw").await, 0, "{mode:?}");
            Result::Ok(())
        })
        .unwrap();
    }
}

#[test]
fn an_owner_reads_while_it_writes_and_is_refused_the_opposite() {
    let server = server();
    let [a, b] = clients(&server);
    for mode in modes() {
        let (owner, other) = (lock(&a, &mode).owner(), lock(&b, &mode));
        wait(async {
            let write = owner.write().await?;
            let again = owner.write().await?;
            assert_eq!((write.depth(), write.path()), (2, again.path()));
            let read = owner.read().await?;
            let read_again = owner.read().await?;
            assert_eq!(read.depth(), 2);
            assert_eq!(count(&b, "/rw").await, 2 * nodes(&mode));
            again.release().await?;
            write.release().await?;
            // It reads on, so that others may read but not write.
            other.try_read().await?.expect("readers pass together").release().await?;
            assert!(other.try_write().await?.is_none());
            let requests = a.counters().session.submitted;
            let refused = owner.write().await.unwrap_err();
            assert_eq!(refused.code(), ErrorCode::BadArguments);
            assert_eq!(a.counters().session.submitted, requests, "refused without a request");
            read.release().await?;
            assert!(other.try_write().await?.is_none());
            read_again.release().await?;
            owner.write().await?.release().await?;
            assert_eq!(count(&b, "/rw").await, 0, "{mode:?}");
            Result::Ok(())
        })
        .unwrap();
    }
}

#[test]
fn only_a_writer_of_this_lock_is_downgraded() {
    let server = server();
    let [a, b] = clients(&server);
    wait(async {
        let lock = ReadWriteLock::new(&a, "/rw");
        let code = |result: Result<Held>| result.unwrap_err().code();
        let read = lock.read().await?;
        assert_eq!(code(lock.read_beside(&read).await), ErrorCode::BadArguments);
        read.release().await?;
        let elsewhere = ReadWriteLock::new(&a, "/other").write().await?;
        assert_eq!(code(lock.read_beside(&elsewhere).await), ErrorCode::BadArguments);
        let write = lock.write().await?;
        let bridge = lock.clone().mode(Mode::Bridge);
        assert_eq!(code(bridge.read_beside(&write).await), ErrorCode::BadArguments);
        b.delete(&write.path(), None).await?;
        // The next writer holds the lock now.
        let next = ReadWriteLock::new(&b, "/rw").try_write().await?.unwrap();
        assert_eq!(code(lock.downgrade(write).await), ErrorCode::SessionExpired);
        assert_eq!(count(&b, "/rw").await, 1);
        next.release().await
    })
    .unwrap();
}

/// kazoo #649, PR 650: readers that looked at later writers waited for them, who waited for the readers.
#[test]
fn a_reader_never_waits_for_a_later_writer() {
    let server = server();
    let [a, b] = clients(&server);
    for mode in modes() {
        let (a, b) = (lock(&a, &mode), lock(&b, &mode));
        wait(async {
            let first = a.read().await?;
            let write = writing(&b);
            children(a.client(), "/rw", 2 * nodes(&mode)).await;
            let read = reading(&a);
            children(a.client(), "/rw", 3 * nodes(&mode)).await;
            let last = writing(&b);
            children(a.client(), "/rw", 4 * nodes(&mode)).await;
            first.release().await?;
            write.join(a.client()).await?.release().await?;
            read.join(a.client()).await?.release().await?;
            last.join(a.client()).await?.release().await
        })
        .unwrap();
    }
}

/// Curator's readers watch the first writer of the list and wake for each: ours watch the nearest.
#[test]
fn readers_wake_once_behind_several_writers() {
    let server = server();
    let [a, b, c] = clients(&server);
    wait(async {
        let (a, b, c) =
            (lock(&a, &Mode::Curator), lock(&b, &Mode::Curator), lock(&c, &Mode::Curator));
        let first = a.write().await?;
        let second = writing(&a);
        children(a.client(), "/rw", 2).await;
        let third = writing(&b);
        children(a.client(), "/rw", 3).await;
        let read = reading(&c);
        until(a.client(), || async { c.client().counters().watches == 1 }).await;
        first.release().await?;
        second.join(a.client()).await?.release().await?;
        let third = third.join(a.client()).await?;
        assert_eq!(c.client().counters().session.events, 0, "woken for somebody else's writer");
        third.release().await?;
        read.join(a.client()).await?.release().await?;
        assert_eq!(c.client().counters().session.events, 1);
        Result::Ok(())
    })
    .unwrap();
}

/// All modes contend with each other: every form of a name counts in every mode.
#[test]
fn modes_exclude_each_other() {
    let server = server();
    let [a, b] = clients(&server);
    wait(async {
        for holding in modes() {
            for asking in modes() {
                let (a, b) = (lock(&a, &holding), lock(&b, &asking));
                let write = a.write().await?;
                assert!(b.try_read().await?.is_none(), "{holding:?} {asking:?}");
                assert!(b.try_write().await?.is_none(), "{holding:?} {asking:?}");
                write.release().await?;
                let read = a.read().await?;
                assert!(b.try_write().await?.is_none(), "{holding:?} {asking:?}");
                b.try_read().await?.unwrap().release().await?;
                read.release().await?;
            }
        }
        Result::Ok(())
    })
    .unwrap();
}

#[test]
fn lost_answers_leave_no_ghost() {
    let server = server();
    let watching = client(&server);
    for mode in modes() {
        let proxy = Proxy::start(server.address().unwrap());
        let client = client_of(&proxy.servers());
        let lock = lock(&client, &mode);
        let op = if mode == Mode::Bridge { OpCode::Multi } else { OpCode::Create2 };
        wait(async {
            lock.read().await?.release().await?;
            proxy.lose_answer(op);
            let write = tasks::soon(&watching, lock.write()).await?;
            proxy.lose_answer(op);
            let read = tasks::soon(&watching, lock.downgrade(write)).await?;
            assert_eq!(count(&watching, "/rw").await, nodes(&mode), "{mode:?}");
            proxy.lose_answer(op);
            let other = tasks::soon(&watching, lock.read()).await?;
            assert_eq!(proxy.cuts(), 3, "{mode:?}");
            assert_eq!(count(&watching, "/rw").await, 2 * nodes(&mode), "{mode:?}");
            read.release().await?;
            other.release().await?;
            assert_eq!(count(&watching, "/rw").await, 0, "{mode:?}");
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
        for mode in modes() {
            let lock_of_giver = lock(&giver, &mode);
            for busy in [false, true] {
                let held = if busy { Some(lock(&holder, &mode).read().await?) } else { None };
                for polls in 0..6 {
                    drop(poll_times(&giver, polls, lock_of_giver.write()).await);
                    drop(poll_times(&giver, polls, lock_of_giver.read()).await);
                    drop(
                        poll_times(&giver, polls, async {
                            let write = lock_of_giver.write().await?;
                            lock_of_giver.downgrade(write).await
                        })
                        .await,
                    );
                }
                let left = if busy { nodes(&mode) } else { 0 };
                children(&holder, "/rw", left).await;
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

#[test]
fn a_writer_that_falls_silent_makes_room_for_readers() {
    let server = server();
    let [a, b] = clients(&server);
    let silent = mortal(&server);
    wait(async {
        a.create("/rw", b"", CreateMode::Persistent).await?;
        a.create("/rw/stranger", b"", CreateMode::Persistent).await?;
        let write = lock(&silent, &Mode::Curator).write().await?;
        let read = reading(&lock(&a, &Mode::Curator));
        silent.abandon();
        let read = read.join(&b).await?;
        assert!(read.token() > write.token() && !write.is_held());
        Result::Ok(())
    })
    .unwrap();
}
