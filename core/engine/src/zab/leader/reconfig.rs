//! Reconfiguration: from its proposal on, two configurations decide together; with its commit, the new one alone.
//!
//! Every quorum of the old configuration has a server in common with those that commit the reconfiguration, and so has every quorum of the new
//! one; so neither can decide anything without knowing of it. If this server is none that should lead under the new configuration, it
//! commits nothing more: the server that it names goes on with what is in its log.
//!
//! Source: `Leader#tryToCommit`, `#getDesignatedLeader`, `#lead`, `#startZkServer`; Shraer, Reed, Malkhi and Junqueira, "Dynamic Reconfiguration of
//! Primary/Backup Clusters" (2012).

use super::peer::Stage;
use super::{Leader, Phase};
use crate::zab::{Entry, LeaderEffect, Leaving, Sid};
use quorate_wire::Zxid;
use quorate_wire::quorum::Membership;
use std::cmp::Reverse;
use std::sync::Arc;

impl Leader {
    /// The first established configuration gets the version of its epoch, so that it is newer than what a server that joins was
    /// started with (ZOOKEEPER-1783).
    pub(super) fn give_config_a_version(&mut self) {
        if self.config.reconfig && self.quorums.last_seen().version == 0 {
            let version = self.start().0;
            self.see(Membership { version, ..self.quorums.committed().clone() });
        }
    }

    /// What a learner goes by that is given the history now: before the epoch is established, what is established with it. Afterwards
    /// what is committed; a reconfiguration that is under way comes as a proposal.
    pub(super) fn config_to_adopt(&self) -> Arc<str> {
        let config = match self.phase {
            Phase::Broadcast | Phase::HandingOver => self.quorums.committed(),
            _ => self.quorums.last_seen(),
        };
        config.to_string().into()
    }

    /// The epoch is established, and with it the configuration that was under way. Returns whether this server goes on leading.
    pub(super) fn settle_config(&mut self) -> bool {
        let Some(membership) = self.quorums.pending().cloned().filter(|_| self.config.reconfig)
        else {
            return true;
        };
        let leads = self.next_leader(Zxid::ZERO) == self.config.me;
        self.take_config(membership, self.start(), self.config.me);
        leads
    }

    /// Takes note of a reconfiguration that is proposed.
    pub(super) fn look_for_config(&mut self, entry: &Entry) {
        if self.config.reconfig
            && let Some(membership) = entry.membership()
        {
            self.see(membership);
        }
    }

    fn see(&mut self, membership: Membership) {
        self.quorums.see(membership.clone());
        self.count_voters();
        self.out.push(LeaderEffect::SawConfig(membership));
    }

    /// The configuration that is this transaction.
    pub(super) fn pending_since(&self, zxid: Zxid) -> Option<Membership> {
        self.quorums.pending().filter(|pending| pending.version == zxid.0).cloned()
    }

    /// Goes by the new configuration alone.
    pub(super) fn take_config(&mut self, membership: Membership, zxid: Zxid, leader: Sid) {
        self.quorums.commit(membership.clone());
        self.count_voters();
        self.out.push(LeaderEffect::Activate(membership, zxid, leader));
    }

    /// Who should lead under the configuration that is under way: this server, if it votes there and is to be found where it was; else who has
    /// acknowledged the most of those that have acknowledged this.
    pub(super) fn next_leader(&self, zxid: Zxid) -> Sid {
        let me = self.config.me;
        let quorum_address = |of: &Membership| {
            let server = of.servers.get(&me)?;
            Some(server.addresses.iter().map(|address| address.quorum()).collect::<Vec<_>>())
        };
        let (now, next) = (self.quorums.committed(), self.quorums.last_seen());
        let stays = quorum_address(now) == quorum_address(next);
        if self.quorums.may_lead_next(me) && stays {
            return me;
        }
        let fit = self.peers.values().filter(|peer| {
            let holds = peer.stage >= Stage::Synced && peer.acked >= zxid;
            peer.follows() && holds && self.quorums.may_lead_next(peer.sid)
        });
        let best = fit.max_by_key(|peer| (peer.acked, Reverse(peer.sid)));
        // A quorum has acknowledged it, so there is one.
        best.map_or(me, |peer| peer.sid)
    }

    /// Commits nothing more, and waits until the others have heard why.
    pub(super) fn hand_over(&mut self, now: i64) {
        self.enter(Phase::HandingOver, now);
        self.phase_ends = now.saturating_add(self.config.ping_interval);
        self.followers_changed();
    }

    /// Whose acknowledgements count may be another question now.
    fn count_voters(&mut self) {
        for peer in self.peers.values_mut() {
            peer.counts = peer.follows() && self.quorums.is_voter(peer.sid);
        }
    }

    /// Others follow than before. Who hands over ends when nobody does any more: all have heard who leads next.
    pub(super) fn followers_changed(&mut self) {
        match self.phase {
            Phase::Broadcast => {
                let active = self.peers.values().filter(|peer| peer.stage == Stage::Active);
                let followers = active.filter(|peer| peer.follows()).map(|peer| peer.sid).collect();
                self.out.push(LeaderEffect::Followers(followers));
            }
            Phase::HandingOver if self.peers.is_empty() => self.leave(Leaving::Reconfigured),
            _ => {}
        }
    }
}
