//! A member that follows or observes.

use super::{Bench, Effect, Member, Role};
use crate::replica::{ApplyError, Now, Replica};
use crate::zab::learner::{Follower, Observer};
use crate::zab::message::LearnerKind;
use crate::zab::{Durable, Entry, History, LearnerEffect, Leaving, ToLeader, ToLearner};
use quorate_wire::Zxid;

impl Member {
    /// There is a connection to the leader.
    pub fn connected(&mut self, now: Now) {
        let Role::Connecting(kind) = self.role else { return };
        let config_version = self.quorums.committed().version;
        let (config, durable) =
            (self.config.zab, Durable { config_version, ..self.durable.clone() });
        self.role = match kind {
            LearnerKind::Follower => {
                Role::Following(Box::new(Follower::new(config, durable, now.mono)))
            }
            LearnerKind::Observer => {
                Role::Observing(Box::new(Observer::new(config, durable, now.mono)))
            }
        };
    }

    /// There is no connection to the leader, or none any more.
    pub fn unconnected(&mut self) {
        if matches!(self.role, Role::Connecting(_) | Role::Following(_) | Role::Observing(_)) {
            self.rest(Leaving::Disconnected);
        }
    }

    /// The leader says something. Not while [`is_busy`](Self::is_busy).
    ///
    /// # Errors
    /// [`ApplyError`]: the server must stop.
    pub fn from_leader(
        &mut self,
        message: ToLearner,
        bench: &mut Bench<'_, '_>,
    ) -> Result<(), ApplyError> {
        let is_ping = matches!(message, ToLearner::Ping(_));
        if is_ping {
            self.pass_touches();
        }
        let now = bench.now.mono;
        match &mut self.role {
            Role::Following(follower) => follower.received(message, now),
            Role::Observing(observer) => observer.received(message, now),
            _ => {}
        }
        self.learn_on(bench)
    }

    /// The leader has sent something, if no whole message.
    pub fn leader_lives(&mut self, now: Now) {
        match &mut self.role {
            Role::Following(follower) => follower.leader_lives(now.mono),
            Role::Observing(observer) => observer.leader_lives(now.mono),
            _ => {}
        }
    }

    /// Nothing is taken from the leader now: whether it is silent cannot be known.
    pub fn deaf(&mut self, now: Now) {
        match &mut self.role {
            Role::Following(follower) => follower.deaf(now.mono),
            Role::Observing(observer) => observer.deaf(now.mono),
            _ => {}
        }
    }

    /// The log is cut, and this is what it holds; `None` if it could not be.
    pub fn truncated(&mut self, history: Option<History>) {
        match &mut self.role {
            Role::Following(follower) => follower.truncated(history),
            Role::Observing(observer) => observer.truncated(history),
            _ => {}
        }
    }

    /// The leader's tree has arrived, whole.
    pub fn tree_received(&mut self) {
        match &mut self.role {
            Role::Following(follower) => follower.tree_received(),
            Role::Observing(observer) => observer.tree_received(),
            _ => {}
        }
    }

    /// The received tree is this server's, on the disk and in the [`Bench`].
    pub fn tree_installed(&mut self) {
        match &mut self.role {
            Role::Following(follower) => follower.tree_installed(),
            Role::Observing(observer) => observer.tree_installed(),
            _ => {}
        }
    }

    /// Passes on what clients want, and goes on.
    pub(super) fn learn(&mut self, bench: &mut Bench<'_, '_>) -> Result<(), ApplyError> {
        if let Some(replica) = &mut self.replica {
            for message in replica.take_messages() {
                self.ask(message);
            }
        }
        self.learn_on(bench)
    }

    fn ask(&mut self, message: ToLeader) {
        match &mut self.role {
            Role::Following(follower) => follower.ask(message),
            Role::Observing(observer) => observer.ask(message),
            _ => {}
        }
    }

    fn pass_touches(&mut self) {
        let touched = self.replica.as_mut().map(Replica::take_touched).unwrap_or_default();
        for (session, timeout) in touched {
            match &mut self.role {
                Role::Following(follower) => follower.touch(session, timeout),
                Role::Observing(observer) => observer.touch(session, timeout),
                _ => {}
            }
        }
    }

    pub(super) fn learn_on(&mut self, bench: &mut Bench<'_, '_>) -> Result<(), ApplyError> {
        loop {
            let effects: Vec<LearnerEffect> = match &mut self.role {
                Role::Following(follower) => follower.effects().collect(),
                Role::Observing(observer) => observer.effects().collect(),
                _ => return Ok(()),
            };
            if effects.is_empty() {
                return Ok(());
            }
            for effect in effects {
                // A reconfiguration may end the role amid what it wanted done.
                if matches!(self.role, Role::Following(_) | Role::Observing(_)) {
                    self.do_as_learner(effect, bench)?;
                }
            }
        }
    }

    fn do_as_learner(
        &mut self,
        effect: LearnerEffect,
        bench: &mut Bench<'_, '_>,
    ) -> Result<(), ApplyError> {
        match effect {
            LearnerEffect::Send(message) => self.out.push(Effect::ToLeader(message)),
            LearnerEffect::WriteAccepted(epoch) => self.out.push(Effect::WriteAccepted(epoch)),
            LearnerEffect::WriteCurrent(epoch) => self.out.push(Effect::WriteCurrent(epoch)),
            LearnerEffect::Truncate(zxid) => self.out.push(Effect::Truncate(zxid)),
            LearnerEffect::ReceiveTree => self.out.push(Effect::ReceiveTree),
            LearnerEffect::InstallTree(zxid) => self.out.push(Effect::InstallTree(zxid)),
            LearnerEffect::Append(entries) => self.out.push(Effect::AppendEntries(entries)),
            LearnerEffect::Committed(zxid) => self.apply(zxid, bench)?,
            LearnerEffect::Serve(epoch) => {
                let config = self.config.replica.clone();
                let mut replica = Replica::learning(config, bench.tree, bench.now);
                self.show_config(&mut replica, bench.tree, bench.now.wall);
                self.replica = Some(replica);
                self.durable.wants_tree = None;
                self.serve(epoch, bench.shards);
            }
            LearnerEffect::Synced => {
                if let Some(replica) = &mut self.replica {
                    replica.sync_done(bench.tree, bench.shards, bench.now);
                }
            }
            LearnerEffect::Revalidated(session, lives) => {
                if let Some(replica) = &mut self.replica {
                    replica.revalidated(session, lives, bench.now);
                    replica.deliver(bench.tree, bench.shards, bench.now);
                }
            }
            LearnerEffect::SawConfig(membership) => self.saw_config(membership),
            LearnerEffect::LeaderConfig(membership) => self.leader_config(membership),
            LearnerEffect::Adopt(membership) => self.adopt_config(membership),
            LearnerEffect::Activate(membership, zxid, leader) => {
                self.activate_config(membership, zxid, leader);
            }
            LearnerEffect::Leave(why) => self.leave_leader(why),
        }
        Ok(())
    }

    fn apply(&mut self, zxid: Zxid, bench: &mut Bench<'_, '_>) -> Result<(), ApplyError> {
        let history = match &self.role {
            Role::Following(follower) => follower.history(),
            Role::Observing(observer) => observer.history(),
            _ => return Ok(()),
        };
        let committed: Vec<Entry> = history
            .since(bench.tree.last_zxid())
            .take_while(|entry| entry.zxid() <= zxid)
            .cloned()
            .collect();
        match &mut self.replica {
            Some(replica) => {
                replica.committed(committed.iter(), bench.tree, bench.shards, bench.now)
            }
            None => super::apply_all(committed.iter(), bench.tree),
        }
    }

    fn leave_leader(&mut self, why: Leaving) {
        if let Leaving::CannotCut(_) = why {
            self.durable.wants_tree = match &self.role {
                Role::Following(follower) => Some(follower.epoch()),
                Role::Observing(observer) => Some(observer.epoch()),
                _ => None,
            };
        }
        if let (Leaving::Silent, Some(leader)) = (&why, self.leader) {
            self.out.push(Effect::Silent(leader));
        }
        self.rest(why);
    }
}
