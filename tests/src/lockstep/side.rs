//! One of the two servers with its clients: plays steps and records everything that each client sees.
//!
//! A step is played in two halves, so that both servers work on it at the same time: `begin` sends, `finish`
//! collects. After every step a barrier does the same with a ping on every open connection: what was pushed
//! because of the step stands before its answer. Nothing is judged here; see `compare`.

use super::connection::{Connection, Next};
use super::server::{Kind, Release, Server, Tuning};
use super::step::{Claim, LastSeen, PREFIX, SLOTS, Sent, Step};
use anyhow::{Context, Result, bail};
use quorate_wire::OpCode;
use quorate_wire::frame::{NOTIFICATION_XID, PING_XID, ReplyHeader};
use quorate_wire::jute::Jute;
use quorate_wire::op::auth::AuthPacket;
use quorate_wire::op::connect::{ConnectRequest, ConnectResponse};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Something that a client saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A frame that answers a request; payloads of both.
    Reply(Vec<u8>, Vec<u8>),
    /// A notification.
    Event(Vec<u8>),
    /// The handshake succeeded.
    Connected {
        /// The granted timeout, ms.
        timeout: i32,
        /// Which of the sequence's sessions, by order of creation.
        session: usize,
        /// Whether the read-only byte is there, and its value.
        read_only: Option<bool>,
    },
    /// The handshake was answered otherwise; bytes of the answer.
    Refused(Vec<u8>),
    /// The server closed the connection.
    Closed,
    /// The server closed the connection that held the session before.
    OldClosed,
    /// The connection should have been closed and was not.
    StillOpen,
    /// The answer did not come.
    Silent,
    /// The step needs a connection or session that is not there.
    Idle,
    /// Transactions that the server was to make by itself did not come.
    NothingHappened,
    /// `srvr`: newest zxid since the start of the sequence, and the count of nodes.
    Counts(i64, i64),
}

/// A session of the sequence.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// The id that the server gave it.
    pub id: i64,
    password: Vec<u8>,
    timeout: i32,
    ended: bool,
}

#[derive(Debug, Default)]
struct Slot {
    connection: Option<Connection>,
    /// The connection that the slot had before, when its session is claimed by the new one.
    old: Option<Connection>,
    session: Option<usize>,
    expected: VecDeque<Vec<u8>>,
    items: Vec<Item>,
}

/// A server and its clients.
#[derive(Debug)]
pub(super) struct Side {
    server: Server,
    control: Connection,
    slots: Vec<Slot>,
    prefix: String,
    /// The newest zxid before the sequence.
    pub base: i64,
    newest: i64,
    /// The sequence's sessions in the order of their creation.
    pub sessions: Vec<Session>,
    /// What was learned about the time of each transaction, wall clock ms.
    pub times: HashMap<i64, i64>,
}

impl Side {
    /// Starts a server and opens the superuser's session.
    ///
    /// # Errors
    /// When the server does not start or refuses the superuser.
    pub(super) fn start(kind: &Kind, tuning: Tuning) -> Result<Self> {
        let server = Server::start(kind, tuning)?;
        let mut control = Connection::open(server.address())?;
        control.send([connect_request(0, &[], 0, 3_600_000, Some(false)).as_slice()]);
        let Next::Frame(_) = control.next(REPLY_LIMIT) else {
            bail!("no session for the observer")
        };
        let auth = AuthPacket { kind: 0, scheme: Some("digest".into()), auth: Some(b"super:test") };
        let mut side = Self {
            server,
            control,
            slots: Vec::new(),
            prefix: PREFIX.to_owned(),
            base: 0,
            newest: 0,
            sessions: Vec::new(),
            times: HashMap::new(),
        };
        let reply = side.ask(&Sent::new(-4, OpCode::Auth.code(), &auth.to_bytes()))?;
        if ReplyHeader::from_bytes(&reply)?.err != 0 {
            bail!("the superuser's password is refused");
        }
        Ok(side)
    }

    /// Begins sequence `number` with fresh clients.
    ///
    /// # Errors
    /// When the server does not answer.
    pub(super) fn prepare(&mut self, number: u32) -> Result<()> {
        self.slots = (0..SLOTS).map(|_| Slot::default()).collect();
        self.sessions.clear();
        self.prefix = format!("/L{:06}", number % 1_000_000);
        self.base = self.ping()?;
        self.newest = self.base;
        Ok(())
    }

    /// Which of Apache's servers it is; `None` for ours.
    #[must_use]
    pub(super) const fn release(&self) -> Option<Release> {
        self.server.release()
    }

    /// The end of the server's log.
    #[must_use]
    pub(super) fn log_tail(&self) -> String {
        self.server.log_tail()
    }

    /// Sends what the step sends.
    ///
    /// # Errors
    /// When a connection cannot be opened.
    pub(super) fn begin(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Open { slot, timeout, read_only, last_seen } => {
                let seen = self.seen(*last_seen);
                self.slot(*slot)?.connection = None;
                self.connect(*slot, &connect_request(0, &[0; 16], seen, *timeout, *read_only))
            }
            Step::Resume { slot, claim, last_seen, timeout } => {
                self.begin_resume(*slot, *claim, *last_seen, *timeout)
            }
            Step::Drop { slot } => {
                self.slot(*slot)?.connection = None;
                Ok(())
            }
            Step::Send { slot, requests, .. } => {
                let payloads: Vec<Vec<u8>> = requests.iter().map(|r| self.rendered(r)).collect();
                let slot = self.slot(*slot)?;
                if let Some(connection) = &mut slot.connection {
                    connection.send(payloads.iter().map(Vec::as_slice));
                    slot.expected.extend(requests.iter().map(|r| r.payload.clone()));
                }
                Ok(())
            }
            Step::Raw { slot, bytes } => {
                if let Some(connection) = &mut self.slot(*slot)?.connection {
                    connection.send_raw(bytes);
                }
                Ok(())
            }
            Step::Expire { .. } => Ok(()),
        }
    }

    /// Collects what the step brings about, barrier not included.
    ///
    /// # Errors
    /// When the observer is not answered.
    pub(super) fn finish(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Open { slot, .. } => self.finish_handshake(*slot, None),
            Step::Resume { slot, claim, last_seen, .. } => {
                let claimed = match claim {
                    Claim::Own(of) => self.slot(*of)?.session,
                    Claim::WrongPassword(_) | Claim::Unknown => None,
                };
                self.finish_handshake(*slot, claimed)?;
                if *last_seen != LastSeen::Future {
                    self.finish_takeover(*slot, claimed)?;
                }
                Ok(())
            }
            Step::Drop { .. } => Ok(()),
            Step::Send { slot: at, closes, extra, requests } => {
                let slot = self.slot(*at)?;
                if slot.connection.is_none() {
                    slot.items.push(Item::Idle);
                    return Ok(());
                }
                self.collect(*at)?;
                if *closes {
                    self.await_close(*at)?;
                }
                if requests.iter().any(|r| r.op() == OpCode::CloseSession.code()) {
                    self.mark_ended(*at)?;
                }
                if *extra > 0 && !self.await_zxid(self.newest + extra)? {
                    self.slot(*at)?.items.push(Item::NothingHappened);
                }
                Ok(())
            }
            Step::Raw { slot, .. } => self.await_close(*slot),
            Step::Expire { slot } => self.finish_expiry(*slot),
        }
    }

    /// Pings on every open connection.
    ///
    /// # Errors
    /// None at present.
    pub(super) fn begin_barrier(&mut self) -> Result<()> {
        let ping = Sent::new(PING_XID, OpCode::Ping.code(), &[]);
        for slot in &mut self.slots {
            if let Some(connection) = &mut slot.connection {
                connection.send([ping.payload.as_slice()]);
                slot.expected.push_back(ping.payload.clone());
            }
        }
        Ok(())
    }

    /// Collects up to the answers of the pings, and hands out what each client has seen since the last time.
    ///
    /// # Errors
    /// None at present.
    pub(super) fn finish_barrier(&mut self) -> Result<Vec<Vec<Item>>> {
        for at in 0..self.slots.len() {
            self.collect(at)?;
        }
        Ok(self.slots.iter_mut().map(|slot| std::mem::take(&mut slot.items)).collect())
    }

    /// Drops every connection, then closes every session of the sequence, one after the other.
    ///
    /// # Errors
    /// When a connection cannot be opened.
    pub(super) fn close_sessions(&mut self) -> Result<Vec<Item>> {
        self.slots = vec![Slot::default()];
        for index in 0..self.sessions.len() {
            let Some(session) = self.sessions.get(index).cloned() else { continue };
            let request = connect_request(session.id, &session.password, 0, 60_000, Some(false));
            self.connect(0, &request)?;
            self.finish_handshake(0, Some(index))?;
            let close = Sent::new(1, OpCode::CloseSession.code(), &[]);
            let step = Step::Send { slot: 0, requests: vec![close], closes: true, extra: 0 };
            self.begin(&step)?;
            self.finish(&step)?;
        }
        let items = self.slot(0)?.items.split_off(0);
        Ok(items)
    }

    /// `srvr`: the newest zxid since the start of the sequence, and the count of nodes.
    ///
    /// # Errors
    /// When the word is not answered, or not in its form.
    pub(super) fn counts(&self) -> Result<Item> {
        let text = self.server.word("srvr")?;
        let field = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)).context("srvr is not complete")
        };
        let zxid = i64::from_str_radix(field("Zxid: 0x")?, 16)?;
        Ok(Item::Counts(zxid - self.base, field("Node count: ")?.parse()?))
    }

    /// Sends a request as superuser and returns the reply's payload.
    ///
    /// # Errors
    /// When no reply comes.
    pub(super) fn ask(&mut self, request: &Sent) -> Result<Vec<u8>> {
        let payload = self.rendered(request);
        self.control.send([payload.as_slice()]);
        match self.control.next(REPLY_LIMIT) {
            Next::Frame(payload) => Ok(self.unrendered(payload)),
            other => bail!("the observer got {other:?}\n{}", self.log_tail()),
        }
    }

    fn ping(&mut self) -> Result<i64> {
        let reply = self.ask(&Sent::new(PING_XID, OpCode::Ping.code(), &[]))?;
        Ok(ReplyHeader::from_bytes(&reply)?.zxid)
    }

    fn await_zxid(&mut self, wanted: i64) -> Result<bool> {
        let end = Instant::now() + EXTRA_LIMIT;
        while self.ping()? < wanted {
            if Instant::now() > end {
                return Ok(false);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(true)
    }

    fn begin_resume(
        &mut self,
        at: usize,
        claim: Claim,
        last_seen: LastSeen,
        timeout: i32,
    ) -> Result<()> {
        let claimed = match claim {
            Claim::Own(of) | Claim::WrongPassword(of) => self.slot(of)?.session,
            Claim::Unknown => None,
        };
        let seen = self.seen(last_seen);
        let session = claimed.and_then(|index| self.sessions.get(index).cloned());
        let (id, mut password) = session.map_or((NOBODY, vec![0; 16]), |s| (s.id, s.password));
        if matches!(claim, Claim::WrongPassword(_)) {
            password.reverse();
            // Apache closes the session's present connection even so; whoever checks first need not.
            for slot in self.slots.iter_mut().filter(|slot| slot.session == claimed) {
                slot.connection = None;
            }
        }
        let slot = self.slot(at)?;
        let old = slot.connection.take();
        slot.old = old.filter(|_| slot.session == claimed && last_seen != LastSeen::Future);
        self.connect(at, &connect_request(id, &password, seen, timeout, Some(false)))
    }

    fn connect(&mut self, at: usize, request: &[u8]) -> Result<()> {
        let mut connection = Connection::open(self.server.address())?;
        connection.send([request]);
        let slot = self.slot(at)?;
        slot.expected.clear();
        slot.connection = Some(connection);
        Ok(())
    }

    fn finish_handshake(&mut self, at: usize, claimed: Option<usize>) -> Result<()> {
        let slot = self.slot(at)?;
        let Some(connection) = &mut slot.connection else { return Ok(()) };
        let next = connection.next(REPLY_LIMIT);
        let Next::Frame(payload) = next else {
            slot.items.push(if matches!(next, Next::Closed) { Item::Closed } else { Item::Silent });
            slot.connection = None;
            return Ok(());
        };
        let granted = ConnectResponse::from_bytes(&payload)
            .ok()
            .filter(|r| r.session_id != 0 && r.protocol_version == 0);
        let Some(response) = granted else {
            slot.items.push(Item::Refused(payload));
            return self.await_close(at);
        };
        let password = response.password.unwrap_or_default().to_vec();
        let known = claimed.filter(|index| {
            self.sessions
                .get(*index)
                .is_some_and(|s| s.id == response.session_id && s.password == password)
        });
        let session = known.unwrap_or(self.sessions.len());
        if known.is_none() {
            let id = response.session_id;
            self.sessions.push(Session { id, password, timeout: response.timeout, ended: false });
        }
        let slot = self.slot(at)?;
        slot.session = Some(session);
        let (timeout, read_only) = (response.timeout, response.read_only);
        slot.items.push(Item::Connected { timeout, session, read_only });
        Ok(())
    }

    /// Whoever held the claimed session before has lost its connection.
    fn finish_takeover(&mut self, at: usize, claimed: Option<usize>) -> Result<()> {
        let slot = self.slot(at)?;
        if let Some(mut old) = slot.old.take() {
            let closed = matches!(old.next(CLOSE_LIMIT), Next::Closed);
            slot.items.push(if closed { Item::OldClosed } else { Item::StillOpen });
        }
        for other in (0..SLOTS).filter(|other| *other != at) {
            let slot = self.slot(other)?;
            if claimed.is_some() && slot.session == claimed && slot.connection.is_some() {
                self.await_close(other)?;
            }
        }
        Ok(())
    }

    fn finish_expiry(&mut self, at: usize) -> Result<()> {
        let session = self.slot(at)?.session;
        let short = session
            .and_then(|index| self.sessions.get(index))
            .is_some_and(|s| !s.ended && s.timeout <= LONGEST_EXPIRY);
        if !short {
            self.slot(at)?.items.push(Item::Idle);
            return Ok(());
        }
        if !self.await_zxid(self.newest + 1)? {
            self.slot(at)?.items.push(Item::NothingHappened);
        }
        self.mark_ended(at)?;
        for other in 0..SLOTS {
            let slot = self.slot(other)?;
            if slot.session == session && slot.connection.is_some() {
                self.await_close(other)?;
            }
        }
        Ok(())
    }

    fn mark_ended(&mut self, at: usize) -> Result<()> {
        if let Some(index) = self.slot(at)?.session
            && let Some(session) = self.sessions.get_mut(index)
        {
            session.ended = true;
        }
        Ok(())
    }

    /// Reads until every expected reply is there.
    fn collect(&mut self, at: usize) -> Result<()> {
        while !self.slot(at)?.expected.is_empty() {
            if !self.read_one(at, REPLY_LIMIT, Item::Silent)? {
                break;
            }
        }
        Ok(())
    }

    /// Reads until the server has closed the connection.
    fn await_close(&mut self, at: usize) -> Result<()> {
        while self.read_one(at, CLOSE_LIMIT, Item::StillOpen)? {}
        Ok(())
    }

    /// Reads one frame; false, and the connection is gone, when there is none.
    fn read_one(&mut self, at: usize, limit: Duration, otherwise: Item) -> Result<bool> {
        let slot = self.slot(at)?;
        let Some(connection) = &mut slot.connection else { return Ok(false) };
        let end = match connection.next(limit) {
            Next::Frame(payload) => {
                self.record(at, payload)?;
                return Ok(true);
            }
            Next::Closed => Item::Closed,
            Next::Nothing => otherwise,
        };
        slot.items.push(end);
        slot.connection = None;
        slot.expected.clear();
        Ok(false)
    }

    fn record(&mut self, at: usize, payload: Vec<u8>) -> Result<()> {
        let payload = self.unrendered(payload);
        let header = ReplyHeader::from_bytes(&payload).ok();
        if let Some(header) = header {
            self.newest = self.newest.max(header.zxid);
        }
        let slot = self.slot(at)?;
        if header.is_some_and(|h| h.xid == NOTIFICATION_XID) {
            slot.items.push(Item::Event(payload));
        } else {
            let request = slot.expected.pop_front().unwrap_or_default();
            slot.items.push(Item::Reply(request, payload));
        }
        Ok(())
    }

    fn seen(&self, last_seen: LastSeen) -> i64 {
        match last_seen {
            LastSeen::Nothing => 0,
            LastSeen::Newest => self.newest,
            LastSeen::Future => self.newest + 1_000_000,
        }
    }

    /// The payload for this server: the sequence's top node, and zxids instead of counts.
    fn rendered(&self, request: &Sent) -> Vec<u8> {
        let mut payload = replaced(request.payload.clone(), PREFIX, &self.prefix);
        let op = request.op();
        if (op == OpCode::SetWatches.code() || op == OpCode::SetWatches2.code())
            && let Some(slot) = payload.get_mut(8..16)
            && let Ok(back) = <[u8; 8]>::try_from(&*slot)
        {
            let zxid = self.newest.wrapping_sub(i64::from_be_bytes(back));
            slot.copy_from_slice(&zxid.to_be_bytes());
        }
        payload
    }

    fn unrendered(&self, payload: Vec<u8>) -> Vec<u8> {
        replaced(payload, &self.prefix, PREFIX)
    }

    fn slot(&mut self, at: usize) -> Result<&mut Slot> {
        self.slots.get_mut(at).with_context(|| format!("there is no client {at}"))
    }
}

/// Replaces one top node by another of the same length; as a child of the root it has no slash.
fn replaced(mut payload: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    let from = from.trim_start_matches('/').as_bytes();
    let to = to.trim_start_matches('/').as_bytes();
    let mut at = 0;
    while let Some(window) = payload.get_mut(at..at + from.len()) {
        if window == from {
            window.copy_from_slice(to);
        }
        at += 1;
    }
    payload
}

fn connect_request(
    session_id: i64,
    password: &[u8],
    last_zxid_seen: i64,
    timeout: i32,
    read_only: Option<bool>,
) -> Vec<u8> {
    ConnectRequest {
        protocol_version: 0,
        last_zxid_seen,
        timeout,
        session_id,
        password: Some(password),
        read_only,
    }
    .to_bytes()
}

const REPLY_LIMIT: Duration = Duration::from_secs(8);
const CLOSE_LIMIT: Duration = Duration::from_secs(4);
const EXTRA_LIMIT: Duration = Duration::from_secs(15);
/// Sessions with a longer timeout are not waited for, ms.
const LONGEST_EXPIRY: i32 = 5000;
/// A session that never was.
const NOBODY: i64 = 0x0100_0000_0000_1234;
