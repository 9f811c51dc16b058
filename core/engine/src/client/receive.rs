//! What comes from the server: the handshake's answer, replies, events.

use super::effect::{Failure, State};
use super::link::{Link, Live, changes_state};
use super::pending::{Entry, Waiter};
use super::reply::{Reply, strip};
use super::request::WatchKey;
use super::session::{ClientSession, Identity};
use super::watches::Kind;
use quorate_wire::event::{EventType, WatcherEvent};
use quorate_wire::frame::{
    AUTH_XID, NOTIFICATION_XID, PING_XID, ReplyHeader, RequestHeader, SET_WATCHES_XID, Split,
    split, write_frame,
};
use quorate_wire::op::auth::SaslToken;
use quorate_wire::op::connect::ConnectResponse;
use quorate_wire::{DecodeError, ErrorCode, Jute, OpCode, Reader};
use std::collections::VecDeque;

/// The server broke the protocol: the connection cannot be used any more.
struct Broken;

impl From<DecodeError> for Broken {
    fn from(_: DecodeError) -> Self {
        Self
    }
}

impl ClientSession {
    /// Takes bytes from the connection.
    pub fn received(&mut self, attempt: u64, bytes: &[u8], now: i64) {
        let current = match &mut self.link {
            Link::Down { .. } | Link::Opening { .. } => return,
            Link::Greeting { attempt, .. } => *attempt,
            Link::Up(live) => {
                live.heard_at = now;
                live.attempt
            }
        };
        if attempt != current {
            return;
        }
        let mut inbox = std::mem::take(&mut self.inbox);
        let buffered = !inbox.is_empty();
        if buffered {
            inbox.extend_from_slice(bytes);
        }
        let mut rest = if buffered { inbox.as_slice() } else { bytes };
        let mut broken = false;
        while self.is_current(attempt) {
            match split(rest, self.settings.max_reply) {
                Split::Frame { payload, consumed } => {
                    rest = rest.get(consumed..).unwrap_or_default();
                    if self.frame(payload, now).is_err() {
                        broken = true;
                        break;
                    }
                }
                Split::Incomplete(_) => break,
                Split::Illegal(_) => {
                    broken = true;
                    break;
                }
            }
        }
        if broken {
            let pause = self.pause();
            self.lose_connection(now, now.saturating_add(pause));
        } else if self.is_current(attempt) {
            let kept = rest.len();
            if buffered {
                let gone = inbox.len().saturating_sub(kept);
                inbox.drain(..gone);
            } else {
                inbox.extend_from_slice(
                    bytes.get(bytes.len().saturating_sub(kept)..).unwrap_or_default(),
                );
            }
            if inbox.is_empty() {
                inbox.shrink_to(MAX_IDLE_INBOX);
            }
            self.inbox = inbox;
        }
    }

    const fn is_current(&self, expected: u64) -> bool {
        match &self.link {
            Link::Greeting { attempt, .. } => *attempt == expected,
            Link::Up(live) => live.attempt == expected,
            _ => false,
        }
    }

    fn frame(&mut self, payload: &[u8], now: i64) -> Result<(), Broken> {
        if let Link::Greeting { attempt, server, sent_at, .. } = self.link {
            return self.welcome(
                ConnectResponse::from_bytes(payload)?,
                attempt,
                server,
                sent_at,
                now,
            );
        }
        let mut r = Reader::new(payload);
        let header: ReplyHeader = r.get()?;
        match header.xid {
            NOTIFICATION_XID => self.event(r.get()?, header.zxid),
            PING_XID => {
                let Link::Up(live) = &mut self.link else { return Err(Broken) };
                let sent_at = live.pings.pop_front().ok_or(Broken)?;
                self.prove(sent_at);
                Ok(())
            }
            AUTH_XID => self.auth_reply(header.err),
            SET_WATCHES_XID => self.rearmed(header.err),
            xid => match &self.link {
                Link::Up(live) if live.sasl_xid == Some(xid) => {
                    self.sasl_reply(header.err, r.get().ok(), now)
                }
                _ => self.reply(header, r.rest()),
            },
        }
    }

    /// The server's answer to the handshake.
    fn welcome(
        &mut self,
        answer: ConnectResponse<'_>,
        attempt: u64,
        server: usize,
        sent_at: i64,
        now: i64,
    ) -> Result<(), Broken> {
        if answer.timeout <= 0 {
            self.lose_session(now);
            return Ok(());
        }
        let read_only = answer.read_only == Some(true);
        let given = answer.password.unwrap_or_default();
        let password = <[u8; 16]>::try_from(given).map_err(|_| Broken)?;
        self.identity = Some(Identity { id: answer.session_id, password });
        self.timeout = answer.timeout.into();
        self.established |= !read_only;
        self.hosts.succeeded();
        self.counters.connections += 1;
        self.link = Link::Up(Live {
            attempt,
            server,
            read_only,
            heard_at: now,
            spoke_at: now,
            pings: VecDeque::new(),
            rearms: 0,
            acknowledged: 0,
            sasl_xid: None,
            probe: (now.saturating_add(FIRST_PROBE_PAUSE), FIRST_PROBE_PAUSE),
        });
        self.prove(sent_at);
        self.rearm();
        self.send_credentials();
        self.begin_sasl(now);
        if !self.state.is_final() {
            self.enter(if read_only { State::ReadOnly } else { State::Connected });
        }
        Ok(())
    }

    /// What was sent at `sent_at` has been answered. A server without a quorum cannot vouch for the session.
    fn prove(&mut self, sent_at: i64) {
        let Link::Up(live) = &self.link else { return };
        if !live.read_only {
            self.proof_at = Some(self.proof_at.unwrap_or(sent_at).max(sent_at));
        }
    }

    fn event(&mut self, event: WatcherEvent<'_>, zxid: i64) -> Result<(), Broken> {
        // Kinds of a later protocol concern nobody here.
        let Some(kind) = EventType::from_code(event.kind) else { return Ok(()) };
        let mut told = Vec::new();
        self.watches.fire(kind, &event.path, (zxid > 0).then_some(zxid), &mut told);
        self.counters.events =
            self.counters.events.saturating_add(told.len().try_into().unwrap_or(0));
        self.effects.extend(told);
        Ok(())
    }

    fn reply(&mut self, header: ReplyHeader, body: &[u8]) -> Result<(), Broken> {
        let front = self.pending.front().ok_or(Broken)?;
        if front.xid != header.xid {
            return Err(Broken);
        }
        if header.zxid > 0 {
            self.last_zxid = self.last_zxid.max(header.zxid);
        }
        let code = match header.err {
            0 => None,
            err => Some(ErrorCode::from_code(err).unwrap_or(ErrorCode::SystemError)),
        };
        let (op, root) = (front.op, front.root);
        let reply = match code {
            None => Some(Reply::read(op, root, body)?),
            Some(ErrorCode::NoNode) if op == OpCode::Exists => Some(Reply::Absent),
            Some(_) => None,
        };
        let wants_path = reply.is_none() || front.watch.is_some();
        let Some((entry, path)) = self.pending.pop(wants_path) else { return Err(Broken) };
        self.prove(entry.sent_at);
        if let (Some(watch), Some(reply)) = (entry.watch, &reply) {
            self.registered(watch, *reply == Reply::Absent, &path, entry.root);
        }
        match (reply, code) {
            (Some(reply), _) => self.succeed(entry, reply),
            (None, code) => self.refuse(entry, path, code.unwrap_or(ErrorCode::SystemError)),
        }
        Ok(())
    }

    fn registered(&mut self, (key, kind): (WatchKey, Kind), absent: bool, path: &str, root: usize) {
        let kind = if kind == Kind::Exist && !absent { Kind::Data } else { kind };
        self.watches.add(key, kind, path, root);
        if let Some(at) = self.dropped.iter().position(|dropped| *dropped == key) {
            self.dropped.swap_remove(at);
            if let Some((path, kind)) = self.watches.remove(key) {
                self.release(&path, kind);
            }
        }
    }

    fn succeed(&mut self, entry: Entry, reply: Reply) {
        match entry.waiter {
            Waiter::Caller(token) => self.complete(token, Ok(reply)),
            Waiter::Nobody => {}
            Waiter::Close => self.finish(State::Closed, ErrorCode::Closing),
        }
    }

    fn refuse(&mut self, entry: Entry, path: String, code: ErrorCode) {
        match entry.waiter {
            Waiter::Caller(token) => {
                if let Some((key, _)) = entry.watch {
                    self.dropped.retain(|dropped| *dropped != key);
                }
                let path = strip(path.into(), entry.root);
                let unsure = matches!(
                    code,
                    ErrorCode::ConnectionLoss
                        | ErrorCode::OperationTimeout
                        | ErrorCode::RequestTimeout
                );
                let outcome_unknown = unsure && changes_state(entry.op);
                self.complete(token, Err(Failure { code, op: entry.op, path, outcome_unknown }));
            }
            Waiter::Nobody => {}
            // The session was gone already, which is what was wanted.
            Waiter::Close => self.finish(State::Closed, ErrorCode::Closing),
        }
    }

    fn auth_reply(&mut self, err: i32) -> Result<(), Broken> {
        let Link::Up(live) = &mut self.link else { return Err(Broken) };
        if err != 0 {
            self.finish(State::AuthFailed, ErrorCode::AuthFailed);
            return Ok(());
        }
        let credential = self.credentials.get_mut(live.acknowledged).ok_or(Broken)?;
        live.acknowledged += 1;
        if let Some(token) = credential.waiter.take() {
            self.complete(token, Ok(Reply::Done));
        }
        Ok(())
    }

    fn rearm(&mut self) {
        let frames = self.watches.write_rearm(self.last_zxid, &mut self.control);
        if let Link::Up(live) = &mut self.link {
            live.rearms = frames;
        }
    }

    fn rearmed(&mut self, err: i32) -> Result<(), Broken> {
        let Link::Up(live) = &mut self.link else { return Err(Broken) };
        live.rearms = live.rearms.checked_sub(1).ok_or(Broken)?;
        let mut told = Vec::new();
        if err != 0 {
            // A server that does not know the request: better no watch than one that stays silent.
            let code = ErrorCode::from_code(err).unwrap_or(ErrorCode::SystemError);
            self.watches.end(code, &mut told);
        } else if live.rearms == 0 {
            self.watches.missed(&mut told);
        }
        self.effects.extend(told);
        Ok(())
    }

    fn begin_sasl(&mut self, now: i64) {
        let Some(mechanism) = &mut self.sasl else { return };
        match mechanism.begin() {
            Ok(token) => self.send_sasl(&token, now),
            Err(_) => self.finish(State::AuthFailed, ErrorCode::AuthFailed),
        }
    }

    fn send_sasl(&mut self, token: &[u8], now: i64) {
        let xid = self.take_xid();
        write_frame(&mut self.control, |out| {
            RequestHeader { xid, op: OpCode::Sasl.code() }.write(out);
            SaslToken { token: Some(token) }.write(out);
        });
        if let Link::Up(live) = &mut self.link {
            live.sasl_xid = Some(xid);
            live.spoke_at = now;
        }
    }

    fn sasl_reply(
        &mut self,
        err: i32,
        body: Option<SaslToken<'_>>,
        now: i64,
    ) -> Result<(), Broken> {
        let Link::Up(live) = &mut self.link else { return Err(Broken) };
        live.sasl_xid = None;
        let challenge = body.and_then(|body| body.token).unwrap_or_default();
        let step = match (&mut self.sasl, err) {
            (Some(mechanism), 0) => mechanism.step(challenge).ok(),
            _ => None,
        };
        match step {
            Some(Some(token)) => self.send_sasl(&token, now),
            Some(None) => {}
            None => self.finish(State::AuthFailed, ErrorCode::AuthFailed),
        }
        Ok(())
    }
}

const FIRST_PROBE_PAUSE: i64 = 1_000;
/// What a buffer that held a large reply may keep, bytes.
const MAX_IDLE_INBOX: usize = 64 * 1024;
