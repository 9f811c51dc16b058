use super::Follower;
use crate::zab::{
    Durable, Entry, LearnerEffect, Mistakes, ToLeader, ToLearner, ZabConfig, start_of,
};
use quorate_wire::Zxid;

const EPOCH: i64 = 5;

/// A follower that has been told where its history goes on, and has not written anything since.
fn filling() -> Follower {
    let config = ZabConfig {
        me: 1,
        tick: 2_000,
        init_limit: 20_000,
        sync_limit: 10_000,
        ping_interval: 1_000,
        mistakes: Mistakes::NONE,
    };
    let mut follower = Follower::new(config, Durable::default(), 0);
    follower.received(ToLearner::LeaderInfo(EPOCH), 0);
    follower.accepted_written(EPOCH);
    follower.received(ToLearner::Diff(Zxid::ZERO), 0);
    follower.effects();
    follower
}

fn said(follower: &mut Follower) -> Vec<ToLeader> {
    let effects = follower.effects();
    effects
        .filter_map(|effect| match effect {
            LearnerEffect::Send(message) => Some(message),
            _ => None,
        })
        .collect()
}

/// Apache's leaders ping from NEWLEADER on, and close if anything but its ACK is the answer.
#[test]
fn the_ack_of_newleader_comes_before_the_answer_to_a_ping() {
    let mut follower = filling();
    let (first, ping) = (start_of(EPOCH).next(), ToLearner::Ping(start_of(EPOCH).next()));
    follower.received(ping.clone(), 1);
    follower.received(ToLearner::Proposal(Entry::from_payload(first, b"x")), 1);
    follower.received(ToLearner::NewLeader(EPOCH, None), 1);
    follower.received(ping.clone(), 2);
    assert_eq!(said(&mut follower), [], "the log is being written");
    follower.logged(first);
    follower.received(ping.clone(), 3);
    assert_eq!(said(&mut follower), [], "the epoch is being written");
    follower.current_written(EPOCH);
    follower.received(ping, 4);
    let answers =
        [ToLeader::Ack(start_of(EPOCH)), ToLeader::Ack(first), ToLeader::Ping(first, vec![])];
    assert_eq!(said(&mut follower), answers);
}

#[test]
fn a_reconfiguration_takes_effect_with_its_commit() {
    let mut follower = filling();
    let first = start_of(EPOCH).next();
    follower.received(ToLearner::Proposal(Entry::from_payload(first, b"x")), 1);
    follower.received(ToLearner::CommitAndActivate(first, 3), 1);
    let activate = LearnerEffect::Activate(first, 3);
    assert!(follower.effects().any(|effect| effect == activate));
    follower.received(ToLearner::CommitAndActivate(first, 3), 1);
    let effects: Vec<_> = follower.effects().collect();
    assert!(matches!(effects[..], [LearnerEffect::Leave(_)]), "twice: {effects:?}");
}
