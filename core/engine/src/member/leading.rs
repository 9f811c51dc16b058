//! A member that leads.

use super::{Bench, Effect, Member, Role};
use crate::replica::{ApplyError, Replica};
use crate::zab::leader::Leader;
use crate::zab::{LeaderEffect, LearnerKey, Leaving, ToLeader, ToLearner};
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

    /// A learner's connection has ended.
    pub fn learner_gone(&mut self, key: LearnerKey) {
        if let Role::Leading(leading) = &mut self.role {
            leading.leader.disconnected(key);
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
                self.out.push(Effect::Serve(epoch));
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
