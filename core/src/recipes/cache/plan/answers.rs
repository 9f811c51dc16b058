//! What follows from an answer: what is kept, what has changed, and what has to be asked next.

use super::Plan;
use crate::client::Stat;
use crate::recipes::cache::entry::{Change, Entry};
use crate::recipes::cache::tree::{Node, split};
use crate::recipes::cache::work::{Answer, Kind};
use crate::recipes::kit::join;
use std::sync::Arc;

impl Plan {
    /// An answer has come.
    pub(in crate::recipes::cache) fn answered(
        &mut self,
        kind: Kind,
        walk: u32,
        path: &str,
        answer: Answer,
    ) {
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

    /// Takes in a node's stat, and its data if it was read. Every node of a walk comes by here: the tree is searched once.
    fn read(&mut self, walk: u32, path: &str, stat: Stat, data: Option<Vec<u8>>) {
        let wanted = self.hub.is_wanted();
        let Some((depth, slot)) = self.tree.slot_mut(path) else { return };
        let held = slot.as_ref().and_then(|node| node.data.as_ref());
        let before = held.map_or(0, |data| data.len());
        let others = self.bytes.saturating_sub(before);
        let room = self.limits.bytes.saturating_sub(others);
        let too_large = data.as_ref().is_some_and(|data| data.len() > room);
        let kept = data.filter(|_| !too_large).map(|data| share(&self.empty, data));
        self.revision += 1;
        let (node, change) = match slot {
            None => {
                let node = slot.insert(Box::new(Node::new(stat, kept, walk)));
                self.nodes += usize::from(depth == 0);
                self.bytes += node.data.as_ref().map_or(0, |data| data.len());
                let change = wanted.then(|| Change::Added(Entry::new(path, node)));
                (node, change)
            }
            Some(node) if (stat.mzxid, stat.czxid) < (node.stat.mzxid, node.stat.czxid) => {
                (node, None)
            }
            Some(node) => {
                let differs = (stat.mzxid, stat.czxid) != (node.stat.mzxid, node.stat.czxid);
                let old = (differs && wanted).then(|| Entry::new(path, node));
                let pzxid = node.stat.pzxid;
                node.stat = stat;
                // A pzxid that is ahead says that children are to be listed, which `below` sees.
                node.stat.pzxid = pzxid;
                if kept.is_some() || differs {
                    let after = kept.as_ref().map_or(0, |data| data.len());
                    self.bytes = others.saturating_add(after);
                    node.data = kept;
                }
                let change = old.map(|old| Change::Changed { old, new: Entry::new(path, node) });
                (node, change)
            }
        };
        let leaf = depth >= self.limits.depth.min(MAX_DEPTH);
        let too_deep = leaf && depth < self.limits.depth && stat.num_children > 0;
        let below = node.below(self.walk, walk, &stat, leaf, self.one_shot);
        self.changes.extend(change);
        if too_large || too_deep {
            self.refuse(path);
        }
        match below {
            Below::Nothing => {}
            Below::List => self.lists.push_back(path.to_owned()),
            Below::Enter => self.enter(path),
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

    /// Forgets a node and everything below it.
    pub(super) fn remove(&mut self, path: &str) {
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
}

/// What a node's stat says about its children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Below {
    Nothing,
    List,
    Enter,
}

impl Node {
    /// Decides what is to be done about the children, after a stat of the walk `walk` was taken in during the walk `current`. A `leaf` has none
    /// that concern the cache.
    fn below(&mut self, current: u32, walk: u32, stat: &Stat, leaf: bool, one_shot: bool) -> Below {
        let seen = self.walk == current && self.listed;
        if walk == current {
            self.walk = walk;
        }
        if leaf {
            self.stat.pzxid = stat.pzxid;
            return Below::Nothing;
        }
        if seen {
            return Below::Nothing;
        }
        let known = self.listed && self.stat.pzxid == stat.pzxid;
        if one_shot || (!known && (stat.num_children > 0 || self.child_count() > 0)) {
            // Until the list is there, no event may say that the children are known.
            self.listed = false;
            return Below::List;
        }
        self.listed = true;
        self.stat.pzxid = stat.pzxid;
        if self.child_count() > 0 { Below::Enter } else { Below::Nothing }
    }
}

/// Data as it is kept; nodes without any share the same.
fn share(empty: &Arc<[u8]>, data: Vec<u8>) -> Arc<[u8]> {
    if data.is_empty() { Arc::clone(empty) } else { data.into() }
}

/// Levels that are followed: whoever nests deeper is not cached.
const MAX_DEPTH: usize = 1_000;
