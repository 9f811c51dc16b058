//! Configurations that come with notifications, and elections while they change.

use super::*;
use ServerState::{Following, Leading, Looking};

fn hear_config(election: &mut Election, from: i64, ballot: Ballot, text: &str) -> Vec<Effect> {
    election.receive(0, from, &Notification::new(ballot, text));
    let of_configs =
        |effect: &Effect| matches!(effect, Effect::SawConfig { .. } | Effect::BadConfig { .. });
    effects(election).into_iter().filter(of_configs).collect()
}

const OBSERVER: &str = "server.4=h4:1:2:observer\nversion=5";

#[test]
fn newer_configurations_of_members_are_reported_while_looking() {
    let newer = membership(4, "version=6");
    let text = newer.to_string();
    let ask = looking(vote(2, 4, 1), 1);
    for (from, reported) in [(2, true), (4, true), (9, false)] {
        let mut election = server(1, 3, OBSERVER);
        let expected = Effect::SawConfig { from, membership: newer.clone() };
        let expected = if reported { vec![expected] } else { vec![] };
        assert_eq!(hear_config(&mut election, from, ask, &text), expected);
        let mut election = settled(1, 3, OBSERVER);
        assert_eq!(hear_config(&mut election, from, ask, &text), []);
    }
    for version in ["version=5", "version=4", "version=0"] {
        let mut election = server(1, 3, OBSERVER);
        let text = membership(4, version).to_string();
        assert_eq!(hear_config(&mut election, 2, ask, &text), []);
    }
}

#[test]
fn a_configuration_that_cannot_be_read_does_not_cost_the_vote() {
    let mut election = server(1, 3, "");
    let bad = hear_config(&mut election, 2, looking(vote(2, 6, 1), 1), "server.1=x");
    assert!(matches!(bad.as_slice(), [Effect::BadConfig { from: 2, .. }]), "{bad:?}");
    assert_eq!(election.ballot().vote, vote(2, 6, 1));
}

#[test]
fn other_members_mean_another_round() {
    let mut election = server(1, 3, "version=1");
    hear(&mut election, 0, 2, looking(vote(2, 5, 1), 1));
    effects(&mut election);
    election.commit(0, membership(3, "version=2"));
    assert_eq!((effects(&mut election), election.round()), (vec![], 1), "the same members");
    election.commit(0, membership(4, "version=3"));
    let own = looking(vote(1, 5, 1), 2);
    assert_eq!(sent(&mut election), [(2, own), (3, own), (4, own)]);
    election.commit(0, membership(7, "version=2"));
    assert_eq!((effects(&mut election), election.round()), (vec![], 2), "an older one");
    let mut frame = Vec::new();
    election.write_frame(own, &mut frame);
    let sent = Notification::read(&frame[4..]).unwrap();
    assert_eq!(
        (sent.ballot, sent.config()),
        (own, Some(membership(4, "version=3").to_string().as_str()))
    );
}

#[test]
fn two_configurations_must_agree() {
    let mut election = server(3, 3, "version=1");
    election.see(0, membership(5, "version=2"));
    hear(&mut election, 0, 1, looking(vote(3, 5, 1), 1));
    election.tick(200);
    election.tick(10_000);
    assert_eq!(election.state(), Looking, "two of five");
    effects(&mut election);
    hear(&mut election, 0, 4, looking(vote(3, 5, 1), 1));
    election.tick(20_000);
    assert_eq!(decided(&mut election), Some((Leading, 3)));
    // A configuration that comes during the wait makes it longer.
    let mut election = server(3, 3, "version=1");
    hear(&mut election, 0, 1, looking(vote(3, 5, 1), 1));
    effects(&mut election);
    election.see(0, membership(5, "version=2"));
    election.tick(300);
    assert_eq!(election.state(), Looking);
    // The new servers get the votes too.
    assert_eq!(sent(&mut election).len(), 4);
}

#[test]
fn a_new_voter_has_no_vote_of_its_own_before_the_commit() {
    let mut election = server(4, 3, "version=1");
    election.see(0, membership(4, "version=2"));
    effects(&mut election);
    assert_eq!(election.ballot().vote, NO_VOTE);
    hear(&mut election, 0, 3, looking(vote(3, 5, 1), 1));
    assert_eq!(election.ballot().vote, vote(3, 5, 1), "but it helps others to a quorum");
    hear(&mut election, 0, 1, looking(vote(3, 5, 1), 1));
    election.tick(250);
    assert_eq!(decided(&mut election), Some((Following, 3)));
}

#[test]
fn a_voter_that_is_removed_is_forgotten() {
    let mut election = server(1, 3, "version=1");
    election.see(0, membership(4, "version=2"));
    election.unreachable(0, 3);
    election.unreachable(0, 4);
    hear(&mut election, 0, 4, looking(vote(4, 9, 1), 1));
    assert_eq!(election.ballot(), looking(vote(4, 9, 1), 1));
    election.see(0, membership(2, "version=3"));
    assert_eq!(election.ballot(), looking(vote(1, 5, 1), 2), "its vote too");
    assert_eq!(election.unreachable, [3].into(), "the committed one still counts");
    election.commit(0, membership(2, "version=3"));
    assert!(election.unreachable.is_empty());
    hear(&mut election, 0, 2, looking(vote(2, 5, 1), 3));
    election.tick(10_000);
    assert_eq!(election.state(), Following);
}

/// Server 1 alone has logged a configuration that gives server 2 a vote, and cannot lead without it. Server 2 has never heard of that, and is in a
/// later round.
#[test]
fn who_does_not_know_of_its_vote_gives_it_all_the_same() {
    let mut first = server(1, 1, "");
    first.see(0, membership(2, "version=2"));
    first.start(0, history(5, 1));
    effects(&mut first);
    let mut second = server(2, 1, "");
    for _ in 1..3 {
        second.start(0, history(0, 0));
    }
    effects(&mut second);
    let ask = second.ballot();
    assert_eq!((ask.vote, ask.round, first.round()), (NO_VOTE, 3, 2));
    hear(&mut first, 0, 2, ask);
    let vote_of_first = looking(vote(1, 5, 1), 3);
    assert_eq!(sent(&mut first).first(), Some(&(2, vote_of_first)));
    hear(&mut second, 0, 1, vote_of_first);
    assert_eq!(sent(&mut second), [(1, vote_of_first)]);
    hear(&mut first, 0, 2, vote_of_first);
    let said = effects(&mut first);
    assert!(said.contains(&Effect::Decided { state: Leading, leader: 1 }), "{said:?}");
    hear(&mut second, 0, 1, first.ballot());
    assert_eq!(decided(&mut second), Some((Following, 1)));
}
