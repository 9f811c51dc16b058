//! When an election ends, and when votes are repeated.

use super::*;
use ServerState::{Following, Leading, Looking, Observing};

/// Who says what.
type Words<'a> = &'a [(i64, Ballot)];
/// The result, if there is one.
type Outcome = Option<(ServerState, i64)>;

const OURS: Vote = vote(3, 5, 1);

#[test]
fn a_proposal_is_waited_for_when_somebody_has_not_been_heard() {
    let mut election = server(3, 3, "");
    hear(&mut election, 50, 1, looking(OURS, 1));
    assert_eq!(election.next_deadline(), Some(200), "the repetition comes first");
    election.tick(249);
    assert_eq!(decided(&mut election), None);
    assert_eq!(election.next_deadline(), Some(250));
    election.tick(250);
    assert_eq!(decided(&mut election), Some((Leading, 3)));
    assert_eq!((election.next_deadline(), election.ballot()), (None, leading(OURS, 1)));
}

#[test]
fn what_comes_during_the_wait_counts() {
    // A better vote ends the wait.
    let mut election = server(2, 3, "");
    hear(&mut election, 0, 1, looking(vote(2, 5, 1), 1));
    hear(&mut election, 100, 3, looking(OURS, 1));
    assert_eq!(election.ballot(), looking(OURS, 1));
    election.tick(300);
    election.tick(349);
    assert_eq!(decided(&mut election), None);
    election.tick(350);
    assert_eq!(decided(&mut election), Some((Following, 3)));
    // A voter of the quorum changes its mind.
    let mut election = server(2, 5, "");
    for from in [1, 3] {
        hear(&mut election, 0, from, looking(vote(2, 5, 1), 1));
    }
    hear(&mut election, 100, 3, looking(vote(1, 4, 1), 1));
    effects(&mut election);
    election.tick(10_000);
    assert_eq!(decided(&mut election), None);
}

#[test]
fn a_proposed_leader_ends_at_once_when_nobody_can_beat_it() {
    // Everybody votes for it.
    let mut election = server(3, 3, "");
    hear(&mut election, 0, 1, looking(OURS, 1));
    hear(&mut election, 0, 2, looking(OURS, 1));
    assert_eq!(decided(&mut election), Some((Leading, 3)));
    // Not everybody knows of it yet, but everybody has been heard.
    let mut election = server(3, 3, "");
    hear(&mut election, 0, 1, looking(vote(1, 5, 1), 1));
    assert_eq!(decided(&mut election), None);
    hear(&mut election, 0, 2, looking(vote(2, 5, 1), 1));
    assert_eq!(decided(&mut election), None, "no quorum yet");
    hear(&mut election, 0, 1, looking(OURS, 1));
    assert_eq!(decided(&mut election), Some((Leading, 3)));
    // Who has not been heard is known to be out of reach, before or after the vote.
    for early in [true, false] {
        let mut election = server(3, 3, "");
        if early {
            election.unreachable(0, 2);
        }
        hear(&mut election, 0, 1, looking(OURS, 1));
        if !early {
            assert_eq!(decided(&mut election), None);
            election.unreachable(0, 2);
        }
        assert_eq!(decided(&mut election), Some((Leading, 3)));
    }
    // Nobody asks servers without weight.
    let mut election = server(3, 3, "group.1=1:2:3\nweight.2=0");
    hear(&mut election, 0, 1, looking(OURS, 1));
    assert_eq!(decided(&mut election), Some((Leading, 3)));
    // A single voter.
    let mut election = Election::new(1, quorums(1, ""), Options::default());
    election.start(0, history(5, 1));
    assert_eq!(decided(&mut election), Some((Leading, 1)));
}

#[test]
fn a_server_that_is_heard_or_reached_is_waited_for_again() {
    for heard in [true, false] {
        let mut election = server(3, 5, "");
        election.unreachable(0, 2);
        election.unreachable(0, 5);
        if heard {
            hear(&mut election, 0, 5, following(vote(4, 5, 1), 0));
        } else {
            election.reachable(5);
        }
        effects(&mut election);
        hear(&mut election, 0, 1, looking(OURS, 1));
        hear(&mut election, 0, 4, looking(OURS, 1));
        assert_eq!(decided(&mut election), None);
    }
}

#[test]
fn a_voter_that_has_another_leader_in_this_round_is_waited_for() {
    let mut election = server(3, 3, "");
    hear(&mut election, 0, 2, leading(vote(2, 5, 1), 1));
    hear(&mut election, 0, 1, looking(OURS, 1));
    assert_eq!(decided(&mut election), None);
}

#[test]
fn a_voter_that_was_heard_in_an_earlier_round_is_waited_for() {
    let mut election = server(3, 3, "");
    hear(&mut election, 0, 2, looking(vote(2, 5, 1), 1));
    hear(&mut election, 0, 1, looking(vote(1, 5, 1), 2));
    hear(&mut election, 0, 1, looking(OURS, 2));
    assert_eq!(decided(&mut election), None);
}

#[test]
fn results_of_an_earlier_round_do_not_count_for_a_later_one() {
    let mut election = server(1, 5, "");
    hear(&mut election, 0, 4, following(OURS, 1));
    hear(&mut election, 0, 5, following(OURS, 1));
    hear(&mut election, 0, 2, looking(vote(2, 5, 1), 2));
    hear(&mut election, 0, 3, leading(vote(3, 5, 2), 2));
    assert_eq!(decided(&mut election), None);
}

#[test]
fn the_wait_is_not_prolonged_by_what_comes_in() {
    let mut election = server(3, 5, "");
    for (at, from) in [(0, 1), (0, 2), (150, 2), (199, 4)] {
        hear(&mut election, at, from, looking(OURS, 1));
    }
    election.tick(200);
    assert_eq!(decided(&mut election), Some((Leading, 3)));
}

#[test]
fn the_others_end_when_the_leader_leads() {
    let mut election = server(1, 3, "");
    hear(&mut election, 0, 2, looking(OURS, 1));
    hear(&mut election, 0, 3, looking(OURS, 1));
    assert_eq!(decided(&mut election), None, "its port may not be open yet");
    hear(&mut election, 9, 3, leading(OURS, 1));
    assert_eq!(decided(&mut election), Some((Following, 3)));
    // Also when the last vote comes behind the word of the leader.
    let mut election = server(1, 5, "");
    hear(&mut election, 0, 3, looking(OURS, 1));
    hear(&mut election, 0, 3, leading(OURS, 1));
    assert_eq!(decided(&mut election), None, "no quorum");
    hear(&mut election, 0, 2, looking(OURS, 1));
    assert_eq!(decided(&mut election), Some((Following, 3)));
    // Also when the leader is established by then.
    let mut election = server(1, 5, "");
    for from in [2, 4] {
        hear(&mut election, 0, from, looking(OURS, 1));
    }
    hear(&mut election, 0, 3, leading(vote(3, 5, 2), 1));
    assert_eq!(decided(&mut election), Some((Following, 3)));
}

#[test]
fn a_leader_that_is_established_by_now_counts_for_itself() {
    let mut election = server(1, 3, "");
    hear(&mut election, 0, 3, looking(OURS, 1));
    hear(&mut election, 0, 3, leading(vote(3, 5, 2), 1));
    assert_eq!(decided(&mut election), Some((Following, 3)));
}

#[test]
fn groups_decide_where_there_are_some() {
    let mut election = server(3, 6, "group.1=1:2:3\ngroup.2=4:5:6");
    for from in [1, 2, 4] {
        hear(&mut election, 0, from, looking(OURS, 1));
    }
    election.tick(10_000);
    assert_eq!(decided(&mut election), None, "four of six, and one of the second group");
    hear(&mut election, 10_000, 5, looking(OURS, 1));
    election.tick(10_200);
    assert_eq!(decided(&mut election), Some((Leading, 3)));
}

#[test]
fn a_leader_tells_all_voters_at_once() {
    let mut election = server(3, 4, "server.5=h5:1:2:observer");
    for from in [1, 2, 4] {
        hear(&mut election, 0, from, looking(OURS, 1));
    }
    let effects = effects(&mut election);
    let last: Vec<_> = effects[effects.len() - 4..].to_vec();
    let send = |to| Effect::Send { to, ballot: leading(OURS, 1) };
    assert_eq!(last, [send(1), send(2), send(4), Effect::Decided { state: Leading, leader: 3 }]);
}

#[test]
fn established_ensembles_are_joined() {
    let table: &[(i64, Words<'_>, Outcome)] = &[
        // The leader itself must say so: its followers may not know yet that it is gone.
        (1, &[(2, following(OURS, 7)), (4, following(OURS, 7)), (5, following(OURS, 7))], None),
        (1, &[(3, following(OURS, 7)), (4, following(OURS, 7)), (5, following(OURS, 7))], None),
        (1, &[(3, leading(OURS, 7)), (4, following(OURS, 7))], None),
        (
            1,
            &[(3, leading(OURS, 7)), (4, following(OURS, 7)), (5, following(OURS, 7))],
            Some((Following, 3)),
        ),
        // In which round, and with which zxid, each of them came there does not matter.
        (
            1,
            &[(3, leading(OURS, 0)), (4, following(vote(3, 9, 1), 8)), (5, following(OURS, -1))],
            Some((Following, 3)),
        ),
        // The epoch does.
        (
            1,
            &[(3, leading(OURS, 7)), (4, following(vote(3, 5, 2), 7)), (5, following(OURS, 7))],
            None,
        ),
        // Not within the present round: there the leader alone counts, established or not.
        (
            1,
            &[(3, leading(vote(3, 5, 2), 1)), (4, following(OURS, 1)), (5, following(OURS, 1))],
            Some((Following, 3)),
        ),
        // Votes of the same round count with the results of it, if they are the same.
        (1, &[(3, leading(OURS, 1)), (4, looking(OURS, 1))], Some((Following, 3))),
        (1, &[(3, leading(vote(3, 5, 2), 1)), (4, looking(vote(2, 6, 1), 1))], None),
        // What others take this server for counts in the present round only.
        (
            3,
            &[(1, following(OURS, 1)), (2, following(OURS, 1)), (4, following(OURS, 1))],
            Some((Leading, 3)),
        ),
        (3, &[(1, following(OURS, 7)), (2, following(OURS, 7)), (4, following(OURS, 7))], None),
        // Observers have no say.
        (
            1,
            &[(3, leading(OURS, 7)), (4, following(OURS, 7)), (5, ballot(Observing, OURS, 7))],
            None,
        ),
        (1, &[(3, leading(OURS, 7)), (4, following(OURS, 7)), (6, following(OURS, 7))], None),
        // Observers and strangers join in the same way.
        (
            6,
            &[(3, leading(OURS, 7)), (4, following(OURS, 7)), (5, following(OURS, 7))],
            Some((Observing, 3)),
        ),
        (
            9,
            &[(3, leading(OURS, 7)), (4, following(OURS, 7)), (5, following(OURS, 7))],
            Some((Following, 3)),
        ),
    ];
    for (me, heard, expected) in table {
        let mut election = server(*me, 5, "server.6=h6:1:2:observer");
        for (from, ballot) in *heard {
            hear(&mut election, 0, *from, *ballot);
        }
        assert_eq!(decided(&mut election), *expected, "server {me} hears {heard:?}");
    }
}

#[test]
fn who_looks_again_is_no_witness_any_more() {
    let mut election = server(1, 5, "");
    hear(&mut election, 0, 3, leading(OURS, 7));
    hear(&mut election, 0, 4, following(OURS, 7));
    hear(&mut election, 0, 4, looking(vote(4, 5, 1), 0));
    hear(&mut election, 0, 5, following(OURS, 7));
    assert_eq!(decided(&mut election), None);
    hear(&mut election, 0, 2, following(OURS, 7));
    assert_eq!(decided(&mut election), Some((Following, 3)));
}

#[test]
fn servers_before_3_5_know_no_epochs() {
    let mut election = server(1, 3, "");
    let old = Ballot { version: 0, ..following(vote(3, 5, 9), 7) };
    hear(&mut election, 0, 2, old);
    hear(&mut election, 0, 3, leading(OURS, 7));
    assert_eq!(decided(&mut election), Some((Following, 3)));
}

#[test]
fn the_round_never_goes_back() {
    let mut election = server(1, 3, "");
    for _ in 0..9 {
        election.start(0, history(5, 1));
    }
    hear(&mut election, 0, 2, following(OURS, 2));
    hear(&mut election, 0, 3, leading(OURS, 2));
    assert_eq!((election.state(), election.round(), election.ballot().round), (Following, 10, 2));
    election.start(0, history(5, 1));
    assert_eq!(election.round(), 11);
}

#[test]
fn an_observer_backs_the_best_vote_once_and_waits_for_a_result() {
    let mut election = server(4, 3, "server.4=h4:1:2:observer");
    let backing = [1, 2, 3].map(|to| (to, looking(OURS, 5)));
    for (from, told) in [(1, backing.as_slice()), (2, &[]), (3, &[])] {
        hear(&mut election, 0, from, looking(OURS, 5));
        assert_eq!((sent(&mut election).as_slice(), election.ballot()), (told, looking(OURS, 5)));
    }
    hear(&mut election, 0, 1, looking(vote(1, 4, 1), 5));
    assert_eq!((effects(&mut election), election.next_deadline()), (vec![], Some(200)));
    election.tick(200);
    assert_eq!(sent(&mut election), backing, "it asks again");
    hear(&mut election, 0, 3, leading(OURS, 5));
    hear(&mut election, 0, 1, following(OURS, 5));
    assert_eq!(decided(&mut election), Some((Observing, 3)));
}

#[test]
fn votes_are_repeated_after_pauses_that_double() {
    let mut election = server(1, 3, "");
    let mut at = 0;
    for pause in [200, 400, 800, 1000, 1000] {
        at += pause;
        assert_eq!(election.next_deadline(), Some(at));
        election.tick(at - 1);
        assert_eq!(effects(&mut election), []);
        election.tick(at);
        let own = looking(vote(1, 5, 1), 1);
        assert_eq!(sent(&mut election), [(2, own), (3, own)]);
    }
    // What comes in does not put it off; a change of the vote begins it anew.
    hear(&mut election, at + 500, 2, looking(vote(2, 4, 1), 1));
    assert_eq!(election.next_deadline(), Some(at + 1000));
    hear(&mut election, at + 900, 2, looking(vote(2, 6, 1), 1));
    assert_eq!(election.next_deadline(), Some(at + 1100));
}

#[test]
fn a_leader_learns_that_its_voters_have_left_it() {
    let led = || {
        let mut election = server(3, 5, "");
        election.unreachable(0, 4);
        election.unreachable(0, 5);
        hear(&mut election, 0, 1, looking(OURS, 1));
        hear(&mut election, 0, 2, looking(OURS, 1));
        assert_eq!(decided(&mut election), Some((Leading, 3)));
        election
    };
    let withdrawn = |election: &mut Election| effects(election).contains(&Effect::Withdrawn);
    for (heard, expected) in [
        ((1, looking(vote(5, 5, 1), 1)), true),
        ((2, looking(vote(5, 5, 1), 2)), true),
        // They still vote for it, are out of step, or have not voted for it.
        ((1, looking(OURS, 1)), false),
        ((1, looking(vote(5, 5, 1), 0)), false),
        ((1, following(vote(5, 5, 1), 1)), false),
        ((5, looking(vote(5, 5, 1), 1)), false),
    ] {
        let mut election = led();
        hear(&mut election, 0, heard.0, heard.1);
        assert_eq!(withdrawn(&mut election), expected, "{heard:?}");
        hear(&mut election, 0, heard.0, heard.1);
        assert!(!withdrawn(&mut election), "only once");
    }
    let mut election = led();
    election.established(2);
    hear(&mut election, 0, 1, looking(vote(5, 5, 1), 1));
    assert!(!withdrawn(&mut election), "it has followers");
    assert_eq!(server(1, 3, "").state(), Looking);
}
