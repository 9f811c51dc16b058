//! The captured connections between Apache's servers, replayed against our engines: each side of each is played to the other
//! role of ours, which has to say what Apache's said, but for what is listed here with its reason.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the helpers of a test fail as the test does"
)]

mod capture;
mod leader;
mod learner;

use capture::{Captured, connections, record, txn_of};
use leader::{ALL_OF_IT, ASKED_FIRST, Differences, NO_ACTIVATION, NO_CUT};
use quorate_engine::tree::Tree;
use quorate_engine::zab::message::{Features, LearnerKind};
use quorate_engine::zab::{ToLeader, ToLearner, start_of};
use quorate_wire::Zxid;
use std::collections::BTreeSet;

#[test]
fn our_learners_answer_apaches_leaders() {
    let (mut played, mut compared, mut said) = (0, 0, Said::default());
    for captured in connections() {
        let machine = learner::play(&captured);
        assert_eq!(machine.serves, Some(captured.epoch()), "{}", captured.name);
        assert_same_words(&captured, &machine.said, &mut said);
        assert_same_history(&captured, &machine);
        compared += machine.compared;
        said.reconfigurations += machine.activated.len();
        said.syncs += machine.answers.0;
        said.revalidations += machine.answers.1;
        played += 1;
    }
    let expected = Said {
        acks_of_diff: 3,
        after_the_end: 5,
        asked: 12,
        reconfigurations: 12,
        syncs: 1,
        revalidations: 1,
    };
    assert_eq!((played, compared, said), (12, 99, expected));
}

/// What is different, or must not be missing.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    /// Apache 3.8 acknowledges the transactions of a DIFF again, one by one, after the epoch; 3.9.3 and we do not: the leader
    /// ignores it, they are committed.
    acks_of_diff: usize,
    /// Answers to the last messages, before which the captured server was stopped.
    after_the_end: usize,
    asked: usize,
    reconfigurations: usize,
    syncs: usize,
    revalidations: usize,
}

/// What our learner said is what the captured one did, kind by kind: Apache's writes from several threads, so that an ACK comes a
/// little later than the answer to a ping. But the beginning is in order, to the first ACK.
fn assert_same_words(captured: &Captured, ours: &[ToLeader], said: &mut Said) {
    let (name, start) = (&captured.name, start_of(captured.epoch()));
    let mut info = captured.up[0].clone();
    if let ToLeader::Info { features, .. } = &mut info {
        // What Apache's learners cannot say.
        *features = Features::OURS;
    }
    let beginning = [info, captured.up[1].clone(), ToLeader::Ack(start)];
    assert_eq!(ours[..3], beginning, "{name}");

    let committed = committed_in_diff(captured);
    let in_diff = |said: &&ToLeader| matches!(said, ToLeader::Ack(z) if committed.contains(z));
    said.acks_of_diff += captured.up.iter().filter(in_diff).count();
    let kinds: [fn(&ToLeader) -> bool; 3] = [
        |said| matches!(said, ToLeader::Ack(_)),
        |said| matches!(said, ToLeader::Ping(..)),
        |said| matches!(said, ToLeader::Request(_) | ToLeader::Revalidate { .. }),
    ];
    for is_kind in kinds {
        let theirs = captured.up.iter().filter(|said| is_kind(said) && !in_diff(said));
        let theirs: Vec<_> = theirs.map(in_order).collect();
        let ours: Vec<_> = ours.iter().filter(|said| is_kind(said)).map(in_order).collect();
        assert_eq!(ours[..theirs.len().min(ours.len())], theirs[..], "{name}");
        said.after_the_end += ours.len() - theirs.len();
    }
    said.asked += ours.iter().filter(|said| kinds[2](said)).count();
}

/// Apache's learners keep the sessions that they have heard of in a hash table.
fn in_order(said: &ToLeader) -> ToLeader {
    let mut said = said.clone();
    if let ToLeader::Ping(_, touched) = &mut said {
        touched.sort_unstable();
    }
    said
}

/// What was committed between DIFF and NEWLEADER.
fn committed_in_diff(captured: &Captured) -> BTreeSet<Zxid> {
    let sync = captured.messages().take_while(|m| !matches!(m, ToLearner::NewLeader(..)));
    let commits = sync.filter_map(|message| match message {
        ToLearner::Commit(zxid) => Some(*zxid),
        _ => None,
    });
    commits.collect()
}

/// The log is the captured history from where it begins, and the tree is the one after all of it.
fn assert_same_history(captured: &Captured, machine: &learner::Machine) {
    let name = &captured.name;
    let mut all = captured.before.clone();
    let txns = captured.messages().filter_map(txn_of);
    all.extend(txns.map(|entry| (entry.zxid(), entry.clone())));
    let (base, log) = machine.log();
    let expected: Vec<_> = all.range(base.next()..).map(|(_, entry)| entry.clone()).collect();
    assert_eq!(log, expected, "{name}");

    let mut tree = Tree::new(capture::TREE);
    all.values().for_each(|entry| _ = tree.apply(&record(entry), &mut ()));
    assert_eq!(machine.tree.digest(), tree.digest(), "{name}");
    assert_eq!(machine.tree.computed_digest(), tree.digest(), "{name}");
    assert_eq!(machine.tree.find("/alone"), None, "{name}: it was not cut");
}

#[test]
fn our_leaders_tell_apaches_learners_the_same() {
    let (mut played, mut left, mut differences) = (0, 0, Differences::new());
    for captured in connections() {
        let court = leader::play(&captured, Features::NONE);
        left += court.left_over();
        for (how, count) in court.differences {
            *differences.entry(how).or_default() += count;
        }
        played += 1;
    }
    let expected = [(ALL_OF_IT, 2), (ASKED_FIRST, 1), (NO_ACTIVATION, 12), (NO_CUT, 1)];
    assert_eq!((played, left, differences), (12, 0, expected.into()));
}

#[test]
fn a_learner_that_drops_snapshots_is_told_to_cut_as_apaches_was() {
    let mut all = connections().into_iter();
    let cut = |captured: &Captured| captured.messages().any(|m| matches!(m, ToLearner::Trunc(_)));
    let captured = all.find(cut).expect("a TRUNC");
    let court = leader::play(&captured, Features::OURS);
    assert_eq!(court.differences, Differences::new());
}

#[test]
fn every_kind_of_beginning_is_among_them() {
    let (mut kinds, mut late) = (BTreeSet::new(), 0);
    for captured in connections() {
        let observes = matches!(captured.up[0], ToLeader::Info { kind: LearnerKind::Observer, .. });
        let plan = match captured.messages().nth(1) {
            Some(ToLearner::Diff(_)) => "DIFF",
            Some(ToLearner::Trunc(_)) => "TRUNC",
            _ => "SNAP",
        };
        kinds.insert((observes, plan));
        late += usize::from(captured.late);
    }
    let expected = [(false, "DIFF"), (false, "SNAP"), (false, "TRUNC"), (true, "SNAP")];
    assert_eq!((kinds, late), (expected.into(), 6));
}
