//! Everything that was ever committed, and what the tree was after each transaction.

use crate::check::{Checked, ensure};
use crate::whole::image::Image;
use quorate_engine::tree::{Outcome, Tree, TreeEvent, TreeObserver};
use quorate_engine::zab::{Entry, Epoch, Sid, start_of};
use quorate_wire::ErrorCode::{SessionExpired, SessionMoved};
use quorate_wire::txn::{Txn, TxnRecord};
use quorate_wire::{Jute, Stat, Zxid, path};
use std::collections::{BTreeMap, BTreeSet};

/// What a node was after a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its stat.
    pub stat: Stat,
    /// Its data.
    pub data: Vec<u8>,
    /// Its children, sorted.
    pub children: Vec<String>,
}

/// What a transaction was, and did.
#[derive(Clone, Debug)]
pub struct Done {
    /// Who asked for it.
    pub session: i64,
    /// The number of the request.
    pub cxid: i32,
    /// The code of a refusal, or 0.
    pub err: i32,
    /// What it did.
    pub outcome: Outcome,
    /// The path of a created node.
    pub created: Option<String>,
}

/// The one history.
#[derive(Debug)]
pub struct History {
    tree: Tree,
    /// Everything that any leader has proposed.
    proposed: BTreeMap<Zxid, Entry>,
    done: BTreeMap<Zxid, Done>,
    digests: BTreeMap<Zxid, u64>,
    nodes: BTreeMap<String, Vec<(Zxid, Option<Node>)>>,
    /// Changes that a watch of a node's data tells of.
    changes: BTreeMap<String, Vec<Zxid>>,
    requests: BTreeSet<(i64, i32)>,
    ended: BTreeMap<i64, Zxid>,
    /// The newest request of each session that was not refused for who asked.
    newest: BTreeMap<i64, i32>,
    leaders: BTreeMap<Epoch, Sid>,
    /// What lies in between was proposed and is not in the history of the epoch that was established later.
    discarded: Vec<(Zxid, Zxid)>,
    /// The last transaction that a client has been told of.
    pub acknowledged: Zxid,
}

impl Default for History {
    fn default() -> Self {
        let mut history = Self {
            tree: Image::default().tree(),
            proposed: BTreeMap::new(),
            done: BTreeMap::new(),
            digests: BTreeMap::new(),
            nodes: BTreeMap::new(),
            changes: BTreeMap::new(),
            requests: BTreeSet::new(),
            ended: BTreeMap::new(),
            newest: BTreeMap::new(),
            leaders: BTreeMap::new(),
            discarded: Vec::new(),
            acknowledged: Zxid::ZERO,
        };
        history.keep("/", Zxid::ZERO);
        history
    }
}

/// Collects what changes.
#[derive(Default)]
struct Changed {
    data: Vec<String>,
    all: BTreeSet<String>,
}

impl TreeObserver for Changed {
    fn fire(&mut self, event: TreeEvent<'_>) {
        let (path, parent) = match event {
            TreeEvent::Created { path, .. } | TreeEvent::Deleted { path, .. } => (path, true),
            TreeEvent::DataChanged { path, .. } => (path, false),
        };
        self.data.push(path.to_owned());
        self.all.insert(path.to_owned());
        if parent {
            let parent = path::parent(path);
            self.all.insert(if parent.is_empty() { "/" } else { parent }.to_owned());
        }
    }
}

impl History {
    /// The last transaction that is committed.
    #[must_use]
    pub const fn last(&self) -> Zxid {
        self.tree.last_zxid()
    }

    /// Whether a state that a client is shown is one that all will come to: a committed transaction's, or the beginning of an epoch up to the one that
    /// is established. A tree that takes the place of a longer log stands there, without a transaction.
    #[must_use]
    pub fn may_show(&self, zxid: Zxid) -> bool {
        let established = self.newest_epoch();
        let begins = zxid.counter() == 0 && zxid.epoch() <= established;
        zxid <= self.last() || begins
    }

    /// The last transaction of a state: the beginning of an epoch is the state before it.
    #[must_use]
    pub fn transaction_at(&self, zxid: Zxid) -> Zxid {
        if zxid.counter() != 0 {
            return zxid;
        }
        self.done.range(..zxid).next_back().map_or(Zxid::ZERO, |(zxid, _)| *zxid)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.done.len()
    }

    /// Sessions that have not ended.
    #[must_use]
    pub fn sessions(&self) -> Vec<i64> {
        self.tree.sessions().map(|(session, _)| session).collect()
    }

    /// A server has given it to its log.
    ///
    /// # Errors
    /// When there is another of its zxid.
    pub fn logged(&mut self, sid: Sid, entry: &Entry) -> Checked {
        let known = self.proposed.entry(entry.zxid()).or_insert_with(|| entry.clone());
        ensure!(known == entry, "server {sid} logs another transaction {}", entry.zxid());
        Ok(())
    }

    /// A leader is established.
    ///
    /// # Errors
    /// When its epoch has another, or its tree lacks what is committed.
    pub fn established(&mut self, sid: Sid, epoch: Epoch, tree: &Tree) -> Checked {
        let before = self.leaders.insert(epoch, sid);
        ensure!(before.is_none(), "servers {before:?} and {sid} lead epoch {epoch:x}");
        let (has, all) = (tree.last_zxid(), self.last());
        ensure!(has >= all, "server {sid} leads epoch {epoch:x} with {has} of {all}");
        self.discarded.push((has, start_of(epoch)));
        Ok(())
    }

    /// The newest epoch that was established.
    #[must_use]
    pub fn newest_epoch(&self) -> Epoch {
        self.leaders.last_key_value().map_or(0, |(epoch, _)| *epoch)
    }

    /// How many epochs were established.
    #[must_use]
    pub fn epochs(&self) -> usize {
        self.leaders.len()
    }

    /// A server holds this tree. If it serves, everything in it is committed; and nothing lies in it between the zxids of its gaps.
    ///
    /// # Errors
    /// When the tree is not what the same zxid stands for elsewhere.
    pub fn holds(&mut self, sid: Sid, tree: &Tree, serves: Option<&[(Zxid, Zxid)]>) -> Checked {
        let (zxid, digest) = (tree.last_zxid(), tree.digest());
        if let Some(gaps) = serves
            && zxid > self.last()
        {
            let new = self.proposed.range(self.last().next()..=zxid);
            let is_discarded = |zxid: Zxid| {
                let mut without = self.discarded.iter().chain(gaps);
                without.any(|&(after, before)| zxid > after && zxid < before)
            };
            let new = new.filter(|(zxid, _)| !is_discarded(**zxid));
            for entry in new.map(|(_, entry)| entry.clone()).collect::<Vec<_>>() {
                self.commit(sid, &entry)?;
            }
        }
        let known = *self.digests.entry(zxid).or_insert(digest);
        ensure!(known == digest, "server {sid} holds another tree at {zxid}");
        Ok(())
    }

    fn commit(&mut self, sid: Sid, entry: &Entry) -> Checked {
        let (zxid, last) = (entry.zxid(), self.last());
        let follows = zxid == last.next() || (zxid.epoch() > last.epoch() && zxid.counter() == 1);
        ensure!(follows, "server {sid} commits {zxid} after {last}");
        let record = TxnRecord::from_bytes(entry.payload());
        let Ok(record) = record else {
            return Err(crate::check::Violation(format!("{zxid} is no transaction")));
        };
        let mut changed = Changed::default();
        let outcome = self.tree.apply(&record, &mut changed);
        for path in changed.data {
            self.changes.entry(path).or_default().push(zxid);
        }
        for path in changed.all {
            self.keep(&path, zxid);
        }
        let digest = self.tree.digest();
        let known = *self.digests.entry(zxid).or_insert(digest);
        ensure!(known == digest, "server {sid} commits {zxid}, which was another tree elsewhere");
        self.note(zxid, &record, outcome)
    }

    fn note(&mut self, zxid: Zxid, record: &TxnRecord<'_>, outcome: Outcome) -> Checked {
        let (session, cxid) = (record.header.client_id, record.header.cxid);
        let err = if let Txn::Error(code) = record.txn { code } else { 0 };
        if cxid != 0 {
            let fresh = self.requests.insert((session, cxid));
            ensure!(fresh, "request {cxid} of {session:x} is done again at {zxid}");
        }
        // A multi that is refused is a transaction whose parts all say so.
        let refusal = match &record.txn {
            Txn::Multi(multi) => multi.parts.iter().find_map(|part| match part.txn {
                Txn::Error(code) if code != 0 => Some(code),
                _ => None,
            }),
            _ => Some(err),
        };
        let refusal = refusal.unwrap_or(0);
        if cxid != 0 && refusal != SessionMoved.code() && refusal != SessionExpired.code() {
            let before = self.newest.insert(session, cxid).unwrap_or(0);
            ensure!(cxid > before, "{cxid} of {session:x} is done after {before}, at {zxid}");
        }
        if let Some(ended) = self.ended.get(&session) {
            ensure!(refusal != 0, "{zxid} is of session {session:x}, which ended at {ended}");
        }
        if matches!(record.txn, Txn::CloseSession(_)) {
            self.ended.insert(session, zxid);
            let left = self.tree.ephemerals(session).count();
            ensure!(left == 0, "{left} nodes of {session:x} outlive it at {zxid}");
        }
        let created = match &record.txn {
            Txn::Create(body) | Txn::Create2(body) => Some(body.path.to_string()),
            _ => None,
        };
        self.done.insert(zxid, Done { session, cxid, err, outcome, created });
        Ok(())
    }

    fn keep(&mut self, path: &str, zxid: Zxid) {
        let node = self.tree.find(path).map(|id| {
            let mut children: Vec<String> = self.tree.children(id).map(ToOwned::to_owned).collect();
            children.sort();
            let data = self.tree.data(id).unwrap_or_default().to_vec();
            Node { stat: self.tree.stat(id), data, children }
        });
        self.nodes.entry(path.to_owned()).or_default().push((zxid, node));
    }

    /// What a transaction was.
    #[must_use]
    pub fn done(&self, zxid: Zxid) -> Option<&Done> {
        self.done.get(&zxid)
    }

    /// A node as it was at a zxid.
    #[must_use]
    pub fn node(&self, path: &str, at: Zxid) -> Option<&Node> {
        let versions = self.nodes.get(path)?;
        let n = versions.partition_point(|(zxid, _)| *zxid <= at);
        versions.get(n.checked_sub(1)?)?.1.as_ref()
    }

    /// Whether a node was made, changed or removed after one zxid and not after another.
    #[must_use]
    pub fn changed(&self, path: &str, after: Zxid, upto: Zxid) -> Option<Zxid> {
        let changes = self.changes.get(path)?;
        let n = changes.partition_point(|zxid| *zxid <= after);
        changes.get(n).copied().filter(|zxid| *zxid <= upto)
    }
}
