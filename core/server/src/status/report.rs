//! From what was learnt of each server to the state of the ensemble.

use super::answers::{Brief, Role};
use super::survey::{Found, Sighting};
use super::voters::Voters;

/// The state of an ensemble.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    pub(crate) voters: Voters,
    pub(crate) writes: Writes,
    /// The address of the leader, if it was seen.
    pub(crate) leader: Option<String>,
    pub(crate) warnings: Vec<String>,
    /// What could not be learnt, and why.
    pub(crate) unknown: Vec<String>,
}

/// One server.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) address: String,
    pub(crate) found: Result<Found, String>,
    /// Transactions that the leader shows and this one does not; known within the leader's epoch.
    pub(crate) lag: Option<i64>,
}

/// Whether the ensemble takes writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writes {
    /// And so many more voters may fail, whichever they are.
    Yes {
        margin: usize,
    },
    /// Who serves says so, but too few were asked to tell how long.
    Likely,
    No,
}

/// What matters of all this to somebody who has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// Everybody serves.
    Whole,
    /// Writes go on, and somebody is missing or was not asked.
    Impaired,
    /// Nobody takes writes.
    Stuck,
}

impl Report {
    pub(crate) fn of(sightings: Vec<Sighting>) -> Self {
        let leader = leader(&sightings);
        let newest = leader.and_then(brief).and_then(|brief| brief.zxid);
        let voters = Voters::of(&sightings);
        let report = Self {
            writes: writes(&voters, leader.is_some()),
            leader: leader.map(|seen| seen.address.clone()),
            warnings: warnings(&sightings, &voters),
            unknown: unknown(&sightings, &voters),
            voters,
            rows: Vec::new(),
        };
        let row = |seen: Sighting| {
            let own = brief(&seen).and_then(|brief| brief.zxid);
            let both = newest.zip(own).filter(|(leader, own)| leader.epoch() == own.epoch());
            // It may have been asked a moment after the leader.
            let lag = both.map(|(leader, own)| (leader.counter() - own.counter()).max(0));
            Row { address: seen.address, found: seen.found, lag }
        };
        Self { rows: sightings.into_iter().map(row).collect(), ..report }
    }

    pub(crate) fn health(&self) -> Health {
        let serves = |row: &Row| row.found.as_ref().is_ok_and(|found| found.brief.role.serves());
        match self.writes {
            Writes::No => Health::Stuck,
            Writes::Yes { .. } if self.rows.iter().all(serves) && self.voters.unasked() == 0 => {
                Health::Whole
            }
            Writes::Yes { .. } | Writes::Likely => Health::Impaired,
        }
    }
}

/// Who leads: of several who say so, the one that has come furthest.
fn leader(sightings: &[Sighting]) -> Option<&Sighting> {
    let leaders = sightings.iter().filter(|seen| seen.role() == Some(Role::Leader));
    leaders.max_by_key(|seen| brief(seen).and_then(|brief| brief.zxid))
}

fn brief(seen: &Sighting) -> Option<&Brief> {
    seen.found.as_ref().ok().map(|found| &found.brief)
}

fn writes(voters: &Voters, leads: bool) -> Writes {
    match voters.margin() {
        Some(margin) if leads || voters.alone => Writes::Yes { margin },
        // Who follows has a leader, and a leader has a quorum: it is among those that were not asked.
        _ if voters.serving() > 0 && voters.unasked() > 0 => Writes::Likely,
        _ => Writes::No,
    }
}

fn warnings(sightings: &[Sighting], voters: &Voters) -> Vec<String> {
    let mut warnings = Vec::new();
    let of_role = |wanted: Role| {
        let them = sightings.iter().filter(move |seen| seen.role() == Some(wanted));
        them.map(|seen| seen.address.as_str()).collect::<Vec<_>>()
    };
    let leaders = of_role(Role::Leader);
    if leaders.len() > 1 {
        warnings.push(format!(
            "{} say that they lead: they are of different ensembles, or one of them has not found out yet that it is cut off",
            leaders.join(" and ")
        ));
    }
    let single = of_role(Role::Standalone);
    if !single.is_empty() && sightings.len() > 1 {
        warnings.push(format!("standalone, a member of no ensemble: {}", single.join(", ")));
    }
    if voters.alone {
        warnings.push(
            "a server that is alone survives no failure; an ensemble of 3 survives one".to_owned(),
        );
    } else {
        warnings.extend(voters.weakness().map(|weakness| weakness.to_string()));
    }
    warnings
}

fn unknown(sightings: &[Sighting], voters: &Voters) -> Vec<String> {
    let mut unknown = Vec::new();
    let silent: Vec<&str> = sightings
        .iter()
        .filter(|seen| seen.found.as_ref().is_ok_and(|found| found.unlisted.contains(&"mntr")))
        .map(|seen| seen.address.as_str())
        .collect();
    if !silent.is_empty() {
        unknown.push(format!(
            "sessions and watches of {}: mntr is not in 4lw.commands.whitelist there",
            silent.join(", ")
        ));
    }
    if voters.guessed && !voters.alone {
        unknown.push(format!(
            "how many voters there are: no member could be asked mntr or conf; {} is the number of those asked that do not \
             say that they observe",
            voters.count()
        ));
    }
    if voters.unasked() > 0 {
        unknown.push(format!(
            "whether {} more of the {} voters serve: they are not among the servers asked, and count as failed",
            voters.unasked(),
            voters.count()
        ));
    }
    unknown
}
