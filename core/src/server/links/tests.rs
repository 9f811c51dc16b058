//! How much is read while the writer has too much already.

use super::*;
use crate::server::pipe::{Calls, LocalStream};
use mio::{Poll, Waker};
use quorate_engine::shard::{ShardConfig, Submission};
use quorate_engine::tree::TreeConfig;
use quorate_wire::frame::{RequestHeader, write_frame};
use quorate_wire::op::connect::ConnectRequest;
use quorate_wire::op::set_data::SetDataRequest;
use quorate_wire::{Jute, OpCode, Zxid};

/// Counts what is submitted, and finds it too much from a limit on.
struct Counting {
    limit: usize,
    requests: Vec<ConnKey>,
    bytes: usize,
}

impl Submit for Counting {
    fn submit(&mut self, conn: ConnKey, submission: Submission<'_>) {
        if let Submission::Write { body, .. } = submission {
            self.requests.push(conn);
            self.bytes += body.len();
        }
    }
}

impl Core for Counting {
    fn is_crowded(&self) -> bool {
        self.bytes > self.limit
    }
}

struct Bench {
    tree: Tree,
    shard: Shard,
    links: Links,
    poll: Poll,
    calls: Arc<Calls>,
    core: Counting,
}

impl Bench {
    fn new(limit: usize) -> Self {
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(1)).unwrap());
        Self {
            tree: Tree::new(TreeConfig { hash_seed: 1, digest: false }),
            shard: Shard::new(ShardConfig::default()),
            links: Links::new(),
            poll,
            calls: Calls::new(waker),
            core: Counting { limit, requests: Vec::new(), bytes: 0 },
        }
    }

    /// A connection with a session.
    fn connect(&mut self, session: i64) -> LocalStream {
        let (pipe, mut stream) = Pipe::new(Arc::clone(&self.calls));
        let key = self.shard.open(None, 0);
        self.links.add(key, Stream::Local(pipe), self.poll.registry()).unwrap();
        let hello = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout: 4000,
            session_id: 0,
            password: None,
            read_only: None,
        };
        let mut bytes = Vec::new();
        write_frame(&mut bytes, |out| hello.write(out));
        stream.write_all(&bytes).unwrap();
        self.read();
        assert!(self.shard.connected(key, session));
        self.resume();
        stream
    }

    fn read(&mut self) {
        for number in self.calls.take() {
            self.links.ready(number, true, true);
        }
        self.links.read_all(&mut self.shard, &self.tree, 0, &mut self.core);
    }

    fn resume(&mut self) {
        self.shard.resume(&self.tree, 0, &mut self.core);
        self.links.flush(&mut self.shard, usize::MAX);
    }

    /// Everything that was submitted is answered.
    fn answer(&mut self) {
        self.core.bytes = 0;
        for key in std::mem::take(&mut self.core.requests) {
            self.shard.reply(key, 1, Zxid(1), 0, 0, |_| {});
        }
        self.resume();
    }
}

/// The crowd is looked at before each read: in the round in which the limit is reached, too.
#[test]
fn in_a_crowd_nobody_with_requests_in_flight_is_read() {
    const WRITES: usize = 500;
    const LIMIT: usize = 100_000;
    let mut bench = Bench::new(LIMIT);
    let mut streams = [1, 2, 3].map(|session| bench.connect(session));
    let set = SetDataRequest { path: "/a".into(), data: Some(&[7; 1000]), version: -1 };
    let mut bytes = Vec::new();
    for _ in 0..WRITES {
        write_frame(&mut bytes, |out| {
            RequestHeader { xid: 1, op: OpCode::SetData.code() }.write(out);
            set.write(out);
        });
    }
    streams.iter_mut().for_each(|stream| stream.write_all(&bytes).unwrap());
    let mut answered = 0;
    while answered < 3 * WRITES {
        bench.read();
        let bytes = bench.core.bytes;
        assert!(bytes > LIMIT || !bench.links.has_work(&bench.shard, false), "{bytes}");
        // Beyond the limit goes what was read when it was reached, and what each of the others sends first.
        assert!(bytes < LIMIT + 3 * READ_BUFFER, "{bytes}");
        assert!(!bench.links.has_work(&bench.shard, true), "all have requests in flight");
        answered += bench.core.requests.len();
        bench.answer();
    }
    assert_eq!(answered, 3 * WRITES);
}
