//! One learner's connection at its leader.

use super::link::Link;
use super::output::Output;
use super::{Limits, Loss};
use crate::ensemble::catch_up::{LogFeed, Piece};
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

/// Something long on its way, which is made as it is sent.
#[derive(Debug)]
struct Stream {
    source: Source,
    /// What is sent behind it.
    behind: Output,
}

#[derive(Debug)]
enum Source {
    /// A tree, and its sessions and ACLs until they are on their way.
    Tree(StreamId, Vec<u8>),
    /// A part of the log.
    Log(LogFeed),
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
        self.stream = Some(Stream { source: Source::Tree(id, head), behind: Output::default() });
        frozen
    }

    /// Puts a part of the log there.
    pub(super) fn send_log(&mut self, feed: LogFeed) {
        self.stream = Some(Stream { source: Source::Log(feed), behind: Output::default() });
    }

    /// Whether a part of the log is on its way; looks whether more of it is there.
    pub(super) fn look_at_log(&mut self) -> bool {
        let Some(Stream { source: Source::Log(feed), .. }) = &mut self.stream else { return false };
        feed.look();
        true
    }

    /// Writes once, with more of a tree or of the log if that is on its way.
    pub(super) fn write(&mut self, tree: &mut Tree) -> Result<(), Loss> {
        if !self.link.blocked && self.link.output.is_all_made() {
            self.make_more(tree)?;
        }
        self.link.write()
    }

    /// Makes as much more of what is on its way as is sent at once.
    fn make_more(&mut self, tree: &mut Tree) -> Result<(), Loss> {
        let Some(Stream { source, behind }) = &mut self.stream else { return Ok(()) };
        let output = &mut self.link.output;
        let done = match source {
            Source::Tree(id, head) => walk(tree, *id, head, output),
            Source::Log(feed) => take(feed, output)?,
        };
        if done {
            output.append(behind);
            self.stream = None;
        }
        Ok(())
    }

    /// Whether something can be written now.
    pub(super) fn can_write(&self) -> bool {
        let more = self.stream.as_ref().is_some_and(|stream| match &stream.source {
            Source::Tree(..) => true,
            Source::Log(feed) => feed.is_ready(),
        });
        !self.link.blocked && (more || self.link.can_write())
    }

    /// Bytes that wait, without those of the tree or of the log itself.
    pub(super) fn queued(&self) -> usize {
        let behind = self.stream.as_ref().map_or(0, |stream| stream.behind.len());
        self.link.output.counted().saturating_add(behind)
    }

    /// The tree on its way.
    pub(super) fn stream(&self) -> Option<StreamId> {
        match &self.stream.as_ref()?.source {
            Source::Tree(id, _) => Some(*id),
            Source::Log(_) => None,
        }
    }

    /// Whether it has said who it is.
    pub(super) const fn has_spoken(&self) -> bool {
        self.has_spoken
    }
}

/// Writes more of a tree; whether that was the rest.
fn walk(tree: &mut Tree, id: StreamId, head: &mut Vec<u8>, output: &mut Output) -> bool {
    if !head.is_empty() {
        output.extend_made(|out| out.append(head));
    }
    while output.len() < MADE_AT_ONCE {
        if output.extend_made(|out| tree.walk_stream(id, NODES, out)) == WalkState::Done {
            return true;
        }
    }
    false
}

/// Takes more of the log, as far as it is there; whether that was the rest.
fn take(feed: &mut LogFeed, output: &mut Output) -> Result<bool, Loss> {
    while output.len() < MADE_AT_ONCE {
        match feed.take() {
            Some(Piece::Bytes(bytes)) => output.extend_made(|out| out.extend_from_slice(&bytes)),
            Some(Piece::End) => return Ok(true),
            Some(Piece::Failed(why)) => return Err(Loss::Log(why)),
            None => break,
        }
    }
    Ok(false)
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
/// So much of a tree or of the log waits to be sent, bytes, and a few nodes or a piece more.
const MADE_AT_ONCE: usize = 128 << 10;
/// Nodes that are walked at once.
const NODES: usize = 8;
