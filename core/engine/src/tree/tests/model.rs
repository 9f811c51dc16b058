//! A tree that is obviously right: one sorted map from path to node, everything else found by searching it.

use quorate_wire::txn::{CreateBody, Txn, TxnHeader, TxnRecord};
use quorate_wire::{Acl, StatPersisted};
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub(super) struct ModelNode {
    pub(super) data: Option<Vec<u8>>,
    pub(super) acl: Vec<Acl<'static>>,
    pub(super) stat: StatPersisted,
}

/// The root's path is empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) nodes: BTreeMap<String, ModelNode>,
    pub(super) sessions: BTreeMap<i64, i32>,
    pub(super) zxid: i64,
    /// What watches were told, since the caller emptied it.
    pub(super) events: Vec<String>,
}

pub(super) fn parent(path: &str) -> &str {
    &path[..path.rfind('/').unwrap_or(0)]
}

fn is_below(path: &str, top: &str) -> bool {
    path.strip_prefix(top).is_some_and(|rest| rest.starts_with('/'))
}

impl Model {
    pub(super) fn new() -> Self {
        let mut model = Self::default();
        for path in ["", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"] {
            let config = path.ends_with("config");
            let acl = vec![Acl::world(if config { 1 } else { 31 })];
            let aversion = if config { -1 } else { 0 };
            let stat = StatPersisted { aversion, ..StatPersisted::default() };
            model.nodes.insert(path.to_owned(), ModelNode { data: Some(vec![]), acl, stat });
        }
        model
    }

    pub(super) fn children(&self, path: &str) -> Vec<String> {
        self.nodes.keys().filter(|p| !p.is_empty() && parent(p) == path).cloned().collect()
    }

    pub(super) fn digest(&self) -> u64 {
        self.nodes.iter().filter(|(path, _)| !path.starts_with("/zookeeper/")).fold(
            0,
            |sum, (p, n)| {
                let mut bytes = p.clone().into_bytes();
                bytes.extend(n.data.iter().flatten());
                let s = &n.stat;
                for long in [s.czxid, s.mzxid, s.pzxid, s.ctime, s.mtime] {
                    bytes.extend(long.to_be_bytes());
                }
                for int in [s.version, s.cversion, s.aversion] {
                    bytes.extend(int.to_be_bytes());
                }
                bytes.extend(s.ephemeral_owner.to_be_bytes());
                u64::wrapping_add(sum, crc32fast::hash(&bytes).into())
            },
        )
    }

    pub(super) fn apply(&mut self, record: &TxnRecord<'static>) {
        self.apply_one(&record.header, &record.txn);
        self.zxid = self.zxid.max(record.header.zxid.0);
    }

    pub(super) fn apply_one(&mut self, header: &TxnHeader, txn: &Txn<'static>) {
        let zxid = header.zxid.0;
        match txn {
            Txn::CreateSession(timeout) => _ = self.sessions.insert(header.client_id, *timeout),
            Txn::CloseSession(paths) => {
                self.sessions.remove(&header.client_id);
                let listed: Vec<_> = paths.iter().flatten().map(|p| p.to_string()).collect();
                listed.iter().for_each(|path| self.delete(path, zxid));
                let owned = |n: &ModelNode| n.stat.ephemeral_owner == header.client_id;
                let all = self.nodes.iter().filter(|(_, n)| owned(n)).map(|(p, _)| p.clone());
                let rest: Vec<_> = all.collect();
                rest.iter().for_each(|path| self.delete(path, zxid));
            }
            Txn::Create(body) | Txn::Create2(body) => {
                let owner = if body.ephemeral { header.client_id } else { 0 };
                self.create(header, body, owner);
            }
            Txn::CreateContainer(b) => {
                let (path, data, acl) = (b.path.clone(), b.data, b.acl.clone());
                let parent_cversion = Some(b.parent_cversion);
                let body = CreateBody { path, data, acl, ephemeral: false, parent_cversion };
                self.create(header, &body, i64::MIN);
            }
            Txn::CreateTtl(b) => {
                let (path, data, acl) = (b.path.clone(), b.data, b.acl.clone());
                let parent_cversion = Some(b.parent_cversion);
                let body = CreateBody { path, data, acl, ephemeral: false, parent_cversion };
                self.create(header, &body, (0xFF << 56) | b.ttl);
            }
            Txn::Delete(path) | Txn::DeleteContainer(path) => self.delete(path, zxid),
            Txn::SetData(body) | Txn::Reconfig(body) => {
                let Some(node) = self.nodes.get_mut(&*body.path) else { return };
                let more = len(body.data) - len(node.data.as_deref());
                node.data = body.data.map(<[u8]>::to_vec);
                (node.stat.version, node.stat.mzxid, node.stat.mtime) =
                    (body.version, zxid, header.time);
                self.events.push(format!("changed {} {:?}", body.path, node.acl));
                self.charge(&body.path, 0, more);
            }
            Txn::SetAcl(body) => {
                let Some(node) = self.nodes.get_mut(&*body.path) else { return };
                (node.acl, node.stat.aversion) = (body.acl.to_vec(), body.version);
            }
            Txn::Multi(multi) if !multi.failed() => {
                multi.parts.iter().for_each(|part| self.apply_one(header, &part.txn));
            }
            Txn::Multi(_) | Txn::Error(_) | Txn::Check(..) => {}
        }
    }

    fn create(&mut self, header: &TxnHeader, body: &CreateBody<'static>, owner: i64) {
        let (path, zxid, time) = (body.path.to_string(), header.zxid.0, header.time);
        let exists = self.nodes.contains_key(&path);
        let Some(above) = self.nodes.get_mut(parent(&path)) else { return };
        let cversion = match body.parent_cversion {
            None | Some(-1) => above.stat.cversion + 1,
            Some(cversion) => cversion,
        };
        if cversion > above.stat.cversion {
            (above.stat.cversion, above.stat.pzxid) = (cversion, zxid);
        }
        let parent_acl = above.acl.clone();
        if exists {
            self.nodes.get_mut(&path).unwrap().acl = body.acl.to_vec();
            return;
        }
        let stat = StatPersisted {
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: time,
            mtime: time,
            ephemeral_owner: owner,
            ..StatPersisted::default()
        };
        let data = body.data.map(<[u8]>::to_vec);
        self.events.push(format!("created {path} {:?} {parent_acl:?}", &*body.acl));
        self.nodes.insert(path.clone(), ModelNode { data, acl: body.acl.to_vec(), stat });
        if let Some(top) = governed(&path, "zookeeper_stats") {
            let inside = self.nodes.iter().filter(|(p, _)| **p == top || is_below(p, &top));
            let (mut count, mut bytes) = (0, 0);
            inside.for_each(|(_, n)| (count, bytes) = (count + 1, bytes + len(n.data.as_deref())));
            let text = format!("count={count},bytes={bytes}");
            self.nodes.get_mut(&path).unwrap().data = Some(text.into_bytes());
        }
        self.charge(&path, 1, len(body.data));
    }

    fn delete(&mut self, path: &str, zxid: i64) {
        let Some(above) = self.nodes.get_mut(parent(path)) else { return };
        above.stat.pzxid = above.stat.pzxid.max(zxid);
        let parent_acl = above.acl.clone();
        let Some(node) = self.nodes.get(path).cloned() else { return };
        let gone = self.nodes.keys().filter(|p| *p == path || is_below(p, path));
        let gone: Vec<_> = gone.cloned().collect();
        for path in gone.iter().rev() {
            let node = self.nodes.remove(path).unwrap();
            self.charge(path, -1, -len(node.data.as_deref()));
        }
        self.events.push(format!("deleted {path} {:?} {parent_acl:?}", node.acl));
    }

    /// A quota is active exactly while its limits node is there.
    fn charge(&mut self, path: &str, count: i64, bytes: i64) {
        let has_quota = |top: &&str| {
            self.nodes.contains_key(&format!("/zookeeper/quota{top}/zookeeper_limits"))
        };
        let mut tops = std::iter::successors(Some(path), |p| Some(parent(p))).take(10);
        let top = tops.find(|p| !p.is_empty() && has_quota(p));
        let Some(top) = top else { return };
        let Some(node) = self.nodes.get_mut(&format!("/zookeeper/quota{top}/zookeeper_stats"))
        else {
            return;
        };
        let text = String::from_utf8(node.data.clone().unwrap_or_default()).unwrap();
        let value = |key: &str| {
            let pair = text.split(',').find_map(|pair| pair.strip_prefix(key));
            pair.map_or(-1, |value| value.parse::<i64>().unwrap())
        };
        let text = format!("count={},bytes={}", value("count=") + count, value("bytes=") + bytes);
        node.data = Some(text.into_bytes());
    }
}

fn governed(path: &str, name: &str) -> Option<String> {
    let top = path.strip_prefix("/zookeeper/quota")?.strip_suffix(name)?.strip_suffix('/')?;
    (!top.is_empty()).then(|| top.to_owned())
}

fn len(data: Option<&[u8]>) -> i64 {
    data.map_or(0, |data| i64::try_from(data.len()).unwrap())
}
