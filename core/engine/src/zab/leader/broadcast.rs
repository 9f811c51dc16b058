//! Broadcast: proposals to everybody, commits when a quorum has them on disk.

use super::peer::Stage;
use super::{Leader, Phase};
use crate::segment::Segment;
use crate::zab::message::ToLearner;
use crate::zab::{Entry, LeaderEffect, LearnerKey, Leaving, Mistake, Sid};
use quorate_wire::Zxid;
use std::sync::Arc;

/// Counter at which a leader resigns: the next one would be the last of the epoch (ZOOKEEPER-1277).
const LAST_COUNTER: i64 = 0xFFFF_FFFE;

impl Leader {
    /// Proposes transactions, if the epoch has zxids for them, and returns whether the caller is to give them to its log as well. Only when
    /// established; their zxids go on from the last. One without zxids resigns: those after the last are of an epoch that it has not been promised.
    pub fn propose(&mut self, segment: &Arc<Segment>, now: i64) -> bool {
        debug_assert!(self.is_established(), "only an established leader proposes");
        if segment.last_zxid().is_some_and(|last| last.epoch() != self.epoch) {
            self.leave(Leaving::Exhausted);
            return false;
        }
        for entry in Entry::all_of(segment) {
            debug_assert!(entry.zxid() == self.next_zxid(), "zxids go up by one");
            self.history.push(entry.clone());
            self.proposals.count(entry.payload().len());
            self.look_for_config(&entry);
            for (&key, peer) in &mut self.peers {
                if peer.stage >= Stage::Syncing && peer.follows() {
                    peer.owes_since = peer.owes_since.or(Some(now));
                    let proposal = ToLearner::Proposal(entry.clone());
                    self.out.push(LeaderEffect::Send(key, proposal));
                }
            }
        }
        if self.history.last().counter() >= LAST_COUNTER {
            self.leave(Leaving::Exhausted);
        }
        true
    }

    /// The zxid that the next proposal must have.
    #[must_use]
    pub fn next_zxid(&self) -> Zxid {
        self.history.last().max(self.start()).next()
    }

    /// A learner has it on its disk.
    pub(super) fn acked(&mut self, key: LearnerKey, zxid: Zxid, now: i64) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let is_first = peer.stage == Stage::Syncing;
        let start = super::start_of(self.epoch);
        if zxid > self.history.last() && zxid != start {
            return self.close(key, Leaving::Protocol("it acknowledges what was not proposed"));
        }
        let overtaken = self.config.mistakes.make(Mistake::AckOvertakes) && zxid >= start;
        if is_first && (zxid == start || overtaken) {
            return self.has_history(key, now);
        }
        if zxid.counter() != 0 {
            peer.acked = peer.acked.max(zxid);
            peer.owes_since = (peer.acked < self.history.last()).then_some(now);
            self.commit(now);
        }
    }

    /// Commits what a quorum, with this server, has on its disks.
    pub(super) fn commit(&mut self, now: i64) {
        if self.phase != Phase::Broadcast {
            return;
        }
        let voters = self.peers.values().filter(|peer| peer.counts && peer.stage >= Stage::Synced);
        let mut marks: Vec<Zxid> = voters.map(|peer| peer.acked.min(self.logged)).collect();
        marks.extend(self.gone.iter().map(|&(_, acked)| acked.min(self.logged)));
        marks.push(self.logged);
        marks.sort_unstable();
        let newly = marks.into_iter().rev().take_while(|&mark| mark > self.committed);
        let holds = |mark| {
            self.quorum_with(
                |peer| peer.stage >= Stage::Synced && peer.acked >= mark,
                |sid| self.gone.iter().any(|&(gone, acked)| gone == sid && acked >= mark),
            )
        };
        if let Some(mark) = newly.into_iter().find(|&mark| holds(mark)) {
            let version = self.quorums.committed().version;
            self.tell_committed(mark, now);
            self.answer_syncs(now);
            if self.quorums.committed().version != version {
                // What followed has waited for both configurations, and the new one may have it.
                self.commit(now);
            }
        }
    }

    fn tell_committed(&mut self, upto: Zxid, now: i64) {
        let entries = self.history.since(self.committed);
        let entries: Vec<Entry> =
            entries.take_while(|entry| entry.zxid() <= upto).cloned().collect();
        let mut told = self.committed;
        for entry in entries {
            if self.owes_sync_before(entry.zxid()) {
                if self.committed > told {
                    told = self.committed;
                    self.out.push(LeaderEffect::Committed(told));
                }
                self.answer_syncs_before(entry.zxid());
            }
            let zxid = entry.zxid();
            let activated = self.pending_since(zxid);
            let leader = activated.is_some().then(|| self.next_leader(zxid));
            self.tell_one(&entry, leader);
            self.committed = zxid;
            if let (Some(membership), Some(leader)) = (activated, leader) {
                told = zxid;
                self.out.push(LeaderEffect::Committed(zxid));
                self.take_config(membership, zxid, leader);
                if leader != self.config.me {
                    return self.hand_over(now);
                }
            }
        }
        if upto > told {
            self.out.push(LeaderEffect::Committed(upto));
        }
    }

    /// `leader`: who should lead under the reconfiguration that the entry is.
    fn tell_one(&mut self, entry: &Entry, leader: Option<Sid>) {
        for (&key, peer) in self.peers.iter().filter(|(_, peer)| peer.stage >= Stage::Syncing) {
            let message = match (peer.follows(), leader) {
                (true, None) => ToLearner::Commit(entry.zxid()),
                (true, Some(leader)) => ToLearner::CommitAndActivate(entry.zxid(), leader),
                (false, None) => ToLearner::Inform(entry.clone()),
                (false, Some(leader)) => ToLearner::InformAndActivate(entry.clone(), leader),
            };
            self.out.push(LeaderEffect::Send(key, message));
        }
    }
}
