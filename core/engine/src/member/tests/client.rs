//! A client that speaks bytes.

use super::world::World;
use crate::shard::ConnKey;
use crate::zab::Sid;
use quorate_wire::acl::AclList;
use quorate_wire::frame::{ReplyHeader, RequestHeader, Split, split, write_frame};
use quorate_wire::jute::Reader;
use quorate_wire::op::connect::{ConnectRequest, ConnectResponse};
use quorate_wire::op::create::{CreateMode, CreateRequest};
use quorate_wire::op::get_data::{GetDataRequest, GetDataResponse};
use quorate_wire::op::multi::{MultiHeader, MultiPart, write_part};
use quorate_wire::op::set_data::SetDataRequest;
use quorate_wire::op::sync::SyncRequest;
use quorate_wire::{Jute, OpCode, password};

/// A connection of a client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) server: Sid,
    pub(super) conn: ConnKey,
    pub(super) session: i64,
    xid: i32,
    pub(super) last_zxid: i64,
    /// Whether its server only lets read, as it has said.
    pub(super) reads_only: bool,
}

/// A reply, or an event (with xid -1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) xid: i32,
    pub(super) zxid: i64,
    pub(super) err: i32,
    pub(super) body: Vec<u8>,
}

pub(super) const TIMEOUT: i32 = 4000;

impl Client {
    /// A new session.
    pub(super) fn new(world: &mut World, server: Sid) -> Self {
        let client = Self::resume(world, server, 0, 0);
        client.expect("a new session")
    }

    /// The session goes on at another server, on a connection of its own.
    pub(super) fn goes_to(&self, world: &mut World, server: Sid) -> Option<Self> {
        Self::resume(world, server, self.session, self.last_zxid)
    }

    /// Asks for a session; nothing if there is none, or the connection is closed.
    fn resume(world: &mut World, server: Sid, session: i64, last_zxid: i64) -> Option<Self> {
        let mut client = Self::open(world, server, session, last_zxid);
        world.run();
        client.greeted(world).then_some(client)
    }

    /// Connects and says hello.
    pub(super) fn open(world: &mut World, server: Sid, session: i64, last_zxid: i64) -> Self {
        Self::hello(world, server, session, last_zxid, false)
    }

    /// Makes do with reading; nothing if there is no session.
    pub(super) fn reader(world: &mut World, server: Sid, session: i64) -> Option<Self> {
        let mut client = Self::hello(world, server, session, 0, true);
        world.run();
        client.greeted(world).then_some(client)
    }

    fn hello(
        world: &mut World,
        server: Sid,
        session: i64,
        last_zxid: i64,
        read_only: bool,
    ) -> Self {
        let now = world.clock();
        let conn = world.server(server).shard.open(None, now.mono);
        let word = password::of_session(session);
        let hello = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: last_zxid,
            timeout: TIMEOUT,
            session_id: session,
            password: Some(&word),
            read_only: Some(read_only),
        };
        let mut bytes = Vec::new();
        write_frame(&mut bytes, |out| hello.write(out));
        world.server(server).receive(conn, &bytes, now);
        Self { server, conn, session, xid: 0, last_zxid, reads_only: false }
    }

    /// Whether the server has answered with a session.
    pub(super) fn greeted(&mut self, world: &mut World) -> bool {
        let Some(bytes) = world.sent.get_mut(&(self.server, self.conn)) else { return false };
        let Split::Frame { payload, consumed } = split(bytes, 1 << 20) else { return false };
        let welcome = ConnectResponse::from_bytes(payload).unwrap();
        self.session = welcome.session_id;
        self.reads_only = welcome.read_only == Some(true);
        bytes.drain(..consumed);
        self.session != 0
    }

    /// Sends a request, and returns its number.
    pub(super) fn send(&mut self, world: &mut World, op: OpCode, body: &[u8]) -> i32 {
        self.xid += 1;
        let (now, xid) = (world.clock(), if op == OpCode::Ping { -2 } else { self.xid });
        let mut bytes = Vec::new();
        write_frame(&mut bytes, |out| {
            RequestHeader { xid, op: op.code() }.write(out);
            out.extend_from_slice(body);
        });
        world.server(self.server).receive(self.conn, &bytes, now);
        xid
    }

    /// What has arrived.
    pub(super) fn replies(&mut self, world: &mut World) -> Vec<Reply> {
        let bytes = world.sent.remove(&(self.server, self.conn)).unwrap_or_default();
        let (mut rest, mut replies) = (&bytes[..], Vec::new());
        while let Split::Frame { payload, consumed } = split(rest, 1 << 20) {
            let mut reader = Reader::new(payload);
            let ReplyHeader { xid, zxid, err } = reader.get().unwrap();
            replies.push(Reply { xid, zxid, err, body: reader.rest().to_vec() });
            rest = &rest[consumed..];
            if xid != -1 {
                assert!(zxid >= self.last_zxid, "time goes back: {replies:?}");
                self.last_zxid = zxid;
            }
        }
        assert!(rest.is_empty());
        replies
    }

    /// Asks and is answered.
    pub(super) fn ask(&mut self, world: &mut World, op: OpCode, body: &[u8]) -> Reply {
        let xid = self.send(world, op, body);
        world.run();
        let mut replies = self.replies(world);
        assert_eq!(replies.iter().map(|reply| reply.xid).collect::<Vec<_>>(), [xid]);
        replies.remove(0)
    }

    pub(super) fn create(&mut self, world: &mut World, path: &str, mode: CreateMode) -> Reply {
        self.ask(world, OpCode::Create, &create(path, mode))
    }

    /// The data of a node.
    pub(super) fn get(&mut self, world: &mut World, path: &str) -> Option<Vec<u8>> {
        let reply = self.ask(world, OpCode::GetData, &get(path, false));
        (reply.err == 0).then(|| data_of(&reply))
    }

    pub(super) fn is_closed(&self, world: &World) -> bool {
        world.closed.contains(&(self.server, self.conn))
    }

    /// Its end of the connection is gone.
    pub(super) fn vanish(self, world: &mut World) {
        world.server(self.server).shard.close(self.conn);
    }
}

pub(super) fn create(path: &str, mode: CreateMode) -> Vec<u8> {
    create_request(path, mode).to_bytes()
}

fn create_request(path: &str, mode: CreateMode) -> CreateRequest<'_> {
    CreateRequest { path: path.into(), data: Some(b"new"), acl: AclList::OPEN, flags: mode.flags() }
}

pub(super) fn set(path: &str, data: &[u8]) -> Vec<u8> {
    SetDataRequest { path: path.into(), data: Some(data), version: -1 }.to_bytes()
}

pub(super) fn get(path: &str, watch: bool) -> Vec<u8> {
    GetDataRequest { path: path.into(), watch }.to_bytes()
}

pub(super) fn sync() -> Vec<u8> {
    SyncRequest { path: Some("/".into()) }.to_bytes()
}

pub(super) fn data_of(reply: &Reply) -> Vec<u8> {
    GetDataResponse::from_bytes(&reply.body).unwrap().data.unwrap().to_vec()
}

/// A multi that creates `/m`, and `/n` in this mode.
pub(super) fn multi(mode: CreateMode) -> Vec<u8> {
    let mut body = Vec::new();
    for (path, mode) in [("/m", CreateMode::Persistent), ("/n", mode)] {
        write_part(&MultiPart::Create(OpCode::Create, create_request(path, mode)), &mut body);
    }
    MultiHeader::END.write(&mut body);
    body
}

/// A multi that creates these, as create or create2.
pub(super) fn creates(parts: &[(OpCode, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for &(op, path) in parts {
        write_part(&MultiPart::Create(op, create_request(path, CreateMode::Persistent)), &mut body);
    }
    MultiHeader::END.write(&mut body);
    body
}
