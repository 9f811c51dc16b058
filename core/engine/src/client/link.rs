//! The connection's life: attempts, pauses, heartbeats, and the two losses: of a connection, and of the session.

use super::effect::{Effect, Failure, State};
use super::pending::{Entry, Waiter};
use super::reply::{Reply, strip};
use super::session::ClientSession;
use quorate_wire::frame::{PING_XID, RequestHeader, write_frame};
use quorate_wire::op::connect::ConnectRequest;
use quorate_wire::{ErrorCode, Jute, OpCode};
use std::collections::VecDeque;

/// Where the connection stands.
#[derive(Debug)]
pub(super) enum Link {
    /// There is none; the next attempt begins then.
    Down { retry_at: i64 },
    /// The driver is connecting.
    Opening { attempt: u64, server: usize, give_up_at: i64 },
    /// The handshake is under way.
    Greeting { attempt: u64, server: usize, give_up_at: i64, sent_at: i64 },
    /// The server has taken the session.
    Up(Live),
}

/// An established connection.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) attempt: u64,
    pub(super) server: usize,
    pub(super) read_only: bool,
    pub(super) heard_at: i64,
    pub(super) spoke_at: i64,
    /// When the pings without an answer left.
    pub(super) pings: VecDeque<i64>,
    /// setWatches requests without an answer.
    pub(super) rearms: usize,
    /// Credentials that were answered.
    pub(super) acknowledged: usize,
    /// The xid of a SASL step without an answer: nothing else is sent meanwhile.
    pub(super) sasl_xid: Option<i32>,
    /// When to look for a server that takes writes, and the pause after that.
    pub(super) probe: (i64, i64),
}

impl Link {
    pub(super) const fn server(&self) -> Option<usize> {
        match self {
            Self::Down { .. } => None,
            Self::Opening { server, .. } | Self::Greeting { server, .. } => Some(*server),
            Self::Up(live) => Some(live.server),
        }
    }

    pub(super) const fn set_server(&mut self, new: usize) {
        match self {
            Self::Down { .. } => {}
            Self::Opening { server, .. } | Self::Greeting { server, .. } => *server = new,
            Self::Up(live) => live.server = new,
        }
    }

    const fn attempt(&self) -> Option<u64> {
        match self {
            Self::Down { .. } => None,
            Self::Opening { attempt, .. } | Self::Greeting { attempt, .. } => Some(*attempt),
            Self::Up(live) => Some(live.attempt),
        }
    }
}

impl ClientSession {
    /// The driver has a connection, after any TLS handshake.
    pub fn connected(&mut self, attempt: u64, now: i64) {
        let Link::Opening { attempt: expected, server, give_up_at } = self.link else { return };
        if attempt != expected {
            return;
        }
        let identity = self.identity.filter(|_| self.established);
        write_frame(&mut self.control, |out| {
            ConnectRequest {
                protocol_version: 0,
                last_zxid_seen: self.last_zxid,
                timeout: self.settings.timeout,
                session_id: identity.map_or(0, |identity| identity.id),
                password: Some(&identity.map_or([0; 16], |identity| identity.password)),
                read_only: Some(self.settings.read_only),
            }
            .write(out);
        });
        self.link = Link::Greeting { attempt, server, give_up_at, sent_at: now };
    }

    /// The connection could not be made, or is closed.
    pub fn disconnected(&mut self, attempt: u64, now: i64) {
        if self.link.attempt() == Some(attempt) {
            let pause = self.pause();
            self.lose_connection(now, now.saturating_add(pause));
        }
    }

    /// The answer to a probe.
    pub fn probed(&mut self, server: usize, writable: bool, now: i64) {
        if let Link::Up(Live { read_only: true, .. }) = self.link
            && writable
        {
            self.hosts.prefer(server);
            self.lose_connection(now, now);
        }
    }

    /// Moves what may be sent to `out`, in whole frames, until it holds `limit` bytes. To be asked for whenever the connection
    /// takes more, and after everything that was handed in.
    pub fn output(&mut self, now: i64, out: &mut Vec<u8>, limit: usize) {
        let before = out.len();
        match &self.link {
            Link::Down { .. } | Link::Opening { .. } => return,
            Link::Greeting { .. } => out.append(&mut self.control),
            Link::Up(live) => {
                let gate_open = live.sasl_xid.is_none();
                out.append(&mut self.control);
                if gate_open {
                    self.pending.send(now, out, limit);
                }
            }
        }
        if let Link::Up(live) = &mut self.link
            && out.len() > before
        {
            live.spoke_at = now;
        }
    }

    /// Whether [`output`](Self::output) has something to give.
    #[must_use]
    pub fn has_output(&self) -> bool {
        match &self.link {
            Link::Down { .. } | Link::Opening { .. } => false,
            Link::Greeting { .. } => !self.control.is_empty(),
            Link::Up(live) => {
                !self.control.is_empty() || (live.sasl_xid.is_none() && self.pending.has_unsent())
            }
        }
    }

    /// When [`tick`](Self::tick) is due.
    #[must_use]
    pub fn deadline(&self) -> Option<i64> {
        if self.state.is_final() || self.is_over() {
            return None;
        }
        let link = match &self.link {
            Link::Down { retry_at } => *retry_at,
            Link::Opening { give_up_at, .. } | Link::Greeting { give_up_at, .. } => *give_up_at,
            Link::Up(live) => {
                let mut due = self.ping_due(live).min(self.silence_ends(live));
                if live.read_only {
                    due = due.min(live.probe.0);
                }
                due
            }
        };
        let lost = self.lost_at().unwrap_or(i64::MAX);
        let close = self.close.map_or(i64::MAX, |close| close.give_up_at);
        Some(link.min(lost).min(close))
    }

    /// Time has passed.
    pub fn tick(&mut self, now: i64) {
        if self.state.is_final() || self.is_over() {
            return;
        }
        if self.lost_at().is_some_and(|at| now >= at) {
            self.lose_session(now);
        }
        if self.close.is_some_and(|close| now >= close.give_up_at) {
            self.finish(State::Closed, ErrorCode::ConnectionLoss);
            return;
        }
        match &self.link {
            Link::Down { retry_at } if now >= *retry_at => self.open(now),
            Link::Opening { give_up_at, .. } | Link::Greeting { give_up_at, .. }
                if now >= *give_up_at =>
            {
                let pause = self.pause();
                self.lose_connection(now, now.saturating_add(pause));
            }
            Link::Up(live) if now >= self.silence_ends(live) => {
                let pause = self.pause();
                self.lose_connection(now, now.saturating_add(pause));
            }
            Link::Up(_) => self.keep_alive(now),
            _ => {}
        }
    }

    fn open(&mut self, now: i64) {
        let Some(server) = self.hosts.next() else {
            self.link = Link::Down { retry_at: now.saturating_add(MAX_PAUSE) };
            return;
        };
        self.counters.attempts += 1;
        let attempt = self.counters.attempts;
        let servers = i64::try_from(self.hosts.len()).unwrap_or(i64::MAX).max(3);
        let patience = self.timeout.checked_div(servers).unwrap_or(0).max(MIN_PATIENCE);
        self.link = Link::Opening { attempt, server, give_up_at: now.saturating_add(patience) };
        self.effects.push_back(Effect::Connect { attempt, server });
    }

    fn keep_alive(&mut self, now: i64) {
        let Link::Up(live) = &self.link else { return };
        if now >= self.ping_due(live) {
            write_frame(&mut self.control, |out| {
                RequestHeader { xid: PING_XID, op: OpCode::Ping.code() }.write(out);
            });
            if let Link::Up(live) = &mut self.link {
                live.pings.push_back(now);
                live.spoke_at = now;
            }
        }
        if let Link::Up(live) = &mut self.link
            && live.read_only
            && now >= live.probe.0
            && let Some(server) = self.hosts.peek()
        {
            let pause = live.probe.1;
            live.probe = (now.saturating_add(pause), pause.saturating_mul(2).min(MAX_PROBE_PAUSE));
            self.effects.push_back(Effect::Probe { server });
        }
    }

    /// A third of the timeout of silence leaves two for the answer and for another server.
    fn ping_due(&self, live: &Live) -> i64 {
        live.spoke_at.saturating_add((self.timeout / 3).clamp(1, MAX_PING_PAUSE))
    }

    fn silence_ends(&self, live: &Live) -> i64 {
        live.heard_at.saturating_add((self.timeout.saturating_mul(2) / 3).max(1))
    }

    /// When the session counts as lost if nothing else is heard.
    fn lost_at(&self) -> Option<i64> {
        self.proof_at.map(|proof| proof.saturating_add(self.timeout))
    }

    /// Whether the session is lost and is not to be followed by another.
    fn is_over(&self) -> bool {
        self.state == State::Lost && !self.settings.renew
    }

    /// A pause before the next attempt: by chance, so that the clients of a dead server do not come back at once, and
    /// longer with every round of the list without success.
    pub(super) fn pause(&mut self) -> i64 {
        let base = (self.timeout / 20).clamp(1, MAX_FIRST_PAUSE);
        let most = (self.timeout / 6).clamp(base, MAX_PAUSE);
        let rounds = self.hosts.rounds().min(16);
        let bound =
            if self.hosts.went_round() { base.saturating_mul(1 << rounds).min(most) } else { base };
        self.random.pause(bound)
    }

    /// The connection is gone: whatever was on it has an unknown outcome.
    pub(super) fn lose_connection(&mut self, now: i64, retry_at: i64) {
        self.drop_link(retry_at);
        let mut closing = false;
        while let Some((entry, path)) = self.pending.pop_sent() {
            closing |= entry.waiter == Waiter::Close;
            self.fail(entry, path, ErrorCode::ConnectionLoss, true);
        }
        if closing {
            // Closing again does no harm: it is said on the next connection too.
            self.close_again();
        }
        if self.state.is_connected() {
            self.enter(State::Suspended);
        }
        if self.lost_at().is_some_and(|at| now >= at) {
            self.lose_session(now);
        }
    }

    fn drop_link(&mut self, retry_at: i64) {
        if let Some(attempt) = self.link.attempt() {
            self.effects.push_back(Effect::Disconnect { attempt });
        }
        self.link = Link::Down { retry_at };
        self.control.clear();
        self.inbox.clear();
        for credential in &mut self.credentials {
            credential.sent = false;
        }
    }

    /// The session is gone: everything of it fails, and every watch is told once.
    pub(super) fn lose_session(&mut self, now: i64) {
        self.counters.lost += 1;
        self.drop_link(now);
        self.identity = None;
        self.established = false;
        self.proof_at = None;
        self.last_zxid = 0;
        self.timeout = i64::from(self.settings.timeout.max(1));
        self.fail_everything(ErrorCode::SessionExpired);
        if self.close.is_some() {
            self.finish(State::Closed, ErrorCode::Closing);
        } else {
            self.enter(State::Lost);
        }
    }

    /// The end: nothing follows.
    pub(super) fn finish(&mut self, state: State, code: ErrorCode) {
        self.drop_link(i64::MAX);
        self.proof_at = None;
        self.fail_everything(if code == ErrorCode::ConnectionLoss {
            ErrorCode::Closing
        } else {
            code
        });
        for credential in std::mem::take(&mut self.credentials) {
            if let Some(token) = credential.waiter {
                let op = OpCode::Auth;
                let failure = Failure { code, op, path: String::new(), outcome_unknown: false };
                self.complete(token, Err(failure));
            }
        }
        if let Some(close) = self.close.take() {
            let result = match code {
                ErrorCode::Closing => Ok(Reply::Done),
                code => Err(Failure {
                    code,
                    op: OpCode::CloseSession,
                    path: String::new(),
                    outcome_unknown: true,
                }),
            };
            self.complete(close.token, result);
        }
        self.identity = None;
        self.enter(state);
    }

    fn fail_everything(&mut self, code: ErrorCode) {
        while let Some((entry, path)) = self.pending.pop_sent() {
            self.fail(entry, path, code, true);
        }
        while let Some((entry, path)) = self.pending.pop(true) {
            self.fail(entry, path, code, false);
        }
        self.dropped.clear();
        let mut told = Vec::new();
        self.watches.end(code, &mut told);
        self.effects.extend(told);
    }

    fn fail(&mut self, entry: Entry, path: String, code: ErrorCode, sent: bool) {
        match entry.waiter {
            Waiter::Caller(token) => {
                let path = strip(path.into(), entry.root);
                let outcome_unknown = sent && changes_state(entry.op);
                self.complete(token, Err(Failure { code, op: entry.op, path, outcome_unknown }));
            }
            Waiter::Nobody | Waiter::Close => {}
        }
    }
}

/// Whether carrying it out leaves a trace: then it matters that the outcome is unknown.
pub(super) const fn changes_state(op: OpCode) -> bool {
    matches!(
        op,
        OpCode::Create2
            | OpCode::CreateContainer
            | OpCode::CreateTtl
            | OpCode::Delete
            | OpCode::SetData
            | OpCode::SetAcl
            | OpCode::Multi
            | OpCode::Reconfig
    )
}

/// The longest time between two pings; Apache's client has the same.
const MAX_PING_PAUSE: i64 = 10_000;
/// Bound of the pause after a connection was lost.
const MAX_FIRST_PAUSE: i64 = 1_000;
/// Bound of the pause after rounds without success.
const MAX_PAUSE: i64 = 5_000;
/// The least time that a connection attempt gets.
const MIN_PATIENCE: i64 = 200;
const MAX_PROBE_PAUSE: i64 = 60_000;
