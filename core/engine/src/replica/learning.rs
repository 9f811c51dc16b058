//! The replica of a follower or an observer: passes on what its clients want, applies what is committed, and answers.
//!
//! The leader judges requests of one server in their order, so they come back in this order, among those of others.
//! An answer belongs to the oldest request of this session and number. Source: `FollowerRequestProcessor`, `CommitProcessor`.

use super::answering::let_read;
use super::pending::{Pending, Purpose};
use super::place::{Learning, Place};
use super::{ApplyError, Now, Ready, Replica, ReplicaConfig};
use crate::access::Identities;
use crate::session::ConnRef;
use crate::shard::{Shard, Submission};
use crate::tree::Tree;
use crate::zab::message::Request;
use crate::zab::{Entry, ToLeader};
use quorate_wire::op::multi::{MultiPart, MultiParts};
use quorate_wire::txn::{Txn, TxnHeader, TxnRecord};
use quorate_wire::{DecodeError, Jute, OpCode, password};

impl Replica {
    /// The replica of a learner that serves, over the tree that it has in common with its leader.
    #[must_use]
    pub fn learning(config: ReplicaConfig, tree: &Tree, now: Now) -> Self {
        Self::at(Place::learning(), tree.last_zxid(), config, tree, 0, now)
    }

    /// What the leader is to be told, in order.
    pub fn take_messages(&mut self) -> Vec<ToLeader> {
        self.learns().map(|learning| std::mem::take(&mut learning.messages)).unwrap_or_default()
    }

    /// Sessions that were heard of since the last call, and their timeouts, ms.
    pub fn take_touched(&mut self) -> Vec<(i64, i32)> {
        self.learns().map(|learning| std::mem::take(&mut learning.touched)).unwrap_or_default()
    }

    const fn learns(&mut self) -> Option<&mut Learning> {
        match &mut self.place {
            Place::Learning(learning) => Some(learning),
            _ => None,
        }
    }

    /// Takes a submission that the leader decides about.
    pub(super) fn pass_on(&mut self, conn: ConnRef, submission: Submission<'_>, now: Now) {
        match submission {
            Submission::Write { session, xid, op, body, identities } => {
                let purpose = Purpose::Request { xid, op, session };
                let request = forwarded(session, xid, op, body, Some(identities));
                self.ask(conn, purpose, request, create2_parts(op, body));
            }
            Submission::Sync { xid, body } => {
                let purpose = Purpose::Sync { xid, body: body.into(), number: 0 };
                let request = forwarded(0, xid, OpCode::Sync, body, None);
                self.ask(conn, purpose, request, Vec::new());
            }
            Submission::NewSession { timeout } => {
                let session = self.next_session.id(self.config.server);
                self.next_session = self.next_session.next();
                self.sessions.add(session, timeout, Some(conn), now.mono);
                let body = timeout.to_be_bytes();
                let request = forwarded(session, 0, OpCode::CreateSession, &body, None);
                self.ask(conn, Purpose::NewSession { session }, request, Vec::new());
            }
            Submission::Resume { session, password, timeout } => {
                if password::matches(session, password) {
                    self.ask_about(session, conn, timeout);
                } else {
                    self.ready.push(Ready::Gone(conn));
                }
            }
            Submission::Touch { session, timeout } => {
                self.sessions.touch(session, timeout, now.mono);
                if let Some(learning) = self.learns() {
                    learning.touched.push((session, timeout));
                }
            }
            Submission::FourLetter { .. } => {}
        }
    }

    fn ask(&mut self, conn: ConnRef, purpose: Purpose, request: Request, parts: Vec<usize>) {
        let conn = Some(conn);
        self.pending.push_back(Pending { zxid: None, conn, purpose, create2_parts: parts });
        if let Some(learning) = self.learns() {
            learning.messages.push(ToLeader::Request(request));
        }
    }

    fn ask_about(&mut self, session: i64, conn: ConnRef, timeout: i32) {
        if let Some(learning) = self.learns() {
            learning.resuming.push_back((session, conn, timeout));
            learning.messages.push(ToLeader::Revalidate { session, timeout });
        }
    }

    /// The leader has said whether a session lives.
    pub fn revalidated(&mut self, session: i64, lives: bool, now: Now) {
        let Some(learning) = self.learns() else { return };
        let asked = learning.resuming.iter().position(|&(about, ..)| about == session);
        let Some((_, conn, timeout)) = asked.and_then(|n| learning.resuming.remove(n)) else {
            return;
        };
        if !lives {
            return self.ready.push(Ready::Gone(conn));
        }
        if !self.sessions.touch(session, timeout, now.mono) {
            self.sessions.add(session, timeout, None, now.mono);
        }
        self.attach(session, conn);
    }

    /// These transactions are committed, and go on where the last ones ended: applies them, tells the watchers and answers.
    ///
    /// # Errors
    /// [`ApplyError`] when one of them is no transaction; the server cannot go on with this leader.
    pub fn committed<'a>(
        &mut self,
        entries: impl Iterator<Item = &'a Entry>,
        tree: &mut Tree,
        shards: &mut [&mut Shard],
        now: Now,
    ) -> Result<(), ApplyError> {
        self.deliver(tree, shards, now);
        for entry in entries {
            let zxid = entry.zxid();
            let payload = entry.payload();
            let record = TxnRecord::from_bytes(payload)
                .map_err(|cause: DecodeError| ApplyError { zxid, cause })?;
            let pending = self.asked(&record.header, &record.txn);
            let_read(pending.as_ref().and_then(|pending| pending.conn), tree, shards, now);
            let session = record.header.client_id;
            if let (Txn::CreateSession(timeout), None) = (&record.txn, &pending)
                && self.sessions.owner(session).is_none()
            {
                self.sessions.add(session, *timeout, None, now.mono);
            }
            self.apply_record(&record, payload.len(), pending, tree, shards, now);
            self.answer_markers(tree, shards, now);
        }
        Ok(())
    }

    /// The request that became this transaction, if it is one of this server's clients.
    fn asked(&mut self, header: &TxnHeader, txn: &Txn<'_>) -> Option<Pending> {
        let is_it = |pending: &Pending| match pending.purpose {
            Purpose::NewSession { session } => {
                session == header.client_id && matches!(txn, Txn::CreateSession(_))
            }
            Purpose::Request { xid, op, session } => {
                let closes = matches!(txn, Txn::CloseSession(_));
                (session, xid) == (header.client_id, header.cxid)
                    && (!closes || op == OpCode::CloseSession)
            }
            _ => false,
        };
        // Its own server is in the first byte of most sessions, but not of those that have come from another.
        let session = header.client_id;
        self.sessions.owner(session).or_else(|| self.locals.owner(session))?;
        let n = self.pending.iter().position(is_it)?;
        self.pending.remove(n)
    }

    /// A connection's session has ended, so nothing that comes back is taken for its request any more. Its syncs come back as any.
    pub(super) fn forget_requests(&mut self, conn: ConnRef) {
        let is_sync = |pending: &Pending| matches!(pending.purpose, Purpose::Sync { .. });
        self.pending.retain(|pending| pending.conn != Some(conn) || is_sync(pending));
    }

    /// The oldest sync is done.
    pub fn sync_done(&mut self, tree: &Tree, shards: &mut [&mut Shard], now: Now) {
        let is_sync = |pending: &Pending| matches!(pending.purpose, Purpose::Sync { .. });
        let oldest = self.pending.iter().position(is_sync);
        if let Some(pending) = oldest.and_then(|n| self.pending.remove(n)) {
            let_read(pending.conn, tree, shards, now);
            self.answer_marker(pending, tree, shards, now);
        }
        self.answer_markers(tree, shards, now);
    }

    /// Answers what waits for nothing but what its own client has asked for before. There is hardly ever any, and this is called with every
    /// transaction: so it looks only when there may be some.
    fn answer_markers(&mut self, tree: &Tree, shards: &mut [&mut Shard], now: Now) {
        if !std::mem::take(&mut self.has_markers) {
            return;
        }
        let mut n = 0;
        while let Some(pending) = self.pending.get(n) {
            let conn = pending.conn;
            if !pending.purpose.is_marker() {
                n += 1;
            } else if self.pending.iter().take(n).any(|before| before.conn == conn) {
                self.has_markers = true;
                n += 1;
            } else if let Some(marker) = self.pending.remove(n) {
                let_read(conn, tree, shards, now);
                self.answer_marker(marker, tree, shards, now);
            }
        }
    }
}

fn forwarded(
    session: i64,
    cxid: i32,
    op: OpCode,
    body: &[u8],
    identities: Option<&Identities>,
) -> Request {
    let identities = identities.map(|identities| identities.iter().cloned().collect());
    Request { session, cxid, op: op.code(), body: body.into(), identities }
}

/// The parts of a multi that are create2. The transaction says create of them, and the answer has to say create2.
fn create2_parts(op: OpCode, body: &[u8]) -> Vec<usize> {
    if op != OpCode::Multi {
        return Vec::new();
    }
    let parts = MultiParts::new(body).map_while(Result::ok).enumerate();
    parts
        .filter(|(_, part)| matches!(part, MultiPart::Create(OpCode::Create2, _)))
        .map(|(n, _)| n)
        .collect()
}
