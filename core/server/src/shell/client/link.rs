//! The thread behind a session: connects, shakes hands, reads, pings, connects again.
//!
//! It owns the reading half of the socket; requests are written by their callers under the lock
//! that also keeps the list of pending ones, so that both have one order. Timers follow section
//! "Client library behaviour" of Java's client (`org.apache.zookeeper.ClientCnxn`): ping after a third of
//! the session timeout without sending, give a connection up after two thirds without hearing.

use super::error::ClientError;
use super::watches::{Event, Watches, event_name};
use super::{Options, State, Target, WatchKind};
use crate::four_letter::dial;
use quorate_wire::event::{EventType, WatcherEvent};
use quorate_wire::frame::{self, ReplyHeader, RequestHeader, Split};
use quorate_wire::op::auth::AuthPacket;
use quorate_wire::op::connect::{ConnectRequest, ConnectResponse};
use quorate_wire::{ErrorCode, Jute, OpCode, Reader};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::SyncSender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What the session's thread and its callers share.
pub(super) struct Shared {
    pub(super) target: Target,
    options: Options,
    on_event: Box<dyn Fn(&Event) + Send + Sync>,
    pub(super) inner: Mutex<Inner>,
    /// Signalled when `state` or `failed_rounds` changes.
    pub(super) changed: Condvar,
}

/// The session.
pub(super) struct Inner {
    pub(super) state: State,
    /// The user wants it to end: do not connect again.
    pub(super) closing: bool,
    /// The timeout in force, as asked or as granted.
    pub(super) timeout: Duration,
    /// Rounds through all addresses without success.
    pub(super) failed_rounds: u64,
    /// How many of those some request has been told of.
    pub(super) reported_rounds: u64,
    /// Why the last attempt or connection ended.
    pub(super) last_failure: String,
    /// Identities to show again to the next server, and who waits for a verdict.
    pub(super) auths: Vec<(String, Option<Vec<u8>>)>,
    pub(super) auth_waiters: VecDeque<SyncSender<Result<Vec<u8>, ClientError>>>,
    pub(super) watches: Watches,
    writer: Option<TcpStream>,
    pending: VecDeque<Pending>,
    last_sent: Instant,
    last_zxid: i64,
    next_xid: i32,
    session: i64,
    password: Vec<u8>,
}

/// A request without a reply so far.
pub(super) struct Pending {
    pub(super) xid: i32,
    /// The node it is about, as the user knows it.
    pub(super) path: Option<String>,
    /// The watch that a favourable reply leaves, with its server path.
    pub(super) watch: Option<(WatchKind, String)>,
    pub(super) answer: SyncSender<Result<Vec<u8>, ClientError>>,
}

/// Locks even after a panic elsewhere: the shell's state is only shown, never stored.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves the session until it has ended.
pub(super) fn run(shared: &Shared) {
    let hosts = &shared.target.hosts;
    loop {
        let mut reached = false;
        for host in hosts {
            if shared.is_over() {
                return;
            }
            let failure = match shared.connect(host) {
                Ok(Some((stream, input))) => {
                    reached = true;
                    let why = shared.serve(stream, input);
                    shared.lost(host, &why)
                }
                Ok(None) => return,
                Err(why) => format!("{host}: {why}"),
            };
            lock(&shared.inner).last_failure = failure;
        }
        let mut inner = lock(&shared.inner);
        if !reached {
            inner.failed_rounds = inner.failed_rounds.saturating_add(1);
            shared.changed.notify_all();
        }
        if inner.closing || inner.state.ended().is_some() {
            return;
        }
        let pause = if reached { FIRST_PAUSE } else { PAUSE };
        drop(shared.changed.wait_timeout(inner, pause));
    }
}

impl Shared {
    pub(super) fn new(
        target: Target,
        options: Options,
        on_event: Box<dyn Fn(&Event) + Send + Sync>,
    ) -> Self {
        let timeout = u64::try_from(options.timeout_ms).unwrap_or(0).max(MIN_TIMEOUT_MS);
        let inner = Inner {
            state: State::Connecting,
            closing: false,
            timeout: Duration::from_millis(timeout),
            failed_rounds: 0,
            reported_rounds: 0,
            last_failure: "no server has answered yet".to_owned(),
            auths: Vec::new(),
            auth_waiters: VecDeque::new(),
            watches: Watches::default(),
            writer: None,
            pending: VecDeque::new(),
            last_sent: Instant::now(),
            last_zxid: 0,
            next_xid: 0,
            session: 0,
            password: vec![0; 16],
        };
        Self { target, options, on_event, inner: Mutex::new(inner), changed: Condvar::new() }
    }

    pub(super) fn emit(&self, event: &Event) {
        (self.on_event)(event);
    }

    /// Ends the session for good, once; later calls change nothing.
    pub(super) fn end(&self, state: State, event: &'static str) {
        {
            let mut inner = lock(&self.inner);
            if inner.state.ended().is_some() {
                return;
            }
            inner.state = state;
            let why = state.ended().unwrap_or("the session ended");
            inner.drop_connection(&mut |_| ClientError::NotConnected(why));
            self.changed.notify_all();
        }
        self.emit(&Event::session(event));
    }

    fn is_over(&self) -> bool {
        let inner = lock(&self.inner);
        inner.closing || inner.state.ended().is_some()
    }

    /// Connects to one address and shakes hands; `None` when the session turned out to be over.
    fn connect(&self, host: &str) -> io::Result<Option<(TcpStream, Vec<u8>)>> {
        let (timeout, request) = {
            let inner = lock(&self.inner);
            let request = ConnectRequest {
                protocol_version: 0,
                last_zxid_seen: inner.last_zxid,
                timeout: self.options.timeout_ms,
                session_id: inner.session,
                password: Some(&inner.password),
                read_only: Some(self.options.read_only),
            };
            (inner.timeout, request.to_bytes())
        };
        let hosts = u32::try_from(self.target.hosts.len()).unwrap_or(u32::MAX).max(1);
        let patience = (timeout / hosts).clamp(Duration::from_millis(MIN_TIMEOUT_MS), MAX_CONNECT);
        let mut stream = dial(host, patience)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(timeout))?;
        let mut hello = Vec::new();
        frame::write_frame(&mut hello, |out| out.extend_from_slice(&request));
        stream.write_all(&hello)?;
        let mut input = Vec::new();
        let answer = read_frame(&mut stream, &mut input)?;
        let response = ConnectResponse::from_bytes(&answer).map_err(io::Error::other)?;
        if response.timeout <= 0 {
            self.end(State::Expired, "Expired");
            return Ok(None);
        }
        self.enter_service(&stream, &response)?;
        Ok(Some((stream, input)))
    }

    /// Adopts what the server granted and sets up again what only the client remembers.
    fn enter_service(&self, stream: &TcpStream, response: &ConnectResponse<'_>) -> io::Result<()> {
        let read_only = response.read_only == Some(true);
        let writer = stream.try_clone()?;
        // The event comes before anybody can send, hence before any answer.
        self.emit(&Event::session(if read_only { "ConnectedReadOnly" } else { "SyncConnected" }));
        let mut inner = lock(&self.inner);
        if inner.closing {
            return Err(io::Error::other("the session is being closed"));
        }
        inner.timeout = Duration::from_millis(u64::try_from(response.timeout).unwrap_or(0));
        if !read_only {
            inner.session = response.session_id;
            inner.password = response.password.unwrap_or_default().to_vec();
        }
        inner.writer = Some(writer);
        for (scheme, auth) in inner.auths.clone() {
            inner.send_auth(&scheme, auth.as_deref());
        }
        let zxid = inner.last_zxid;
        for body in inner.watches.to_requests(zxid) {
            let header =
                RequestHeader { xid: frame::SET_WATCHES_XID, op: OpCode::SetWatches2.code() };
            inner.write(header, |out| out.extend_from_slice(&body));
        }
        inner.state = if read_only { State::ConnectedReadOnly } else { State::Connected };
        self.changed.notify_all();
        Ok(())
    }

    /// Reads until the connection ends; says why it did.
    fn serve(&self, mut stream: TcpStream, mut input: Vec<u8>) -> String {
        let mut last_heard = Instant::now();
        let mut chunk = vec![0; 64 * 1024];
        loop {
            if let Err(why) = self.handle_all(&mut input) {
                return why;
            }
            let (timeout, last_sent) = {
                let inner = lock(&self.inner);
                (inner.timeout, inner.last_sent)
            };
            let now = Instant::now();
            let give_up = last_heard + timeout * 2 / 3;
            let ping = last_sent + timeout / 3;
            if now >= give_up {
                return format!("silent for {} ms", (timeout * 2 / 3).as_millis());
            }
            if now >= ping {
                let header = RequestHeader { xid: frame::PING_XID, op: OpCode::Ping.code() };
                lock(&self.inner).write(header, |_| ());
                continue;
            }
            let wait = ping.min(give_up).saturating_duration_since(now).max(TICK);
            if let Err(why) = stream.set_read_timeout(Some(wait)) {
                return why.to_string();
            }
            match stream.read(&mut chunk) {
                Ok(0) => return "closed by the server".to_owned(),
                Ok(n) => {
                    last_heard = Instant::now();
                    input.extend_from_slice(chunk.get(..n).unwrap_or_default());
                }
                Err(e) if is_timeout(&e) => {}
                Err(e) => return e.to_string(),
            }
        }
    }

    fn handle_all(&self, input: &mut Vec<u8>) -> Result<(), String> {
        let mut done = 0;
        loop {
            match frame::split(input.get(done..).unwrap_or_default(), MAX_FRAME) {
                Split::Frame { payload, consumed } => {
                    self.handle(payload).map_err(|e| e.to_string())?;
                    done += consumed;
                }
                Split::Incomplete(_) => {
                    input.drain(..done);
                    return Ok(());
                }
                Split::Illegal(length) => return Err(format!("sent a frame of {length} bytes")),
            }
        }
    }

    fn handle(&self, payload: &[u8]) -> Result<(), ClientError> {
        let mut reader = Reader::new(payload);
        let header: ReplyHeader = reader.get()?;
        match header.xid {
            frame::NOTIFICATION_XID => self.notify(&reader.get()?),
            frame::PING_XID | frame::SET_WATCHES_XID => {}
            frame::AUTH_XID => self.judge(header.err),
            _ => return lock(&self.inner).answer(header, reader.rest()),
        }
        Ok(())
    }

    fn notify(&self, event: &WatcherEvent<'_>) {
        let Some(kind) = EventType::from_code(event.kind) else { return };
        let wanted = lock(&self.inner).watches.fire(kind, &event.path);
        if wanted {
            self.emit(&Event {
                state: "SyncConnected",
                kind: event_name(kind),
                path: Some(self.target.to_user(&event.path)),
            });
        }
    }

    /// The verdict on an identity. A refusal ends the session, as in Java's client.
    fn judge(&self, err: i32) {
        let waiter = lock(&self.inner).auth_waiters.pop_front();
        let refused = ClientError::Refused { code: ErrorCode::AuthFailed, path: None };
        if err != 0 {
            self.end(State::AuthFailed, "AuthFailed");
        }
        if let Some(waiter) = waiter {
            let _ = waiter.send(if err == 0 { Ok(Vec::new()) } else { Err(refused) });
        }
    }

    /// After a connection has ended: its requests have an unknown fate.
    fn lost(&self, host: &str, why: &str) -> String {
        let detail = format!("{host}: {why}");
        {
            let mut inner = lock(&self.inner);
            inner.drop_connection(&mut |path| ClientError::ConnectionLoss {
                path,
                detail: detail.clone(),
            });
            if inner.closing || inner.state.ended().is_some() {
                return detail;
            }
            inner.state = State::Connecting;
        }
        self.emit(&Event::session("Disconnected"));
        detail
    }
}

impl Inner {
    /// The next request number; positive, as Java's.
    pub(super) fn take_xid(&mut self) -> i32 {
        self.next_xid = self.next_xid.checked_add(1).unwrap_or(1);
        self.next_xid
    }

    /// Puts a request on the wire and on the list.
    pub(super) fn send(&mut self, op: OpCode, pending: Pending, body: impl FnOnce(&mut Vec<u8>)) {
        let header = RequestHeader { xid: pending.xid, op: op.code() };
        self.pending.push_back(pending);
        self.write(header, body);
    }

    /// Shows an identity to the server.
    pub(super) fn send_auth(&mut self, scheme: &str, auth: Option<&[u8]>) {
        let header = RequestHeader { xid: frame::AUTH_XID, op: OpCode::Auth.code() };
        self.write(header, |out| {
            AuthPacket { kind: 0, scheme: Some(scheme.into()), auth }.write(out);
        });
    }

    /// Writes a frame. A failure needs no report here: the reading side meets it as well.
    fn write(&mut self, header: RequestHeader, body: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = Vec::new();
        frame::write_frame(&mut bytes, |out| {
            header.write(out);
            body(out);
        });
        self.last_sent = Instant::now();
        if let Some(writer) = &mut self.writer
            && writer.write_all(&bytes).is_err()
        {
            let _ = writer.shutdown(std::net::Shutdown::Both);
        }
    }

    /// Hands a reply to the oldest pending request, whose it must be.
    fn answer(&mut self, header: ReplyHeader, body: &[u8]) -> Result<(), ClientError> {
        let Some(pending) = self.pending.pop_front() else {
            return Err(ClientError::UnknownCode(header.err));
        };
        if pending.xid != header.xid {
            let detail = format!("reply {} came instead of {}", header.xid, pending.xid);
            let error = ClientError::ConnectionLoss { path: pending.path, detail };
            let _ = pending.answer.send(Err(error.clone()));
            return Err(error);
        }
        self.last_zxid = self.last_zxid.max(header.zxid);
        let absent = header.err == ErrorCode::NoNode.code();
        if let Some((kind, path)) = pending.watch {
            let stays = match kind {
                WatchKind::Data | WatchKind::Child => header.err == 0,
                _ => header.err == 0 || absent,
            };
            if stays {
                self.watches.register(kind, path, absent);
            }
        }
        let result = match (header.err, ErrorCode::from_code(header.err)) {
            (0, _) => Ok(body.to_vec()),
            (_, Some(code)) => Err(ClientError::Refused { code, path: pending.path }),
            (number, None) => Err(ClientError::UnknownCode(number)),
        };
        // Nobody waits any more when the caller's patience is over.
        let _ = pending.answer.send(result);
        Ok(())
    }

    /// Closes the socket and answers everything that waits with an error.
    fn drop_connection(&mut self, error: &mut dyn FnMut(Option<String>) -> ClientError) {
        if let Some(writer) = self.writer.take() {
            let _ = writer.shutdown(std::net::Shutdown::Both);
        }
        for pending in self.pending.drain(..) {
            let _ = pending.answer.send(Err(error(pending.path)));
        }
        for waiter in self.auth_waiters.drain(..) {
            let _ = waiter.send(Err(error(None)));
        }
    }
}

/// Reads until `input` holds a whole frame and takes it out.
fn read_frame(stream: &mut TcpStream, input: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    let mut chunk = [0; 1024];
    loop {
        match frame::split(input, MAX_FRAME) {
            Split::Frame { payload, consumed } => {
                let payload = payload.to_vec();
                input.drain(..consumed);
                return Ok(payload);
            }
            Split::Incomplete(_) => {}
            Split::Illegal(_) => {
                return Err(io::Error::other("does not speak ZooKeeper's protocol"));
            }
        }
        match stream.read(&mut chunk) {
            Ok(0) => return Err(hung_up()),
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset => return Err(hung_up()),
            Ok(n) => input.extend_from_slice(chunk.get(..n).unwrap_or_default()),
            Err(e) if is_timeout(&e) => return Err(io::Error::other("no answer to the handshake")),
            Err(e) => return Err(e),
        }
    }
}

/// A server hangs up on a handshake when it is overloaded, out of service or behind what the
/// client has seen.
fn hung_up() -> io::Error {
    io::Error::other("closed by the server before the handshake was answered")
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

/// The longest reply that is read: lists of children may well exceed the request limit.
const MAX_FRAME: usize = 256 * 1024 * 1024;
/// The shortest session timeout that is worth asking for.
const MIN_TIMEOUT_MS: u64 = 500;
/// The longest that one address is tried.
pub(super) const MAX_CONNECT: Duration = Duration::from_secs(10);
/// Pause after a broken connection and after a round without any.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_secs(1);
/// The shortest read timeout; a zero one would mean none.
const TICK: Duration = Duration::from_millis(1);
