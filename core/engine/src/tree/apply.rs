//! Applying transactions.
//!
//! A transaction says what the outcome is (the new version, the parent's new cversion); applying it checks
//! nothing. Where the tree does not fit, because a snapshot that Apache took while it was serving already holds
//! part of what follows, the rules of `DataTree#processTxn` make the replay converge: an existing node keeps
//! its stat, counters only rise, what is gone is not missed. In one place we do better: a deleted node takes
//! with it what such a snapshot shows below it, where Apache leaves orphans.

use super::node::Node;
use super::{NodeId, Tree, digest, quota};
use crate::tree::index::PathHash;
use quorate_wire::stat::Owner;
use quorate_wire::txn::{CreateBody, SetAclBody, SetDataBody, Txn, TxnHeader, TxnRecord};
use quorate_wire::{Acl, ErrorCode, Stat, StatPersisted, Zxid, path};

/// What a transaction did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing to report: deletions, sessions, checks.
    Done,
    /// The stat of the node that was created or changed.
    Node(Stat),
    /// The transaction is a refusal with this code, or did not fit the tree (only while replaying). In a
    /// refused multi, 0 marks the parts before the one that failed.
    Error(i32),
    /// The parts of a multi, in order.
    Multi(Vec<Self>),
}

/// Something that watches may be waiting for. Each is fired after the change it tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeEvent<'a> {
    /// A node was created.
    Created {
        /// Its path.
        path: &'a str,
        /// Its ACL.
        acl: &'a [Acl<'static>],
        /// Its parent's ACL.
        parent_acl: &'a [Acl<'static>],
    },
    /// A node was deleted, by whatever cause.
    Deleted {
        /// Its path.
        path: &'a str,
        /// The ACL it had.
        acl: &'a [Acl<'static>],
        /// Its parent's ACL.
        parent_acl: &'a [Acl<'static>],
    },
    /// A node's data was set.
    DataChanged {
        /// Its path.
        path: &'a str,
        /// Its ACL.
        acl: &'a [Acl<'static>],
    },
}

/// Who is told of changes while they are applied. `()` ignores them, for replay.
pub trait TreeObserver {
    /// Takes one event, in the order of the changes.
    fn fire(&mut self, event: TreeEvent<'_>);
}

impl TreeObserver for () {
    fn fire(&mut self, _: TreeEvent<'_>) {}
}

impl Tree {
    /// Applies the next transaction. Its time is independent of the size of the tree, except for closing a
    /// session (its ephemerals) and creating a quota (the nodes below).
    pub fn apply<O: TreeObserver>(&mut self, record: &TxnRecord<'_>, observer: &mut O) -> Outcome {
        let outcome = self.apply_txn(&record.header, &record.txn, observer);
        self.settle_digest();
        self.last_zxid = self.last_zxid.max(record.header.zxid);
        if self.config.digest {
            self.digest_log.note(record.header.zxid, self.digest);
        }
        outcome
    }

    fn apply_txn<O: TreeObserver>(
        &mut self,
        header: &TxnHeader,
        txn: &Txn<'_>,
        observer: &mut O,
    ) -> Outcome {
        match txn {
            Txn::CreateSession(timeout) => {
                self.sessions.insert(header.client_id, *timeout);
                self.note_session(header.client_id);
                Outcome::Done
            }
            Txn::CloseSession(paths) => {
                // One that had begun before a foreign snapshot is heard of for the first time.
                self.note_session(header.client_id);
                let listed = paths.iter().flatten().map(|path| &**path);
                self.close_session(header, listed, observer);
                Outcome::Done
            }
            Txn::Error(code) => Outcome::Error(*code),
            Txn::Create(body) | Txn::Create2(body) => {
                self.create(header, &Creation::of(body, header.client_id), observer)
            }
            Txn::CreateContainer(body) => {
                let (path, data, acl) = (&body.path, body.data, &body.acl);
                let parent_cversion = Some(body.parent_cversion);
                let owner = Owner::Container.stored();
                self.create(header, &Creation { path, data, acl, owner, parent_cversion }, observer)
            }
            Txn::CreateTtl(body) => {
                let (path, data, acl) = (&body.path, body.data, &body.acl);
                let parent_cversion = Some(body.parent_cversion);
                let owner = Owner::Ttl(body.ttl).stored();
                self.create(header, &Creation { path, data, acl, owner, parent_cversion }, observer)
            }
            Txn::Delete(path) | Txn::DeleteContainer(path) => {
                self.delete(path, header.zxid, observer)
            }
            Txn::SetData(body) | Txn::Reconfig(body) => self.set_data(header, body, observer),
            Txn::SetAcl(body) => self.set_acl(body),
            Txn::Check(..) => Outcome::Done,
            Txn::Multi(multi) => {
                let failed = multi.failed();
                let mut broken = false;
                let part = |txn: &Txn<'_>| match txn {
                    Txn::Error(code) => {
                        broken = true;
                        Outcome::Error(*code)
                    }
                    _ if broken => Outcome::Error(ErrorCode::RuntimeInconsistency.code()),
                    _ if failed => Outcome::Error(0),
                    txn => self.apply_txn(header, txn, observer),
                };
                Outcome::Multi(multi.parts.iter().map(|sub| &sub.txn).map(part).collect())
            }
        }
    }

    fn create<O: TreeObserver>(
        &mut self,
        header: &TxnHeader,
        new: &Creation<'_>,
        observer: &mut O,
    ) -> Outcome {
        let zxid = header.zxid.0;
        let Some((parent_path, name)) = split(new.path) else { return NO_NODE };
        let Some(parent) = self.find(parent_path) else { return NO_NODE };
        let hash = self.index.hash(new.path);
        let acl = self.acls.acquire(new.acl);
        if let Some(id) = self.index.find(&self.nodes, hash, new.path) {
            self.replace_acl(id, acl);
            self.raise_cversion(parent, parent_path, new.parent_cversion, zxid);
            return Outcome::Error(ErrorCode::NodeExists.code());
        }
        let stat = StatPersisted {
            czxid: zxid,
            mzxid: zxid,
            ctime: header.time,
            mtime: header.time,
            ephemeral_owner: new.owner,
            pzxid: zxid,
            ..StatPersisted::default()
        };
        let place = Place { path: new.path, name, hash, parent };
        let sums = Sums::of(self.config.digest, new.path, new.data, &stat);
        let Some(id) = self.insert(&place, new.data, acl, &stat, sums) else {
            self.acls.release(acl);
            return Outcome::Error(ErrorCode::SystemError.code());
        };
        self.raise_cversion(parent, parent_path, new.parent_cversion, zxid);
        // What clients get is the stat before the totals are written into a stats node, as in Apache.
        let stat = self.stat(id);
        if let Some(governed) = quota::governed(parent_path) {
            match name {
                quota::LIMITS => self.quotas.activate(governed),
                quota::STATS => self.recount(governed),
                _ => {}
            }
        }
        self.charge(new.path, 1, signed_len(new.data));
        let parent_acl = self.acls.get(self.nodes.get(parent).acl);
        observer.fire(TreeEvent::Created { path: new.path, acl: self.acls.get(acl), parent_acl });
        Outcome::Node(stat)
    }

    fn delete<O: TreeObserver>(&mut self, path: &str, zxid: Zxid, observer: &mut O) -> Outcome {
        let Some((parent_path, _)) = split(path) else { return NO_NODE };
        let Some(parent) = self.find(parent_path) else { return NO_NODE };
        if zxid.0 > self.nodes.get(parent).pzxid {
            self.change(parent, parent_path, |node| node.pzxid = zxid.0);
        }
        let hash = self.index.hash(path);
        let Some(id) = self.index.find(&self.nodes, hash, path) else { return NO_NODE };
        if self.nodes.get(id).children > 0 {
            self.remove_below(id);
        }
        let acl = self.remove(id, path, hash);
        let parent_acl = self.acls.get(self.nodes.get(parent).acl);
        observer.fire(TreeEvent::Deleted { path, acl: self.acls.get(acl), parent_acl });
        self.acls.release(acl);
        Outcome::Done
    }

    /// Only a snapshot of a changing tree can show nodes below one that is deleted: they are from the
    /// future, and the log will bring them back.
    fn remove_below(&mut self, top: NodeId) {
        let below: Vec<_> = self.nodes.below(top).collect();
        for id in below.into_iter().rev() {
            let path = self.path_or_empty(id);
            let acl = self.remove(id, &path, self.index.hash(&path));
            self.acls.release(acl);
        }
    }

    /// Puts a configuration into `/zookeeper/config` without a transaction: every server has its own there until a
    /// reconfiguration is applied. The node counts in no digest. Source: `ZKDatabase#initConfigInZKDatabase`.
    pub fn set_config(&mut self, text: &str, version: Zxid, time: i64) {
        let held = self.find(CONFIG).map(|id| (self.data(id), self.stat(id).mzxid));
        if held == Some((Some(text.as_bytes()), version.0)) {
            return;
        }
        let header = TxnHeader { client_id: 0, cxid: 0, zxid: version, time, kind: 0 };
        let data = Some(text.as_bytes());
        let body = SetDataBody { path: CONFIG.into(), data, version: -1 };
        self.set_data(&header, &body, &mut ());
    }

    fn set_data<O: TreeObserver>(
        &mut self,
        header: &TxnHeader,
        body: &SetDataBody<'_>,
        observer: &mut O,
    ) -> Outcome {
        let path = canonical(&body.path);
        let Some(id) = self.find(path) else { return NO_NODE };
        let more = signed_len(body.data) - signed_len(self.data(id));
        let crc = if self.config.digest { digest::prefix(path, body.data) } else { 0 };
        self.change(id, path, |node| {
            node.set_data(body.data);
            node.crc = crc;
            node.version = body.version;
            node.mzxid = header.zxid.0;
            node.mtime = header.time;
        });
        self.data_size = self.data_size.wrapping_add_signed(more);
        let stat = self.stat(id);
        self.charge(path, 0, more);
        let acl = self.acls.get(self.nodes.get(id).acl);
        observer.fire(TreeEvent::DataChanged { path: &body.path, acl });
        Outcome::Node(stat)
    }

    fn set_acl(&mut self, body: &SetAclBody<'_>) -> Outcome {
        let path = canonical(&body.path);
        let Some(id) = self.find(path) else { return NO_NODE };
        let acl = self.acls.acquire(&body.acl);
        self.replace_acl(id, acl);
        self.change(id, path, |node| node.aversion = body.version);
        Outcome::Node(self.stat(id))
    }

    /// Deletes the listed nodes, whoever owns them, then what else the session owns, by path.
    fn close_session<'p, O: TreeObserver>(
        &mut self,
        header: &TxnHeader,
        listed: impl Iterator<Item = &'p str>,
        observer: &mut O,
    ) {
        self.sessions.remove(&header.client_id);
        for path in listed {
            self.delete(path, header.zxid, observer);
        }
        for path in self.ephemerals(header.client_id) {
            self.delete(&path, header.zxid, observer);
        }
    }

    fn replace_acl(&mut self, id: NodeId, acl: u32) {
        self.touch(id);
        let old = std::mem::replace(&mut self.nodes.get_mut(id).acl, acl);
        self.acls.release(old);
    }

    /// The parent's part of a creation. The counter never falls; -1 or nothing means one more.
    fn raise_cversion(&mut self, id: NodeId, path: &str, to: Option<i32>, zxid: i64) {
        let now = self.nodes.get(id).cversion;
        let to = to.filter(|to| *to != -1).unwrap_or_else(|| now.wrapping_add(1));
        if to > now {
            self.change(id, path, |node| (node.cversion, node.pzxid) = (to, zxid));
        }
    }

    /// Changes what the digest covers.
    #[inline]
    pub(super) fn change(&mut self, id: NodeId, path: &str, change: impl FnOnce(&mut Node)) {
        self.touch(id);
        if self.config.digest && digest::counts(path) && self.out_of_digest != id {
            self.settle_digest();
            self.digest = self.digest.wrapping_sub(self.digest_of(id));
            self.out_of_digest = id;
        }
        change(self.nodes.get_mut(id));
    }

    /// Adds what the node that changes adds to the digest. Waiting with that spares a transaction that creates many children of
    /// one node a hundred looks at that node.
    pub(super) fn settle_digest(&mut self) {
        let id = std::mem::replace(&mut self.out_of_digest, NodeId::NONE);
        if id != NodeId::NONE {
            self.digest = self.digest.wrapping_add(self.digest_of(id));
        }
    }

    fn digest_of(&self, id: NodeId) -> u64 {
        let node = self.nodes.get(id);
        digest::of_node(node.crc, &node.persisted(self.stored_owner(id)))
    }

    /// Adds a node that is not there; `None` when no more fit.
    pub(super) fn insert(
        &mut self,
        place: &Place<'_>,
        data: Option<&[u8]>,
        acl: u32,
        stat: &StatPersisted,
        sums: Sums,
    ) -> Option<NodeId> {
        let mut node = Node::new(place.name, data, stat)?;
        node.acl = acl;
        node.tag = place.hash.tag;
        node.crc = sums.prefix;
        self.digest = self.digest.wrapping_add(sums.digest);
        let id = self.nodes.insert(node)?;
        self.born(id);
        if id != NodeId::ROOT {
            self.nodes.link(place.parent, id);
            self.index.insert(&self.nodes, place.hash, id);
        }
        if stat.ephemeral_owner != 0 && self.owners.insert(id, stat.ephemeral_owner) {
            self.nodes.get_mut(id).set_owned();
        }
        self.data_size += size(place.path, data);
        Some(id)
    }

    /// Takes a node without children out. Returns its ACL, which the caller releases.
    fn remove(&mut self, id: NodeId, path: &str, hash: PathHash) -> u32 {
        self.touch(id);
        self.settle_digest();
        if self.config.digest && digest::counts(path) {
            self.digest = self.digest.wrapping_sub(self.digest_of(id));
        }
        let node = self.nodes.get(id);
        let acl = node.acl;
        let bytes = signed_len(node.data());
        self.data_size -= size(path, node.data());
        self.owners.remove(id);
        self.index.remove(hash, id);
        self.nodes.unlink(id);
        self.nodes.remove(id);
        if let Some((parent, quota::LIMITS)) = split(path)
            && let Some(governed) = quota::governed(parent)
        {
            self.quotas.deactivate(governed);
        }
        self.charge(path, -1, -bytes);
        acl
    }
}

/// What a new node adds to the digest, and what it keeps of that. Zeros when no digest is kept.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    prefix: u32,
    digest: u64,
}

impl Sums {
    pub(super) fn of(keep: bool, path: &str, data: Option<&[u8]>, stat: &StatPersisted) -> Self {
        if !keep {
            return Self::default();
        }
        let (prefix, digest) = digest::of_new(path, data, stat);
        Self { prefix, digest: if digest::counts(path) { digest } else { 0 } }
    }
}

/// Where a node belongs.
pub(super) struct Place<'a> {
    pub(super) path: &'a str,
    pub(super) name: &'a str,
    pub(super) hash: PathHash,
    /// [`NodeId::NONE`] for the root.
    pub(super) parent: NodeId,
}

/// What all kinds of create have in common.
struct Creation<'a> {
    path: &'a str,
    data: Option<&'a [u8]>,
    acl: &'a [Acl<'a>],
    owner: i64,
    parent_cversion: Option<i32>,
}

impl<'a> Creation<'a> {
    fn of(body: &'a CreateBody<'_>, session: i64) -> Self {
        Self {
            path: &body.path,
            data: body.data,
            acl: &body.acl,
            owner: if body.ephemeral { session } else { 0 },
            parent_cversion: body.parent_cversion,
        }
    }
}

/// Parent and name. `None` for the root and for what can be no node's path, because the parent, though it can
/// be found, has another name for itself (`//a`) or the name is empty.
pub(super) fn split(path: &str) -> Option<(&str, &str)> {
    path::split(path).filter(|(parent, name)| *parent != "/" && !name.is_empty())
}

/// The path that the digest of the root is made of is the empty one.
fn canonical(path: &str) -> &str {
    if path == "/" { "" } else { path }
}

/// What a node adds to the approximate data size: Java's length of its path, and its data.
fn size(path: &str, data: Option<&[u8]>) -> u64 {
    let path = if path.is_ascii() { path.len() } else { path.encode_utf16().count() };
    u64::try_from(path + data.unwrap_or_default().len()).unwrap_or(u64::MAX)
}

pub(super) fn signed_len(data: Option<&[u8]>) -> i64 {
    i64::try_from(data.unwrap_or_default().len()).unwrap_or(i64::MAX)
}

/// Where the ensemble's configuration stands.
pub(super) const CONFIG: &str = "/zookeeper/config";
const NO_NODE: Outcome = Outcome::Error(ErrorCode::NoNode.code());
