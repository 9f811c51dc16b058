//! Building a tree from a snapshot.
//!
//! The storage driver decodes the file and calls in file order: sessions, ACL entries, nodes, [`TreeLoader::finish`].
//! Everything derived (digest, child lists, owners, quota totals) is computed here. What of that needs no tree is
//! a [`Preparation`]'s work, so that a driver with threads can have it done ahead. Apache takes snapshots
//! while it serves, so a loaded tree may show effects of transactions after its zxid until the log has
//! been replayed. Source: `org.apache.zookeeper.server.DataTree#deserialize`.

use super::apply::{Place, Sums, split};
use super::index::PathHash;
use super::{NodeId, Tree, TreeConfig, acls, quota};
use crate::session::SessionNumber;
use foldhash::{fast::FixedState, quality};
use hashbrown::HashMap;
use quorate_wire::{Acl, StatPersisted, Zxid};

/// Why a snapshot cannot be a tree. The file is damaged or was not written by a ZooKeeper server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// A node comes before its parent, or its parent does not come at all.
    #[error("the snapshot holds {path:?} without its parent before it")]
    NoParent {
        /// The node.
        path: String,
    },
    /// A path comes twice.
    #[error("the snapshot holds {path:?} twice")]
    Duplicate {
        /// The path.
        path: String,
    },
    /// A path can be no node's.
    #[error("the snapshot holds a node of the impossible path {path:?}")]
    Path {
        /// The path.
        path: String,
    },
    /// There is no root.
    #[error("the snapshot holds no root node")]
    NoRoot,
    /// More nodes than ids.
    #[error("the snapshot holds more nodes than fit in memory")]
    Full,
}

/// A tree in the making.
#[derive(Debug)]
pub struct TreeLoader {
    tree: Tree,
    /// From the snapshot's ACL ids to slots.
    acls: HashMap<i64, u32, FixedState>,
    /// The loader's own uses, so that no slot goes away before all nodes are there.
    held: Vec<u32>,
    /// The last node's parent: neighbours in the file are mostly siblings.
    parent: NodeId,
    parent_path: String,
    recount: bool,
}

/// The part of a loader's work that looks at one node alone.
#[derive(Clone, Debug)]
pub struct Preparation {
    hasher: quality::FixedState,
    digest: bool,
}

/// What a [`Preparation`] found out about a node.
#[derive(Clone, Copy, Debug)]
pub struct Prepared {
    hash: PathHash,
    sums: Sums,
}

impl Preparation {
    /// Prepares a node for [`TreeLoader::prepared_node`] of the same loader.
    #[must_use]
    pub fn prepare(&self, path: &str, data: Option<&[u8]>, stat: &StatPersisted) -> Prepared {
        let sums = Sums::of(self.digest, path, data, stat);
        Prepared { hash: PathHash::of(&self.hasher, path), sums }
    }
}

impl TreeLoader {
    /// Starts with nothing, not even a root.
    #[must_use]
    pub fn new(config: TreeConfig) -> Self {
        Self {
            tree: Tree::empty(config),
            acls: HashMap::with_hasher(FixedState::with_seed(config.hash_seed)),
            held: Vec::new(),
            parent: NodeId::NONE,
            parent_path: String::new(),
            recount: true,
        }
    }

    /// Keeps the quota totals that the snapshot holds instead of counting again. Right only for a snapshot
    /// that is known to be exact; there the two differ where one quota lies within another.
    pub fn keep_quota_totals(&mut self) {
        self.recount = false;
    }

    /// Takes a session and its timeout in ms.
    pub fn session(&mut self, id: i64, timeout: i32) {
        self.tree.sessions.insert(id, timeout);
        self.tree.note_session(id);
    }

    /// Takes the number of the newest session that there ever was, if the snapshot knows. Before the sessions.
    pub const fn newest_session(&mut self, number: Option<SessionNumber>) {
        self.tree.newest_session = number;
    }

    /// Takes an entry of the ACL table.
    pub fn acl(&mut self, id: i64, list: &[Acl<'_>]) {
        let slot = self.tree.acls.acquire(list);
        self.held.push(slot);
        self.acls.insert(id, slot);
    }

    /// Makes room for about this many nodes. Memory follows the number at once, so it should be no wild guess.
    pub fn expect(&mut self, nodes: usize) {
        self.tree.index.expect(&self.tree.nodes, nodes);
    }

    /// What can be done to a node before it is the loader's turn, on any thread.
    #[must_use]
    pub fn preparation(&self) -> Preparation {
        Preparation { hasher: self.tree.index.hasher().clone(), digest: self.tree.config.digest }
    }

    /// Takes a node. An ACL id that is not in the table is no error yet, see [`Tree::missing_acl`].
    ///
    /// # Errors
    /// When no tree can have this node where it comes.
    pub fn node(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl: i64,
        stat: &StatPersisted,
    ) -> Result<(), LoadError> {
        let prepared = self.preparation().prepare(path, data, stat);
        self.prepared_node(path, data, acl, stat, prepared)
    }

    /// Takes a node like [`node`](Self::node), with what [`preparation`](Self::preparation) made of the same one.
    ///
    /// # Errors
    /// As [`node`](Self::node).
    pub fn prepared_node(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl: i64,
        stat: &StatPersisted,
        prepared: Prepared,
    ) -> Result<(), LoadError> {
        let place = self.place(path, prepared.hash)?;
        let slot = self.slot(acl);
        self.tree.acls.retain(slot);
        let inserted = self.tree.insert(&place, data, slot, stat, prepared.sums);
        inserted.map(|_| ()).ok_or(LoadError::Full)
    }

    /// The tree, as of `zxid`. Unused ACL entries are dropped; `/zookeeper/config`, which servers before 3.5 do
    /// not have, is added; quota totals are counted.
    ///
    /// # Errors
    /// When there is no root.
    pub fn finish(self, zxid: Zxid) -> Result<Tree, LoadError> {
        let mut tree = self.tree;
        if tree.node_count() == 0 {
            return Err(LoadError::NoRoot);
        }
        for slot in self.held {
            tree.acls.release(slot);
        }
        if tree.find("/zookeeper").is_some() && tree.find("/zookeeper/config").is_none() {
            tree.add_config_node();
        }
        for path in active_quotas(&tree) {
            if self.recount {
                tree.recount(&path);
            }
            tree.quotas.activate(&path);
        }
        tree.settle_digest();
        tree.last_zxid = zxid;
        Ok(tree)
    }

    fn place<'p>(&mut self, path: &'p str, hash: PathHash) -> Result<Place<'p>, LoadError> {
        let duplicate = || Err(LoadError::Duplicate { path: path.to_owned() });
        if path.is_empty() {
            let place = Place { path, name: "", hash, parent: NodeId::NONE };
            return if self.tree.node_count() == 0 { Ok(place) } else { duplicate() };
        }
        let bad = || LoadError::Path { path: path.to_owned() };
        let (parent_path, name) = split(path).ok_or_else(bad)?;
        if self.parent == NodeId::NONE || self.parent_path != parent_path {
            let orphan = || LoadError::NoParent { path: path.to_owned() };
            if self.tree.node_count() == 0 {
                return Err(orphan());
            }
            self.parent = self.tree.find(parent_path).ok_or_else(orphan)?;
            parent_path.clone_into(&mut self.parent_path);
        }
        if self.tree.index.find(&self.tree.nodes, hash, path).is_some() {
            return duplicate();
        }
        Ok(Place { path, name, hash, parent: self.parent })
    }

    fn slot(&mut self, id: i64) -> u32 {
        if id == acls::OPEN_IN_SNAPSHOT {
            return acls::OPEN;
        }
        if let Some(slot) = self.acls.get(&id) {
            return *slot;
        }
        let slot = self.tree.acls.acquire_missing(id);
        self.held.push(slot);
        self.acls.insert(id, slot);
        slot
    }
}

impl Tree {
    /// Adds a node of a fresh tree, whose parent is there.
    pub(super) fn plant(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl: &[Acl<'_>],
        stat: &StatPersisted,
    ) {
        let (parent_path, name) = split(path).unwrap_or_default();
        let parent = if path.is_empty() { Some(NodeId::NONE) } else { self.find(parent_path) };
        let Some(parent) = parent else { return };
        let acl = self.acls.acquire(acl);
        let place = Place { path, name, hash: self.index.hash(path), parent };
        let sums = Sums::of(self.config.digest, path, data, stat);
        self.insert(&place, data, acl, stat, sums);
    }
}

/// The paths that have a limits node without children, ascending.
fn active_quotas(tree: &Tree) -> Vec<String> {
    let Some(top) = tree.find(quota::ROOT) else { return Vec::new() };
    let limits = tree.nodes.below(top).filter(|id| {
        let node = tree.nodes.get(*id);
        node.children == 0 && node.name_bytes() == quota::LIMITS.as_bytes()
    });
    let parents = limits.map(|id| tree.path_or_empty(tree.nodes.get(id).parent));
    let mut paths: Vec<_> =
        parents.filter_map(|p| quota::governed(&p).map(str::to_owned)).collect();
    paths.sort_unstable();
    paths
}
