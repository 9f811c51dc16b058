//! What comes from other servers: votes, learners, the leader.

use super::thread::State;
use crate::ensemble::election::ElectionReport;
use crate::ensemble::peers::{LeaderLink, LeaderReport, LearnerReport, Loss};
use crate::server::ServerError;
use crate::storage::LogPart;
use quorate_engine::member::Bench;
use quorate_engine::replica::Now;

impl State {
    /// What the election's thread has reported.
    pub(super) fn take_votes(&mut self, now: Now) -> Result<(), ServerError> {
        for report in self.votes.take() {
            match report {
                ElectionReport::Decided { state, leader } => {
                    tracing::info!("server {leader} is elected; this one is {state:?}");
                    self.member.decided(state, leader, now);
                }
                ElectionReport::Withdrawn => self.member.withdrawn(),
                ElectionReport::SawConfig { from, membership } => {
                    let version = membership.version;
                    tracing::info!("server {from} has a newer configuration, version {version:x}");
                    self.member.heard_of(membership);
                    self.settle(now)?;
                }
                ElectionReport::Failed(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// What learners say.
    pub(super) fn hear_learners(&mut self, now: Now) -> Result<(), ServerError> {
        let crowded = self.is_crowded();
        while let Some(report) = self.learners.as_mut().and_then(|links| links.next(crowded)) {
            let shards = &mut [&mut self.shard];
            let mut bench = Bench { tree: &mut self.tree, shards, now };
            match report {
                LearnerReport::Connected(key, remote) => {
                    tracing::debug!("a learner has connected from {remote}");
                    self.member.learner_connected(key, &bench);
                }
                LearnerReport::Message(key, message) => {
                    self.member.from_learner(key, message, &mut bench)?;
                }
                LearnerReport::Gone(key, loss) => {
                    tracing::debug!("a learner is gone: {loss}");
                    self.found.remove(&key);
                    if matches!(loss, Loss::Log(_)) {
                        self.member.log_failed();
                    }
                    self.member.learner_gone(key);
                }
            }
        }
        Ok(())
    }

    /// What was found in the log for learners.
    pub(super) fn take_searches(&mut self, now: Now) -> Result<(), ServerError> {
        for (key, part) in self.catch_ups.searched() {
            let floor = part.as_ref().map(LogPart::floor);
            if let Some(part) = part {
                self.found.insert(key, part);
            }
            let shards = &mut [&mut self.shard];
            let mut bench = Bench { tree: &mut self.tree, shards, now };
            self.member.log_searched(key, floor, &mut bench)?;
            // What was found may be sent, or be of no use all the same.
            self.settle(now)?;
            self.found.remove(&key);
        }
        Ok(())
    }

    /// Whether nothing may be taken from the leader: the role waits for the disk, or the disk lags so far behind that more would only take
    /// memory.
    pub(super) fn takes_nothing(&self) -> bool {
        self.member.is_busy() || self.archive.queued() > MOST_UNLOGGED
    }

    /// What the leader says.
    pub(super) fn hear_leader(&mut self, now: Now) -> Result<(), ServerError> {
        loop {
            let busy = self.takes_nothing();
            let Some(report) = self.leader.as_mut().and_then(|link| link.next(now.mono, busy))
            else {
                return Ok(());
            };
            match report {
                LeaderReport::Connected(remote) => {
                    self.received = 0;
                    tracing::debug!("connected to the leader at {remote}");
                    self.member.connected(now);
                    self.settle(now)?;
                }
                LeaderReport::Message(message) => {
                    let shards = &mut [&mut self.shard];
                    let mut bench = Bench { tree: &mut self.tree, shards, now };
                    self.member.from_leader(message, &mut bench)?;
                }
                LeaderReport::Tree(receiver) => {
                    self.incoming = Some(receiver);
                    self.member.tree_received();
                }
                LeaderReport::Gone(loss) => {
                    tracing::info!("the leader is gone: {loss}");
                    if loss.is_nonsense() {
                        self.pause.begin(now.mono);
                    }
                    self.leader = None;
                    self.member.unconnected();
                }
            }
        }
    }

    /// A tree takes its time: as long as it is coming, the leader lives. To be asked when something may have come, and not when it is time to look: by
    /// then it is of the past.
    pub(super) fn notice_leader(&mut self, now: Now) {
        let received = self.leader.as_ref().map_or(0, LeaderLink::received);
        if received > self.received {
            self.received = received;
            self.member.leader_lives(now);
        }
    }
}

/// Bytes of a leader's transactions that may wait for the log.
const MOST_UNLOGGED: usize = 64 << 20;
