//! Which sets of servers may decide.
//!
//! A [`Verifier`] is the rule of one configuration: the majority of all voters, or groups with weights. [`Quorums`] is what a server
//! goes by: the committed configuration and, while a reconfiguration is under way, also the one it has last seen; a set decides only if
//! it does by both. Every two sets that may decide have a server in common: that is what elections, epochs and
//! commits rely on. Acknowledgements of servers that do not vote in a configuration count for nothing in it.
//!
//! Source: `org.apache.zookeeper.server.quorum.flexible`, `SyncedLearnerTracker`.

mod hierarchy;
mod majority;
mod misfit;
#[cfg(test)]
mod tests;
mod weakness;

use hierarchy::Hierarchy;
use majority::Majority;
use quorate_wire::quorum::Membership;

pub use misfit::Misfit;
pub use weakness::Weakness;

/// The rule of one configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verifier {
    /// More than half of the voters.
    Majority(Majority),
    /// More than half of the weight in more than half of the groups.
    Hierarchy(Hierarchy),
}

impl Verifier {
    /// The rule of a configuration.
    #[must_use]
    pub fn new(membership: &Membership) -> Self {
        if membership.is_hierarchical() {
            Self::Hierarchy(Hierarchy::new(membership))
        } else {
            Self::Majority(Majority::new(membership))
        }
    }

    /// Whether the voters of which `has` is true may decide. It is asked about voters only, in no particular order.
    #[must_use]
    pub fn is_quorum(&self, has: impl Fn(i64) -> bool) -> bool {
        match self {
            Self::Majority(rule) => rule.is_quorum(has),
            Self::Hierarchy(rule) => rule.is_quorum(has),
        }
    }

    /// How many of the voters of which `alive` is true can fail, whichever they are, so that the rest still may decide. Nothing
    /// if not even all of them may.
    #[must_use]
    pub fn margin(&self, alive: impl Fn(i64) -> bool) -> Option<usize> {
        match self {
            Self::Majority(rule) => rule.margin(alive),
            Self::Hierarchy(rule) => rule.margin(alive),
        }
    }

    /// How many failures the ensemble survives when all voters are up.
    #[must_use]
    pub fn survives(&self) -> usize {
        self.margin(|_| true).unwrap_or(0)
    }
}

/// The configurations that a server goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorums {
    committed: Config,
    pending: Option<Config>,
}

/// A configuration with its rule.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Config {
    membership: Membership,
    verifier: Verifier,
}

impl Config {
    fn new(membership: Membership) -> Self {
        Self { verifier: Verifier::new(&membership), membership }
    }

    fn may_lead(&self, sid: i64) -> bool {
        self.membership.is_voter(sid)
            && match &self.verifier {
                Verifier::Majority(_) => true,
                Verifier::Hierarchy(rule) => rule.weight(sid) > 0,
            }
    }
}

impl Quorums {
    /// Begins with a committed configuration and no reconfiguration under way.
    #[must_use]
    pub fn new(committed: Membership) -> Self {
        Self { committed: Config::new(committed), pending: None }
    }

    /// Takes note of a configuration that was proposed. One that is not newer than the committed one is none of interest; the last
    /// one replaces those before.
    pub fn see(&mut self, membership: Membership) {
        if membership.version > self.committed.membership.version {
            self.pending = Some(Config::new(membership));
        }
    }

    /// Goes by what a leader has seen last: a newer configuration than the committed one, or none. What was proposed by another leader
    /// and is not among what this one has is no more.
    pub fn follow(&mut self, membership: Membership) {
        self.pending = None;
        self.see(membership);
    }

    /// Makes a configuration the committed one. A proposed one that is newer stays. Returns whether anything changed; a
    /// configuration that is not newer than the committed one changes nothing.
    pub fn commit(&mut self, membership: Membership) -> bool {
        if membership.version <= self.committed.membership.version {
            return false;
        }
        self.pending.take_if(|pending| pending.membership.version <= membership.version);
        self.committed = Config::new(membership);
        true
    }

    /// The committed configuration.
    #[must_use]
    pub const fn committed(&self) -> &Membership {
        &self.committed.membership
    }

    /// The proposed configuration, as long as it is newer than the committed one.
    #[must_use]
    pub fn pending(&self) -> Option<&Membership> {
        self.pending.as_ref().map(|config| &config.membership)
    }

    /// The newest configuration: the proposed one if there is one, else the committed one.
    #[must_use]
    pub fn last_seen(&self) -> &Membership {
        self.pending().unwrap_or_else(|| self.committed())
    }

    /// Whether the servers of which `has` is true may decide, by every configuration that counts.
    #[must_use]
    pub fn is_quorum(&self, has: impl Fn(i64) -> bool) -> bool {
        self.configs().all(|config| config.verifier.is_quorum(&has))
    }

    /// Whether a server votes in a configuration that counts.
    #[must_use]
    pub fn is_voter(&self, sid: i64) -> bool {
        self.configs().any(|config| config.membership.is_voter(sid))
    }

    /// Whether a configuration that counts knows a server.
    #[must_use]
    pub fn is_member(&self, sid: i64) -> bool {
        self.configs().any(|config| config.membership.servers.contains_key(&sid))
    }

    /// All servers that vote in a configuration that counts, in ascending order, each once.
    pub fn voters(&self) -> impl Iterator<Item = i64> + '_ {
        let committed = self.committed.membership.voters();
        let added = self.pending().into_iter().flat_map(Membership::voters);
        let mut all: Vec<i64> = committed
            .chain(added.filter(|&sid| !self.committed.membership.is_voter(sid)))
            .collect();
        all.sort_unstable();
        all.into_iter()
    }

    /// Whether a voter may be elected: servers of weight 0 follow and never lead. The committed configuration says so; where it does not
    /// know the server, the proposed one.
    #[must_use]
    pub fn may_lead(&self, sid: i64) -> bool {
        let config = self.configs().find(|config| config.membership.is_voter(sid));
        config.is_some_and(|config| config.may_lead(sid))
    }

    /// Whether a server may lead once the newest configuration is the committed one.
    #[must_use]
    pub fn may_lead_next(&self, sid: i64) -> bool {
        self.configs().last().is_some_and(|config| config.may_lead(sid))
    }

    /// How many of the servers of which `alive` is true can fail, whichever they are, so that the rest still may decide.
    #[must_use]
    pub fn margin(&self, alive: impl Fn(i64) -> bool) -> Option<usize> {
        let margins = self.configs().map(|config| config.verifier.margin(&alive));
        // Nothing is less than any number: a configuration without a quorum decides.
        margins.min().flatten()
    }

    fn configs(&self) -> impl Iterator<Item = &Config> {
        [&self.committed].into_iter().chain(&self.pending)
    }
}
