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
    let key = connect(&mut shard, tree);
    (shard, key)
}

fn connect(shard: &mut Shard, tree: &Tree) -> ConnKey {
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
    take_all(shard, key);
    key
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

/// How many replies wait to be sent to a connection.
fn replies(shard: &mut Shard, key: ConnKey) -> usize {
    let Flush::Send(mut bytes) = shard.flush(key) else { return 0 };
    let (all, mut n) = (bytes.len(), 0);
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        bytes = &rest[usize::try_from(u32::from_be_bytes(*length)).unwrap()..];
        n += 1;
    }
    shard.sent(key, all);
    n
}

#[test]
fn long_reads_take_turns_and_let_others_pass() {
    let tree = Tree::new(TreeConfig { hash_seed: 1, digest: true });
    let config = ShardConfig { long_read: 1, ..ShardConfig::default() };
    let (mut shard, a) = connected(config, &tree);
    let (b, c, bystander) =
        (connect(&mut shard, &tree), connect(&mut shard, &tree), connect(&mut shard, &tree));
    let long = requests(OpCode::GetAllChildrenNumber, 3);
    // Behind a write they are in the queue, else in the input.
    shard.receive(c, &requests(OpCode::Sync, 1), &tree, 0, &mut Silent);
    for key in [a, b, c] {
        shard.receive(key, &long, &tree, 0, &mut Silent);
    }
    shard.reply(c, 1, Zxid(1), 0, 0, |_| {});
    shard.receive(bystander, &requests(OpCode::GetChildren, 5), &tree, 0, &mut Silent);
    shard.resume(&tree, 0, &mut Silent);
    assert_eq!(replies(&mut shard, bystander), 5);
    assert_eq!([a, b, c].map(|key| replies(&mut shard, key)), [1, 0, 1], "one was a write");
    assert!(!shard.wants_input(b, false) && shard.wants_input(bystander, false));
    let mut rounds = Vec::new();
    while shard.has_work() {
        shard.end_round(0);
        assert!(shard.has_resumable());
        shard.resume(&tree, 0, &mut Silent);
        rounds.push([a, b, c].map(|key| replies(&mut shard, key)));
        while shard.next_replied().is_some() {}
        assert!(rounds.len() < 20);
    }
    assert_eq!(rounds.len(), 8, "one in a round: {rounds:?}");
    assert!(rounds.iter().all(|round| round.iter().sum::<usize>() == 1), "{rounds:?}");
    for three in rounds.chunks(3).take(2) {
        let sum = |n: usize| three.iter().map(|round| round[n]).sum::<usize>();
        assert_eq!([sum(0), sum(1), sum(2)], [1, 1, 1], "in turn: {rounds:?}");
    }
    shard.end_round(0);
    assert!(!shard.has_work());
}

#[test]
fn reads_that_turn_out_short_do_not_wait() {
    let tree = Tree::new(TreeConfig { hash_seed: 1, digest: true });
    let (mut shard, key) = connected(ShardConfig::default(), &tree);
    shard.receive(key, &requests(OpCode::GetAllChildrenNumber, 9), &tree, 0, &mut Silent);
    assert_eq!(replies(&mut shard, key), 9);
}

#[test]
fn rounds_remove_what_a_closed_connection_watched_in_slices() {
    let tree = Tree::new(TreeConfig { hash_seed: 1, digest: true });
    let (mut shard, key) = connected(ShardConfig::default(), &tree);
    for n in 0..100 {
        shard.watches.add(key.slot, &format!("/n{n}"), Kind::Data, PERSISTENT);
    }
    shard.close(key);
    assert!(shard.watches().is_empty(), "none counts any more");
    let mut rounds = 0;
    while shard.watches().has_leftovers() {
        shard.end_round(16);
        rounds += 1;
        assert!(rounds < 20, "never done");
    }
    assert!(rounds >= 100 / 16, "{rounds}");
}

#[test]
fn a_reply_goes_ahead_of_other_connections_events_and_takes_its_own_along() {
    let tree = Tree::new(TreeConfig { hash_seed: 1, digest: true });
    let (mut shard, first) = connected(ShardConfig::default(), &tree);
    let (second, last) = (connect(&mut shard, &tree), connect(&mut shard, &tree));
    while shard.next_replied().is_some() {}
    for key in [first, second, last] {
        shard.watches.add(key.slot, "/", Kind::Data, PERSISTENT);
    }
    shard.notify(&TreeEvent::DataChanged { path: "/", acl: &[] }, Zxid(1));
    assert_eq!((shard.next_replied(), shard.next_notified()), (None, Some(first)));
    assert_eq!(replies(&mut shard, first), 1);
    shard.receive(last, &requests(OpCode::GetChildren, 1), &tree, 0, &mut Silent);
    assert_eq!((shard.next_replied(), shard.next_replied()), (Some(last), None));
    let Flush::Send(bytes) = shard.flush(last) else { panic!("nothing to send") };
    assert_eq!(bytes[4..8], (-1_i32).to_be_bytes(), "the event comes first");
    assert_eq!(replies(&mut shard, last), 2);
    assert_eq!((shard.next_notified(), shard.next_notified()), (Some(second), None));
}
