//! A simple ZooKeeper client that remembers everything: it speaks bytes, sends what chance wants, and checks each reply and
//! each notification against the history.
//!
//! Checked here: replies come in the order of requests; zxids never go back, not even over reconnects; a read is the
//! model's state at its zxid; a write's answer is its transaction's; every watch fires exactly when it has to, before
//! any reply of a later state; resuming works exactly for the owner of a living session.

mod generate;
mod replies;
mod watches;

use super::env::{Checked, Env, Event, Violation, ensure};
use super::net::{End, LinkId, Taken};
use super::random::Random;
use super::server::Server;
use super::trace::note;
use crate::messages::is_write;
use quorate_wire::frame::{PING_XID, RequestHeader, SET_WATCHES_XID, Split, split, write_frame};
use quorate_wire::op::connect::{ConnectRequest, ConnectResponse};
use quorate_wire::{Jute, OpCode, password};
use std::collections::VecDeque;
use watches::{Notice, Watches};

/// A client.
pub struct Client {
    number: usize,
    random: Random,
    state: State,
    session: i64,
    /// ms; what it asks for, and what it has.
    wanted: i32,
    timeout: i32,
    last_zxid: i64,
    xid: i32,
    outstanding: VecDeque<Sent>,
    input: Vec<u8>,
    watches: Watches,
    /// Changes up to this zxid have been held against the watches.
    cursor: i64,
    /// What has to be told next.
    expected: VecDeque<Notice>,
    /// What setWatches told at once.
    caught_up: Vec<Notice>,
    known: Vec<String>,
    /// us of the last byte each way.
    sent_at: u64,
    heard_at: u64,
    deaf_until: u64,
    silent_until: u64,
    calm: Option<Farewell>,
    /// Replies that were checked.
    pub replies: u64,
    /// Notifications that were checked.
    pub notices: u64,
}

/// How a client leaves at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// It closes its session.
    Close,
    /// It goes without a word, and the session has to expire.
    Vanish,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// The handshake is under way; with a wrong password or the right one.
    Shaking(LinkId, bool),
    Open(LinkId),
    Gone,
}

/// A request without a reply.
#[derive(Clone, Debug)]
struct Sent {
    xid: i32,
    op: OpCode,
    body: Vec<u8>,
}

impl Client {
    /// A client without a session.
    #[must_use]
    pub fn new(number: usize, env: &mut Env) -> Self {
        let mut random = env.random.fork();
        let (low, high) = env.plan.timeouts;
        let wanted = i32::try_from(random.between(low, high)).unwrap_or(i32::MAX);
        Self {
            number,
            random,
            state: State::Idle,
            session: 0,
            wanted,
            timeout: wanted,
            last_zxid: 0,
            xid: 0,
            outstanding: VecDeque::new(),
            input: Vec::new(),
            watches: Watches::default(),
            cursor: 0,
            expected: VecDeque::new(),
            caught_up: Vec::new(),
            known: Vec::new(),
            sent_at: 0,
            heard_at: 0,
            deaf_until: 0,
            silent_until: 0,
            calm: None,
            replies: 0,
            notices: 0,
        }
    }

    /// Does something, and plans when to do the next thing.
    pub fn act(&mut self, env: &mut Env, server: &mut Server) -> Checked {
        match self.state {
            State::Gone => return Ok(()),
            State::Idle => self.connect(env, server),
            State::Shaking(..) => {
                if env.now - self.heard_at > SHAKE_LIMIT {
                    self.hang_up(env);
                }
            }
            State::Open(_) => self.act_open(env)?,
        }
        if env.now >= self.deaf_until {
            self.read(env)?;
        }
        let (low, high) = env.plan.client_gap;
        let gap = if self.calm.is_some() { 20_000 } else { self.random.skewed(low, high) };
        env.after(gap.max(1), Event::Act { client: self.number });
        Ok(())
    }

    fn act_open(&mut self, env: &mut Env) -> Checked {
        let timeout = u64::try_from(self.timeout).unwrap_or(0) * 1000;
        let waiting = !self.outstanding.is_empty();
        if waiting && env.now - self.heard_at > timeout * 2 / 3 && env.now >= self.deaf_until {
            note!(env.trace, "client {}: has heard nothing for too long", self.number);
            self.hang_up(env);
            return Ok(());
        }
        if env.now < self.silent_until {
            return Ok(());
        }
        if let Some(farewell) = self.calm
            && !waiting
        {
            return self.leave(env, farewell);
        }
        if env.now - self.sent_at > timeout / 3 {
            self.send(env, PING_XID, OpCode::Ping, Vec::new());
        }
        if self.calm.is_some() || self.outstanding.len() > LOOKAHEAD {
            return Ok(());
        }
        if self.random.chance(env.plan.farewells) {
            return self.leave(env, Farewell::Close);
        }
        if self.random.chance(2) {
            self.hang_up(env);
            return Ok(());
        }
        for _ in 0..self.random.between(0, env.plan.burst) {
            let mut body = Vec::new();
            let op = generate::generate(&mut self.random, &env.plan, &self.known, &mut body);
            self.xid += 1;
            let xid = if op == OpCode::Ping { PING_XID } else { self.xid };
            self.send(env, xid, op, body);
        }
        Ok(())
    }

    fn leave(&mut self, env: &mut Env, farewell: Farewell) -> Checked {
        if farewell == Farewell::Vanish {
            note!(env.trace, "client {}: vanishes", self.number);
            self.hang_up(env);
            self.state = State::Gone;
        } else {
            self.xid += 1;
            self.send(env, self.xid, OpCode::CloseSession, Vec::new());
        }
        Ok(())
    }

    fn connect(&mut self, env: &mut Env, server: &mut Server) {
        if self.calm.is_some() && self.session == 0 {
            self.state = State::Gone;
            return;
        }
        let link = env.links.open(self.number, self.session);
        if !server.accept(env, link) {
            env.close(link, End::Client);
            return;
        }
        let lie = self.session != 0 && self.random.chance(30);
        let mut word = password::of_session(self.session);
        if lie && let Some(byte) = word.first_mut() {
            *byte = byte.wrapping_add(1);
        }
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.last_zxid,
            timeout: self.wanted,
            session_id: self.session,
            password: Some(&word),
            read_only: Some(false),
        };
        let mut frame = Vec::new();
        write_frame(&mut frame, |out| request.write(out));
        note!(env.trace, "client {}: connects as {:x}, link {link}", self.number, self.session);
        env.send(link, End::Client, &frame);
        self.state = State::Shaking(link, !lie);
        (self.heard_at, self.sent_at) = (env.now, env.now);
        self.input.clear();
        self.outstanding.clear();
        self.expected.clear();
        self.caught_up.clear();
        self.deaf_until = 0;
    }

    /// Gives the connection up; the session stays.
    fn hang_up(&mut self, env: &mut Env) {
        if let State::Shaking(link, _) | State::Open(link) = self.state {
            env.close(link, End::Client);
            self.lost();
        }
    }

    /// There is no connection any more.
    fn lost(&mut self) {
        self.state = State::Idle;
        self.outstanding.clear();
    }

    fn send(&mut self, env: &mut Env, xid: i32, op: OpCode, body: Vec<u8>) {
        let State::Open(link) = self.state else { return };
        let mut frame = Vec::new();
        write_frame(&mut frame, |out| {
            RequestHeader { xid, op: op.code() }.write(out);
            out.extend_from_slice(&body);
        });
        if is_write(op) {
            env.history.asked(self.session, xid, op, &body);
        }
        note!(env.trace, "client {}: {} {op:?} {}", self.number, xid, body.len());
        if let Some(link) = env.links.get_mut(link) {
            link.request_ends(frame.len());
        }
        self.outstanding.push_back(Sent { xid, op, body });
        self.sent_at = env.now;
        env.send(link, End::Client, &frame);
    }

    /// Something has arrived.
    pub fn read(&mut self, env: &mut Env) -> Checked {
        if env.now < self.deaf_until {
            return Ok(());
        }
        while let State::Shaking(link, _) | State::Open(link) = self.state {
            match env.links.take(link, End::Client, usize::MAX) {
                Taken::Nothing => break,
                Taken::End => {
                    note!(env.trace, "client {}: the connection is closed", self.number);
                    self.hang_up(env);
                }
                Taken::Bytes(bytes) => {
                    self.heard_at = env.now;
                    self.input.extend_from_slice(&bytes);
                    self.frames(env)?;
                }
            }
        }
        Ok(())
    }

    fn frames(&mut self, env: &mut Env) -> Checked {
        let input = std::mem::take(&mut self.input);
        let mut rest = input.as_slice();
        loop {
            match split(rest, 64 << 20) {
                Split::Incomplete(_) => break,
                Split::Illegal(len) => {
                    return Err(Violation(format!("a frame of {len} bytes was announced")));
                }
                Split::Frame { payload, consumed } => {
                    rest = rest.get(consumed..).unwrap_or_default();
                    match self.state {
                        State::Shaking(link, honest) => {
                            self.shaken(env, link, honest, payload)?;
                        }
                        State::Open(_) => self.message(env, payload)?,
                        State::Idle | State::Gone => return Ok(()),
                    }
                }
            }
        }
        self.input = rest.to_vec();
        Ok(())
    }

    /// The server's half of the handshake.
    fn shaken(&mut self, env: &mut Env, link: LinkId, honest: bool, payload: &[u8]) -> Checked {
        let reply = ConnectResponse::from_bytes(payload)
            .map_err(|e| Violation(format!("the handshake cannot be read: {e}")))?;
        note!(env.trace, "client {}: session {:x}", self.number, reply.session_id);
        if reply.session_id == 0 {
            ensure!(reply.timeout == 0, "no session, but a timeout of {}", reply.timeout);
            ensure!(self.session != 0, "a new session was refused");
            if honest {
                ensure!(
                    !env.history.is_alive(self.session),
                    "session {:#x} is alive, but could not be resumed",
                    self.session
                );
                self.forget_session();
            }
            self.hang_up(env);
            return Ok(());
        }
        ensure!(honest, "session {:#x} was given for a wrong password", reply.session_id);
        ensure!(
            self.session == 0 || self.session == reply.session_id,
            "session {:#x} was asked for, {:#x} was given",
            self.session,
            reply.session_id
        );
        ensure!(
            reply.password == Some(password::of_session(reply.session_id).as_slice()),
            "the password of {:#x} is wrong",
            reply.session_id
        );
        (self.session, self.timeout) = (reply.session_id, reply.timeout);
        self.state = State::Open(link);
        env.history.granted(self.session, self.timeout);
        if let Some(link) = env.links.get_mut(link) {
            link.session = self.session;
        }
        if !self.watches.is_empty() {
            let body = self.watches.request(self.last_zxid).to_bytes();
            self.send(env, SET_WATCHES_XID, OpCode::SetWatches2, body);
        }
        Ok(())
    }

    fn forget_session(&mut self) {
        self.session = 0;
        self.watches = Watches::default();
    }

    /// It does not read until then, us.
    pub fn deafen(&mut self, until: u64) {
        self.deaf_until = until;
    }

    /// It does not send until then, us.
    pub fn silence(&mut self, until: u64) {
        self.silent_until = until;
    }

    /// It finishes what it has begun and leaves.
    pub fn calm_down(&mut self, farewell: Farewell) {
        self.calm = Some(farewell);
        (self.deaf_until, self.silent_until) = (0, 0);
    }

    /// Whether it has left.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.state == State::Gone
    }

    /// The link in use.
    #[must_use]
    pub const fn link(&self) -> Option<LinkId> {
        match self.state {
            State::Shaking(link, _) | State::Open(link) => Some(link),
            State::Idle | State::Gone => None,
        }
    }
}

/// How long a client waits for the handshake, us.
const SHAKE_LIMIT: u64 = 3_000_000;
/// Requests without reply above which a client sends no more.
const LOOKAHEAD: usize = 200;
