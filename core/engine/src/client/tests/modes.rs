//! Servers that keep one watch per path: a lasting watch must survive a one-shot read beside it.

use super::*;
use quorate_wire::op::get_children::GetChildren2Response;
use quorate_wire::op::remove_watches::{WatcherType, WatchesRequest};

const MARSHALLING: i32 = -5;
const NO_WATCHER: i32 = -121;

fn add(rig: &mut Rig, path: &str, recursive: bool, watch: WatchKey) {
    rig.ask(&Request::AddWatch { path, recursive, watch }, 100, 0, &[]);
}

fn read(rig: &mut Rig, path: &str, watch: WatchKey) {
    let mut body = Vec::new();
    GetDataResponse { data: Some(b"x"), stat: Stat::default() }.write(&mut body);
    rig.ask(&Request::Get { path, watch: Some(watch) }, 101, 0, &body);
}

/// What the session asks by itself, if anything.
fn question(rig: &mut Rig) -> Option<(i32, WatcherType)> {
    let mut sent = rig.sent();
    assert!(sent.len() <= 1, "{sent:?}");
    let sent = sent.pop()?;
    assert_eq!(sent.op, OpCode::CheckWatches);
    let request = WatchesRequest::from_bytes(&sent.body).unwrap();
    assert_eq!(request.path, "/a");
    Some((sent.xid, WatcherType::from_code(request.kind).unwrap()))
}

#[test]
fn a_server_that_keeps_both_is_asked_once_per_connection() {
    for (recursive, kind) in
        [(false, WatcherType::Persistent), (true, WatcherType::PersistentRecursive)]
    {
        let mut rig = Rig::up();
        for _ in 0..2 {
            add(&mut rig, "/a", recursive, 1);
            read(&mut rig, "/other", 2);
            assert_eq!(question(&mut rig), None, "nothing is in question");
            read(&mut rig, "/a", 3);
            let (xid, asked) = question(&mut rig).unwrap();
            assert_eq!(asked, kind);
            rig.take_effects();
            rig.reply(xid, 6, 0, &[]);
            assert!(rig.take_effects().is_empty());
            read(&mut rig, "/a", 4);
            assert_eq!(question(&mut rig), None);
            rig.hang_up();
            rig.connect();
            rig.sent();
            rig.reply(quorate_wire::frame::SET_WATCHES_XID, 9, 0, &[]);
            rig.take_effects();
        }
    }
}

#[test]
fn a_lasting_watch_that_was_lost_is_set_again_and_told() {
    for err in [NO_WATCHER, MARSHALLING] {
        for recursive in [false, true] {
            let mut rig = Rig::up();
            add(&mut rig, "/a", recursive, 1);
            for round in 0..3 {
                read(&mut rig, "/a", 10 + round);
                rig.take_effects();
                // Once it is known there is no need to ask.
                if round == 0 {
                    let (xid, _) = question(&mut rig).unwrap();
                    rig.reply(xid, 6, err, &[]);
                }
                let sent = rig.sent();
                assert_eq!((sent.len(), sent[0].op), (1, OpCode::AddWatch), "{sent:?}");
                assert!(rig.events().is_empty());
                rig.reply(sent[0].xid, 7, 0, &[]);
                assert_eq!(rig.events(), [(1, Notice::Missed)]);
            }
            // The one-shot watches are served by it too.
            rig.notify(EventType::DataChanged, "/a");
            assert_eq!(rig.events().len(), 4);
            assert_eq!(rig.session.watch_count(), 1);
        }
    }
}

/// There a recursive watch is not told that children changed, and so neither is the one-shot watch that it stands for.
#[test]
fn a_one_shot_watch_on_children_hears_of_them_through_the_recursive_one() {
    for (err, hears) in [(NO_WATCHER, true), (0, false)] {
        let mut rig = Rig::up();
        add(&mut rig, "/a", true, 1);
        let mut body = Vec::new();
        GetChildren2Response { children: Vec::new(), stat: Stat::default() }.write(&mut body);
        rig.ask(&Request::Children { path: "/a", watch: Some(2) }, 101, 0, &body);
        let (xid, _) = question(&mut rig).unwrap();
        rig.reply(xid, 6, err, &[]);
        rig.sent();
        rig.take_effects();
        rig.notify(EventType::DataChanged, "/a/x");
        rig.notify(EventType::Created, "/a/x/deeper");
        assert!(rig.events().iter().all(|(watch, _)| *watch == 1));
        rig.notify(EventType::Created, "/a/x");
        let told = rig.events();
        assert_eq!(told.iter().filter(|(watch, _)| *watch == 2).count(), usize::from(hears));
        if let Some((_, notice)) = told.iter().find(|(watch, _)| *watch == 2) {
            let (kind, path) = (EventType::ChildrenChanged, "/a".to_owned());
            assert_eq!(*notice, Notice::Changed { kind, path, zxid: None });
        }
    }
}

#[test]
fn a_lasting_watch_that_cannot_be_set_again_is_over() {
    let mut rig = Rig::up();
    add(&mut rig, "/a", false, 1);
    read(&mut rig, "/a", 2);
    let (xid, _) = question(&mut rig).unwrap();
    rig.reply(xid, 6, NO_WATCHER, &[]);
    let sent = rig.sent();
    rig.take_effects();
    rig.reply(sent[0].xid, 7, -102, &[]);
    assert_eq!(rig.events(), [(1, Notice::Ended(ErrorCode::NoWatcher))]);
}

#[test]
fn one_that_was_dropped_meanwhile_says_nothing_about_the_server() {
    let mut rig = Rig::up();
    add(&mut rig, "/a", false, 1);
    read(&mut rig, "/a", 2);
    let (xid, _) = question(&mut rig).unwrap();
    rig.session.unwatch(1);
    rig.reply(xid, 6, NO_WATCHER, &[]);
    let sent = rig.sent();
    assert_eq!((sent.len(), sent[0].op), (1, OpCode::RemoveWatches), "{sent:?}");
    rig.reply(sent[0].xid, 7, 0, &[]);
    assert!(rig.events().is_empty());
    add(&mut rig, "/a", false, 3);
    read(&mut rig, "/a", 4);
    assert!(question(&mut rig).is_some(), "it is not known yet");
}

/// Such a server takes any watch at the path for one of the type that its owner wants to be removed.
#[test]
fn what_was_not_to_be_removed_is_set_again() {
    for kind in [WatcherType::Data, WatcherType::Children] {
        for (recursive, old_server) in [(false, true), (true, true), (false, false)] {
            let mut rig = Rig::up();
            add(&mut rig, "/a", recursive, 1);
            rig.ask(&Request::RemoveWatches { path: "/a", kind }, 2, 0, &[]);
            rig.take_effects();
            let (xid, _) = question(&mut rig).unwrap();
            rig.reply(xid, 6, if old_server { MARSHALLING } else { 0 }, &[]);
            let sent = rig.sent();
            if !old_server {
                assert_eq!(sent.len(), 0, "{sent:?}");
                continue;
            }
            assert_eq!((sent.len(), sent[0].op), (1, OpCode::AddWatch), "{sent:?}");
            rig.reply(sent[0].xid, 7, 0, &[]);
            assert_eq!(rig.events(), [(1, Notice::Missed)]);
        }
    }
    // Who removes everything is not asked again.
    let mut rig = Rig::up();
    add(&mut rig, "/a", false, 1);
    rig.ask(&Request::RemoveWatches { path: "/a", kind: WatcherType::Any }, 2, 0, &[]);
    assert_eq!(rig.sent().len(), 0);
    assert_eq!(rig.session.watch_count(), 0);
}

/// Whichever of the two was set last, and after a reconnect, too: such a server is silent about the children, the client is not.
#[test]
fn a_recursive_watch_beside_a_one_shot_watch_on_children_raises_the_question() {
    let mut rig = Rig::up();
    let children = GetChildren2Response { children: vec![], stat: Stat::default() };
    rig.ask(&Request::Children { path: "/a", watch: Some(2) }, 101, 0, &children.to_bytes());
    add(&mut rig, "/a", true, 1);
    let learn = |rig: &mut Rig| {
        rig.take_effects();
        let (xid, kind) = question(rig).unwrap();
        assert_eq!(kind, WatcherType::PersistentRecursive);
        rig.reply(xid, 6, MARSHALLING, &[]);
        let sent = rig.sent();
        assert_eq!((sent.len(), sent[0].op), (1, OpCode::AddWatch), "{sent:?}");
        rig.reply(sent[0].xid, 7, 0, &[]);
        rig.take_effects();
    };
    learn(&mut rig);
    rig.hang_up();
    rig.connect();
    rig.sent();
    rig.reply(quorate_wire::frame::SET_WATCHES_XID, 9, 0, &[]);
    learn(&mut rig);
    rig.notify(EventType::Created, "/a/b");
    let told: Vec<_> = rig.events().into_iter().map(|(key, _)| key).collect();
    assert_eq!(told, [1, 2]);
    // Once it is known there is nothing to ask.
    add(&mut rig, "/a", true, 1);
    rig.ask(&Request::Children { path: "/b", watch: Some(3) }, 101, 0, &children.to_bytes());
    add(&mut rig, "/b", true, 4);
    assert_eq!(question(&mut rig), None);
}
