//! Leases: by the holder's clock, and kazoo's by wall clocks.
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
use quorate::recipes::lease::{LeaseEnd, LeaseLock};
use quorate::recipes::lock::Lock;
use quorate::recipes::wall_lease::{MultiWallLease, WallLease};
use quorate_wire::OpCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tasks::{client, client_of, clients, count, mortal, server, soon, until};

fn leases(client: &Client, duration: Duration) -> LeaseLock {
    LeaseLock::new(Lock::new(client, "/lease"), duration)
}

#[test]
fn a_lease_ends_by_itself() {
    let server = server();
    let [a, b] = clients(&server);
    wait(async {
        let lease = leases(&a, Duration::from_secs(1)).acquire().await?;
        assert!(lease.is_held());
        let next = soon(&b, leases(&b, tasks::PATIENCE).acquire()).await?;
        assert!(!lease.is_held() && lease.remaining().is_zero(), "two holders");
        assert!(next.token() > lease.token());
        assert!(!lease.renew());
        assert!(lease.guarded().is_none());
        assert_eq!(lease.ended().await, LeaseEnd::Expired);
        lease.release().await?;
        assert!(next.is_held());
        next.guarded().unwrap().commit().await?;
        next.release().await?;
        assert_eq!(count(&a, "/lease").await, 0);
        Result::Ok(())
    })
    .unwrap();
}

#[test]
fn a_renewed_lease_lasts() {
    let server = server();
    let [a, b] = clients(&server);
    wait(async {
        let lease = leases(&a, Duration::from_millis(1_500)).acquire().await?;
        let token = lease.token();
        let began = a.environment().now();
        // Longer than one term.
        while a.environment().now() - began < 2_000 {
            assert!(lease.renew());
            assert!(leases(&b, tasks::PATIENCE).try_acquire().await?.is_none());
            a.sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(lease.token(), token);
        drop(lease);
        let lease = soon(&b, leases(&b, tasks::PATIENCE).acquire()).await?;
        a.delete(lease.path(), None).await?;
        assert_eq!(lease.ended().await, LeaseEnd::Lost(Loss::Deleted));
        drop(lease);
        until(&b, || async { b.counters().watches == 0 }).await;
        let silent = mortal(&server);
        let lease = leases(&silent, tasks::PATIENCE).acquire().await?;
        silent.abandon();
        assert_eq!(lease.ended().await, LeaseEnd::Lost(Loss::Session));
        assert!(!lease.is_held() && !lease.renew());
        Result::Ok(())
    })
    .unwrap();
}

/// A clock that the test moves.
fn at(clock: &Arc<AtomicI64>, client: &Client, identifier: &str) -> WallLease {
    let clock = Arc::clone(clock);
    WallLease::new(client, "/wall", identifier, Duration::from_secs(10))
        .clock(move || clock.load(Ordering::SeqCst))
}

#[test]
fn wall_leases_as_kazoo_keeps_them() {
    let server = server();
    let [a, b] = clients(&server);
    let clock = Arc::new(AtomicI64::new(1_795_363_974));
    wait(async {
        let (one, two) = (at(&clock, &a, "one"), at(&clock, &b, "two"));
        let first = one.obtain().await?.unwrap();
        let text = br#"{"version": 1, "holder": "one", "end": "2026-11-22T16:13:04"}"#;
        assert_eq!(a.get("/wall/lease_holder").await?.0, text);
        assert_eq!(two.obtain().await?, None);
        clock.fetch_add(5, Ordering::SeqCst);
        let renewed = one.obtain().await?.unwrap();
        assert_eq!(renewed.end, first.end + 5);
        assert!(renewed.token > first.token);
        clock.fetch_add(9, Ordering::SeqCst);
        assert_eq!(two.obtain().await?, None);
        clock.fetch_add(1, Ordering::SeqCst);
        let taken = two.obtain().await?.unwrap();
        assert!(taken.token > renewed.token);
        assert_eq!(one.obtain().await?, None);
        // What another version has written is respected.
        a.set("/wall/lease_holder", br#"{"version": 2}"#, None).await?;
        assert_eq!(two.obtain().await?, None);
        // kazoo takes empty data for no lease.
        a.set("/wall/lease_holder", b"", None).await?;
        assert!(two.obtain().await?.is_some());
        assert_eq!(count(&a, "/wall").await, 1, "the lock is released");
        Result::Ok(())
    })
    .unwrap();
}

#[test]
fn a_lost_answer_does_not_make_two_holders() {
    let server = server();
    let proxy = Proxy::start(server.address().unwrap());
    let (a, b) = (client_of(&proxy.servers()), client(&server));
    let clock = Arc::new(AtomicI64::new(1_000_000));
    wait(async {
        proxy.lose_answer(OpCode::Multi);
        let first = soon(&b, at(&clock, &a, "one").obtain()).await?.unwrap();
        assert_eq!(proxy.cuts(), 1);
        assert_eq!(at(&clock, &b, "two").obtain().await?, None);
        assert_eq!(a.get("/wall/lease_holder").await?.1.mzxid, first.token);
        Result::Ok(())
    })
    .unwrap();
}

#[test]
fn several_wall_leases_go_to_several() {
    let server = server();
    let [a] = clients(&server);
    let clock = Arc::new(AtomicI64::new(1_000_000));
    wait(async {
        a.create("/wall", b"", CreateMode::Persistent).await?;
        let of = |name| MultiWallLease::new(at(&clock, &a, name), 2);
        let index = |got: Option<(u32, _)>| got.map(|(index, _)| index);
        assert_eq!(index(of("one").obtain().await?), Some(0));
        assert_eq!(index(of("two").obtain().await?), Some(1));
        assert_eq!(index(of("three").obtain().await?), None);
        assert_eq!(index(of("two").obtain().await?), Some(1));
        clock.fetch_add(10, Ordering::SeqCst);
        assert_eq!(index(of("three").obtain().await?), Some(0));
        Result::Ok(())
    })
    .unwrap();
}

#[test]
fn a_wall_lease_is_lost_at_its_end_whatever_becomes_of_the_session() {
    let server = server();
    let [a, b] = clients(&server);
    wait(async {
        let length = Duration::from_secs(2);
        let obtained = WallLease::new(&a, "/wall", "one", length).obtain().await?.unwrap();
        let (first, again) = (obtained.lost(), obtained.lost());
        // Neither the client nor the session has a part in it.
        a.close().await?;
        assert!(obtained.remaining() <= length);
        let hour = Duration::from_secs(3_600);
        let other = WallLease::new(&b, "/wall", "two", hour);
        while other.obtain().await?.is_none() {
            b.sleep(Duration::from_millis(5)).await;
        }
        // Before anybody else has it.
        assert!(!obtained.is_held() && obtained.remaining().is_zero());
        soon(&b, first).await;
        soon(&b, again).await;
        Result::Ok(())
    })
    .unwrap();
}

#[test]
fn a_clock_that_is_set_forward_ends_a_wall_lease_and_one_that_is_set_back_does_not_prolong_it() {
    let server = server();
    let [a] = clients(&server);
    let clock = Arc::new(AtomicI64::new(1_000_000));
    wait(async {
        let ahead = at(&clock, &a, "one").obtain().await?.unwrap();
        let lost = ahead.lost();
        assert!(ahead.is_held());
        clock.fetch_add(10, Ordering::SeqCst);
        assert!(!ahead.is_held());
        soon(&a, lost).await;
        let (begun, second) = (Instant::now(), Duration::from_secs(1));
        let told = Arc::clone(&clock);
        let brief = WallLease::new(&a, "/brief", "one", second);
        let back = brief.clock(move || told.load(Ordering::SeqCst)).obtain().await?.unwrap();
        clock.fetch_sub(3600, Ordering::SeqCst);
        // By a clock that shows milliseconds.
        let is_early = begun.elapsed() + Duration::from_millis(2) < second;
        assert!(!is_early || back.is_held());
        assert!(back.remaining() <= second);
        soon(&a, back.lost()).await;
        assert!(!back.is_held());
        Result::Ok(())
    })
    .unwrap();
}

#[test]
fn nothing_is_written_under_a_wall_lease_that_another_has_taken() {
    let server = server();
    let [a, b] = clients(&server);
    let clock = Arc::new(AtomicI64::new(1_000_000));
    wait(async {
        let first = at(&clock, &a, "one").obtain().await?.unwrap();
        first.guarded().set("/", b"one", None).commit().await?;
        clock.fetch_add(10, Ordering::SeqCst);
        let second = at(&clock, &b, "two").obtain().await?.unwrap();
        let late = first.guarded().set("/", b"late", None).commit().await.unwrap_err();
        assert_eq!(late.code(), ErrorCode::BadVersion);
        second.guarded().set("/", b"two", None).commit().await?;
        assert!(second.token > first.token);
        Result::Ok(())
    })
    .unwrap();
}
