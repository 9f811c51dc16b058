//! The list of servers: going round, rebalancing, and servers that only read.

use super::*;

fn list(names: &str) -> Vec<String> {
    names.chars().map(String::from).collect()
}

#[test]
fn a_server_that_left_the_list_is_left() {
    let mut rig = Rig::up();
    let new = list("xyz");
    rig.session.set_servers(new, rig.now);
    let attempt = rig.attempt;
    assert_eq!(
        rig.take_effects(),
        [Effect::Disconnect { attempt }, Effect::State(State::Suspended)]
    );
    let before = rig.now;
    rig.connect();
    assert_eq!(rig.now, before, "there is no reason to wait");
}

#[test]
fn a_move_waits_for_what_has_been_sent() {
    for answered in [true, false] {
        let mut rig = Rig::up();
        rig.set("/sent", 1);
        let xid = rig.sent()[0].xid;
        rig.set("/waiting", 2);
        rig.session.set_servers(list("xyz"), rig.now);
        assert_eq!(rig.sent(), []);
        assert_eq!(rig.ended(), []);
        if answered {
            rig.reply(xid, 5, 0, &stat());
            assert_eq!(rig.ended(), [(1, None, false)]);
        } else {
            rig.tick_at(rig.session.deadline().unwrap());
            assert!(rig.now < TIMEOUT / 3);
            assert_eq!(rig.ended(), [(1, Some(ErrorCode::ConnectionLoss), true)]);
        }
        assert_eq!(rig.session.state(), State::Suspended);
        rig.connect();
        assert_eq!(rig.sent_ops(), [OpCode::SetData]);
    }
}

#[test]
fn a_move_can_be_called_off() {
    let mut rig = Rig::up();
    rig.set("/a", 1);
    let xid = rig.sent()[0].xid;
    let here = settings().servers[rig.server].clone();
    rig.session.set_servers(list("xyz"), rig.now);
    rig.session.set_servers(vec![here], rig.now);
    rig.reply(xid, 5, 0, &stat());
    // The list has become shorter and names no server in use: it goes on with the move, or stays; either way it works.
    if rig.session.state() == State::Suspended {
        rig.connect();
    }
    rig.get("/a", 2);
    assert_eq!(rig.sent().len(), 1);
}

#[test]
fn the_same_list_in_another_order_changes_nothing() {
    let mut rig = Rig::up();
    let label = settings().servers[rig.server].clone();
    rig.session.set_servers(list("cba"), rig.now);
    assert_eq!(rig.take_effects(), []);
    assert_eq!(list("cba")[rig.session.link.server().unwrap()], label);
}

/// A member that has just joined may be a moment behind, and hang up: who moves there for the sake of the load asks it once more.
#[test]
fn who_moves_to_even_out_the_load_asks_twice() {
    let mut moved = 0;
    for seed in 0..20 {
        let session = ClientSession::new(settings(), None, seed, 0);
        let mut rig = Rig { session, now: 0, attempt: 0, server: 0, effects: Vec::new() };
        rig.connect();
        rig.session.set_servers(list("abcxyz"), rig.now);
        if rig.session.state() == State::Connected {
            continue;
        }
        moved += 1;
        let mut refused = || {
            rig.greet();
            rig.hang_up();
            rig.server
        };
        let asked = [refused(), refused(), refused(), refused()];
        assert!(asked[0] > 2 && asked[1] == asked[0], "{asked:?}");
        assert!(asked[2] != asked[1] && asked[3] != asked[2], "{asked:?}");
        rig.connect();
        rig.hang_up();
        // It is not on the move any more.
        let asked = [(); 2].map(|()| {
            rig.greet();
            rig.hang_up();
            rig.server
        });
        assert_ne!(asked[0], asked[1]);
    }
    assert!(moved > 5, "{moved}");
}

/// What an index means is looked up when a connection is opened: by then the list may be another one.
#[test]
fn an_attempt_begins_again_when_the_list_changes() {
    let mut rig = Rig::new(settings());
    rig.until_attempt();
    let begun = rig.take_effects();
    let [Effect::Connect { attempt, server }] = begun[..] else { panic!("{begun:?}") };
    let here = rig.session.settings.servers[server].clone();
    rig.session.set_servers(vec!["x".into(), "y".into(), here], rig.now);
    rig.tick_at(rig.now);
    let effects = rig.take_effects();
    let [Effect::Disconnect { attempt: gone }, Effect::Connect { attempt: new, server: 2 }] =
        effects[..]
    else {
        panic!("{effects:?}")
    };
    assert!(gone == attempt && new > attempt);
    // What was opened under the old index is none of its.
    rig.session.connected(attempt, rig.now);
    assert!(!rig.session.has_output());
    rig.session.connected(new, rig.now);
    assert!(rig.session.has_output());
}

#[test]
fn an_empty_list_is_waited_out() {
    let mut rig = Rig::new(Settings { servers: vec![], ..settings() });
    for _ in 0..5 {
        let due = rig.session.deadline().unwrap();
        assert!(due >= rig.now);
        rig.tick_at(due);
    }
    assert_eq!(rig.take_effects(), []);
    rig.session.set_servers(list("a"), rig.now);
    assert_eq!(rig.session.deadline(), Some(rig.now));
    rig.connect();
    assert_eq!(rig.session.state(), State::Connected);
}

fn read_only() -> Rig {
    let mut rig = Rig::new(Settings { read_only: true, ..settings() });
    let greeting = rig.greet();
    assert_eq!(ConnectRequest::from_bytes(&greeting).unwrap().read_only, Some(true));
    rig.welcome(SESSION, 9_000, true);
    assert_eq!(rig.states(), [State::ReadOnly]);
    rig
}

#[test]
fn a_server_that_only_reads_is_left_for_one_that_writes() {
    let mut rig = read_only();
    let mut probes = Vec::new();
    for _ in 0..60 {
        let due = rig.session.deadline().unwrap();
        rig.tick_at(due);
        if rig.sent().iter().any(|sent| sent.op == OpCode::Ping) {
            rig.reply(-2, 0, 0, &[]);
        }
        for effect in rig.take_effects() {
            if let Effect::Probe { server } = effect {
                assert_ne!(server, rig.server, "it is connected to that one");
                probes.push((rig.now, server));
            }
        }
    }
    let gaps: Vec<i64> = probes.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(gaps.len() > 4 && gaps[0] < 3_000, "{gaps:?}");
    assert!(gaps.iter().all(|gap| *gap <= 65_000), "{gaps:?}");
    let server = probes[0].1;
    rig.session.probed(server, false, rig.now);
    assert_eq!(rig.take_effects(), []);
    rig.session.probed(server, true, rig.now);
    // The session of a server without a quorum is none.
    assert_eq!(greeting(&rig.greet()).0, 0);
    assert_eq!(rig.server, server);
    rig.welcome(SESSION + 1, 9_000, false);
    assert_eq!(rig.session.identity().unwrap().id, SESSION + 1);
    rig.session.probed(server, true, rig.now);
    assert_eq!(rig.session.state(), State::Connected);
}

#[test]
fn a_server_without_a_quorum_cannot_vouch_for_a_session() {
    let mut rig = Rig::new(Settings { read_only: true, ..settings() });
    rig.connect();
    rig.hang_up();
    rig.greet();
    rig.welcome(SESSION, 9_000, true);
    rig.take_effects();
    while rig.now < TIMEOUT {
        let due = rig.session.deadline().unwrap().min(TIMEOUT);
        rig.tick_at(due);
        if rig.sent().iter().any(|sent| sent.op == OpCode::Ping) {
            rig.reply(-2, 0, 0, &[]);
        }
    }
    assert_eq!(rig.states(), [State::Lost]);
}

#[test]
fn a_probe_of_an_old_list_does_no_harm() {
    let mut rig = read_only();
    rig.session.set_servers(list("a"), rig.now);
    rig.take_effects();
    rig.session.probed(2, true, rig.now);
    rig.session.probed(usize::MAX, true, rig.now);
    rig.until_attempt();
    assert_eq!(rig.server, 0);
}
