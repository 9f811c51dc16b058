//! A session under test, with a server that says what a test wants it to say.
//!
//! The rig holds the clock, keeps the effects in order and decodes what the session sends.

mod auth;
mod closing;
mod connection;
mod garbage;
mod limits;
mod modes;
mod rearm;
mod requests;
mod servers;
mod spread;
mod timers;
mod watches;

use super::*;
use quorate_wire::event::{EventType, write_notification};
use quorate_wire::frame::{ReplyHeader, RequestHeader, Split, split, write_frame};
use quorate_wire::op::connect::{ConnectRequest, ConnectResponse};
use quorate_wire::op::get_data::GetDataResponse;
use quorate_wire::{ErrorCode, Jute, OpCode, Reader, Stat};

/// The timeout that servers here grant, ms.
const TIMEOUT: i64 = 9_000;
const SESSION: i64 = 0x77;

struct Rig {
    session: ClientSession,
    now: i64,
    attempt: u64,
    server: usize,
    /// What has been done and not been looked at.
    effects: Vec<Effect>,
}

/// A frame that the session has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sent {
    xid: i32,
    op: OpCode,
    body: Vec<u8>,
}

fn settings() -> Settings {
    let servers = ["a", "b", "c"].map(String::from).to_vec();
    Settings { servers, timeout: 9_000, ..Settings::default() }
}

impl Rig {
    fn new(settings: Settings) -> Self {
        Self::with_sasl(settings, None)
    }

    fn with_sasl(settings: Settings, sasl: Option<Box<dyn Mechanism>>) -> Self {
        let session = ClientSession::new(settings, sasl, 1, 0);
        Self { session, now: 0, attempt: 0, server: 0, effects: Vec::new() }
    }

    /// A session in touch with a server; what was done for that is forgotten.
    fn up() -> Self {
        let mut rig = Self::new(settings());
        rig.connect();
        assert_eq!(rig.take_effects().last(), Some(&Effect::State(State::Connected)));
        rig
    }

    fn collect(&mut self) {
        while let Some(effect) = self.session.next_effect() {
            if let Effect::Connect { attempt, server } = effect {
                (self.attempt, self.server) = (attempt, server);
            }
            self.effects.push(effect);
        }
    }

    fn take_effects(&mut self) -> Vec<Effect> {
        self.collect();
        std::mem::take(&mut self.effects)
    }

    /// What has ended, by token.
    fn completions(&mut self) -> Vec<(Token, Result<Reply, Failure>)> {
        let completed = |effect| match effect {
            Effect::Complete { token, result } => Some((token, result)),
            _ => None,
        };
        self.take_effects().into_iter().filter_map(completed).collect()
    }

    /// What ended, as token, code and whether the outcome is unknown; the code is `None` for success.
    fn ended(&mut self) -> Vec<(Token, Option<ErrorCode>, bool)> {
        let ended = self.completions().into_iter();
        ended
            .map(|(token, result)| match result {
                Ok(_) => (token, None, false),
                Err(failure) => (token, Some(failure.code), failure.outcome_unknown),
            })
            .collect()
    }

    fn events(&mut self) -> Vec<(WatchKey, Notice)> {
        let event = |effect| match effect {
            Effect::Event { watch, event } => Some((watch, event)),
            _ => None,
        };
        self.take_effects().into_iter().filter_map(event).collect()
    }

    fn states(&mut self) -> Vec<State> {
        let state = |effect| match effect {
            Effect::State(state) => Some(state),
            _ => None,
        };
        self.take_effects().into_iter().filter_map(state).collect()
    }

    fn tick_at(&mut self, now: i64) {
        self.now = now;
        self.session.tick(now);
        self.collect();
    }

    /// Lets time pass, to the session's own deadlines, until the driver is told to connect.
    fn until_attempt(&mut self) {
        let before = self.attempt;
        for _ in 0..100 {
            self.collect();
            if self.attempt != before {
                return;
            }
            let due = self.session.deadline().expect("it does not try again");
            self.tick_at(due.max(self.now));
        }
        panic!("it does not try again");
    }

    /// Connects as far as the session's half of the handshake.
    fn greet(&mut self) -> Vec<u8> {
        self.until_attempt();
        self.session.connected(self.attempt, self.now);
        let bytes = self.raw_output();
        match split(&bytes, 1 << 20) {
            Split::Frame { payload, consumed } => {
                assert_eq!(consumed, bytes.len(), "more than the handshake");
                payload.to_vec()
            }
            other => panic!("{other:?}"),
        }
    }

    fn connect(&mut self) {
        self.greet();
        self.welcome(SESSION, i32::try_from(TIMEOUT).unwrap(), false);
    }

    fn welcome(&mut self, session: i64, timeout: i32, read_only: bool) {
        let bytes = welcome(session, timeout, read_only);
        self.receive(&bytes);
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.session.received(self.attempt, bytes, self.now);
        self.collect();
    }

    fn hang_up(&mut self) {
        self.session.disconnected(self.attempt, self.now);
        self.collect();
    }

    fn raw_output(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.session.output(self.now, &mut out, usize::MAX);
        self.collect();
        out
    }

    fn sent(&mut self) -> Vec<Sent> {
        frames(&self.raw_output())
    }

    fn sent_ops(&mut self) -> Vec<OpCode> {
        self.sent().into_iter().map(|sent| sent.op).collect()
    }

    fn submit(&mut self, request: &Request<'_>, token: Token) {
        self.submit_below("", request, token);
    }

    fn submit_below(&mut self, root: &str, request: &Request<'_>, token: Token) {
        self.session.submit(root, request, token).unwrap();
        self.collect();
    }

    fn get(&mut self, path: &str, token: Token) {
        self.submit(&Request::Get { path, watch: None }, token);
    }

    fn set(&mut self, path: &str, token: Token) {
        self.submit(&Request::Set { path, data: b"x", version: -1 }, token);
    }

    /// Submits, sends and has it answered.
    fn ask(&mut self, request: &Request<'_>, token: Token, err: i32, body: &[u8]) {
        self.submit(request, token);
        let sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        self.reply(sent[0].xid, 5, err, body);
    }

    fn reply(&mut self, xid: i32, zxid: i64, err: i32, body: &[u8]) {
        self.receive(&reply(xid, zxid, err, body));
    }

    fn notify(&mut self, kind: EventType, path: &str) {
        let mut bytes = Vec::new();
        write_notification(kind, path, -1, &mut bytes);
        self.receive(&bytes);
    }
}

fn welcome(session: i64, timeout: i32, read_only: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_frame(&mut bytes, |out| {
        ConnectResponse {
            protocol_version: 0,
            timeout,
            session_id: session,
            password: Some(&[7; 16]),
            read_only: Some(read_only),
        }
        .write(out);
    });
    bytes
}

fn reply(xid: i32, zxid: i64, err: i32, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_frame(&mut bytes, |out| {
        ReplyHeader { xid, zxid, err }.write(out);
        out.extend_from_slice(body);
    });
    bytes
}

fn frames(mut bytes: &[u8]) -> Vec<Sent> {
    let mut sent = Vec::new();
    while let Split::Frame { payload, consumed } = split(bytes, 64 << 20) {
        let mut r = Reader::new(payload);
        let header: RequestHeader = r.get().unwrap();
        let op = OpCode::from_code(header.op).unwrap();
        sent.push(Sent { xid: header.xid, op, body: r.rest().to_vec() });
        bytes = &bytes[consumed..];
    }
    assert!(bytes.is_empty(), "not in whole frames");
    sent
}

fn greeting(bytes: &[u8]) -> (i64, Vec<u8>, i64) {
    let request = ConnectRequest::from_bytes(bytes).unwrap();
    (request.session_id, request.password.unwrap().to_vec(), request.last_zxid_seen)
}

fn stat() -> Vec<u8> {
    Stat::default().to_bytes()
}

fn data(bytes: &[u8]) -> Vec<u8> {
    GetDataResponse { data: Some(bytes), stat: Stat::default() }.to_bytes()
}
