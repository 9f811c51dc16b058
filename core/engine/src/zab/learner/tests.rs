use super::Follower;
use crate::zab::{
    Durable, Entry, History, LearnerEffect, Leaving, Mistakes, ToLeader, ToLearner, ZabConfig,
    start_of,
};
use quorate_wire::Zxid;
use quorate_wire::quorum::Membership;

const EPOCH: i64 = 5;

const CONFIG: ZabConfig = ZabConfig {
    me: 1,
    tick: 2_000,
    init_limit: 20_000,
    sync_limit: 10_000,
    ping_interval: 1_000,
    beat: None,
    history_bytes: 1 << 20,
    log_sync: true,
    reconfig: false,
    mistakes: Mistakes::NONE,
};

/// A follower that has been told where its history goes on, and has not written anything since.
fn filling() -> Follower {
    let mut follower = Follower::new(CONFIG, Durable::default(), 0);
    follower.received(ToLearner::LeaderInfo(EPOCH, None), 0);
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
fn a_reconfiguration_is_seen_before_it_is_logged_and_takes_effect_when_it_is_applied() {
    let mut follower = filling();
    let first = start_of(EPOCH).next();
    let membership: Membership = "server.1=a:1:2\nserver.3=c:1:2".parse().unwrap();
    let membership = Membership { version: first.0, ..membership };
    let entry = Entry::reconfig(first, &membership);
    follower.received(ToLearner::Proposal(entry.clone()), 1);
    let effects: Vec<_> = follower.effects().collect();
    let saw = LearnerEffect::SawConfig(membership.clone());
    assert_eq!(effects, [saw.clone(), LearnerEffect::Append(vec![entry])]);
    follower.received(ToLearner::CommitAndActivate(first, 3), 1);
    assert_eq!(follower.effects().next(), None, "the log is being written");
    // What the leader has is one thing, what it has proposed since another.
    let older = Membership { version: 1, ..membership.clone() };
    let text = older.to_string().into();
    follower.logged(first);
    let applied: Vec<_> = follower.effects().collect();
    let activate = LearnerEffect::Activate(membership, first, 3);
    assert_eq!(applied, [LearnerEffect::Committed(first), activate]);
    follower.received(ToLearner::NewLeader(EPOCH, Some(text)), 1);
    assert_eq!(follower.effects().next(), Some(LearnerEffect::LeaderConfig(older.clone())));
    follower.current_written(EPOCH);
    follower.effects();
    follower.received(ToLearner::UpToDate, 1);
    let effects: Vec<_> = follower.effects().skip(1).collect();
    assert_eq!(effects, [LearnerEffect::Adopt(older), LearnerEffect::Serve(EPOCH)]);
}

#[test]
fn what_a_leader_proposes_while_it_gives_its_history_outlives_its_last_configuration() {
    let mut follower = filling();
    let first = start_of(EPOCH).next();
    let older: Membership = "server.1=a:1:2\nserver.3=c:1:2\nversion=1".parse().unwrap();
    let newer = Membership { version: first.0, ..older.clone() };
    follower.received(ToLearner::Proposal(Entry::reconfig(first, &newer)), 1);
    follower.effects();
    let text = older.to_string().into();
    follower.received(ToLearner::NewLeader(EPOCH, Some(text)), 1);
    let effects: Vec<_> = follower.effects().collect();
    assert_eq!(effects, [LearnerEffect::LeaderConfig(newer)], "it is written down all the time");
}

/// Apache's leaders say with NEWLEADER what they have seen last, also to those who come while it is under way.
#[test]
fn a_configuration_is_not_gone_by_before_its_commit() {
    let first = start_of(EPOCH).next();
    let membership: Membership = "server.1=a:1:2\nserver.3=c:1:2".parse().unwrap();
    let membership = Membership { version: first.0, ..membership };
    let (seen, adopt) = (membership.to_string(), LearnerEffect::Adopt(membership.clone()));
    for committed in [false, true] {
        let mut follower = filling();
        follower.received(ToLearner::Proposal(Entry::reconfig(first, &membership)), 1);
        if committed {
            follower.received(ToLearner::Commit(first), 1);
        }
        follower.received(ToLearner::NewLeader(EPOCH, Some(seen.clone().into())), 1);
        follower.logged(first);
        follower.current_written(EPOCH);
        follower.received(ToLearner::UpToDate, 1);
        assert_eq!(follower.effects().any(|effect| effect == adopt), committed);
        if !committed {
            follower.received(ToLearner::CommitAndActivate(first, 3), 1);
            let activate = LearnerEffect::Activate(membership.clone(), first, 3);
            assert!(follower.effects().any(|effect| effect == activate));
        }
    }
}

#[test]
fn only_a_configuration_can_be_activated_and_only_once() {
    let mut follower = filling();
    let first = start_of(EPOCH).next();
    follower.received(ToLearner::Proposal(Entry::from_payload(first, b"x")), 1);
    follower.received(ToLearner::CommitAndActivate(first, 3), 1);
    assert!(matches!(follower.effects().next(), Some(LearnerEffect::Leave(_))));

    let mut follower = filling();
    let membership = "server.1=a:1:2\nserver.3=c:1:2".parse().unwrap();
    follower.received(ToLearner::Proposal(Entry::reconfig(first, &membership)), 1);
    follower.received(ToLearner::CommitAndActivate(first, 3), 1);
    follower.effects();
    follower.received(ToLearner::CommitAndActivate(first, 3), 1);
    assert!(matches!(follower.effects().next(), Some(LearnerEffect::Leave(_))), "twice");
}

/// What a leader says twice, too early, or of a place that does not follow, whether by mistake or because somebody plays it again.
#[test]
fn what_cannot_be_ends_the_connection_and_nothing_of_it_is_logged() {
    let first = start_of(EPOCH).next();
    let proposal = |zxid| ToLearner::Proposal(Entry::from_payload(zxid, b"x"));
    let now = || Leaving::Protocol("this cannot be said now");
    let gap = |got, after| Leaving::Gap { got, after };
    let rows = [
        (vec![proposal(first)], proposal(first), gap(first, first)),
        (vec![proposal(first)], proposal(first.next().next()), gap(first.next().next(), first)),
        (vec![], proposal(start_of(EPOCH)), gap(start_of(EPOCH), Zxid::ZERO)),
        (vec![], ToLearner::LeaderInfo(EPOCH, None), now()),
        (vec![], ToLearner::Diff(Zxid::ZERO), now()),
        (vec![], ToLearner::UpToDate, now()),
        (
            vec![],
            ToLearner::Commit(first),
            Leaving::Protocol("it commits what is not the next proposal"),
        ),
        (
            vec![],
            proposal(start_of(EPOCH + 1).next()),
            Leaving::OtherEpoch { theirs: EPOCH + 1, ours: EPOCH },
        ),
        (
            vec![],
            ToLearner::NewLeader(EPOCH - 1, None),
            Leaving::OtherEpoch { theirs: EPOCH - 1, ours: EPOCH },
        ),
    ];
    for (before, message, why) in rows {
        let mut follower = filling();
        for message in before {
            follower.received(message, 1);
        }
        follower.effects();
        follower.received(message.clone(), 1);
        let effects: Vec<_> = follower.effects().collect();
        assert_eq!(effects, [LearnerEffect::Leave(why)], "{message:?}");
        follower.received(proposal(first), 1);
        assert_eq!(follower.effects().count(), 0, "it has left");
    }
}

/// A leader of an epoch that is over may not have what has been committed since.
#[test]
fn a_leader_of_an_older_epoch_is_not_followed() {
    let promised = Durable { accepted_epoch: EPOCH, ..Durable::default() };
    let mut follower = Follower::new(CONFIG, promised, 0);
    follower.effects();
    follower.received(ToLearner::LeaderInfo(EPOCH - 1, None), 0);
    let why = Leaving::OtherEpoch { theirs: EPOCH - 1, ours: EPOCH };
    assert_eq!(follower.effects().collect::<Vec<_>>(), [LearnerEffect::Leave(why)]);
}

/// Whoever cannot cut its log keeps it, and asks the same leader for its tree. Another leader may not have what it has promised to none.
#[test]
fn a_log_that_cannot_be_cut_is_replaced_by_a_tree() {
    let last = Zxid(3 << 32 | 7);
    let held = Durable { history: History::after(last), ..Durable::default() };
    let mut follower = Follower::new(CONFIG, held.clone(), 0);
    follower.received(ToLearner::LeaderInfo(EPOCH, None), 0);
    follower.accepted_written(EPOCH);
    let cut = Zxid(3 << 32 | 4);
    follower.received(ToLearner::Trunc(cut), 0);
    assert!(follower.effects().any(|effect| effect == LearnerEffect::Truncate(cut)));
    assert!(follower.is_busy());
    follower.truncated(None);
    let left: Vec<_> = follower.effects().collect();
    assert_eq!(left, [LearnerEffect::Leave(Leaving::CannotCut(cut))]);

    let held = Durable { accepted_epoch: EPOCH, wants_tree: Some(EPOCH), ..held };
    let nothing = ToLeader::AckEpoch { current: None, last: Zxid(-1) };
    let mut again = Follower::new(CONFIG, held.clone(), 0);
    again.received(ToLearner::LeaderInfo(EPOCH, None), 0);
    assert_eq!(said(&mut again).pop(), Some(nothing));

    let mut later = Follower::new(CONFIG, held, 0);
    later.received(ToLearner::LeaderInfo(EPOCH + 1, None), 0);
    later.accepted_written(EPOCH + 1);
    let all = ToLeader::AckEpoch { current: Some(3), last };
    assert_eq!(said(&mut later).pop(), Some(all));
}

/// A follower of a leader that has promised beats, or not, up to date at 10 and used to beats by 5,000.
fn used_to_beats(config: ZabConfig, beat: Option<i32>) -> Follower {
    let mut follower = Follower::new(config, Durable::default(), 0);
    follower.received(ToLearner::LeaderInfo(EPOCH, beat), 0);
    follower.accepted_written(EPOCH);
    follower.received(ToLearner::Diff(Zxid::ZERO), 0);
    follower.received(ToLearner::NewLeader(EPOCH, None), 0);
    follower.current_written(EPOCH);
    follower.received(ToLearner::UpToDate, 10);
    assert!(follower.is_serving());
    follower.effects();
    for now in (50..=5_000).step_by(50) {
        follower.tick(now);
        follower.received(ToLearner::Beat, now);
    }
    assert_eq!(follower.effects().count(), 0, "beats are not answered");
    follower
}

/// When it leaves its silent leader, if it is called when it wants to be.
fn leaves(follower: &mut Follower) -> i64 {
    loop {
        let now = follower.deadline();
        follower.tick(now);
        match follower.effects().next() {
            Some(LearnerEffect::Leave(Leaving::Silent)) => return now,
            None => {}
            Some(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_silent_leader_is_given_up_soon_if_it_has_promised_beats_and_never_after_sync_limit() {
    let short = ZabConfig { sync_limit: 300, ..CONFIG };
    for (config, beat, when) in
        [(CONFIG, Some(50), 5_500), (CONFIG, None, 15_000), (short, Some(50), 5_300)]
    {
        assert_eq!(leaves(&mut used_to_beats(config, beat)), when, "{beat:?}");
    }
}

#[test]
fn a_learner_that_was_stopped_hears_what_has_come_before_it_blames_its_leader() {
    let mut follower = used_to_beats(CONFIG, Some(50));
    for away in [600, 3_000, 9_000] {
        // It wakes up and looks at the clock before it looks at its sockets.
        let now = 5_000 + away;
        follower.tick(now);
        assert_eq!(follower.effects().count(), 0, "after {away} ms");
    }
    follower.received(ToLearner::Beat, 14_010);
    assert_eq!(leaves(&mut follower), 14_010 + 2 * 400 + 100);
}

#[test]
fn a_learner_that_takes_nothing_is_patient_up_to_sync_limit() {
    let mut follower = used_to_beats(CONFIG, Some(50));
    for now in (5_050..15_000).step_by(50) {
        follower.deaf(now);
        follower.tick(now);
        assert_eq!(follower.effects().count(), 0, "at {now}");
    }
    assert_eq!(leaves(&mut follower), 15_000);
}
