//! A server: a disk that stays, and a process that comes and goes, with one role after another.

use crate::disk::{Disk, Write};
use crate::state::State;
use quorate_engine::election::Election;
use quorate_engine::zab::leader::Leader;
use quorate_engine::zab::learner::{Follower, Observer};
use quorate_engine::zab::message::Request;
use quorate_engine::zab::{Durable, Epoch, History, LearnerEffect, Sid, ToLeader, ToLearner};
use quorate_wire::{OpCode, Zxid};
use std::collections::VecDeque;

/// A server.
#[derive(Debug)]
pub struct Server {
    /// Its id.
    pub sid: Sid,
    /// Whether it votes.
    pub votes: bool,
    /// Its disk.
    pub disk: Disk,
    /// What was on it at some time.
    pub copy: Option<Disk>,
    /// What is on its way to the disk.
    pub writing: Vec<(u64, Write)>,
    /// How much slower its disk is than others.
    pub slowness: u64,
    /// Its process, if it runs.
    pub process: Option<Process>,
    /// Until when it stands still, us.
    pub paused_until: u64,
    /// How its clock runs, in thousandths of the world's.
    pub pace: u64,
}

/// A running server.
#[derive(Debug)]
pub struct Process {
    /// What it does. Each change of role has a number of its own.
    pub role: Role,
    /// Its part in elections, from its first to its end.
    pub election: Option<Election>,
    /// Number of the role.
    pub turn: u64,
    /// What it has applied.
    pub state: State,
    /// What its disk held when it last looked.
    pub durable: Durable,
    /// Whether clients are served.
    pub serving: bool,
    /// The epoch of a leader that is to send its tree.
    pub wants_tree: Option<Epoch>,
    /// A tree that is on its way.
    pub incoming: Option<State>,
    /// Syncs that its clients wait for: how much was committed when they asked.
    pub syncs: VecDeque<usize>,
    /// Syncs that have been answered.
    pub synced: u64,
    /// When it is to be woken, us.
    pub timer: u64,
}

/// What a server does.
#[derive(Debug)]
pub enum Role {
    /// Wants to know who leads.
    Looking,
    /// Has left a role, and waits for its disk.
    Draining,
    /// Tries to reach a leader, for so many times.
    Connecting(Sid, u32),
    /// Leads.
    Leading(Box<Leader>),
    /// Follows, on a connection.
    Following(Box<Follower>, u64),
    /// Observes, on a connection.
    Observing(Box<Observer>, u64),
}

impl Process {
    /// A process that has just begun, and found this on its disk.
    #[must_use]
    pub const fn new(turn: u64, state: State, durable: Durable) -> Self {
        Self {
            role: Role::Looking,
            election: None,
            turn,
            state,
            durable,
            serving: false,
            wants_tree: None,
            incoming: None,
            syncs: VecDeque::new(),
            synced: 0,
            timer: u64::MAX,
        }
    }

    /// The history that its role knows.
    #[must_use]
    pub fn history(&self) -> Option<&History> {
        match &self.role {
            Role::Leading(leader) => Some(leader.history()),
            Role::Following(follower, _) => Some(follower.history()),
            Role::Observing(observer, _) => Some(observer.history()),
            _ => None,
        }
    }

    /// The connection to its leader.
    #[must_use]
    pub const fn link(&self) -> Option<u64> {
        match &self.role {
            Role::Following(_, link) | Role::Observing(_, link) => Some(*link),
            _ => None,
        }
    }

    /// Its leader, if it leads.
    pub const fn leader(&mut self) -> Option<&mut Leader> {
        match &mut self.role {
            Role::Leading(leader) => Some(leader),
            _ => None,
        }
    }

    /// The epoch of its leader.
    #[must_use]
    pub fn epoch(&self) -> Option<Epoch> {
        match &self.role {
            Role::Following(follower, _) => Some(follower.epoch()),
            Role::Observing(observer, _) => Some(observer.epoch()),
            _ => None,
        }
    }

    /// Whether it leads an established epoch.
    #[must_use]
    pub fn is_established(&self) -> bool {
        matches!(&self.role, Role::Leading(leader) if leader.is_established())
    }

    /// Whether its role takes no message now.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        match &self.role {
            Role::Following(follower, _) => follower.is_busy(),
            Role::Observing(observer, _) => observer.is_busy(),
            _ => false,
        }
    }

    /// Its leader says something.
    pub fn received(&mut self, message: ToLearner, now: i64) {
        match &mut self.role {
            Role::Following(follower, _) => follower.received(message, now),
            Role::Observing(observer, _) => observer.received(message, now),
            _ => {}
        }
    }

    /// The effects of a learning role.
    pub fn learner_effects(&mut self) -> Vec<LearnerEffect> {
        match &mut self.role {
            Role::Following(follower, _) => follower.effects().collect(),
            Role::Observing(observer, _) => observer.effects().collect(),
            _ => Vec::new(),
        }
    }

    /// The log is durable up to here.
    pub fn logged(&mut self, zxid: Zxid, now: i64) {
        match &mut self.role {
            Role::Leading(leader) => leader.logged(zxid, now),
            Role::Following(follower, _) => follower.logged(zxid),
            Role::Observing(observer, _) => observer.logged(zxid),
            _ => {}
        }
    }

    /// `acceptedEpoch` is written.
    pub fn accepted_written(&mut self, epoch: Epoch, now: i64) {
        match &mut self.role {
            Role::Leading(leader) => leader.accepted_written(epoch, now),
            Role::Following(follower, _) => follower.accepted_written(epoch),
            Role::Observing(observer, _) => observer.accepted_written(epoch),
            _ => {}
        }
    }

    /// `currentEpoch` is written.
    pub fn current_written(&mut self, epoch: Epoch, now: i64) {
        match &mut self.role {
            Role::Leading(leader) => leader.current_written(epoch, now),
            Role::Following(follower, _) => follower.current_written(epoch),
            Role::Observing(observer, _) => observer.current_written(epoch),
            _ => {}
        }
    }

    /// The log is cut, and this is what is left; or it could not be cut.
    pub fn truncated(&mut self, history: Option<History>) {
        match &mut self.role {
            Role::Following(follower, _) => follower.truncated(history),
            Role::Observing(observer, _) => observer.truncated(history),
            _ => {}
        }
    }

    /// A tree has arrived, whole.
    pub fn tree_received(&mut self) {
        match &mut self.role {
            Role::Following(follower, _) => follower.tree_received(),
            Role::Observing(observer, _) => observer.tree_received(),
            _ => {}
        }
    }

    /// The tree is on the disk.
    pub fn tree_installed(&mut self) {
        match &mut self.role {
            Role::Following(follower, _) => follower.tree_installed(),
            Role::Observing(observer, _) => observer.tree_installed(),
            _ => {}
        }
    }

    /// A client wants a sync, and its learner asks the leader.
    pub fn ask_sync(&mut self) {
        match &mut self.role {
            Role::Following(follower, _) => follower.ask(a_sync()),
            Role::Observing(observer, _) => observer.ask(a_sync()),
            _ => {}
        }
    }

    /// Time passes.
    pub fn tick(&mut self, now: i64) {
        match &mut self.role {
            Role::Leading(leader) => leader.tick(now),
            Role::Following(follower, _) => follower.tick(now),
            Role::Observing(observer, _) => observer.tick(now),
            _ => {}
        }
        if let Some(election) = &mut self.election {
            election.tick(now);
        }
    }

    /// When it wants to be woken, ms of its clock.
    #[must_use]
    pub fn deadline(&self) -> Option<i64> {
        match &self.role {
            Role::Leading(leader) => Some(leader.deadline()),
            Role::Following(follower, _) => Some(follower.deadline()),
            Role::Observing(observer, _) => Some(observer.deadline()),
            _ => self.election.as_ref().and_then(Election::next_deadline),
        }
    }
}

/// What a learner asks for its client; who that is does not matter here.
fn a_sync() -> ToLeader {
    let (op, body) = (OpCode::Sync.code(), [].into());
    ToLeader::Request(Request { session: 0, cxid: 0, op, body, identities: None })
}
