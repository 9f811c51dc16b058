//! Who is told what: the table of `ZKWatchManager`, shared watches, and their removal from the server.

use super::*;
use quorate_wire::op::remove_watches::{WatcherType, WatchesRequest};

const EXIST: WatchKey = 1;
const DATA: WatchKey = 2;
const CHILD: WatchKey = 3;
const PERSISTENT: WatchKey = 4;
const RECURSIVE: WatchKey = 5;
const ABOVE: WatchKey = 6;
const TOP: WatchKey = 7;

fn watch(rig: &mut Rig, path: &str, key: WatchKey) {
    let watch = Some(key);
    let no_node = ErrorCode::NoNode.code();
    match key {
        EXIST => rig.ask(&Request::Exists { path, watch }, 0, no_node, &[]),
        CHILD => {
            let body = quorate_wire::op::get_children::GetChildren2Response {
                children: vec![],
                stat: Stat::default(),
            };
            rig.ask(&Request::Children { path, watch }, 0, 0, &body.to_bytes());
        }
        PERSISTENT => {
            rig.ask(&Request::AddWatch { path, recursive: false, watch: key }, 0, 0, &[0; 4]);
        }
        RECURSIVE | ABOVE | TOP => {
            rig.ask(&Request::AddWatch { path, recursive: true, watch: key }, 0, 0, &[0; 4]);
        }
        _ => rig.ask(&Request::Get { path, watch }, 0, 0, &data(b"")),
    }
    assert_eq!(rig.ended(), [(0, None, false)]);
}

/// The session asks whether the server keeps a lasting watch beside others: it does.
fn keeps_modes(rig: &mut Rig) {
    let sent = rig.sent();
    assert_eq!((sent.len(), sent[0].op), (1, OpCode::CheckWatches), "{sent:?}");
    rig.reply(sent[0].xid, 5, 0, &[]);
}

fn keys(rig: &mut Rig) -> Vec<WatchKey> {
    let mut keys: Vec<_> = rig.events().into_iter().map(|(key, _)| key).collect();
    keys.sort_unstable();
    keys
}

/// What is removed from the server: path and type.
fn removed(rig: &mut Rig) -> Vec<(String, WatcherType)> {
    let sent = rig.sent();
    let removals = sent.iter().filter(|sent| sent.op == OpCode::RemoveWatches);
    removals
        .map(|sent| {
            let request = WatchesRequest::from_bytes(&sent.body).unwrap();
            (request.path.into_owned(), WatcherType::from_code(request.kind).unwrap())
        })
        .collect()
}

/// kazoo PR 715: a plain persistent watch on a parent was told of grandchildren.
#[test]
fn events_are_dispatched_by_the_table() {
    use EventType::{ChildrenChanged, Created, DataChanged, Deleted};
    let table: [(EventType, &[WatchKey], &[WatchKey]); 4] = [
        (Created, &[EXIST, DATA], &[PERSISTENT, RECURSIVE, ABOVE, TOP]),
        (DataChanged, &[EXIST, DATA], &[PERSISTENT, RECURSIVE, ABOVE, TOP]),
        (ChildrenChanged, &[CHILD], &[PERSISTENT]),
        (Deleted, &[EXIST, DATA, CHILD], &[PERSISTENT, RECURSIVE, ABOVE, TOP]),
    ];
    for (kind, once, always) in table {
        let mut rig = Rig::up();
        for key in [EXIST, DATA, CHILD, PERSISTENT, RECURSIVE] {
            watch(&mut rig, "/a/b", key);
        }
        keeps_modes(&mut rig);
        watch(&mut rig, "/a", ABOVE);
        watch(&mut rig, "/", TOP);
        rig.notify(kind, "/a/b");
        assert_eq!(keys(&mut rig), [once, always].concat(), "{kind:?}");
        rig.notify(kind, "/a/b");
        assert_eq!(keys(&mut rig), always, "{kind:?} again");
        rig.notify(kind, "/a/bc");
        let above: &[WatchKey] = if kind == ChildrenChanged { &[] } else { &[ABOVE, TOP] };
        assert_eq!(keys(&mut rig), above, "{kind:?} of a sibling");
    }
}

#[test]
fn a_watch_counts_from_its_reply_and_only_if_that_is_good() {
    let mut rig = Rig::up();
    rig.submit(&Request::Get { path: "/a", watch: Some(1) }, 1);
    let xid = rig.sent()[0].xid;
    rig.notify(EventType::DataChanged, "/a");
    assert_eq!(rig.events(), []);
    rig.reply(xid, 5, ErrorCode::NoNode.code(), &[]);
    assert_eq!(rig.session.watch_count(), 0);
    // Whether exists finds a node decides what it waits for.
    rig.ask(&Request::Exists { path: "/a", watch: Some(2) }, 2, 0, &stat());
    rig.ask(&Request::AddWatch { path: "/b", recursive: false, watch: 3 }, 3, -101, &[]);
    assert_eq!(rig.session.watch_count(), 2);
}

#[test]
fn an_event_tells_its_zxid_where_the_server_does() {
    let mut rig = Rig::up();
    watch(&mut rig, "/a", PERSISTENT);
    for (sent, zxid) in [(-1, None), (0x55, Some(0x55))] {
        let mut bytes = Vec::new();
        write_notification(EventType::DataChanged, "/a", sent, &mut bytes);
        rig.receive(&bytes);
        let event = Notice::Changed { kind: EventType::DataChanged, path: "/a".into(), zxid };
        assert_eq!(rig.events(), [(PERSISTENT, event)]);
    }
    assert_eq!(rig.session.last_zxid(), 0x55);
}

#[test]
fn a_shared_watch_is_removed_with_its_last_user() {
    let mut rig = Rig::up();
    watch(&mut rig, "/a", 10);
    watch(&mut rig, "/a", 11);
    rig.session.unwatch(10);
    assert_eq!(removed(&mut rig), []);
    rig.notify(EventType::DataChanged, "/other");
    rig.session.unwatch(11);
    assert_eq!(removed(&mut rig), [("/a".to_owned(), WatcherType::Any)]);
    rig.session.unwatch(11);
    assert_eq!(removed(&mut rig), []);
    assert_eq!(rig.session.watch_count(), 0);
}

#[test]
fn what_is_removed_leaves_the_rest() {
    use WatcherType::{Any, Children, Data, Persistent, PersistentRecursive};
    // What there is, what is dropped, and what is said about it.
    let table: [(&[WatchKey], WatchKey, Option<WatcherType>); 9] = [
        (&[DATA], DATA, Some(Any)),
        (&[EXIST], EXIST, Some(Any)),
        (&[DATA, CHILD], DATA, Some(Data)),
        (&[DATA, CHILD], CHILD, Some(Children)),
        (&[DATA, EXIST], DATA, None),
        (&[PERSISTENT, DATA], PERSISTENT, Some(Persistent)),
        (&[PERSISTENT, RECURSIVE], RECURSIVE, Some(PersistentRecursive)),
        // Before 3.9 a server would take the lasting one away.
        (&[PERSISTENT, DATA], DATA, None),
        (&[RECURSIVE, CHILD], CHILD, None),
    ];
    for (there, dropped, said) in table {
        let mut rig = Rig::up();
        for key in there {
            watch(&mut rig, "/a", *key);
        }
        rig.session.unwatch(dropped);
        let said: Vec<_> = said.into_iter().map(|kind| ("/a".to_owned(), kind)).collect();
        assert_eq!(removed(&mut rig), said, "{there:?} without {dropped}");
    }
}

#[test]
fn a_watch_may_be_dropped_before_it_is_there() {
    let mut rig = Rig::up();
    rig.submit(&Request::Get { path: "/a", watch: Some(1) }, 1);
    let xid = rig.sent()[0].xid;
    rig.session.unwatch(1);
    assert_eq!(removed(&mut rig), []);
    rig.reply(xid, 5, 0, &data(b""));
    assert_eq!(rig.session.watch_count(), 0);
    assert_eq!(removed(&mut rig), [("/a".to_owned(), WatcherType::Any)]);
    // It was never there.
    rig.submit(&Request::Get { path: "/a", watch: Some(2) }, 1);
    let xid = rig.sent()[0].xid;
    rig.session.unwatch(2);
    rig.reply(xid, 5, ErrorCode::NoNode.code(), &[]);
    assert_eq!(removed(&mut rig), []);
}

#[test]
fn nothing_is_removed_while_somebody_asks_for_it_again() {
    for err in [0, ErrorCode::NoNode.code()] {
        let mut rig = Rig::up();
        watch(&mut rig, "/a", 10);
        rig.submit(&Request::Get { path: "/a", watch: Some(11) }, 1);
        let xid = rig.sent()[0].xid;
        rig.session.unwatch(10);
        assert_eq!(removed(&mut rig), []);
        rig.reply(xid, 5, err, if err == 0 { &[0; 100] } else { &[] });
        let still = if err == 0 { vec![] } else { vec![("/a".to_owned(), WatcherType::Any)] };
        assert_eq!(removed(&mut rig), still);
    }
}

#[test]
fn a_key_that_is_used_again_is_another_watch() {
    let mut rig = Rig::up();
    rig.submit(&Request::Get { path: "/a", watch: Some(1) }, 1);
    rig.session.unwatch(1);
    rig.submit(&Request::Get { path: "/a", watch: Some(1) }, 2);
    let sent = rig.sent();
    rig.reply(sent[0].xid, 5, 0, &data(b""));
    assert_eq!(rig.session.watch_count(), 0);
    rig.reply(sent[1].xid, 5, 0, &data(b""));
    assert_eq!(rig.session.watch_count(), 1);
    assert_eq!(removed(&mut rig), []);
    // Elsewhere: then it is gone from here.
    rig.ask(&Request::Get { path: "/b", watch: Some(1) }, 3, 0, &data(b""));
    assert_eq!(rig.session.watch_count(), 1);
    assert_eq!(removed(&mut rig), [("/a".to_owned(), WatcherType::Any)]);
    rig.take_effects();
    rig.notify(EventType::DataChanged, "/a");
    assert_eq!(rig.events(), []);
    rig.notify(EventType::DataChanged, "/b");
    assert_eq!(keys(&mut rig), [1]);
}

#[test]
fn what_the_owner_removes_is_over() {
    let mut rig = Rig::up();
    for key in [DATA, CHILD, PERSISTENT] {
        watch(&mut rig, "/a", key);
    }
    let remove = |kind| Request::RemoveWatches { path: "/a", kind };
    rig.ask(&remove(WatcherType::Children), 1, 0, &[]);
    let ended = Notice::Ended(ErrorCode::NoWatcher);
    assert_eq!(rig.events(), [(CHILD, ended.clone())]);
    keeps_modes(&mut rig);
    rig.ask(&remove(WatcherType::Any), 1, ErrorCode::NoWatcher.code(), &[]);
    assert_eq!(rig.events(), []);
    rig.ask(&remove(WatcherType::Any), 1, 0, &[]);
    assert_eq!(rig.events(), [(DATA, ended.clone()), (PERSISTENT, ended)]);
    assert_eq!(rig.session.watch_count(), 0);
}

#[test]
fn registrations_that_were_lost_leave_nothing_behind() {
    let mut rig = Rig::up();
    for key in 0..50 {
        rig.submit(&Request::Get { path: "/a", watch: Some(key) }, key);
        rig.session.unwatch(key);
    }
    rig.sent();
    rig.hang_up();
    assert!(rig.session.watches.is_clean(), "{:?}", rig.session.watches);
    rig.connect();
    assert_eq!(rig.sent(), []);
}

#[test]
fn a_view_is_told_its_own_paths() {
    let mut rig = Rig::up();
    rig.submit_below("/app", &Request::AddWatch { path: "/", recursive: true, watch: 1 }, 1);
    rig.submit_below("/app/x", &Request::Get { path: "/y", watch: Some(2) }, 2);
    for sent in rig.sent() {
        rig.reply(sent.xid, 5, 0, &[0; 100]);
    }
    rig.take_effects();
    rig.notify(EventType::DataChanged, "/app/x/y");
    let paths: Vec<_> = rig
        .events()
        .into_iter()
        .map(|(key, notice)| match notice {
            Notice::Changed { path, .. } => (key, path),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(paths, [(2, "/y".to_owned()), (1, "/x/y".to_owned())]);
}
