use super::Leader;
use crate::quorum::Quorums;
use crate::segment::Segment;
use crate::zab::message::{Features, LearnerKind, Request};
use crate::zab::{
    Durable, Entry, History, LeaderEffect, LearnerKey, Leaving, Mistakes, ToLeader, ToLearner,
    ZabConfig, start_of,
};
use quorate_wire::quorum::Membership;
use quorate_wire::{OpCode, Zxid};
use std::sync::Arc;

const EPOCH: i64 = 5;
/// The only transaction.
const LAST: Zxid = start_of(EPOCH - 1).next();
const FIRST: LearnerKey = LearnerKey(1);
const SERVERS: &str = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nversion=0";
const LATE: LearnerKey = LearnerKey(2);

fn info(sid: i64, features: Features) -> ToLeader {
    ToLeader::Info { sid, kind: LearnerKind::Follower, accepted: EPOCH - 1, config: 0, features }
}

/// Carries everything out at once, and returns what the late learner is sent.
fn settle(leader: &mut Leader) -> Vec<ToLearner> {
    let mut sent = Vec::new();
    loop {
        let effects: Vec<_> = leader.effects().collect();
        if effects.is_empty() {
            return sent;
        }
        for effect in effects {
            match effect {
                LeaderEffect::WriteAccepted(epoch) => leader.accepted_written(epoch, 0),
                LeaderEffect::WriteCurrent(epoch) => leader.current_written(epoch, 0),
                LeaderEffect::Send(LATE, message) => sent.push(message),
                _ => {}
            }
        }
    }
}

/// A leader that is about to ask who has promised what.
fn elected() -> Leader {
    elected_in(SERVERS, false)
}

fn elected_in(servers: &str, reconfig: bool) -> Leader {
    let config = ZabConfig {
        me: 1,
        tick: 2_000,
        init_limit: 20_000,
        sync_limit: 10_000,
        ping_interval: 1_000,
        beat: None,
        history_bytes: 1 << 20,
        log_sync: true,
        reconfig,
        mistakes: Mistakes::NONE,
    };
    let quorums = Quorums::new(Membership::parse(servers).unwrap());
    let mut history = History::after(start_of(EPOCH - 1));
    history.push(Entry::from_payload(LAST, b"x"));
    let durable = Durable { history, ..Durable::default() };
    Leader::new(config, quorums, durable, 0)
}

/// A leader of epoch 5 that has proposed nothing, and is followed by server 2.
fn established() -> Leader {
    let mut leader = elected();
    leader.connected(FIRST, 0);
    leader.received(FIRST, info(2, Features::NONE), 0);
    settle(&mut leader);
    leader.received(FIRST, ToLeader::AckEpoch { current: Some(EPOCH - 1), last: LAST }, 0);
    settle(&mut leader);
    leader.received(FIRST, ToLeader::Ack(start_of(EPOCH)), 0);
    settle(&mut leader);
    leader
}

/// Before such a leader a learner that ends here. Returns how it is told to go on.
fn told(last: Zxid, features: Features) -> ToLearner {
    let mut leader = established();
    leader.connected(LATE, 0);
    leader.received(LATE, info(3, features), 0);
    settle(&mut leader);
    assert!(leader.is_established());
    leader.received(LATE, ToLeader::AckEpoch { current: None, last }, 0);
    leader.log_searched(LATE, None);
    settle(&mut leader).swap_remove(0)
}

/// An established leader that has this of epoch 4 in memory, and a learner of the id 3 that ends here.
fn asked(memory: std::ops::RangeInclusive<i64>, last: Zxid) -> Leader {
    let mut leader = established();
    let start = start_of(EPOCH - 1).0;
    leader.history = History::after(Zxid(start + memory.start() - 1));
    for n in memory {
        leader.history.push(Entry::from_payload(Zxid(start + n), b"x"));
    }
    leader.committed = leader.history.last();
    leader.logged = leader.committed;
    leader.connected(LATE, 0);
    leader.received(LATE, info(3, Features::OURS), 0);
    settle(&mut leader);
    leader.received(LATE, ToLeader::AckEpoch { current: None, last }, 0);
    leader
}

/// The memory goes on while the disk is searched: what was in it then, and is not any more, comes from the disk as well. Nothing is missed, and
/// nothing is sent twice.
#[test]
fn what_leaves_the_memory_during_a_search_comes_from_the_disk() {
    let start = start_of(EPOCH - 1).0;
    let z = |n: i64| Zxid(start + n);
    for (found, first) in [(z(2), ToLearner::Diff(z(9))), (z(1), ToLearner::Trunc(z(1)))] {
        let mut leader = asked(5..=9, z(2));
        let searches: Vec<_> = leader.effects().collect();
        assert_eq!(searches, [LeaderEffect::SearchLog(LATE, z(2), z(4))]);
        leader.history.shrink(2, leader.committed);
        leader.log_searched(LATE, Some(found));
        let effects: Vec<_> = leader.effects().collect();
        assert_eq!(
            effects[..2],
            [LeaderEffect::Send(LATE, first), LeaderEffect::SendLog(LATE, found, z(7)),]
        );
        let (eight, nine) = (&effects[2], &effects[4]);
        for (n, effect) in [(8, eight), (9, nine)] {
            let entry = Entry::from_payload(z(n), b"x");
            assert_eq!(*effect, LeaderEffect::Send(LATE, ToLearner::Proposal(entry)));
        }
        assert_eq!(effects[5], LeaderEffect::Send(LATE, ToLearner::Commit(z(9))));
        assert!(matches!(effects[6], LeaderEffect::Send(LATE, ToLearner::NewLeader(..))));
        leader.log_searched(LATE, Some(found));
        assert_eq!(leader.effects().count(), 0, "it is given the history once");
    }
}

/// Where the log could not be read on the way, the next one gets the tree, and so does the learner if it comes again.
#[test]
fn a_log_that_failed_is_not_asked_again() {
    let before = Zxid(start_of(EPOCH - 1).0 + 2);
    let mut leader = asked(5..=9, before);
    leader.log_searched(LATE, Some(before));
    leader.log_failed();
    leader.disconnected(LATE);
    leader.effects().for_each(drop);
    let again = LearnerKey(9);
    leader.connected(again, 0);
    leader.received(again, info(3, Features::OURS), 0);
    settle(&mut leader);
    leader.received(again, ToLeader::AckEpoch { current: None, last: before }, 0);
    assert!(leader.effects().any(|effect| effect == LeaderEffect::SendTree(again)));
}

#[test]
fn only_who_drops_snapshots_is_told_to_cut() {
    let ahead = LAST.next();
    assert_eq!(told(ahead, Features::OURS), ToLearner::Trunc(LAST));
    assert_eq!(told(ahead, Features::NONE), ToLearner::Snap(start_of(EPOCH)));
}

#[test]
fn a_tree_comes_under_a_zxid_above_all_that_the_learner_keeps() {
    let before = Zxid(1);
    assert_eq!(told(before, Features::OURS), ToLearner::Snap(LAST));
    assert_eq!(told(before, Features::NONE), ToLearner::Snap(start_of(EPOCH)));
}

/// As one is that was sent the tree, and has come again before anything was proposed.
#[test]
fn a_learner_at_the_beginning_of_the_epoch_lacks_nothing() {
    assert_eq!(told(start_of(EPOCH), Features::NONE), ToLearner::Diff(start_of(EPOCH)));
}

/// Why connections are closed.
fn closed(leader: &mut Leader) -> Vec<(LearnerKey, Leaving)> {
    let effects = leader.effects();
    effects
        .filter_map(|effect| match effect {
            LeaderEffect::Close(key, why) => Some((key, why)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_second_server_of_one_id_is_refused_while_the_first_answers() {
    let mut leader = established();
    leader.connected(LATE, 1_999);
    leader.received(LATE, info(2, Features::NONE), 1_999);
    assert_eq!(closed(&mut leader), [(LATE, Leaving::Twin { sid: 2 })]);
    // Two pings are not answered: it may be the same one, whose old connection is dead.
    let again = LearnerKey(3);
    leader.connected(again, 2_000);
    leader.received(again, info(2, Features::NONE), 2_000);
    assert_eq!(closed(&mut leader), [(FIRST, Leaving::Replaced)]);
}

#[test]
fn who_has_the_leaders_id_is_refused() {
    let mut leader = established();
    leader.connected(LATE, 1);
    leader.received(LATE, info(1, Features::NONE), 1);
    let why = Leaving::Protocol("it has the id of its leader");
    assert_eq!(closed(&mut leader), [(LATE, why)]);
}

/// Who is no member can neither use the epochs up nor make a leader leave.
#[test]
fn a_stranger_that_boasts_changes_nothing() {
    let boast = |sid| {
        let accepted = crate::zab::LAST_EPOCH;
        let (kind, features) = (LearnerKind::Follower, Features::NONE);
        ToLeader::Info { sid, kind, accepted, config: 0, features }
    };
    let mut leader = elected();
    leader.connected(LATE, 0);
    leader.received(LATE, boast(9), 0);
    assert_eq!(leader.effects().count(), 0, "it does not count");
    leader.connected(FIRST, 0);
    leader.received(FIRST, info(2, Features::NONE), 0);
    let promises = leader.effects().any(|it| it == LeaderEffect::WriteAccepted(EPOCH));
    assert!(promises, "{leader:?}");
    let mut leader = established();
    leader.connected(LATE, 0);
    leader.received(LATE, boast(9), 0);
    assert!(leader.is_established());
}

/// Nor can who says that it is a voter which is not here, though a leader gives way to one that may have promised a newer epoch.
#[test]
fn who_claims_an_epoch_that_cannot_be_uses_none_up() {
    let claim = |accepted| {
        let (sid, kind, features) = (3, LearnerKind::Follower, Features::NONE);
        ToLeader::Info { sid, kind, accepted, config: 0, features }
    };
    let far = EPOCH + (1 << 20);
    for (accepted, believed) in [(far + 1, false), (crate::zab::LAST_EPOCH, false), (far, true)] {
        let mut leader = established();
        leader.connected(LATE, 0);
        leader.received(LATE, claim(accepted), 0);
        assert_eq!(leader.is_established(), !believed, "{accepted:x}");
        // Before there is an epoch, several claims do not add up.
        let mut leader = elected();
        for n in 3..6 {
            leader.connected(LearnerKey(n), 0);
            leader.received(LearnerKey(n), claim(accepted + 1 - i64::from(believed)), 0);
        }
        leader.connected(FIRST, 0);
        leader.received(FIRST, info(2, Features::NONE), 0);
        let promised = leader.effects().find_map(|effect| match effect {
            LeaderEffect::WriteAccepted(epoch) => Some(epoch),
            _ => None,
        });
        assert_eq!(promised, Some(if believed { far + 1 } else { EPOCH }), "{accepted:x}");
    }
}

#[test]
fn a_learner_that_says_what_cannot_be_is_closed_and_nobody_else() {
    let protocol = Leaving::Protocol("this cannot be said now");
    let lies = [
        ToLeader::Ack(start_of(EPOCH)),
        ToLeader::AckEpoch { current: Some(EPOCH), last: LAST },
        ToLeader::Ping(LAST, Vec::new()),
        ToLeader::Revalidate { session: 1, timeout: 1 },
    ];
    for lie in lies {
        let mut leader = established();
        leader.connected(LATE, 1);
        leader.received(LATE, lie, 1);
        assert_eq!(closed(&mut leader), [(LATE, protocol.clone())]);
        assert!(leader.is_established());
    }
    // An acknowledgement of what was never proposed.
    let mut leader = established();
    leader.received(FIRST, ToLeader::Ack(start_of(EPOCH).next()), 1);
    let closed = closed(&mut leader);
    assert!(matches!(closed[..], [(FIRST, Leaving::Protocol(_))]), "{closed:?}");
}

#[test]
fn a_learner_that_is_ahead_of_who_was_elected_is_refused() {
    let mut leader = elected();
    leader.connected(FIRST, 0);
    leader.received(FIRST, info(2, Features::NONE), 0);
    leader.connected(LATE, 0);
    leader.received(LATE, info(3, Features::NONE), 0);
    settle(&mut leader);
    leader.received(FIRST, ToLeader::AckEpoch { current: Some(EPOCH - 1), last: LAST.next() }, 0);
    assert_eq!(closed(&mut leader), [(FIRST, Leaving::Ahead { sid: 2 })]);
    // The other one suffices.
    leader.received(LATE, ToLeader::AckEpoch { current: Some(EPOCH - 1), last: LAST }, 0);
    let config = Membership::parse(SERVERS).unwrap().to_string();
    let told = [ToLearner::Diff(LAST), ToLearner::NewLeader(EPOCH, Some(config.into()))];
    assert_eq!(settle(&mut leader), told);
}

/// Zxids go on from one epoch into the next, which another leader may have: so nothing is proposed that does not fit. Source: ZOOKEEPER-1277.
#[test]
fn an_epoch_without_zxids_ends_and_nothing_goes_beyond_it() {
    let end = start_of(EPOCH + 1).0;
    for (room, length, proposed, stays) in
        [(9, 3, 3, true), (4, 3, 3, false), (3, 3, 3, false), (2, 3, 0, false), (1, 9, 0, false)]
    {
        let mut leader = established();
        let last = Zxid(end - 1 - room);
        leader.history = History::after(last);
        let mut segment = Segment::default();
        for n in 1..=length {
            segment.push(Zxid(last.0 + n), |out| out.push(b'x'));
        }
        let case = format!("{length} of {room}");
        assert_eq!(leader.propose(&Arc::new(segment), 0), proposed > 0, "{case}");
        let (sent, rest): (Vec<_>, Vec<_>) =
            leader.effects().partition(|effect| matches!(effect, LeaderEffect::Send(..)));
        assert_eq!(sent.len(), proposed, "{case}");
        let left: &[LeaderEffect] =
            if stays { &[] } else { &[LeaderEffect::Leave(Leaving::Exhausted)] };
        assert_eq!(rest, left, "{case}");
    }
}

/// A leader of epoch 5 and of four servers, that servers 2 and 3 follow.
fn established_of_four() -> Leader {
    let mut leader = elected_in(&format!("{}\nserver.4=d:1:2", SERVERS.replace("=0", "=1")), true);
    let both = [(FIRST, 2), (LATE, 3)];
    for (key, sid) in both {
        leader.connected(key, 0);
        leader.received(key, info(sid, Features::NONE), 0);
    }
    let promise = ToLeader::AckEpoch { current: Some(EPOCH - 1), last: LAST };
    for message in [promise, ToLeader::Ack(start_of(EPOCH))] {
        settle(&mut leader);
        for (key, _) in both {
            leader.received(key, message.clone(), 0);
        }
    }
    settle(&mut leader);
    leader
}

/// With a reconfiguration those go whose acknowledgement was waited for; nobody need say anything more.
#[test]
fn what_a_new_configuration_holds_is_committed_with_it() {
    let mut leader = established_of_four();
    let (first, second) = (start_of(EPOCH).next(), start_of(EPOCH).next().next());
    let without_3 = Membership::parse("server.1=a:1:2\nserver.2=b:1:2").unwrap();
    let without_3 = Membership { version: first.0, ..without_3 };
    let entries = [Entry::reconfig(first, &without_3), Entry::from_payload(second, b"x")];
    assert!(leader.propose(&Entry::merged(&entries), 1));
    leader.logged(second, 1);
    leader.received(FIRST, ToLeader::Ack(first), 1);
    leader.received(FIRST, ToLeader::Ack(second), 1);
    assert_eq!(leader.committed(), LAST, "of the old one three are needed");
    leader.received(LATE, ToLeader::Ack(first), 1);
    assert_eq!(leader.committed(), second);
}

/// What the client of a sync has asked for before is not done by who hands over, so the sync would overtake it.
#[test]
fn who_hands_over_answers_no_sync() {
    for asked_before in [true, false] {
        let mut leader = established_of_four();
        let first = start_of(EPOCH).next();
        let without_1 = Membership::parse("server.2=b:1:2\nserver.3=c:1:2").unwrap();
        let without_1 = Membership { version: first.0, ..without_1 };
        let sync = Request {
            session: 1,
            cxid: 2,
            op: OpCode::Sync.code(),
            body: [].into(),
            identities: None,
        };
        if asked_before {
            leader.received(LATE, ToLeader::Request(sync.clone()), 1);
        }
        assert!(leader.propose(&Entry::merged(&[Entry::reconfig(first, &without_1)]), 1));
        leader.logged(first, 1);
        for key in [FIRST, LATE] {
            leader.received(key, ToLeader::Ack(first), 1);
        }
        assert_eq!(leader.committed(), first);
        if !asked_before {
            leader.received(LATE, ToLeader::Request(sync), 1);
        }
        let mut sent = settle(&mut leader);
        for key in [FIRST, LATE] {
            leader.received(key, ToLeader::Ping(first, Vec::new()), 1);
        }
        sent.extend(settle(&mut leader));
        assert_eq!(sent.contains(&ToLearner::Sync), asked_before, "{sent:?}");
    }
}

/// Only those get beats that have said that they take them, from the time on at which they are up to date, and nobody answers.
#[test]
fn beats_go_to_those_that_take_them_and_pings_to_all() {
    let mut config = elected().config;
    config.beat = Some(50);
    let quorums = Quorums::new(Membership::parse(SERVERS).unwrap());
    let mut leader = Leader::new(config, quorums, Durable::default(), 0);
    leader.connected(FIRST, 0);
    leader.received(FIRST, info(2, Features::OURS), 0);
    leader.connected(LATE, 0);
    leader.received(LATE, info(3, Features::NONE), 0);
    let mut told = Vec::new();
    let mut settle = |leader: &mut Leader| loop {
        let effects: Vec<_> = leader.effects().collect();
        if effects.is_empty() {
            return;
        }
        for effect in effects {
            match effect {
                LeaderEffect::WriteAccepted(epoch) => leader.accepted_written(epoch, 0),
                LeaderEffect::WriteCurrent(epoch) => leader.current_written(epoch, 0),
                LeaderEffect::Send(key, message) => told.push((key, message)),
                _ => {}
            }
        }
    };
    settle(&mut leader);
    let epoch = leader.epoch().unwrap();
    for key in [FIRST, LATE] {
        leader.received(key, ToLeader::AckEpoch { current: Some(0), last: Zxid::ZERO }, 0);
        settle(&mut leader);
    }
    leader.tick(10);
    assert_eq!(leader.beat_deadline(), None, "nobody is up to date");
    for key in [FIRST, LATE] {
        leader.received(key, ToLeader::Ack(start_of(epoch)), 20);
        settle(&mut leader);
    }
    assert_eq!(leader.beat_deadline(), Some(60));
    for now in (60..=1_000).step_by(10) {
        assert!(leader.deadline() <= leader.beat_deadline().unwrap());
        leader.tick(now);
        leader.beat(now);
    }
    settle(&mut leader);
    let count = |key, of: fn(&ToLearner) -> bool| {
        told.iter().filter(|(to, message)| *to == key && of(message)).count()
    };
    let beat = |message: &ToLearner| *message == ToLearner::Beat;
    let ping = |message: &ToLearner| matches!(message, ToLearner::Ping(_));
    assert_eq!((count(FIRST, beat), count(FIRST, ping)), (19, 1));
    assert_eq!((count(LATE, beat), count(LATE, ping)), (0, 1));
    let promise = |key| {
        told.iter().find_map(|(to, message)| match message {
            ToLearner::LeaderInfo(_, beat) if *to == key => Some(*beat),
            _ => None,
        })
    };
    assert_eq!((promise(FIRST), promise(LATE)), (Some(Some(50)), Some(None)));
}
