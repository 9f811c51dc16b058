//! Who is told when, after a reconnect, that it may have missed something.

use super::*;
use quorate_wire::frame::SET_WATCHES_XID;
use std::collections::BTreeSet;

const SPREAD: i64 = 4_000;

/// A session with so many persistent watches that has just come back; the random numbers are those of `seed`.
fn back(watches: u64, seed: u64) -> Rig {
    let mut rig = Rig::new(Settings { spread: SPREAD, ..settings() });
    rig.session = ClientSession::new(Settings { spread: SPREAD, ..settings() }, None, seed, 0);
    rig.connect();
    for watch in 0..watches {
        let path = format!("/{watch}");
        rig.ask(&Request::AddWatch { path: &path, recursive: watch % 2 == 0, watch }, 1, 0, &[]);
    }
    come_back(&mut rig);
    rig
}

fn come_back(rig: &mut Rig) {
    rig.hang_up();
    rig.connect();
    rig.sent();
    rig.take_effects();
    rig.reply(SET_WATCHES_XID, 9, 0, &[]);
}

/// Lets time pass in steps until `end`; answers who was told, and when.
fn told_until(rig: &mut Rig, end: i64) -> Vec<(WatchKey, i64)> {
    let mut told = Vec::new();
    while rig.now < end {
        let due = rig.session.deadline().unwrap().clamp(rig.now + 1, end);
        rig.tick_at(due);
        // A server that is alive and answers pings.
        let pings = rig.sent().into_iter().filter(|sent| sent.op == OpCode::Ping).count();
        (0..pings).for_each(|_| rig.reply(quorate_wire::frame::PING_XID, 9, 0, &[]));
        for (watch, notice) in rig.events() {
            assert_eq!(notice, Notice::Missed);
            told.push((watch, rig.now));
        }
    }
    told
}

#[test]
fn one_watch_of_many_clients_is_told_at_any_time() {
    let mut thirds = BTreeSet::new();
    for seed in 0..60 {
        let mut rig = back(1, seed);
        let since = rig.now;
        let told = told_until(&mut rig, since + SPREAD);
        assert_eq!(told.len(), 1, "once, and in time");
        thirds.insert((told[0].1 - since) * 3 / (SPREAD + 1));
    }
    assert_eq!(thirds.len(), 3, "by chance");
}

#[test]
fn many_watches_of_one_client_are_told_evenly() {
    let mut rig = back(100, 5);
    let since = rig.now;
    let told = told_until(&mut rig, since + SPREAD);
    let all: BTreeSet<WatchKey> = told.iter().map(|(watch, _)| *watch).collect();
    assert_eq!((told.len(), all.len()), (100, 100));
    for quarter in 0..4 {
        let from = since + quarter * SPREAD / 4;
        let some = told.iter().filter(|(_, at)| (from..from + SPREAD / 4).contains(at)).count();
        assert!((24..=26).contains(&some), "{some} in a quarter of the time");
    }
}

#[test]
fn a_connection_that_breaks_begins_it_anew_and_an_end_ends_it() {
    let mut rig = back(10, 6);
    let since = rig.now;
    let first = told_until(&mut rig, since + SPREAD / 2).len();
    assert!((4..=6).contains(&first), "{first}");
    rig.session.unwatch(3);
    rig.hang_up();
    rig.take_effects();
    rig.connect();
    rig.sent();
    rig.tick_at(rig.now + 1);
    assert!(rig.events().is_empty(), "nobody is sent to a server that is not there");
    rig.reply(SET_WATCHES_XID, 9, 0, &[]);
    let since = rig.now;
    let told = told_until(&mut rig, since + SPREAD);
    assert_eq!(told.len(), 9, "all that are left: {told:?}");
    come_back(&mut rig);
    rig.session.abandon();
    rig.take_effects();
    rig.tick_at(rig.now + SPREAD);
    assert!(rig.events().is_empty());
}
