//! A small blocking client for tests: one connection, one session, over any byte stream.

#![allow(dead_code, reason = "each test file uses its own part")]

use quorate_wire::event::WatcherEvent;
use quorate_wire::frame::{PING_XID, ReplyHeader, RequestHeader, write_frame};
use quorate_wire::op::connect::{ConnectRequest, ConnectResponse};
use quorate_wire::op::create::{CreateMode, CreateRequest, CreateResponse};
use quorate_wire::op::get_data::{GetDataRequest, GetDataResponse};
use quorate_wire::op::set_data::SetDataRequest;
use quorate_wire::{Acl, ErrorCode, Jute, OpCode, Reader, Stat};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A connected client.
pub(crate) struct Client<S> {
    stream: S,
    /// The session; 0 when the server has refused it.
    pub(crate) session: i64,
    /// Its password.
    pub(crate) password: Vec<u8>,
    next_xid: i32,
    events: Vec<(i32, String)>,
}

/// A reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) xid: i32,
    pub(crate) zxid: i64,
    pub(crate) err: i32,
    pub(crate) body: Vec<u8>,
}

impl Client<TcpStream> {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.set_nodelay(true).unwrap();
        Self::new(stream)
    }
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self::with_timeout(stream, 10_000)
    }

    pub(crate) fn with_timeout(stream: S, timeout: i32) -> Self {
        Self::handshake(stream, timeout, 0, &[0; 16])
    }

    pub(crate) fn resume(stream: S, session: i64, password: &[u8]) -> Self {
        Self::handshake(stream, 10_000, session, password)
    }

    fn handshake(mut stream: S, timeout: i32, session_id: i64, password: &[u8]) -> Self {
        let hello = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout,
            session_id,
            password: Some(password),
            read_only: Some(false),
        };
        let mut bytes = Vec::new();
        write_frame(&mut bytes, |out| hello.write(out));
        stream.write_all(&bytes).unwrap();
        let answer = read_frame(&mut stream).unwrap();
        let answer = ConnectResponse::from_bytes(&answer).unwrap();
        let (session, password) = (answer.session_id, answer.password.unwrap().to_vec());
        Self { stream, session, password, next_xid: 0, events: Vec::new() }
    }

    pub(crate) fn ping(&mut self) {
        self.send_as(PING_XID, OpCode::Ping, &[]);
        let reply = self.receive();
        assert_eq!((reply.xid, reply.err), (PING_XID, 0));
    }

    pub(crate) fn send(&mut self, op: OpCode, body: &[u8]) -> i32 {
        self.next_xid += 1;
        self.send_as(self.next_xid, op, body)
    }

    fn send_as(&mut self, xid: i32, op: OpCode, body: &[u8]) -> i32 {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, |out| {
            RequestHeader { xid, op: op.code() }.write(out);
            out.extend_from_slice(body);
        });
        self.stream.write_all(&bytes).unwrap();
        xid
    }

    /// The next reply; events on the way are kept.
    pub(crate) fn receive(&mut self) -> Reply {
        loop {
            let frame = read_frame(&mut self.stream).unwrap();
            let mut reader = Reader::new(&frame);
            let header: ReplyHeader = reader.get().unwrap();
            if header.xid == -1 {
                let event: WatcherEvent<'_> = reader.get().unwrap();
                self.events.push((event.kind, event.path.into_owned()));
                continue;
            }
            let body = reader.rest().to_vec();
            return Reply { xid: header.xid, zxid: header.zxid, err: header.err, body };
        }
    }

    pub(crate) fn call(&mut self, op: OpCode, body: &[u8]) -> Result<Vec<u8>, ErrorCode> {
        let xid = self.send(op, body);
        let reply = self.receive();
        assert_eq!(reply.xid, xid, "replies come in order");
        ErrorCode::from_code(reply.err).map_or(Ok(reply.body), Err)
    }

    pub(crate) fn create(
        &mut self,
        path: &str,
        data: &[u8],
        mode: CreateMode,
    ) -> Result<String, ErrorCode> {
        let acl = vec![Acl::world(quorate_wire::acl::ALL)];
        let request = CreateRequest {
            path: path.into(),
            data: Some(data),
            acl: acl.into(),
            flags: mode.flags(),
        };
        let body = self.call(OpCode::Create, &request.to_bytes())?;
        Ok(CreateResponse::from_bytes(&body).unwrap().path.into_owned())
    }

    pub(crate) fn get(
        &mut self,
        path: &str,
        watch: bool,
    ) -> Result<(Option<Vec<u8>>, Stat), ErrorCode> {
        let request = GetDataRequest { path: path.into(), watch };
        let body = self.call(OpCode::GetData, &request.to_bytes())?;
        let answer = GetDataResponse::from_bytes(&body).unwrap();
        Ok((answer.data.map(<[u8]>::to_vec), answer.stat))
    }

    pub(crate) fn set(&mut self, path: &str, data: &[u8]) -> Result<(), ErrorCode> {
        let request = SetDataRequest { path: path.into(), data: Some(data), version: -1 };
        self.call(OpCode::SetData, &request.to_bytes()).map(drop)
    }

    pub(crate) fn send_set(&mut self, path: &str, data: &[u8]) -> i32 {
        let request = SetDataRequest { path: path.into(), data: Some(data), version: -1 };
        self.send(OpCode::SetData, &request.to_bytes())
    }

    pub(crate) fn send_get(&mut self, path: &str) -> i32 {
        let request = GetDataRequest { path: path.into(), watch: false };
        self.send(OpCode::GetData, &request.to_bytes())
    }

    /// Waits for the next event, which must come before any reply, and keeps it.
    pub(crate) fn wait_for_event(&mut self) {
        let frame = read_frame(&mut self.stream).unwrap();
        let mut reader = Reader::new(&frame);
        let header: ReplyHeader = reader.get().unwrap();
        assert_eq!(header.xid, -1, "a reply in place of an event");
        let event: WatcherEvent<'_> = reader.get().unwrap();
        self.events.push((event.kind, event.path.into_owned()));
    }

    /// The events that came so far: type and path.
    pub(crate) fn take_events(&mut self) -> Vec<(i32, String)> {
        std::mem::take(&mut self.events)
    }

    /// Reads until the server closes the connection; false when it sends anything but events before.
    pub(crate) fn is_closed_by_server(&mut self) -> bool {
        loop {
            match read_frame(&mut self.stream) {
                Err(_) => return true,
                Ok(frame) if frame.starts_with(&(-1i32).to_be_bytes()) => {}
                Ok(_) => return false,
            }
        }
    }
}

/// The data in the body of a getData reply.
pub(crate) fn data_of(body: &[u8]) -> Option<Vec<u8>> {
    GetDataResponse::from_bytes(body).unwrap().data.map(<[u8]>::to_vec)
}

fn read_frame(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut frame)?;
    Ok(frame)
}
