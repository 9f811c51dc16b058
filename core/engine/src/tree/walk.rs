//! Writing an exact snapshot of a tree that keeps changing.
//!
//! [`Tree::freeze`] marks a zxid; from then on [`Tree::walk`] encodes nodes in the order of their ids, a few at
//! a time. A bitmap says which nodes have been written. Before a node changes for the first time, it is
//! written as it was ([`Tree::touch`]), and a node is never written before its ancestors; nodes made after
//! the freeze count as written. So each node of the frozen tree comes once, in its frozen state, parent
//! first, and nothing is copied but the bytes that go to the file. The storage driver calls this for files, a leader for the streams
//! of its learners ([`Tree::freeze_stream`]); each walk has a bitmap of its own.

use super::arena::Arena;
use super::owners::Owners;
use super::{NodeId, Tree, acls};
use crate::session::SessionNumber;
use quorate_wire::Zxid;
use quorate_wire::disk::snapshot;
use quorate_wire::image::{self, SessionEntry};
use quorate_wire::quorum::snap;

/// What a snapshot is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrozenHead {
    /// The last transaction in it.
    pub zxid: Zxid,
    /// The tree's digest after that transaction.
    pub digest: u64,
    /// Nodes it will hold, the root included.
    pub nodes: usize,
}

/// How far a walk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalkState {
    /// Call [`Tree::walk`] again.
    More,
    /// Every node has been appended, or no walk is under way.
    Done,
}

/// One of the streams that are being written for learners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamId(u64);

impl Tree {
    /// Starts the walk of a snapshot file at the present state, in time independent of the number of nodes (but for one bit per
    /// node). A file's walk that was under way is abandoned.
    pub fn freeze(&mut self) -> FrozenHead {
        self.abandon_walk();
        let mut pending = Vec::new();
        let newest = self.newest_session.map_or(0, SessionNumber::get);
        snapshot::write_header(snapshot::native_dbid(newest), &mut pending);
        self.start_walk(None, pending)
    }

    /// Starts the walk of a stream for a learner at the present state, as [`freeze`](Self::freeze) does. Any number of them can be under
    /// way, beside that of a file; each costs a copy of a node that changes before it is reached.
    pub fn freeze_stream(&mut self) -> (StreamId, FrozenHead) {
        let id = StreamId(self.streams);
        self.streams += 1;
        (id, self.start_walk(Some(id), Vec::new()))
    }

    /// Appends the next part of the snapshot: what changes made necessary since the last call, then nodes
    /// until about `budget` have been looked at. The bytes of all calls are the file from its first byte to its
    /// last node; [`Sealer`](snapshot::Sealer) makes the rest.
    pub fn walk(&mut self, budget: usize, out: &mut Vec<u8>) -> WalkState {
        self.advance(None, budget, out).unwrap_or(WalkState::Done)
    }

    /// Appends the next part of a stream, like [`walk`](Self::walk). The bytes of all calls are the whole stream, its signature
    /// included.
    pub fn walk_stream(&mut self, id: StreamId, budget: usize, out: &mut Vec<u8>) -> WalkState {
        let state = self.advance(Some(id), budget, out);
        if state == Some(WalkState::Done) {
            snap::write_end(out);
        }
        state.unwrap_or(WalkState::Done)
    }

    /// Gives the file's walk up; nothing more will be remembered for it.
    pub fn abandon_walk(&mut self) {
        self.walks.retain(|walk| walk.stream.is_some());
    }

    /// Gives a stream up; nothing more will be remembered for it.
    pub fn abandon_stream(&mut self, id: StreamId) {
        self.walks.retain(|walk| walk.stream != Some(id));
    }

    /// Whether a file's walk is under way.
    #[must_use]
    pub fn is_walking(&self) -> bool {
        self.walks.iter().any(|walk| walk.stream.is_none())
    }

    /// Bytes that changes have produced for the file's walk since the last [`Tree::walk`].
    #[must_use]
    pub fn walk_backlog(&self) -> usize {
        self.backlog(None)
    }

    /// Bytes that changes have produced for a stream since the last [`Tree::walk_stream`].
    #[must_use]
    pub fn stream_backlog(&self, id: StreamId) -> usize {
        self.backlog(Some(id))
    }

    /// To be called before any change of what a snapshot holds of the node.
    #[inline]
    pub(super) fn touch(&mut self, id: NodeId) {
        for walk in &mut self.walks {
            if !walk.is_written(id) {
                walk.write(&self.nodes, &self.owners, id);
            }
        }
    }

    /// To be called for every new node.
    #[inline]
    pub(super) fn born(&mut self, id: NodeId) {
        for walk in &mut self.walks {
            walk.mark(id);
        }
    }

    /// Starts a walk whose first bytes are `pending`.
    fn start_walk(&mut self, stream: Option<StreamId>, mut pending: Vec<u8>) -> FrozenHead {
        let sessions = self.sessions.iter();
        let sessions = sessions.map(|(&id, &timeout)| SessionEntry { id, timeout });
        image::write_sessions(sessions, &mut pending);
        let acls: Vec<_> = self.acls.in_use().collect();
        image::write_acls(acls.into_iter(), &mut pending);
        let words = (self.nodes.slots() as usize).div_ceil(64);
        self.walks.push(Walk {
            stream,
            written: vec![0; words],
            slots: self.nodes.slots(),
            next: 0,
            pending,
            chain: Vec::new(),
            parent: NodeId::NONE,
            parent_path: String::new(),
            path: String::new(),
        });
        FrozenHead { zxid: self.last_zxid, digest: self.digest, nodes: self.node_count() }
    }

    /// Takes a walk further; `None` when there is none.
    fn advance(
        &mut self,
        stream: Option<StreamId>,
        budget: usize,
        out: &mut Vec<u8>,
    ) -> Option<WalkState> {
        let walk = self.walks.iter_mut().find(|walk| walk.stream == stream)?;
        let state = walk.advance(&self.nodes, &self.owners, budget);
        out.append(&mut walk.pending);
        if state == WalkState::Done {
            self.walks.retain(|walk| walk.stream != stream);
        }
        Some(state)
    }

    fn backlog(&self, stream: Option<StreamId>) -> usize {
        let walk = self.walks.iter().find(|walk| walk.stream == stream);
        walk.map_or(0, |walk| walk.pending.len())
    }
}

/// A walk under way.
#[derive(Debug)]
pub(super) struct Walk {
    /// Which stream it is for; none for a file.
    stream: Option<StreamId>,
    /// One bit per slot at the freeze.
    written: Vec<u64>,
    /// Slots at the freeze; later ones are not in the snapshot.
    slots: u32,
    /// Where the search for unwritten slots goes on.
    next: u32,
    pending: Vec<u8>,
    /// Scratch: ancestors to be written first.
    chain: Vec<NodeId>,
    /// The last node's parent and its path. Parents of unwritten nodes are alive, so this never goes stale.
    parent: NodeId,
    parent_path: String,
    /// Scratch: the path being written.
    path: String,
}

impl Walk {
    /// Writes nodes until about `budget` have been looked at.
    fn advance(&mut self, nodes: &Arena, owners: &Owners, budget: usize) -> WalkState {
        for _ in 0..budget {
            let Some(id) = self.next_unwritten() else { return WalkState::Done };
            if nodes.get(id).is_live() {
                self.write(nodes, owners, id);
            }
        }
        WalkState::More
    }

    fn is_written(&self, id: NodeId) -> bool {
        id.0 >= self.slots
            || self.written.get(id.0 as usize / 64).is_none_or(|word| word & bit(id) != 0)
    }

    fn mark(&mut self, id: NodeId) {
        if id.0 < self.slots
            && let Some(word) = self.written.get_mut(id.0 as usize / 64)
        {
            *word |= bit(id);
        }
    }

    /// The next slot without a mark, alive or not, counting up.
    fn next_unwritten(&mut self) -> Option<NodeId> {
        while self.next < self.slots {
            let id = NodeId(self.next);
            let word = self.written.get(self.next as usize / 64).copied().unwrap_or(u64::MAX);
            let ahead = !word >> (self.next % 64);
            if ahead != 0 {
                self.next = self.next.saturating_add(ahead.trailing_zeros());
                let found = NodeId(self.next);
                self.next = self.next.saturating_add(1);
                return (found.0 < self.slots).then_some(found);
            }
            self.next = (id.0 | 63).saturating_add(1);
        }
        None
    }

    /// Writes a live unwritten node, after those of its ancestors that are not written yet.
    fn write(&mut self, nodes: &Arena, owners: &Owners, id: NodeId) {
        let mut chain = std::mem::take(&mut self.chain);
        let mut at = id;
        while !self.is_written(at) {
            chain.push(at);
            self.mark(at);
            if at == NodeId::ROOT {
                break;
            }
            at = nodes.get(at).parent;
        }
        while let Some(id) = chain.pop() {
            self.write_one(nodes, owners, id);
        }
        self.chain = chain;
    }

    fn write_one(&mut self, nodes: &Arena, owners: &Owners, id: NodeId) {
        let node = nodes.get(id);
        self.path.clear();
        if id != NodeId::ROOT {
            if self.parent != node.parent {
                self.parent = node.parent;
                self.parent_path = super::path_of(nodes, node.parent);
            }
            self.path.push_str(&self.parent_path);
            self.path.push('/');
            self.path.push_str(node.name());
        }
        let owner = if node.is_owned() { owners.get(id) } else { 0 };
        let (acl, stat) = (acls::snapshot_id(node.acl), node.persisted(owner));
        image::write_node(&self.path, node.data(), acl, &stat, &mut self.pending);
    }
}

const fn bit(id: NodeId) -> u64 {
    1 << (id.0 % 64)
}
