//! One learner's connection at its leader.

use super::link::Link;
use super::output::Output;
use super::{Limits, Loss};
use quorate_engine::tree::{FrozenHead, StreamId, Tree, WalkState};
use quorate_engine::zab::{LearnerKey, ToLeader, ToLearner};
use std::collections::VecDeque;

#[derive(Debug)]
pub(super) struct Learner {
    pub(super) key: LearnerKey,
    pub(super) link: Link,
    /// Whether it stands among those that may have something to say.
    pub(super) listed: bool,
    /// Whether it stands among those to which something can be written.
    pub(super) dirty: bool,
    /// Whether it has said anything.
    has_spoken: bool,
    /// Requests that came while there were too many.
    aside: VecDeque<ToLeader>,
    aside_bytes: usize,
    stream: Option<Stream>,
}

/// A tree on its way.
#[derive(Debug)]
struct Stream {
    id: StreamId,
    /// Its sessions and ACLs, until they are on their way.
    head: Vec<u8>,
    /// What is sent behind it.
    behind: Output,
}

/// What a learner has to say.
pub(super) enum Heard {
    Message(ToLeader),
    /// Nothing until an event comes.
    Nothing,
    /// Nothing in this round.
    Later,
}

impl Learner {
    pub(super) const fn new(key: LearnerKey, link: Link) -> Self {
        Self {
            key,
            link,
            listed: false,
            dirty: false,
            has_spoken: false,
            aside: VecDeque::new(),
            aside_bytes: 0,
            stream: None,
        }
    }

    /// Its next message.
    pub(super) fn hear(&mut self, crowded: bool, limits: Limits) -> Result<Heard, Loss> {
        loop {
            if !crowded && let Some(request) = self.aside.pop_front() {
                self.aside_bytes = self.aside_bytes.saturating_sub(cost(&request));
                return Ok(Heard::Message(request));
            }
            if self.aside_bytes > limits.aside {
                return Ok(Heard::Later);
            }
            let limit =
                if self.has_spoken { limits.packet } else { limits.packet.min(FIRST_PACKET) };
            match self.link.input.next(limit, ToLeader::from_packet)? {
                Some(request) if crowded && waits(&request) => {
                    self.aside_bytes = self.aside_bytes.saturating_add(cost(&request));
                    self.aside.push_back(request);
                }
                Some(message) => {
                    self.has_spoken = true;
                    return Ok(Heard::Message(message));
                }
                None if self.link.fill()? => {}
                None if self.link.readable || !self.aside.is_empty() => return Ok(Heard::Later),
                None => return Ok(Heard::Nothing),
            }
        }
    }

    /// Whether [`hear`](Self::hear) may give something now.
    pub(super) fn may_be_heard(&self, crowded: bool, limits: Limits) -> bool {
        let next = self.link.may_fill() || self.link.input.may_hold_packet();
        (!crowded && !self.aside.is_empty()) || (self.aside_bytes <= limits.aside && next)
    }

    /// Puts a message behind everything that was sent before.
    pub(super) fn send(&mut self, message: &ToLearner, room: &mut Vec<u8>) {
        let output = match &mut self.stream {
            Some(stream) => &mut stream.behind,
            None => &mut self.link.output,
        };
        output.push(&message.packet(room));
    }

    /// Puts the tree as it is now there.
    pub(super) fn send_tree(&mut self, tree: &mut Tree) -> FrozenHead {
        let (id, frozen) = tree.freeze_stream();
        let mut head = Vec::new();
        tree.walk_stream(id, 0, &mut head);
        self.stream = Some(Stream { id, head, behind: Output::default() });
        frozen
    }

    /// Writes once, with more of a tree if one is on its way.
    pub(super) fn write(&mut self, tree: &mut Tree) -> Result<(), Loss> {
        if !self.link.blocked && self.link.output.is_all_tree() {
            self.walk(tree);
        }
        self.link.write()
    }

    /// Makes more of the tree, as much as is sent at once.
    fn walk(&mut self, tree: &mut Tree) {
        let Some(stream) = &mut self.stream else { return };
        let output = &mut self.link.output;
        if !stream.head.is_empty() {
            output.extend_tree(|out| out.append(&mut stream.head));
        }
        while output.len() < TREE_PART {
            let state = output.extend_tree(|out| tree.walk_stream(stream.id, NODES, out));
            if state == WalkState::Done {
                output.append(&mut stream.behind);
                self.stream = None;
                return;
            }
        }
    }

    /// Whether something can be written now.
    pub(super) fn can_write(&self) -> bool {
        !self.link.blocked && (self.stream.is_some() || self.link.can_write())
    }

    /// Bytes that wait, without those of the tree itself.
    pub(super) fn queued(&self) -> usize {
        let behind = self.stream.as_ref().map_or(0, |stream| stream.behind.len());
        self.link.output.counted().saturating_add(behind)
    }

    /// The tree on its way.
    pub(super) fn stream(&self) -> Option<StreamId> {
        self.stream.as_ref().map(|stream| stream.id)
    }

    /// Whether it has said who it is.
    pub(super) const fn has_spoken(&self) -> bool {
        self.has_spoken
    }
}

/// Whether a message makes the crowd larger. The others are what a crowd waits for: acknowledgements, and signs of life.
const fn waits(message: &ToLeader) -> bool {
    matches!(message, ToLeader::Request(_) | ToLeader::Revalidate { .. })
}

/// About how much memory a message takes, bytes.
fn cost(message: &ToLeader) -> usize {
    let body = match message {
        ToLeader::Request(request) => request.body.len(),
        _ => 0,
    };
    body.saturating_add(size_of::<ToLeader>())
}

/// The longest data of a first packet. Who has not said who it is has no claim to more.
const FIRST_PACKET: usize = 4 << 10;
/// So much of a tree waits to be sent, bytes, and a few nodes more.
const TREE_PART: usize = 128 << 10;
/// Nodes that are walked at once.
const NODES: usize = 8;
