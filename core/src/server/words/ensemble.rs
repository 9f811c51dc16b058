//! What members of an ensemble say besides. Source: `QuorumZooKeeperServer#dumpConf` and `#dumpMonitorValues`, `LeaderZooKeeperServer`,
//! `ObserverZooKeeperServer`, `StatCommand`.

use super::View;
use super::monitor::line;
use crate::config::EnsembleConfig;
use quorate_engine::member::{Doing, Standing};
use quorate_wire::Zxid;
use quorate_wire::quorum::membership::Address;
use std::fmt::{self, Write};

impl View<'_> {
    /// The last transaction; where there has been none in this epoch, where the epoch begins. Apache's leader shows that at once, as its followers do if
    /// they were there when it was established.
    pub(super) fn last_zxid(&self) -> Zxid {
        let begin = self.standing.as_ref().and_then(|standing| standing.begin);
        self.tree.last_zxid().max(begin.unwrap_or_default())
    }

    /// The last line of `srvr` at a leader.
    pub(super) fn proposal_sizes(&self, out: &mut String) -> fmt::Result {
        let Some(lead) = self.standing.as_ref().and_then(|standing| standing.leading) else {
            return Ok(());
        };
        let [last, min, max] = sizes(lead.proposals.sizes);
        writeln!(out, "Proposal sizes last/min/max: {last}/{min}/{max}")
    }

    /// The lines of `mntr`.
    pub(super) fn of_ensemble(&self, out: &mut String) -> fmt::Result {
        // As in Apache, who has no leader does not show that it is a member.
        let Some(standing) = self.standing.as_ref().filter(|it| it.doing != Doing::Looking) else {
            return Ok(());
        };
        let state = match standing.doing {
            Doing::Leading => "leading",
            Doing::Observing => "observing",
            Doing::Following | Doing::Looking => "following",
        };
        line(out, "peer_state", format_args!("{state} - broadcast"))?;
        line(out, "quorum_size", standing.membership.voters().count())?;
        if standing.doing == Doing::Observing
            && let Some(leader) = standing.leader
        {
            line(out, "observer_master_id", leader)?;
        }
        let Some(lead) = standing.leading else { return Ok(()) };
        line(out, "learners", lead.following.learners)?;
        line(out, "synced_followers", lead.following.followers)?;
        line(out, "synced_non_voting_followers", lead.following.non_voting)?;
        line(out, "synced_observers", lead.following.observers)?;
        line(out, "pending_syncs", lead.pending_syncs)?;
        let [last, min, max] = sizes(lead.proposals.sizes);
        line(out, "last_proposal_size", last)?;
        line(out, "min_proposal_size", min)?;
        line(out, "max_proposal_size", max)
    }

    /// The lines of `conf`, the first of which a server alone has as well.
    pub(super) fn conf_of_ensemble(&self, out: &mut String) -> fmt::Result {
        let (Some(standing), Some(ensemble)) = (&self.standing, &self.facts.config.ensemble) else {
            return writeln!(out, "serverId=0");
        };
        writeln!(out, "serverId={}", standing.me)?;
        told(ensemble, standing, out)?;
        if standing.doing == Doing::Looking {
            return Ok(());
        }
        // The space is Apache's, and so is that the last line does not end.
        write!(out, "membership: \n{}", standing.membership)
    }
}

/// What a member was told about its ensemble.
fn told(ensemble: &EnsembleConfig, standing: &Standing<'_>, out: &mut String) -> fmt::Result {
    let own = standing.membership.servers.get(&standing.me);
    let ports = |port: fn(&Address) -> u16| {
        let ports = own.into_iter().flat_map(|server| &server.addresses).map(port);
        ports.map(|port| port.to_string()).collect::<Vec<_>>().join("|")
    };
    writeln!(out, "initLimit={}", ensemble.init_limit)?;
    writeln!(out, "syncLimit={}", ensemble.sync_limit)?;
    writeln!(out, "electionAlg={FAST_LEADER_ELECTION}")?;
    writeln!(out, "electionPort={}", ports(|address| address.election_port))?;
    writeln!(out, "quorumPort={}", ports(|address| address.quorum_port))?;
    writeln!(out, "peerType={}", u8::from(!standing.membership.is_voter(standing.me)))
}

/// The last, the smallest and the largest size; Apache has -1 where there is none.
fn sizes(seen: Option<(usize, usize, usize)>) -> [i64; 3] {
    let size = |size: usize| i64::try_from(size).unwrap_or(i64::MAX);
    seen.map_or([-1; 3], |(last, min, max)| [size(last), size(min), size(max)])
}

/// The only one that is left.
const FAST_LEADER_ELECTION: u8 = 3;
