//! What was judged and is durable: applied, and answered; or refused, where the log had no room.

use super::pending::{Inflight, Pending, Purpose};
use super::{ApplyError, Now, Ready, Replica, reply};
use crate::segment::Segment;
use crate::session::ConnRef;
use crate::shard::Shard;
use crate::tree::{Outcome, Tree, TreeEvent, TreeObserver};
use quorate_wire::txn::{Txn, TxnRecord};
use quorate_wire::{DecodeError, ErrorCode, Jute, OpCode, Zxid};

impl Replica {
    /// Everything up to `zxid` is durable: applies it, tells the watchers and answers.
    ///
    /// # Errors
    /// [`ApplyError`] when a transaction of our own cannot be read back; the server must stop.
    pub fn synced(
        &mut self,
        zxid: Zxid,
        tree: &mut Tree,
        shards: &mut [&mut Shard],
        now: Now,
    ) -> Result<(), ApplyError> {
        self.answer_ready(tree, shards, now);
        let confirmed = self.place.confirmed();
        while let Some(pending) = self.pending.pop_front_if(|p| p.is_due(zxid, confirmed)) {
            let_read(pending.conn, tree, shards, now);
            match pending.zxid {
                None => self.answer_marker(pending, tree, shards, now),
                Some(at) => self.apply(at, pending, tree, shards, now)?,
            }
        }
        self.prep.applied(tree.last_zxid());
        Ok(())
    }

    fn apply(
        &mut self,
        zxid: Zxid,
        pending: Pending,
        tree: &mut Tree,
        shards: &mut [&mut Shard],
        now: Now,
    ) -> Result<(), ApplyError> {
        let defect = |cause| ApplyError { zxid, cause };
        let (segment, n) =
            self.inflight.next().ok_or_else(|| defect(DecodeError::Null("its record")))?;
        let payload = segment.payload(n).unwrap_or_default();
        let record = TxnRecord::from_bytes(payload).map_err(defect)?;
        self.apply_record(&record, payload.len(), Some(pending), tree, shards, now);
        Ok(())
    }

    pub(super) fn apply_record(
        &mut self,
        record: &TxnRecord<'_>,
        bytes: usize,
        pending: Option<Pending>,
        tree: &mut Tree,
        shards: &mut [&mut Shard],
        now: Now,
    ) {
        let zxid = record.header.zxid;
        let outcome = tree.apply(record, &mut Notifier { shards, zxid });
        if record.digest.is_some_and(|digest| digest.tree != tree.digest()) {
            debug_assert!(false, "the digest of {zxid} differs");
            self.digest_mismatches += 1;
        }
        self.snapshots.count(bytes);
        let asked_by = pending.as_ref().and_then(|pending| pending.conn);
        if let Some(pending) = pending {
            self.answer(pending, record, &outcome, shards, now);
        }
        if matches!(record.txn, Txn::CloseSession(_)) {
            self.session_ended(record.header.client_id, asked_by, shards);
        }
    }

    fn answer(
        &self,
        pending: Pending,
        record: &TxnRecord<'_>,
        outcome: &Outcome,
        shards: &mut [&mut Shard],
        now: Now,
    ) {
        let zxid = record.header.zxid;
        match (pending.purpose, pending.conn) {
            (Purpose::Request { xid, op, session }, Some(conn)) => {
                let err = self.as_told(reply::error_of(&record.txn), op, session);
                let Some(shard) = shards.get_mut(conn.shard) else { return };
                if err == ErrorCode::SessionMoved.code() {
                    return shard.hang_up(conn.conn);
                }
                shard.reply(conn.conn, xid, zxid, err, now.mono, |out| {
                    reply::write_body(op, record, outcome, &pending.create2_parts, out);
                });
            }
            (Purpose::NewSession { session }, Some(conn)) => {
                if let Some(shard) = shards.get_mut(conn.shard) {
                    shard.session_began(conn.conn, session, zxid, now.mono);
                }
            }
            _ => {}
        }
    }

    /// The session is no more: its connection is told so by being closed.
    fn session_ended(
        &mut self,
        session: i64,
        asked_by: Option<ConnRef>,
        shards: &mut [&mut Shard],
    ) {
        self.place.ended(session);
        let owner = self.sessions.remove(session);
        if let Some(owner) = owner
            && self.place.is_learning()
        {
            self.forget_requests(owner);
        }
        if let Some(owner) = owner.filter(|&owner| Some(owner) != asked_by)
            && let Some(shard) = shards.get_mut(owner.shard)
        {
            shard.hang_up(owner.conn);
        }
    }

    /// A leader of Apache's says of a session of this server alone that it does not know it, when it wants to own a node.
    fn as_told(&self, err: i32, op: OpCode, session: i64) -> i32 {
        let creates = matches!(op, OpCode::Create | OpCode::Create2);
        if creates && err == ErrorCode::SessionExpired.code() && self.locals.is_open(session) {
            ErrorCode::EphemeralOnLocalSession.code()
        } else {
            err
        }
    }

    pub(super) fn answer_marker(
        &mut self,
        pending: Pending,
        tree: &Tree,
        shards: &mut [&mut Shard],
        now: Now,
    ) {
        match (pending.purpose, pending.conn) {
            (Purpose::Sync { xid, body, .. }, Some(conn)) => {
                answer_sync(conn, xid, &body, tree, shards, now);
            }
            (Purpose::Throttled { xid }, Some(conn)) => {
                answer_bare(conn, xid, ErrorCode::ThrottledOp.code(), tree, shards, now);
            }
            (Purpose::LocalEnd { xid, session }, Some(conn)) => {
                self.locals.remove(session);
                answer_bare(conn, xid, 0, tree, shards, now);
            }
            _ => {}
        }
    }

    /// Gives the answers that waited for no transaction. To be called after submissions and after [`synced`](Self::synced).
    pub fn deliver(&mut self, tree: &Tree, shards: &mut [&mut Shard], now: Now) {
        if !self.throttle.is_empty() {
            self.release(tree, shards, now);
        }
        if !self.ready.is_empty() {
            self.answer_ready(tree, shards, now);
        }
    }

    /// What needs no transaction was asked before everything that is pending, and so is answered before it.
    pub(super) fn answer_ready(&mut self, tree: &Tree, shards: &mut [&mut Shard], now: Now) {
        for ready in self.ready.drain(..) {
            match ready {
                Ready::Synced { conn, xid, body } => {
                    let_read(Some(conn), tree, shards, now);
                    answer_sync(conn, xid, &body, tree, shards, now);
                }
                Ready::Bare { conn, xid, err } => {
                    let_read(Some(conn), tree, shards, now);
                    answer_bare(conn, xid, err, tree, shards, now);
                }
                Ready::Connected(conn, session) => {
                    if let Some(shard) = shards.get_mut(conn.shard) {
                        shard.connected(conn.conn, session);
                    }
                }
                Ready::Gone(conn) => {
                    if let Some(shard) = shards.get_mut(conn.shard) {
                        shard.session_gone(conn.conn);
                    }
                }
                Ready::HangUp(conn) => {
                    if let Some(shard) = shards.get_mut(conn.shard) {
                        shard.hang_up(conn.conn);
                    }
                }
            }
        }
    }

    /// The log had no room: nothing that is in flight will become durable. Every request is refused, and what the
    /// server itself wanted is tried again later.
    pub fn refused(&mut self, tree: &Tree, shards: &mut [&mut Shard], now: Now) {
        self.open = Segment::default();
        self.inflight = Inflight::default();
        self.answer_ready(tree, shards, now);
        for pending in std::mem::take(&mut self.pending) {
            let_read(pending.conn, tree, shards, now);
            match (&pending.purpose, pending.conn) {
                (
                    Purpose::Sync { .. } | Purpose::Throttled { .. } | Purpose::LocalEnd { .. },
                    _,
                ) => self.answer_marker(pending, tree, shards, now),
                (&Purpose::Request { xid, op, session }, Some(conn)) => {
                    if op == OpCode::CloseSession {
                        self.sessions.reopen(session, now.mono);
                    }
                    if let Some(shard) = shards.get_mut(conn.shard) {
                        let err = ErrorCode::SystemError.code();
                        shard.reply(conn.conn, xid, tree.last_zxid(), err, now.mono, |_| {});
                    }
                }
                (&Purpose::NewSession { session }, Some(conn)) => {
                    self.sessions.remove(session);
                    if let Some(shard) = shards.get_mut(conn.shard) {
                        shard.hang_up(conn.conn);
                    }
                }
                (&Purpose::Expiry { session }, _) => self.sessions.reopen(session, now.mono),
                _ => {}
            }
        }
        self.prep.discard(tree);
    }
}

/// Answers the reads of a connection that lie between its last write and the next: they see the former
/// and not the latter.
pub(super) fn let_read(conn: Option<ConnRef>, tree: &Tree, shards: &mut [&mut Shard], now: Now) {
    if let Some((conn, shard)) = conn.and_then(|conn| Some((conn, shards.get_mut(conn.shard)?))) {
        shard.catch_up(conn.conn, tree, now.mono);
    }
}

fn answer_sync(
    conn: ConnRef,
    xid: i32,
    body: &[u8],
    tree: &Tree,
    shards: &mut [&mut Shard],
    now: Now,
) {
    let Some(shard) = shards.get_mut(conn.shard) else { return };
    match quorate_wire::op::sync::SyncRequest::from_bytes(body) {
        Ok(request) => {
            shard.reply(conn.conn, xid, tree.last_zxid(), 0, now.mono, |out| request.write(out));
        }
        Err(_) => {
            let err = ErrorCode::MarshallingError.code();
            shard.reply(conn.conn, xid, tree.last_zxid(), err, now.mono, |_| {});
        }
    }
}

fn answer_bare(
    conn: ConnRef,
    xid: i32,
    err: i32,
    tree: &Tree,
    shards: &mut [&mut Shard],
    now: Now,
) {
    if let Some(shard) = shards.get_mut(conn.shard) {
        shard.reply(conn.conn, xid, tree.last_zxid(), err, now.mono, |_| {});
    }
}

struct Notifier<'a, 'b> {
    shards: &'a mut [&'b mut Shard],
    zxid: Zxid,
}

impl TreeObserver for Notifier<'_, '_> {
    fn fire(&mut self, event: TreeEvent<'_>) {
        for shard in self.shards.iter_mut() {
            shard.notify(&event, self.zxid);
        }
    }
}
