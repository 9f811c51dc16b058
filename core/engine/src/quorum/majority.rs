//! The plain rule: more than half of the voters. Source: `QuorumMaj`.

use quorate_wire::quorum::Membership;

/// The voters of a configuration without groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Majority {
    voters: Vec<i64>,
}

impl Majority {
    pub(super) fn new(membership: &Membership) -> Self {
        Self { voters: membership.voters().collect() }
    }

    pub(super) fn is_quorum(&self, has: impl Fn(i64) -> bool) -> bool {
        self.margin(has).is_some()
    }

    pub(super) fn margin(&self, alive: impl Fn(i64) -> bool) -> Option<usize> {
        let alive = self.voters.iter().filter(|&&sid| alive(sid)).count();
        alive.checked_sub(self.voters.len() / 2 + 1)
    }
}
