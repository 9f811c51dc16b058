//! Clients that make do with reading, while there is no leader.

use super::client::{Client, TIMEOUT, create, creates, data_of, get, set, sync};
use super::world::{TICK, World};
use crate::member::Doing;
use quorate_wire::op::create::CreateMode::Persistent;
use quorate_wire::{ErrorCode, OpCode};

const DELAY: i64 = 2 * TICK;

/// Servers that hold `/a`, and have just lost their leader.
fn leaderless() -> World {
    let mut world = World::that_lets_read(3, DELAY);
    let mut client = Client::new(&mut world, 1);
    client.create(&mut world, "/a", Persistent);
    world.part(3);
    world.pass(TICK / 10);
    assert!((1..=4).all(|sid| world.server(sid).member.doing() == Doing::Looking), "{world:#?}");
    world
}

#[test]
fn without_a_leader_who_makes_do_with_reading_reads_and_nothing_else() {
    let mut world = leaderless();
    assert!(Client::reader(&mut world, 1, 0).is_none(), "it is too soon");
    world.pass(DELAY + TICK);
    for sid in 1..=4 {
        let mut client = Client::reader(&mut world, sid, 0).unwrap();
        assert!(client.reads_only && client.session >> 56 == sid);
        assert_eq!(client.get(&mut world, "/a"), Some(b"new".to_vec()));
        let refused = [
            (OpCode::Create, create("/b", Persistent)),
            (OpCode::SetData, set("/a", b"x")),
            (OpCode::Multi, creates(&[(OpCode::Create, "/b")])),
            (OpCode::Sync, sync()),
        ];
        for (op, body) in refused {
            let reply = client.ask(&mut world, op, &body);
            assert_eq!(reply.err, ErrorCode::NotReadOnly.code(), "{op:?}");
        }
        // In their order, too.
        let sent = [
            client.send(&mut world, OpCode::GetData, &get("/a", true)),
            client.send(&mut world, OpCode::SetData, &set("/a", b"x")),
            client.send(&mut world, OpCode::GetData, &get("/a", false)),
            client.send(&mut world, OpCode::CloseSession, &[]),
        ];
        world.run();
        let replies = client.replies(&mut world);
        assert_eq!(replies.iter().map(|reply| reply.xid).collect::<Vec<_>>(), sent);
        assert_eq!(data_of(&replies[2]), b"new");
        assert_eq!(replies[3].err, 0);
        assert!(client.is_closed(&world));
    }
}

#[test]
fn whoever_wants_more_is_turned_away() {
    let mut world = World::that_lets_read(3, DELAY);
    let client = Client::new(&mut world, 1);
    world.part(3);
    world.pass(DELAY + TICK);
    let other = Client::open(&mut world, 1, 0, 0);
    world.run();
    assert!(other.is_closed(&world), "it did not say that reading is enough");
    // Whether its session lives is not known here.
    assert!(Client::reader(&mut world, 1, client.session).is_none());
    assert!(Client::reader(&mut world, 1, 77).is_none());
    assert_eq!(world.sent.values().flatten().count(), 0, "nobody is told anything");
}

#[test]
fn the_sessions_of_readers_are_their_servers_alone() {
    let mut world = leaderless();
    world.pass(DELAY + TICK);
    let mut one = Client::reader(&mut world, 1, 0).unwrap();
    let silent = Client::reader(&mut world, 1, 0).unwrap();
    let again = Client::reader(&mut world, 1, one.session).unwrap();
    assert!(one.is_closed(&world) && again.session == one.session);
    assert!(Client::reader(&mut world, 2, one.session).is_none());
    one = again;
    for _ in 0..2 * TIMEOUT / 1000 {
        world.pass(1000);
        one.ask(&mut world, OpCode::Ping, &[]);
    }
    assert!(silent.is_closed(&world) && !one.is_closed(&world));
    assert_eq!(world.server(1).tree.sessions().count(), 1, "of before");
}

#[test]
fn when_there_is_a_leader_readers_are_let_go() {
    let mut world = leaderless();
    world.pass(DELAY + TICK);
    let reader = Client::reader(&mut world, 1, 0).unwrap();
    world.elect(2);
    assert!(reader.is_closed(&world));
    let mut client = Client::reader(&mut world, 1, 0).unwrap();
    assert!(!client.reads_only);
    assert_eq!(client.create(&mut world, "/b", Persistent).err, 0);
    world.assert_one();
}

#[test]
fn nobody_reads_without_a_leader_unless_that_is_allowed() {
    let mut world = World::led_by(3);
    world.part(3);
    world.pass(10 * TICK);
    assert!(Client::reader(&mut world, 1, 0).is_none());
}
