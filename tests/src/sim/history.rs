//! What has been proposed, what is durable and what everybody may rely on.
//!
//! The servers' transactions pass by here on their way to the log. Each is compared with what the naive judge makes of the
//! request, and applied to the model when a server says that it is durable. From then on it must never be lost.

use super::env::{Checked, Violation, ensure};
use super::judge;
use super::model::{Change, Model};
use quorate_engine::segment::Segment;
use quorate_engine::tree::Tree;
use quorate_wire::txn::{Txn, TxnHeader, TxnRecord};
use quorate_wire::{Jute, OpCode, Reader};
use std::collections::{BTreeMap, BTreeSet};

/// The history of the world's only database.
#[derive(Debug, Default)]
pub struct History {
    /// Every state so far.
    pub model: Model,
    /// By zxid: from 1 on, or as they were recorded elsewhere.
    entries: Vec<Entry>,
    /// What clients have asked for.
    requests: BTreeMap<(i64, i32), (OpCode, Vec<u8>)>,
    /// Requests that have become durable transactions.
    done: BTreeSet<(i64, i32)>,
    /// Requests that were refused for want of room.
    refused: BTreeSet<(i64, i32)>,
    sessions: BTreeMap<i64, Session>,
    /// Every session that ever began.
    begun: BTreeSet<i64>,
    /// How often the log had no room.
    pub refusals: u64,
    /// Sessions that expired.
    pub expired: u64,
    /// Of these, the ones whose owners have not been asked about it.
    pub expirations: Vec<i64>,
}

/// One transaction.
#[derive(Debug)]
struct Entry {
    zxid: i64,
    payload: Vec<u8>,
    time: i64,
    session: i64,
    cxid: i32,
    reply: (i32, Vec<u8>),
    changes: Vec<Change>,
}

/// When a session was heard of, ms.
#[derive(Clone, Copy, Debug)]
struct Session {
    timeout: i64,
    /// Certainly.
    heard: i64,
    /// Perhaps.
    maybe: i64,
    ending: bool,
    /// Its end was begun and came to nothing: clients may have been told that it is over.
    doubtful: bool,
}

impl History {
    /// A history that was recorded elsewhere, of transactions in order.
    #[must_use]
    pub fn recorded<'a>(transactions: impl IntoIterator<Item = (TxnHeader, Txn<'a>)>) -> Self {
        let mut history = Self::default();
        for (header, txn) in transactions {
            history.model.take_over(&header, &txn);
            let changes = std::mem::take(&mut history.model.changes);
            history.entries.push(Entry { changes, ..Entry::new(&header, Vec::new()) });
        }
        history
    }

    /// The transactions that are durable, in order.
    pub fn zxids(&self) -> impl Iterator<Item = i64> {
        let durable = self.durable();
        self.entries.iter().map(|entry| entry.zxid).take_while(move |zxid| *zxid <= durable)
    }

    /// The state after `from`, and each that followed until `to`, as their zxids.
    pub fn states(&self, from: i64, to: i64) -> impl Iterator<Item = i64> {
        let behind = self.entries.partition_point(|entry| entry.zxid <= from);
        let later = self.entries.get(behind..).unwrap_or_default().iter().map(|entry| entry.zxid);
        std::iter::once(from).chain(later).take_while(move |zxid| *zxid <= to)
    }

    /// The last transaction that was proposed.
    #[must_use]
    pub fn proposed(&self) -> i64 {
        self.entries.last().map_or(0, |entry| entry.zxid)
    }

    /// The last transaction that a server called durable.
    #[must_use]
    pub const fn durable(&self) -> i64 {
        self.model.zxid
    }

    /// A client sends a write.
    pub fn asked(&mut self, session: i64, xid: i32, op: OpCode, body: &[u8]) {
        self.requests.insert((session, xid), (op, body.to_vec()));
    }

    /// A client is told that its write was refused.
    pub fn told_refused(&mut self, session: i64, xid: i32) -> Checked {
        ensure!(
            !self.done.contains(&(session, xid)),
            "request {xid} of {session:#x} was refused, but is in the history"
        );
        self.refused.insert((session, xid));
        Ok(())
    }

    /// Whether a request has become a durable transaction.
    #[must_use]
    pub fn has(&self, session: i64, xid: i32) -> bool {
        self.done.contains(&(session, xid))
    }

    /// What the changes of a transaction are.
    #[must_use]
    pub fn changes(&self, zxid: i64) -> &[Change] {
        self.entry(zxid).map_or(&[], |entry| &entry.changes)
    }

    /// What has happened to a node, told for a person.
    #[must_use]
    pub fn about(&self, path: &str) -> String {
        let mut told = Vec::new();
        for entry in &self.entries {
            for change in entry.changes.iter().filter(|change| change.path == path) {
                let (kind, zxid, time) = (change.kind, entry.zxid, entry.time);
                let (cxid, session) = (entry.cxid, entry.session);
                told.push(format!("{kind:?} {zxid:#x} at {time} by {cxid} of {session:#x}"));
            }
        }
        format!("{path}: {}", told.join(", "))
    }

    /// When a transaction was made, ms since 1970 by the server's clock; 0 if there is none.
    #[must_use]
    pub fn time(&self, zxid: i64) -> i64 {
        self.entry(zxid).map_or(0, |entry| entry.time)
    }

    /// Checks the reply to a write.
    pub fn check_write(&self, session: i64, xid: i32, zxid: i64, err: i32, body: &[u8]) -> Checked {
        ensure!(
            zxid <= self.durable(),
            "request {xid} of {session:#x} was acknowledged as {zxid:#x}, but only {:#x} is durable",
            self.durable()
        );
        let entry =
            self.entry(zxid).ok_or_else(|| Violation(format!("no transaction {zxid:#x}")))?;
        ensure!(
            (entry.session, entry.cxid) == (session, xid),
            "request {xid} of {session:#x} was acknowledged as {zxid:#x}, which is request {} of {:#x}",
            entry.cxid,
            entry.session
        );
        ensure!(
            (entry.reply.0, entry.reply.1.as_slice()) == (err, body),
            "request {xid} of {session:#x} ({zxid:#x}) was answered with {err} {body:02x?}, expected {:?}",
            entry.reply
        );
        Ok(())
    }

    /// A server has sealed transactions.
    pub fn propose(&mut self, segment: &Segment, now: i64, tick: i64) -> Checked {
        for (n, record) in segment.records().iter().enumerate() {
            let payload = segment.payload(n).unwrap_or_default();
            let mut reader = Reader::new(payload);
            let header: TxnHeader = reader.get().map_err(|e| {
                Violation(format!("the header of {} cannot be read: {e}", record.zxid))
            })?;
            ensure!(
                header.zxid.0 == self.proposed() + 1 && record.zxid == header.zxid,
                "{} was proposed after {:#x}",
                header.zxid,
                self.proposed()
            );
            let timeout = reader.get::<i32>().unwrap_or(0);
            self.session_txn(&header, timeout, now, tick)?;
            self.entries.push(Entry::new(&header, payload.to_vec()));
        }
        Ok(())
    }

    /// A session must not end by itself before its time, nor much later. `timeout` is a new one's.
    fn session_txn(&mut self, header: &TxnHeader, timeout: i32, now: i64, tick: i64) -> Checked {
        match (header.kind, header.cxid) {
            (quorate_wire::txn::TxnType::CREATE_SESSION, _) => {
                let session = Session {
                    timeout: timeout.into(),
                    heard: now,
                    maybe: now,
                    ending: false,
                    doubtful: false,
                };
                self.sessions.insert(header.client_id, session);
            }
            (quorate_wire::txn::TxnType::CLOSE_SESSION, cxid) => {
                let Some(session) = self.sessions.get_mut(&header.client_id) else { return Ok(()) };
                session.ending = true;
                if cxid == 0 {
                    let Session { timeout, heard, maybe, .. } = *session;
                    self.expired += 1;
                    self.expirations.push(header.client_id);
                    ensure!(
                        now + 1 >= heard + timeout,
                        "{:#x} expired at {now} ms, heard of at {heard} ms, timeout {timeout} ms",
                        header.client_id
                    );
                    ensure!(
                        now <= maybe + timeout + tick + LATE,
                        "{:#x} expired at {now} ms, last heard of at {maybe} ms, timeout {timeout} ms",
                        header.client_id
                    );
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// No open session may be overdue. To be called now and then while a server is up.
    pub fn check_overdue(&self, now: i64, tick: i64) -> Checked {
        for (id, session) in self.sessions.iter().filter(|(_, session)| !session.ending) {
            ensure!(
                now <= session.maybe + session.timeout + tick + LATE,
                "{id:#x} should have expired: it is {now} ms, last heard of at {} ms, timeout {} ms",
                session.maybe,
                session.timeout
            );
        }
        Ok(())
    }

    /// Whether a session is certainly open.
    #[must_use]
    pub fn is_alive(&self, session: i64) -> bool {
        self.model.sessions.contains_key(&session)
            && self.sessions.get(&session).is_some_and(|s| !s.ending && !s.doubtful)
    }

    /// What timeout a server has granted, ms.
    pub fn granted(&mut self, session: i64, timeout: i32) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.timeout = timeout.into();
        }
    }

    /// A server has heard of a session, certainly or perhaps.
    pub fn heard(&mut self, session: i64, certain: bool, now: i64) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.maybe = now;
            session.heard = if certain { now } else { session.heard };
        }
    }

    /// Everything up to `zxid` is durable.
    pub fn commit(&mut self, zxid: i64) -> Checked {
        ensure!(
            zxid <= self.proposed(),
            "{zxid:#x} is called durable, but only {:#x} was proposed",
            self.proposed()
        );
        while self.model.zxid < zxid {
            self.apply(self.model.zxid + 1)?;
        }
        Ok(())
    }

    fn apply(&mut self, zxid: i64) -> Checked {
        let Some(entry) = self.place(zxid).and_then(|at| self.entries.get_mut(at)) else {
            return Ok(());
        };
        let payload = std::mem::take(&mut entry.payload);
        let record = TxnRecord::from_bytes(&payload)
            .map_err(|e| Violation(format!("transaction {zxid:#x} cannot be read: {e}")))?;
        let header = record.header;
        let key = (header.client_id, header.cxid);
        let asked = self.requests.get(&key).filter(|_| header.cxid != 0);
        let expected = match (&record.txn, asked) {
            (_, Some((op, body))) => judge::judge(&mut self.model, &header, *op, body),
            (Txn::CreateSession(timeout), None) => {
                // Its old owner could resume the new one's session.
                let is_new = self.begun.insert(header.client_id);
                ensure!(is_new, "the id {:#x} is given out twice", header.client_id);
                Txn::CreateSession(*timeout)
            }
            (Txn::CloseSession(_), None) => judge::close(&self.model, &header),
            (Txn::DeleteContainer(path), None) => judge::reap(&self.model, path, header.time),
            (txn @ Txn::Error(_), None) if header.client_id == 0 => txn.clone(),
            (txn, None) => {
                return Err(Violation(format!("nobody asked for {zxid:#x}: {header:?} {txn:?}")));
            }
        };
        ensure!(
            record.txn == expected,
            "{zxid:#x} ({header:?}) is {:?}, expected {expected:?}",
            record.txn
        );
        if header.cxid != 0 {
            ensure!(self.done.insert(key), "request {key:x?} is in the history twice ({zxid:#x})");
            ensure!(!self.refused.contains(&key), "request {key:x?} was refused, yet is {zxid:#x}");
        }
        entry.reply =
            self.model.apply(&header, &record.txn, asked.map(|(op, body)| (*op, body.as_slice())));
        entry.changes = std::mem::take(&mut self.model.changes);
        if matches!(record.txn, Txn::CloseSession(_)) {
            self.sessions.remove(&header.client_id);
        }
        Ok(())
    }

    /// The log had no room: what was proposed and is not durable does not happen. Sessions get another timeout.
    pub fn refuse(&mut self, now: i64) {
        self.refusals += 1;
        self.forget_proposed();
        let begun = &self.model.sessions;
        self.sessions.retain(|id, _| begun.contains_key(id));
        for session in self.sessions.values_mut() {
            session.doubtful |= session.ending;
            (session.maybe, session.ending) = (now, false);
        }
    }

    /// A server has read its directory again and has this tree.
    pub fn recovered(&mut self, tree: &Tree, now: i64) -> Checked {
        let last = tree.last_zxid().0;
        ensure!(
            last >= self.durable(),
            "transactions up to {:#x} were durable, after recovery the last one is {last:#x}",
            self.durable()
        );
        ensure!(
            last <= self.proposed(),
            "transactions up to {:#x} were proposed, after recovery the last one is {last:#x}",
            self.proposed()
        );
        self.commit(last)?;
        self.forget_proposed();
        let open = &self.model.sessions;
        self.sessions.retain(|id, _| open.contains_key(id));
        for (&id, &timeout) in &self.model.sessions {
            let timeout = i64::from(timeout);
            let doubtful = self.sessions.get(&id).is_some_and(|s| s.ending || s.doubtful);
            let session = Session { timeout, heard: now, maybe: now, ending: false, doubtful };
            self.sessions.insert(id, session);
        }
        self.compare(tree)
    }

    fn forget_proposed(&mut self) {
        let durable = self.durable();
        self.entries.truncate(self.entries.partition_point(|entry| entry.zxid <= durable));
    }

    /// Compares a tree with the model, node by node.
    pub fn compare(&self, tree: &Tree) -> Checked {
        ensure!(
            tree.last_zxid().0 == self.durable(),
            "the tree is at {}, the history at {:#x}",
            tree.last_zxid(),
            self.durable()
        );
        let mut count = 0;
        for (path, _) in self.model.all(self.durable()) {
            self.compare_node(tree, path)?;
            count += 1;
        }
        ensure!(tree.node_count() == count, "{} nodes, expected {count}", tree.node_count());
        let sessions: BTreeMap<i64, i32> = tree.sessions().collect();
        ensure!(
            sessions == self.model.sessions,
            "sessions are {sessions:x?}, expected {:x?}",
            self.model.sessions
        );
        ensure!(
            tree.digest() == tree.computed_digest(),
            "the digest at {} is {:#x}, but its nodes have {:#x}",
            tree.last_zxid(),
            tree.digest(),
            tree.computed_digest()
        );
        Ok(())
    }

    /// Compares what the last transaction changed.
    pub fn compare_changed(&self, tree: &Tree) -> Checked {
        self.model.touched().iter().try_for_each(|path| self.compare_node(tree, path))
    }

    fn compare_node(&self, tree: &Tree, path: &str) -> Checked {
        let zxid = self.durable();
        let (found, wanted) = (tree.find(path), self.model.get(path));
        let (Some(id), Some(node)) = (found, wanted) else {
            ensure!(
                found.is_none() && wanted.is_none(),
                "at {zxid:#x} the tree has {path}: {}, the history: {}",
                found.is_some(),
                wanted.is_some()
            );
            return Ok(());
        };
        let same = tree.data(id) == node.data.as_deref()
            && tree.persisted(id) == node.stat
            && tree.acl(id) == node.acl
            && tree.child_count(id) == node.children;
        ensure!(
            same,
            "at {zxid:#x} {path} is {:?} {:?}, expected {:?} {:?}",
            tree.persisted(id),
            tree.data(id).map(<[u8]>::len),
            node.stat,
            node.data.as_ref().map(Vec::len)
        );
        Ok(())
    }

    fn entry(&self, zxid: i64) -> Option<&Entry> {
        self.entries.get(self.place(zxid)?)
    }

    fn place(&self, zxid: i64) -> Option<usize> {
        self.entries.binary_search_by_key(&zxid, |entry| entry.zxid).ok()
    }
}

impl Entry {
    fn new(header: &TxnHeader, payload: Vec<u8>) -> Self {
        Self {
            zxid: header.zxid.0,
            payload,
            time: header.time,
            session: header.client_id,
            cxid: header.cxid,
            reply: (0, Vec::new()),
            changes: Vec::new(),
        }
    }
}

/// ms that a session may live on beyond its timeout and a tick.
const LATE: i64 = 2_500;
