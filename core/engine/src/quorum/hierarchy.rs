//! Groups and weights: more than half of the weight in more than half of the groups. Source: `QuorumHierarchical`.
//!
//! Groups whose weight is 0 do not count. Servers of weight 0 help nobody to a quorum.

use quorate_wire::quorum::Membership;

/// The groups of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    /// Those that count.
    groups: Vec<Group>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    /// Its voters with a weight, the heaviest first.
    members: Vec<(i64, i64)>,
    weight: i128,
}

impl Hierarchy {
    pub(super) fn new(membership: &Membership) -> Self {
        let weight = |sid: i64| membership.weights.get(&sid).copied().unwrap_or(1);
        let group = |sids: &std::collections::BTreeSet<i64>| {
            let voters = sids.iter().filter(|&&sid| membership.is_voter(sid));
            let weighted = voters.map(|&sid| (sid, weight(sid)));
            let mut members: Vec<(i64, i64)> = weighted.filter(|&(_, weight)| weight > 0).collect();
            members.sort_by_key(|&(_, weight)| std::cmp::Reverse(weight));
            Group { weight: members.iter().map(|&(_, weight)| i128::from(weight)).sum(), members }
        };
        let groups = membership.groups.values().map(group);
        Self { groups: groups.filter(|group| group.weight > 0).collect() }
    }

    pub(super) fn is_quorum(&self, has: impl Fn(i64) -> bool) -> bool {
        let agreed = self.groups.iter().filter(|group| group.is_quorum(&has)).count();
        agreed > self.groups.len() / 2
    }

    /// Failures hurt most where a group falls with the fewest: groups are disjoint, so the cheapest ones fall first.
    pub(super) fn margin(&self, alive: impl Fn(i64) -> bool) -> Option<usize> {
        let mut costs: Vec<usize> =
            self.groups.iter().filter_map(|group| group.failures(&alive)).collect();
        // So many more groups may fall; with one more there is no quorum.
        let spare = costs.len().checked_sub(self.groups.len() / 2 + 1)?;
        costs.sort_unstable();
        let fatal: usize = costs.iter().take(spare + 1).sum();
        fatal.checked_sub(1)
    }

    pub(super) fn weight(&self, sid: i64) -> i64 {
        let mut members = self.groups.iter().flat_map(|group| &group.members);
        members.find(|member| member.0 == sid).map_or(0, |member| member.1)
    }
}

impl Group {
    fn is_quorum(&self, has: impl Fn(i64) -> bool) -> bool {
        self.weight_of(has) > self.weight / 2
    }

    fn weight_of(&self, has: impl Fn(i64) -> bool) -> i128 {
        self.members.iter().filter(|member| has(member.0)).map(|member| i128::from(member.1)).sum()
    }

    /// How many of the living must fail to take the group its quorum; nothing if it has none anyhow.
    fn failures(&self, alive: impl Fn(i64) -> bool) -> Option<usize> {
        let mut left = self.weight_of(&alive);
        if left <= self.weight / 2 {
            return None;
        }
        let mut failed = 0;
        for member in self.members.iter().filter(|member| alive(member.0)) {
            left -= i128::from(member.1);
            failed += 1;
            if left <= self.weight / 2 {
                break;
            }
        }
        Some(failed)
    }
}
