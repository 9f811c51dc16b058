//! Does what the engine wants done.

use super::thread::State;
use crate::ensemble::peers::{LeaderLink, LeaderSettings, LearnerLinks};
use crate::server::ServerError;
use crate::storage::StorageError;
use quorate_engine::member::{Doing, Effect};
use quorate_engine::replica::Now;
use quorate_engine::shard::{ConnKey, State as ConnState};
use quorate_engine::zab::{Epoch, Leaving, Sid};
use quorate_wire::Zxid;

impl State {
    pub(super) fn carry_out(&mut self, effect: Effect, now: Now) -> Result<(), ServerError> {
        match effect {
            Effect::Look(history) => {
                self.words.set_mode(None);
                if let Some(history) = self.pause.look(history, now.mono) {
                    self.election.look(history);
                }
            }
            Effect::Listen => self.listen()?,
            Effect::Connect(leader) => self.connect(leader, now)?,
            Effect::ToLearner(key, message) => {
                if let Some(learners) = &mut self.learners {
                    learners.send(key, &message);
                }
            }
            Effect::SendTree(key) => {
                if let Some(learners) = &mut self.learners {
                    learners.send_tree(key, &mut self.tree);
                }
            }
            Effect::CloseLearner(key, why) => {
                tracing::info!("a learner's connection is closed: {why}");
                if let Some(learners) = &mut self.learners {
                    learners.close(key);
                }
            }
            Effect::ToLeader(message) => {
                if let Some(leader) = &mut self.leader {
                    leader.send(&message);
                }
            }
            Effect::Append(segment) => self.archive.append(segment),
            Effect::AppendEntries(entries) => self.archive.append_entries(&entries),
            Effect::WriteAccepted(epoch) => {
                self.archive.write_accepted(epoch)?;
                self.member.accepted_written(epoch, now);
            }
            Effect::WriteCurrent(epoch) => {
                self.archive.write_current(epoch)?;
                self.member.current_written(epoch, now);
            }
            Effect::Truncate(zxid) => self.truncate(zxid),
            Effect::ReceiveTree => {}
            Effect::InstallTree(zxid) => self.install(zxid),
            Effect::Serve(epoch) => self.serve_clients(epoch, now),
            Effect::Rest(why) => self.rest(&why)?,
        }
        Ok(())
    }

    fn listen(&mut self) -> Result<(), ServerError> {
        let opened = self.settings.quorum_addresses().and_then(|addresses| {
            LearnerLinks::open(&addresses, LEARNERS, self.settings.limits, &self.registry)
        });
        let cause = match opened {
            Ok(learners) => {
                for address in learners.addresses() {
                    tracing::debug!("waiting for learners at {address}");
                }
                self.learners = Some(learners);
                return Ok(());
            }
            Err(cause) => cause,
        };
        let own = self.settings.addresses_of(self.settings.me);
        let own: Vec<String> = own.iter().map(ToString::to_string).collect();
        Err(ServerError::Quorum { address: own.join(", "), cause })
    }

    fn connect(&mut self, leader: Sid, now: Now) -> Result<(), ServerError> {
        let settings = LeaderSettings {
            addresses: self.settings.addresses_of(leader),
            base: LEADER,
            search_ends: now.mono.saturating_add(self.settings.search),
            limits: self.settings.limits,
            tree: self.tree_config,
        };
        let link = LeaderLink::new(settings, &self.registry, &self.waker, now.mono)
            .map_err(|cause| ServerError::System { what: "poll", cause })?;
        self.leader = Some(link);
        Ok(())
    }

    /// A cut that fails leaves a history that must be read again, which is done when the role has ended.
    fn truncate(&mut self, zxid: Zxid) {
        match self.archive.truncate(zxid) {
            Ok(Some((tree, history))) => {
                tracing::info!("the log has been cut after {zxid}, as the leader asked");
                self.tree = tree;
                self.member.truncated(Some(history));
            }
            Ok(None) => self.member.truncated(None),
            Err(error) => self.gave_up("cut", &error),
        }
    }

    fn install(&mut self, zxid: Zxid) {
        let Some(receiver) = self.incoming.take() else { return };
        match receiver.finish(zxid) {
            Ok(mut tree) => match self.archive.install(&mut tree, &self.tree, zxid) {
                Ok(()) => {
                    tracing::info!("the leader's tree of {} nodes is here", tree.node_count());
                    self.tree = tree;
                    self.member.tree_installed();
                }
                Err(error) => self.gave_up("replace", &error),
            },
            Err(error) => {
                tracing::error!("the leader's tree is of no use: {error}");
                self.member.unconnected();
            }
        }
    }

    fn gave_up(&mut self, action: &str, error: &StorageError) {
        tracing::error!("cannot {action} the history, which will be tried again: {error}");
        self.member.unconnected();
    }

    fn serve_clients(&mut self, epoch: Epoch, now: Now) {
        let mode = match self.member.doing() {
            Doing::Leading => "leader",
            Doing::Observing => "observer",
            Doing::Following | Doing::Looking => "follower",
        };
        tracing::info!("serving as {mode} in epoch {epoch:#x}");
        self.election.established(epoch);
        self.words.set_mode(Some(mode));
        for (conn, letter) in self.porch.admit() {
            self.member.submit(0, conn, letter.submission(), &self.tree, now);
        }
    }

    /// Ends everything that belongs to the role, and begins to look for a leader with what is on the disk.
    fn rest(&mut self, why: &Leaving) -> Result<(), ServerError> {
        tracing::warn!("the role has ended: {why}");
        self.words.set_mode(None);
        let strangers = |conn: ConnKey| self.porch.holds(conn);
        let clients: Vec<ConnKey> = self
            .shard
            .conns()
            .filter(|conn| matches!(conn.state, ConnState::Connecting | ConnState::Open))
            .filter(|conn| !strangers(conn.key))
            .map(|conn| conn.key)
            .collect();
        clients.into_iter().for_each(|conn| self.shard.hang_up(conn));
        if let Some(learners) = self.learners.take() {
            learners.shutdown(&mut self.tree);
        }
        self.leader = None;
        self.incoming = None;
        let durable = match self.archive.drain() {
            Ok(durable) if durable.history.base() <= self.tree.last_zxid() => durable,
            // The history was being changed, or there is more of it than is kept in memory.
            Ok(_) | Err(StorageError::Unfinished { .. }) => {
                let (tree, durable) = self.archive.reload()?;
                self.tree = tree;
                durable
            }
            Err(error) => return Err(error.into()),
        };
        self.member.rested(durable, &mut self.tree)?;
        Ok(())
    }
}

/// The first poll token of the learners' connections.
pub(super) const LEARNERS: usize = 1 << 40;
/// The first poll token of the connection to the leader.
pub(super) const LEADER: usize = 1 << 41;
