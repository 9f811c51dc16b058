//! What followers and observers have in common: one connection to a leader.

use super::joining::Joining;
use super::local::Local;
use crate::zab::message::LearnerKind;
use crate::zab::{
    Durable, Epoch, History, LearnerEffect, Leaving, Mistake, ToLeader, ToLearner, ZabConfig,
};
use quorate_wire::Zxid;
use std::collections::BTreeMap;
use std::marker::PhantomData;

/// What is different between learners once they are up to date.
pub trait Role {
    /// How the leader treats it.
    const KIND: LearnerKind;
}

pub(super) trait Steady: Role {
    /// The leader says what this kind of learner is told.
    fn received(message: ToLearner, local: &mut Local);
}

/// A learning role of a server, on one connection to its leader.
#[derive(Debug)]
#[allow(private_bounds, reason = "the roles are Follower and Observer, and no others")]
pub struct Learner<R: Steady> {
    local: Local,
    /// Until UPTODATE.
    joining: Option<Joining>,
    /// Sessions heard of since the last ping, and their timeouts in ms.
    touched: BTreeMap<i64, i32>,
    role: PhantomData<R>,
}

#[allow(private_bounds, reason = "the roles are Follower and Observer, and no others")]
impl<R: Steady> Learner<R> {
    /// Connected to a leader, with what is on the disk.
    #[must_use]
    pub fn new(config: ZabConfig, durable: Durable, now: i64) -> Self {
        let config_version = durable.config_version;
        let mut local = Local::new(config, durable, now);
        let joining = Some(Joining::new(&mut local, R::KIND, config_version));
        Self { local, joining, touched: BTreeMap::new(), role: PhantomData }
    }

    /// Whether nothing may be received until what is being written is on the disk.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.joining.as_ref().is_some_and(Joining::is_busy)
    }

    /// Whether clients may be served.
    #[must_use]
    pub const fn is_serving(&self) -> bool {
        self.joining.is_none() && !self.local.left
    }

    /// The leader says something. Not while [`is_busy`](Self::is_busy).
    pub fn received(&mut self, message: ToLearner, now: i64) {
        if self.local.left {
            return;
        }
        self.local.heard = now;
        match message {
            ToLearner::Beat | ToLearner::Ping(_) => self.local.patience.beaten(now),
            _ => self.local.patience.heard(now),
        }
        if let Some(joining) = &mut self.joining {
            if joining.received(message, &mut self.local) {
                self.joining = None;
                self.local.patience.begin(now);
                self.serve();
            }
            return;
        }
        self.common(message);
    }

    fn common(&mut self, message: ToLearner) {
        match message {
            ToLearner::Ping(last) => {
                let touched = std::mem::take(&mut self.touched).into_iter().collect();
                self.local.send(ToLeader::Ping(last, touched));
            }
            ToLearner::Beat => {}
            ToLearner::Sync => self.local.synced(),
            ToLearner::Revalidate { session, valid } => {
                self.local.out.push(LearnerEffect::Revalidated(session, valid));
            }
            message => R::received(message, &mut self.local),
        }
    }

    fn serve(&mut self) {
        let epoch = self.local.epoch;
        if self.local.makes(Mistake::DiffInMemory) {
            self.local.pretend_logged();
        }
        self.local.hold(false);
        self.local.out.push(LearnerEffect::Serve(epoch));
        self.local.apply();
    }

    /// The log is durable up to here.
    pub fn logged(&mut self, zxid: Zxid) {
        self.local.logged = self.local.logged.max(zxid);
        if self.local.left {
            return;
        }
        match &mut self.joining {
            Some(joining) => joining.logged(&mut self.local),
            None => {
                if R::KIND == LearnerKind::Follower {
                    self.local.acknowledge();
                }
                self.local.apply();
            }
        }
    }

    /// `acceptedEpoch` is on the disk.
    pub fn accepted_written(&mut self, epoch: Epoch) {
        self.join(|joining, local| joining.accepted_written(epoch, local));
    }

    /// `currentEpoch` is on the disk.
    pub fn current_written(&mut self, epoch: Epoch) {
        self.join(|joining, local| joining.current_written(epoch, local));
    }

    /// The log has been cut, and this is what it holds now; `None` if it could not be.
    pub fn truncated(&mut self, history: Option<History>) {
        self.join(|joining, local| joining.truncated(history, local));
    }

    /// The leader's tree has arrived, whole.
    pub fn tree_received(&mut self) {
        self.join(Joining::tree_received);
    }

    /// The received tree is this server's, durably.
    pub fn tree_installed(&mut self) {
        self.join(Joining::tree_installed);
    }

    fn join(&mut self, step: impl FnOnce(&mut Joining, &mut Local)) {
        if let Some(joining) = self.joining.as_mut().filter(|_| !self.local.left) {
            step(joining, &mut self.local);
        }
    }

    /// A client of this server gives the leader something to do: a request, or a question about a session.
    pub fn ask(&mut self, message: ToLeader) {
        debug_assert!(self.is_serving(), "only who serves has clients");
        self.local.send(message);
    }

    /// A session of this server has been heard of; the leader is told with the next ping.
    pub fn touch(&mut self, session: i64, timeout: i32) {
        self.touched.insert(session, timeout);
    }

    /// Something of a message that takes long has come: the leader lives.
    pub fn leader_lives(&mut self, now: i64) {
        self.local.heard = now;
        self.local.patience.heard(now);
    }

    /// This server takes nothing from its leader for now, so that it cannot know whether that is silent. It is given up all the same when
    /// the limits of [`ZabConfig`] are over.
    pub fn deaf(&mut self, now: i64) {
        self.local.patience.deaf(now);
    }

    /// Gives up a leader that is silent. To be called at [`deadline`](Self::deadline), when everything that had come has been
    /// [received](Self::received).
    pub fn tick(&mut self, now: i64) {
        let silent = self.joining.is_none() && self.local.patience.is_over(now);
        if silent || now >= self.limit() {
            self.local.leave(Leaving::Silent);
        }
    }

    /// When [`tick`](Self::tick) has something to do, ms.
    #[must_use]
    pub fn deadline(&self) -> i64 {
        match &self.joining {
            Some(_) => self.limit(),
            None => self.limit().min(self.local.patience.deadline()),
        }
    }

    /// When any leader will have been silent for too long, ms.
    fn limit(&self) -> i64 {
        let patience = match &self.joining {
            Some(joining) => joining.patience(&self.local),
            None => self.local.config.sync_limit,
        };
        self.local.heard.saturating_add(patience)
    }

    /// The effects since the last call.
    pub fn effects(&mut self) -> std::vec::Drain<'_, LearnerEffect> {
        self.local.effects()
    }

    /// The epoch of its leader, once that has said it.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.local.epoch
    }

    /// What it has been sent.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.local.history
    }
}
