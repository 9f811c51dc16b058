//! Pings, silence, and the moment at which a session counts as lost.

use super::*;

#[test]
fn a_ping_follows_a_third_of_the_timeout_without_sending() {
    let mut rig = Rig::up();
    assert_eq!(rig.session.deadline(), Some(TIMEOUT / 3));
    rig.tick_at(TIMEOUT / 3 - 1);
    assert_eq!(rig.sent(), []);
    rig.tick_at(TIMEOUT / 3);
    assert_eq!(rig.sent_ops(), [OpCode::Ping]);
    rig.reply(-2, 0, 0, &[]);
    // A request is as good as a ping.
    rig.now += 1000;
    rig.get("/a", 1);
    rig.sent();
    rig.tick_at(rig.now + TIMEOUT / 3 - 1);
    assert_eq!(rig.sent(), []);
}

#[test]
fn long_timeouts_are_kept_alive_every_ten_seconds() {
    let mut rig = Rig::new(settings());
    rig.greet();
    rig.welcome(SESSION, 90_000, false);
    assert_eq!(rig.session.deadline(), Some(10_000));
}

/// node-zookeeper-client #13: said to be connected when it was not.
#[test]
fn silence_for_two_thirds_of_the_timeout_ends_the_connection() {
    let mut rig = Rig::up();
    rig.tick_at(TIMEOUT / 3);
    rig.sent();
    rig.take_effects();
    rig.tick_at(TIMEOUT * 2 / 3 - 1);
    assert_eq!(rig.take_effects(), []);
    rig.tick_at(TIMEOUT * 2 / 3);
    let attempt = rig.attempt;
    assert_eq!(
        rig.take_effects(),
        [Effect::Disconnect { attempt }, Effect::State(State::Suspended)]
    );
}

/// What the session is told before nothing more comes, and when it must then be lost.
///
/// node-zookeeper-client #20: no expiry under a partition. Counting from the receipt of answers would be too late.
#[test]
fn a_session_is_lost_a_timeout_after_the_sending_of_what_was_answered() {
    type Story = fn(&mut Rig);
    let stories: [(&str, Story, i64); 6] = [
        ("the handshake", |_| {}, 0),
        (
            "a request",
            |rig| {
                rig.now = 100;
                rig.get("/a", 1);
                let xid = rig.sent()[0].xid;
                rig.now = 2_500;
                rig.reply(xid, 5, 0, &data(b""));
            },
            100,
        ),
        (
            "a request that waited for its turn",
            |rig| {
                rig.now = 100;
                rig.get("/a", 1);
                rig.now = 900;
                let xid = rig.sent()[0].xid;
                rig.now = 1_500;
                rig.reply(xid, 5, 0, &data(b""));
            },
            900,
        ),
        (
            "a ping",
            |rig| {
                rig.tick_at(3_000);
                rig.sent();
                rig.now = 5_000;
                rig.reply(-2, 0, 0, &[]);
            },
            3_000,
        ),
        (
            "an event proves nothing",
            |rig| {
                rig.now = 5_000;
                rig.notify(EventType::Created, "/a");
            },
            0,
        ),
        (
            "nor does an answer that the session is elsewhere",
            |rig| {
                rig.now = 100;
                rig.get("/a", 1);
                let xid = rig.sent()[0].xid;
                rig.reply(xid, 5, ErrorCode::SessionMoved.code(), &[]);
            },
            0,
        ),
    ];
    for (name, story, proof) in stories {
        let mut rig = Rig::up();
        story(&mut rig);
        rig.hang_up();
        rig.take_effects();
        // Attempts go on meanwhile, and fail.
        for _ in 0..100 {
            let due = rig.session.deadline().unwrap().max(rig.now);
            if due >= proof + TIMEOUT {
                break;
            }
            rig.tick_at(due);
        }
        assert_eq!(rig.states(), [], "{name}");
        rig.tick_at(proof + TIMEOUT);
        assert_eq!(rig.states(), [State::Lost], "{name}");
        assert_eq!(rig.session.identity(), None, "{name}");
    }
}

#[test]
fn a_process_that_slept_too_long_sends_nothing_for_its_old_session() {
    let mut rig = Rig::up();
    rig.set("/a", 1);
    rig.now = TIMEOUT;
    assert_eq!(rig.sent(), []);
    assert_eq!(rig.session.state(), State::Lost);
    assert_eq!(rig.ended(), [(1, Some(ErrorCode::SessionExpired), false)]);
}

#[test]
fn an_answer_that_waited_in_a_buffer_can_save_the_session() {
    let mut rig = Rig::up();
    rig.tick_at(3_000);
    rig.sent();
    rig.now = TIMEOUT + 1_000;
    rig.reply(-2, 0, 0, &[]);
    assert_eq!(rig.session.state(), State::Connected);
    rig.now = TIMEOUT + 3_000;
    rig.notify(EventType::Created, "/a");
    assert_eq!(rig.session.state(), State::Lost);
}

#[test]
fn an_attempt_has_a_third_of_the_timeout_for_connection_and_handshake() {
    let mut rig = Rig::new(settings());
    rig.until_attempt();
    let first = rig.attempt;
    rig.session.connected(first, 0);
    rig.tick_at(TIMEOUT / 3 - 1);
    assert_eq!(rig.attempt, first);
    rig.take_effects();
    rig.tick_at(TIMEOUT / 3);
    assert_eq!(rig.take_effects(), [Effect::Disconnect { attempt: first }]);
    rig.until_attempt();
    assert_ne!(rig.attempt, first);
}

#[test]
fn pauses_grow_with_every_round_and_differ_between_clients() {
    let gaps = |seed: u64| {
        let session = ClientSession::new(settings(), None, seed, 0);
        let mut rig = Rig { session, now: 0, attempt: 0, server: 0, effects: Vec::new() };
        let mut gaps = Vec::new();
        for _ in 0..30 {
            let before = rig.now;
            rig.until_attempt();
            gaps.push(rig.now - before);
            rig.hang_up();
        }
        gaps
    };
    let (one, two) = (gaps(1), gaps(2));
    assert_ne!(one, two);
    assert!(one.iter().all(|gap| *gap <= 5_000), "{one:?}");
    assert!(one[..3].iter().all(|gap| *gap < 500), "{one:?}");
    assert!(one[15..].iter().any(|gap| *gap > 500), "{one:?}");
}

#[test]
fn pings_without_an_answer_are_bounded() {
    // A server without a quorum proves nothing, and events keep the connection from being silent.
    let mut rig = Rig::new(Settings { read_only: true, ..settings() });
    rig.greet();
    rig.welcome(SESSION, 9_000, true);
    for _ in 0..100 {
        rig.tick_at(rig.now + 1_000);
        rig.sent();
        rig.notify(EventType::Created, "/a");
        if rig.session.state() == State::Suspended {
            return;
        }
    }
    panic!("still connected");
}
