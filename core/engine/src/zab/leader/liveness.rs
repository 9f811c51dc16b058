//! Liveness: pings, the quorum that must answer them, and answers that only a server may give that still leads.
//!
//! Every ping belongs to a round, and a learner answers its pings in order. A sync waits for a round that began after it was asked
//! for, so that the quorum has confirmed this leader since: one that was paused, and has a successor, cannot answer (ZOOKEEPER-1675).
//!
//! Beats are only signs of life, for learners that give a leader up sooner than after `syncLimit` ticks. They belong to no round and nobody answers them, so
//! that many of them cost little. An Apache learner gets none.

use super::peer::{Peer, Stage};
use super::{Leader, Phase};
use crate::zab::message::ToLearner;
use crate::zab::{LeaderEffect, LearnerKey, Leaving, Mistake};
use quorate_wire::Zxid;
use std::collections::VecDeque;

/// Rounds of pings, and who waits for them.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    /// The last round that was begun.
    begun: u64,
    /// The last round that a quorum has answered.
    confirmed: u64,
    waiting: VecDeque<Waiting>,
    /// Syncs of this server's own clients that were asked for, and answered.
    asked: u64,
}

#[derive(Debug)]
struct Waiting {
    /// Whose sync it is; `None` for one of this server's clients.
    learner: Option<LearnerKey>,
    /// A round that began after it was asked for.
    round: u64,
    /// What was proposed before it.
    after: Zxid,
}

impl Rounds {
    /// Syncs that wait.
    pub(super) fn pending(&self) -> usize {
        self.waiting.len()
    }
}

impl Leader {
    /// A client of this server wants to see everything that was committed anywhere before now. Returns the number that
    /// [`LeaderEffect::Synced`] will reach when it can.
    pub fn sync(&mut self, now: i64) -> u64 {
        self.rounds.asked += 1;
        self.asked_to_sync(None, now);
        self.rounds.asked
    }

    pub(super) fn asked_to_sync(&mut self, learner: Option<LearnerKey>, now: i64) {
        let unasked = self.config.mistakes.make(Mistake::SyncUnasked);
        let round = if unasked { 0 } else { self.rounds.begun + 1 };
        // Who hands over proposes nothing more: what its client has asked for before will not be done here, and a sync must not overtake it.
        let handing_over = self.phase == Phase::HandingOver;
        let after = if handing_over { Zxid(i64::MAX) } else { self.history.last() };
        self.rounds.waiting.push_back(Waiting { learner, round, after });
        if self.rounds.begun == self.rounds.confirmed {
            self.ping(now);
        }
        self.answer_syncs(now);
    }

    /// Answers the syncs that a quorum has made true, oldest first.
    pub(super) fn answer_syncs(&mut self, now: i64) {
        let (confirmed, committed) = (self.rounds.confirmed, self.committed);
        self.answer_while(|w| w.round <= confirmed && w.after <= committed);
        let needs_round = self.rounds.waiting.iter().any(|w| w.round > self.rounds.begun);
        if needs_round && self.rounds.begun == self.rounds.confirmed {
            self.ping(now);
        }
    }

    /// Whether a sync waits that was asked for before this was proposed.
    pub(super) fn owes_sync_before(&self, zxid: Zxid) -> bool {
        self.rounds.waiting.front().is_some_and(|waiting| waiting.after < zxid)
    }

    /// A quorum has on its disks what was proposed after these syncs were asked for, which confirms this leader no less than its pings
    /// do. So a sync is answered before what its client asked for after it, always.
    pub(super) fn answer_syncs_before(&mut self, zxid: Zxid) {
        self.answer_while(|waiting| waiting.after < zxid);
    }

    fn answer_while(&mut self, is_true: impl Fn(&Waiting) -> bool) {
        while let Some(done) = self.rounds.waiting.pop_front_if(|waiting| is_true(waiting)) {
            match done.learner {
                Some(key) if self.peers.contains_key(&key) => self.send(key, ToLearner::Sync),
                Some(_) => {}
                None => {
                    let left = self.rounds.waiting.iter().filter(|w| w.learner.is_none()).count();
                    let left = u64::try_from(left).unwrap_or(u64::MAX);
                    self.out.push(LeaderEffect::Synced(self.rounds.asked.saturating_sub(left)));
                }
            }
        }
    }

    /// A learner has answered its oldest ping.
    pub(super) fn pinged(&mut self, key: LearnerKey, touched: Vec<(i64, i32)>) {
        let touched = touched.into_iter();
        self.out
            .extend(touched.map(|(session, timeout)| LeaderEffect::Touched(key, session, timeout)));
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.confirmed = peer.pings.pop_front().unwrap_or(peer.confirmed);
        let now = peer.heard;
        self.confirm(now);
    }

    fn confirm(&mut self, now: i64) {
        let mut rounds: Vec<u64> =
            self.peers.values().filter(|p| p.counts).map(|p| p.confirmed).collect();
        rounds.push(self.rounds.begun);
        rounds.sort_unstable();
        let answered = |round: u64| {
            self.quorum(move |peer: &Peer| peer.stage == Stage::Active && peer.confirmed >= round)
        };
        let newest = rounds.into_iter().rev().take_while(|&round| round > self.rounds.confirmed);
        if let Some(round) = newest.into_iter().find(|&round| answered(round)) {
            self.rounds.confirmed = round;
            self.answer_syncs(now);
        }
    }

    /// Begins a round.
    fn ping(&mut self, now: i64) {
        self.rounds.begun += 1;
        let (round, last) = (self.rounds.begun, self.history.last().max(self.start()));
        for (&key, peer) in self.peers.iter_mut().filter(|(_, peer)| peer.stage == Stage::Active) {
            peer.pings.push_back(round);
            self.out.push(LeaderEffect::Send(key, ToLearner::Ping(last)));
        }
        self.confirm(now);
    }

    /// Pings when it is time, closes whom it has not heard, and gives up without a quorum. To be called at [`deadline`](Self::deadline).
    pub fn tick(&mut self, now: i64) {
        match self.phase {
            Phase::Left => return,
            Phase::Broadcast => {}
            Phase::HandingOver if now >= self.phase_ends => {
                return self.leave(Leaving::Reconfigured);
            }
            _ if now >= self.phase_ends => return self.leave(Leaving::NoQuorum),
            _ => {}
        }
        self.beat(now);
        let late =
            |(&key, peer): (&LearnerKey, &Peer)| self.too_late(peer, now).map(|why| (key, why));
        for (key, why) in self.peers.iter().filter_map(late).collect::<Vec<_>>() {
            self.close(key, why);
        }
        let active = |peer: &Peer| peer.stage == Stage::Active;
        if self.phase == Phase::Broadcast && !self.quorum(active) {
            return self.leave(Leaving::NoQuorum);
        }
        if now >= self.next_ping {
            self.next_ping = now.saturating_add(self.config.ping_interval);
            if self.phase == Phase::Broadcast {
                self.ping(now);
            }
        }
    }

    /// Lets learners know that it is there, when it is time. [`tick`](Self::tick) does so too; who puts that off is not to put this off.
    pub fn beat(&mut self, now: i64) {
        let Some(beat) = self.config.beat.filter(|_| now >= self.next_beat) else { return };
        self.next_beat = now.saturating_add(i64::from(beat));
        let takers = self.peers.iter().filter(|(_, peer)| peer.takes_beats());
        self.out.extend(takers.map(|(&key, _)| LeaderEffect::Send(key, ToLearner::Beat)));
    }

    /// When [`beat`](Self::beat) has something to do, ms.
    #[must_use]
    pub fn beat_deadline(&self) -> Option<i64> {
        let beats = self.config.beat.is_some() && self.peers.values().any(Peer::takes_beats);
        beats.then_some(self.next_beat)
    }

    /// Whether a learner answered a moment ago. One that has come again while its last connection seems to be well does not.
    pub(super) fn answers(&self, peer: &Peer, now: i64) -> bool {
        let moment = self.config.ping_interval.saturating_mul(2);
        peer.stage == Stage::Active && now < peer.heard.saturating_add(moment)
    }

    fn too_late(&self, peer: &Peer, now: i64) -> Option<Leaving> {
        let waits_for_others =
            matches!(peer.stage, Stage::Waiting | Stage::Promised | Stage::Synced);
        if peer.stage < Stage::Active {
            let ends = peer.heard.saturating_add(self.config.init_limit);
            return (!waits_for_others && now >= ends).then_some(Leaving::Silent);
        }
        let limit = self.config.sync_limit;
        let slow = peer.owes_since.is_some_and(|since| now >= since.saturating_add(limit));
        if slow && peer.follows() {
            return Some(Leaving::Slow);
        }
        (now >= peer.heard.saturating_add(limit)).then_some(Leaving::Silent)
    }

    /// When [`tick`](Self::tick) has something to do, ms.
    #[must_use]
    pub fn deadline(&self) -> i64 {
        let ends = if self.phase == Phase::Broadcast { i64::MAX } else { self.phase_ends };
        self.beat_deadline().unwrap_or(i64::MAX).min(self.next_ping).min(ends)
    }
}
