//! What a cache has to read next, and what follows from what was read. Pure: no requests, no time.
//!
//! A *walk* goes over the subtree from its root: it asks for the stat of every node that is known, reads the data of those whose
//! `mzxid` is another, lists the children of those whose `pzxid` is another, and reads what is new. The first walk fills the
//! cache; one follows every time that events may have been lost. Between walks, events say what to read.
//!
//! **Why it converges.** Events and answers are taken in the order in which the server sent them. What an event names
//! is read after it, so an answer that overtook an event is followed by a newer one. An answer about a node whose name is not
//! known here is dropped: every creation makes the name known first, every deletion removes it.

use super::entry::{Change, Entry, Hub};
use super::tree::{Node, Slot, Tree, split};
use crate::client::{ErrorCode, EventType, Stat};
use crate::recipes::kit::join;
use std::collections::{BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

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

#[derive(Debug)]
struct Frame {
    path: String,
    /// The last child that was visited.
    after: Option<Box<str>>,
}

/// Something to ask the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) kind: Kind,
    pub(super) walk: u32,
    /// One path, or several for [`Kind::Get`].
    pub(super) paths: Vec<String>,
}

/// What to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Get,
    Exists,
    /// The stat of a node whose data may not be read.
    Bare,
    List,
}

/// The answer about one node.
#[derive(Debug)]
pub(super) enum Answer {
    Data(Vec<u8>, Stat),
    Stat(Stat),
    Children(Vec<String>, Stat),
    Absent,
    Denied,
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

    /// An answer has come.
    pub(super) fn answered(&mut self, kind: Kind, walk: u32, path: &str, answer: Answer) {
        match answer {
            Answer::Absent => {
                self.remove(path);
                // Reading what is not there leaves no watch; asking for it does.
                self.begin |= self.one_shot && kind != Kind::Exists && *path == *self.tree.root();
            }
            Answer::Denied if kind == Kind::List => {
                if let Some(node) = self.tree.node_mut(path) {
                    node.listed = true;
                }
            }
            Answer::Denied => self.bare.push_back(path.to_owned()),
            Answer::Children(names, stat) => self.listed(path, names, stat),
            Answer::Data(data, stat) => self.read(walk, path, stat, Some(data)),
            Answer::Stat(stat) => {
                let same = |node: &Node| {
                    node.data.is_some()
                        && node.stat.mzxid == stat.mzxid
                        && node.stat.czxid == stat.czxid
                };
                let needs_data = self.limits.data
                    && kind == Kind::Exists
                    && !self.tree.node(path).is_some_and(same);
                if needs_data {
                    self.urgent.insert(path.to_owned());
                } else {
                    self.read(walk, path, stat, None);
                }
            }
        }
    }

    /// Takes in a node's stat, and its data if it was read.
    fn read(&mut self, walk: u32, path: &str, stat: Stat, data: Option<Vec<u8>>) {
        let root = *path == *self.tree.root();
        let wanted = self.hub.is_wanted();
        let (before, room) = match self.tree.slot(path) {
            None => return,
            Some(slot) => {
                let held = slot.as_ref().and_then(|node| node.data.as_ref());
                let before = held.map_or(0, |data| data.len());
                (before, self.limits.bytes.saturating_sub(self.bytes.saturating_sub(before)))
            }
        };
        let too_large = data.as_ref().is_some_and(|data| data.len() > room);
        if too_large {
            self.refuse(path);
        }
        self.revision += 1;
        let kept = data.filter(|_| !too_large).map(|data| self.share(data));
        let Some(slot) = self.tree.slot_mut(path) else { return };
        let mut change = None;
        match slot {
            None => {
                let node = slot.insert(Box::new(Node::new(stat, kept, walk)));
                self.nodes += usize::from(root);
                self.bytes += node.data.as_ref().map_or(0, |data| data.len());
                change = wanted.then(|| Change::Added(Entry::new(path, node)));
            }
            Some(node) if (stat.mzxid, stat.czxid) < (node.stat.mzxid, node.stat.czxid) => {}
            Some(node) => {
                let differs = (stat.mzxid, stat.czxid) != (node.stat.mzxid, node.stat.czxid);
                let old = (differs && wanted).then(|| Entry::new(path, node));
                let pzxid = node.stat.pzxid;
                node.stat = stat;
                // A pzxid that is ahead says that children are to be listed, which `visit_below` does.
                node.stat.pzxid = pzxid;
                if kept.is_some() || differs {
                    let after = kept.as_ref().map_or(0, |data| data.len());
                    self.bytes = self.bytes.saturating_sub(before).saturating_add(after);
                    node.data = kept;
                }
                change = old.map(|old| Change::Changed { old, new: Entry::new(path, node) });
            }
        }
        self.changes.extend(change);
        self.visit_below(walk, path, &stat);
    }

    /// Decides what the node's stat says about its children.
    fn visit_below(&mut self, walk: u32, path: &str, stat: &Stat) {
        let depth = self.tree.depth(path).unwrap_or(usize::MAX);
        let (current, one_shot) = (self.walk, self.one_shot);
        let inner = depth < self.limits.depth;
        let too_deep = inner && depth >= MAX_DEPTH && stat.num_children > 0;
        let Some(node) = self.tree.node_mut(path) else { return };
        let seen = node.walk == current && node.listed;
        if walk == current {
            node.walk = walk;
        }
        if !inner || depth >= MAX_DEPTH {
            node.stat.pzxid = stat.pzxid;
            if too_deep {
                self.refuse(path);
            }
            return;
        }
        if seen {
            return;
        }
        let known = node.listed && node.stat.pzxid == stat.pzxid;
        if one_shot || (!known && (stat.num_children > 0 || node.child_count() > 0)) {
            // Until the list is there, no event may say that the children are known.
            node.listed = false;
            self.lists.push_back(path.to_owned());
            return;
        }
        node.listed = true;
        node.stat.pzxid = stat.pzxid;
        if node.child_count() > 0 {
            self.enter(path);
        }
    }

    /// Visits the children of a node.
    fn enter(&mut self, path: &str) {
        let fresh = |frame: &Frame| frame.after.is_none() && frame.path == path;
        if !self.frames.last().is_some_and(fresh) {
            self.frames.push(Frame { path: path.to_owned(), after: None });
        }
    }

    /// Takes in a list of children.
    fn listed(&mut self, path: &str, mut names: Vec<String>, stat: Stat) {
        names.sort_unstable();
        let Some(node) = self.tree.node(path) else { return };
        // What was created after the list is not in it.
        let gone: Vec<String> = node
            .children()
            .filter(|(_, slot)| slot.as_ref().is_some_and(|child| child.stat.czxid <= stat.pzxid))
            .filter(|(name, _)| names.binary_search_by(|other| other.as_str().cmp(name)).is_err())
            .map(|(name, _)| join(path, name))
            .collect();
        gone.iter().for_each(|path| self.remove(path));
        let Some(node) = self.tree.node(path) else { return };
        let (mut nodes, mut bytes) = (self.nodes, self.bytes);
        let mut refused = None;
        names.retain(|name| {
            let new = !node.contains(name);
            if new && (nodes >= self.limits.nodes || bytes + name.len() > self.limits.bytes) {
                refused.get_or_insert_with(|| join(path, name));
                return false;
            }
            nodes += usize::from(new);
            bytes += if new { name.len() } else { 0 };
            new
        });
        (self.nodes, self.bytes) = (nodes, bytes);
        let Some(node) = self.tree.node_mut(path) else { return };
        node.promise_all(names.into_iter().map(String::into_boxed_str));
        // A list that is not kept whole is asked for again by the next walk.
        node.listed = refused.is_none();
        node.stat.pzxid = node.stat.pzxid.max(stat.pzxid);
        if node.child_count() > 0 {
            self.enter(path);
        }
        if let Some(path) = refused {
            self.refuse(&path);
        }
    }

    fn remove(&mut self, path: &str) {
        let root = *path == *self.tree.root();
        let Some(slot) = self.tree.take(path) else { return };
        self.revision += 1;
        let wanted = self.hub.is_wanted();
        let (nodes, bytes, changes) = (&mut self.nodes, &mut self.bytes, &mut self.changes);
        let mut lose = |path: &str, node: Option<Box<Node>>| {
            *nodes = nodes.saturating_sub(1);
            let data =
                node.as_ref().and_then(|node| node.data.as_ref()).map_or(0, |data| data.len());
            *bytes = bytes.saturating_sub(split(path).1.len().saturating_add(data));
            if wanted && let Some(node) = node {
                changes.push(Change::Removed(Entry::new(path, &node)));
            }
        };
        match slot {
            Some(node) => node.dismantle(&mut path.to_owned(), &mut lose),
            None if root => {}
            None => lose(path, None),
        }
        if root {
            // The root's own name was never counted.
            self.bytes = 0;
            self.nodes = 0;
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

    fn share(&self, data: Vec<u8>) -> Arc<[u8]> {
        if data.is_empty() { Arc::clone(&self.empty) } else { data.into() }
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

impl Frame {
    /// The next children that the walk has to read (all of one kind), or none when it is through.
    fn visit(&mut self, tree: &Tree, walk: u32, batch: usize, read: Kind) -> (Kind, Vec<String>) {
        let mut kind = read;
        let mut paths = Vec::new();
        let Some(children) = tree.node(&self.path).and_then(Node::map) else {
            return (kind, paths);
        };
        let from = self.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut last: Option<&str> = None;
        for (name, slot) in children.range::<str, _>((from, Bound::Unbounded)) {
            if let Some(next) = need(slot, walk, read) {
                let limit = if next == Kind::Get { batch } else { 1 };
                if !paths.is_empty() && (next != kind || paths.len() >= limit) {
                    break;
                }
                kind = next;
                paths.push(join(&self.path, name));
            }
            last = Some(name);
        }
        if let Some(last) = last {
            self.after = Some(last.into());
        }
        (kind, paths)
    }
}

/// How the walk has to read a child.
fn need(slot: &Slot, walk: u32, read: Kind) -> Option<Kind> {
    match slot {
        None => Some(read),
        Some(node) if node.walk != walk => Some(Kind::Exists),
        Some(_) => None,
    }
}

/// The answer that a refusal stands for; `None` for what concerns more than the node.
pub(super) const fn refusal(code: ErrorCode) -> Option<Answer> {
    match code {
        ErrorCode::NoNode => Some(Answer::Absent),
        ErrorCode::NoAuth => Some(Answer::Denied),
        _ => None,
    }
}

/// Nodes to be read because of events; beyond, walking over everything is cheaper than remembering.
const MAX_URGENT: usize = 65_536;
/// Levels that are followed: whoever nests deeper is not cached.
const MAX_DEPTH: usize = 1_000;
