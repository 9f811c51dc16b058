//! Real leaders and real learners: history, trees, and both at once.

use super::LIMITS;
use super::party::{Party, set};

#[test]
fn a_thousand_proposals_are_committed_everywhere() {
    let mut party = Party::new(0, 0, LIMITS);
    [2, 3, 4].into_iter().for_each(|sid| party.join(sid));
    party.until("broadcast", |party| party.members.iter().all(|member| member.is_serving()));
    for size in (0..100).map(|n| 1 << (n % 15)) {
        party.propose(10, size);
        party.round();
    }
    party.until("everything is applied", Party::is_even);
    assert_eq!(party.chief.engine.committed().counter(), 1000);
    assert!(party.members.iter().all(|member| member.trees == 0), "there was no need for trees");
    party.assert_same_trees();
}

/// Nodes change and come while the tree is on its way, many of them before the walk has reached them.
#[test]
fn a_big_tree_comes_while_proposals_go_on() {
    const NODES: usize = 100_000;
    let mut party = Party::new(NODES, 100, LIMITS);
    party.join(2);
    party.until("a follower by SNAP", |party| party.members[0].is_serving());
    party.join(3);
    let before = party.chief.engine.next_zxid();
    let mut proposed = 0;
    party.until("the tree has begun", |party| party.members[1].link.received() > 10_000);
    while !party.members[1].is_serving() {
        let nodes = NODES - proposed;
        party.propose_each(3, |zxid| {
            let n = zxid.0.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15) % nodes as u64;
            set(format!("/n{n}"), b"changed")
        });
        party.propose(1, 50);
        party.round();
        proposed += 4;
    }
    assert!(proposed > 40, "{proposed} proposals while the tree was on its way");
    party.until("everything is applied", Party::is_even);
    assert!(party.chief.engine.committed() >= before, "the others went on");
    assert_eq!([party.members[0].trees, party.members[1].trees], [1, 1]);
    party.assert_same_trees();
}

#[test]
fn trees_go_to_several_learners_at_once() {
    let mut party = Party::new(10_000, 200, LIMITS);
    party.join(2);
    party.join(3);
    party.until("followers", |party| party.members.iter().all(|member| member.is_serving()));
    party.join(4);
    party.join(5);
    let mut together = false;
    while !party.members.iter().all(|member| member.is_serving()) {
        party.propose(2, 10);
        party.round();
        let begun = |n: usize| party.members[n].link.received() > 1000;
        let ended = |n: usize| party.members[n].trees > 0;
        together |= begun(2) && begun(3) && !ended(2) && !ended(3);
    }
    assert!(together, "both were on their way at one time");
    party.until("everything is applied", Party::is_even);
    party.assert_same_trees();
}
