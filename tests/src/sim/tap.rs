//! What passes between a client engine and its server, read by somebody who believes neither.
//!
//! Requests are told to the history when they leave; replies are compared with it when they come. What the engine then
//! makes of them is checked against what was seen here.

use super::env::{Checked, Env, Violation, ensure};
use super::net::LinkId;
use super::reads::ReadReply;
use super::trace::note;
use crate::messages::is_write;
use quorate_engine::client::Token;
use quorate_wire::frame::{
    AUTH_XID, NOTIFICATION_XID, ReplyHeader, RequestHeader, SET_WATCHES_XID, Split, split,
};
use quorate_wire::op::connect::{ConnectRequest, ConnectResponse};
use quorate_wire::{DecodeError, ErrorCode, Jute, OpCode, Reader};
use std::collections::VecDeque;

/// The tap on one session's connection.
#[derive(Debug, Default)]
pub(super) struct Tap {
    number: usize,
    /// The session that was granted last; 0 for none.
    pub(super) session: i64,
    /// Whether the handshake is over.
    open: bool,
    asked_for: i64,
    last_zxid: i64,
    outstanding: VecDeque<Sent>,
    input: Vec<u8>,
    /// What is added to xids on the way: a process that resumes a session counts from 1 again, and the history knows
    /// requests by session and xid.
    shift: i32,
    most: i32,
    /// When the newest request left that was answered, and how long the session lives after that, ms.
    contact: Option<(i64, i64)>,
    greeted_at: i64,
}

/// A request without a reply.
#[derive(Clone, Debug)]
struct Sent {
    xid: i32,
    op: OpCode,
    body: Vec<u8>,
    token: Option<Token>,
    at: i64,
}

/// A frame of the server, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The handshake, granted or not.
    Greeting(bool),
    /// An event, or an answer that overtakes others.
    Aside,
    /// A reply to one of the owner's requests.
    Reply { token: Token, zxid: i64, err: i32, body: Vec<u8> },
    /// A reply to the client's own housekeeping; `rearmed` when it says that the watches are set.
    Other { zxid: i64, rearmed: bool },
    /// The session is closed.
    Closed,
}

/// A request that leaves: what of it belongs to the owner.
pub(super) struct Leaving {
    pub(super) xid: i32,
    pub(super) token: Option<Token>,
}

impl Tap {
    pub(super) fn new(number: usize) -> Self {
        Self { number, ..Self::default() }
    }

    /// A new connection.
    pub(super) fn reset(&mut self) {
        self.open = false;
        self.outstanding.clear();
        self.input.clear();
    }

    /// The session that is not over, as far as its owner can know at that time, ms: not longer than its timeout after the last contact.
    pub(super) fn living(&self, now: i64) -> Option<i64> {
        let (since, timeout) = self.contact?;
        (now < since.saturating_add(timeout)).then_some(self.session)
    }

    /// Another session: it has seen nothing yet.
    pub(super) fn forget(&mut self) {
        (self.session, self.last_zxid) = (0, 0);
    }

    /// Another process goes on with the session.
    pub(super) fn next_process(&mut self) {
        self.shift = self.most;
    }

    /// Bytes leave. `next` gives the owner's requests, in the order of their submission.
    pub(super) fn sends(
        &mut self,
        env: &mut Env,
        link: LinkId,
        out: &mut [u8],
        mut next: impl FnMut(OpCode) -> Option<Token>,
    ) -> Checked<Vec<Leaving>> {
        let mut leaving = Vec::new();
        let mut offset = 0;
        while let Split::Frame { consumed, .. } =
            split(out.get(offset..).unwrap_or_default(), FRAME)
        {
            let frame = out.get_mut(offset..offset + consumed).unwrap_or_default();
            offset += consumed;
            if self.open {
                self.most = self.most.max(shift(frame, self.shift));
            }
            let payload = frame.get(4..).unwrap_or_default();
            if !self.open {
                let request = ConnectRequest::from_bytes(payload).map_err(|e| unreadable(&e))?;
                self.greets(&request)?;
                self.greeted_at = env.now_ms();
                continue;
            }
            let mut reader = Reader::new(payload);
            let header: RequestHeader = reader.get().map_err(|e| unreadable(&e))?;
            let op = OpCode::from_code(header.op)
                .ok_or_else(|| Violation(format!("an operation {}", header.op)))?;
            let body = reader.rest().to_vec();
            let (xid, token) = (header.xid, (header.xid > 0).then(|| next(op)).flatten());
            note!(env.trace, "session {}: {xid} {op:?} {} for {token:?}", self.number, body.len());
            if is_write(op) {
                env.history.asked(self.session, xid, op, &body);
            }
            if let Some(link) = env.links.get_mut(link) {
                link.request_ends(offset);
            }
            leaving.push(Leaving { xid, token });
            self.outstanding.push_back(Sent { xid, op, body, token, at: env.now_ms() });
        }
        ensure!(offset == out.len(), "the session sent {} bytes, {offset} in frames", out.len());
        Ok(leaving)
    }

    fn greets(&mut self, request: &ConnectRequest<'_>) -> Checked {
        self.asked_for = request.session_id;
        ensure!(
            [0, self.session].contains(&request.session_id),
            "session {:#x} was asked for, {:#x} is the last one",
            request.session_id,
            self.session
        );
        if request.session_id == 0 {
            self.last_zxid = 0;
        }
        ensure!(
            request.last_zxid_seen <= self.last_zxid,
            "it claims to have seen {:#x}",
            request.last_zxid_seen
        );
        Ok(())
    }

    /// How many of these bytes belong to the frame that is under way.
    pub(super) fn piece(&self, bytes: &[u8]) -> usize {
        let missing = match split(&self.input, FRAME) {
            Split::Incomplete(Some(len)) => len.saturating_sub(self.input.len()),
            _ => 4_usize.saturating_sub(self.input.len()),
        };
        missing.min(bytes.len())
    }

    /// A piece comes. Answers what is told when that makes a frame whole, and what the engine is to be given.
    pub(super) fn hears(
        &mut self,
        env: &mut Env,
        link: LinkId,
        piece: &[u8],
    ) -> Checked<(Option<Heard>, Vec<u8>)> {
        self.input.extend_from_slice(piece);
        let input = std::mem::take(&mut self.input);
        let shifted = self.open && self.shift != 0;
        match split(&input, FRAME) {
            Split::Frame { payload, .. } => {
                let heard = self.frame(env, link, payload)?;
                let mut given = if shifted { input } else { piece.to_vec() };
                if shifted {
                    shift(&mut given, -self.shift);
                }
                Ok((Some(heard), given))
            }
            Split::Incomplete(_) => {
                self.input = input;
                Ok((None, if shifted { Vec::new() } else { piece.to_vec() }))
            }
            Split::Illegal(len) => Err(Violation(format!("a frame of {len} bytes"))),
        }
    }

    fn frame(&mut self, env: &mut Env, link: LinkId, payload: &[u8]) -> Checked<Heard> {
        if !self.open {
            let answer = ConnectResponse::from_bytes(payload).map_err(|e| unreadable(&e))?;
            return self.greeted(env, link, &answer);
        }
        let mut reader = Reader::new(payload);
        let header: ReplyHeader = reader.get().map_err(|e| unreadable(&e))?;
        let body = reader.rest();
        note!(env.trace, "session {}: told {header:?}", self.number);
        if header.xid == NOTIFICATION_XID {
            // It shows a state too: no reply of an older one may follow, at whichever server.
            self.last_zxid = self.last_zxid.max(header.zxid);
            return Ok(Heard::Aside);
        }
        // Answers to auth overtake others.
        let at = match header.xid {
            AUTH_XID => self.outstanding.iter().position(|sent| sent.xid == AUTH_XID),
            _ => Some(0),
        };
        let sent = at
            .and_then(|at| self.outstanding.remove(at))
            .filter(|sent| sent.xid == header.xid)
            .ok_or_else(|| Violation(format!("a reply to {} was not due", header.xid)))?;
        if let Some((since, _)) = &mut self.contact {
            *since = sent.at.max(*since);
        }
        if header.xid == AUTH_XID {
            return Ok(Heard::Aside);
        }
        self.check(env, &sent, header, body)?;
        let (zxid, err) = (header.zxid, header.err);
        Ok(match (sent.token, sent.op) {
            (_, OpCode::CloseSession) => Heard::Closed,
            (Some(token), _) => Heard::Reply { token, zxid, err, body: body.to_vec() },
            (None, _) => Heard::Other { zxid, rearmed: header.xid == SET_WATCHES_XID },
        })
    }

    /// The server's own promises.
    fn check(&mut self, env: &mut Env, sent: &Sent, header: ReplyHeader, body: &[u8]) -> Checked {
        let (zxid, err) = (header.zxid, header.err);
        ensure!(
            zxid >= self.last_zxid && zxid <= env.history.durable(),
            "a reply of {zxid:#x} after {:#x}, durable is {:#x}",
            self.last_zxid,
            env.history.durable()
        );
        self.last_zxid = zxid;
        if is_write(sent.op) {
            if err == ErrorCode::SystemError.code() {
                return env.history.told_refused(self.session, sent.xid);
            }
            return env.history.check_write(self.session, sent.xid, zxid, err, body);
        }
        if matches!(
            sent.op,
            OpCode::Ping
                | OpCode::Sync
                | OpCode::WhoAmI
                | OpCode::AddWatch
                | OpCode::RemoveWatches
                | OpCode::CheckWatches
                | OpCode::SetWatches
                | OpCode::SetWatches2
        ) {
            return Ok(());
        }
        let (op, request, session) = (sent.op, sent.body.as_slice(), self.session);
        ReadReply { op, request, session, zxid, err, body }.check(&env.history.model)
    }

    fn greeted(
        &mut self,
        env: &mut Env,
        link: LinkId,
        answer: &ConnectResponse<'_>,
    ) -> Checked<Heard> {
        note!(env.trace, "session {}: is {:x}", self.number, answer.session_id);
        if answer.session_id == 0 {
            ensure!(
                !env.history.is_alive(self.asked_for),
                "session {:#x} is alive, but could not be resumed",
                self.asked_for
            );
            self.contact = None;
            return Ok(Heard::Greeting(false));
        }
        ensure!(
            [0, answer.session_id].contains(&self.asked_for),
            "session {:#x} was asked for, {:#x} was given",
            self.asked_for,
            answer.session_id
        );
        self.session = answer.session_id;
        self.open = true;
        self.contact = Some((self.greeted_at, i64::from(answer.timeout)));
        env.history.granted(self.session, answer.timeout);
        if let Some(link) = env.links.get_mut(link) {
            link.session = self.session;
        }
        Ok(Heard::Greeting(true))
    }
}

/// Changes the xid of a frame, if it is one of a request. Answers the new one.
fn shift(frame: &mut [u8], by: i32) -> i32 {
    let Some(place) = frame.get_mut(4..8) else { return 0 };
    let xid = place.iter().fold(0, |xid, byte| xid << 8 | i32::from(*byte));
    if xid > 0 {
        place.copy_from_slice(&(xid + by).to_be_bytes());
        return xid + by;
    }
    0
}

/// More than any frame here has, bytes.
const FRAME: usize = 64 << 20;

fn unreadable(error: &DecodeError) -> Violation {
    Violation(format!("a message cannot be read: {error}"))
}
