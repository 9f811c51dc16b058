//! One server of an ensemble: a role after another, and the clients that it serves in them.
//!
//! [`Member`] brings together who leads ([`election`](crate::election) says it), how histories become one ([`zab`](crate::zab)) and
//! what becomes of clients' requests ([`replica`](crate::replica)). It is pure like these: its owner has sockets, disk and
//! clock, carries out every [`Effect`] in order, and brings back what came of it. The owner also has the tree
//! and the shards, and lends them with each call ([`Bench`]).
//!
//! A role begins with what is on the disk and ends with [`Effect::Rest`]; its replica ends with it, and so do the connections of its
//! clients. Between roles the tree is brought to the end of the log, so that it holds what the next role begins with.

mod effect;
mod leading;
mod learning;
mod reading;
mod reconfig;
mod standing;

pub use effect::{Effect, LogRange};
pub use standing::{Lead, Standing};

use crate::election::History as Logged;
use crate::quorum::Quorums;
use crate::replica::{ApplyError, Now, Replica, ReplicaConfig};
use crate::shard::{ConnKey, Shard, Submission};
use crate::tree::{Tree, TreeEvent, TreeObserver};
use crate::zab::leader::Leader;
use crate::zab::learner::{Follower, Observer};
use crate::zab::message::LearnerKind;
use crate::zab::{Durable, Entry, Epoch, Leaving, Mistake, Sid, ZabConfig, start_of};
use quorate_wire::quorum::ServerState;
use quorate_wire::txn::TxnRecord;
use quorate_wire::{Jute, Zxid};

/// Rules of a member.
#[derive(Clone, Debug)]
pub struct MemberConfig {
    /// Epochs and times.
    pub zab: ZabConfig,
    /// Requests and sessions.
    pub replica: ReplicaConfig,
    /// How long the part of the log that a learner is given may be, in millionths of what the tree takes on the wire; 0 if any length is right
    /// (`snapshotSizeFactor`). Only with [`ZabConfig::log_sync`].
    pub log_share: u32,
    /// How long a leader is looked for before clients may read without one, ms; `None` if they never may.
    pub read_only: Option<i64>,
}

/// What a member works on, and when.
#[derive(Debug)]
pub struct Bench<'a, 's> {
    /// The data.
    pub tree: &'a mut Tree,
    /// The clients.
    pub shards: &'a mut [&'s mut Shard],
    /// Now.
    pub now: Now,
}

/// One server of an ensemble.
#[derive(Debug)]
pub struct Member {
    config: MemberConfig,
    quorums: Quorums,
    durable: Durable,
    role: Role,
    /// Who leads, as the last election or reconfiguration has it.
    leader: Option<Sid>,
    /// Who should lead when the role has ended, by a reconfiguration of this zxid.
    next_leader: Option<(Sid, Zxid)>,
    /// While clients are served.
    replica: Option<Replica>,
    /// Since when a leader is looked for, ms, as far as it was noticed.
    looking_since: Option<i64>,
    out: Vec<Effect>,
}

#[derive(Debug)]
enum Role {
    /// Waits for the end of an election.
    Looking,
    /// Waits for its disk, between two roles.
    Resting,
    /// Tries to reach its leader.
    Connecting(LearnerKind),
    Leading(Box<leading::Leading>),
    Following(Box<Follower>),
    Observing(Box<Observer>),
}

/// What a member does, for whoever wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Looks for a leader.
    Looking,
    /// Leads.
    Leading,
    /// Follows.
    Following,
    /// Observes.
    Observing,
}

impl Member {
    /// A server that has just opened its disk. `tree` is what that held, to the end of the log.
    #[must_use]
    pub fn new(config: MemberConfig, quorums: Quorums, durable: Durable) -> Self {
        let mut member = Self {
            config,
            quorums,
            durable: durable.settled(),
            role: Role::Resting,
            leader: None,
            next_leader: None,
            replica: None,
            looking_since: None,
            out: Vec::new(),
        };
        member.forget_unlogged_config();
        member.look();
        member
    }

    fn look(&mut self) {
        self.role = Role::Looking;
        let zxid = self.durable.last_zxid();
        self.out.push(Effect::Look(Logged { zxid, epoch: self.durable.current_epoch }));
    }

    /// The election is over.
    pub fn decided(&mut self, state: ServerState, leader: Sid, now: Now) {
        if !matches!(self.role, Role::Looking) {
            return;
        }
        if state != ServerState::Looking {
            self.end_reading();
            self.leader = Some(leader);
        }
        match state {
            ServerState::Leading => {
                self.out.push(Effect::Listen);
                let durable = self.durable.clone();
                let leader = Leader::new(self.config.zab, self.quorums.clone(), durable, now.mono);
                self.role = Role::Leading(Box::new(leading::Leading::new(leader)));
            }
            ServerState::Following | ServerState::Observing => {
                let kind = if state == ServerState::Following {
                    LearnerKind::Follower
                } else {
                    LearnerKind::Observer
                };
                self.role = Role::Connecting(kind);
                self.out.push(Effect::Connect(leader));
            }
            ServerState::Looking => self.look(),
        }
    }

    /// The voters that made this server the leader have changed their minds: without a quorum of followers it looks again.
    pub fn withdrawn(&mut self) {
        if let Role::Leading(leading) = &self.role
            && leading.leader.epoch().is_none()
        {
            self.rest(Leaving::NoQuorum);
        }
    }

    /// The disk is at rest, and holds this. `tree` holds the same, as far as it goes, and nothing else; it is brought to the end.
    ///
    /// # Errors
    /// [`ApplyError`] when the log holds what is no transaction, or the tree does not go as far as what is in memory of the log: then
    /// it is to be loaded again.
    pub fn rested(&mut self, durable: Durable, tree: &mut Tree) -> Result<(), ApplyError> {
        debug_assert!(matches!(self.role, Role::Resting), "only who rests has rested");
        let wants_tree = self.durable.wants_tree;
        let mut durable = durable;
        if self.config.zab.mistakes.make(Mistake::MemoryOutlivesRole) {
            durable.history = std::mem::take(&mut self.durable.history);
        }
        self.durable = Durable { wants_tree, ..durable.settled() };
        apply_all(self.durable.history.since(tree.last_zxid()), tree)?;
        self.forget_unlogged_config();
        match self.next_leader.take() {
            Some((leader, zxid)) => self.assume(leader, zxid),
            None => self.look(),
        }
        Ok(())
    }

    /// Takes a submission of a client's connection.
    pub fn submit(
        &mut self,
        shard: usize,
        conn: ConnKey,
        submission: Submission<'_>,
        tree: &Tree,
        now: Now,
    ) {
        if let Some(replica) = &mut self.replica {
            replica.submit(shard, conn, submission, tree, now);
        }
    }

    /// Goes on with everything that can be done without the outside world. To be called after everything else that may have effects,
    /// and again after they have been carried out, until there are none.
    ///
    /// # Errors
    /// [`ApplyError`]: the server must stop.
    pub fn settle(&mut self, bench: &mut Bench<'_, '_>) -> Result<(), ApplyError> {
        let Bench { tree, shards, now } = bench;
        if let Some(replica) = &mut self.replica {
            replica.deliver(tree, shards, *now);
        }
        match &self.role {
            Role::Leading(_) => self.lead(bench),
            Role::Following(_) | Role::Observing(_) => self.learn(bench),
            Role::Looking | Role::Resting | Role::Connecting(_) => Ok(()),
        }
    }

    /// Time passes. Returns when to be called again, ms.
    ///
    /// # Errors
    /// [`ApplyError`]: the server must stop.
    pub fn tick(&mut self, bench: &mut Bench<'_, '_>) -> Result<Option<i64>, ApplyError> {
        let now = bench.now;
        match &mut self.role {
            Role::Leading(leading) => leading.leader.tick(now.mono),
            Role::Following(follower) => follower.tick(now.mono),
            Role::Observing(observer) => observer.tick(now.mono),
            Role::Looking => self.serve_readers(bench),
            Role::Resting | Role::Connecting(_) => {}
        }
        // Whose role ends here ends no sessions.
        self.lead_on(bench)?;
        self.learn_on(bench)?;
        let sessions = self.replica.as_mut().and_then(|replica| replica.tick(bench.tree, now));
        self.settle(bench)?;
        Ok(self.deadline().into_iter().chain(sessions).min())
    }

    /// When a role or a session has something to do, ms.
    #[must_use]
    pub fn deadline(&self) -> Option<i64> {
        let role = match &self.role {
            Role::Leading(leading) => Some(leading.leader.deadline()),
            Role::Following(follower) => Some(follower.deadline()),
            Role::Observing(observer) => Some(observer.deadline()),
            Role::Looking => self.readers_deadline(),
            Role::Resting | Role::Connecting(_) => None,
        };
        let replica = self.replica.as_ref().and_then(Replica::next_deadline);
        role.into_iter().chain(replica).min()
    }

    /// What is to be done, in order.
    pub fn effects(&mut self) -> std::vec::Drain<'_, Effect> {
        if let Role::Leading(leading) = &mut self.role {
            leading.sends_tree = false;
        }
        self.out.drain(..)
    }

    /// Everything up to here is in the log.
    pub fn logged(&mut self, zxid: Zxid, now: Now) {
        match &mut self.role {
            Role::Leading(leading) => leading.leader.logged(zxid, now.mono),
            Role::Following(follower) => follower.logged(zxid),
            Role::Observing(observer) => observer.logged(zxid),
            Role::Looking | Role::Resting | Role::Connecting(_) => {}
        }
    }

    /// The log has no room: what was given to it will never be there. Whoever cannot log cannot be a member.
    pub fn refused(&mut self) {
        self.rest(Leaving::NoRoom);
    }

    /// Something else that the role needs is not to be had.
    pub fn unable(&mut self, why: Leaving) {
        self.rest(why);
    }

    /// `acceptedEpoch` is on the disk.
    pub fn accepted_written(&mut self, epoch: Epoch, now: Now) {
        self.durable.accepted_epoch = epoch;
        match &mut self.role {
            Role::Leading(leading) => leading.leader.accepted_written(epoch, now.mono),
            Role::Following(follower) => follower.accepted_written(epoch),
            Role::Observing(observer) => observer.accepted_written(epoch),
            Role::Looking | Role::Resting | Role::Connecting(_) => {}
        }
    }

    /// `currentEpoch` is on the disk.
    pub fn current_written(&mut self, epoch: Epoch, now: Now) {
        self.durable.current_epoch = epoch;
        match &mut self.role {
            Role::Leading(leading) => leading.leader.current_written(epoch, now.mono),
            Role::Following(follower) => follower.current_written(epoch),
            Role::Observing(observer) => observer.current_written(epoch),
            Role::Looking | Role::Resting | Role::Connecting(_) => {}
        }
    }

    /// The epoch is established, and everything that precedes it is in the tree.
    fn serve(&mut self, epoch: Epoch, shards: &mut [&mut Shard]) {
        shards.iter_mut().for_each(|shard| shard.serves_since(start_of(epoch)));
        self.out.push(Effect::Serve(epoch));
    }

    /// The role ends here.
    fn rest(&mut self, why: Leaving) {
        if !matches!(self.role, Role::Resting | Role::Looking) {
            if self.config.zab.mistakes.make(Mistake::MemoryOutlivesRole) {
                self.keep_memory();
            }
            self.role = Role::Resting;
            self.replica = None;
            self.out.push(Effect::Rest(why));
        }
    }

    /// On purpose: what the role knew is taken for what is on the disk.
    fn keep_memory(&mut self) {
        let history = match &self.role {
            Role::Leading(leading) => leading.leader.history(),
            Role::Following(follower) => follower.history(),
            Role::Observing(observer) => observer.history(),
            Role::Looking | Role::Resting | Role::Connecting(_) => return,
        };
        self.durable.history = history.clone();
    }

    /// The desk of the clients, while they are served.
    #[must_use]
    pub const fn replica(&self) -> Option<&Replica> {
        self.replica.as_ref()
    }

    /// The same, to be worked with.
    pub const fn replica_mut(&mut self) -> Option<&mut Replica> {
        self.replica.as_mut()
    }

    /// What it does.
    #[must_use]
    pub const fn doing(&self) -> Doing {
        match &self.role {
            Role::Leading(_) => Doing::Leading,
            Role::Following(_) | Role::Connecting(LearnerKind::Follower) => Doing::Following,
            Role::Observing(_) | Role::Connecting(LearnerKind::Observer) => Doing::Observing,
            Role::Looking | Role::Resting => Doing::Looking,
        }
    }

    /// The epoch that is on its disk.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.durable.current_epoch
    }

    /// Whether its role takes no message of its leader now.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        match &self.role {
            Role::Following(follower) => follower.is_busy(),
            Role::Observing(observer) => observer.is_busy(),
            _ => false,
        }
    }
}

/// Applies what nobody waits for.
fn apply_all<'a>(
    entries: impl Iterator<Item = &'a Entry>,
    tree: &mut Tree,
) -> Result<(), ApplyError> {
    for entry in entries {
        let zxid = entry.zxid();
        let record =
            TxnRecord::from_bytes(entry.payload()).map_err(|cause| ApplyError { zxid, cause })?;
        tree.apply(&record, &mut Nobody);
    }
    Ok(())
}

/// Between roles there are no clients, and so no watchers.
struct Nobody;

impl TreeObserver for Nobody {
    fn fire(&mut self, _: TreeEvent<'_>) {}
}

#[cfg(test)]
mod tests;
