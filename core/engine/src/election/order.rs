//! Which of two votes is better, and which two say the same.

use quorate_wire::quorum::{Ballot, ServerState, Vote};

/// Whether `new` is to be preferred to `current`: the later epoch, then the longer history, then the larger id. The caller knows whether the leader of `new` may
/// lead at all. Source: `FastLeaderElection#totalOrderPredicate`.
#[must_use]
pub fn beats(new: &Vote, current: &Vote) -> bool {
    (new.epoch, new.zxid, new.leader) > (current.epoch, current.zxid, current.leader)
}

/// Whether two ballots stand for the same leader. As long as one of them is a vote in an election, they must be the same vote of the same
/// round. Servers that have a leader may have learnt of it in different rounds: then the leader and its epoch decide, and the leader alone where only
/// one of them knows epochs (version 0 does not). Source: `Vote#equals`, ZOOKEEPER-1732 and 1805.
#[must_use]
pub fn agree(a: &Ballot, b: &Ballot) -> bool {
    if a.state == ServerState::Looking || b.state == ServerState::Looking {
        a.vote == b.vote && a.round == b.round
    } else if (a.version > 0) != (b.version > 0) {
        a.vote.leader == b.vote.leader
    } else {
        a.vote.leader == b.vote.leader && a.vote.epoch == b.vote.epoch
    }
}
