//! The connection's life: attempts, pauses, heartbeats, and what is sent when. How it ends is told in `ending`.

use super::effect::{Effect, State};
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
    /// Whether the server keeps a lasting watch beside a one-shot watch on the same path, once that is known.
    pub(super) keeps_modes: Option<bool>,
    /// Credentials that were answered.
    pub(super) acknowledged: usize,
    /// The xid of a SASL step without an answer.
    pub(super) sasl_xid: Option<i32>,
    /// Whether requests may be sent: any SASL exchange is over.
    pub(super) admitted: bool,
    /// The connection is given up as soon as everything on it is answered, and then at the latest.
    pub(super) leave_by: Option<i64>,
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

    /// The server in use stays so, under a new index.
    pub(super) const fn stay(&mut self, new: usize) {
        match self {
            Self::Down { .. } => {}
            Self::Opening { server, .. } | Self::Greeting { server, .. } => *server = new,
            Self::Up(live) => (live.server, live.leave_by) = (new, None),
        }
    }

    pub(super) const fn attempt(&self) -> Option<u64> {
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
            if let Link::Greeting { server, .. } = self.link {
                self.hosts.refused(server);
            }
            self.give_up_connection(now);
        }
    }

    /// The answer to a probe.
    pub fn probed(&mut self, server: usize, writable: bool, now: i64) {
        if let Link::Up(Live { read_only: true, .. }) = self.link
            && writable
        {
            self.hosts.prefer(server);
            self.leave(now);
        }
    }

    /// Goes to another server: nothing more is sent on this connection, and what has been sent gets its answer first.
    pub(super) fn leave(&mut self, now: i64) {
        let patience = self.timeout / 6;
        match &mut self.link {
            Link::Up(live) if self.pending.has_sent() => {
                live.leave_by = Some(now.saturating_add(patience));
            }
            _ => self.lose_connection(now, now),
        }
    }

    /// Moves what may be sent to `out`, in whole frames, until it holds `limit` bytes. To be asked for whenever the connection
    /// takes more, and after everything that was handed in.
    pub fn output(&mut self, now: i64, out: &mut Vec<u8>, limit: usize) {
        // A process that has slept too long must not act for a session that it does not have any more.
        self.expire(now);
        let before = out.len();
        if matches!(self.link, Link::Greeting { .. } | Link::Up(_)) {
            out.append(&mut self.control);
        }
        if self.may_send() {
            self.pending.send(now, out, limit);
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
        let connected = matches!(self.link, Link::Greeting { .. } | Link::Up(_));
        (connected && !self.control.is_empty()) || (self.may_send() && self.pending.has_unsent())
    }

    const fn may_send(&self) -> bool {
        matches!(&self.link, Link::Up(Live { admitted: true, leave_by: None, .. }))
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
                let ping = if live.admitted { self.ping_due(live) } else { i64::MAX };
                let probe = if live.read_only { live.probe.0 } else { i64::MAX };
                let leave = live.leave_by.unwrap_or(i64::MAX);
                self.silence_ends(live).min(ping).min(probe).min(leave)
            }
        };
        let lost = self.lost_at().unwrap_or(i64::MAX);
        let close = self.close.map_or(i64::MAX, |close| close.give_up_at);
        let spread = self.spread.due_at().unwrap_or(i64::MAX);
        Some(link.min(lost).min(close).min(spread))
    }

    /// Time has passed.
    pub fn tick(&mut self, now: i64) {
        if self.state.is_final() || self.is_over() {
            return;
        }
        self.expire(now);
        if self.close.is_some_and(|close| now >= close.give_up_at) {
            self.finish(State::Closed, ErrorCode::ConnectionLoss);
        }
        if self.state.is_final() || self.is_over() {
            return;
        }
        self.tell_due(now);
        match &self.link {
            Link::Down { retry_at } if now >= *retry_at => self.open(now),
            Link::Opening { give_up_at, .. } | Link::Greeting { give_up_at, .. }
                if now >= *give_up_at =>
            {
                self.give_up_connection(now);
            }
            Link::Up(live) if live.leave_by.is_some_and(|at| now >= at) => {
                self.lose_connection(now, now);
            }
            Link::Up(live) if now >= self.silence_ends(live) => self.give_up_connection(now),
            Link::Up(live) if live.pings.len() >= MAX_PINGS => self.give_up_connection(now),
            Link::Up(live) if live.admitted => self.keep_alive(now),
            _ => {}
        }
    }

    /// Something is wrong with the connection: the next one is made after a pause.
    pub(super) fn give_up_connection(&mut self, now: i64) {
        let pause = self.pause();
        self.lose_connection(now, now.saturating_add(pause));
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
        {
            let pause = live.probe.1;
            live.probe = (now.saturating_add(pause), pause.saturating_mul(2).min(MAX_PROBE_PAUSE));
            if let Some(server) = self.hosts.other_than(live.server) {
                self.effects.push_back(Effect::Probe { server });
            }
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
    pub(super) fn lost_at(&self) -> Option<i64> {
        self.proof_at.map(|proof| proof.saturating_add(self.timeout))
    }

    /// Whether the session is lost and is not to be followed by another.
    #[must_use]
    pub fn is_over(&self) -> bool {
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
}

/// Pings without an answer before a connection that is not silent counts as dead.
const MAX_PINGS: usize = 8;
/// The longest time between two pings; Apache's client has the same.
const MAX_PING_PAUSE: i64 = 10_000;
/// Bound of the pause after a connection was lost.
const MAX_FIRST_PAUSE: i64 = 1_000;
/// Bound of the pause after rounds without success.
const MAX_PAUSE: i64 = 5_000;
/// The least time that a connection attempt gets.
const MIN_PATIENCE: i64 = 200;
const MAX_PROBE_PAUSE: i64 = 60_000;
