//! The tables of the election, by what they are about, and worlds in which whole ensembles elect.

mod answers;
mod configs;
mod ending;
mod rules;
mod world;
mod worlds;

use super::*;
use quorate_wire::quorum::election::NotificationForm;

/// A configuration of voters 1 to `n`, and more lines.
fn membership(n: i64, more: &str) -> Membership {
    let servers: String = (1..=n).map(|sid| format!("server.{sid}=h{sid}:1:2\n")).collect();
    Membership::parse(&format!("{servers}{more}")).unwrap()
}

fn quorums(n: i64, more: &str) -> Quorums {
    Quorums::new(membership(n, more))
}

const fn history(zxid: i64, epoch: i64) -> History {
    History { zxid: Zxid(zxid), epoch }
}

const fn vote(leader: i64, zxid: i64, epoch: i64) -> Vote {
    Vote { leader, zxid: Zxid(zxid), epoch }
}

const fn ballot(state: ServerState, vote: Vote, round: i64) -> Ballot {
    Ballot { state, vote, round, version: 2 }
}

const fn looking(vote: Vote, round: i64) -> Ballot {
    ballot(ServerState::Looking, vote, round)
}

const fn following(vote: Vote, round: i64) -> Ballot {
    ballot(ServerState::Following, vote, round)
}

const fn leading(vote: Vote, round: i64) -> Ballot {
    ballot(ServerState::Leading, vote, round)
}

fn hear(election: &mut Election, now: i64, from: i64, ballot: Ballot) {
    let form = NotificationForm::Full(None);
    election.receive(now, from, &Notification { ballot, form });
}

fn effects(election: &mut Election) -> Vec<Effect> {
    std::iter::from_fn(|| election.next_effect()).collect()
}

/// Who was sent what.
fn sent(election: &mut Election) -> Vec<(i64, Ballot)> {
    let sends = effects(election).into_iter().filter_map(|effect| match effect {
        Effect::Send { to, ballot } => Some((to, ballot)),
        _ => None,
    });
    sends.collect()
}

/// The result that was reported.
fn decided(election: &mut Election) -> Option<(ServerState, i64)> {
    effects(election).into_iter().find_map(|effect| match effect {
        Effect::Decided { state, leader } => Some((state, leader)),
        _ => None,
    })
}

/// Server `me` of `n`, with a history of zxid 5 in epoch 1, looking for a leader since 0 ms, in round 1.
fn server(me: i64, n: i64, more: &str) -> Election {
    let mut election = Election::new(me, quorums(n, more), Options::default());
    election.start(0, history(5, 1));
    effects(&mut election);
    election
}

/// As [`server`], but the leader is 3, of an election in round 7 with zxid 5, established in epoch 2.
fn settled(me: i64, n: i64, more: &str) -> Election {
    let mut election = server(me, n, more);
    hear(&mut election, 0, 2, looking(vote(3, 5, 1), 7));
    hear(&mut election, 0, 3, looking(vote(3, 5, 1), 7));
    hear(&mut election, 0, 3, leading(vote(3, 5, 1), 7));
    hear(&mut election, 0, 2, following(vote(3, 5, 1), 7));
    election.tick(1000);
    effects(&mut election);
    assert_ne!(election.state(), ServerState::Looking);
    election.established(2);
    election
}
