//! Who votes in the ensemble, and which of them serve.
//!
//! A membership that every serving member has told (`conf`) is taken as it is, with groups and weights. Otherwise voters are counted: as many as
//! a member says (`mntr`), or those that were asked and do not observe. A server that cannot be reached counts as a voter: better too
//! worried than too calm.

use super::answers::{Place, Role};
use super::survey::Sighting;
use quorate::config::membership::{self, Address, Membership, Server};
use quorate::config::{EnsembleConfig, Weakness};
use std::collections::BTreeSet;

/// The voters of an ensemble, as far as they are known.
#[derive(Debug)]
pub(crate) struct Voters {
    /// Of its settings only the members matter.
    ensemble: EnsembleConfig,
    serving: BTreeSet<i64>,
    /// Servers that were asked and may be voters, and do not serve.
    absent: usize,
    /// Whether their number is only what it seems.
    pub(crate) guessed: bool,
    /// Whether there is no ensemble: only a server, or several, that are standalone.
    pub(crate) alone: bool,
}

impl Voters {
    pub(super) fn of(sightings: &[Sighting]) -> Self {
        let of = |role: fn(Option<Role>) -> bool| {
            sightings.iter().filter(|seen| role(seen.role())).count()
        };
        let serving = of(|role| role.is_some_and(Role::is_serving_voter));
        let standalone = of(|role| role == Some(Role::Standalone));
        let absent =
            of(|role| matches!(role, None | Some(Role::Looking | Role::ReadOnly | Role::Unknown)));
        if standalone > 0 && standalone == sightings.len() {
            return Self::anonymous(1, 1, 0, true);
        }
        if let Some(membership) = membership_of(sightings) {
            let serving = serving_places(sightings).map(|place| place.id).collect();
            let ensemble = EnsembleConfig::new(0, membership);
            return Self { ensemble, serving, absent, guessed: false, alone: false };
        }
        let told = sightings.iter().filter_map(|seen| {
            let found = seen.found.as_ref().ok()?;
            let place = found.place.as_ref().map(|place| place.membership.voters().count());
            place.max(found.figures.as_ref()?.voters)
        });
        match told.max() {
            Some(told) => Self::anonymous(told.max(serving), serving, absent, false),
            None => {
                // Who follows has a leader: if all were asked and nobody leads, somebody was not asked.
                let leads = of(|role| role == Some(Role::Leader)) > 0;
                let hidden = usize::from(serving > 0 && absent == 0 && !leads);
                let voters = serving.saturating_add(absent).saturating_add(hidden);
                Self { guessed: true, ..Self::anonymous(voters, serving, absent, false) }
            }
        }
    }

    /// So many voters, of whom no more than their number is known.
    fn anonymous(voters: usize, serving: usize, absent: usize, alone: bool) -> Self {
        let mut membership = Membership::default();
        for sid in (1..).take(voters) {
            let server = Server::new(Address::new("", 0, 0), membership::Role::Participant);
            membership.servers.insert(sid, server);
        }
        let serving = (1..).take(serving).collect();
        Self {
            ensemble: EnsembleConfig::new(0, membership),
            serving,
            absent,
            guessed: false,
            alone,
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.ensemble.membership.voters().count()
    }

    /// How many of them were seen to lead or to follow.
    pub(crate) fn serving(&self) -> usize {
        self.ensemble.membership.voters().filter(|sid| self.serving.contains(sid)).count()
    }

    /// How many of them are not among the servers that were asked.
    pub(crate) fn unasked(&self) -> usize {
        self.count().saturating_sub(self.serving()).saturating_sub(self.absent)
    }

    /// How many of those that serve may fail; nothing if they are no quorum.
    pub(crate) fn margin(&self) -> Option<usize> {
        self.ensemble.margin(|sid| self.serving.contains(&sid))
    }

    /// How many failures the ensemble survives when all are up.
    pub(crate) fn survives(&self) -> usize {
        self.ensemble.survives()
    }

    pub(crate) fn weakness(&self) -> Option<Weakness> {
        self.ensemble.weakness()
    }
}

/// The places of those who lead or follow, as far as they tell them.
fn serving_places(sightings: &[Sighting]) -> impl Iterator<Item = &Place> {
    let serving = sightings.iter().filter(|seen| seen.role().is_some_and(Role::is_serving_voter));
    serving.filter_map(|seen| seen.found.as_ref().ok()?.place.as_ref())
}

/// The newest membership, if all who lead or follow tell their place in one.
fn membership_of(sightings: &[Sighting]) -> Option<Membership> {
    let serving = sightings.iter().filter(|seen| seen.role().is_some_and(Role::is_serving_voter));
    if serving.count() != serving_places(sightings).count() {
        return None;
    }
    let newest = serving_places(sightings).max_by_key(|place| place.membership.version)?;
    Some(newest.membership.clone())
}
