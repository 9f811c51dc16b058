//! From frames to operations: what is answered here, what waits, what goes to the replica.

use super::conn::{Conn, ConnKey, State, Waiting};
use super::handshake::Heard;
use super::output::Outputs;
use super::read::{self, ReadContext};
use super::stats::ShardStats;
use super::{Shard, ShardConfig, Submission, Submit, index};
use crate::access;
use crate::limits::large::TooLarge;
use crate::tree::Tree;
use quorate_wire::frame::{PING_XID, ReplyHeader, RequestHeader, Split, finish_frame, split};
use quorate_wire::jute::{Jute, Reader};
use quorate_wire::op::auth::AuthPacket;
use quorate_wire::{ErrorCode, OpCode, Zxid};
use std::collections::VecDeque;

/// Who has to act on a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    /// The connection itself, at once: overtakes what is in flight.
    Auth,
    Sasl,
    /// The replica.
    Write,
    Sync,
    /// This shard, in order.
    Read,
    /// Nobody: answered with Unimplemented, in order, and then the connection is closed.
    Unknown,
}

const fn route(op: Option<OpCode>) -> Route {
    use OpCode::{
        AddWatch, Auth, CheckWatches, CloseSession, Create, Create2, CreateContainer, CreateTtl,
        Delete, DeleteContainer, Exists, GetAcl, GetAllChildrenNumber, GetChildren, GetChildren2,
        GetData, GetEphemerals, Multi, MultiRead, Ping, Reconfig, RemoveWatches, Sasl, SetAcl,
        SetData, SetWatches, SetWatches2, Sync, WhoAmI,
    };
    match op {
        Some(Auth) => Route::Auth,
        Some(Sasl) => Route::Sasl,
        Some(
            Create | Create2 | CreateContainer | CreateTtl | Delete | DeleteContainer | SetData
            | SetAcl | Multi | Reconfig | CloseSession,
        ) => Route::Write,
        Some(Sync) => Route::Sync,
        Some(
            Exists | GetData | GetAcl | GetChildren | GetChildren2 | Ping | CheckWatches
            | RemoveWatches | MultiRead | SetWatches | SetWatches2 | GetEphemerals
            | GetAllChildrenNumber | AddWatch | WhoAmI,
        ) => Route::Read,
        Some(OpCode::Check | OpCode::CreateSession) | None => Route::Unknown,
    }
}

impl Shard {
    /// Works on the bytes that were kept.
    pub(super) fn process_input(
        &mut self,
        key: ConnKey,
        tree: &Tree,
        now: i64,
        core: &mut impl Submit,
    ) {
        let Some(conn) = self.conn_mut(key).filter(|conn| !conn.input.is_empty()) else { return };
        let mut input = std::mem::take(&mut conn.input);
        let consumed = self.process(key, &input, tree, now, core);
        if consumed < input.len() {
            input.drain(..consumed);
            if let Some(conn) = self.conn_mut(key) {
                conn.input = input;
            }
        }
    }

    /// Works on whole frames for as long as the connection may go on; returns how many bytes are done with.
    pub(super) fn process(
        &mut self,
        key: ConnKey,
        bytes: &[u8],
        tree: &Tree,
        now: i64,
        core: &mut impl Submit,
    ) -> usize {
        let mut done = 0;
        while let Some(state) = self.conn(key).map(|conn| conn.state) {
            let rest = bytes.get(done..).unwrap_or_default();
            match state {
                State::Asking | State::Closing => return bytes.len(),
                State::Connecting => break,
                State::Stranger => match self.hear(key, rest, core) {
                    Heard::Word => return bytes.len(),
                    Heard::Part => break,
                    Heard::Frame => {}
                },
                State::Open if self.has_enough(key) => break,
                State::Open => {}
            }
            match split(rest, self.config.max_frame) {
                Split::Incomplete(total) => {
                    let length = total.map(|total| total.saturating_sub(4));
                    if length.is_some_and(|length| self.config.large.check(length).is_err()) {
                        self.hang_up(key);
                        return bytes.len();
                    }
                    break;
                }
                Split::Illegal(_) => {
                    self.hang_up(key);
                    return bytes.len();
                }
                Split::Frame { payload, consumed } => {
                    if state == State::Open
                        && self.conn(key).is_some_and(|conn| conn.queue.is_empty())
                        && self.postpones(key, payload)
                    {
                        break;
                    }
                    done += consumed;
                    if self.config.large.check(payload.len()).is_err() {
                        self.hang_up(key);
                        return bytes.len();
                    }
                    self.frame(key, payload, tree, now, core);
                }
            }
        }
        done
    }

    fn frame(
        &mut self,
        key: ConnKey,
        payload: &[u8],
        tree: &Tree,
        now: i64,
        core: &mut impl Submit,
    ) {
        let Some(conn) = self.conns.get_mut(index(key.slot)) else { return };
        if conn.state == State::Stranger {
            return self.shake_hands(key, payload, tree, core);
        }
        self.stats.received(conn);
        let mut reader = Reader::new(payload);
        let Ok(header) = reader.get::<RequestHeader>() else { return self.hang_up(key) };
        let body = reader.rest();
        let op = OpCode::from_code(header.op);
        Self::touch(&self.config, conn, now, core);
        let route = route(op);
        if lacks_identity(&self.config, conn, route, op) {
            let out = self.output.of(conn);
            let refused = ErrorCode::SessionClosedRequireSaslAuth.code();
            write_reply(out, header.xid, Zxid::ZERO, refused, |_| {});
            return self.hang_up(key);
        }
        match (route, op) {
            (Route::Auth, _) => self.authenticate(key, header.xid, body),
            (Route::Sasl, _) => self.answer_token(key, header.xid),
            (Route::Write, Some(op)) => {
                let Ok(large) = self.config.large.admit(payload.len()) else {
                    return self.hang_up(key);
                };
                conn.queue.push_back(Waiting::Write { xid: header.xid, op, since: now, large });
                conn.writes += 1;
                let (session, identities) = (conn.session, &conn.identities);
                core.submit(
                    key,
                    Submission::Write { session, xid: header.xid, op, body, identities },
                );
                if op == OpCode::CloseSession {
                    // Whatever follows belongs to no session: it is dropped without a reply.
                    conn.state = State::Connecting;
                }
            }
            (Route::Sync, Some(op)) => {
                let Ok(large) = self.config.large.admit(payload.len()) else {
                    return self.hang_up(key);
                };
                conn.queue.push_back(Waiting::Write { xid: header.xid, op, since: now, large });
                conn.writes += 1;
                core.submit(key, Submission::Sync { xid: header.xid, body });
            }
            _ if conn.queue.is_empty() => self.answer(key, payload, tree, now, now),
            _ => match self.config.large.admit(payload.len()) {
                Ok(large) => {
                    conn.queued += payload.len();
                    conn.queue.push_back(Waiting::Read(payload.into(), now, large));
                }
                Err(TooLarge) => self.hang_up(key),
            },
        }
    }

    /// Answers the reads at the head of the queue. Those that `may_wait` do so when much waits to be sent already.
    pub(super) fn drain_queue(&mut self, key: ConnKey, tree: &Tree, now: i64, may_wait: bool) {
        while !(may_wait && self.has_enough(key))
            && let Some(conn) = self.conn_mut(key)
        {
            match conn.queue.pop_front() {
                Some(Waiting::Read(payload, since, large)) => {
                    if may_wait && self.postpones(key, &payload) {
                        if let Some(conn) = self.conn_mut(key) {
                            conn.queue.push_front(Waiting::Read(payload, since, large));
                        }
                        return;
                    }
                    let Some(conn) = self.conn_mut(key) else { return };
                    conn.queued = conn.queued.saturating_sub(payload.len());
                    self.answer(key, &payload, tree, since, now);
                }
                Some(write @ Waiting::Write { .. }) => return conn.queue.push_front(write),
                None => {
                    if conn.queue.capacity() > QUEUE_KEPT {
                        conn.queue = VecDeque::new();
                    }
                    return;
                }
            }
        }
    }

    /// Whether so much waits to be sent to a connection that its requests have to wait. Once all is sent,
    /// [`sent`](Self::sent) lets it go on.
    fn has_enough(&self, key: ConnKey) -> bool {
        self.conn(key).is_some_and(|conn| conn.out.len() >= self.config.output_pause)
    }

    /// Answers a request of [`Route::Read`] or [`Route::Unknown`].
    fn answer(&mut self, key: ConnKey, payload: &[u8], tree: &Tree, since: i64, now: i64) {
        let Some(conn) = self.conns.get_mut(index(key.slot)) else { return };
        if conn.state == State::Closing {
            return;
        }
        let mut reader = Reader::new(payload);
        let Ok(header) = reader.get::<RequestHeader>() else { return };
        let op = OpCode::from_code(header.op).filter(|&op| route(Some(op)) == Route::Read);
        let Some(op) = op else {
            let out = self.output.of(conn);
            write_reply(out, header.xid, Zxid(-1), ErrorCode::Unimplemented.code(), |_| {});
            return self.hang_up(key);
        };
        // The output is taken out for the time being, so that the operation can use the connection.
        self.output.of(conn);
        let mut out = std::mem::take(&mut conn.out);
        let at = out.len();
        // A ping is answered on its own xid, whatever it came with.
        let xid = if op == OpCode::Ping { PING_XID } else { header.xid };
        write_reply(&mut out, xid, tree.last_zxid(), 0, |_| {});
        let watches = &mut self.watches;
        let mut context =
            ReadContext { tree, watches, conn, config: &self.config, frame_at: at, nodes: 0 };
        let result = read::execute(op, reader.rest(), &mut context, &mut out);
        let nodes = context.nodes;
        finish(&mut out, context.frame_at, result.err());
        self.stats.responded(out.len().saturating_sub(context.frame_at), now);
        conn.out = out;
        if conn.unsent() > self.config.output_limit {
            // Only reads between two writes come here, which cannot wait: they must not see the second one.
            return self.output.cut_off(conn);
        }
        Self::account(&mut self.stats, &mut self.output, conn, op, header.xid, tree, since, now);
        self.spend(key, nodes);
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the fields of self that are free to borrow here"
    )]
    fn account(
        stats: &mut ShardStats,
        output: &mut Outputs,
        conn: &mut Conn,
        op: OpCode,
        xid: i32,
        tree: &Tree,
        since: i64,
        now: i64,
    ) {
        stats.answered(conn, op, xid, tree.last_zxid(), since, now);
        output.mark_replied(conn);
    }

    /// Without a login section Apache answers any SASL token with success and no token.
    fn answer_token(&mut self, key: ConnKey, xid: i32) {
        let Some(conn) = self.conns.get_mut(index(key.slot)) else { return };
        write_reply(self.output.of(conn), xid, Zxid::ZERO, 0, |out| None::<&[u8]>.write(out));
        self.stats.notified(conn);
        self.output.mark_replied(conn);
    }

    /// auth acts at once, so that what is pipelined behind it has the identity already.
    fn authenticate(&mut self, key: ConnKey, xid: i32, body: &[u8]) {
        let Some(conn) = self.conns.get_mut(index(key.slot)) else { return };
        let proven = AuthPacket::from_bytes(body).ok().and_then(|packet| {
            let scheme = packet.scheme.as_deref();
            access::authenticate(&self.config.access, scheme, packet.auth, &conn.identities).ok()
        });
        let err = match proven {
            Some(identities) => {
                conn.identities = identities;
                0
            }
            None => ErrorCode::AuthFailed.code(),
        };
        write_reply(self.output.of(conn), xid, Zxid::ZERO, err, |_| {});
        self.stats.notified(conn);
        self.output.mark_replied(conn);
        if err != 0 {
            self.stats.auth_failed += 1;
            self.hang_up(key);
        }
    }
}

/// `enforce.auth`: nothing but authentication before there is an identity of a required scheme.
fn lacks_identity(config: &ShardConfig, conn: &Conn, route: Route, op: Option<OpCode>) -> bool {
    !config.required_schemes.is_empty()
        && !matches!(route, Route::Auth | Route::Sasl)
        && !matches!(op, Some(OpCode::Ping | OpCode::CloseSession))
        && !conn
            .identities
            .iter()
            .any(|id| config.required_schemes.iter().any(|s| s == id.scheme()))
}

/// Appends a reply frame.
pub(super) fn write_reply(
    out: &mut Vec<u8>,
    xid: i32,
    zxid: Zxid,
    err: i32,
    body: impl FnOnce(&mut Vec<u8>),
) {
    let at = out.len();
    0i32.write(out);
    ReplyHeader { xid, zxid: zxid.0, err }.write(out);
    body(out);
    finish_frame(out, at);
}

/// Room for unanswered requests that a connection keeps while it has none.
const QUEUE_KEPT: usize = 32;

/// Completes the frame at `at`: sets its length, or turns it into a bare error.
fn finish(out: &mut Vec<u8>, at: usize, error: Option<read::Refusal>) {
    if let Some(refusal) = error {
        let keep = if refusal.keep_body { out.len() } else { at + 4 + ReplyHeader::LEN };
        out.truncate(keep);
        let err = refusal.code.code().to_be_bytes();
        if let Some(slot) = out.get_mut(at + 16..at + 20) {
            slot.copy_from_slice(&err);
        }
    }
    finish_frame(out, at);
}
