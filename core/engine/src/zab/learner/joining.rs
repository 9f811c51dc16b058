//! From the connection to UPTODATE, in the order that loses nothing; see the table in [`zab`](crate::zab).

use super::local::Local;
use crate::zab::message::{Features, LearnerKind};
use crate::zab::{Epoch, History, LearnerEffect, Leaving, Mistake, ToLeader, ToLearner, start_of};
use quorate_wire::Zxid;
use quorate_wire::quorum::Membership;

/// How far a learner has come with its leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Has said who it is, and waits for an epoch.
    Introduced,
    /// Writes down that it promises the epoch.
    Promising,
    /// Has promised, and waits to hear how it gets the history.
    Promised,
    /// Cuts its log after this transaction.
    Cutting(Zxid),
    /// A tree is on its way, which is the history up to here.
    Receiving(Zxid),
    /// Makes the received tree its own, under this zxid.
    Installing(Zxid),
    /// Takes the transactions that it lacks.
    Filling,
    /// Has them, and waits until they are on the disk up to here.
    Logging(Zxid),
    /// Writes down that it holds the beginning of the epoch.
    Writing(Zxid),
    /// Has said so, and waits until a quorum has.
    Acknowledged,
}

/// A learner that is not yet up to date.
#[derive(Debug)]
pub(super) struct Joining {
    kind: LearnerKind,
    stage: Stage,
    /// What the leader goes by, since NEWLEADER.
    membership: Option<Membership>,
}

impl Joining {
    /// Says who it is.
    pub(super) fn new(local: &mut Local, kind: LearnerKind, config: i64) -> Self {
        let (sid, accepted) = (local.config.me, local.accepted);
        local.send(ToLeader::Info { sid, kind, accepted, config, features: FEATURES });
        Self { kind, stage: Stage::Introduced, membership: None }
    }

    /// Whether nothing may be received until something has been written.
    pub(super) const fn is_busy(&self) -> bool {
        matches!(self.stage, Stage::Promising | Stage::Cutting(_) | Stage::Installing(_))
    }

    /// How long the leader may be silent, ms.
    pub(super) const fn patience(&self, local: &Local) -> i64 {
        match self.stage {
            Stage::Acknowledged => local.config.sync_limit,
            _ => local.config.init_limit,
        }
    }

    /// The leader says something. Returns whether it was UPTODATE, with which joining is over.
    pub(super) fn received(&mut self, message: ToLearner, local: &mut Local) -> bool {
        match (self.stage, message) {
            (Stage::Introduced, ToLearner::LeaderInfo(epoch, beat)) => {
                local.patience.promised(beat);
                self.promise(epoch, local);
            }
            (Stage::Promised, ToLearner::Diff(_)) => self.fill(local),
            (Stage::Promised, ToLearner::Trunc(zxid)) if zxid <= local.history.last() => {
                self.stage = Stage::Cutting(zxid);
                local.out.push(LearnerEffect::Truncate(zxid));
            }
            (Stage::Promised, ToLearner::Snap(zxid)) => {
                self.stage = Stage::Receiving(zxid);
                local.out.push(LearnerEffect::ReceiveTree);
            }
            (Stage::Acknowledged, ToLearner::UpToDate) => {
                local.send(ToLeader::Ack(start_of(local.epoch)));
                let config = self.established_config(local);
                local.out.extend(config.map(LearnerEffect::Adopt));
                return true;
            }
            (stage, message) if stage.takes_transactions() => self.history(message, local),
            (Stage::Promised, message) if local.makes(Mistake::NewLeaderFirst) => {
                self.history(message, local);
            }
            _ => local.leave(Leaving::Protocol("this cannot be said now")),
        }
        false
    }

    /// What the leader is established with. Apache's name a reconfiguration too that is still under way, and their learners go by it alone from
    /// here on: its members could then decide without those who know nothing of it. Here it waits for its commit.
    fn established_config(&mut self, local: &Local) -> Option<Membership> {
        self.membership.take().filter(|membership| {
            let zxid = Zxid(membership.version);
            zxid.epoch() != local.epoch || zxid.counter() == 0 || zxid <= local.committed
        })
    }

    fn promise(&mut self, epoch: Epoch, local: &mut Local) {
        let careless = local.makes(Mistake::IgnoreEpochs);
        if epoch < local.accepted && !careless {
            let (theirs, ours) = (epoch, local.accepted);
            return local.leave(Leaving::OtherEpoch { theirs, ours });
        }
        local.epoch = epoch;
        let last = local.history.last();
        if epoch <= local.accepted && !careless {
            // Promised before, perhaps to another: it may follow, and its promise does not count.
            self.stage = Stage::Promised;
            let nothing = local.wants_tree == Some(epoch);
            let last = if nothing { NOTHING } else { last };
            return local.send(ToLeader::AckEpoch { current: None, last });
        }
        self.stage = Stage::Promising;
        if local.makes(Mistake::ForgetPromise) {
            return self.accepted_written(epoch, local);
        }
        local.out.push(LearnerEffect::WriteAccepted(epoch));
    }

    pub(super) fn accepted_written(&mut self, epoch: Epoch, local: &mut Local) {
        if self.stage == Stage::Promising && epoch == local.epoch {
            local.accepted = epoch;
            self.stage = Stage::Promised;
            let (current, last) = (Some(local.current), local.history.last());
            local.send(ToLeader::AckEpoch { current, last });
        }
    }

    /// The log has been cut, and the tree is what the log holds; or it could not be.
    pub(super) fn truncated(&mut self, history: Option<History>, local: &mut Local) {
        let Stage::Cutting(zxid) = self.stage else { return };
        // An epoch begins where the last one has ended, whatever zxid that is.
        let there = |last: Zxid| last == zxid || (zxid.counter() == 0 && last < zxid);
        match history.filter(|history| there(history.last())) {
            Some(history) => {
                local.begin_at(history);
                self.fill(local);
            }
            None => local.leave(Leaving::CannotCut(zxid)),
        }
    }

    /// The whole tree is here.
    ///
    /// Its zxid decides which records of the log come after it. One that lies before the end of the log would let records
    /// return that the leader does not have; so it goes to the beginning of the epoch, which is after all of them.
    pub(super) fn tree_received(&mut self, local: &mut Local) {
        let Stage::Receiving(zxid) = self.stage else { return };
        let last = local.history.last();
        let zxid = if zxid >= last { zxid } else { zxid.max(start_of(local.epoch)) };
        if zxid < last {
            return local.leave(Leaving::Gap { got: zxid, after: last });
        }
        self.stage = Stage::Installing(zxid);
        local.out.push(LearnerEffect::InstallTree(zxid));
    }

    pub(super) fn tree_installed(&mut self, local: &mut Local) {
        if let Stage::Installing(zxid) = self.stage {
            local.begin_at(History::after(zxid));
            self.fill(local);
        }
    }

    fn fill(&mut self, local: &mut Local) {
        self.stage = Stage::Filling;
        let late = [Mistake::LogAfterUpToDate, Mistake::DiffInMemory, Mistake::EpochBeforeHistory];
        local.hold(late.into_iter().any(|mistake| local.makes(mistake)));
    }

    fn history(&mut self, message: ToLearner, local: &mut Local) {
        match message {
            ToLearner::Proposal(entry) => {
                local.take(entry);
            }
            ToLearner::Commit(zxid) => local.commit(zxid),
            ToLearner::Inform(entry) => {
                let zxid = entry.zxid();
                if local.take(entry) {
                    local.commit(zxid);
                }
            }
            ToLearner::NewLeader(epoch, config) if self.awaits_new_leader(local) => {
                // Apache's goes on without what cannot be read, too.
                self.membership = config.and_then(|config| Membership::parse(&config).ok());
                self.new_leader(epoch, local);
            }
            ToLearner::CommitAndActivate(zxid, leader) => local.activate(zxid, leader),
            ToLearner::InformAndActivate(entry, leader) => {
                let zxid = entry.zxid();
                if local.take(entry) {
                    local.activate(zxid, leader);
                }
            }
            // Before the ACK of NEWLEADER, Apache's leaders take anything else for the end: they do without the answer.
            ToLearner::Ping(last) => {
                if self.stage == Stage::Acknowledged {
                    local.send(ToLeader::Ping(last, Vec::new()));
                }
            }
            ToLearner::Diff(_) if local.makes(Mistake::NewLeaderFirst) => {}
            _ => local.leave(Leaving::Protocol("this cannot be said now")),
        }
    }

    fn awaits_new_leader(&self, local: &Local) -> bool {
        self.stage == Stage::Filling
            || (self.stage == Stage::Promised && local.makes(Mistake::NewLeaderFirst))
    }

    fn new_leader(&mut self, epoch: Epoch, local: &mut Local) {
        if epoch != local.epoch {
            let (theirs, ours) = (epoch, local.epoch);
            return local.leave(Leaving::OtherEpoch { theirs, ours });
        }
        if local.makes(Mistake::DropUncommitted) {
            local.drop_uncommitted();
        }
        if local.makes(Mistake::LogAfterUpToDate) || local.makes(Mistake::DiffInMemory) {
            local.logged = local.history.last();
        }
        if let Some(membership) = self.membership.clone() {
            local.follow_config(membership);
        }
        self.stage = Stage::Logging(local.history.last());
        if local.makes(Mistake::EpochBeforeHistory) {
            return self.write_epoch(local);
        }
        self.logged(local);
    }

    /// The log has come further.
    pub(super) fn logged(&mut self, local: &mut Local) {
        let early = local.makes(Mistake::AckBeforeSync);
        if let Stage::Logging(end) = self.stage
            && (local.logged >= end || early)
        {
            self.write_epoch(local);
        }
        if self.stage == Stage::Acknowledged {
            self.acknowledge(local);
        } else if local.makes(Mistake::AckOvertakes) && self.stage.takes_transactions() {
            local.acknowledge();
        }
        local.apply();
    }

    fn write_epoch(&mut self, local: &mut Local) {
        if let Stage::Logging(end) = self.stage {
            self.stage = Stage::Writing(end);
            local.out.push(LearnerEffect::WriteCurrent(local.epoch));
        }
    }

    pub(super) fn current_written(&mut self, epoch: Epoch, local: &mut Local) {
        let Stage::Writing(end) = self.stage else { return };
        if epoch != local.epoch {
            return;
        }
        local.current = epoch;
        if local.makes(Mistake::EpochBeforeHistory) && local.logged < end {
            local.hold(false);
            self.stage = Stage::Logging(end);
            return;
        }
        self.stage = Stage::Acknowledged;
        local.acknowledged_with_epoch();
        local.send(ToLeader::Ack(start_of(epoch)));
        self.acknowledge(local);
    }

    fn acknowledge(&self, local: &mut Local) {
        if self.kind == LearnerKind::Follower {
            local.acknowledge();
        }
    }
}

impl Stage {
    const fn takes_transactions(self) -> bool {
        matches!(self, Self::Filling | Self::Logging(_) | Self::Writing(_) | Self::Acknowledged)
    }
}

/// After a cut nothing of it is left: [`LearnerEffect::Truncate`] and [`Leaving::CannotCut`] see to it. Beats are for its patience.
const FEATURES: Features = Features::OURS;

/// Whoever says that it has less than nothing is sent a tree, by Apache's leaders too.
const NOTHING: Zxid = Zxid(-1);
