//! The limits of a replica over a log that answers when told to: who waits, who is dropped, who is refused, and that
//! order holds all the while.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use quorate_engine::limits::Limits;
use quorate_engine::limits::large::LargeRequests;
use quorate_engine::limits::throttle::ThrottleConfig;
use quorate_engine::prep::PrepConfig;
use quorate_engine::replica::{
    LocalSessions, Now, ReaperConfig, Replica, ReplicaConfig, SnapshotConfig,
};
use quorate_engine::segment::Segment;
use quorate_engine::shard::{ConnKey, Flush, Shard, ShardConfig, Submission, Submit};
use quorate_engine::tree::{Tree, TreeConfig};
use quorate_wire::frame::{ReplyHeader, RequestHeader, Split, split, write_frame};
use quorate_wire::op::connect::ConnectRequest;
use quorate_wire::op::create::CreateRequest;
use quorate_wire::{Acl, Jute, OpCode};
use std::collections::VecDeque;
use std::sync::Arc;

struct World {
    tree: Tree,
    replica: Replica,
    shard: Shard,
    log: VecDeque<Arc<Segment>>,
    now: i64,
}

struct Core<'a>(&'a mut Replica, &'a Tree, Now);

impl Submit for Core<'_> {
    fn submit(&mut self, conn: ConnKey, submission: Submission<'_>) {
        self.0.submit(0, conn, submission, self.1, self.2);
    }
}

impl World {
    fn new(requests: ThrottleConfig, large: LargeRequests) -> Self {
        let tree = Tree::new(TreeConfig { hash_seed: 1, digest: true });
        let config = ReplicaConfig {
            prep: PrepConfig::default(),
            tick: 2000,
            reaper: ReaperConfig::default(),
            snapshot: SnapshotConfig::default(),
            server: 0,
            local_sessions: LocalSessions::Off,
            outstanding_limit: 1000,
            limits: Limits { requests, ..Limits::default() },
        };
        let replica = Replica::new(config, &tree, 0, Now { mono: 0, wall: 0 });
        let shard = Shard::new(ShardConfig { large, ..ShardConfig::default() });
        Self { tree, replica, shard, log: VecDeque::new(), now: 0 }
    }

    fn at(&self) -> Now {
        Now { mono: self.now, wall: self.now }
    }

    /// A connection with a session.
    fn client(&mut self) -> ConnKey {
        let key = self.shard.open(None, self.now);
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout: 4000,
            session_id: 0,
            password: None,
            read_only: Some(false),
        };
        let mut bytes = Vec::new();
        write_frame(&mut bytes, |out| request.write(out));
        self.send(key, &bytes);
        self.sync_all();
        self.replies(key);
        key
    }

    fn create(&mut self, key: ConnKey, xid: i32, path: &str) {
        self.create_with(key, xid, path, b"some data");
    }

    fn create_with(&mut self, key: ConnKey, xid: i32, path: &str, data: &[u8]) {
        let (path, acl) = (path.into(), vec![Acl::world(31)]);
        let request = CreateRequest { path, data: Some(data), acl: acl.into(), flags: 0 };
        let mut bytes = Vec::new();
        write_frame(&mut bytes, |out| {
            RequestHeader { xid, op: OpCode::Create.code() }.write(out);
            request.write(out);
        });
        self.send(key, &bytes);
    }

    fn send(&mut self, key: ConnKey, bytes: &[u8]) {
        let now = self.at();
        let mut core = Core(&mut self.replica, &self.tree, now);
        self.shard.receive(key, bytes, &self.tree, now.mono, &mut core);
        self.turn();
    }

    /// Everything that can be done without the log.
    fn turn(&mut self) {
        let now = self.at();
        self.replica.deliver(&self.tree, &mut [&mut self.shard], now);
        let mut core = Core(&mut self.replica, &self.tree, now);
        self.shard.resume(&self.tree, now.mono, &mut core);
        self.log.extend(self.replica.seal());
    }

    /// The log makes its oldest segment durable.
    fn sync_one(&mut self) {
        let now = self.at();
        if let Some(zxid) = self.log.pop_front().and_then(|segment| segment.last_zxid()) {
            self.replica.synced(zxid, &mut self.tree, &mut [&mut self.shard], now).unwrap();
        }
        self.turn();
    }

    fn sync_all(&mut self) {
        while !self.log.is_empty() {
            self.sync_one();
        }
    }

    /// The replies a connection got: xid and error.
    fn replies(&mut self, key: ConnKey) -> Vec<(i32, i32)> {
        let bytes = match self.shard.flush(key) {
            Flush::Send(bytes) => bytes.to_vec(),
            _ => return Vec::new(),
        };
        self.shard.sent(key, bytes.len());
        let (mut rest, mut replies) = (&bytes[..], Vec::new());
        while let Split::Frame { payload, consumed } = split(rest, usize::MAX) {
            let header = ReplyHeader::from_bytes(&payload[..ReplyHeader::LEN]).unwrap();
            replies.push((header.xid, header.err));
            rest = &rest[consumed..];
        }
        replies
    }
}

fn throttle() -> ThrottleConfig {
    ThrottleConfig { most: 1, ..ThrottleConfig::default() }
}

#[test]
fn one_at_a_time_goes_to_the_log() {
    let mut world = World::new(throttle(), LargeRequests::unlimited());
    let (a, b) = (world.client(), world.client());
    for xid in 1..=3 {
        world.create(a, xid, &format!("/a{xid}"));
        world.create(b, xid, &format!("/b{xid}"));
    }
    for done in 0..6 {
        assert_eq!((world.log.len(), world.replica.outstanding()), (1, 6 - done));
        world.sync_one();
    }
    for client in [a, b] {
        assert_eq!(world.replies(client), [(1, 0), (2, 0), (3, 0)]);
    }
    assert_eq!(world.replica.limit_figures().requests_held, 5);
    assert_eq!(world.tree.last_zxid().0, 8);
}

#[test]
fn few_large_writes_are_a_crowd_as_well() {
    let mut world = World::new(ThrottleConfig::default(), LargeRequests::unlimited());
    let (a, b) = (world.client(), world.client());
    let data = vec![0; 1_000_000];
    let mut sent = 0;
    while world.shard.wants_input(a, world.replica.is_crowded()) {
        sent += 1;
        world.create_with(a, sent, &format!("/a{sent}"), &data);
        assert!(sent < 1000, "a gigabyte in flight");
    }
    assert!(sent > 10, "{sent} are not many bytes");
    assert!(world.shard.wants_input(b, true), "who asked for nothing is heard");
    world.sync_all();
    assert!(!world.replica.is_crowded());
    assert_eq!(world.replies(a).len(), usize::try_from(sent).unwrap());
}

#[test]
fn what_nobody_waits_for_is_dropped() {
    let mut world = World::new(throttle(), LargeRequests::unlimited());
    let (a, b, c) = (world.client(), world.client(), world.client());
    world.create(a, 1, "/a");
    world.create(b, 1, "/b1");
    world.create(b, 2, "/b2");
    world.create(c, 1, "/c");
    world.shard.close(b);
    world.sync_all();
    assert!(world.tree.find("/a").is_some() && world.tree.find("/c").is_some());
    assert!(world.tree.find("/b1").is_none() && world.tree.find("/b2").is_none());
    assert_eq!(world.replica.limit_figures().stale_dropped, 2);
    assert_eq!(world.replica.outstanding(), 0);
}

#[test]
fn a_log_that_stands_still_makes_requests_stale() {
    let rules = ThrottleConfig { stale_by_time: true, ..throttle() };
    let mut world = World::new(rules, LargeRequests::unlimited());
    let (a, b) = (world.client(), world.client());
    world.create(a, 1, "/a");
    world.create(b, 1, "/b");
    for now in [100, 3900, 4100] {
        world.now = now;
        let next = world.replica.tick(&world.tree, world.at());
        assert!(next.is_some_and(|at| at <= now + 100), "{next:?}");
        world.turn();
        let waits = world.shard.conn(b).unwrap().outstanding();
        assert_eq!(waits, usize::from(now <= 4000), "at {now}");
    }
    assert!(matches!(world.shard.flush(b), Flush::Close));
    world.sync_all();
    assert_eq!(world.replies(a), [(1, 0)]);
    assert!(world.tree.find("/b").is_none());
}

#[test]
fn what_waited_too_long_is_answered_with_throttled_op_in_its_turn() {
    let rules = ThrottleConfig { most: 2, refuse_after: Some(50), ..ThrottleConfig::default() };
    let mut world = World::new(rules, LargeRequests::unlimited());
    let a = world.client();
    for xid in 1..=4 {
        world.create(a, xid, &format!("/a{xid}"));
    }
    world.now = 60;
    world.create(a, 5, "/a5");
    world.sync_all();
    assert_eq!(world.replies(a), [(1, 0), (2, 0), (3, -127), (4, -127), (5, 0)]);
    assert!(world.tree.find("/a3").is_none() && world.tree.find("/a5").is_some());
    assert_eq!(world.replica.limit_figures().throttled, 2);
}

#[test]
fn a_sync_is_answered_before_a_write_that_came_after_it() {
    let mut world = World::new(ThrottleConfig::default(), LargeRequests::unlimited());
    let a = world.client();
    let now = world.at();
    let mut bytes = Vec::new();
    write_frame(&mut bytes, |out| {
        RequestHeader { xid: 1, op: OpCode::Sync.code() }.write(out);
        quorate_wire::jute::write_str("/", out);
    });
    let mut core = Core(&mut world.replica, &world.tree, now);
    world.shard.receive(a, &bytes, &world.tree, now.mono, &mut core);
    // The write becomes durable before the driver gets round to delivering.
    let (path, acl) = ("/a".into(), vec![Acl::world(31)]);
    let request = CreateRequest { path, data: None, acl: acl.into(), flags: 0 };
    bytes.clear();
    write_frame(&mut bytes, |out| {
        RequestHeader { xid: 2, op: OpCode::Create.code() }.write(out);
        request.write(out);
    });
    let mut core = Core(&mut world.replica, &world.tree, now);
    world.shard.receive(a, &bytes, &world.tree, now.mono, &mut core);
    world.log.extend(world.replica.seal());
    world.sync_one();
    assert_eq!(world.replies(a), [(1, 0), (2, 0)]);
}

#[test]
fn a_refusal_by_the_log_lets_the_next_ones_try() {
    let mut world = World::new(throttle(), LargeRequests::unlimited());
    let a = world.client();
    world.create(a, 1, "/a1");
    world.create(a, 2, "/a2");
    world.log.clear();
    let now = world.at();
    world.replica.refused(&world.tree, &mut [&mut world.shard], now);
    assert!(world.replica.has_ready());
    world.turn();
    world.sync_all();
    let replies = world.replies(a);
    assert_eq!((replies[0].0, replies[1]), (1, (2, 0)), "{replies:?}");
    assert_ne!(replies[0].1, 0);
}

#[test]
fn large_requests_in_progress_use_up_the_budget_until_they_are_answered() {
    let large = LargeRequests::new(50, 150);
    let mut world = World::new(ThrottleConfig::default(), large.clone());
    let (a, b, c) = (world.client(), world.client(), world.client());
    world.create(a, 1, "/a");
    let one = large.in_progress();
    assert!(one > 50 && one * 3 > 150 && one * 2 <= 150, "{one}");
    world.create(b, 1, "/b");
    world.create(c, 1, "/c");
    assert!(matches!(world.shard.flush(c), Flush::Close), "the third does not fit");
    world.shard.close(b);
    assert_eq!(large.in_progress(), one, "a lost connection gives back");
    world.sync_all();
    assert_eq!((large.in_progress(), large.rejected()), (0, 1));
    assert_eq!(world.replies(a), [(1, 0)]);
}
