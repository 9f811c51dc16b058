//! What a reconfiguration means for a member, whatever it does.
//!
//! Where reconfiguration is not enabled, each server goes by its own file, whatever others say.
//! Source: `QuorumPeer#processReconfig`, `#updateServerState`.

use super::{Effect, Member, Role};
use crate::prep::Ensemble;
use crate::quorum::Quorums;
use crate::replica::Replica;
use crate::tree::Tree;
use crate::zab::message::LearnerKind;
use crate::zab::{Leaving, Sid};
use quorate_wire::Zxid;
use quorate_wire::quorum::membership::{Address, Membership, Role as Part};
use quorate_wire::quorum::{ServerState, Vote};
use std::collections::BTreeSet;

impl Member {
    /// The configurations that it goes by.
    #[must_use]
    pub const fn quorums(&self) -> &Quorums {
        &self.quorums
    }

    /// Another member goes by a newer committed configuration, and this server looks for a leader.
    pub fn heard_of(&mut self, membership: Membership) {
        if matches!(self.role, Role::Looking) && self.is_reconfigurable() {
            self.take_config(membership);
        }
    }

    const fn is_reconfigurable(&self) -> bool {
        self.config.zab.reconfig
    }

    /// A configuration is proposed, and is about to be in the log.
    pub(super) fn saw_config(&mut self, membership: Membership) {
        if self.is_reconfigurable() {
            self.quorums.see(membership);
            self.remember_last_seen();
        }
    }

    /// The leader has seen this one last.
    pub(super) fn leader_config(&mut self, membership: Membership) {
        if are_strangers(self.quorums.committed(), &membership) {
            self.out.push(Effect::Strangers(membership.clone()));
        }
        if self.is_reconfigurable() && *self.quorums.last_seen() != membership {
            self.quorums.follow(membership);
            self.remember_last_seen();
        }
    }

    /// A proposed configuration is written down before it is logged, so it may be all that is left of a proposal. This server has not
    /// acknowledged that: if others made it the committed one, a quorum of the members before has it, without which nobody leads. It need
    /// not be kept, and must not: its new members may never have heard of it. Apache's servers keep it.
    pub(super) fn forget_unlogged_config(&mut self) {
        let last = self.durable.last_zxid();
        if self.quorums.pending().is_some_and(|pending| pending.version > last.0) {
            self.quorums.follow(self.quorums.committed().clone());
            self.remember_last_seen();
        }
    }

    fn remember_last_seen(&mut self) {
        self.out.push(Effect::SawConfig(self.quorums.pending().cloned()));
    }

    /// The leader is established with this configuration.
    pub(super) fn adopt_config(&mut self, membership: Membership) {
        if self.is_reconfigurable() && self.take_config(membership) && !self.keeps_part() {
            self.rest(Leaving::Reconfigured);
        }
    }

    /// A reconfiguration takes effect, under which this server should lead.
    pub(super) fn activate_config(&mut self, membership: Membership, zxid: Zxid, leader: Sid) {
        if !self.is_reconfigurable() || !self.take_config(membership.clone()) {
            return;
        }
        if let Some(replica) = &mut self.replica {
            replica.reconfigured(membership);
        }
        let changes = self.leader != Some(leader) || !self.keeps_part();
        self.next_leader = changes.then_some((leader, zxid));
        // Who led waits until the others have heard of it.
        if changes && !matches!(self.role, Role::Leading(_)) {
            self.rest(Leaving::Reconfigured);
        }
    }

    /// Goes by a committed configuration, if it is newer.
    fn take_config(&mut self, membership: Membership) -> bool {
        let is_new = self.quorums.commit(membership.clone());
        if is_new {
            self.out.push(Effect::Reconfigure(membership));
        }
        is_new
    }

    /// Whether it may go on with what it does under the committed configuration.
    fn keeps_part(&self) -> bool {
        match &self.role {
            Role::Following(_) => self.kind() == LearnerKind::Follower,
            Role::Observing(_) => self.kind() == LearnerKind::Observer,
            _ => true,
        }
    }

    /// How it takes part when it does not lead. Who is no member follows without a vote: so a server comes up to date before it joins.
    fn kind(&self) -> LearnerKind {
        match self.quorums.committed().role(self.config.zab.me) {
            Some(Part::Observer) => LearnerKind::Observer,
            Some(Part::Participant) | None => LearnerKind::Follower,
        }
    }

    /// Takes the part that a reconfiguration gives it, without an election.
    pub(super) fn assume(&mut self, leader: Sid, zxid: Zxid) {
        let state = match self.kind() {
            _ if leader == self.config.zab.me => ServerState::Leading,
            LearnerKind::Follower => ServerState::Following,
            LearnerKind::Observer => ServerState::Observing,
        };
        self.role = Role::Looking;
        self.out.push(Effect::Assume(state, Vote { leader, zxid, epoch: NO_EPOCH }));
    }

    /// Puts the configuration into the tree before clients can see it, and lets them change it if this server leads.
    pub(super) fn show_config(&self, replica: &mut Replica, tree: &mut Tree, wall: i64) {
        let membership = self.quorums.committed();
        tree.set_config(&membership.to_string(), Zxid(membership.version), wall);
        if let Role::Leading(_) = &self.role {
            replica.govern(Ensemble::new(self.config.zab.me, self.quorums.clone()));
        }
    }
}

/// Whether two configurations look like those of two ensembles: not one address of a server is the same in both, of those that can be compared.
///
/// On the wire an ensemble has no name, and one server may be called differently in the files of two: by a name or a number, as itself by
/// `0.0.0.0`. So this says something to be looked at, and refuses nobody.
fn are_strangers(ours: &Membership, theirs: &Membership) -> bool {
    let place = |address: &Address| (address.host.clone(), address.quorum_port);
    let anywhere = |address: &&Address| matches!(&*address.host, "0.0.0.0" | "::");
    let mut compared = false;
    for (sid, server) in &ours.servers {
        let Some(other) = theirs.servers.get(sid) else { continue };
        if server.addresses.iter().chain(&other.addresses).any(|address| anywhere(&address)) {
            continue;
        }
        compared = true;
        let others: BTreeSet<_> = other.addresses.iter().map(place).collect();
        if server.addresses.iter().map(place).any(|address| others.contains(&address)) {
            return false;
        }
    }
    compared
}

/// The epoch of a vote that no election gave, as Apache's have it until the epoch is established.
const NO_EPOCH: i64 = -1;
