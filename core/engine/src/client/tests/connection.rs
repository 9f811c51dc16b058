//! Handshake, order of answers, and what the loss of a connection means for requests.

use super::*;

#[test]
fn the_first_handshake_asks_for_a_new_session() {
    let mut rig = Rig::new(settings());
    let (id, password, zxid) = greeting(&rig.greet());
    assert_eq!((id, password, zxid), (0, vec![0; 16], 0));
    assert_eq!(rig.session.state(), State::Connecting);
    rig.welcome(SESSION, 4_000, false);
    assert_eq!(rig.states(), [State::Connected]);
    assert_eq!(rig.session.identity(), Some(Identity { id: SESSION, password: [7; 16] }));
    assert_eq!(rig.session.timeout(), 4_000);
}

#[test]
fn a_session_is_resumed_with_its_password_and_what_it_has_seen() {
    let identity = Identity { id: 5, password: [9; 16] };
    let mut rig = Rig::new(Settings { resume: Some(identity), ..settings() });
    assert_eq!(greeting(&rig.greet()), (5, vec![9; 16], 0));
    rig.welcome(5, 9_000, false);
    rig.get("/a", 1);
    let sent = rig.sent();
    rig.reply(sent[0].xid, 0x123, 0, &data(b""));
    rig.hang_up();
    assert_eq!(greeting(&rig.greet()), (5, vec![7; 16], 0x123));
}

#[test]
fn an_expired_session_is_lost_once_and_followed_by_a_new_one() {
    for renew in [true, false] {
        let mut rig = Rig::new(Settings { renew, ..settings() });
        rig.connect();
        rig.hang_up();
        rig.get("/a", 1);
        rig.session.authenticate("digest", b"a:b", 2).unwrap();
        rig.take_effects();
        rig.greet();
        rig.welcome(0, 0, false);
        let effects = rig.take_effects();
        let lost = effects.iter().filter(|e| **e == Effect::State(State::Lost)).count();
        assert_eq!(lost, 1, "{effects:?}");
        rig.effects = effects;
        let expired = Some(ErrorCode::SessionExpired);
        if renew {
            assert_eq!(rig.ended(), [(1, expired, false)]);
            assert_eq!(greeting(&rig.greet()).0, 0);
            rig.welcome(SESSION + 1, 9_000, false);
            assert_eq!(rig.states(), [State::Connected]);
        } else {
            assert_eq!(rig.ended(), [(1, expired, false), (2, expired, false)]);
            assert_eq!(rig.session.deadline(), None);
            rig.tick_at(1_000_000);
            assert_eq!(rig.take_effects(), []);
            let refused = rig.session.submit("", &Request::WhoAmI, 3);
            assert_eq!(refused, Err(Refused::Expired));
        }
    }
}

#[test]
fn a_new_session_that_is_refused_is_tried_again_after_a_pause() {
    let mut rig = Rig::new(settings());
    let mut waited = false;
    for _ in 0..10 {
        rig.greet();
        let before = rig.now;
        rig.welcome(0, 0, false);
        assert_eq!(rig.states(), []);
        rig.until_attempt();
        waited |= rig.now > before;
        rig.attempt -= 1;
        rig.attempt += 1;
        rig.session.disconnected(rig.attempt, rig.now);
        rig.take_effects();
    }
    assert!(waited);
    assert_eq!(rig.session.counters().lost, 0);
}

#[test]
fn another_session_than_the_one_asked_for_is_not_taken() {
    let mut rig = Rig::up();
    rig.hang_up();
    rig.greet();
    rig.welcome(SESSION + 1, 9_000, false);
    assert_eq!(rig.session.identity().unwrap().id, SESSION);
    assert_eq!(rig.session.state(), State::Suspended);
}

#[test]
fn answers_come_in_the_order_of_requests() {
    let mut rig = Rig::up();
    for token in 0..3 {
        rig.get("/a", token);
    }
    let xids: Vec<i32> = rig.sent().iter().map(|sent| sent.xid).collect();
    assert_eq!(xids, [1, 2, 3]);
    rig.reply(xids[0], 5, 0, &data(b"one"));
    assert_eq!(rig.ended(), [(0, None, false)]);
    // The second is passed over: whose answer this is cannot be known any more.
    rig.reply(xids[2], 5, 0, &data(b"three"));
    let lost = Some(ErrorCode::ConnectionLoss);
    assert_eq!(rig.ended(), [(1, lost, false), (2, lost, false)]);
    assert_eq!(rig.session.state(), State::Suspended);
}

#[test]
fn xids_wrap_around_to_one() {
    let mut rig = Rig::up();
    rig.session.next_xid = i32::MAX;
    rig.get("/a", 1);
    rig.get("/a", 2);
    let sent = rig.sent();
    assert_eq!((sent[0].xid, sent[1].xid), (i32::MAX, 1));
    rig.reply(i32::MAX, 5, 0, &data(b""));
    rig.reply(1, 5, 0, &data(b""));
    assert_eq!(rig.ended(), [(1, None, false), (2, None, false)]);
}

#[test]
fn what_was_sent_fails_and_what_was_not_is_sent_once() {
    let mut rig = Rig::up();
    rig.get("/sent", 1);
    rig.set("/sent", 2);
    assert_eq!(rig.sent_ops(), [OpCode::GetData, OpCode::SetData]);
    rig.set("/waiting", 3);
    rig.hang_up();
    let lost = Some(ErrorCode::ConnectionLoss);
    // A read has no outcome that anybody could miss.
    assert_eq!(rig.ended(), [(1, lost, false), (2, lost, true)]);
    rig.get("/later", 4);
    assert!(!rig.session.has_output());
    rig.connect();
    let sent = rig.sent();
    assert_eq!(sent.len(), 2);
    assert!(rig.raw_output().is_empty());
    rig.reply(sent[0].xid, 7, 0, &stat());
    rig.reply(sent[1].xid, 7, 0, &data(b""));
    assert_eq!(rig.ended(), [(3, None, false), (4, None, false)]);
}

#[test]
fn a_failure_names_operation_path_and_code() {
    let mut rig = Rig::up();
    rig.submit_below("/app", &Request::Delete { path: "/x", version: 3 }, 1);
    let sent = rig.sent();
    rig.reply(sent[0].xid, 5, ErrorCode::BadVersion.code(), &[]);
    let failure = Failure {
        code: ErrorCode::BadVersion,
        op: OpCode::Delete,
        path: "/x".into(),
        outcome_unknown: false,
    };
    assert_eq!(rig.completions(), [(1, Err(failure))]);
}

#[test]
fn a_server_may_leave_the_outcome_unknown() {
    for (code, unknown) in [
        (ErrorCode::RequestTimeout, true),
        (ErrorCode::OperationTimeout, true),
        (ErrorCode::NoAuth, false),
        (ErrorCode::ThrottledOp, false),
    ] {
        let mut rig = Rig::up();
        rig.ask(&Request::Delete { path: "/x", version: -1 }, 1, code.code(), &[]);
        assert_eq!(rig.ended(), [(1, Some(code), unknown)]);
    }
}

#[test]
fn a_reply_may_tell_that_the_session_is_gone() {
    let mut rig = Rig::up();
    rig.set("/a", 1);
    rig.set("/a", 2);
    let sent = rig.sent();
    rig.set("/a", 3);
    rig.reply(sent[0].xid, 5, ErrorCode::SessionExpired.code(), &[]);
    let expired = Some(ErrorCode::SessionExpired);
    assert_eq!(rig.session.state(), State::Lost);
    assert_eq!(rig.ended(), [(1, expired, false), (2, expired, true), (3, expired, false)]);
}

#[test]
fn what_an_old_connection_says_does_not_count() {
    let mut rig = Rig::up();
    let old = rig.attempt;
    rig.hang_up();
    rig.connect();
    rig.get("/a", 1);
    let xid = rig.sent()[0].xid;
    rig.take_effects();
    rig.session.received(old, &reply(xid, 5, 0, &data(b"")), rig.now);
    rig.session.disconnected(old, rig.now);
    rig.session.connected(old, rig.now);
    assert_eq!(rig.take_effects(), []);
    assert_eq!(rig.session.state(), State::Connected);
}

#[test]
fn output_is_given_in_whole_frames_up_to_a_limit() {
    let mut rig = Rig::up();
    for token in 0..10 {
        rig.get("/some/path", token);
    }
    let mut counts = Vec::new();
    while rig.session.has_output() {
        let mut out = Vec::new();
        rig.session.output(rig.now, &mut out, 60);
        counts.push(frames(&out).len());
    }
    assert_eq!(counts, [3, 3, 3, 1]);
}

#[test]
fn frames_may_come_in_any_pieces() {
    let mut rig = Rig::up();
    let mut bytes = Vec::new();
    for token in 0..5 {
        rig.get("/a", token);
        bytes.extend(reply(i32::try_from(token).unwrap() + 1, 5, 0, &data(b"some data")));
        write_notification(EventType::Created, "/unknown", -1, &mut bytes);
    }
    rig.sent();
    for piece in bytes.chunks(7) {
        rig.receive(piece);
    }
    assert_eq!(rig.ended().len(), 5);
    assert_eq!(rig.session.state(), State::Connected);
}

/// yfinkelstein/node-zookeeper #80: after some failures in a row nobody tried to connect any more.
#[test]
fn node_80_another_attempt_follows_whatever_the_last_one_failed_at() {
    type Failure = fn(&mut Rig);
    let failures: [Failure; 7] = [
        // Refused.
        |rig| rig.hang_up(),
        // No connection in time.
        |rig| rig.tick_at(rig.session.deadline().unwrap()),
        // Connected, and closed before or during the handshake, or not answered.
        |rig| {
            rig.session.connected(rig.attempt, rig.now);
            rig.hang_up();
        },
        |rig| {
            rig.session.connected(rig.attempt, rig.now);
            rig.raw_output();
            rig.tick_at(rig.session.deadline().unwrap());
        },
        |rig| {
            rig.session.connected(rig.attempt, rig.now);
            rig.raw_output();
            rig.receive(b"\0\0\0\x04what");
        },
        // The session has expired, and the next one is lost at once.
        |rig| {
            rig.session.connected(rig.attempt, rig.now);
            rig.raw_output();
            rig.welcome(0, 0, false);
        },
        |rig| {
            rig.session.connected(rig.attempt, rig.now);
            rig.raw_output();
            rig.welcome(
                rig.session.identity().map_or(SESSION, |identity| identity.id),
                9_000,
                false,
            );
            rig.hang_up();
        },
    ];
    let mut rig = Rig::up();
    rig.hang_up();
    for round in 0..400 {
        let began = rig.now;
        rig.until_attempt();
        assert!(
            rig.now - began <= 10_000,
            "round {round}: {} ms without an attempt",
            rig.now - began
        );
        // Each after each other.
        failures[(round + round / 7) % 7](&mut rig);
    }
    rig.connect();
    assert_eq!(rig.session.state(), State::Connected);
}
