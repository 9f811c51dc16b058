//! A plain blocking client: sets the stage for a workload and clears it away.
//!
//! Nothing here is measured, except where a workload wants exactly one request at a time (the writer and
//! the bystander of `watch`). Errors of the server are errors here.

use super::request::{self, Template};
use super::servers::Servers;
use anyhow::{Context, Result, bail, ensure};
use quorate_wire::frame::{NOTIFICATION_XID, ReplyHeader, write_frame};
use quorate_wire::op::connect::{ConnectRequest, ConnectResponse};
use quorate_wire::op::get_children::{GetChildrenRequest, GetChildrenResponse};
use quorate_wire::op::multi::MultiPart;
use quorate_wire::{ErrorCode, Jute, OpCode, Reader};
use std::borrow::Cow;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A session over a blocking socket.
#[derive(Debug)]
pub(super) struct Client {
    stream: TcpStream,
    xid: i32,
    input: Vec<u8>,
}

impl Client {
    /// Opens a session.
    ///
    /// # Errors
    /// When nobody listens there, or who listens does not speak the protocol.
    pub(super) fn connect(server: SocketAddr) -> Result<Self> {
        Self::connect_within(server, REPLY_LIMIT)
    }

    /// Opens a session at a server that answers this fast, now and later.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), and when it takes longer.
    pub(super) fn connect_within(server: SocketAddr, patience: Duration) -> Result<Self> {
        let mut stream = dial(server, patience, &handshake(SESSION_TIMEOUT))?;
        let mut input = Vec::new();
        welcome(server, &mut stream, &mut input)?;
        Ok(Self { stream, xid: 0, input })
    }

    /// Opens a session at the first of the servers that will have one.
    ///
    /// # Errors
    /// That of the last one, when none will.
    pub(super) fn connect_to_any(servers: &Servers) -> Result<Self> {
        let mut result = Self::connect(servers.first());
        for server in servers.all().skip(1) {
            if result.is_ok() {
                break;
            }
            result = Self::connect(server);
        }
        result
    }

    /// Sends one request and waits for its reply: the error code and the body.
    ///
    /// # Errors
    /// When the connection fails.
    pub(super) fn call(&mut self, template: &Template) -> Result<(i32, Vec<u8>)> {
        let mut out = Vec::new();
        self.xid = next_xid(self.xid);
        template.push(self.xid, &mut out);
        self.stream.write_all(&out).context("cannot send a request")?;
        let err = self.reply()?;
        Ok((err, self.input.get(ReplyHeader::LEN..).unwrap_or_default().to_vec()))
    }

    /// As [`call`](Self::call), for requests that must succeed.
    ///
    /// # Errors
    /// When the connection fails or the server answers with an error.
    pub(super) fn must(&mut self, what: &str, template: &Template) -> Result<Vec<u8>> {
        let (err, body) = self.call(template)?;
        ensure!(err == 0, "{what}: the server answers {}", describe(err));
        Ok(body)
    }

    /// Sends many requests, some hundred in flight; all must succeed.
    ///
    /// # Errors
    /// When the connection fails or the server answers with an error.
    pub(super) fn pipeline(
        &mut self,
        what: &str,
        requests: impl IntoIterator<Item = Template>,
    ) -> Result<()> {
        let mut requests = requests.into_iter().peekable();
        while requests.peek().is_some() {
            let mut out = Vec::new();
            let mut sent = 0;
            for template in requests.by_ref().take(IN_FLIGHT) {
                self.xid = next_xid(self.xid);
                template.push(self.xid, &mut out);
                sent += 1;
            }
            self.stream.write_all(&out).context("cannot send requests")?;
            for _ in 0..sent {
                let err = self.reply()?;
                ensure!(err == 0, "{what}: the server answers {}", describe(err));
            }
        }
        Ok(())
    }

    /// Names of the children.
    ///
    /// # Errors
    /// When the connection fails or the server answers with an error.
    pub(super) fn children(&mut self, path: &str) -> Result<Vec<String>> {
        let request = GetChildrenRequest { path: Cow::Borrowed(path), watch: false };
        let template = Template::new(OpCode::GetChildren, &request.to_bytes());
        let body = self.must(&format!("children of {path}"), &template)?;
        let reply = GetChildrenResponse::from_bytes(&body)?;
        Ok(reply.children.into_iter().map(Cow::into_owned).collect())
    }

    /// Removes a node with everything below it; leaves are deleted some hundred at a time.
    ///
    /// # Errors
    /// When the connection fails or the server answers with an error.
    pub(super) fn remove_tree(&mut self, path: &str) -> Result<()> {
        let children: Vec<String> =
            self.children(path)?.into_iter().map(|name| format!("{path}/{name}")).collect();
        for chunk in children.chunks(DELETES_PER_MULTI) {
            let parts: Vec<_> =
                chunk.iter().map(|p| MultiPart::Delete(request::delete_record(p))).collect();
            // Not all of them are leaves if that fails: then one by one.
            let (err, body) = self.call(&request::multi(&parts))?;
            if err != 0 || request::multi_error(&body).is_some() {
                for child in chunk {
                    self.remove_tree(child)?;
                }
            }
        }
        let own = request::delete_record(path).to_bytes();
        match self.call(&Template::new(OpCode::Delete, &own))?.0 {
            err if err == 0 || err == ErrorCode::NoNode.code() => Ok(()),
            err => bail!("cannot delete {path}: the server answers {}", describe(err)),
        }
    }

    /// The connection alone, for those who want to send without waiting.
    pub(super) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Ends the session.
    pub(super) fn close(mut self) {
        // A failure changes nothing: the session then ends by its timeout.
        let _ = self.call(&request::close());
    }

    /// Reads up to the next reply, past notifications; its payload is in `input` afterwards.
    fn reply(&mut self) -> Result<i32> {
        loop {
            read_frame(&mut self.stream, &mut self.input)?;
            let header: ReplyHeader = Reader::new(&self.input).get()?;
            if header.xid != NOTIFICATION_XID {
                return Ok(header.err);
            }
        }
    }
}

/// Opens `count` sessions at the servers in turn, some dozen at a time, and returns their streams (still blocking).
///
/// # Errors
/// When a connection or a handshake fails.
pub(super) fn open_many(
    servers: &Servers,
    count: usize,
    timeout: Duration,
) -> Result<Vec<TcpStream>> {
    let hello = handshake(timeout);
    let mut streams = Vec::with_capacity(count);
    let mut input = Vec::new();
    while streams.len() < count {
        let mut batch = Vec::new();
        for number in streams.len()..count.min(streams.len().saturating_add(BACKLOG)) {
            let server = servers.of(number);
            batch.push((server, dial(server, REPLY_LIMIT, &hello)?));
        }
        for (server, mut stream) in batch {
            welcome(server, &mut stream, &mut input).with_context(|| {
                let number = streams.len().saturating_add(1);
                format!("client {number}: is a limit of connections per address (maxClientCnxns) in the way?")
            })?;
            streams.push(stream);
        }
    }
    Ok(streams)
}

/// Connects and sends the handshake.
fn dial(server: SocketAddr, patience: Duration, hello: &[u8]) -> Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&server, patience)
        .with_context(|| format!("cannot connect to {server}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(hello).context("cannot send the handshake")?;
    Ok(stream)
}

/// Reads the answer to the handshake.
fn welcome(server: SocketAddr, stream: &mut TcpStream, input: &mut Vec<u8>) -> Result<()> {
    read_frame(stream, input).with_context(|| format!("{server} does not answer the handshake"))?;
    let reply = ConnectResponse::from_bytes(input)?;
    ensure!(reply.session_id != 0, "{server} refuses a new session");
    Ok(())
}

/// The handshake of a new session as a frame.
pub(super) fn handshake(timeout: Duration) -> Vec<u8> {
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 0,
        timeout: i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX),
        session_id: 0,
        password: Some(&[0; 16]),
        read_only: Some(false),
    };
    let mut out = Vec::new();
    write_frame(&mut out, |out| request.write(out));
    out
}

/// The xid after `xid`; they stay positive.
pub(super) const fn next_xid(xid: i32) -> i32 {
    if xid == i32::MAX { 1 } else { xid + 1 }
}

/// An error code with its name.
pub(super) fn describe(err: i32) -> String {
    ErrorCode::from_code(err).map_or_else(|| err.to_string(), |code| format!("{code:?} ({err})"))
}

/// Reads one frame; its payload is all of `input` afterwards.
///
/// # Errors
/// When the connection ends or is silent for a minute.
pub(super) fn read_frame(stream: &mut TcpStream, input: &mut Vec<u8>) -> Result<()> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).context("the server closed the connection or is silent")?;
    let length = i32::from_be_bytes(length);
    let length = usize::try_from(length)
        .ok()
        .filter(|length| *length <= MAX_FRAME)
        .with_context(|| format!("a frame of {length} bytes: not the client protocol"))?;
    input.resize(length, 0);
    stream.read_exact(input).context("the connection ended within a reply")
}

/// What the bench asks for; long enough for a server that is busy with a million nodes.
pub(super) const SESSION_TIMEOUT: Duration = Duration::from_secs(30);

const REPLY_LIMIT: Duration = Duration::from_secs(60);
const IN_FLIGHT: usize = 200;
const DELETES_PER_MULTI: usize = 500;
/// Handshakes in flight: below the listen backlog of 50 that a Java server has.
const BACKLOG: usize = 32;
const MAX_FRAME: usize = 256 << 20;
