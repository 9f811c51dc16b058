//! Synchronisation: every learner gets the leader's history, and with a quorum of them the epoch is established.
//!
//! Giving a learner the history and counting it among those who are told of every proposal and every commit is one step. With that,
//! the three questions that the paper leaves open (`protocol-spec/issues.md` beside Apache's TLA+ specification) do not arise: nothing
//! is proposed between the two and missed, nothing is sent twice, and no commit is told only to those who have acknowledged NEWLEADER.

use super::peer::Stage;
use super::{Leader, Phase};
use crate::zab::message::ToLearner;
use crate::zab::plan::{OnDisk, Plan, Positions};
use crate::zab::{LeaderEffect, LearnerKey, Mistake, start_of};
use quorate_wire::Zxid;

impl Leader {
    /// The own history is the epoch's, and `currentEpoch` says so on the disk.
    pub(super) fn synchronise(&mut self, now: i64) {
        self.enter(Phase::Synchronisation, now);
        let promised = self.peers.iter().filter(|(_, peer)| peer.stage == Stage::Promised);
        for key in promised.map(|(&key, _)| key).collect::<Vec<_>>() {
            self.give_history(key);
        }
        self.establish(now);
    }

    /// Sends a learner what it lacks, then NEWLEADER. From here on it gets whatever is proposed and committed.
    pub(super) fn give_history(&mut self, key: LearnerKey) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let follows = peer.follows();
        let truncates = peer.features.truncates;
        let positions = Positions {
            peer: peer.holds.1,
            history: &self.history,
            on_disk: if self.config.log_sync { peer.on_disk } else { OnDisk::Useless },
            // Whoever is where this epoch begins has what is committed before it.
            committed: self.committed.max(start_of(self.epoch)),
            epoch: self.epoch,
            truncates,
        };
        let plan = Plan::of(&positions);
        if plan == Plan::Search {
            let search = LeaderEffect::SearchLog(key, peer.holds.1, self.history.base());
            return self.out.push(search);
        }
        peer.stage = Stage::Syncing;
        peer.acked = Zxid::ZERO;
        let new_leader = ToLearner::NewLeader(self.epoch, Some(self.config_to_adopt()));
        if self.config.mistakes.make(Mistake::NewLeaderFirst) {
            self.send(key, new_leader.clone());
        }
        match plan {
            Plan::Diff(point) => self.send(key, ToLearner::Diff(self.committed.max(point))),
            Plan::Trunc(point) => self.send(key, ToLearner::Trunc(point)),
            Plan::Snap => {
                self.send(key, ToLearner::Snap(self.tree_zxid(truncates)));
                self.out.push(LeaderEffect::SendTree(key));
            }
            Plan::Search => {}
        }
        self.send_since(key, plan.from(self.committed), follows);
        if !self.config.mistakes.make(Mistake::NewLeaderFirst) {
            self.send(key, new_leader);
        }
    }

    /// The zxid under which a learner gets the tree.
    ///
    /// Apache's keep their log and their snapshots, and after a restart believe whatever has the highest zxid: only the beginning
    /// of this epoch is above all that they may hold. Nothing but what is committed precedes it.
    fn tree_zxid(&self, truncates: bool) -> Zxid {
        if truncates { self.committed } else { self.committed.max(self.start()) }
    }

    /// What the log on the disk holds for this learner: the last transaction at or before the end of its own, if everything from there on is in
    /// the log, and not too much.
    pub fn log_searched(&mut self, key: LearnerKey, found: Option<Zxid>) {
        let given = matches!(self.phase, Phase::Synchronisation | Phase::Broadcast);
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if given && peer.stage == Stage::Promised {
            peer.on_disk = found.map_or(OnDisk::Useless, OnDisk::From);
            self.give_history(key);
        }
    }

    /// The log on the disk could not be sent though it had been found whole: from now on who lacks more than what is in memory gets the tree.
    pub const fn log_failed(&mut self) {
        self.config.log_sync = false;
    }

    fn send_since(&mut self, key: LearnerKey, from: Zxid, follows: bool) {
        // All of it is committed. What was in memory when the log was searched need not be there any more, so it goes by what is now.
        let base = self.history.base();
        if from < base {
            self.out.push(LeaderEffect::SendLog(key, from, base));
        }
        for entry in self.history.since(from) {
            let committed = entry.zxid() <= self.committed;
            if committed || follows {
                let proposal = ToLearner::Proposal(entry.clone());
                self.out.push(LeaderEffect::Send(key, proposal));
            }
            if committed {
                self.out.push(LeaderEffect::Send(key, ToLearner::Commit(entry.zxid())));
            }
        }
    }

    /// A learner has the history and the epoch on its disk.
    pub(super) fn has_history(&mut self, key: LearnerKey, now: i64) {
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.stage = Stage::Synced;
        }
        if self.phase == Phase::Broadcast {
            self.activate(key, now);
            self.commit(now);
        } else {
            self.establish(now);
        }
    }

    /// With a quorum that has the history, all of it is committed, and the epoch is established.
    fn establish(&mut self, now: i64) {
        let enough = self.quorum(|peer| peer.stage >= Stage::Synced)
            || self.config.mistakes.make(Mistake::ServeEarly);
        if self.phase != Phase::Synchronisation || !enough {
            return;
        }
        self.enter(Phase::Broadcast, now);
        let leads = self.settle_config();
        self.out.push(LeaderEffect::Established(self.epoch));
        let synced = self.peers.iter().filter(|(_, peer)| peer.stage == Stage::Synced);
        for key in synced.map(|(&key, _)| key).collect::<Vec<_>>() {
            self.activate(key, now);
        }
        if !leads {
            self.hand_over(now);
        }
    }

    fn activate(&mut self, key: LearnerKey, now: i64) {
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.stage = Stage::Active;
            peer.heard = now;
            peer.owes_since =
                peer.counts.then_some(now).filter(|_| self.history.last() > self.committed);
            self.send(key, ToLearner::UpToDate);
            self.followers_changed();
        }
    }
}
