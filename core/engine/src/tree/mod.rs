//! The data tree: every znode, the committed sessions, and what is derived from them.
//!
//! [`Tree`] answers reads without allocating and applies transactions ([`Tree::apply`]). It judges nothing:
//! a transaction has been judged before, and one that is replayed onto a tree that already
//! contains part of it does no harm. Request preparation and the reading half of the server look in through
//! ids; the log's owner applies; the snapshot's owner walks ([`Tree::freeze`]) and loads ([`TreeLoader`]); leader and learner do
//! the same over a connection ([`Tree::freeze_stream`], [`TreeReceiver`]).
//! Source of behaviour: `org.apache.zookeeper.server.DataTree`.
//!
//! Invariant: the digest equals what [`Tree::computed_digest`] finds at any time.

mod acls;
mod apply;
mod arena;
pub mod digest;
mod digest_log;
mod index;
mod load;
mod node;
mod owners;
mod quota;
mod receive;
#[cfg(test)]
mod tests;
mod walk;

pub use apply::{Outcome, TreeEvent, TreeObserver};
pub use load::{LoadError, Preparation, Prepared, TreeLoader};
pub use quota::{QuotaBreach, QuotaLimits, QuotaView};
pub use receive::{ReceiveError, TreeReceiver};
pub use walk::{FrozenHead, StreamId, WalkState};

use crate::session::SessionNumber;
use acls::AclTable;
use arena::Arena;
use digest_log::DigestLog;
use index::Index;
use node::Node;
use owners::Owners;
use quorate_wire::stat::Owner;
use quorate_wire::{Acl, Stat, StatPersisted, Zxid, acl};
use quota::{Quotas, StatsTrack};
use std::collections::BTreeMap;
use walk::Walk;

/// What a tree needs to know beforehand.
#[derive(Clone, Copy, Debug)]
pub struct TreeConfig {
    /// Seeds the hash of paths; unpredictable where clients are not trusted. It influences no result.
    pub hash_seed: u64,
    /// Whether the digest is kept up; without it [`Tree::digest`] is 0.
    pub digest: bool,
}

/// A node of one tree, as long as no change has been applied since the id was obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u32);

/// The data tree. It may be read from several threads while nobody changes it.
#[derive(Debug)]
pub struct Tree {
    config: TreeConfig,
    nodes: Arena,
    index: Index,
    acls: AclTable,
    owners: Owners,
    quotas: Quotas,
    sessions: BTreeMap<i64, i32>,
    newest_session: Option<SessionNumber>,
    last_zxid: Zxid,
    /// Without [`Self::out_of_digest`], which is none between transactions.
    digest: u64,
    out_of_digest: NodeId,
    digest_log: DigestLog,
    /// Sum of path lengths (UTF-16 units) and data lengths.
    data_size: u64,
    walks: Vec<Walk>,
    /// How many streams there have been.
    streams: u64,
}

const _: () = {
    const fn shareable<T: Send + Sync>() {}
    shareable::<Tree>();
};

impl Tree {
    /// The tree of a new database: `/`, `/zookeeper`, `/zookeeper/config` (read-only), `/zookeeper/quota`.
    #[must_use]
    pub fn new(config: TreeConfig) -> Self {
        let mut tree = Self::empty(config);
        let open = [Acl::world(acl::ALL)];
        let zero = StatPersisted::default();
        for path in ["", "/zookeeper", "/zookeeper/quota"] {
            tree.plant(path, Some(b""), &open, &zero);
        }
        tree.add_config_node();
        tree
    }

    /// The last transaction applied.
    #[must_use]
    pub const fn last_zxid(&self) -> Zxid {
        self.last_zxid
    }

    /// Calls the present state that of a later zxid, up to which nothing more is to come: a leader's tree may be of an earlier one than the log that it
    /// replaces.
    pub fn stands_for(&mut self, zxid: Zxid) {
        debug_assert!(zxid >= self.last_zxid, "zxids rise");
        self.last_zxid = self.last_zxid.max(zxid);
    }

    /// The digest of the tree, version 2; 0 when it is not kept.
    #[must_use]
    pub const fn digest(&self) -> u64 {
        self.digest
    }

    /// The digests after every 128th transaction, the last 1024 of them, oldest first; none when the digest is
    /// not kept.
    pub fn digest_log(&self) -> impl Iterator<Item = (Zxid, u64)> {
        self.digest_log.iter()
    }

    /// The digest, computed from every node. For checks.
    #[must_use]
    pub fn computed_digest(&self) -> u64 {
        let all = std::iter::once(NodeId::ROOT).chain(self.nodes.below(NodeId::ROOT));
        all.fold(0, |sum, id| {
            let path = self.path_or_empty(id);
            if !digest::counts(&path) {
                return sum;
            }
            let prefix = digest::prefix(&path, self.data(id));
            sum.wrapping_add(digest::of_node(prefix, &self.persisted(id)))
        })
    }

    /// The node of a path. The empty path is the root, as `/` is.
    #[must_use]
    #[inline]
    pub fn find(&self, path: &str) -> Option<NodeId> {
        if path.len() <= 1 && matches!(path, "" | "/") {
            return Some(NodeId::ROOT);
        }
        self.index.find(&self.nodes, self.index.hash(path), path)
    }

    /// The data; `None` is null.
    #[must_use]
    #[inline]
    pub fn data(&self, id: NodeId) -> Option<&[u8]> {
        self.nodes.get(id).data()
    }

    /// The stat that clients see.
    #[must_use]
    #[inline]
    pub fn stat(&self, id: NodeId) -> Stat {
        let node = self.nodes.get(id);
        let data_length = i32::try_from(node.data_len()).unwrap_or(i32::MAX);
        node.persisted(self.stored_owner(id)).to_wire(data_length, child_count(node))
    }

    /// The stat as snapshots hold it.
    #[must_use]
    pub fn persisted(&self, id: NodeId) -> StatPersisted {
        self.nodes.get(id).persisted(self.stored_owner(id))
    }

    /// What kind of node it is.
    #[must_use]
    pub fn owner(&self, id: NodeId) -> Owner {
        Owner::of(self.stored_owner(id))
    }

    /// The ACL.
    #[must_use]
    #[inline]
    pub fn acl(&self, id: NodeId) -> &[Acl<'static>] {
        self.acls.get(self.nodes.get(id).acl)
    }

    /// Whether the ACL is `world:anyone` with every permission, so that no check is needed.
    #[must_use]
    #[inline]
    pub fn has_open_acl(&self, id: NodeId) -> bool {
        self.nodes.get(id).acl == acls::OPEN
    }

    /// The names of the children; in no particular order, but always the same one for
    /// the same calls.
    pub fn children(&self, id: NodeId) -> impl Iterator<Item = &str> {
        self.nodes.children(id).map(Node::name)
    }

    /// How many children there are.
    #[must_use]
    #[inline]
    pub fn child_count(&self, id: NodeId) -> i32 {
        child_count(self.nodes.get(id))
    }

    /// The last component of the path; empty for the root.
    #[must_use]
    pub fn name(&self, id: NodeId) -> &str {
        self.nodes.get(id).name()
    }

    /// The path; `/` for the root.
    #[must_use]
    pub fn path(&self, id: NodeId) -> String {
        if id == NodeId::ROOT { "/".to_owned() } else { self.path_or_empty(id) }
    }

    /// The parent; `None` for the root.
    #[must_use]
    pub fn parent(&self, id: NodeId) -> Option<NodeId> {
        (id != NodeId::ROOT).then(|| self.nodes.get(id).parent)
    }

    /// CRC-32 of path and data, see [`digest::of_node`]; meaningless when the digest is not kept.
    #[must_use]
    pub fn crc_prefix(&self, id: NodeId) -> u32 {
        self.nodes.get(id).crc
    }

    /// How many nodes are below this one. Takes time proportional to the answer.
    #[must_use]
    pub fn descendants(&self, id: NodeId) -> i32 {
        let count =
            if id == NodeId::ROOT { self.nodes.live() - 1 } else { self.nodes.below(id).count() };
        i32::try_from(count).unwrap_or(i32::MAX)
    }

    /// The paths of a session's ephemerals, ascending.
    pub fn ephemerals(&self, session: i64) -> impl Iterator<Item = String> + use<> {
        let mut paths: Vec<_> = self.owners.of_session(session).map(|id| self.path(id)).collect();
        paths.sort_unstable();
        paths.into_iter()
    }

    /// The sessions that own an ephemeral, ascending.
    pub fn ephemeral_sessions(&self) -> impl Iterator<Item = i64> {
        self.owners.sessions()
    }

    /// The newest session that this database has seen, ended or not. `None` if there never was one.
    #[must_use]
    pub const fn newest_session(&self) -> Option<SessionNumber> {
        self.newest_session
    }

    /// No session up to this one is new, though the tree may not show it: the stream of a leader's tree tells of living sessions only. To be
    /// called with what the tree that it replaces has seen, before it is made durable.
    pub fn remember_session(&mut self, number: Option<SessionNumber>) {
        if let Some(number) = number
            && self.newest_session.is_none_or(|newest| number.is_after(newest))
        {
            self.newest_session = Some(number);
        }
    }

    /// To be called for every session that is heard of.
    fn note_session(&mut self, id: i64) {
        let number = SessionNumber::of(id);
        if self.newest_session.is_none_or(|newest| number.is_some_and(|it| it.is_after(newest))) {
            self.newest_session = number;
        }
    }

    /// The committed sessions and their timeouts in ms, by id.
    pub fn sessions(&self) -> impl Iterator<Item = (i64, i32)> {
        self.sessions.iter().map(|(id, timeout)| (*id, *timeout))
    }

    /// Nodes, the root included once (Apache reports one more, for its two names).
    #[must_use]
    pub const fn node_count(&self) -> usize {
        self.nodes.live()
    }

    /// Lengths of all paths and all data, as `mntr` reports it: the root has the two names `` and `/`.
    #[must_use]
    pub const fn approximate_data_size(&self) -> u64 {
        self.data_size + 1
    }

    /// Ephemeral nodes.
    #[must_use]
    pub const fn ephemeral_count(&self) -> usize {
        self.owners.ephemeral_count()
    }

    /// Distinct ACLs in use, the open one not counted.
    #[must_use]
    pub const fn acl_count(&self) -> usize {
        self.acls.len()
    }

    /// The container nodes.
    pub fn containers(&self) -> impl Iterator<Item = NodeId> {
        self.owners.containers()
    }

    /// The nodes with a time to live.
    pub fn ttl_nodes(&self) -> impl Iterator<Item = NodeId> {
        self.owners.ttls()
    }

    /// The paths that the reaper should ask to delete at wall clock `now`: containers without children that
    /// had some, or that are older than `never_used` ms without ever having had one (0: never); TTL nodes
    /// without children whose time is over. Source: `org.apache.zookeeper.server.ContainerManager`.
    pub fn reapable(&self, now: i64, never_used: i64) -> impl Iterator<Item = String> {
        let container = move |id: &NodeId| {
            let node = self.nodes.get(*id);
            let idle = never_used > 0 && now.saturating_sub(node.mtime) > never_used;
            node.children == 0 && (node.cversion > 0 || idle)
        };
        let expired = move |id: &NodeId| {
            let node = self.nodes.get(*id);
            let age = now.saturating_sub(node.mtime);
            let over = matches!(self.owner(*id), Owner::Ttl(ttl) if ttl > 0 && age > ttl);
            node.children == 0 && over
        };
        let ids = self.containers().filter(container).chain(self.ttl_nodes().filter(expired));
        ids.map(|id| self.path(id))
    }

    /// The deepest active quota on or above a path; `None` also when one of its two nodes is missing.
    #[must_use]
    pub fn quota(&self, path: &str) -> Option<QuotaView> {
        let path = self.quotas.deepest(path)?;
        let limits = self.data(self.find(&quota::limits_path(path))?);
        let stats = StatsTrack::parse(self.data(self.find(&quota::stats_path(path))?));
        Some(QuotaView {
            path: path.to_owned(),
            limits: StatsTrack::parse(limits).limits(),
            count: stats.get("count"),
            bytes: stats.get("bytes"),
        })
    }

    /// An id that a loaded snapshot used for an ACL without containing it, if a node still has that ACL. Such a
    /// node permits nothing. Replaying the log that belongs to the snapshot mends it, so this means damage
    /// only afterwards.
    #[must_use]
    pub fn missing_acl(&self) -> Option<i64> {
        self.acls.missing()
    }

    fn empty(config: TreeConfig) -> Self {
        Self {
            config,
            nodes: Arena::new(),
            index: Index::new(config.hash_seed),
            acls: AclTable::new(config.hash_seed),
            owners: Owners::new(config.hash_seed),
            quotas: Quotas::default(),
            sessions: BTreeMap::new(),
            newest_session: None,
            last_zxid: Zxid::ZERO,
            digest: 0,
            out_of_digest: NodeId::NONE,
            digest_log: DigestLog::default(),
            data_size: 0,
            walks: Vec::new(),
            streams: 0,
        }
    }

    /// `/zookeeper/config`, readable by all, as if its ACL had been set with version -1.
    fn add_config_node(&mut self) {
        let stat = StatPersisted { aversion: -1, ..StatPersisted::default() };
        self.plant(apply::CONFIG, Some(b""), &[Acl::world(acl::READ)], &stat);
    }

    #[inline]
    fn stored_owner(&self, id: NodeId) -> i64 {
        if self.nodes.get(id).is_owned() { self.owners.get(id) } else { 0 }
    }

    fn path_or_empty(&self, id: NodeId) -> String {
        path_of(&self.nodes, id)
    }
}

impl NodeId {
    const ROOT: Self = Self(0);
    const NONE: Self = Self(u32::MAX);
}

/// The path; empty for the root.
fn path_of(nodes: &Arena, id: NodeId) -> String {
    let mut names = Vec::new();
    let mut at = id;
    while at != NodeId::ROOT {
        let node = nodes.get(at);
        names.push(node.name());
        at = node.parent;
    }
    let mut path = String::with_capacity(names.iter().map(|name| name.len() + 1).sum());
    for name in names.iter().rev() {
        path.push('/');
        path.push_str(name);
    }
    path
}

fn child_count(node: &Node) -> i32 {
    i32::try_from(node.children).unwrap_or(i32::MAX)
}
