//! From path to node: many small hash tables instead of one large.
//!
//! A path's hash never changes, because nodes are never renamed. Its upper bits choose a table, its lower 32
//! are kept in the node, so that a growing table needs no path. Growth touches one table of a few hundred
//! entries at a time. Nothing ever iterates over a table. Used by the tree alone.

use super::NodeId;
use super::arena::Arena;
use foldhash::quality::FixedState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher};

/// The tables.
#[derive(Debug)]
pub(super) struct Index {
    tables: Box<[HashTable<NodeId>]>,
    hasher: FixedState,
}

/// A path's hash, split as the index uses it.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathHash {
    table: usize,
    /// What the node keeps.
    pub(super) tag: u32,
}

impl PathHash {
    /// Of a path, for the index with this hasher.
    #[inline]
    pub(super) fn of(hasher: &FixedState, path: &str) -> Self {
        let mut hasher = hasher.build_hasher();
        hasher.write(path.as_bytes());
        let hash = hasher.finish();
        Self {
            table: usize::try_from(hash >> (u64::BITS - TABLE_BITS)).unwrap_or_default(),
            tag: u32::try_from(hash & u64::from(u32::MAX)).unwrap_or_default(),
        }
    }
}

impl Index {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            tables: std::iter::repeat_with(HashTable::new).take(TABLES).collect(),
            hasher: FixedState::with_seed(seed),
        }
    }

    #[inline]
    pub(super) fn hash(&self, path: &str) -> PathHash {
        PathHash::of(&self.hasher, path)
    }

    /// What makes the hashes.
    pub(super) const fn hasher(&self) -> &FixedState {
        &self.hasher
    }

    /// Makes room for about this many nodes, so that tables need not grow on the way there.
    pub(super) fn expect(&mut self, nodes: &Arena, count: usize) {
        for table in &mut self.tables {
            let more = (count / TABLES).saturating_sub(table.len());
            table.reserve(more, |id| spread(nodes.get(*id).tag));
        }
    }

    /// The node of the path with this hash.
    #[inline]
    pub(super) fn find(&self, nodes: &Arena, hash: PathHash, path: &str) -> Option<NodeId> {
        let same = |id: &NodeId| nodes.get(*id).tag == hash.tag && is_path_of(nodes, *id, path);
        self.tables.get(hash.table)?.find(spread(hash.tag), same).copied()
    }

    /// Adds a node that is not there. Its `tag` is set.
    pub(super) fn insert(&mut self, nodes: &Arena, hash: PathHash, id: NodeId) {
        if let Some(table) = self.tables.get_mut(hash.table) {
            table.insert_unique(spread(hash.tag), id, |id| spread(nodes.get(*id).tag));
        }
    }

    pub(super) fn remove(&mut self, hash: PathHash, id: NodeId) {
        if let Some(table) = self.tables.get_mut(hash.table)
            && let Ok(entry) = table.find_entry(spread(hash.tag), |other| *other == id)
        {
            entry.remove();
        }
    }
}

/// Compares a path, last component first, with the names on the way up.
#[inline]
fn is_path_of(nodes: &Arena, mut id: NodeId, path: &str) -> bool {
    let mut rest = path.as_bytes();
    while id != NodeId::ROOT {
        let node = nodes.get(id);
        let Some(above) =
            rest.strip_suffix(node.name_bytes()).and_then(|rest| rest.strip_suffix(b"/"))
        else {
            return false;
        };
        (rest, id) = (above, node.parent);
    }
    rest.is_empty()
}

/// A table takes positions from the lower bits and its control bytes from the upper ones.
#[inline]
const fn spread(tag: u32) -> u64 {
    let tag = tag as u64;
    tag << 32 | tag
}

const TABLE_BITS: u32 = 12;
const TABLES: usize = 1 << TABLE_BITS;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::node::Node;
    use quorate_wire::StatPersisted;

    #[test]
    fn paths_with_the_same_hash_are_told_apart() {
        let (mut nodes, mut index) = (Arena::new(), Index::new(1));
        let hash = PathHash { table: 5, tag: 77 };
        let mut add = |name, parent: Option<NodeId>| {
            let mut node = Node::new(name, None, &StatPersisted::default()).unwrap();
            node.tag = hash.tag;
            let id = nodes.insert(node).unwrap();
            if let Some(parent) = parent {
                nodes.link(parent, id);
                index.insert(&nodes, hash, id);
            }
            id
        };
        let root = add("", None);
        let a = add("a", Some(root));
        let b = add("b", Some(root));
        let ab = add("b", Some(a));
        for (path, id) in [("/a", Some(a)), ("/b", Some(b)), ("/a/b", Some(ab))] {
            assert_eq!(index.find(&nodes, hash, path), id, "{path}");
        }
        for path in ["/b/b", "b", "/a/b/", "//a", "/ab", "/xa", ""] {
            assert_eq!(index.find(&nodes, hash, path), None, "{path}");
        }
        index.remove(hash, b);
        assert_eq!(index.find(&nodes, hash, "/b"), None);
        assert_eq!(index.find(&nodes, hash, "/a/b"), Some(ab));
    }
}
