//! What clients see who speak to one server or another.

use super::client::{Client, TIMEOUT, create, creates, data_of, get, set, sync};
use super::world::{TICK, World};
use crate::zab::start_of;
use quorate_wire::op::create::CreateMode::{Ephemeral, Persistent};
use quorate_wire::op::multi_result::{MultiResponse, MultiResult};
use quorate_wire::{ErrorCode, Jute, OpCode};

#[test]
fn a_session_at_any_server_creates_reads_and_syncs() {
    for server in 1..=4 {
        let mut world = World::led_by(3);
        let mut client = Client::new(&mut world, server);
        assert_eq!(client.session >> 56, server, "an id of its server's");
        assert_eq!(client.create(&mut world, "/a", Persistent).body, "\0\0\0\x02/a".as_bytes());
        assert_eq!(client.get(&mut world, "/a"), Some(b"new".to_vec()));
        let twice = client.create(&mut world, "/a", Persistent);
        assert_eq!(twice.err, ErrorCode::NodeExists.code());
        assert_eq!(client.ask(&mut world, OpCode::Sync, &sync()).body, sync());
        let mut other = Client::new(&mut world, server % 4 + 1);
        assert_eq!(other.get(&mut world, "/a"), Some(b"new".to_vec()));
        world.assert_one();
    }
}

/// Servers of Apache's show where an epoch begins before anything is written in it.
#[test]
fn a_client_that_has_seen_an_epoch_begin_is_welcome_at_every_server_of_it() {
    let mut world = World::led_by(3);
    let mut client = Client::new(&mut world, 3);
    client.create(&mut world, "/a", Persistent);
    [1, 2, 4].into_iter().for_each(|sid| world.part(sid));
    world.pass(TICK);
    world.elect(3);
    let epoch = world.server(3).member.epoch();
    let start = start_of(epoch).0;
    let ends = world.server(1).tree.last_zxid();
    assert!(ends.0 < start, "nothing has been written in epoch {epoch}");
    for server in 1..=4 {
        for (seen, welcome) in [(ends.0, true), (start, true), (start + 1, false)] {
            let mut guest = Client::open(&mut world, server, client.session, seen);
            world.run();
            assert_eq!(guest.greeted(&mut world), welcome, "{seen:x} at {server}");
        }
    }
}

#[test]
fn what_is_pipelined_is_answered_in_order_each_read_behind_its_writes() {
    for server in 1..=4 {
        let mut world = World::led_by(3);
        let mut client = Client::new(&mut world, server);
        client.create(&mut world, "/a", Persistent);
        let mut sent = Vec::new();
        for round in 0..5 {
            sent.push(client.send(&mut world, OpCode::SetData, &set("/a", &[round, 0])));
            sent.push(client.send(&mut world, OpCode::GetData, &get("/a", false)));
            sent.push(client.send(&mut world, OpCode::Sync, &sync()));
            sent.push(client.send(&mut world, OpCode::SetData, &set("/a", &[round, 1])));
            sent.push(client.send(&mut world, OpCode::Sync, &sync()));
            sent.push(client.send(&mut world, OpCode::GetData, &get("/a", false)));
        }
        world.run();
        let replies = client.replies(&mut world);
        assert_eq!(replies.iter().map(|reply| reply.xid).collect::<Vec<_>>(), sent);
        let reads = replies.iter().skip(1).step_by(6).zip(replies.iter().skip(5).step_by(6));
        for (round, (first, second)) in (0..).zip(reads) {
            assert_eq!(data_of(first), [round, 0], "server {server}");
            assert_eq!(data_of(second), [round, 1], "server {server}");
        }
        world.assert_one();
    }
}

#[test]
fn a_sync_shows_what_was_acknowledged_to_others() {
    let mut world = World::led_by(3);
    let mut writer = Client::new(&mut world, 1);
    let mut reader = Client::new(&mut world, 2);
    writer.create(&mut world, "/a", Persistent);
    // Server 2 hears nothing for a while: its reads are old, and its syncs wait.
    world.blocked.insert((2, 3));
    writer.ask(&mut world, OpCode::SetData, &set("/a", b"1"));
    assert_eq!(reader.get(&mut world, "/a"), Some(b"new".to_vec()));
    reader.send(&mut world, OpCode::Sync, &sync());
    reader.send(&mut world, OpCode::GetData, &get("/a", false));
    world.run();
    assert_eq!(reader.replies(&mut world), []);
    world.blocked.clear();
    world.run();
    assert_eq!(data_of(&reader.replies(&mut world)[1]), b"1");
}

#[test]
fn an_event_comes_once_and_before_the_data() {
    let mut world = World::led_by(3);
    let mut writer = Client::new(&mut world, 1);
    let mut reader = Client::new(&mut world, 4);
    writer.create(&mut world, "/a", Persistent);
    reader.ask(&mut world, OpCode::GetData, &get("/a", true));
    writer.ask(&mut world, OpCode::SetData, &set("/a", b"1"));
    writer.ask(&mut world, OpCode::SetData, &set("/a", b"2"));
    reader.send(&mut world, OpCode::GetData, &get("/a", false));
    world.run();
    let xids: Vec<i32> = reader.replies(&mut world).iter().map(|reply| reply.xid).collect();
    assert_eq!(xids, [-1, 2]);
}

#[test]
fn a_multi_is_answered_part_by_part_as_it_was_asked() {
    for server in 1..=4 {
        let mut world = World::led_by(3);
        let mut client = Client::new(&mut world, server);
        let parts = [(OpCode::Create2, "/a"), (OpCode::Create, "/b"), (OpCode::Create2, "/c")];
        let reply = client.ask(&mut world, OpCode::Multi, &creates(&parts));
        let results = MultiResponse::from_bytes(&reply.body).unwrap().results;
        let is_2 = |result: &MultiResult<'_>| matches!(result, MultiResult::Create2(_));
        assert_eq!(results.iter().map(is_2).collect::<Vec<_>>(), [true, false, true]);
        let parts = [(OpCode::Create, "/d"), (OpCode::Create2, "/a")];
        let reply = client.ask(&mut world, OpCode::Multi, &creates(&parts));
        let results = MultiResponse::from_bytes(&reply.body).unwrap().results;
        let exists = MultiResult::Error(ErrorCode::NodeExists.code());
        assert_eq!(results, [MultiResult::Error(0), exists]);
        assert_eq!(client.get(&mut world, "/d"), None, "all or nothing");
        world.assert_one();
    }
}

#[test]
fn a_session_lives_while_its_server_hears_of_it_and_its_nodes_go_once_with_it() {
    for server in 1..=4 {
        let mut world = World::led_by(3);
        let mut other = Client::new(&mut world, 2);
        let mut client = Client::new(&mut world, server);
        client.create(&mut world, "/e", Ephemeral);
        other.ask(&mut world, OpCode::GetData, &get("/e", true));
        for _ in 0..10 {
            world.pass(i64::from(TIMEOUT) / 2);
            for client in [&mut client, &mut other] {
                client.ask(&mut world, OpCode::Ping, &[]);
            }
        }
        client.vanish(&mut world);
        for second in 0..20 {
            world.pass(1000);
            other.send(&mut world, OpCode::Ping, &[]);
            world.run();
            let events = other.replies(&mut world).iter().filter(|reply| reply.xid == -1).count();
            let there = other.get(&mut world, "/e").is_some();
            assert!(there || second >= 3, "gone {second} s after the last ping at {server}");
            assert_eq!(events > 0, !there, "at {server}");
            if !there {
                break;
            }
        }
        assert_eq!(other.get(&mut world, "/e"), None);
        assert_eq!(other.replies(&mut world), []);
        world.assert_one();
    }
}

#[test]
fn a_session_that_is_closed_ends_everywhere() {
    let mut world = World::led_by(3);
    let mut client = Client::new(&mut world, 1);
    client.create(&mut world, "/e", Ephemeral);
    assert_eq!(client.ask(&mut world, OpCode::CloseSession, &[]).err, 0);
    assert!(client.is_closed(&world));
    let mut other = Client::new(&mut world, 2);
    assert_eq!(other.get(&mut world, "/e"), None);
    for server in 1..=4 {
        assert!(client.goes_to(&mut world, server).is_none());
    }
    world.assert_one();
}

/// From each server to each other: what the old connection asks is refused by closing it.
#[test]
fn a_session_moves_and_its_old_connection_is_of_no_use() {
    for (from, to) in (1..=4).flat_map(|from| (1..=4).map(move |to| (from, to))) {
        let mut world = World::led_by(3);
        let mut old = Client::new(&mut world, from);
        old.create(&mut world, "/e", Ephemeral);
        let mut new = old.goes_to(&mut world, to).unwrap();
        assert_eq!(new.session, old.session);
        if !old.is_closed(&world) {
            assert!(from != 3 && from != to, "it is here and known to have moved");
            old.send(&mut world, OpCode::Create, &create("/late", Persistent));
            world.run();
            assert_eq!(old.replies(&mut world), []);
            assert!(old.is_closed(&world), "from {from} to {to}");
        }
        assert_eq!(new.get(&mut world, "/late"), None);
        assert_eq!(new.create(&mut world, "/b", Ephemeral).err, 0, "from {from} to {to}");
        for _ in 0..10 {
            world.pass(2000);
            new.ask(&mut world, OpCode::Ping, &[]);
        }
        assert!(new.get(&mut world, "/e").is_some(), "from {from} to {to}");
        // And back again.
        let mut back = new.goes_to(&mut world, from).unwrap();
        assert_eq!(back.create(&mut world, "/c", Ephemeral).err, 0, "from {to} to {from}");
        world.assert_one();
    }
}

#[test]
fn a_client_that_has_seen_more_is_sent_away() {
    for server in 1..=4 {
        let mut world = World::led_by(3);
        let mut client = Client::new(&mut world, 1);
        client.create(&mut world, "/a", Persistent);
        assert!(client.goes_to(&mut world, server).is_some());
        client.last_zxid += 1;
        assert!(client.goes_to(&mut world, server).is_none(), "time would go back at {server}");
    }
}

/// Requests of a session that has ended come back as refusals, for which nobody waits.
#[test]
fn what_an_ended_session_asked_for_is_forgotten() {
    let mut world = World::led_by(3);
    let mut client = Client::new(&mut world, 1);
    world.blocked.insert((1, 3));
    client.send(&mut world, OpCode::Create, &create("/a", Persistent));
    client.send(&mut world, OpCode::Create, &create("/b", Persistent));
    let mut elsewhere = client.goes_to(&mut world, 2).unwrap();
    elsewhere.ask(&mut world, OpCode::CloseSession, &[]);
    world.blocked.clear();
    world.run();
    assert!(client.is_closed(&world));
    assert_eq!(client.replies(&mut world), []);
    let outstanding = world.server(1).member.replica().map(|replica| replica.outstanding());
    assert_eq!(outstanding, Some(0));
    assert_eq!(Client::new(&mut world, 1).get(&mut world, "/a"), None);
}

/// A client is answered for its own request, though another of its server has asked before.
#[test]
fn answers_find_their_requests_among_those_of_others() {
    for server in [1, 2, 4] {
        let mut world = World::led_by(3);
        let mut clients: Vec<Client> = (0..3).map(|_| Client::new(&mut world, server)).collect();
        for round in 0..3 {
            for (n, client) in clients.iter_mut().enumerate().rev() {
                let path = format!("/n{n}");
                let op = if round == 0 { create(&path, Persistent) } else { set(&path, &[round]) };
                let kind = if round == 0 { OpCode::Create } else { OpCode::SetData };
                client.send(&mut world, kind, &op);
                client.send(&mut world, OpCode::GetData, &get(&path, false));
            }
        }
        world.run();
        for (n, client) in clients.iter_mut().enumerate() {
            let replies = client.replies(&mut world);
            let errors: Vec<i32> = replies.iter().map(|reply| reply.err).collect();
            assert_eq!(errors, [0; 6], "client {n} at {server}");
            assert_eq!(data_of(&replies[5]), [2]);
        }
    }
}
