//! What comes from the server: the handshake's answer, replies, events.

use super::effect::{Failure, State};
use super::ending::changes_state;
use super::link::{Link, Live};
use super::pending::{Entry, Waiter};
use super::reply::{Reply, strip};
use super::request::WatchKey;
use super::session::{ClientSession, Identity};
use super::watches::Kind;
use quorate_wire::event::{EventType, WatcherEvent};
use quorate_wire::frame::{
    AUTH_XID, NOTIFICATION_XID, PING_XID, ReplyHeader, SET_WATCHES_XID, Split, split,
};
use quorate_wire::op::connect::ConnectResponse;
use quorate_wire::{DecodeError, ErrorCode, Jute, OpCode, Reader};
use std::collections::VecDeque;

/// The server broke the protocol: the connection cannot be used any more.
#[derive(Debug)]
pub(super) struct Broken;

impl From<DecodeError> for Broken {
    fn from(_: DecodeError) -> Self {
        Self
    }
}

impl ClientSession {
    /// Takes bytes from the connection.
    pub fn received(&mut self, attempt: u64, bytes: &[u8], now: i64) {
        let current = match &self.link {
            Link::Down { .. } | Link::Opening { .. } => return,
            Link::Greeting { attempt, .. } => *attempt,
            Link::Up(live) => live.attempt,
        };
        if attempt != current {
            return;
        }
        if let Link::Up(live) = &mut self.link {
            live.heard_at = now;
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
            self.give_up_connection(now);
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
            self.heard(now);
        }
    }

    /// What has come is dealt with: is it time to go?
    fn heard(&mut self, now: i64) {
        let leaving = matches!(&self.link, Link::Up(live) if live.leave_by.is_some());
        if leaving && !self.pending.has_sent() {
            self.lose_connection(now, now);
        }
        self.expire(now);
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
            NOTIFICATION_XID => {
                self.seen(header.zxid);
                self.event(r.get()?, header.zxid)
            }
            PING_XID => {
                let Link::Up(live) = &mut self.link else { return Err(Broken) };
                let sent_at = live.pings.pop_front().ok_or(Broken)?;
                if header.err == 0 {
                    self.prove(sent_at);
                }
                Ok(())
            }
            AUTH_XID => self.auth_reply(header.err),
            SET_WATCHES_XID => {
                self.seen(header.zxid);
                self.rearmed(header.err, now)
            }
            xid => match &self.link {
                Link::Up(live) if live.sasl_xid == Some(xid) => {
                    self.sasl_reply(header.err, r.get().ok(), now)
                }
                _ => self.reply(header, r.rest(), now),
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
        let asked = self.identity.filter(|_| self.established);
        match asked {
            Some(_) if answer.timeout <= 0 => {
                self.lose_session(now);
                return Ok(());
            }
            Some(asked) if asked.id != answer.session_id => return Err(Broken),
            // There was nothing to expire: the server has no session to give.
            None if answer.timeout <= 0 || answer.session_id == 0 => return Err(Broken),
            _ => {}
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
            keeps_modes: None,
            acknowledged: 0,
            sasl_xid: None,
            admitted: false,
            leave_by: None,
            probe: (now.saturating_add(FIRST_PROBE_PAUSE), FIRST_PROBE_PAUSE),
        });
        self.prove(sent_at);
        self.begin_sasl(now);
        Ok(())
    }

    /// The connection is open for requests: first who asks, then what was watched, then the requests.
    pub(super) fn admit(&mut self) {
        let Link::Up(live) = &mut self.link else { return };
        live.admitted = true;
        let state = if live.read_only { State::ReadOnly } else { State::Connected };
        self.send_credentials();
        self.rearm();
        self.enter(state);
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
        let zxid = (zxid > 0).then_some(zxid);
        self.watches.fire(kind, &event.path, zxid, &mut told);
        if matches!(kind, EventType::Created | EventType::Deleted) && self.forgets_children() {
            self.watches.fire_children_of_parent(&event.path, zxid, &mut told);
        }
        self.counters.events =
            self.counters.events.saturating_add(told.len().try_into().unwrap_or(0));
        self.effects.extend(told);
        Ok(())
    }

    /// Something shows this state. Events of 3.8 say nothing positive.
    fn seen(&mut self, zxid: i64) {
        self.last_zxid = self.last_zxid.max(zxid);
    }

    fn reply(&mut self, header: ReplyHeader, body: &[u8], now: i64) -> Result<(), Broken> {
        let front = self.pending.front().ok_or(Broken)?;
        if front.xid != header.xid {
            return Err(Broken);
        }
        self.last_zxid = self.last_zxid.max(header.zxid);
        // Its events all came before. Those of an event's transaction need not have, nor those of watches that are not set again yet.
        self.told_zxid = self.told_zxid.max(header.zxid);
        let code = match header.err {
            0 => None,
            err => Some(ErrorCode::from_code(err).unwrap_or(ErrorCode::SystemError)),
        };
        let (op, root) = (front.op, front.root);
        let reply = match code {
            None => Some(Reply::read(op, root, body)?),
            Some(ErrorCode::NoNode) if op == OpCode::Exists => Some(Reply::Absent),
            // The watch is there all the same, whatever it is on.
            Some(ErrorCode::NoNode) if op == OpCode::AddWatch => Some(Reply::Done),
            Some(_) => None,
        };
        let asks = matches!(front.waiter, Waiter::Modes | Waiter::Lasting { .. });
        let wants_path =
            reply.is_none() || asks || front.watch.is_some() || front.removes.is_some();
        let Some((entry, path)) = self.pending.pop(wants_path) else { return Err(Broken) };
        // Who is told that the session is gone, or elsewhere, has learned nothing about its life.
        let gone = code == Some(ErrorCode::SessionExpired) && entry.waiter != Waiter::Close;
        if !gone && code != Some(ErrorCode::SessionMoved) {
            self.prove(entry.sent_at);
        }
        if let Some(watch) = entry.watch {
            self.settle(watch, reply.as_ref(), &path, entry.root);
        }
        if let (Some(kind), Some(_)) = (entry.removes, &reply) {
            let mut told = Vec::new();
            self.watches.removed(&path, kind, &mut told);
            self.effects.extend(told);
            // A server that does not know the types apart has taken what was not meant too.
            self.look_after_lasting(&path);
        }
        match (reply, code) {
            (Some(reply), _) => self.succeed(entry, &path, reply),
            (None, code) => self.refuse(entry, path, code.unwrap_or(ErrorCode::SystemError)),
        }
        if gone {
            self.lose_session(now);
        }
        Ok(())
    }

    fn settle(&mut self, watch: (WatchKey, Kind), reply: Option<&Reply>, path: &str, root: usize) {
        let (key, kind) = watch;
        let registered = match (kind, reply) {
            (_, None) => None,
            (Kind::Exist, Some(Reply::Stat(_))) => Some((Kind::Data, root)),
            (kind, Some(_)) => Some((kind, root)),
        };
        let mut unused = Vec::new();
        self.watches.settle(key, path, registered, &mut unused);
        self.release(unused);
        match registered {
            Some((Kind::Data | Kind::Exist | Kind::Child, _)) => self.look_after_lasting(path),
            Some((Kind::Recursive, _)) => self.look_after_children(path),
            _ => {}
        }
    }

    fn succeed(&mut self, entry: Entry, path: &str, reply: Reply) {
        match entry.waiter {
            Waiter::Caller(token) => self.complete(token, Ok(reply)),
            Waiter::Nobody => {}
            Waiter::Modes => self.learn_modes(path, true),
            Waiter::Lasting { recursive } => self.lasting_set(path, recursive, true),
            Waiter::Close => self.finish(State::Closed, ErrorCode::Closing),
        }
    }

    fn refuse(&mut self, entry: Entry, path: String, code: ErrorCode) {
        match entry.waiter {
            Waiter::Caller(token) => {
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
            Waiter::Modes => self.learn_modes(&path, false),
            Waiter::Lasting { recursive } => self.lasting_set(&path, recursive, false),
            // The session was gone already, which is what was wanted.
            Waiter::Close => self.finish(State::Closed, ErrorCode::Closing),
        }
    }

    fn rearm(&mut self) {
        let frames = self.watches.write_rearm(self.told_zxid, &mut self.control);
        if let Link::Up(live) = &mut self.link {
            live.rearms = frames;
        }
    }

    fn rearmed(&mut self, err: i32, now: i64) -> Result<(), Broken> {
        let Link::Up(live) = &mut self.link else { return Err(Broken) };
        live.rearms = live.rearms.checked_sub(1).ok_or(Broken)?;
        let last = live.rearms == 0;
        if last {
            self.failed_rearms = 0;
        }
        if err != 0 {
            // A server that does not know the request: better no watch than one that stays silent.
            self.end_watches(ErrorCode::from_code(err).unwrap_or(ErrorCode::SystemError));
        } else if last {
            self.tell_missed(now);
            if let Some(path) = self.watches.children_below_recursive() {
                self.look_after_children(&path);
            }
        }
        Ok(())
    }
}

const FIRST_PROBE_PAUSE: i64 = 1_000;
/// What a buffer that held a large reply may keep, bytes.
const MAX_IDLE_INBOX: usize = 64 * 1024;
