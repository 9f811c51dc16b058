//! How much a connection may make the shard hold, and what happens beyond.

use super::*;
use crate::tree::TreeConfig;
use crate::watch::{Kind, PERSISTENT};
use quorate_wire::Jute;
use quorate_wire::frame::{RequestHeader, write_frame};
use quorate_wire::op::connect::ConnectRequest;
use quorate_wire::op::get_children::GetChildrenRequest;

/// A replica that lets everyone wait.
struct Silent;

impl Submit for Silent {
    fn submit(&mut self, _: ConnKey, _: Submission<'_>) {}
}

fn connected(config: ShardConfig, tree: &Tree) -> (Shard, ConnKey) {
    let mut shard = Shard::new(config);
    let key = shard.open(None, 0);
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
    shard.receive(key, &bytes, tree, 0, &mut Silent);
    assert!(shard.connected(key, 7));
    shard.resume(tree, 0, &mut Silent);
    take_all(&mut shard, key);
    (shard, key)
}

/// Takes what waits to be sent, as a client that reads.
fn take_all(shard: &mut Shard, key: ConnKey) -> usize {
    let Flush::Send(bytes) = shard.flush(key) else { return 0 };
    let n = bytes.len();
    assert!(!shard.sent(key, n));
    n
}

fn requests(op: OpCode, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..count {
        write_frame(&mut bytes, |out| {
            RequestHeader { xid: 1, op: op.code() }.write(out);
            GetChildrenRequest { path: "/zookeeper".into(), watch: false }.write(out);
        });
    }
    bytes
}

#[test]
fn who_does_not_read_is_not_answered_on_and_goes_on_afterwards() {
    let tree = Tree::new(TreeConfig { hash_seed: 1, digest: true });
    let config = ShardConfig { output_pause: 1000, ..ShardConfig::default() };
    let (mut shard, key) = connected(config, &tree);
    shard.receive(key, &requests(OpCode::GetChildren, 1), &tree, 0, &mut Silent);
    let one = take_all(&mut shard, key);
    shard.receive(key, &requests(OpCode::GetChildren, 500), &tree, 0, &mut Silent);
    let (mut taken, mut most) = (0, 0);
    loop {
        let n = take_all(&mut shard, key);
        if n == 0 {
            break;
        }
        (taken, most) = (taken + n, most.max(n));
        shard.resume(&tree, 0, &mut Silent);
    }
    assert_eq!(taken, 500 * one);
    assert!(most < 1000 + one, "{most} bytes waited to be sent");
}

#[test]
fn reads_that_cannot_wait_and_are_too_much_end_the_connection() {
    let tree = Tree::new(TreeConfig { hash_seed: 1, digest: true });
    let config = ShardConfig { output_limit: 1000, ..ShardConfig::default() };
    let (mut shard, key) = connected(config, &tree);
    shard.receive(key, &requests(OpCode::Sync, 1), &tree, 0, &mut Silent);
    shard.receive(key, &requests(OpCode::GetChildren, 500), &tree, 0, &mut Silent);
    assert!(shard.wants_input(key, false));
    shard.reply(key, 1, Zxid(1), 0, 0, |_| {});
    shard.catch_up(key, &tree, 0);
    assert!(matches!(shard.flush(key), Flush::Close));
}

#[test]
fn bytes_that_wait_behind_a_write_are_limited() {
    let tree = Tree::new(TreeConfig { hash_seed: 1, digest: true });
    let config = ShardConfig { queue_bytes: 1000, ..ShardConfig::default() };
    let (mut shard, key) = connected(config, &tree);
    shard.receive(key, &requests(OpCode::Sync, 1), &tree, 0, &mut Silent);
    shard.receive(key, &requests(OpCode::GetChildren, 100), &tree, 0, &mut Silent);
    assert!(!shard.wants_input(key, false));
    shard.reply(key, 1, Zxid(1), 0, 0, |_| {});
    shard.resume(&tree, 0, &mut Silent);
    assert!(shard.wants_input(key, false));
}

#[test]
fn who_is_hung_up_and_does_not_read_is_cut_off() {
    let tree = Tree::new(TreeConfig { hash_seed: 1, digest: true });
    let (mut shard, key) = connected(ShardConfig::default(), &tree);
    shard.receive(key, &requests(OpCode::GetChildren, 1), &tree, 0, &mut Silent);
    shard.hang_up(key);
    let due = shard.tick(100).unwrap();
    assert!(matches!(shard.flush(key), Flush::Send(_)), "there is time to take what is left");
    shard.tick(due - 1);
    assert!(matches!(shard.flush(key), Flush::Send(_)));
    shard.tick(due);
    assert_eq!(shard.next_replied(), Some(key));
    assert!(matches!(shard.flush(key), Flush::Close));
}

#[test]
fn events_that_nobody_reads_are_limited_in_all_and_those_who_have_most_are_cut_off() {
    let tree = Tree::new(TreeConfig { hash_seed: 1, digest: true });
    let config = ShardConfig { events_limit: 10_000, ..ShardConfig::default() };
    let (mut shard, first) = connected(config, &tree);
    let event = TreeEvent::DataChanged { path: "/", acl: &[] };
    let watch = |shard: &mut Shard, key: ConnKey| {
        shard.watches.add(key.slot, "/", Kind::Data, PERSISTENT);
    };
    let more: Vec<ConnKey> = (0..9).map(|_| shard.open(None, 0)).collect();
    let (modest, greedy) = more.split_first().unwrap();
    greedy.iter().chain([&first]).for_each(|&key| watch(&mut shard, key));
    for zxid in 0..200 {
        shard.notify(&event, Zxid(zxid));
    }
    watch(&mut shard, *modest);
    shard.notify(&event, Zxid(1000));
    assert_eq!(shard.conn(*modest).unwrap().state, State::Stranger, "one event is no crowd");
    let held: usize = shard.conns().map(Conn::unsent).sum();
    assert!(held < 12_000, "{held} bytes wait");
    assert!(greedy.iter().any(|&key| shard.conn(key).unwrap().state == State::Closing));
    // Whoever reads makes room, and nothing is counted twice.
    take_all(&mut shard, *modest);
    more.iter().chain([&first]).for_each(|&key| shard.close(key));
    assert_eq!(shard.output.unread(), 0);
}
