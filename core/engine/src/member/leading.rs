//! A member that leads.

use super::{Bench, Effect, LogRange, Member, Role};
use crate::replica::{ApplyError, Now, Replica};
use crate::tree::Tree;
use crate::zab::leader::Leader;
use crate::zab::{LeaderEffect, LearnerKey, Leaving, ToLeader, ToLearner};
use quorate_wire::Zxid;
use std::collections::VecDeque;

/// The leading role.
#[derive(Debug)]
pub(super) struct Leading {
    pub(super) leader: Leader,
    /// What the role wants done, and has not been.
    todo: VecDeque<LeaderEffect>,
    /// A learner is to be sent the tree as it is: nothing may change it until the owner has taken the effects.
    pub(super) sends_tree: bool,
    /// For how many syncs of this server's clients the leader has been asked.
    syncs: u64,
}

impl Leading {
    pub(super) const fn new(leader: Leader) -> Self {
        Self { leader, todo: VecDeque::new(), sends_tree: false, syncs: 0 }
    }
}

impl Member {
    /// A learner has connected.
    pub fn learner_connected(&mut self, key: LearnerKey, bench: &Bench<'_, '_>) {
        if let Role::Leading(leading) = &mut self.role {
            leading.leader.connected(key, bench.now.mono);
        } else {
            self.out.push(Effect::CloseLearner(key, Leaving::NoQuorum));
        }
    }

    /// A learner says something.
    ///
    /// # Errors
    /// [`ApplyError`]: the server must stop.
    pub fn from_learner(
        &mut self,
        key: LearnerKey,
        message: ToLeader,
        bench: &mut Bench<'_, '_>,
    ) -> Result<(), ApplyError> {
        // A sync comes after everything that its server has passed on before, which must be proposed by then.
        if matches!(&message, ToLeader::Request(request) if request.is_sync()) {
            self.propose(bench);
        }
        if let Role::Leading(leading) = &mut self.role {
            leading.leader.received(key, message, bench.now.mono);
        }
        self.lead_on(bench)
    }

    /// Lets learners know that their leader is there, when it is time. [`tick`](Self::tick) does so too; an owner that puts that off is not to put
    /// this off.
    pub fn beat(&mut self, now: Now) {
        if let Role::Leading(leading) = &mut self.role {
            leading.leader.beat(now.mono);
        }
    }

    /// When [`beat`](Self::beat) has something to do, ms.
    #[must_use]
    pub fn beat_deadline(&self) -> Option<i64> {
        if let Role::Leading(leading) = &self.role { leading.leader.beat_deadline() } else { None }
    }

    /// A learner's connection has ended.
    pub fn learner_gone(&mut self, key: LearnerKey) {
        if let Role::Leading(leading) = &mut self.role {
            leading.leader.disconnected(key);
        }
    }

    /// What the log on the disk holds for a learner; see [`LogSearch`](crate::zab::LogSearch). Nothing if it is of no use.
    ///
    /// # Errors
    /// [`ApplyError`]: the server must stop.
    pub fn log_searched(
        &mut self,
        key: LearnerKey,
        found: Option<Zxid>,
        bench: &mut Bench<'_, '_>,
    ) -> Result<(), ApplyError> {
        if let Role::Leading(leading) = &mut self.role {
            leading.leader.log_searched(key, found);
        }
        self.lead_on(bench)
    }

    /// A part of the log that was found could not be sent.
    pub fn log_failed(&mut self) {
        if let Role::Leading(leading) = &mut self.role {
            leading.leader.log_failed();
        }
    }

    /// Proposes what was judged, asks for the syncs that were asked for, and goes on.
    pub(super) fn lead(&mut self, bench: &mut Bench<'_, '_>) -> Result<(), ApplyError> {
        loop {
            self.ask_for_syncs(bench);
            self.propose(bench);
            self.lead_on(bench)?;
            if !self.has_to_propose() {
                return Ok(());
            }
        }
    }

    /// Whether something has been judged since the last proposal. A leader that has given up proposes nothing any more, though it may have
    /// to send a tree before it rests.
    fn has_to_propose(&self) -> bool {
        let (Role::Leading(leading), Some(replica)) = (&self.role, &self.replica) else {
            return false;
        };
        leading.leader.is_established() && replica.has_unsealed()
    }

    /// Carries out what the role wants done here, and passes the rest on.
    ///
    /// A learner that is sent the tree is sent what follows it as transactions: so the tree must not go on before it has been
    /// taken, which is done when the owner carries out [`Effect::SendTree`].
    pub(super) fn lead_on(&mut self, bench: &mut Bench<'_, '_>) -> Result<(), ApplyError> {
        loop {
            let Role::Leading(leading) = &mut self.role else { return Ok(()) };
            leading.todo.extend(leading.leader.effects());
            if leading.sends_tree {
                return Ok(());
            }
            let Some(effect) = leading.todo.pop_front() else { return Ok(()) };
            leading.sends_tree = matches!(effect, LeaderEffect::SendTree(_));
            self.carry_out(effect, bench)?;
        }
    }

    fn carry_out(
        &mut self,
        effect: LeaderEffect,
        bench: &mut Bench<'_, '_>,
    ) -> Result<(), ApplyError> {
        let Bench { tree, shards, now } = bench;
        let now = *now;
        match (effect, &mut self.replica) {
            (LeaderEffect::Send(key, message), _) => self.tell(key, message),
            (LeaderEffect::SendTree(key), _) => self.out.push(Effect::SendTree(key)),
            (LeaderEffect::SearchLog(key, at, upto), _) => {
                let limit = worth(tree, self.config.log_share);
                self.out.push(Effect::SearchLog(key, LogRange { at, upto, limit }));
            }
            (LeaderEffect::SendLog(key, from, upto), _) => {
                self.out.push(Effect::SendLog(key, from, upto));
            }
            (LeaderEffect::Close(key, why), _) => self.out.push(Effect::CloseLearner(key, why)),
            (LeaderEffect::WriteAccepted(epoch), _) => {
                self.out.push(Effect::WriteAccepted(epoch));
            }
            (LeaderEffect::WriteCurrent(epoch), _) => self.out.push(Effect::WriteCurrent(epoch)),
            (LeaderEffect::SawConfig(membership), _) => self.saw_config(membership),
            (LeaderEffect::Activate(membership, zxid, leader), _) => {
                self.activate_config(membership, zxid, leader);
            }
            (LeaderEffect::Established(epoch), _) => {
                let config = self.config.replica.clone();
                let mut replica = Replica::leading(config, epoch, tree, now);
                self.show_config(&mut replica, tree, now.wall);
                self.replica = Some(replica);
                self.durable.wants_tree = None;
                self.serve(epoch, shards);
            }
            (LeaderEffect::Leave(why), _) => self.rest(why),
            (LeaderEffect::Committed(zxid), Some(replica)) => {
                replica.synced(zxid, tree, shards, now)?;
            }
            (LeaderEffect::Followers(followers), Some(replica)) => replica.followed_by(followers),
            (LeaderEffect::Synced(syncs), Some(replica)) => {
                replica.confirmed(syncs, tree, shards, now)?;
            }
            (LeaderEffect::Request(key, request), Some(replica)) => {
                replica.request(key, &request, tree, now);
            }
            (LeaderEffect::Touched(_, session, timeout), Some(replica)) => {
                replica.touched(session, timeout, now);
            }
            (LeaderEffect::Revalidate(key, session, timeout), Some(replica)) => {
                let valid = replica.revalidate(key, session, timeout, now);
                self.tell(key, ToLearner::Revalidate { session, valid });
            }
            // Nothing of the kind comes before the epoch is established.
            (
                LeaderEffect::Committed(_)
                | LeaderEffect::Synced(_)
                | LeaderEffect::Followers(_)
                | LeaderEffect::Request(..)
                | LeaderEffect::Touched(..)
                | LeaderEffect::Revalidate(..),
                None,
            ) => {}
        }
        Ok(())
    }

    fn tell(&mut self, key: LearnerKey, message: ToLearner) {
        self.out.push(Effect::ToLearner(key, message));
    }

    /// Everything that was judged becomes proposals, and is on its way to the log here.
    fn propose(&mut self, bench: &Bench<'_, '_>) {
        if !self.has_to_propose() {
            return;
        }
        let (Role::Leading(leading), Some(replica)) = (&mut self.role, &mut self.replica) else {
            return;
        };
        if let Some(segment) = replica.seal()
            && leading.leader.propose(&segment, bench.now.mono)
        {
            self.out.push(Effect::Append(segment));
        }
    }

    /// Syncs of this server's clients: the replica answers each in its turn, the leader says which are true.
    fn ask_for_syncs(&mut self, bench: &Bench<'_, '_>) {
        let (Role::Leading(leading), Some(replica)) = (&mut self.role, &self.replica) else {
            return;
        };
        while leading.syncs < replica.syncs_asked() {
            leading.syncs = leading.leader.sync(bench.now.mono);
        }
    }
}

/// How many bytes of the log are worth as much as the tree.
///
/// Apache compares the lengths of files: the log's, with what they reserve ahead, and the newest snapshot's. What would be sent
/// are the transactions alone and the tree as it is.
fn worth(tree: &Tree, share: u32) -> Option<u64> {
    let nodes = u64::try_from(tree.node_count()).unwrap_or(u64::MAX);
    let size = tree.approximate_data_size().saturating_add(nodes.saturating_mul(NODE_BYTES));
    let parts = u128::from(size) * u128::from(share) / u128::from(MILLION);
    (share > 0).then(|| u64::try_from(parts).unwrap_or(u64::MAX))
}

/// What a node takes on the wire beside its path and its data: their lengths, its ACL's number, its times and versions.
const NODE_BYTES: u64 = 76;
const MILLION: u32 = 1_000_000;
