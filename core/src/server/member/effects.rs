//! Does what the engine wants done.

use super::settings::addresses_of;
use super::thread::State;
use crate::ensemble::peers::{LeaderLink, LeaderSettings, LearnerLinks};
use crate::server::ServerError;
use crate::server::words::READ_ONLY;
use crate::storage::StorageError;
use quorate_engine::member::{Doing, Effect};
use quorate_engine::replica::Now;
use quorate_engine::shard::{Conn, ConnKey, State as ConnState};
use quorate_engine::zab::{Epoch, LearnerKey, Leaving, Sid};
use quorate_wire::Zxid;
use std::sync::Arc;

impl State {
    pub(super) fn carry_out(&mut self, effect: Effect, now: Now) -> Result<(), ServerError> {
        if self.unwritten.stops(&effect) {
            return Ok(());
        }
        match effect {
            Effect::Look(history) => {
                self.words.set_mode(None);
                match self.pause.look(history, now.mono) {
                    Some(history) => self.election.look(history),
                    None => self.election.rest(),
                }
            }
            Effect::Silent(leader) => self.election.silent(leader),
            Effect::Assume(state, vote) => {
                let leader = vote.leader;
                tracing::info!(
                    "server {leader} leads after the reconfiguration; this one is {state:?}"
                );
                self.words.set_mode(None);
                self.election.assume(state, vote);
                self.member.decided(state, leader, now);
            }
            Effect::SawConfig(pending) => self.saw_config(pending.as_ref(), now),
            Effect::Reconfigure(membership) => self.reconfigure(&membership),
            Effect::Strangers(theirs) => {
                let servers = theirs.to_string().replace('\n', ", ");
                tracing::warn!(
                    "the leader goes by other members than this server: {servers}. If it is of another ensemble, correct the server.N lines, and see docs/ensemble.md"
                );
            }
            Effect::Listen => self.listen(now),
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
            Effect::SearchLog(key, range) => self.catch_ups.search(key, range),
            Effect::SendLog(key, from, upto) => self.send_log(key, from, upto),
            Effect::CloseLearner(key, why) => {
                self.found.remove(&key);
                if let Some(learners) = &mut self.learners {
                    learners.close(key, &why);
                }
            }
            Effect::ToLeader(message) => {
                if let Some(leader) = &mut self.leader {
                    leader.send(&message);
                }
            }
            Effect::Append(segment) => self.archive.append(segment),
            Effect::AppendEntries(entries) => self.archive.append_entries(entries),
            Effect::WriteAccepted(epoch) => match self.archive.write_accepted(epoch) {
                Ok(()) => self.member.accepted_written(epoch, now),
                Err(error) => self.unwritten(error, now)?,
            },
            Effect::WriteCurrent(epoch) => match self.archive.write_current(epoch) {
                Ok(()) => self.member.current_written(epoch, now),
                Err(error) => self.unwritten(error, now)?,
            },
            Effect::Truncate(zxid) => self.truncate(zxid, now),
            Effect::ReceiveTree => {}
            Effect::InstallTree(zxid) => self.install(zxid, now),
            Effect::Serve(epoch) => self.serve_clients(epoch, now),
            Effect::ReadOnly(on) => self.serve_readers(on, now),
            Effect::Rest(why) => self.rest(&why, now)?,
        }
        Ok(())
    }

    fn send_log(&mut self, key: LearnerKey, from: Zxid, upto: Zxid) {
        let (Some(learners), Some(part)) = (&mut self.learners, self.found.remove(&key)) else {
            return;
        };
        debug_assert!(part.floor() == from, "what was found is what is sent");
        tracing::info!("a learner is given the transactions from {from} to {upto} from the log");
        learners.send_log(key, self.catch_ups.send(part, upto));
    }

    /// Without a port for learners this server cannot lead, and lets the others find one that can. Source: `QuorumPeer#run`.
    fn listen(&mut self, now: Now) {
        let opened = self.settings.quorum_addresses().and_then(|addresses| {
            let security = &self.settings.election.security;
            LearnerLinks::open(&addresses, LEARNERS, self.settings.limits, security, &self.registry)
        });
        let cause = match opened {
            Ok(learners) => {
                for address in learners.addresses() {
                    tracing::debug!("waiting for learners at {address}");
                }
                self.learners = Some(learners);
                return;
            }
            Err(cause) => cause,
        };
        let own = self.settings.own.iter().map(|address| address.quorum().to_string());
        let own = own.collect::<Vec<_>>().join(", ");
        tracing::error!(
            "cannot listen for learners at {own}: {cause}; this server cannot lead: stop what uses it, or change server.N in all members"
        );
        self.pause.begin(now.mono);
        self.member.unable(Leaving::NoPort);
    }

    fn connect(&mut self, leader: Sid, now: Now) -> Result<(), ServerError> {
        let settings = LeaderSettings {
            addresses: addresses_of(self.member.quorums(), leader),
            base: LEADER,
            search_ends: now.mono.saturating_add(self.settings.search),
            limits: self.settings.limits,
            tree: self.tree_config,
            security: Arc::clone(&self.settings.election.security),
        };
        let mut link = LeaderLink::new(settings, &self.registry, &self.waker, now.mono)
            .map_err(|cause| ServerError::System { what: "poll", cause })?;
        if self.pause.is_in_vain() {
            link.hush();
        }
        self.leader = Some(link);
        Ok(())
    }

    /// An epoch cannot be written. Without room for it the role ends as it does without room for transactions; whether the file has
    /// changed all the same is seen when the next one begins.
    fn unwritten(&mut self, error: StorageError, now: Now) -> Result<(), ServerError> {
        if !error.is_want_of_room() {
            return Err(error.into());
        }
        self.refusals.note(&error.to_string(), now.mono);
        self.pause.begin(now.mono);
        self.member.refused();
        Ok(())
    }

    /// A cut that fails leaves a history that must be read again, which is done when the role has ended.
    fn truncate(&mut self, zxid: Zxid, now: Now) {
        match self.archive.truncate(zxid) {
            Ok(Some((tree, history))) => {
                tracing::info!("the log has been cut after {zxid}, as the leader asked");
                self.tree = tree;
                self.member.truncated(Some(history));
            }
            Ok(None) => self.member.truncated(None),
            Err(error) => self.gave_up("cut", &error, now),
        }
    }

    fn install(&mut self, zxid: Zxid, now: Now) {
        let Some(receiver) = self.incoming.take() else { return };
        match receiver.finish(zxid) {
            Ok(mut tree) => match self.archive.install(&mut tree, &self.tree, zxid) {
                Ok(()) => {
                    tracing::info!("the leader's tree of {} nodes is here", tree.node_count());
                    self.tree = tree;
                    self.member.tree_installed();
                }
                Err(error) => self.gave_up("replace", &error, now),
            },
            Err(error) => {
                tracing::error!("the leader's tree is of no use: {error}");
                self.pause.begin(now.mono);
                self.member.unconnected();
            }
        }
    }

    fn gave_up(&mut self, action: &str, error: &StorageError, now: Now) {
        tracing::error!("cannot {action} the history, which will be tried again: {error}");
        self.pause.begin(now.mono);
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
        self.pause.served();
        self.words.set_mode(Some(mode));
        self.admit(|_| true, now);
    }

    /// There is no leader, and whoever makes do with reading is served; or that is over.
    fn serve_readers(&mut self, on: bool, now: Now) {
        self.shard.set_read_only(on);
        self.words.set_mode(on.then_some(READ_ONLY));
        if on {
            tracing::warn!("no leader is found: only clients that make do with reading are served");
            self.admit(Conn::makes_do_with_reading, now);
        } else {
            self.hang_up_clients();
        }
    }

    fn admit(&mut self, is_welcome: impl Fn(&Conn) -> bool, now: Now) {
        let shard = &self.shard;
        let admitted = self.porch.admit(|conn| shard.conn(conn).is_some_and(&is_welcome));
        for (conn, letter) in admitted {
            self.member.submit(0, conn, letter.submission(), &self.tree, now);
        }
    }

    /// Closes the connections of all clients, but of those that wait to be served.
    fn hang_up_clients(&mut self) {
        let strangers = self.porch.holds();
        let clients: Vec<ConnKey> = self
            .shard
            .conns()
            .filter(|conn| matches!(conn.state, ConnState::Connecting | ConnState::Open))
            .filter(|conn| !strangers.contains(&conn.key))
            .map(|conn| conn.key)
            .collect();
        clients.into_iter().for_each(|conn| self.shard.hang_up(conn));
    }

    /// Ends everything that belongs to the role, and begins to look for a leader with what is on the disk.
    fn rest(&mut self, why: &Leaving, now: Now) -> Result<(), ServerError> {
        let said = self.pause.is_in_vain();
        self.pause.left(now.mono);
        self.unwritten.role_ended();
        if said {
            tracing::debug!("the role has ended: {why}");
        } else {
            tracing::warn!("the role has ended: {why}");
        }
        if !said && self.pause.is_in_vain() {
            tracing::warn!(
                "no role has lasted until clients were served, and the next ones are tried in silence: the log of the leader says why it closes \
                 the connection, perhaps because another server has the myid {}",
                self.settings.me
            );
        }
        self.words.set_mode(None);
        self.hang_up_clients();
        if let Some(learners) = self.learners.take() {
            learners.shutdown(&mut self.tree);
        }
        self.found.clear();
        self.catch_ups.end();
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
