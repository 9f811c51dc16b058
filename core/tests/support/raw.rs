//! A client that speaks in bytes: it can say what no library would, and waits no longer than it must.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![allow(dead_code, reason = "each test binary uses its part")]

use quorate_wire::frame::{ReplyHeader, RequestHeader, write_frame};
use quorate_wire::op::connect::{ConnectRequest, ConnectResponse};
use quorate_wire::op::create::CreateRequest;
use quorate_wire::{Acl, Jute, OpCode};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A connection with a session.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    pub(crate) session: i64,
    pub(crate) password: Vec<u8>,
    pub(crate) timeout: i32,
    xid: i32,
}

/// A connection on which nothing has been said.
pub(crate) fn open(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, WAIT).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(WAIT)).unwrap();
    stream
}

/// Everything that comes until the server closes. Panics when it does not.
pub(crate) fn until_closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return all,
            Ok(n) => all.extend_from_slice(&chunk[..n]),
            // What the server has not read when it closes makes the system send a reset.
            Err(e) if e.kind() == ErrorKind::ConnectionReset => return all,
            Err(e) => panic!("the server does not close after {} bytes: {e}", all.len()),
        }
    }
}

/// The answer to a four-letter word, or to whatever else the server closes after.
pub(crate) fn ask(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = open(address);
    stream.write_all(bytes).unwrap();
    String::from_utf8(until_closed(&mut stream)).unwrap()
}

/// The value of a line of `mntr`.
pub(crate) fn figure(address: SocketAddr, key: &str) -> f64 {
    let text = ask(address, b"mntr");
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('\t'));
    line.unwrap_or_else(|| panic!("no {key} in {text}")).parse().unwrap()
}

/// Asks again until the answer is the wanted one.
pub(crate) fn eventually<T: PartialEq + std::fmt::Debug>(wanted: T, mut ask: impl FnMut() -> T) {
    let mut last = None;
    for _ in 0..500 {
        let got = ask();
        if got == wanted {
            return;
        }
        last = Some(got);
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("wanted {wanted:?}, got {last:?} for five seconds");
}

/// The bytes of a handshake.
pub(crate) fn handshake(session: i64, password: &[u8], timeout: i32) -> Vec<u8> {
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 0,
        timeout,
        session_id: session,
        password: Some(password),
        read_only: Some(false),
    };
    let mut out = Vec::new();
    write_frame(&mut out, |out| request.write(out));
    out
}

/// The bytes of a request.
pub(crate) fn request(xid: i32, op: i32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_frame(&mut out, |out| {
        RequestHeader { xid, op }.write(out);
        out.extend_from_slice(body);
    });
    out
}

/// The body of a create with an open ACL.
pub(crate) fn create(path: &str, flags: i32) -> Vec<u8> {
    let acl = vec![Acl::world(31)];
    let mut out = Vec::new();
    CreateRequest { path: path.into(), data: Some(b"data"), acl: acl.into(), flags }
        .write(&mut out);
    out
}

/// The body of a read: a path and whether to watch it.
pub(crate) fn watched(path: &str, watch: bool) -> Vec<u8> {
    let mut out = Vec::new();
    quorate_wire::jute::write_str(path, &mut out);
    watch.write(&mut out);
    out
}

/// The next frame without its length; `None` when the connection ends.
pub(crate) fn frame(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    read_all(stream, &mut length)?;
    let mut payload = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
    read_all(stream, &mut payload)?;
    Some(payload)
}

fn read_all(stream: &mut TcpStream, bytes: &mut [u8]) -> Option<()> {
    match stream.read_exact(bytes) {
        Ok(()) => Some(()),
        Err(e) if matches!(e.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => None,
        Err(e) => panic!("no frame: {e}"),
    }
}

impl Raw {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address, 0, &[0; 16]).expect("a new session")
    }

    /// `None` when the server closes instead, or says that the session is gone.
    pub(crate) fn try_connect(address: SocketAddr, session: i64, password: &[u8]) -> Option<Self> {
        let mut stream = open(address);
        stream.write_all(&handshake(session, password, 10_000)).unwrap();
        let payload = frame(&mut stream)?;
        let response = ConnectResponse::from_bytes(&payload).unwrap();
        let (session, timeout) = (response.session_id, response.timeout);
        let password = response.password.unwrap().to_vec();
        (session != 0).then_some(Self { stream, session, password, timeout, xid: 0 })
    }

    /// Sends a request without waiting; returns its xid.
    pub(crate) fn send(&mut self, op: OpCode, body: &[u8]) -> i32 {
        self.xid += 1;
        self.stream.write_all(&request(self.xid, op.code(), body)).unwrap();
        self.xid
    }

    /// The next reply: its header and body. `None` when the connection ends.
    pub(crate) fn reply(&mut self) -> Option<(ReplyHeader, Vec<u8>)> {
        let payload = frame(&mut self.stream)?;
        let header = ReplyHeader::from_bytes(&payload[..ReplyHeader::LEN]).unwrap();
        Some((header, payload[ReplyHeader::LEN..].to_vec()))
    }

    /// Sends a request and returns the error of its reply.
    pub(crate) fn call(&mut self, op: OpCode, body: &[u8]) -> i32 {
        let xid = self.send(op, body);
        let (header, _) = self.reply().expect("a reply");
        assert_eq!(header.xid, xid);
        header.err
    }

    pub(crate) fn close(mut self) {
        assert_eq!(self.call(OpCode::CloseSession, &[]), 0);
        assert!(until_closed(&mut self.stream).is_empty());
    }
}

pub(crate) const WAIT: Duration = Duration::from_secs(20);
