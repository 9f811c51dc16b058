use super::Leader;
use crate::quorum::Quorums;
use crate::zab::message::{Features, LearnerKind};
use crate::zab::{
    Durable, Entry, History, LeaderEffect, LearnerKey, Mistakes, ToLeader, ToLearner, ZabConfig,
    start_of,
};
use quorate_wire::Zxid;
use quorate_wire::quorum::Membership;

const EPOCH: i64 = 5;
/// The only transaction.
const LAST: Zxid = start_of(EPOCH - 1).next();
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

/// A leader of epoch 5 that has proposed nothing, before it a learner that ends here. Returns how it is told to go on.
fn told(last: Zxid, features: Features) -> ToLearner {
    let config = ZabConfig {
        me: 1,
        tick: 2_000,
        init_limit: 20_000,
        sync_limit: 10_000,
        ping_interval: 1_000,
        history_bytes: 1 << 20,
        mistakes: Mistakes::NONE,
    };
    let servers = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nversion=0";
    let quorums = Quorums::new(Membership::parse(servers).unwrap());
    let mut history = History::after(start_of(EPOCH - 1));
    history.push(Entry::from_payload(LAST, b"x"));
    let durable = Durable { history, ..Durable::default() };
    let mut leader = Leader::new(config, quorums, durable, 0);
    let first = LearnerKey(1);
    leader.connected(first, 0);
    leader.received(first, info(2, Features::NONE), 0);
    settle(&mut leader);
    leader.received(first, ToLeader::AckEpoch { current: Some(EPOCH - 1), last: LAST }, 0);
    settle(&mut leader);
    leader.received(first, ToLeader::Ack(start_of(EPOCH)), 0);
    leader.connected(LATE, 0);
    leader.received(LATE, info(3, features), 0);
    settle(&mut leader);
    assert!(leader.is_established());
    leader.received(LATE, ToLeader::AckEpoch { current: None, last }, 0);
    settle(&mut leader).swap_remove(0)
}

#[test]
fn only_who_drops_snapshots_is_told_to_cut() {
    let ahead = LAST.next();
    assert_eq!(told(ahead, Features { truncates: true }), ToLearner::Trunc(LAST));
    assert_eq!(told(ahead, Features::NONE), ToLearner::Snap(start_of(EPOCH)));
}

#[test]
fn a_tree_comes_under_a_zxid_above_all_that_the_learner_keeps() {
    let before = Zxid(1);
    assert_eq!(told(before, Features { truncates: true }), ToLearner::Snap(LAST));
    assert_eq!(told(before, Features::NONE), ToLearner::Snap(start_of(EPOCH)));
}

/// As one is that was sent the tree, and has come again before anything was proposed.
#[test]
fn a_learner_at_the_beginning_of_the_epoch_lacks_nothing() {
    assert_eq!(told(start_of(EPOCH), Features::NONE), ToLearner::Diff(start_of(EPOCH)));
}
