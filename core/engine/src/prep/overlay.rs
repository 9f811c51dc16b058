//! What is still in flight: the tree as it will be once everything judged so far has been applied.
//!
//! Per path that an unapplied transaction touches, the node as it will be (or that it will be gone), and
//! the sum of node digests. Whoever asks for a node sees the overlay first and the tree behind it. A
//! queue remembers which transaction touched which path, so that exactly the entries whose newest change
//! has been applied are forgotten. A multi can be undone as a whole. Used by this module's judges alone.
//! Source: `org.apache.zookeeper.server.ZooKeeperServer#outstandingChanges`, with one key for the root.

use crate::tree::{NodeId, Tree, digest};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use quorate_wire::stat::Owner;
use quorate_wire::{Acl, AclList, StatPersisted, Zxid};
use slab::Slab;
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;

/// The changes in flight.
#[derive(Debug)]
pub(super) struct Overlay {
    /// Sum of all node digests after everything in flight; meaningless when digests are off.
    digest: u64,
    digests: bool,
    entries: Slab<Entry>,
    by_path: HashTable<usize>,
    hasher: FixedState,
    /// Which transaction changed which entry, each pair once, in order.
    touched: VecDeque<(Zxid, usize)>,
    /// Ephemeral creations in flight. An undone one stays until its turn: what counts is who owns the entry.
    births: VecDeque<Birth>,
    undo: Vec<Undo>,
    /// The digest to return to; `Some` while a multi is judged.
    undo_digest: Option<u64>,
    /// Paths of forgotten entries, for their allocations.
    spare: Vec<String>,
}

/// Where a path is, or would be, among the changes in flight. Good until the next change to that path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    hash: u64,
    slot: Option<usize>,
}

/// A node as it will be.
#[derive(Clone, Debug)]
pub(super) struct Node {
    spot: Spot,
    pub(super) stat: StatPersisted,
    pub(super) children: i32,
    /// Bytes of data.
    pub(super) length: usize,
    /// CRC-32 of path and data; 0 when digests are off.
    pub(super) crc: u32,
    /// The node's part of the tree's digest; 0 when it does not count or digests are off.
    pub(super) digest: u64,
    pub(super) acl: NodeAcl,
}

/// The ACL of a node as it will be.
#[derive(Clone, Debug)]
pub(super) enum NodeAcl {
    /// Lets everybody do everything.
    Open,
    /// What the tree says: it has this node, and no other list is in flight.
    Tree,
    /// A list that is itself in flight.
    Own(Arc<[Acl<'static>]>),
}

#[derive(Debug)]
struct Entry {
    path: String,
    hash: u64,
    /// `None` when the node will be gone.
    node: Option<Node>,
    /// The newest transaction that changed it.
    zxid: Zxid,
    /// How often it stands in the queue.
    pending: u32,
}

#[derive(Debug)]
struct Birth {
    zxid: Zxid,
    session: i64,
    entry: usize,
}

/// What an entry was before a part of a multi changed it.
#[derive(Debug)]
struct Undo {
    entry: usize,
    /// `None` when there was no entry.
    before: Option<(Option<Node>, Zxid)>,
}

impl Overlay {
    pub(super) fn new(digests: bool, digest: u64, seed: u64) -> Self {
        Self {
            digest,
            digests,
            entries: Slab::new(),
            by_path: HashTable::new(),
            hasher: FixedState::with_seed(seed),
            touched: VecDeque::new(),
            births: VecDeque::new(),
            undo: Vec::new(),
            undo_digest: None,
            spare: Vec::new(),
        }
    }

    /// The number of paths with changes in flight.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing at all is kept.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        let lists = self.touched.is_empty() && self.births.is_empty() && self.undo.is_empty();
        self.entries.is_empty() && self.by_path.is_empty() && lists
    }

    pub(super) const fn digest(&self) -> u64 {
        self.digest
    }

    /// When nothing is in flight, the tree's own digest is the truth.
    pub(super) fn align(&mut self, tree: &Tree) {
        if self.entries.is_empty() {
            self.digest = tree.digest();
        }
    }

    /// The node of a path as it will be. The root answers to both of its names.
    #[inline]
    pub(super) fn node(&self, tree: &Tree, path: &str) -> Option<Node> {
        let path = key(path);
        let spot = self.spot(path);
        match self.entry(spot) {
            Some(entry) => entry.node.clone().map(|node| Node { spot, ..node }),
            None => tree.find(path).map(|id| self.of_tree(tree, id, path, spot)),
        }
    }

    /// Where a node of this path can be created: `None` if there will be one already.
    #[inline]
    pub(super) fn vacancy(&self, tree: &Tree, path: &str) -> Option<Spot> {
        let path = key(path);
        let spot = self.spot(path);
        let vacant = match self.entry(spot) {
            Some(entry) => entry.node.is_none(),
            None => tree.find(path).is_none(),
        };
        vacant.then_some(spot)
    }

    /// Records that `zxid` creates a node.
    pub(super) fn create(&mut self, path: &str, mut node: Node, data: Option<&[u8]>, zxid: Zxid) {
        (node.crc, node.digest) = self.sums(path, data, &node.stat);
        let owner = Owner::of(node.stat.ephemeral_owner);
        let entry = self.put(path, node.spot, 0, Some(node), zxid);
        if let Owner::Session(session) = owner {
            self.births.push_back(Birth { zxid, session, entry });
        }
    }

    /// Records that `zxid` changes a node: `node` is what [`Self::node`] gave, changed.
    pub(super) fn update(&mut self, path: &str, mut node: Node, zxid: Zxid) {
        let before = node.digest;
        node.digest = self.node_digest(key(path), node.crc, &node.stat);
        self.put(path, node.spot, before, Some(node), zxid);
    }

    /// The same when the data changes as well.
    pub(super) fn update_data(
        &mut self,
        path: &str,
        mut node: Node,
        data: Option<&[u8]>,
        zxid: Zxid,
    ) {
        let before = node.digest;
        node.length = data.map_or(0, <[u8]>::len);
        (node.crc, node.digest) = self.sums(key(path), data, &node.stat);
        self.put(path, node.spot, before, Some(node), zxid);
    }

    /// Records that `zxid` deletes a node.
    pub(super) fn delete(&mut self, path: &str, node: &Node, zxid: Zxid) {
        self.put(path, node.spot, node.digest, None, zxid);
    }

    /// The ephemerals that the session will own, ascending by path.
    pub(super) fn ephemerals(&self, tree: &Tree, session: i64) -> Vec<String> {
        let mut paths: Vec<String> = tree
            .ephemerals(session)
            .filter(|path| {
                self.entry(self.spot(path)).is_none_or(|entry| entry.is_owned_by(session))
            })
            .collect();
        let born = self.births.iter().filter(|birth| birth.session == session);
        let born = born.filter_map(|birth| self.entries.get(birth.entry));
        paths.extend(born.filter(|entry| entry.is_owned_by(session)).map(|e| e.path.clone()));
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    /// Forgets what has been applied.
    pub(super) fn applied(&mut self, zxid: Zxid) {
        while let Some(&(at, entry)) = self.touched.front()
            && at <= zxid
        {
            self.touched.pop_front();
            let Some(found) = self.entries.get_mut(entry) else { continue };
            found.pending -= 1;
            if found.pending == 0 {
                self.remove(entry);
            }
        }
        while self.births.front().is_some_and(|birth| birth.zxid <= zxid) {
            self.births.pop_front();
        }
        if self.entries.is_empty() && self.entries.capacity() > ENTRIES_KEPT {
            self.give_back();
        }
    }

    /// Forgets everything in flight: it will never be applied.
    pub(super) fn discard(&mut self, digest: u64) {
        self.entries.clear();
        self.by_path.clear();
        self.touched.clear();
        self.births.clear();
        self.digest = digest;
    }

    /// From here to [`Self::keep`] or [`Self::roll_back`], changes can be undone.
    pub(super) fn begin(&mut self) {
        self.undo_digest = Some(self.digest);
    }

    pub(super) fn keep(&mut self) {
        self.undo_digest = None;
        self.undo.clear();
    }

    /// Takes back everything that `zxid` changed.
    pub(super) fn roll_back(&mut self, zxid: Zxid) {
        let Some(digest) = self.undo_digest.take() else { return };
        self.digest = digest;
        while let Some((_, entry)) = self.touched.pop_back_if(|(at, _)| *at == zxid) {
            if let Some(entry) = self.entries.get_mut(entry) {
                entry.pending -= 1;
            }
        }
        while let Some(undo) = self.undo.pop() {
            match undo.before {
                None => self.remove(undo.entry),
                Some((node, zxid)) => {
                    if let Some(entry) = self.entries.get_mut(undo.entry) {
                        (entry.node, entry.zxid) = (node, zxid);
                    }
                }
            }
        }
    }

    fn spot(&self, path: &str) -> Spot {
        let hash = self.hasher.hash_one(path);
        let same = |slot: &usize| self.entries.get(*slot).is_some_and(|e| e.path == path);
        Spot { hash, slot: self.by_path.find(hash, same).copied() }
    }

    fn entry(&self, spot: Spot) -> Option<&Entry> {
        self.entries.get(spot.slot?)
    }

    fn of_tree(&self, tree: &Tree, id: NodeId, path: &str, spot: Spot) -> Node {
        let stat = tree.persisted(id);
        let crc = tree.crc_prefix(id);
        Node {
            spot,
            stat,
            children: tree.child_count(id),
            length: tree.data(id).map_or(0, <[u8]>::len),
            crc,
            digest: self.node_digest(path, crc, &stat),
            acl: if tree.has_open_acl(id) { NodeAcl::Open } else { NodeAcl::Tree },
        }
    }

    /// CRC and digest of a node with this data.
    fn sums(&self, path: &str, data: Option<&[u8]>, stat: &StatPersisted) -> (u32, u64) {
        let counts = self.digests && digest::counts(path);
        if counts { digest::of_new(path, data, stat) } else { (0, 0) }
    }

    fn node_digest(&self, path: &str, crc: u32, stat: &StatPersisted) -> u64 {
        if self.digests && digest::counts(path) { digest::of_node(crc, stat) } else { 0 }
    }

    /// Replaces what a path will hold; `before` is the digest of what it held. Returns the entry.
    fn put(
        &mut self,
        path: &str,
        spot: Spot,
        before: u64,
        node: Option<Node>,
        zxid: Zxid,
    ) -> usize {
        let path = key(path);
        debug_assert_eq!(spot, self.spot(path), "{path} has changed since it was looked up");
        let after = node.as_ref().map_or(0, |node| node.digest);
        self.digest = self.digest.wrapping_sub(before).wrapping_add(after);
        let Some(slot) = spot.slot else { return self.insert(spot.hash, path, node, zxid) };
        let Some(entry) = self.entries.get_mut(slot) else { return slot };
        let was = std::mem::replace(&mut entry.node, node);
        if self.undo_digest.is_some() {
            self.undo.push(Undo { entry: slot, before: Some((was, entry.zxid)) });
        }
        if entry.zxid != zxid {
            entry.zxid = zxid;
            entry.pending += 1;
            self.touched.push_back((zxid, slot));
        }
        slot
    }

    fn insert(&mut self, hash: u64, path: &str, node: Option<Node>, zxid: Zxid) -> usize {
        let mut own = self.spare.pop().unwrap_or_default();
        own.push_str(path);
        let slot = self.entries.insert(Entry { path: own, hash, node, zxid, pending: 1 });
        let entries = &self.entries;
        self.by_path
            .insert_unique(hash, slot, |slot| entries.get(*slot).map_or(0, |entry| entry.hash));
        self.touched.push_back((zxid, slot));
        if self.undo_digest.is_some() {
            self.undo.push(Undo { entry: slot, before: None });
        }
        slot
    }

    /// Returns the memory of an unusual rush, such as the end of a session with very many ephemerals.
    fn give_back(&mut self) {
        self.entries = Slab::new();
        self.by_path = HashTable::new();
        self.touched = VecDeque::new();
        self.births = VecDeque::new();
        self.undo = Vec::new();
    }

    fn remove(&mut self, slot: usize) {
        let Some(mut entry) = self.entries.try_remove(slot) else { return };
        if let Ok(found) = self.by_path.find_entry(entry.hash, |other| *other == slot) {
            found.remove();
        }
        if self.spare.len() < SPARE_PATHS && entry.path.capacity() <= SPARE_PATH_BYTES {
            entry.path.clear();
            self.spare.push(entry.path);
        }
    }
}

impl Entry {
    fn is_owned_by(&self, session: i64) -> bool {
        self.node.as_ref().is_some_and(|node| node.stat.ephemeral_owner == session)
    }
}

impl Node {
    /// A node that `zxid` creates at `time`; its data's CRC is filled in by [`Overlay::create`].
    pub(super) fn new(
        spot: Spot,
        zxid: Zxid,
        time: i64,
        owner: Owner,
        length: usize,
        acl: NodeAcl,
    ) -> Self {
        let stat = StatPersisted {
            czxid: zxid.0,
            mzxid: zxid.0,
            pzxid: zxid.0,
            ctime: time,
            mtime: time,
            ephemeral_owner: owner.stored(),
            ..StatPersisted::default()
        };
        Self { spot, stat, children: 0, length, crc: 0, digest: 0, acl }
    }
}

impl NodeAcl {
    /// The list, kept without a copy if it lets everybody do everything.
    pub(super) fn of(acl: AclList<'_>) -> Self {
        if acl.is_open() || acl.iter().any(Acl::is_open) {
            Self::Open
        } else {
            Self::Own(acl.into_owned().into_vec().into())
        }
    }
}

/// The root's two names are one path.
fn key(path: &str) -> &str {
    if path == "/" { "" } else { path }
}

/// Room for entries that is kept while nothing is in flight.
const ENTRIES_KEPT: usize = 16 * 1024;
/// Paths kept for their allocations, and the longest one worth keeping.
const SPARE_PATHS: usize = 1024;
const SPARE_PATH_BYTES: usize = 128;
