//! Roles that end and begin while clients are served.

use super::client::{Client, create, get, set, sync};
use super::world::{TICK, World};
use crate::member::Doing;
use crate::zab::Leaving;
use quorate_wire::op::create::CreateMode::{Ephemeral, Persistent};
use quorate_wire::{Jute, OpCode};

/// A server stops for good, or until [`comes_back`].
fn stops(world: &mut World, sid: i64) {
    world.server(sid).stopped = true;
    world.server(sid).serving = false;
    for key in world.server(sid).shard.conns().map(|conn| conn.key).collect::<Vec<_>>() {
        world.server(sid).shard.close(key);
    }
    world.part(sid);
}

#[test]
fn sessions_outlive_their_leader() {
    let mut world = World::led_by(3);
    let mut clients = [1, 2, 3, 4].map(|sid| Client::new(&mut world, sid));
    for client in &mut clients {
        client.create(&mut world, &format!("/e{}", client.server), Ephemeral);
    }
    stops(&mut world, 3);
    world.run();
    world.pass(3 * TICK);
    for client in clients.iter().filter(|client| client.server != 3) {
        assert!(client.is_closed(&world), "{}", client.server);
    }
    world.elect(2);
    assert_eq!(world.server(2).member.doing(), Doing::Leading);
    for client in &clients {
        for to in [1, 2, 4] {
            let mut again = client.goes_to(&mut world, to).unwrap();
            assert_eq!(again.get(&mut world, &format!("/e{}", client.server)), Some(b"new".into()));
            let path = format!("/more{}-{to}", client.server);
            assert_eq!(again.create(&mut world, &path, Ephemeral).err, 0);
        }
    }
    // Nobody says anything more: all sessions end, under the leader that has not begun them.
    world.pass(12 * TICK);
    let mut other = Client::new(&mut world, 1);
    for client in &clients {
        assert_eq!(other.get(&mut world, &format!("/e{}", client.server)), None);
        assert_eq!(other.get(&mut world, &format!("/more{}-4", client.server)), None);
    }
}

#[test]
fn a_request_that_was_under_way_when_the_leader_went_is_done_once_or_never() {
    let mut world = World::led_by(3);
    let mut client = Client::new(&mut world, 1);
    client.create(&mut world, "/a", Persistent);
    client.send(&mut world, OpCode::SetData, &set("/a", b"1"));
    stops(&mut world, 3);
    world.run();
    assert!(client.is_closed(&world));
    world.elect(1);
    let mut again = client.goes_to(&mut world, 1).unwrap();
    let reply = again.ask(&mut world, OpCode::SetData, &set("/a", b"2"));
    let stat = quorate_wire::Stat::from_bytes(&reply.body).unwrap();
    assert_eq!(stat.version, 1, "the first one never got away");
}

/// The tree is sent as it was when the leader said so, and what is proposed meanwhile follows it.
#[test]
fn a_learner_is_sent_the_tree_while_it_goes_on() {
    for away in [1, 2, 4] {
        let mut world = World::with(|config| config.zab.log_sync = false).with_leader(3);
        let mut client = Client::new(&mut world, 3);
        let mut moving = Client::new(&mut world, 3);
        stops(&mut world, away);
        for n in 0..50 {
            client.create(&mut world, &format!("/n{n}"), Persistent);
        }
        moving.create(&mut world, "/e", Ephemeral);
        // A new leader holds little of its log in memory.
        world.server(3).memory = 3;
        let others: Vec<i64> = [1, 2].into_iter().filter(|&sid| sid != away).collect();
        others.iter().for_each(|&sid| world.part(sid));
        world.pass(TICK);
        world.elect(3);
        world.slow_trees = true;
        let mut client = client.goes_to(&mut world, 3).unwrap();
        let server = world.server(away);
        server.stopped = false;
        world.elect(3);
        assert_eq!(world.plans.last(), Some(&"SNAP"));
        assert!(!world.server(away).serving);
        for n in 0..50 {
            client.ask(&mut world, OpCode::SetData, &set(&format!("/n{n}"), b"later"));
        }
        client.create(&mut world, "/last", Ephemeral);
        moving.goes_to(&mut world, 3).unwrap().ask(&mut world, OpCode::CloseSession, &[]);
        world.slow_trees = false;
        world.run();
        assert!(world.server(away).serving);
        let mut there = client.goes_to(&mut world, away).unwrap();
        assert_eq!(there.get(&mut world, "/n0"), Some(b"later".into()));
        assert!(there.get(&mut world, "/last").is_some());
        world.assert_one();
    }
}

/// What is not in the leader's memory comes from its disk, without a tree, as long as the disk has all of it and it is not too much.
#[test]
fn a_learner_that_was_away_for_long_gets_what_it_lacks_from_the_disk() {
    let whole: fn(&mut World) = |_| {};
    let damaged: fn(&mut World) = |world| drop(world.server(3).disk.log.remove(20));
    for (share, is_whole, plan) in
        [(0, true, "disk"), (9_000_000, true, "disk"), (1, true, "SNAP"), (0, false, "SNAP")]
    {
        let damage = if is_whole { whole } else { damaged };
        for away in [1, 2, 4] {
            let mut world = World::with(|config| config.log_share = share).with_leader(3);
            let mut client = Client::new(&mut world, 3);
            stops(&mut world, away);
            for n in 0..50 {
                client.create(&mut world, &format!("/n{n}"), Persistent);
            }
            world.server(3).memory = 3;
            let others: Vec<i64> = [1, 2].into_iter().filter(|&sid| sid != away).collect();
            others.iter().for_each(|&sid| world.part(sid));
            world.pass(TICK);
            world.elect(3);
            let mut client = client.goes_to(&mut world, 3).unwrap();
            client.create(&mut world, "/in-memory", Ephemeral);
            damage(&mut world);
            world.server(away).stopped = false;
            world.elect(3);
            assert_eq!(world.plans.last(), Some(&plan), "{share}, {away}");
            client.create(&mut world, "/last", Ephemeral);
            assert!(world.server(away).serving);
            let mut there = client.goes_to(&mut world, away).unwrap();
            assert!(there.get(&mut world, "/n49").is_some());
            assert!(there.get(&mut world, "/last").is_some());
            if is_whole {
                world.assert_one();
            }
        }
    }
}

#[test]
fn a_leader_without_room_rests_and_another_goes_on() {
    let mut world = World::led_by(3);
    let mut client = Client::new(&mut world, 1);
    client.create(&mut world, "/a", Persistent);
    world.server(3).disk.full = true;
    client.send(&mut world, OpCode::SetData, &set("/a", b"1"));
    world.run();
    assert_eq!(client.replies(&mut world), [], "it is not in the log of a quorum");
    assert!(client.is_closed(&world));
    assert_eq!(world.server(3).left, [Leaving::NoRoom]);
    assert_eq!(world.server(3).member.doing(), Doing::Looking);
    world.server(3).disk.full = false;
    world.elect(2);
    let mut again = client.goes_to(&mut world, 3).unwrap();
    assert!(again.get(&mut world, "/a").is_some());
    assert_eq!(again.ask(&mut world, OpCode::SetData, &set("/a", b"2")).err, 0);
    world.assert_one();
}

#[test]
fn a_learner_without_room_rests_and_comes_back() {
    let mut world = World::led_by(3);
    let mut client = Client::new(&mut world, 3);
    world.server(1).disk.full = true;
    assert_eq!(client.create(&mut world, "/a", Persistent).err, 0);
    assert_eq!(world.server(1).left, [Leaving::NoRoom]);
    world.server(1).disk.full = false;
    world.part(1);
    world.elect(3);
    assert!(world.server(1).serving);
    world.assert_one();
}

/// ZOOKEEPER-1675, from the client's side.
#[test]
fn a_leader_that_has_lost_its_quorum_answers_no_sync() {
    for server in [3, 4] {
        let mut world = World::led_by(3);
        let mut client = Client::new(&mut world, server);
        world.blocked.extend([(1, 3), (2, 3)]);
        client.send(&mut world, OpCode::Sync, &sync());
        client.send(&mut world, OpCode::GetData, &get("/", false));
        for _ in 0..30 {
            world.pass(TICK);
            assert_eq!(client.replies(&mut world), []);
        }
        assert!(client.is_closed(&world));
        assert_eq!(world.server(3).left, [Leaving::NoQuorum]);
    }
}

/// A sync of the leader's own client keeps its place, and nothing stays behind it for ever.
#[test]
fn a_sync_at_the_leader_holds_up_nobody_longer_than_it_must() {
    let mut world = World::led_by(3);
    let mut one = Client::new(&mut world, 3);
    let mut two = Client::new(&mut world, 1);
    world.blocked.extend([(2, 3)]);
    world.pass(1);
    one.send(&mut world, OpCode::Sync, &sync());
    let first = two.send(&mut world, OpCode::Create, &create("/a", Persistent));
    let second = two.send(&mut world, OpCode::Sync, &sync());
    world.run();
    assert_eq!(one.replies(&mut world).len(), 1);
    let xids: Vec<i32> = two.replies(&mut world).iter().map(|reply| reply.xid).collect();
    assert_eq!(xids, [first, second]);
    let mut three = Client::new(&mut world, 3);
    assert_eq!(three.get(&mut world, "/a"), Some(b"new".into()), "the leader has applied it, too");
}

/// What comes from learners and from clients may be brought to a member together.
#[test]
fn a_sync_and_a_learners_write_that_come_together_are_both_done() {
    let mut world = World::led_by(3);
    let mut one = Client::new(&mut world, 3);
    let mut two = Client::new(&mut world, 1);
    for path in ["/a", "/b"] {
        two.send(&mut world, OpCode::Create, &create(path, Persistent));
        two.send(&mut world, OpCode::Sync, &sync());
        one.send(&mut world, OpCode::Sync, &sync());
        one.send(&mut world, OpCode::GetData, &get(path, false));
    }
    world.run();
    assert_eq!(two.replies(&mut world).len(), 4);
    assert_eq!(one.replies(&mut world).len(), 4);
    assert!(one.get(&mut world, "/b").is_some());
    world.assert_one();
}

/// The stream of a leader's tree does not tell which sessions have ended, and the wall clock may stand behind them.
#[test]
fn an_id_is_given_out_once_by_a_server_that_was_sent_a_tree() {
    let mut world = World::new();
    world.lag = 60_000;
    world.elect(3);
    let ahead = Client::new(&mut world, 2);
    world.part(1);
    world.elect(3);
    let mut first = Client::new(&mut world, 1);
    assert!(first.session << 8 > ahead.session << 8, "its numbers go on behind those of others");
    first.ask(&mut world, OpCode::CloseSession, &[]);
    // Server 1 holds nothing that the leader could go on from.
    world.server(3).memory = 0;
    world.server(1).disk.log.clear();
    [1, 2, 4].into_iter().for_each(|sid| world.part(sid));
    world.pass(TICK);
    world.elect(3);
    assert!(world.plans.contains(&"SNAP"));
    let second = Client::new(&mut world, 1);
    assert_ne!(first.session, second.session);
}

/// Whose connection has ended may have died, which another attempt shows; whose has not is still there, and has nothing to say.
#[test]
fn who_gives_up_a_silent_leader_says_which() {
    let mut world = World::led_by(3);
    world.blocked.extend([1, 4].into_iter().flat_map(|sid| [(sid, 3), (3, sid)]));
    world.pass(6 * TICK);
    assert_eq!(world.silent, [(1, 3), (4, 3)].into());
    stops(&mut world, 3);
    world.run();
    assert_eq!(world.silent, [(1, 3), (4, 3)].into(), "2 has lost its connection");
}
