//! One of six loops through the engines, for counting its instructions: `instructions WHAT N`, where WHAT is read, write, create, notification,
//! client-read or client-write.
//!
//! `tests/instructions` runs it under callgrind with two values of `n`; the difference, divided, is what one
//! operation costs the server from received bytes to bytes to send, or the client from the call to its result. Nothing is measured here.

#![allow(clippy::unwrap_used, reason = "a measurement may stop at the first surprise")]
#![allow(clippy::panic, reason = "a wrong argument ends the program")]

use quorate::client::{Client, Command, Environment, Op, Port, Settings, State, Task};
use quorate_engine::limits::Limits;
use quorate_engine::prep::PrepConfig;
use quorate_engine::replica::{
    LocalSessions, Now, ReaperConfig, Replica, ReplicaConfig, SnapshotConfig,
};
use quorate_engine::shard::{ConnKey, Flush, Shard, ShardConfig, Submission, Submit};
use quorate_engine::tree::{Tree, TreeConfig};
use quorate_wire::frame::{RequestHeader, write_frame};
use quorate_wire::op::connect::ConnectRequest;
use quorate_wire::op::create::CreateRequest;
use quorate_wire::op::get_data::GetDataRequest;
use quorate_wire::op::multi::{MultiHeader, MultiPart, write_part};
use quorate_wire::op::set_data::SetDataRequest;
use quorate_wire::{AclList, Jute, OpCode};
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_default();
    let n: usize = arguments.next().unwrap_or_default().parse().unwrap();
    let mut server = Server::new();
    match what.as_str() {
        "read" => server.read(n),
        "write" => server.write(n),
        "create" => server.create(n),
        "notification" => server.notify(n),
        "client-read" => {
            Caller::new(&mut server).pipeline(&mut server, n, |client, path| client.get(path))
        }
        "client-write" => Caller::new(&mut server)
            .pipeline(&mut server, n, |client, path| client.set(path, &DATA, None)),
        other => panic!("there is no loop {other}"),
    }
}

/// A whole server without a driver: what is sealed is durable at once.
struct Server {
    tree: Tree,
    replica: Replica,
    shard: Shard,
}

struct Direct<'a>(&'a mut Replica, &'a Tree);

impl Submit for Direct<'_> {
    fn submit(&mut self, conn: ConnKey, submission: Submission<'_>) {
        self.0.submit(0, conn, submission, self.1, NOW);
    }
}

impl Server {
    fn new() -> Self {
        let tree = Tree::new(TreeConfig { hash_seed: 1, digest: true });
        let config = ReplicaConfig {
            prep: PrepConfig::default(),
            tick: 2000,
            reaper: ReaperConfig::default(),
            snapshot: SnapshotConfig::default(),
            server: 1,
            local_sessions: LocalSessions::Off,
            outstanding_limit: 1000,
            limits: Limits::default(),
        };
        let replica = Replica::new(config, &tree, 0, NOW);
        let mut server = Self { tree, replica, shard: Shard::new(ShardConfig::default()) };
        let client = server.connect();
        for node in 0..NODES {
            let acl = AclList::OPEN;
            let create =
                CreateRequest { path: path(node).into(), data: Some(&DATA), acl, flags: 0 };
            server.send(client, &frame(OpCode::Create, &create));
        }
        server
    }

    fn connect(&mut self) -> ConnKey {
        let key = self.shard.open(None, NOW.mono);
        let hello = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout: 10_000,
            session_id: 0,
            password: Some(&[0; 16]),
            read_only: Some(false),
        };
        let mut bytes = Vec::new();
        write_frame(&mut bytes, |out| hello.write(out));
        self.send(key, &bytes);
        key
    }

    /// What a round of the driver does: all that is counted, so it has to stay a function of its own.
    #[inline(never)]
    fn send(&mut self, key: ConnKey, bytes: &[u8]) {
        self.round(key, bytes);
        while let Some(key) = self.shard.next_replied() {
            self.flush(key);
        }
        while let Some(key) = self.shard.next_notified() {
            self.flush(key);
        }
    }

    /// The same for a client that wants the answers.
    fn answer(&mut self, key: ConnKey, bytes: &[u8]) -> Vec<u8> {
        self.round(key, bytes);
        let mut answers = Vec::new();
        while let Some(key) = self.shard.next_replied() {
            if let Flush::Send(bytes) = self.shard.flush(key) {
                answers.extend_from_slice(bytes);
                let n = bytes.len();
                self.shard.sent(key, n);
            }
        }
        answers
    }

    fn round(&mut self, key: ConnKey, bytes: &[u8]) {
        let mut core = Direct(&mut self.replica, &self.tree);
        self.shard.receive(key, bytes, &self.tree, NOW.mono, &mut core);
        if let Some(segment) = self.replica.seal() {
            let last = segment.last_zxid().unwrap();
            self.replica.synced(last, &mut self.tree, &mut [&mut self.shard], NOW).unwrap();
        }
        let mut core = Direct(&mut self.replica, &self.tree);
        self.shard.resume(&self.tree, NOW.mono, &mut core);
    }

    fn flush(&mut self, key: ConnKey) {
        if let Flush::Send(bytes) = self.shard.flush(key) {
            let n = black_box(bytes).len();
            self.shard.sent(key, n);
        }
    }

    fn read(&mut self, n: usize) {
        self.pipeline(n, |node| get(path(node), false));
    }

    fn write(&mut self, n: usize) {
        self.pipeline(n, |node| set(path(node)));
    }

    /// Creates `n` nodes, ten to a directory of their own, in multis of a hundred.
    fn create(&mut self, n: usize) {
        let client = self.connect();
        for batch in 0..n / CREATED {
            let mut bytes = Vec::with_capacity(CREATED * 200);
            write_frame(&mut bytes, |out| {
                RequestHeader { xid: 1, op: OpCode::Multi.code() }.write(out);
                for i in 0..CREATED {
                    let node = batch * CREATED + i;
                    let acl = AclList::OPEN;
                    let path = if node.is_multiple_of(10) {
                        format!("/dir-{:07}", node / 10)
                    } else {
                        format!("/dir-{:07}/node-{node:08}", node / 10)
                    };
                    let create =
                        CreateRequest { path: path.into(), data: Some(&DATA), acl, flags: 0 };
                    write_part(&MultiPart::Create(OpCode::Create, create), out);
                }
                MultiHeader::END.write(out);
            });
            self.send(client, &bytes);
        }
    }

    /// Sends `n` requests in batches that have been made beforehand.
    fn pipeline(&mut self, n: usize, request: impl Fn(usize) -> Vec<u8>) {
        let client = self.connect();
        let batches: Vec<Vec<u8>> = (0..NODES / PIPELINED)
            .map(|batch| {
                (0..PIPELINED).map(|i| request(batch * PIPELINED + i)).collect::<Vec<_>>().concat()
            })
            .collect();
        for batch in batches.iter().cycle().take(n / PIPELINED) {
            self.send(client, batch);
        }
    }

    /// `n` rounds: all watchers set their watch, then one write fires them all.
    fn notify(&mut self, n: usize) {
        let watchers: Vec<ConnKey> = (0..WATCHERS).map(|_| self.connect()).collect();
        let writer = self.connect();
        let (watch, change) = (get(path(0), true), set(path(0)));
        for _ in 0..n / WATCHERS {
            for &watcher in &watchers {
                self.send(watcher, &watch);
            }
            self.send(writer, &change);
        }
    }
}

/// A client whose driver is this loop.
struct Caller {
    client: Client,
    port: Port,
    key: ConnKey,
}

impl Caller {
    fn new(server: &mut Server) -> Self {
        let settings = Settings { servers: vec!["here".into()], ..Settings::default() };
        let (client, port) = Port::open(settings, None, "", 1, Arc::new(Still));
        assert_eq!(port.turn().commands, [Command::Connect { attempt: 1, server: 0 }]);
        port.connected(1);
        let mut hello = Vec::new();
        port.output(&mut hello, usize::MAX);
        let key = server.shard.open(None, NOW.mono);
        port.received(1, &server.answer(key, &hello));
        assert_eq!(client.state(), State::Connected);
        Self { client, port, key }
    }

    /// Sends `n` requests in batches and takes their results.
    fn pipeline<T: Unpin>(
        &self,
        server: &mut Server,
        n: usize,
        request: impl Fn(&Client, &str) -> Op<T>,
    ) {
        let paths: Vec<String> = (0..NODES).map(path).collect();
        let mut paths = paths.iter().cycle();
        let mut out = Vec::new();
        for _ in 0..n / PIPELINED {
            out.clear();
            let ops = self.counted_ask(paths.by_ref().take(PIPELINED), &mut out, &request);
            let answers = server.answer(self.key, &out);
            self.counted_hear(&answers, ops);
        }
    }

    /// Counted, like [`counted_hear`](Self::counted_hear).
    #[inline(never)]
    fn counted_ask<'p, T>(
        &self,
        paths: impl Iterator<Item = &'p String>,
        out: &mut Vec<u8>,
        request: &impl Fn(&Client, &str) -> Op<T>,
    ) -> Vec<Op<T>> {
        let ops = paths.map(|path| request(&self.client, path)).collect();
        self.port.output(out, usize::MAX);
        ops
    }

    #[inline(never)]
    fn counted_hear<T: Unpin>(&self, answers: &[u8], ops: Vec<Op<T>>) {
        self.port.received(1, answers);
        let mut context = Context::from_waker(Waker::noop());
        for mut op in ops {
            assert!(matches!(Pin::new(&mut op).poll(&mut context), Poll::Ready(Ok(_))));
        }
    }
}

/// A world in which no time passes.
#[derive(Debug)]
struct Still;

impl Environment for Still {
    fn now(&self) -> i64 {
        NOW.mono
    }
    fn wake(&self) {}
    fn sleep(&self, _: Duration) -> Task {
        Box::pin(std::future::pending())
    }
    fn spawn(&self, _: Task) {}
    fn random(&self) -> u64 {
        4
    }
}

fn get(path: String, watch: bool) -> Vec<u8> {
    frame(OpCode::GetData, &GetDataRequest { path: path.into(), watch })
}

fn set(path: String) -> Vec<u8> {
    frame(OpCode::SetData, &SetDataRequest { path: path.into(), data: Some(&DATA), version: -1 })
}

fn frame<'a>(op: OpCode, body: &impl Jute<'a>) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_frame(&mut bytes, |out| {
        RequestHeader { xid: 1, op: op.code() }.write(out);
        body.write(out);
    });
    bytes
}

fn path(node: usize) -> String {
    format!("/node-{node:06}")
}

const NOW: Now = Now { mono: 1000, wall: 1_700_000_000_000 };
const DATA: [u8; 100] = [b'd'; 100];
const NODES: usize = 1000;
const PIPELINED: usize = 32;
const WATCHERS: usize = 500;
const CREATED: usize = 100;
