//! A leader: one epoch, from the first learner that connects to the loss of the quorum.
//!
//! `discovery` finds the epoch, `sync` hands the history on, `broadcast` adds to it, `liveness` sees to it that a quorum follows and
//! answers what may only be said by a server that leads. This file holds the state that they share and takes the messages apart.

mod broadcast;
mod discovery;
mod figures;
mod liveness;
mod peer;
mod reconfig;
mod sync;
#[cfg(test)]
mod tests;

pub use figures::{Following, Proposals};

use super::{
    Durable, Epoch, History, LeaderEffect, LearnerKey, Leaving, Mistake, Sid, ToLeader, ZabConfig,
    start_of,
};
use crate::quorum::Quorums;
use liveness::Rounds;
use peer::{Peer, Stage};
use quorate_wire::Zxid;
use std::collections::BTreeMap;

/// How far a leader has come. Each phase is reached once, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Asks a quorum which epochs it has promised.
    Discovery,
    /// Has found the epoch, and writes its own promise.
    Promising,
    /// Asks a quorum for its promise.
    AwaitingPromises,
    /// Has the promises, and writes that its history is the epoch's.
    WritingEpoch,
    /// Gives a quorum its history.
    Synchronisation,
    /// Is established.
    Broadcast,
    /// Has committed a configuration in which another one leads: commits nothing more, and ends when the others have heard of it.
    HandingOver,
    /// Has given up.
    Left,
}

/// The leading role of a server.
///
/// Invariant: `committed <= logged <= proposed`, all of this leader's own history.
#[derive(Debug)]
pub struct Leader {
    config: ZabConfig,
    quorums: Quorums,
    phase: Phase,
    /// When the phase must have been left.
    phase_ends: i64,
    /// The epoch, or the lowest that it can be while it is being discovered.
    epoch: Epoch,
    /// The lowest that it could be when the role began.
    lowest: Epoch,
    /// `currentEpoch` and the end of the log when it was elected.
    elected_with: (Epoch, Zxid),
    history: History,
    logged: Zxid,
    committed: Zxid,
    peers: BTreeMap<LearnerKey, Peer>,
    rounds: Rounds,
    next_ping: i64,
    next_beat: i64,
    proposals: Proposals,
    /// On purpose only: who has gone, and what it had acknowledged.
    gone: Vec<(Sid, Zxid)>,
    out: Vec<LeaderEffect>,
}

impl Leader {
    /// Takes office with what is on the disk, which the tree must hold to the end.
    #[must_use]
    pub fn new(config: ZabConfig, quorums: Quorums, durable: Durable, now: i64) -> Self {
        let Durable { accepted_epoch, current_epoch, history, .. } = durable.settled();
        let last = history.last();
        let mut leader = Self {
            quorums,
            phase: Phase::Discovery,
            phase_ends: now.saturating_add(config.init_limit),
            epoch: accepted_epoch + 1,
            lowest: accepted_epoch + 1,
            elected_with: (current_epoch, last),
            history,
            logged: last,
            committed: last,
            peers: BTreeMap::new(),
            rounds: Rounds::default(),
            next_ping: now.saturating_add(config.ping_interval),
            next_beat: now,
            proposals: Proposals::default(),
            gone: Vec::new(),
            out: Vec::new(),
            config,
        };
        leader.discover(now);
        leader
    }

    /// A learner has connected.
    pub fn connected(&mut self, key: LearnerKey, now: i64) {
        self.peers.insert(key, Peer::new(now));
    }

    /// A learner's connection has ended.
    pub fn disconnected(&mut self, key: LearnerKey) {
        if let Some(peer) = self.peers.remove(&key) {
            if self.config.mistakes.make(Mistake::CountTheGone) {
                self.gone.push((peer.sid, peer.acked));
            }
            self.followers_changed();
        }
    }

    /// A learner says something. Nothing is heard from connections that have been closed.
    pub fn received(&mut self, key: LearnerKey, message: ToLeader, now: i64) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.heard = now;
        let stage = peer.stage;
        match message {
            ToLeader::Info { sid, kind, accepted, config, features } if stage == Stage::New => {
                peer.features = features;
                let ours = self.quorums.committed().version;
                if config > ours {
                    return self.close(key, Leaving::NewerConfig { theirs: config, ours });
                }
                self.joined(key, sid, kind, accepted, now);
            }
            ToLeader::AckEpoch { current, last } if stage == Stage::Asked => {
                self.promised(key, current, last, now);
            }
            ToLeader::Ack(zxid) if stage >= Stage::Syncing => self.acked(key, zxid, now),
            ToLeader::Ping(_, touched) if stage >= Stage::Syncing => self.pinged(key, touched),
            ToLeader::Request(request) if stage == Stage::Active && request.is_sync() => {
                self.asked_to_sync(Some(key), now);
            }
            ToLeader::Request(request) if stage == Stage::Active => {
                self.out.push(LeaderEffect::Request(key, request));
            }
            ToLeader::Revalidate { session, timeout } if stage == Stage::Active => {
                self.out.push(LeaderEffect::Revalidate(key, session, timeout));
            }
            _ => self.close(key, Leaving::Protocol("this cannot be said now")),
        }
    }

    /// `acceptedEpoch` is on the disk.
    pub fn accepted_written(&mut self, epoch: Epoch, now: i64) {
        if self.phase == Phase::Promising && epoch == self.epoch {
            self.ask_for_promises(now);
        }
    }

    /// `currentEpoch` is on the disk.
    pub fn current_written(&mut self, epoch: Epoch, now: i64) {
        if self.phase == Phase::WritingEpoch && epoch == self.epoch {
            self.synchronise(now);
        }
    }

    /// The log is durable up to here.
    pub fn logged(&mut self, zxid: Zxid, now: i64) {
        self.logged = self.logged.max(zxid);
        self.commit(now);
    }

    /// The effects since the last call.
    pub fn effects(&mut self) -> std::vec::Drain<'_, LeaderEffect> {
        self.history.shrink(self.config.history_bytes, self.committed);
        self.out.drain(..)
    }

    /// The epoch, once it is fixed.
    #[must_use]
    pub fn epoch(&self) -> Option<Epoch> {
        (self.phase > Phase::Discovery).then_some(self.epoch)
    }

    /// Whether proposals may be made.
    #[must_use]
    pub fn is_established(&self) -> bool {
        self.phase == Phase::Broadcast
    }

    /// Up to where the history is committed.
    #[must_use]
    pub const fn committed(&self) -> Zxid {
        self.committed
    }

    /// What this server knows of the history.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// Whether this server and those voters for which `holds` is true may decide.
    fn quorum(&self, holds: impl Fn(&Peer) -> bool) -> bool {
        self.quorum_with(holds, |_| false)
    }

    fn quorum_with(&self, holds: impl Fn(&Peer) -> bool, gone: impl Fn(Sid) -> bool) -> bool {
        let has = |sid: Sid| {
            let mut peers = self.peers.values().filter(|peer| peer.counts && peer.sid == sid);
            sid == self.config.me || peers.any(&holds) || gone(sid)
        };
        if self.config.mistakes.make(Mistake::HalfIsEnough) {
            let voters: Vec<Sid> = self.quorums.voters().collect();
            return voters.iter().filter(|&&sid| has(sid)).count() * 2 >= voters.len() - 1;
        }
        self.quorums.is_quorum(has)
    }

    fn send(&mut self, key: LearnerKey, message: super::ToLearner) {
        self.out.push(LeaderEffect::Send(key, message));
    }

    fn close(&mut self, key: LearnerKey, why: Leaving) {
        if self.peers.remove(&key).is_some() {
            self.out.push(LeaderEffect::Close(key, why));
            self.followers_changed();
        }
    }

    /// Gives up. Nothing is sent any more, and nothing committed.
    fn leave(&mut self, why: Leaving) {
        if self.phase != Phase::Left {
            self.phase = Phase::Left;
            self.peers.clear();
            self.out.push(LeaderEffect::Leave(why));
        }
    }

    fn enter(&mut self, phase: Phase, now: i64) {
        debug_assert!(phase > self.phase, "phases follow each other");
        self.phase = phase;
        self.phase_ends = now.saturating_add(self.config.init_limit);
    }

    fn start(&self) -> Zxid {
        start_of(self.epoch)
    }
}
