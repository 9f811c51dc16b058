//! What is not accepted, and what stays bounded.

use super::*;
use quorate_wire::acl::Acl;
use quorate_wire::op::create::CreateMode;

#[test]
fn requests_in_flight_are_limited_by_number_and_bytes() {
    for settings in [
        Settings { max_pending: 10, ..settings() },
        Settings { max_pending_bytes: 10 * 121, ..settings() },
    ] {
        let mut rig = Rig::new(settings);
        rig.connect();
        let request = Request::Set { path: "/a", data: &[1; 95], version: -1 };
        for token in 0..10 {
            rig.submit(&request, token);
        }
        assert_eq!(rig.session.submit("", &request, 10), Err(Refused::Full));
        // Sent ones count: they are in a buffer somewhere.
        let sent = rig.sent();
        assert_eq!(sent.len(), 10);
        assert_eq!(rig.session.submit("", &request, 10), Err(Refused::Full));
        rig.reply(sent[0].xid, 5, 0, &stat());
        rig.submit(&request, 10);
        assert_eq!(rig.session.submit("", &request, 11), Err(Refused::Full));
        assert_eq!(rig.session.counters().submitted, 11);
    }
}

#[test]
fn a_request_that_no_server_would_take_is_refused() {
    let mut rig = Rig::up();
    let limit = quorate_wire::frame::DEFAULT_MAX_FRAME;
    // Header, path, length of the data, version.
    let most = limit - 8 - 6 - 4 - 4;
    let data = vec![0; limit];
    let set = |len: usize| Request::Set { path: "/a", data: &data[..len], version: -1 };
    assert_eq!(rig.session.submit("", &set(most + 1), 1), Err(Refused::TooLong));
    assert_eq!(rig.session.submit("", &set(limit), 1), Err(Refused::TooLong));
    rig.submit(&set(most), 2);
    assert_eq!(rig.session.submit("/r", &set(most), 1), Err(Refused::TooLong));
    // What was refused has used up nothing.
    rig.get("/a", 3);
    let xids: Vec<i32> = rig.sent().iter().map(|sent| sent.xid).collect();
    assert_eq!(xids, [1, 2]);
}

#[test]
fn paths_that_cannot_be_are_refused() {
    let acl: [Acl<'_>; 0] = [];
    let create = |path, mode| Create { path, data: b"", acl: &acl, mode, ttl: 1 };
    let sequential = CreateMode::PersistentSequential;
    let mut rig = Rig::up();
    for path in ["", "a", "/a/", "//", "/a//b", "/./a", "/a/..", "/a\0"] {
        let parts = [Part::Check { path: "/a", version: -1 }, Part::Delete { path, version: -1 }];
        for request in [
            Request::Get { path, watch: Some(1) },
            Request::Sync { path },
            Request::AddWatch { path, recursive: true, watch: 1 },
            Request::Create(create(path, CreateMode::Persistent)),
            Request::Multi(&parts),
        ] {
            let refused = rig.session.submit("", &request, 1);
            assert_eq!(refused, Err(Refused::BadPath), "{request:?}");
        }
    }
    // A sequential node may have no name but its number.
    for (path, good) in [("/a/", true), ("/", true), ("", false), ("//", false), ("a/", false)] {
        let request = Request::Create(create(path, sequential));
        assert_eq!(rig.session.submit("", &request, 1).is_ok(), good, "{path}");
    }
}

#[test]
fn an_idle_session_keeps_little() {
    let mut rig = Rig::up();
    let big = vec![0; 500_000];
    for round in 0..3 {
        for token in 0..20 {
            rig.submit(&Request::Set { path: "/a", data: &big, version: -1 }, token);
        }
        if round == 1 {
            rig.hang_up();
            rig.session.lose_session(rig.now);
            rig.collect();
            rig.connect();
        }
        for sent in rig.sent() {
            rig.reply(sent.xid, 5, 0, &stat());
        }
        let (head, tail) = (reply(-1, 0, 0, &vec![0; 3 << 20]), vec![]);
        rig.receive(&[&head[..100], &tail].concat());
        rig.receive(&head[100..]);
        if rig.session.state() != State::Connected {
            rig.connect();
        }
        rig.take_effects();
        assert!(rig.session.memory() < 2 << 20, "{}", rig.session.memory());
    }
}
