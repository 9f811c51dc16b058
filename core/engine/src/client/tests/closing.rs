//! The end of a session, in every state that it can be in.

use super::*;

fn close(rig: &mut Rig) {
    rig.session.close(rig.now + 5_000, 99).unwrap();
    rig.collect();
}

#[test]
fn closing_comes_after_everything_that_was_submitted() {
    let mut rig = Rig::up();
    rig.set("/a", 1);
    close(&mut rig);
    assert_eq!(rig.session.submit("", &Request::WhoAmI, 2), Err(Refused::Closed));
    assert_eq!(rig.session.close(0, 3), Err(Refused::Closed));
    let sent = rig.sent();
    assert_eq!(sent[1].op, OpCode::CloseSession);
    rig.reply(sent[0].xid, 5, 0, &stat());
    rig.reply(sent[1].xid, 6, 0, &[]);
    let attempt = rig.attempt;
    let effects = rig.take_effects();
    assert!(effects.contains(&Effect::Disconnect { attempt }), "{effects:?}");
    assert_eq!(effects.last(), Some(&Effect::State(State::Closed)));
    rig.effects = effects;
    assert_eq!(rig.ended(), [(1, None, false), (99, None, false)]);
    assert_eq!(rig.session.deadline(), None);
    assert_eq!(rig.session.identity(), None);
}

#[test]
fn a_client_that_never_connected_is_closed_at_once() {
    let mut rig = Rig::new(settings());
    rig.get("/a", 1);
    close(&mut rig);
    let closing = Some(ErrorCode::Closing);
    assert_eq!(rig.ended(), [(1, closing, false), (99, None, false)]);
    assert_eq!(rig.session.state(), State::Closed);
}

#[test]
fn a_suspended_session_is_closed_on_the_next_connection() {
    let mut rig = Rig::up();
    rig.hang_up();
    rig.set("/a", 1);
    close(&mut rig);
    assert_eq!(rig.ended(), []);
    rig.connect();
    let sent = rig.sent();
    rig.reply(sent[0].xid, 5, 0, &stat());
    rig.reply(sent[1].xid, 5, 0, &[]);
    assert_eq!(rig.ended(), [(1, None, false), (99, None, false)]);
}

#[test]
fn a_close_whose_answer_is_lost_is_said_again() {
    let mut rig = Rig::up();
    close(&mut rig);
    assert_eq!(rig.sent_ops(), [OpCode::CloseSession]);
    rig.hang_up();
    assert_eq!(rig.ended(), []);
    rig.connect();
    assert_eq!(rig.sent_ops(), [OpCode::CloseSession]);
    // The first one has been carried out.
    rig.hang_up();
    rig.greet();
    rig.welcome(0, 0, false);
    assert_eq!(rig.ended(), [(99, None, false)]);
    assert_eq!(rig.session.state(), State::Closed);
}

#[test]
fn a_close_that_reaches_nobody_is_given_up() {
    for limit in [5_000, 50_000] {
        let mut rig = Rig::up();
        rig.set("/a", 1);
        rig.session.close(limit, 99).unwrap();
        rig.sent();
        rig.hang_up();
        rig.take_effects();
        for _ in 0..100 {
            let Some(due) = rig.session.deadline() else { break };
            rig.tick_at(due.max(rig.now));
        }
        // At the latest when the session ends by itself.
        assert_eq!(rig.now, limit.min(TIMEOUT));
        assert_eq!(rig.ended(), [(99, Some(ErrorCode::ConnectionLoss), true)]);
        assert_eq!(rig.session.state(), State::Closed);
    }
}

#[test]
fn who_is_abandoned_does_not_claim_that_the_session_is_closed() {
    let mut rig = Rig::up();
    rig.set("/a", 1);
    rig.sent();
    rig.set("/a", 2);
    close(&mut rig);
    rig.session.abandon();
    let closing = Some(ErrorCode::Closing);
    assert_eq!(
        rig.ended(),
        [(1, closing, true), (2, closing, false), (99, Some(ErrorCode::ConnectionLoss), true)]
    );
    rig.session.abandon();
    rig.tick_at(1_000_000);
    assert_eq!(rig.take_effects(), []);
}

/// tgockel/zookeeper-cpp #58: watches heard nothing when the client was closed.
#[test]
fn every_watch_ends_once() {
    type End = fn(&mut Rig);
    let ends: [(End, ErrorCode); 3] = [
        (|rig| rig.session.abandon(), ErrorCode::Closing),
        (|rig| rig.tick_at(TIMEOUT + 5), ErrorCode::SessionExpired),
        (
            |rig| {
                close(rig);
                let sent = rig.sent();
                rig.reply(sent[0].xid, 5, 0, &[]);
            },
            ErrorCode::Closing,
        ),
    ];
    for (end, code) in ends {
        let mut rig = Rig::up();
        rig.ask(&Request::Get { path: "/a", watch: Some(1) }, 1, 0, &data(b""));
        rig.ask(&Request::AddWatch { path: "/a", recursive: true, watch: 2 }, 2, 0, &[]);
        rig.take_effects();
        end(&mut rig);
        assert_eq!(rig.events(), [(1, Notice::Ended(code)), (2, Notice::Ended(code))]);
        assert_eq!(rig.session.watch_count(), 0);
        rig.tick_at(rig.now + 100_000);
        assert_eq!(rig.events(), []);
    }
}

/// ZOOKEEPER-2894: completions that were dropped on close. kazoo #473: calls on a closed client that hang.
#[test]
fn everything_that_was_submitted_is_completed_in_the_end() {
    let mut rig = Rig::up();
    rig.set("/a", 1);
    rig.session.authenticate("digest", b"a:b", 2).unwrap();
    rig.sent();
    rig.set("/a", 3);
    close(&mut rig);
    rig.hang_up();
    rig.tick_at(5_000);
    let counters = rig.session.counters();
    assert_eq!((counters.submitted, counters.completed), (4, 4));
    assert_eq!(rig.session.in_flight(), 0);
}
