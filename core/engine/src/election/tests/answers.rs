//! Who is answered, and with what.

use super::*;
use ServerState::{Following, Leading, Observing};

const OBSERVER: &str = "server.4=h4:1:2:observer";

/// What server 1 answers to one ballot.
fn answer(election: &mut Election, from: i64, heard: Ballot) -> Vec<Ballot> {
    hear(election, 0, from, heard);
    let sent = sent(election);
    assert!(sent.iter().all(|&(to, _)| to == from), "{sent:?}");
    sent.into_iter().map(|(_, ballot)| ballot).collect()
}

#[test]
fn a_server_with_a_leader_answers_those_who_look_for_one() {
    for me in [1, 3, 4] {
        let state = match me {
            1 => Following,
            3 => Leading,
            _ => Observing,
        };
        let said = ballot(state, vote(3, 5, 2), 7);
        for from in [2, 4, 9] {
            if from == me {
                continue;
            }
            let mut election = settled(me, 3, OBSERVER);
            for round in [0, 7, 8] {
                let answer = answer(&mut election, from, looking(vote(2, 9, 9), round));
                assert_eq!(answer, [said], "server {me} to {from}");
            }
            for state in [Following, Leading, Observing] {
                let other = ballot(state, vote(2, 9, 9), 9);
                assert_eq!(answer(&mut election, from, other), [], "server {me} to {from}");
            }
        }
    }
}

#[test]
fn a_server_that_rests_is_silent_until_it_looks_again() {
    for me in [1, 3] {
        let mut election = settled(me, 3, "");
        election.rest();
        assert_eq!(election.state(), ServerState::Looking);
        for heard in [looking(vote(2, 9, 9), 8), following(vote(3, 5, 2), 7)] {
            assert_eq!(answer(&mut election, 2, heard), [], "server {me}");
        }
        assert_eq!(election.next_deadline(), None);
        election.unreachable(1, 2);
        election.start(9, history(5, 2));
        let votes = sent(&mut election);
        assert!(votes.iter().all(|&(_, said)| said == looking(vote(me, 5, 2), 8)), "{votes:?}");
        assert_eq!(votes.len(), 2);
    }
}

#[test]
fn the_epoch_of_an_answer_is_the_established_one() {
    let mut election = server(3, 3, "");
    hear(&mut election, 0, 1, looking(vote(3, 5, 1), 1));
    hear(&mut election, 0, 2, looking(vote(3, 5, 1), 1));
    effects(&mut election);
    let ask = looking(vote(2, 5, 1), 1);
    assert_eq!(answer(&mut election, 2, ask), [leading(vote(3, 5, 1), 1)]);
    election.established(2);
    assert_eq!(answer(&mut election, 2, ask), [leading(vote(3, 5, 2), 1)]);
}

#[test]
fn a_role_without_an_election_is_told_too() {
    let mut election = settled(1, 3, "");
    election.assume(Leading, vote(1, 0x2_0000_0007, 2));
    let answer = answer(&mut election, 2, looking(vote(2, 5, 1), 9));
    assert_eq!(answer, [leading(vote(1, 0x2_0000_0007, 2), -1)]);
    election.start(0, history(0x2_0000_0007, 2));
    assert_eq!(election.round(), 8, "the round goes on from where it was");
}

#[test]
fn a_server_that_looks_answers_who_is_behind() {
    let own = vote(1, 5, 1);
    let better = vote(2, 5, 1);
    let worse = vote(2, 4, 1);
    for (from, heard, told) in [
        // An earlier round.
        (2, looking(better, 0), vec![looking(own, 1)]),
        (2, looking(worse, 0), vec![looking(own, 1)]),
        // The same round: it may have begun after the own vote was sent.
        (2, looking(worse, 1), vec![looking(own, 1)]),
        (2, looking(own, 1), vec![looking(own, 1)]),
        (2, following(worse, 0), vec![]),
        (2, leading(worse, 1), vec![]),
        (2, ballot(Observing, worse, 1), vec![]),
        // Observers and strangers.
        (4, looking(NO_VOTE, 1), vec![looking(own, 1)]),
        (4, looking(NO_VOTE, 7), vec![looking(own, 1)]),
        (4, ballot(Observing, better, 7), vec![]),
        (9, looking(better, 7), vec![]),
        (9, following(better, 7), vec![]),
    ] {
        let mut election = server(1, 3, OBSERVER);
        assert_eq!(answer(&mut election, from, heard), told, "{from} says {heard:?}");
    }
    // Each new word is answered once.
    let mut election = server(1, 3, OBSERVER);
    for (from, vote, answered) in [
        (2, worse, true),
        (2, worse, false),
        (2, own, false),
        (2, worse, true),
        (4, NO_VOTE, true),
        (4, NO_VOTE, false),
    ] {
        assert_eq!(answer(&mut election, from, looking(vote, 1)).len(), usize::from(answered));
    }
    election.tick(200);
    effects(&mut election);
    assert_eq!(answer(&mut election, 4, looking(NO_VOTE, 1)).len(), 1);
    // Who has no vote has nothing to say.
    let mut observer = server(4, 3, OBSERVER);
    assert_eq!(answer(&mut observer, 2, looking(worse, 0)), []);
}

#[test]
fn servers_that_are_no_voters_are_told_the_round_of_the_process() {
    let mut election = settled(1, 3, OBSERVER);
    election.assume(Following, vote(3, 6, 2));
    assert_eq!(answer(&mut election, 4, looking(NO_VOTE, 1)), [following(vote(3, 6, 2), 7)]);
    assert_eq!(answer(&mut election, 2, looking(NO_VOTE, 1)), [following(vote(3, 6, 2), -1)]);
}

#[test]
fn strangers_are_not_remembered() {
    let mut election = server(1, 3, OBSERVER);
    for sid in (4..5000).chain([i64::MIN, -1, 0, i64::MAX]) {
        hear(&mut election, 0, sid, looking(vote(sid, 9, 9), 5));
        hear(&mut election, 0, sid, leading(vote(sid, 9, 9), 5));
        hear(&mut election, 0, 2, looking(vote(sid, 9, 9), 1));
        hear(&mut election, 0, 2, leading(vote(sid, 9, 9), 1));
        election.unreachable(0, sid);
        effects(&mut election);
    }
    let Phase::Looking(looking) = &election.phase else { panic!("decided") };
    let kept = [looking.received.len(), looking.elsewhere.len(), looking.told.len()];
    assert_eq!((kept, election.unreachable.len()), ([1, 0, 1], 0), "4 is an observer");
    assert_eq!(election.ballot().vote, vote(1, 5, 1));
}

#[test]
fn own_notifications_are_ignored() {
    let mut election = server(1, 3, "");
    hear(&mut election, 0, 1, looking(vote(3, 9, 9), 9));
    assert_eq!((effects(&mut election), election.round()), (vec![], 1));
}

/// Whatever two servers think of each other and of themselves, they stop talking.
#[test]
fn nobody_keeps_anybody_talking() {
    let configs = [
        membership(3, ""),
        membership(3, "group.1=1:2:3\nweight.1=0"),
        membership(3, "group.1=1:2:3\nweight.2=0"),
        Membership::parse("server.1=a:1:2\nserver.2=b:1:2:observer").unwrap(),
        Membership::parse("server.2=b:1:2\nserver.1=a:1:2:observer").unwrap(),
        Membership::parse("server.1=a:1:2").unwrap(),
        Membership::parse("server.2=b:1:2").unwrap(),
        Membership::parse("server.3=b:1:2").unwrap(),
    ];
    let histories = [history(5, 1), history(5, 2), history(-1, 2), history(-1, 1)];
    let all = || configs.iter().flat_map(|config| histories.map(|history| (config, history)));
    for (ours, theirs, rounds) in
        all().flat_map(|a| all().flat_map(move |b| [1, 2, 3].map(|c| (a, b, c))))
    {
        let start = |me, (config, history): (&Membership, History)| {
            let mut election = Election::new(me, Quorums::new(config.clone()), Options::default());
            for _ in 0..if me == 1 { 2 } else { rounds } {
                election.start(0, history);
            }
            effects(&mut election);
            election
        };
        let (mut us, mut them) = (start(1, ours), start(2, theirs));
        let mut to_us = vec![them.ballot()];
        for turn in 0.. {
            assert!(turn < 20, "they are still talking: {ours:?} {theirs:?} {rounds}");
            to_us.drain(..).for_each(|ballot| hear(&mut us, 0, 2, ballot));
            let to_them: Vec<_> = sent(&mut us).into_iter().filter(|&(to, _)| to == 2).collect();
            to_them.into_iter().for_each(|(_, ballot)| hear(&mut them, 0, 1, ballot));
            to_us =
                sent(&mut them).into_iter().filter(|&(to, _)| to == 1).map(|(_, b)| b).collect();
            if to_us.is_empty() {
                break;
            }
        }
    }
}
