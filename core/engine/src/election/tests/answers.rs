//! Who is answered, and with what.

use super::*;
use ServerState::{Following, Leading, Looking, Observing};

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
        // The same round, and a worse vote: it may not know this one.
        (2, looking(worse, 1), vec![looking(own, 1)]),
        (2, looking(own, 1), vec![]),
        (2, following(worse, 0), vec![]),
        (2, leading(worse, 1), vec![]),
        (2, ballot(Observing, worse, 1), vec![]),
        // Servers without a vote.
        (4, looking(NO_VOTE, 1), vec![looking(own, 1)]),
        (4, looking(NO_VOTE, 7), vec![looking(own, 1)]),
        (9, looking(better, 7), vec![looking(own, 1)]),
        (9, following(better, 7), vec![]),
        (4, ballot(Observing, better, 7), vec![]),
    ] {
        let mut election = server(1, 3, OBSERVER);
        assert_eq!(answer(&mut election, from, heard), told, "{from} says {heard:?}");
    }
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
    // Server 2 is a voter, and was told once that this vote is better.
    assert_eq!((kept, election.unreachable.len()), ([1, 0, 1], 0));
    assert_eq!(election.ballot().vote, vote(1, 5, 1));
}

#[test]
fn own_notifications_are_ignored() {
    let mut election = server(1, 3, "");
    hear(&mut election, 0, 1, looking(vote(3, 9, 9), 9));
    assert_eq!((effects(&mut election), election.round()), (vec![], 1));
}

/// Whatever two servers think of each other, they stop talking.
#[test]
fn nobody_keeps_anybody_talking() {
    let rules = ["", "group.1=1:2:3\nweight.1=0", "group.1=1:2:3\nweight.2=0"];
    for (ours, theirs) in rules.iter().flat_map(|&a| rules.map(|b| (a, b))) {
        let mut ours = Election::new(1, quorums(3, ours), Options::default());
        let mut theirs = Election::new(2, quorums(3, theirs), Options::default());
        ours.start(0, history(5, 1));
        theirs.start(0, history(5, 1));
        for turn in 0.. {
            assert!(turn < 20, "they are still talking");
            let to_them: Vec<_> = sent(&mut ours).into_iter().filter(|&(to, _)| to == 2).collect();
            let to_us: Vec<_> = sent(&mut theirs).into_iter().filter(|&(to, _)| to == 1).collect();
            if to_them.is_empty() && to_us.is_empty() {
                break;
            }
            to_them.into_iter().for_each(|(_, ballot)| hear(&mut theirs, 0, 1, ballot));
            to_us.into_iter().for_each(|(_, ballot)| hear(&mut ours, 0, 2, ballot));
        }
    }
    assert_eq!(server(1, 3, "").state(), Looking);
}
