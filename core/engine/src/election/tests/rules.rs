//! Initial votes, the order of votes, their equality, and what a server makes of what it hears while it looks for a leader.

use super::*;
use ServerState::{Following, Leading, Looking, Observing};

#[test]
fn the_order_of_votes_is_epoch_then_zxid_then_id() {
    // Each is better than the one before it.
    let order = [
        NO_VOTE,
        vote(9, -1, 0),
        vote(1, 0, 0),
        vote(2, 0, 0),
        vote(1, 1, 0),
        vote(1, i64::MAX, 0),
        vote(1, 0, 1),
        vote(2, 0, 1),
        vote(1, 1 << 32, 1),
        vote(1, 0, 2),
    ];
    for (a, worse) in order.iter().enumerate() {
        for (b, better) in order.iter().enumerate() {
            assert_eq!(beats(better, worse), b > a, "{better:?} and {worse:?}");
        }
    }
}

#[test]
fn equality_of_votes() {
    let of = |state, leader, zxid, round, epoch, version| Ballot {
        version,
        ..ballot(state, vote(leader, zxid, epoch), round)
    };
    let base = of(Looking, 1, 5, 3, 1, 2);
    let table = [
        (base, true),
        (of(Looking, 2, 5, 3, 1, 2), false),
        (of(Looking, 1, 6, 3, 1, 2), false),
        (of(Looking, 1, 5, 4, 1, 2), false),
        (of(Looking, 1, 5, 3, 2, 2), false),
        // The version does not matter while one of them is looking.
        (of(Looking, 1, 5, 3, 1, 0), true),
        (of(Following, 1, 5, 3, 1, 2), true),
        (of(Leading, 1, 5, 3, 1, 0), true),
        (of(Leading, 1, 5, 4, 1, 2), false),
    ];
    for (other, expected) in table {
        assert_eq!((agree(&base, &other), agree(&other, &base)), (expected, expected), "{other:?}");
    }
    let base = of(Following, 1, 5, 3, 1, 2);
    let table = [
        (of(Leading, 1, 9, 9, 1, 2), true),
        (of(Leading, 1, 9, 9, 1, 1), true),
        (of(Leading, 1, 5, 3, 2, 2), false),
        (of(Leading, 2, 5, 3, 1, 2), false),
        // One of them knows no epochs.
        (of(Leading, 1, 9, 9, 7, 0), true),
        (of(Leading, 2, 9, 9, 1, 0), false),
    ];
    for (other, expected) in table {
        assert_eq!((agree(&base, &other), agree(&other, &base)), (expected, expected), "{other:?}");
    }
    let old = of(Following, 1, 5, 3, 1, 0);
    assert!(agree(&old, &of(Leading, 1, 9, 9, 1, 0)) && !agree(&old, &of(Leading, 1, 9, 9, 2, 0)));
}

#[test]
fn an_election_begins_with_the_own_vote_to_all_other_voters() {
    let observer = "server.4=h4:1:2:observer";
    for (me, own) in [(2, vote(2, 5, 1)), (4, NO_VOTE), (9, NO_VOTE)] {
        let mut election = Election::new(me, quorums(3, observer), Options::default());
        election.start(0, history(5, 1));
        let expected: Vec<_> =
            (1..=3).filter(|&to| to != me).map(|to| (to, looking(own, 1))).collect();
        assert_eq!(sent(&mut election), expected);
        election.start(9, history(6, 2));
        assert_eq!(election.round(), 2, "each election is a round");
    }
}

/// Server 1 of 3 votes for itself with zxid 5 in epoch 1, round 4.
#[test]
fn votes_of_other_rounds_and_other_worth() {
    let own = vote(1, 5, 1);
    let worse = vote(2, 4, 1);
    let better = vote(2, 5, 1);
    let table: &[(Ballot, i64, Vote, Vec<Ballot>)] = &[
        (looking(better, 3), 4, own, vec![]),
        (looking(worse, 4), 4, own, vec![]),
        (looking(better, 4), 4, better, vec![looking(better, 4)]),
        (looking(worse, 5), 5, own, vec![looking(own, 5)]),
        (looking(better, 5), 5, better, vec![looking(better, 5)]),
        // Nobody votes for a server that has no vote, and no vote counts for a stranger.
        (looking(vote(9, 9, 9), 5), 4, own, vec![]),
        // Nor does a voter vote that knows of no vote of its own; but it hears this one only in its round.
        (looking(NO_VOTE, 4), 4, own, vec![]),
        (looking(NO_VOTE, 5), 5, own, vec![looking(own, 5)]),
        (following(NO_VOTE, 5), 4, own, vec![]),
        (ballot(Observing, better, 4), 4, own, vec![]),
        // A leader alone is no result.
        (leading(better, 4), 4, own, vec![]),
    ];
    for (heard, round, proposal, told) in table {
        let mut election = server(1, 3, "");
        for _ in 1..4 {
            election.start(0, history(5, 1));
        }
        effects(&mut election);
        hear(&mut election, 0, 3, *heard);
        let told_others: Vec<_> =
            sent(&mut election).into_iter().filter(|(to, _)| *to == 2).map(|(_, b)| b).collect();
        assert_eq!(
            (election.ballot(), &told_others),
            (looking(*proposal, *round), told),
            "{heard:?}"
        );
    }
}

#[test]
fn a_later_round_begins_from_the_own_history() {
    let mut election = server(1, 5, "");
    hear(&mut election, 0, 2, looking(vote(2, 9, 9), 1));
    assert_eq!(election.ballot().vote, vote(2, 9, 9));
    // In the new round nobody has said yet that server 2 is that good.
    hear(&mut election, 0, 3, looking(vote(3, 4, 1), 2));
    assert_eq!(election.ballot(), looking(vote(1, 5, 1), 2));
}

#[test]
fn votes_of_an_earlier_round_do_not_count_in_the_next() {
    let mut election = server(3, 3, "");
    hear(&mut election, 0, 1, looking(vote(3, 5, 1), 1));
    assert!(election.next_deadline() == Some(200) && election.state() == Looking);
    // Server 2 is in the next round: now only it and this one are heard, and they do not agree yet.
    hear(&mut election, 10, 2, looking(vote(2, 4, 1), 2));
    effects(&mut election);
    election.tick(10_000);
    assert_eq!(decided(&mut election), None);
    assert_eq!(election.ballot(), looking(vote(3, 5, 1), 2));
    hear(&mut election, 10_000, 2, looking(vote(3, 5, 1), 2));
    election.tick(10_200);
    assert_eq!(decided(&mut election), Some((Leading, 3)));
}

#[test]
fn who_has_no_trusted_history_neither_votes_nor_is_voted_for() {
    let mut election = Election::new(1, quorums(3, ""), Options::default());
    election.start(0, history(-1, 0));
    for from in [2, 3] {
        hear(&mut election, 0, from, looking(vote(3, 5, 1), 1));
    }
    election.tick(10_000);
    assert_eq!(election.ballot().vote, vote(1, -1, 0), "other votes mean nothing to it");
    hear(&mut election, 0, 3, leading(vote(3, 5, 1), 1));
    hear(&mut election, 0, 2, following(vote(3, 5, 1), 1));
    assert_eq!(decided(&mut election), Some((Following, 3)), "it can still follow");

    let mut election = server(3, 3, "");
    hear(&mut election, 0, 1, looking(vote(1, -1, 9), 1));
    hear(&mut election, 0, 1, looking(vote(1, -1, 9), 5));
    assert_eq!(election.ballot(), looking(vote(3, 5, 1), 1));
}

#[test]
fn a_round_that_nobody_can_have_reached_is_not_followed() {
    for round in [i64::MAX, i64::MAX - 1, (1 << 62) + 1] {
        let mut election = server(1, 3, "");
        hear(&mut election, 0, 2, looking(vote(2, 5, 1), round));
        hear(&mut election, 0, 2, leading(vote(2, 5, 1), round));
        hear(&mut election, 0, 3, following(vote(2, 5, 1), round));
        assert_eq!((decided(&mut election), election.round()), (Some((Following, 2)), 1));
    }
}

#[test]
fn servers_without_weight_are_not_voted_for() {
    let rules = "group.1=1:2:3\nweight.3=0";
    let mut election = server(1, 3, rules);
    hear(&mut election, 0, 3, looking(vote(3, 9, 9), 1));
    assert_eq!(election.ballot().vote, vote(1, 5, 1));
    let mut light = Election::new(3, quorums(3, rules), Options::default());
    light.start(0, history(9, 9));
    hear(&mut light, 0, 1, looking(vote(1, 5, 1), 1));
    assert_eq!(light.ballot().vote, vote(1, 5, 1), "nor do they insist on themselves");
}
