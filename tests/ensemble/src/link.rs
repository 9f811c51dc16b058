//! A connection between a learner and its leader: in order, without loss, until it ends.

use crate::state::State;
use quorate_engine::zab::{LearnerKey, Sid, ToLeader, ToLearner};
use std::collections::VecDeque;

/// What comes down from a leader.
#[derive(Clone, Debug)]
pub enum Down {
    /// A message.
    Message(ToLearner),
    /// One of the parts of a tree, and how many follow.
    Tree(State, usize),
}

/// One direction.
#[derive(Debug)]
pub struct Channel<M> {
    queue: VecDeque<(u64, M)>,
    last: u64,
}

impl<M> Default for Channel<M> {
    fn default() -> Self {
        Self { queue: VecDeque::new(), last: 0 }
    }
}

impl<M> Channel<M> {
    /// Sends, to arrive at `at` or right behind what was sent before. Returns when.
    pub fn send(&mut self, message: M, at: u64) -> u64 {
        self.last = self.last.max(at);
        self.queue.push_back((self.last, message));
        self.last
    }

    /// What has arrived by now.
    pub fn receive(&mut self, now: u64) -> Option<M> {
        self.queue.pop_front_if(|(at, _)| *at <= now).map(|(_, message)| message)
    }

    /// When the next message arrives.
    #[must_use]
    pub fn next(&self) -> Option<u64> {
        self.queue.front().map(|(at, _)| *at)
    }
}

/// A connection.
#[derive(Debug)]
pub struct Link {
    /// The leader's name for it.
    pub key: LearnerKey,
    /// Who accepted it.
    pub leader: Sid,
    /// Who opened it.
    pub learner: Sid,
    /// To the learner.
    pub down: Channel<Down>,
    /// To the leader.
    pub up: Channel<ToLeader>,
    /// Whether it carries nothing any more, though its sides may not know it yet.
    pub dead: bool,
    /// Whether the leader's side still has it open.
    pub leader_open: bool,
    /// Whether the learner's side still has it open.
    pub learner_open: bool,
}

impl<M> Channel<M> {
    /// When the last message that was sent arrives.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.last
    }
}
