//! Plays the recorded exchanges against a running server and compares what comes back.
//!
//! Data-driven: connections are opened as their labels appear, requests are sent as recorded except for session
//! ids and passwords, and replies are compared field by field ([`compare`]), so that what differs from run to run
//! does not matter and everything else does. Then come the four-letter words ([`words`]). Where a server
//! is meant to answer otherwise, [`Answers`] says how and why. Used by `vectors_replay.rs` and `examples/replay.rs`.

pub mod compare;
mod link;
pub mod words;

use crate::vectors::{self, Exchange, Word};
use compare::{Maps, Shown, show_connect, show_reply};
use link::{Incoming, Link};
use quorate_wire::frame::{NOTIFICATION_XID, ReplyHeader, RequestHeader, Split, split};
use quorate_wire::jute::Jute;
use quorate_wire::op::connect::{ConnectRequest, ConnectResponse};
use quorate_wire::{OpCode, password};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

/// How a server answers otherwise than recorded.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    exchanges: BTreeMap<String, vectors::Answer>,
    words: BTreeMap<String, vectors::WordAnswer>,
}

impl Answers {
    /// As recorded: what Apache 3.8.0 does.
    #[must_use]
    pub fn recorded() -> Self {
        Self::default()
    }

    /// What quorate does: the table in `tests/vectors/answers.json`.
    #[must_use]
    pub fn quorate() -> Self {
        let exchanges = vectors::answers().into_iter().map(|a| (a.name.clone(), a)).collect();
        let words = vectors::word_answers().into_iter().map(|a| (a.name.clone(), a)).collect();
        Self { exchanges, words }
    }

    /// The keys that this server's answer to a word must have, if not all recorded ones.
    #[must_use]
    pub fn keys(&self, word: &Word) -> Option<&[String]> {
        self.words.get(&word.name).map(|answer| &answer.keys[..])
    }

    /// The exchange as this server is expected to hold it.
    fn apply(&self, exchange: &Exchange) -> Exchange {
        let mut expected = exchange.clone();
        if let Some(answer) = self.exchanges.get(&exchange.name) {
            expected.no_reply = false;
            expected.response.clone_from(&answer.response);
            expected.closed_after_reply = answer.closed_after_reply;
            expected.first_connection_closed &= !answer.first_connection_stays;
        }
        expected
    }
}

/// What came out.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Exchanges that were played.
    pub played: usize,
    /// Exchanges of servers that this one is not (an ensemble, a read-only one).
    pub skipped: usize,
    /// Words that were asked.
    pub words: usize,
    /// Rows of the table that name no exchange.
    pub unknown_answers: Vec<String>,
    /// Every difference: which exchange, and what.
    pub differences: Vec<String>,
    /// Every word that is answered otherwise, and how.
    pub word_differences: Vec<String>,
}

/// Plays everything recorded from a `standalone` server against the server at `address`, whose
/// directory must be empty and whose configuration that of the recording (`tests/vectors/README.md`).
///
/// Takes about 15 s, most of which is waiting for a session to expire and for reapers.
#[must_use]
pub fn run(address: SocketAddr, answers: &Answers) -> Report {
    let exchanges = vectors::exchanges();
    let mut report = Report::default();
    let names: BTreeSet<_> = exchanges.iter().map(|e| e.name.as_str()).collect();
    let unknown = answers.exchanges.keys().filter(|name| !names.contains(name.as_str()));
    report.unknown_answers = unknown.cloned().collect();
    let mut player = Player::new(address, &exchanges);
    for (at, exchange) in exchanges.iter().enumerate() {
        if exchange.server != SERVER {
            report.skipped += 1;
            continue;
        }
        report.played += 1;
        let expected = answers.apply(exchange);
        let outcome = player.play(at, &expected);
        if answers.exchanges.is_empty() && RACY.contains(&exchange.name.as_str()) {
            continue;
        }
        if let Err(difference) = outcome {
            report.differences.push(format!("{} [{}]: {difference}", exchange.name, exchange.conn));
        }
        if player.silences > MAX_SILENCES {
            report.differences.push("the server keeps silent: given up".to_owned());
            return report;
        }
        if report.differences.len() > MAX_DIFFERENCES {
            report.differences.push("too many differences: given up".to_owned());
            return report;
        }
    }
    for word in vectors::words().iter().filter(|word| word.server == SERVER) {
        report.words += 1;
        if let Err(difference) = words::ask(address, word, answers.keys(word)) {
            report.word_differences.push(format!("{}: {difference}", word.name));
        }
    }
    report
}

struct Player<'a> {
    address: SocketAddr,
    exchanges: &'a [Exchange],
    links: BTreeMap<String, Link>,
    maps: Maps,
    silences: usize,
}

impl<'a> Player<'a> {
    fn new(address: SocketAddr, exchanges: &'a [Exchange]) -> Self {
        Self { address, exchanges, links: BTreeMap::new(), maps: Maps::default(), silences: 0 }
    }

    fn play(&mut self, at: usize, expected: &Exchange) -> Result<(), String> {
        if !self.links.contains_key(&expected.conn) {
            let link = Link::open(self.address).map_err(|e| format!("cannot connect: {e}"))?;
            self.links.insert(expected.conn.clone(), link);
        }
        let mut link = self.links.remove(&expected.conn).ok_or("no connection")?;
        let outcome = self.exchange(&mut link, expected);
        if let Some(session) = resumed_session(expected)
            && expected.first_connection_closed
        {
            self.expect_first_closed(session)?;
        }
        if self.is_needed_after(at, &expected.conn) {
            self.links.insert(expected.conn.clone(), link);
        }
        outcome
    }

    fn exchange(&mut self, link: &mut Link, expected: &Exchange) -> Result<(), String> {
        if !expected.request.is_empty() {
            // A server that closes early may refuse the rest; what counts is what it answered.
            let _ = link.send(&self.substitute(&expected.request));
        }
        if expected.no_reply {
            return match link.read(Duration::from_millis(300)) {
                Incoming::Silence => Ok(()),
                other => Err(format!("expected silence, got {other}")),
            };
        }
        let Some(response) = &expected.response else { return self.expect_closed(link) };
        if expected.multi_frame {
            self.burst(link, expected, response)?;
        } else {
            self.reply(link, expected, response)?;
        }
        if expected.closed_after_reply { self.expect_closed(link) } else { Ok(()) }
    }

    /// One answer, with the notifications that come before it.
    fn reply(
        &mut self,
        link: &mut Link,
        expected: &Exchange,
        response: &[u8],
    ) -> Result<(), String> {
        let is_event = expected.request.is_empty();
        let mut pushed = Vec::new();
        let live = loop {
            let frame = self.read(link, if is_event { EVENT_WAIT } else { REPLY_WAIT })?;
            if is_event || !is_notification(&frame) || is_handshake(expected) {
                break frame;
            }
            pushed.push(frame);
        };
        let ops = opcodes(&expected.request);
        if pushed.len() != expected.pushed_before.len() {
            let wanted = expected.pushed_before.len();
            return Err(format!("{} notifications before the reply, not {wanted}", pushed.len()));
        }
        for (wanted, got) in expected.pushed_before.iter().zip(&pushed) {
            self.same(&ops, false, payload(wanted)?, payload(got)?)?;
        }
        self.same(&ops, is_handshake(expected), payload(response)?, payload(&live)?)
    }

    /// Several frames in answer to several requests sent at once. Where the reply to auth comes depends on
    /// timing; the order of the others does not.
    fn burst(
        &mut self,
        link: &mut Link,
        expected: &Exchange,
        response: &[u8],
    ) -> Result<(), String> {
        let ops = opcodes(&expected.request);
        let mut wanted = frames(response);
        let mut got = Vec::new();
        for _ in 0..wanted.len() {
            got.push(self.read(link, REPLY_WAIT)?);
        }
        if is_handshake(expected) {
            self.same(&ops, true, payload(&wanted.remove(0))?, payload(&got.remove(0))?)?;
        }
        let is_auth = |frame: &Vec<u8>| xid(frame) == Some(quorate_wire::frame::AUTH_XID);
        wanted.sort_by_key(is_auth);
        got.sort_by_key(is_auth);
        for (wanted, got) in wanted.iter().zip(&got) {
            self.same(&ops, false, payload(wanted)?, payload(got)?)?;
        }
        Ok(())
    }

    fn same(
        &mut self,
        ops: &BTreeMap<i32, OpCode>,
        handshake: bool,
        wanted: &[u8],
        got: &[u8],
    ) -> Result<(), String> {
        let show = |bytes: &[u8]| -> Result<Shown, String> {
            if handshake {
                return show_connect(bytes);
            }
            let header = ReplyHeader::from_bytes(bytes).map_err(|e| e.to_string())?;
            show_reply(ops.get(&header.xid).copied(), bytes)
        };
        let wanted = show(wanted)?;
        let got = show(got).map_err(|e| format!("cannot be decoded: {e}"))?;
        self.maps.compare(&wanted, &got)
    }

    fn read(&mut self, link: &mut Link, wait: Duration) -> Result<Vec<u8>, String> {
        match link.read(wait) {
            Incoming::Frame(frame) => Ok(frame),
            other => {
                self.silences += usize::from(matches!(other, Incoming::Silence));
                Err(format!("expected a frame, got {other}"))
            }
        }
    }

    fn expect_closed(&mut self, link: &mut Link) -> Result<(), String> {
        match link.read(REPLY_WAIT) {
            Incoming::Closed => Ok(()),
            other => {
                self.silences += usize::from(matches!(other, Incoming::Silence));
                Err(format!("expected the connection to be closed, got {other}"))
            }
        }
    }

    /// The connection that held a session before another one resumed it must be gone.
    fn expect_first_closed(&mut self, session: i64) -> Result<(), String> {
        let holders = self.exchanges.iter().filter(|e| granted_session(e) == Some(session));
        let labels: Vec<_> = holders.map(|e| e.conn.clone()).collect();
        for label in labels {
            if let Some(mut first) = self.links.remove(&label) {
                return self.expect_closed(&mut first).map_err(|e| format!("of {label}: {e}"));
            }
        }
        Err("the connection that held the session is not open".to_owned())
    }

    /// A connection ends with its last exchange, unless a later one shows that the server ends it. The last
    /// connection of all stays for the words.
    fn is_needed_after(&self, at: usize, conn: &str) -> bool {
        let later = self.exchanges.get(at + 1..).unwrap_or_default();
        let session = self.exchanges.iter().find(|e| e.conn == conn).and_then(granted_session);
        let resumed = |e: &Exchange| {
            e.first_connection_closed && session.is_some() && resumed_session(e) == session
        };
        later.is_empty() || later.iter().any(|e| e.conn == conn || resumed(e))
    }

    /// The request with the session that this run has in place of the recorded one.
    fn substitute(&self, request: &[u8]) -> Vec<u8> {
        let Split::Frame { payload, consumed } = split(request, usize::MAX) else {
            return request.to_vec();
        };
        let Ok(connect) = ConnectRequest::from_bytes(payload) else { return request.to_vec() };
        let Some(live) = self.maps.session(connect.session_id) else { return request.to_vec() };
        let own = password::matches(connect.session_id, connect.password.unwrap_or_default());
        let password = password::of_session(live);
        let password = if own { Some(&password[..]) } else { connect.password };
        let mut out = Vec::new();
        let connect = ConnectRequest { session_id: live, password, ..connect };
        quorate_wire::frame::write_frame(&mut out, |out| connect.write(out));
        out.extend_from_slice(request.get(consumed..).unwrap_or_default());
        out
    }
}

/// Whether the answer, or the first of its frames, is that to a handshake.
fn is_handshake(exchange: &Exchange) -> bool {
    let response = exchange.response.as_deref().unwrap_or_default();
    payload(response)
        .and_then(|p| ConnectResponse::from_bytes(p).map_err(|e| e.to_string()))
        .is_ok_and(|reply| {
            let password = reply.password.unwrap_or_default();
            password::matches(reply.session_id, password)
                || (reply.session_id == 0 && password == [0; 16])
        })
}

/// The session that an exchange opened or resumed.
fn granted_session(exchange: &Exchange) -> Option<i64> {
    let response = exchange.response.as_deref().filter(|_| is_handshake(exchange))?;
    let session = ConnectResponse::from_bytes(payload(response).ok()?).ok()?.session_id;
    (session != 0).then_some(session)
}

/// The session that an exchange asks for.
fn resumed_session(exchange: &Exchange) -> Option<i64> {
    let request = Some(&exchange.request).filter(|_| is_handshake(exchange))?;
    let session = ConnectRequest::from_bytes(payload(request).ok()?).ok()?.session_id;
    (session != 0).then_some(session)
}

fn is_notification(frame: &[u8]) -> bool {
    xid(frame) == Some(NOTIFICATION_XID)
}

fn xid(frame: &[u8]) -> Option<i32> {
    ReplyHeader::from_bytes(payload(frame).ok()?).ok().map(|header| header.xid)
}

fn payload(frame: &[u8]) -> Result<&[u8], String> {
    match split(frame, usize::MAX) {
        Split::Frame { payload, .. } => Ok(payload),
        _ => Err("not a frame".to_owned()),
    }
}

fn frames(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    while let Split::Frame { consumed, .. } = split(bytes, usize::MAX) {
        let (frame, rest) = bytes.split_at(consumed);
        out.push(frame.to_vec());
        bytes = rest;
    }
    out
}

/// The operations of the requests in `bytes` by xid.
fn opcodes(bytes: &[u8]) -> BTreeMap<i32, OpCode> {
    let headers = frames(bytes)
        .into_iter()
        .filter_map(|frame| RequestHeader::from_bytes(payload(&frame).ok()?).ok());
    headers.filter_map(|h| OpCode::from_code(h.op).map(|op| (h.xid, op))).collect()
}

/// Where the answer of Apache depends on its threads: it may refuse the request behind a closeSession (-112)
/// before it closes. A server of one thread has no such excuse.
const RACY: &[&str] = &["request behind closeSession"];
const SERVER: &str = "standalone";
const REPLY_WAIT: Duration = Duration::from_secs(5);
/// Expiry and reapers take up to this long.
const EVENT_WAIT: Duration = Duration::from_secs(12);
const MAX_SILENCES: usize = 5;
const MAX_DIFFERENCES: usize = 40;
