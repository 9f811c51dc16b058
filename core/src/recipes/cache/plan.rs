//! What a cache has to read next, and what follows from what was read. Pure: no requests, no time.
//!
//! A *walk* goes over the subtree from its root: it asks for the stat of every node that is known, reads the data of those whose
//! `mzxid` is another, lists the children of those whose `pzxid` is another, and reads what is new. The first walk fills the
//! cache; one follows every time that events may have been lost. Between walks, events say what to read.
//!
//! **Why it converges.** Events and answers are taken in the order in which the server sent them. What an event names
//! is read after it, so an answer that overtook an event is followed by a newer one. An answer about a node whose name is not
//! known here is dropped: every creation makes the name known first, every deletion removes it.

mod answers;
mod walk;

use super::entry::{Change, Hub};
use super::tree::{Node, Tree, split};
use super::work::{Kind, Work};
use crate::client::{EventType, Stat};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use walk::Frame;

/// The state of a cache.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) tree: Tree,
    limits: Limits,
    hub: Arc<Hub>,
    /// The number of the present walk.
    walk: u32,
    /// Nodes to be read because of an event, or because their stats say so.
    urgent: BTreeSet<String>,
    /// Nodes whose data is not for us: only their stats are read.
    bare: VecDeque<String>,
    /// Parents to be listed.
    lists: VecDeque<String>,
    /// Directories whose children the walk has to visit, the innermost last.
    frames: Vec<Frame>,
    /// Whether the walk begins with the root, still to be asked for.
    begin: bool,
    nodes: usize,
    bytes: usize,
    /// Grows with every change.
    revision: u64,
    /// The first path for which there was no room.
    refused: Option<String>,
    /// One-shot watches: every read leaves one, so every node has to be read and listed once per session.
    pub(super) one_shot: bool,
    /// Changes not yet told.
    changes: Vec<Change>,
    empty: Arc<[u8]>,
}

/// How much a cache keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Levels below the root.
    pub(super) depth: usize,
    pub(super) data: bool,
    pub(super) nodes: usize,
    /// Bytes of names and data.
    pub(super) bytes: usize,
}

impl Plan {
    pub(super) fn new(root: &str, limits: Limits, hub: Arc<Hub>) -> Self {
        Self {
            tree: Tree::new(root),
            limits,
            hub,
            walk: 0,
            urgent: BTreeSet::new(),
            bare: VecDeque::new(),
            lists: VecDeque::new(),
            frames: Vec::new(),
            begin: false,
            nodes: 0,
            bytes: 0,
            revision: 0,
            refused: None,
            one_shot: false,
            changes: Vec::new(),
            empty: Arc::from([]),
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.nodes
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) const fn revision(&self) -> u64 {
        self.revision
    }

    /// The first path that the present walk had no room for.
    pub(super) fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// Events may have been lost: nothing is certain any more until [`start`](Self::start)'s walk has been there.
    pub(super) fn doubt(&mut self) {
        self.walk = self.walk.wrapping_add(1);
        self.urgent.clear();
        self.bare.clear();
        self.lists.clear();
        self.frames.clear();
        self.refused = None;
    }

    /// Begins to walk.
    pub(super) const fn start(&mut self) {
        self.begin = true;
    }

    /// Whether nothing is left to be asked.
    pub(super) fn is_idle(&self) -> bool {
        !self.begin
            && self.urgent.is_empty()
            && self.bare.is_empty()
            && self.lists.is_empty()
            && self.frames.is_empty()
    }

    /// The next thing to ask; up to `batch` nodes at once.
    pub(super) fn next(&mut self, batch: usize) -> Option<Work> {
        let walk = self.walk;
        let work = |kind, paths| Some(Work { kind, walk, paths });
        if std::mem::take(&mut self.begin) {
            return work(Kind::Exists, vec![self.tree.root().to_owned()]);
        }
        if let Some(first) = self.urgent.pop_first() {
            let mut paths = vec![first];
            while self.limits.data
                && paths.len() < batch
                && let Some(next) = self.urgent.pop_first()
            {
                paths.push(next);
            }
            return work(self.read_kind(), paths);
        }
        if let Some(path) = self.bare.pop_front() {
            return work(Kind::Bare, vec![path]);
        }
        if let Some(path) = self.lists.pop_front() {
            return work(Kind::List, vec![path]);
        }
        while let Some(frame) = self.frames.last_mut() {
            let kind = if self.limits.data { Kind::Get } else { Kind::Exists };
            let (found, paths) = frame.visit(&self.tree, walk, batch, kind);
            if !paths.is_empty() {
                return work(found, paths);
            }
            self.frames.pop();
        }
        None
    }

    /// A question was not answered: it will be asked again.
    pub(super) fn put_back(&mut self, work: Work) {
        if work.walk != self.walk {
            return;
        }
        match work.kind {
            Kind::Get => self.urgent.extend(work.paths),
            Kind::Bare => self.bare.extend(work.paths),
            Kind::List => self.lists.extend(work.paths),
            Kind::Exists => {
                let root = self.tree.root().to_owned();
                for path in work.paths {
                    if path == root {
                        self.begin = true;
                    } else {
                        // The directory is visited again: what has been seen meanwhile is passed over.
                        self.enter(split(&path).0);
                    }
                }
            }
        }
    }

    /// A watch saw something.
    pub(super) fn event(&mut self, kind: EventType, path: &str, zxid: Option<i64>) {
        let Some(depth) = self.tree.depth(path) else { return };
        if depth > self.limits.depth {
            return;
        }
        match kind {
            EventType::Created => {
                self.announce(path, zxid);
                if self.tree.slot(path).is_some() {
                    self.urgent.insert(path.to_owned());
                }
            }
            EventType::DataChanged => {
                let Some(slot) = self.tree.slot(path) else { return };
                let known = slot.as_ref().map(|node| node.stat.mzxid);
                if known.zip(zxid).is_none_or(|(known, zxid)| known < zxid) {
                    self.urgent.insert(path.to_owned());
                }
            }
            EventType::Deleted => self.deleted(path, zxid),
            EventType::ChildrenChanged if self.one_shot => self.lists.push_back(path.to_owned()),
            EventType::ChildrenChanged => {}
        }
        if self.urgent.len() > MAX_URGENT {
            self.doubt();
            self.start();
        }
    }

    /// Makes the name of a new node known, so that it is read even if this connection is lost before.
    fn announce(&mut self, path: &str, zxid: Option<i64>) {
        if *path == *self.tree.root() || self.tree.slot(path).is_some() {
            return;
        }
        let (parent, name) = split(path);
        let (walk, room) = (self.walk, self.has_room(name.len()));
        let Some(parent) = self.tree.node_mut(parent) else { return };
        if !room {
            parent.listed = false;
            self.refuse(path);
            return;
        }
        parent.promise(name.into());
        parent.know(zxid, walk);
        self.nodes += 1;
        self.bytes += name.len();
    }

    fn deleted(&mut self, path: &str, zxid: Option<i64>) {
        let newer = |stat: &Stat| zxid.is_some_and(|zxid| stat.czxid > zxid);
        if self.tree.node(path).is_some_and(|node| newer(&node.stat)) {
            return;
        }
        self.urgent.remove(path);
        self.remove(path);
        let walk = self.walk;
        if *path == *self.tree.root() {
            // An answer from before may be on its way, and the root's name is always known.
            self.begin = true;
        } else if let Some(parent) = self.tree.node_mut(split(path).0) {
            parent.know(zxid, walk);
        }
    }

    /// Visits the children of a node.
    fn enter(&mut self, path: &str) {
        if !self.frames.last().is_some_and(|frame| frame.is_new(path)) {
            self.frames.push(Frame::new(path));
        }
    }

    /// The changes since the last call.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    const fn read_kind(&self) -> Kind {
        if self.limits.data { Kind::Get } else { Kind::Exists }
    }

    const fn has_room(&self, bytes: usize) -> bool {
        self.nodes < self.limits.nodes && self.bytes.saturating_add(bytes) <= self.limits.bytes
    }

    fn refuse(&mut self, path: &str) {
        self.refused.get_or_insert_with(|| path.to_owned());
    }
}

impl Node {
    /// The children are known up to this transaction, if nothing before it can have been lost.
    fn know(&mut self, zxid: Option<i64>, walk: u32) {
        if let Some(zxid) = zxid
            && self.listed
            && self.walk == walk
        {
            self.stat.pzxid = self.stat.pzxid.max(zxid);
        }
    }
}

/// Nodes to be read because of events; beyond, walking over everything is cheaper than remembering.
const MAX_URGENT: usize = 65_536;
