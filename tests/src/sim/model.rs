//! A tree that is obviously right, at every zxid: one sorted map from path to the versions of a node.
//!
//! It applies transactions as naively as possible and forgets nothing, so that a reply can be compared with the state
//! that it claims to be of. The root's path is `/` here.

use quorate_wire::op::OpCode;
use quorate_wire::op::create::{Create2Response, CreateResponse};
use quorate_wire::op::multi::MultiParts;
use quorate_wire::op::multi_result::{MultiResponse, MultiResult};
use quorate_wire::stat::{CONTAINER_OWNER, Owner};
use quorate_wire::txn::{Txn, TxnHeader};
use quorate_wire::{Acl, ErrorCode, Jute, Stat, StatPersisted, acl};
use std::collections::BTreeMap;
use std::rc::Rc;

/// One version of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The data; `None` is null.
    pub data: Option<Vec<u8>>,
    /// The ACL.
    pub acl: Vec<Acl<'static>>,
    /// The stat, as snapshots hold it.
    pub stat: StatPersisted,
    /// How many children there are.
    pub children: i32,
}

/// What happened to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It was created.
    Created,
    /// It was deleted.
    Deleted,
    /// Its data was set.
    Changed,
}

/// A change that watches may wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub kind: Kind,
    /// The node.
    pub path: String,
}

/// The versions of a node with the zxids they began at; `None` is its absence.
type Versions = Vec<(i64, Option<Rc<Node>>)>;

/// All states so far.
#[derive(Debug)]
pub struct Model {
    nodes: BTreeMap<String, Versions>,
    /// The open sessions and their timeouts, now.
    pub sessions: BTreeMap<i64, i32>,
    /// The last transaction.
    pub zxid: i64,
    /// The changes of the transaction at hand.
    pub changes: Vec<Change>,
    touched: Vec<String>,
}

impl Default for Model {
    fn default() -> Self {
        let mut model = Self {
            nodes: BTreeMap::new(),
            sessions: BTreeMap::new(),
            zxid: 0,
            changes: Vec::new(),
            touched: Vec::new(),
        };
        for path in ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"] {
            let config = path.ends_with("config");
            let acl = vec![Acl::world(if config { acl::READ } else { acl::ALL })];
            let aversion = if config { -1 } else { 0 };
            let children = match path {
                "/" => 1,
                "/zookeeper" => 2,
                _ => 0,
            };
            let stat = StatPersisted { aversion, ..StatPersisted::default() };
            let node = Node { data: Some(Vec::new()), acl, stat, children };
            model.nodes.insert(path.to_owned(), vec![(0, Some(Rc::new(node)))]);
        }
        model
    }
}

impl Node {
    /// The stat that clients see.
    #[must_use]
    pub fn wire(&self) -> Stat {
        let len = self.data.as_ref().map_or(0, Vec::len);
        self.stat.to_wire(i32::try_from(len).unwrap_or(i32::MAX), self.children)
    }
}

impl Model {
    /// The node of a path now.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Rc<Node>> {
        self.nodes.get(path)?.last()?.1.as_ref()
    }

    /// The node of a path after the transaction `zxid`.
    #[must_use]
    pub fn at(&self, path: &str, zxid: i64) -> Option<&Rc<Node>> {
        version(self.nodes.get(path)?, zxid)
    }

    /// Every node there was after `zxid`.
    pub fn all(&self, zxid: i64) -> impl Iterator<Item = (&str, &Rc<Node>)> {
        let there = move |(path, versions)| Some((path, version(versions, zxid)?));
        self.nodes.iter().map(|(path, versions)| (path.as_str(), versions)).filter_map(there)
    }

    /// The names of the children of a node after `zxid`, sorted.
    #[must_use]
    pub fn children(&self, path: &str, zxid: i64) -> Vec<String> {
        let inside = self.all(zxid).filter(|(p, _)| *p != "/" && parent(p) == path);
        inside.map(|(p, _)| quorate_wire::path::name(p).to_owned()).collect()
    }

    /// The paths of a session's ephemerals after `zxid`, sorted.
    #[must_use]
    pub fn ephemerals(&self, session: i64, zxid: i64) -> Vec<String> {
        let owned = self.all(zxid).filter(|(_, node)| node.stat.ephemeral_owner == session);
        owned.map(|(path, _)| path.to_owned()).collect()
    }

    /// Takes back what was applied with the transaction at hand.
    pub fn roll_back(&mut self, zxid: i64) {
        for path in std::mem::take(&mut self.touched) {
            if let Some(versions) = self.nodes.get_mut(&path) {
                versions.retain(|(at, _)| *at < zxid);
                if versions.is_empty() {
                    self.nodes.remove(&path);
                }
            }
        }
        self.changes.clear();
    }

    /// Applies a whole transaction. Returns the error and the body of the reply to the request that it came from.
    pub fn apply(
        &mut self,
        header: &TxnHeader,
        txn: &Txn<'_>,
        asked: Option<(OpCode, &[u8])>,
    ) -> (i32, Vec<u8>) {
        self.changes.clear();
        self.touched.clear();
        let reply = match txn {
            Txn::Error(code) => (*code, Vec::new()),
            Txn::Multi(multi) => {
                let failed = multi.failed();
                let mut broken = false;
                let ops = MultiParts::new(asked.map_or(&[], |(_, body)| body));
                let ops = ops.map(|part| part.map_or(OpCode::Multi, |part| part.op()));
                let parts = multi.parts.iter().zip(ops);
                let results = parts.map(|(part, op)| match &part.txn {
                    Txn::Error(code) => {
                        broken = true;
                        MultiResult::Error(*code)
                    }
                    _ if broken => MultiResult::Error(ErrorCode::RuntimeInconsistency.code()),
                    _ if failed => MultiResult::Error(0),
                    txn => {
                        let stat = self.apply_part(header, txn);
                        result(txn, op, stat)
                    }
                });
                let results = results.collect();
                (0, MultiResponse { results }.to_bytes())
            }
            txn => {
                let stat = self.apply_part(header, txn);
                (0, body(txn, asked.map(|(op, _)| op), stat))
            }
        };
        self.zxid = header.zxid.0;
        reply
    }

    /// Applies a transaction of which nobody knows what was asked for.
    pub fn take_over(&mut self, header: &TxnHeader, txn: &Txn<'_>) {
        self.changes.clear();
        self.touched.clear();
        match txn {
            Txn::Multi(multi) if multi.failed() => {}
            Txn::Multi(multi) => {
                for part in &multi.parts {
                    self.apply_part(header, &part.txn);
                }
            }
            txn => _ = self.apply_part(header, txn),
        }
        self.zxid = header.zxid.0;
    }

    /// Applies one change. Returns the stat of its node, where the reply has it.
    pub fn apply_part(&mut self, header: &TxnHeader, txn: &Txn<'_>) -> Stat {
        let zxid = header.zxid.0;
        match txn {
            Txn::CreateSession(timeout) => _ = self.sessions.insert(header.client_id, *timeout),
            Txn::CloseSession(_) => {
                self.sessions.remove(&header.client_id);
                for path in self.ephemerals(header.client_id, zxid) {
                    self.delete(&path, zxid);
                }
            }
            Txn::Create(b) | Txn::Create2(b) => {
                let owner = if b.ephemeral { header.client_id } else { 0 };
                return self.create(header, &b.path, b.data, &b.acl, owner);
            }
            Txn::CreateContainer(b) => {
                return self.create(header, &b.path, b.data, &b.acl, CONTAINER_OWNER);
            }
            Txn::CreateTtl(b) => {
                return self.create(header, &b.path, b.data, &b.acl, Owner::Ttl(b.ttl).stored());
            }
            Txn::Delete(path) | Txn::DeleteContainer(path) => self.delete(path, zxid),
            Txn::SetData(b) => {
                return self.update(&b.path, zxid, Some(Kind::Changed), |node| {
                    node.data = b.data.map(<[u8]>::to_vec);
                    node.stat.version += 1;
                    (node.stat.mzxid, node.stat.mtime) = (zxid, header.time);
                });
            }
            Txn::SetAcl(b) => {
                return self.update(&b.path, zxid, None, |node| {
                    node.acl = b.acl.iter().cloned().map(Acl::into_owned).collect();
                    node.stat.aversion += 1;
                });
            }
            _ => {}
        }
        Stat::default()
    }

    fn create(
        &mut self,
        header: &TxnHeader,
        path: &str,
        data: Option<&[u8]>,
        acl: &[Acl<'_>],
        owner: i64,
    ) -> Stat {
        let zxid = header.zxid.0;
        self.update(parent(path), zxid, None, |node| {
            node.children += 1;
            node.stat.cversion += 1;
            node.stat.pzxid = zxid;
        });
        let stat = StatPersisted {
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: header.time,
            mtime: header.time,
            ephemeral_owner: owner,
            ..StatPersisted::default()
        };
        let acl = acl.iter().cloned().map(Acl::into_owned).collect();
        let node = Node { data: data.map(<[u8]>::to_vec), acl, stat, children: 0 };
        let wire = node.wire();
        self.put(path, zxid, Some(node));
        self.changes.push(Change { kind: Kind::Created, path: path.to_owned() });
        wire
    }

    fn delete(&mut self, path: &str, zxid: i64) {
        self.update(parent(path), zxid, None, |node| {
            node.children -= 1;
            node.stat.pzxid = zxid;
        });
        self.put(path, zxid, None);
        self.changes.push(Change { kind: Kind::Deleted, path: path.to_owned() });
    }

    fn update(
        &mut self,
        path: &str,
        zxid: i64,
        kind: Option<Kind>,
        change: impl FnOnce(&mut Node),
    ) -> Stat {
        let Some(node) = self.get(path) else { return Stat::default() };
        let mut node = Node::clone(node);
        change(&mut node);
        let wire = node.wire();
        self.put(path, zxid, Some(node));
        self.changes.extend(kind.map(|kind| Change { kind, path: path.to_owned() }));
        wire
    }

    fn put(&mut self, path: &str, zxid: i64, node: Option<Node>) {
        self.touched.push(path.to_owned());
        let versions = self.nodes.entry(path.to_owned()).or_default();
        let node = node.map(Rc::new);
        match versions.last_mut() {
            Some((at, last)) if *at == zxid => *last = node,
            _ => versions.push((zxid, node)),
        }
    }

    /// The nodes that the transaction at hand changed.
    #[must_use]
    pub fn touched(&self) -> &[String] {
        &self.touched
    }
}

fn version(versions: &Versions, zxid: i64) -> Option<&Rc<Node>> {
    let after = versions.partition_point(|(at, _)| *at <= zxid);
    versions.get(after.checked_sub(1)?)?.1.as_ref()
}

/// The path of the parent; `/` for the nodes at the top.
#[must_use]
pub fn parent(path: &str) -> &str {
    match quorate_wire::path::parent(path) {
        "" => "/",
        parent => parent,
    }
}

/// The path that a transaction creates.
fn created<'a>(txn: &'a Txn<'_>) -> Option<&'a str> {
    match txn {
        Txn::Create(b) | Txn::Create2(b) => Some(&b.path),
        Txn::CreateContainer(b) => Some(&b.path),
        Txn::CreateTtl(b) => Some(&b.path),
        _ => None,
    }
}

fn body(txn: &Txn<'_>, op: Option<OpCode>, stat: Stat) -> Vec<u8> {
    match (created(txn), txn) {
        (Some(path), Txn::Create(_)) if op == Some(OpCode::Create) => {
            CreateResponse { path: path.into() }.to_bytes()
        }
        (Some(path), _) => Create2Response { path: path.into(), stat }.to_bytes(),
        (None, Txn::SetData(_) | Txn::SetAcl(_)) => stat.to_bytes(),
        _ => Vec::new(),
    }
}

fn result<'a>(txn: &'a Txn<'_>, op: OpCode, stat: Stat) -> MultiResult<'a> {
    match (created(txn), txn) {
        (Some(path), Txn::Create(_)) if op == OpCode::Create => {
            MultiResult::Create(CreateResponse { path: path.into() })
        }
        (Some(path), _) => MultiResult::Create2(Create2Response { path: path.into(), stat }),
        (None, Txn::SetData(_)) => MultiResult::SetData(stat),
        (None, Txn::Delete(_)) => MultiResult::Delete,
        _ => MultiResult::Check,
    }
}
