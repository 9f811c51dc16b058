//! Watches on a new connection: everything is set again, in small frames, and who may have missed something is told.

use super::*;
use quorate_wire::frame::SET_WATCHES_XID;
use quorate_wire::op::set_watches::{SetWatches2Request, SetWatchesRequest};

fn get(rig: &mut Rig, path: &str, key: WatchKey) {
    rig.ask(&Request::Get { path, watch: Some(key) }, 0, 0, &data(b""));
    rig.take_effects();
}

fn add(rig: &mut Rig, path: &str, recursive: bool, key: WatchKey) {
    rig.ask(&Request::AddWatch { path, recursive, watch: key }, 0, 0, &[0; 4]);
    rig.take_effects();
}

/// kazoo #257: watches that were lost on suspension.
#[test]
fn one_shot_watches_are_set_with_the_older_request() {
    let mut rig = Rig::up();
    get(&mut rig, "/data", 1);
    rig.ask(&Request::Exists { path: "/exist", watch: Some(2) }, 0, -101, &[]);
    let body = [&[0, 0, 0, 0][..], &stat()].concat();
    rig.ask(&Request::Children { path: "/child", watch: Some(3) }, 0, 0, &body);
    rig.get("/unsent", 4);
    rig.hang_up();
    rig.take_effects();
    rig.connect();
    assert_eq!(rig.states(), [State::Connected]);
    let sent = rig.sent();
    assert_eq!((sent[0].xid, sent[0].op), (SET_WATCHES_XID, OpCode::SetWatches));
    assert_eq!(sent[1].op, OpCode::GetData);
    let request = SetWatchesRequest::from_bytes(&sent[0].body).unwrap();
    assert_eq!(
        request,
        SetWatchesRequest {
            relative_zxid: 5,
            data: Some(vec!["/data".into()]),
            exist: Some(vec!["/exist".into()]),
            child: Some(vec!["/child".into()]),
        }
    );
    // What was missed comes before the answer, and is told before anything else.
    rig.notify(EventType::Created, "/exist");
    rig.reply(SET_WATCHES_XID, 9, 0, &[]);
    assert_eq!(rig.events().len(), 1);
    assert_eq!(rig.session.watch_count(), 2);
}

/// An event, or the answer to what sets watches again, shows a state as well: who has seen it must not be served by who is behind it. But what was
/// missed still has to be made up for from the last answer on: of one transaction other events may follow, and other watches may not be set yet.
#[test]
fn no_server_will_do_that_is_behind_an_event_or_behind_watches_set_again() {
    let mut rig = Rig::up();
    get(&mut rig, "/a", 1);
    get(&mut rig, "/b", 2);
    let mut bytes = Vec::new();
    write_notification(EventType::DataChanged, "/a", 0x10, &mut bytes);
    rig.receive(&bytes);
    assert_eq!(rig.session.last_zxid(), 0x10);
    for (at, newest) in [(0x20, 0x20), (0x18, 0x20)] {
        rig.hang_up();
        rig.connect();
        let sent = rig.sent();
        let request = SetWatchesRequest::from_bytes(&sent[0].body).unwrap();
        assert_eq!((sent[0].op, request.relative_zxid), (OpCode::SetWatches, 5));
        rig.reply(SET_WATCHES_XID, at, 0, &[]);
        assert_eq!(rig.session.last_zxid(), newest);
        rig.hang_up();
        assert_eq!(greeting(&rig.greet()).2, newest);
        rig.welcome(SESSION, 9_000, false);
    }
}

#[test]
fn what_is_made_up_for_begins_after_the_newest_answer() {
    let mut rig = Rig::up();
    get(&mut rig, "/a", 1);
    for (zxid, newest) in [(0x30, 0x30), (0x20, 0x30), (0, 0x30), (0x40, 0x40)] {
        rig.get("/b", 2);
        let xid = rig.sent().last().unwrap().xid;
        rig.reply(xid, zxid, 0, &data(b""));
        rig.hang_up();
        assert_eq!(greeting(&rig.greet()).2, newest);
        rig.welcome(SESSION, 9_000, false);
        let sent = rig.sent();
        let request = SetWatchesRequest::from_bytes(&sent[0].body).unwrap();
        assert_eq!(request.relative_zxid, newest);
    }
}

#[test]
fn exists_waits_for_what_it_has_not_found() {
    for (err, body, absent) in [(0, stat(), false), (-101, vec![], true)] {
        let mut rig = Rig::up();
        rig.ask(&Request::Exists { path: "/a", watch: Some(1) }, 1, err, &body);
        rig.hang_up();
        rig.connect();
        let sent = rig.sent();
        let request = SetWatchesRequest::from_bytes(&sent[0].body).unwrap();
        assert_eq!(request.exist.unwrap().is_empty(), !absent);
        assert_eq!(request.data.unwrap().is_empty(), absent);
    }
}

/// bonifaido/rust-zookeeper #98: events of the time without a connection were lost without a word.
#[test]
fn persistent_watches_are_told_that_they_may_have_missed_something() {
    let mut rig = Rig::up();
    get(&mut rig, "/a", 1);
    add(&mut rig, "/a", false, 2);
    add(&mut rig, "/b", true, 3);
    for _ in 0..3 {
        rig.hang_up();
        rig.connect();
        let sent = rig.sent();
        assert_eq!((sent.len(), sent[0].op), (1, OpCode::SetWatches2));
        let request = SetWatches2Request::from_bytes(&sent[0].body).unwrap();
        assert_eq!(request.persistent, Some(vec!["/a".into()]));
        assert_eq!(request.persistent_recursive, Some(vec!["/b".into()]));
        rig.take_effects();
        rig.reply(SET_WATCHES_XID, 9, 0, &[]);
        assert_eq!(rig.events(), [(2, Notice::Missed), (3, Notice::Missed)]);
    }
}

/// ZOOKEEPER-706: watches that did not fit into one frame kept clients from ever connecting again.
#[test]
fn frames_stay_below_128_kib() {
    let mut rig = Rig::up();
    let mut paths = Vec::new();
    for key in 0..300_u64 {
        let name = format!("{key:05}").repeat(1 + usize::try_from(key % 7).unwrap() * 150);
        paths.push(format!("/{name}"));
        get(&mut rig, &paths[paths.len() - 1], key);
    }
    add(&mut rig, "/last", false, 1000);
    paths.push("/last".into());
    rig.hang_up();
    rig.connect();
    let bytes = rig.raw_output();
    let sent = frames(&bytes);
    assert!(sent.len() > 2);
    let mut set = Vec::new();
    for frame in &sent {
        assert!(frame.body.len() <= 128 * 1024 + 64, "{}", frame.body.len());
        if frame.op == OpCode::SetWatches {
            set.extend(SetWatchesRequest::from_bytes(&frame.body).unwrap().data.unwrap());
        } else {
            let request = SetWatches2Request::from_bytes(&frame.body).unwrap();
            set.extend(request.data.unwrap());
            set.extend(request.persistent.unwrap());
        }
    }
    set.sort_unstable();
    paths.sort_unstable();
    assert_eq!(set, paths);
    rig.take_effects();
    // Only the last answer says that everything is there again.
    for n in 1..=sent.len() {
        rig.reply(SET_WATCHES_XID, 9, 0, &[]);
        assert_eq!(rig.events().len(), usize::from(n == sent.len()));
    }
    rig.reply(SET_WATCHES_XID, 9, 0, &[]);
    assert_eq!(rig.session.state(), State::Suspended, "an answer to nothing");
}

#[test]
fn what_has_fired_or_was_dropped_is_not_set_again() {
    let mut rig = Rig::up();
    get(&mut rig, "/fired", 1);
    get(&mut rig, "/dropped", 2);
    get(&mut rig, "/suspended", 3);
    rig.notify(EventType::DataChanged, "/fired");
    rig.session.unwatch(2);
    rig.sent();
    rig.hang_up();
    rig.session.unwatch(3);
    rig.connect();
    assert_eq!(rig.sent(), []);
}

/// tokio-zookeeper #58: ClickHouse Keeper did not know setWatches.
#[test]
fn a_server_that_cannot_set_watches_ends_them() {
    let mut rig = Rig::up();
    get(&mut rig, "/a", 1);
    rig.hang_up();
    rig.connect();
    rig.sent();
    rig.take_effects();
    rig.reply(SET_WATCHES_XID, 9, ErrorCode::Unimplemented.code(), &[]);
    assert_eq!(rig.events(), [(1, Notice::Ended(ErrorCode::Unimplemented))]);
    assert_eq!(rig.session.state(), State::Connected);
}

#[test]
fn a_server_that_hangs_up_on_watches_ends_them_after_a_while() {
    let mut rig = Rig::up();
    get(&mut rig, "/a", 1);
    let mut ended = Vec::new();
    for connection in 0..20 {
        rig.hang_up();
        ended.extend(rig.events().into_iter().map(|event| (connection, event)));
        rig.connect();
        rig.sent();
    }
    assert_eq!(ended, [(8, (1, Notice::Ended(ErrorCode::Unimplemented)))]);
}

#[test]
fn a_new_session_has_no_watches() {
    let mut rig = Rig::up();
    get(&mut rig, "/a", 1);
    rig.hang_up();
    rig.greet();
    rig.welcome(0, 0, false);
    assert_eq!(rig.events(), [(1, Notice::Ended(ErrorCode::SessionExpired))]);
    rig.connect();
    assert_eq!(rig.sent(), []);
}
