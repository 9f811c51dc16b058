//! Where nodes live: chunks that never move, and a list of the slots that are free.
//!
//! An id is a slot number; the slot of a deleted node is used again by a later one. Chunks keep growth from
//! copying the nodes that are there. Only the tree's own modules touch this.

use super::NodeId;
use super::node::Node;

/// All slots.
#[derive(Debug)]
pub(super) struct Arena {
    chunks: Vec<Vec<Node>>,
    slots: u32,
    free: NodeId,
    live: usize,
}

impl Arena {
    pub(super) const fn new() -> Self {
        Self { chunks: Vec::new(), slots: 0, free: NodeId::NONE, live: 0 }
    }

    /// Slots ever used; every id is below.
    pub(super) const fn slots(&self) -> u32 {
        self.slots
    }

    /// Nodes alive.
    pub(super) const fn live(&self) -> usize {
        self.live
    }

    #[inline]
    #[expect(
        clippy::indexing_slicing,
        reason = "ids are made by `insert`, and slots never go away"
    )]
    pub(super) fn get(&self, id: NodeId) -> &Node {
        let slot = id.0 as usize;
        &self.chunks[slot / CHUNK][slot % CHUNK]
    }

    #[inline]
    #[expect(
        clippy::indexing_slicing,
        reason = "ids are made by `insert`, and slots never go away"
    )]
    pub(super) fn get_mut(&mut self, id: NodeId) -> &mut Node {
        let slot = id.0 as usize;
        &mut self.chunks[slot / CHUNK][slot % CHUNK]
    }

    /// Takes the node in; `None` when all four billion ids are in use.
    pub(super) fn insert(&mut self, node: Node) -> Option<NodeId> {
        let id = if self.free == NodeId::NONE {
            self.append(node)?
        } else {
            let id = self.free;
            let slot = self.get_mut(id);
            let next = slot.next;
            *slot = node;
            self.free = next;
            id
        };
        self.live += 1;
        Some(id)
    }

    fn append(&mut self, node: Node) -> Option<NodeId> {
        let id = NodeId(self.slots);
        if id == NodeId::NONE {
            return None;
        }
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push(node),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(node);
                self.chunks.push(chunk);
            }
        }
        self.slots += 1;
        Some(id)
    }

    /// Frees the slot of a live node.
    pub(super) fn remove(&mut self, id: NodeId) {
        debug_assert!(self.get(id).is_live(), "{id:?} is removed twice");
        let next = self.free;
        *self.get_mut(id) = Node::free(next);
        self.free = id;
        self.live -= 1;
    }

    /// Makes `child` the first child of `parent`.
    pub(super) fn link(&mut self, parent: NodeId, child: NodeId) {
        let node = self.get_mut(parent);
        let next = node.first_child;
        node.first_child = child;
        node.children += 1;
        if next != NodeId::NONE {
            self.get_mut(next).prev = child;
        }
        let node = self.get_mut(child);
        (node.parent, node.prev, node.next) = (parent, NodeId::NONE, next);
    }

    /// Takes `child` from its parent's list.
    pub(super) fn unlink(&mut self, child: NodeId) {
        let node = self.get(child);
        let (parent, prev, next) = (node.parent, node.prev, node.next);
        if next != NodeId::NONE {
            self.get_mut(next).prev = prev;
        }
        if prev == NodeId::NONE {
            self.get_mut(parent).first_child = next;
        } else {
            self.get_mut(prev).next = next;
        }
        self.get_mut(parent).children -= 1;
    }

    /// The node after `id` in the walk of `top`'s subtree that visits parents before children.
    pub(super) fn next_below(&self, top: NodeId, id: NodeId) -> Option<NodeId> {
        let node = self.get(id);
        if node.first_child != NodeId::NONE {
            return Some(node.first_child);
        }
        let mut at = id;
        while at != top {
            let node = self.get(at);
            if node.next != NodeId::NONE {
                return Some(node.next);
            }
            at = node.parent;
        }
        None
    }

    /// Everything below `top`, parents before children.
    pub(super) fn below(&self, top: NodeId) -> impl Iterator<Item = NodeId> {
        std::iter::successors(self.next_below(top, top), move |id| self.next_below(top, *id))
    }

    /// The children of `parent`, the youngest first.
    pub(super) fn children(&self, parent: NodeId) -> impl Iterator<Item = &Node> {
        let first = self.get(parent).first_child;
        let some = |id: NodeId| (id != NodeId::NONE).then(|| self.get(id));
        std::iter::successors(some(first), move |node| some(node.next))
    }
}

/// Slots per chunk: 400 KiB.
const CHUNK: usize = 4096;
