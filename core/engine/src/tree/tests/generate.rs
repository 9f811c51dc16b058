//! Random transactions: what a server could have logged, or, in wild mode, anything that can be decoded.

use super::model::{Model, parent};
use quorate_wire::txn::*;
use quorate_wire::{Acl, Id, Zxid};
use std::borrow::Cow;

/// SplitMix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % n as u64).unwrap()
    }

    pub(super) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// Makes transactions that follow on each other; `model` is the state they are made for.
pub(super) struct Generator {
    pub(super) random: Random,
    pub(super) model: Model,
    /// Ignore what the tree holds.
    pub(super) wild: bool,
    /// Whether quotas come and go.
    pub(super) quotas: bool,
    next_session: i64,
    zxid: i64,
}

impl Generator {
    pub(super) fn new(seed: u64, wild: bool, quotas: bool) -> Self {
        let (random, model) = (Random(seed), Model::new());
        Self { random, model, wild, quotas, next_session: 0x0100_0000_0000_0000, zxid: 1 << 32 }
    }

    /// The next transaction, already applied to the model.
    pub(super) fn next(&mut self) -> TxnRecord<'static> {
        self.zxid += 1;
        let (txn, client_id) = self.txn();
        let header = self.header(client_id, txn.kind());
        let record = TxnRecord { header, txn, digest: None };
        self.model.apply(&record);
        record
    }

    fn header(&self, client_id: i64, kind: i32) -> TxnHeader {
        TxnHeader { client_id, cxid: 1, zxid: Zxid(self.zxid), time: self.zxid * 3, kind }
    }

    fn txn(&mut self) -> (Txn<'static>, i64) {
        let session = self.session();
        match self.random.below(20) {
            0 => {
                self.next_session += 1;
                (Txn::CreateSession(10_000), self.next_session)
            }
            1 if session != 0 => (self.close(session), session),
            2 => (Txn::Error(-101), session),
            3..6 => (self.multi(session), session),
            _ => (self.simple(session), session),
        }
    }

    /// A living session, or 0.
    fn session(&mut self) -> i64 {
        let living: Vec<_> = self.model.sessions.keys().copied().collect();
        if living.is_empty() { 0 } else { *self.random.pick(&living) }
    }

    fn close(&mut self, session: i64) -> Txn<'static> {
        if self.wild && self.random.one_in(3) {
            return Txn::CloseSession(None);
        }
        let nodes = self.model.nodes.iter().filter(|(_, n)| n.stat.ephemeral_owner == session);
        let mut paths: Vec<Cow<'static, str>> = nodes.map(|(p, _)| p.clone().into()).collect();
        if self.wild {
            paths.truncate(1);
            paths.push(self.path(4).into());
        }
        Txn::CloseSession(Some(paths))
    }

    fn multi(&mut self, session: i64) -> Txn<'static> {
        let saved = self.model.clone();
        let mut parts = Vec::new();
        for _ in 0..self.random.below(5) {
            let txn = self.simple(session);
            self.model.apply_one(&self.header(session, txn.kind()), &txn);
            parts.push(SubTxn { txn });
        }
        self.model = saved;
        if self.random.one_in(5) {
            let at = self.random.below(parts.len() + 1);
            parts.truncate(at);
            parts.push(SubTxn { txn: Txn::Error(-103) });
            parts.push(SubTxn { txn: Txn::Error(-2) });
        }
        Txn::Multi(MultiTxn { parts })
    }

    fn simple(&mut self, session: i64) -> Txn<'static> {
        if self.quotas && self.random.one_in(8) {
            return self.quota();
        }
        match self.random.below(10) {
            0..4 => self.create(session).unwrap_or(Txn::Error(-110)),
            4..6 => self.delete().unwrap_or(Txn::Error(-111)),
            6..8 => {
                let path = self.target();
                let version = self.model.nodes.get(&path).map_or(3, |n| n.stat.version + 1);
                Txn::SetData(SetDataBody { path: path.into(), data: self.data(), version })
            }
            8 => {
                let path = self.target();
                let version = self.model.nodes.get(&path).map_or(3, |n| n.stat.aversion + 1);
                Txn::SetAcl(SetAclBody { path: path.into(), acl: self.acl().into(), version })
            }
            _ => Txn::Check(self.target().into(), -1),
        }
    }

    fn create(&mut self, session: i64) -> Option<Txn<'static>> {
        let path = self.path(4);
        let above = self.model.nodes.get(parent(&path));
        let ephemeral =
            |n: &super::model::ModelNode| self.model.sessions.contains_key(&n.stat.ephemeral_owner);
        let fits = !self.model.nodes.contains_key(&path) && above.is_some_and(|n| !ephemeral(n));
        if !self.wild && !fits {
            return None;
        }
        let mut parent_cversion = above.map_or(1, |n| n.stat.cversion + 1);
        if self.wild && self.random.one_in(4) {
            parent_cversion = *self.random.pick(&[-1, 0, 1, 100]);
        }
        Some(self.create_at(path, parent_cversion, session))
    }

    fn create_at(&mut self, path: String, parent_cversion: i32, session: i64) -> Txn<'static> {
        let (path, data, acl) = (path.into(), self.data(), self.acl());
        match self.random.below(8) {
            0 => Txn::CreateContainer(CreateContainerBody {
                path,
                data,
                acl: acl.into(),
                parent_cversion,
            }),
            1 => Txn::CreateTtl(CreateTtlBody {
                path,
                data,
                acl: acl.into(),
                parent_cversion,
                ttl: 500,
            }),
            n => {
                let parent_cversion = (n != 2 || !self.wild).then_some(parent_cversion);
                let ephemeral = n > 4 && session != 0;
                let body = CreateBody { path, data, acl: acl.into(), ephemeral, parent_cversion };
                if n == 3 { Txn::Create2(body) } else { Txn::Create(body) }
            }
        }
    }

    fn delete(&mut self) -> Option<Txn<'static>> {
        let path = self.target();
        let wrong = path.starts_with("/zookeeper") || !self.model.children(&path).is_empty();
        let fixed = ["", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"];
        if fixed.contains(&&*path) || !self.wild && wrong {
            return None;
        }
        Some(Txn::Delete(path.into()))
    }

    /// A step towards a quota on `/a` or `/b`, or away from it.
    fn quota(&mut self) -> Txn<'static> {
        let top = *self.random.pick(&["/a", "/b"]);
        let path = format!("/zookeeper/quota{top}");
        let (limits, stats) =
            (format!("{path}/zookeeper_limits"), format!("{path}/zookeeper_stats"));
        let path = [path, limits.clone(), stats].into_iter();
        let Some(path) = path.into_iter().find(|p| !self.model.nodes.contains_key(p)) else {
            return Txn::Delete(limits.into());
        };
        let above = self.model.nodes.get(parent(&path));
        let parent_cversion = Some(above.map_or(1, |n| n.stat.cversion + 1));
        let data = Some(&b"count=-1,bytes=-1"[..]);
        let (path, acl) = (path.into(), vec![Acl::world(31)]);
        Txn::Create(CreateBody { path, data, acl: acl.into(), ephemeral: false, parent_cversion })
    }

    /// Mostly a node that exists.
    fn target(&mut self) -> String {
        let free = |p: &&String| !p.contains("zookeeper_") && (self.wild || !p.contains("/config"));
        let all: Vec<_> = self.model.nodes.keys().filter(free).cloned().collect();
        match self.random.below(if self.wild { 5 } else { 10 }) {
            0 => self.path(4),
            _ => self.random.pick(&all).clone(),
        }
    }

    fn path(&mut self, depth: usize) -> String {
        let mut path = String::new();
        for _ in 0..=self.random.below(depth) {
            path.push('/');
            let name: &&str = self.random.pick(&["a", "b", "abc", "näme", "0000000001"]);
            path.push_str(name);
        }
        path
    }

    fn data(&mut self) -> Option<&'static [u8]> {
        let some: [&[u8]; 4] = [b"", b"x", b"hello", &[0xFF; 300]];
        some.get(self.random.below(5)).copied()
    }

    fn acl(&mut self) -> Vec<Acl<'static>> {
        let digest = Acl { perms: 31, id: Id::new("digest", "user:hash") };
        match self.random.below(6) {
            0 => vec![Acl::world(1)],
            1 => vec![digest, Acl::world(1)],
            2 => vec![digest],
            _ => vec![Acl::world(31)],
        }
    }
}
