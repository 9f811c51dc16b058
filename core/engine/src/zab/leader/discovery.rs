//! Discovery: an epoch that is newer than any that a quorum has promised, and the promises of a quorum.
//!
//! Any two quorums share a server, and a server promises each epoch to one leader: so of each epoch there is at most one leader, and a
//! leader of an older one gets nothing acknowledged any more.

use super::peer::Stage;
use super::{Leader, Phase};
use crate::zab::message::{LearnerKind, ToLearner};
use crate::zab::{Epoch, LAST_EPOCH, LeaderEffect, LearnerKey, Leaving, Mistake, Sid};
use quorate_wire::Zxid;

impl Leader {
    /// A learner has said who it is.
    pub(super) fn joined(
        &mut self,
        key: LearnerKey,
        sid: Sid,
        kind: LearnerKind,
        accepted: Epoch,
        now: i64,
    ) {
        if !(0..=LAST_EPOCH).contains(&accepted) {
            return self.close(key, Leaving::Protocol("no epoch is that large"));
        }
        if accepted > self.lowest.saturating_add(FARTHEST) && self.quorums.is_member(sid) {
            return self.close(
                key,
                Leaving::Protocol("it claims an epoch that no election can have led to"),
            );
        }
        if sid == self.config.me {
            return self.close(key, Leaving::Protocol("it has the id of its leader"));
        }
        let before = self.peers.iter().find(|(k, peer)| **k != key && peer.sid == sid);
        if let Some((&before, peer)) = before {
            if self.answers(peer, now) {
                return self.close(key, Leaving::Twin { sid });
            }
            // Only the other side knows that this connection is dead. What it had acknowledged need not be there any more.
            self.close(before, Leaving::Replaced);
        }
        let counts = kind == LearnerKind::Follower && self.quorums.is_voter(sid);
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.sid = sid;
            peer.kind = kind;
            peer.counts = counts;
            peer.accepted = accepted;
            peer.stage = Stage::Waiting;
        }
        let careless = self.config.mistakes.make(Mistake::IgnoreEpochs);
        match self.phase {
            Phase::Discovery => self.discover(now),
            Phase::Promising | Phase::Left => {}
            _ if accepted > self.epoch && counts && !careless => self.leave(Leaving::Outrun),
            _ => self.ask(key),
        }
    }

    /// Takes the epoch if a quorum has said what it has promised.
    pub(super) fn discover(&mut self, now: i64) {
        // Who is no member may say what it likes.
        let promised = self
            .peers
            .values()
            .filter(|peer| peer.stage == Stage::Waiting && self.quorums.is_member(peer.sid));
        if !self.config.mistakes.make(Mistake::IgnoreEpochs) {
            self.epoch = promised.fold(self.epoch, |epoch, peer| epoch.max(peer.accepted + 1));
        }
        if !self.quorum(|peer| peer.stage == Stage::Waiting) {
            return;
        }
        if self.epoch > LAST_EPOCH {
            return self.leave(Leaving::Exhausted);
        }
        self.enter(Phase::Promising, now);
        self.give_config_a_version();
        self.out.push(LeaderEffect::WriteAccepted(self.epoch));
    }

    /// The own promise is on the disk: whoever waits is asked for its promise.
    pub(super) fn ask_for_promises(&mut self, now: i64) {
        self.enter(Phase::AwaitingPromises, now);
        let waiting = self.peers.iter().filter(|(_, peer)| peer.stage == Stage::Waiting);
        for key in waiting.map(|(&key, _)| key).collect::<Vec<_>>() {
            self.ask(key);
        }
        self.count_promises(now);
    }

    fn ask(&mut self, key: LearnerKey) {
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.stage = Stage::Asked;
            let beat = self.config.beat.filter(|_| peer.features.beats);
            self.send(key, ToLearner::LeaderInfo(self.epoch, beat));
        }
    }

    /// A learner has promised the epoch.
    pub(super) fn promised(
        &mut self,
        key: LearnerKey,
        current: Option<Epoch>,
        last: Zxid,
        now: i64,
    ) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let ahead = current.is_some_and(|current| (current, last) > self.elected_with);
        if self.phase == Phase::AwaitingPromises && ahead {
            let sid = peer.sid;
            return self.close(key, Leaving::Ahead { sid });
        }
        peer.holds = (current, last);
        peer.stage = Stage::Promised;
        match self.phase {
            Phase::AwaitingPromises => self.count_promises(now),
            Phase::Synchronisation | Phase::Broadcast => self.give_history(key),
            _ => {}
        }
    }

    fn count_promises(&mut self, now: i64) {
        // One that had promised this epoch before may have promised it to another: it is served, and does not count.
        if self.quorum(|peer| peer.stage == Stage::Promised && peer.holds.0.is_some()) {
            self.enter(Phase::WritingEpoch, now);
            self.out.push(LeaderEffect::WriteCurrent(self.epoch));
        }
    }
}

/// So many epochs a member may be ahead.
///
/// Whoever can reach the quorum port can say that it is a voter that is not here, and that it has promised any epoch. A leader has to believe it: an honest
/// voter that is ahead could not join otherwise. Apache's believes everything, and so its epochs, of which there are 2^31, can be
/// used up in one go, for good. Each step takes an election, though, and no ensemble holds a million while one of its voters is away.
const FARTHEST: Epoch = 1 << 20;
