//! Learners that take less than they are sent.

use super::super::{Limits, Loss};
use super::LIMITS;
use super::party::{Party, set};

const QUEUE: usize = 1 << 20;
const SMALL: Limits = Limits { queue: QUEUE, ..LIMITS };

/// A party of which all are up to date, whose last member does not read any more.
fn with_sleeper(nodes: usize, bytes: usize) -> Party {
    let mut party = Party::new(nodes, bytes, SMALL);
    [2, 3, 4].into_iter().for_each(|sid| party.join(sid));
    party.until("broadcast", |party| party.members.iter().all(|member| member.is_serving()));
    party.members[2].sleeps = true;
    party
}

fn assert_closed_at_the_limit(party: &Party) {
    let [(key, Loss::Behind { queued, limit: QUEUE })] = party.chief.gone[..] else {
        panic!("{:?}", party.chief.gone)
    };
    assert!((QUEUE..QUEUE + (128 << 10)).contains(&queued), "{queued}");
    assert_eq!(party.chief.connected.last(), Some(&key));
    assert!(party.chief.closed.is_empty(), "nobody else was closed: {:?}", party.chief.closed);
}

#[test]
fn whoever_does_not_read_is_closed_at_the_limit_and_the_others_go_on() {
    let mut party = with_sleeper(0, 0);
    let mut rounds = 0;
    while party.chief.gone.is_empty() {
        party.propose(1, 100_000);
        party.until("the others go on", Party::is_even);
        rounds += 1;
        assert!(rounds < 1000, "{rounds} times 100 kB are waiting somewhere");
    }
    assert_closed_at_the_limit(&party);
    party.propose(100, 100);
    party.until("the others go on", Party::is_even);
    party.assert_same_trees();
    party.members[2].sleeps = false;
    party.until("it notices", |party| party.members[2].gone.is_some());
}

/// The tree itself counts for nothing; what has to be kept because it is not read does.
#[test]
fn a_tree_that_is_not_read_does_not_grow_without_bounds() {
    const NODES: usize = 10_000;
    let mut party = Party::new(NODES, 1000, SMALL);
    [2, 3].into_iter().for_each(|sid| party.join(sid));
    party.until("broadcast", |party| party.members.iter().all(|member| member.is_serving()));
    party.join(4);
    party.until("the tree has begun", |party| party.members[2].link.received() > 100);
    party.members[2].sleeps = true;
    let mut changed = 0;
    while party.chief.gone.is_empty() {
        assert!(changed < NODES, "every node was copied");
        // From the end, where the walk comes last.
        let n = NODES - 1 - changed;
        party.propose_each(1, |_| set(format!("/n{n}"), b"changed"));
        party.until("the others go on", Party::is_even);
        changed += 1;
    }
    assert_closed_at_the_limit(&party);
    // About 1.1 kB of a node and 0.2 kB of messages.
    assert!((500..1100).contains(&changed), "{changed}");
    party.assert_same_trees();
}
