//! Ensembles whose members change.

use super::client::{Client, get, set};
use super::world::{TICK, World, config};
use crate::member::{Doing, Effect, Member};
use crate::zab::{Leaving, Sid};
use quorate_wire::op::create::CreateMode::Persistent;
use quorate_wire::op::get_data::GetDataResponse;
use quorate_wire::op::reconfig::ReconfigRequest;
use quorate_wire::quorum::Membership;
use quorate_wire::{ErrorCode, Jute, OpCode};

const CONFIG: &str = "/zookeeper/config";

fn change(joining: &str, leaving: &str) -> Vec<u8> {
    let request = ReconfigRequest {
        joining: Some(joining.to_owned().into()),
        leaving: Some(leaving.to_owned().into()),
        new_members: None,
        cur_config_id: -1,
    };
    request.to_bytes()
}

/// Changes the members, and returns the text that the client is told.
fn reconfigure(world: &mut World, client: &mut Client, joining: &str, leaving: &str) -> String {
    let reply = client.ask(world, OpCode::Reconfig, &change(joining, leaving));
    assert_eq!(reply.err, 0, "{reply:?}");
    let response = GetDataResponse::from_bytes(&reply.body).unwrap();
    assert_eq!((response.stat.version, response.stat.mzxid), (-1, reply.zxid));
    String::from_utf8(response.data.unwrap().to_vec()).unwrap()
}

/// All servers go by this, on their disks and in their trees.
fn assert_config(world: &World, text: &str) {
    for (sid, server) in &world.servers {
        let quorums = server.member.quorums();
        assert_eq!(quorums.committed().to_string(), text, "server {sid}");
        assert_eq!((quorums.pending(), &server.disk.pending), (None, &None), "server {sid}");
        assert_eq!(server.disk.committed.last().unwrap().to_string(), text, "server {sid}");
        let config = server.tree.find(CONFIG).unwrap();
        assert_eq!(server.tree.data(config), Some(text.as_bytes()), "server {sid}");
    }
}

fn writes(world: &mut World, server: Sid, path: &str) {
    let mut client = Client::new(world, server);
    assert_eq!(client.create(world, path, Persistent).err, 0);
    world.assert_one();
}

#[test]
fn a_leader_of_other_servers_is_noticed() {
    let ours = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nserver.4=d:1:2:observer";
    let other = ours.replace(":1:2", ":5:6");
    for (theirs, strange) in [
        (ours.to_owned(), false),
        (other.clone(), true),
        (ours.replace("=a:", "=elsewhere:"), false),
        (other.replace("server.3=c:5", "server.3=c:1"), false),
        (other.replace("=a:", "=0.0.0.0:"), true),
        (ours.replace("server.", "server.9"), false),
    ] {
        for enabled in [false, true] {
            let mut world = World::with(|config| config.zab.reconfig = enabled);
            let member = &mut world.server(1).member;
            member.leader_config(Membership::parse(&theirs).unwrap());
            let noticed = member.effects().any(|effect| matches!(effect, Effect::Strangers(_)));
            assert_eq!(noticed, strange, "{theirs}");
        }
    }
}

#[test]
fn the_first_epoch_gives_the_configuration_its_version() {
    let mut world = World::led_by(3);
    let text = "server.1=a:1:2:participant\nserver.2=b:1:2:participant\n\
                server.3=c:1:2:participant\nserver.4=d:1:2:observer\nversion=100000000";
    assert_config(&world, text);
    for sid in 1..=4 {
        let mut client = Client::new(&mut world, sid);
        assert_eq!(client.get(&mut world, CONFIG), Some(text.into()));
    }
    world.part(3);
    world.pass(TICK);
    world.elect(2);
    assert_config(&world, text);
}

#[test]
fn an_observer_gets_a_vote_and_loses_it() {
    for asked in [1, 3] {
        let mut world = World::led_by(3);
        let mut client = Client::new(&mut world, asked);
        reconfigure(&mut world, &mut client, "server.4=d:1:2;9", "");
        let mut client = Client::new(&mut world, asked);
        let text = reconfigure(&mut world, &mut client, "", "1,2");
        assert!(text.starts_with(
            "server.3=c:1:2:participant\nserver.4=d:1:2:participant;0.0.0.0:9\nversion="
        ));
        assert_config(&world, &text);
        assert_eq!(world.server(4).member.doing(), Doing::Following);
        assert_eq!(world.server(4).left, [Leaving::Reconfigured], "no election");
        // Who was removed stays with its leader, and has no vote.
        assert_eq!(world.server(1).left, []);
        writes(&mut world, 1, "/without-1-and-2");
        let mut client = Client::new(&mut world, 3);
        world.blocked.insert((3, 4));
        client.send(&mut world, OpCode::SetData, &set("/without-1-and-2", b"1"));
        world.run();
        assert_eq!(client.replies(&mut world), [], "4 has a vote");
        world.blocked.clear();
        world.run();
        assert_eq!(client.replies(&mut world).len(), 1);

        let back = "server.1=a:1:2;a:9,server.2=b:1:2;b:9,server.4=d:1:2:observer;9";
        let text = reconfigure(&mut world, &mut client, back, "");
        assert_config(&world, &text);
        assert_eq!(world.server(4).member.doing(), Doing::Observing);
        world.blocked.insert((3, 4));
        writes_without(&mut world, 4);
    }
}

/// A write is committed although this server hears nothing.
fn writes_without(world: &mut World, away: Sid) {
    let mut client = Client::new(world, 3);
    assert_eq!(client.create(world, &format!("/without{away}"), Persistent).err, 0);
}

#[test]
fn a_leader_that_is_removed_names_the_next_one() {
    for asked in [1, 3, 4] {
        let mut world = World::led_by(3);
        let mut client = Client::new(&mut world, asked);
        client.send(&mut world, OpCode::Reconfig, &change("", "3"));
        world.run();
        let text = world.server(1).member.quorums().committed().to_string();
        assert!(!text.contains("server.3") && text.contains("server.2"));
        assert_config(&world, &text);
        let doing: Vec<Doing> =
            world.servers.values().map(|server| server.member.doing()).collect();
        let (leads, follows) = (Doing::Leading, Doing::Following);
        assert_eq!(doing, [leads, follows, follows, Doing::Observing], "no election");
        for server in world.servers.values() {
            assert_eq!(server.left, [Leaving::Reconfigured]);
            assert!(server.serving);
        }
        writes(&mut world, 3, "/under-another");
        world.blocked.insert((1, 3));
        let mut client = Client::new(&mut world, 1);
        assert_eq!(client.create(&mut world, "/without-3", Persistent).err, 0);
    }
}

#[test]
fn a_leader_whose_quorum_port_moves_hands_over() {
    let mut world = World::led_by(3);
    let mut client = Client::new(&mut world, 1);
    client.send(&mut world, OpCode::Reconfig, &change("server.3=c:7:2;c:9", ""));
    world.run();
    assert_eq!(world.server(1).member.doing(), Doing::Leading);
    writes(&mut world, 3, "/a");
    // Other ports are nothing that a leader is found by.
    let mut client = Client::new(&mut world, 2);
    let text = reconfigure(&mut world, &mut client, "server.1=a:1:8;a:9", "");
    assert_config(&world, &text);
    assert_eq!(world.server(1).left, [Leaving::Reconfigured], "of before");
}

#[test]
fn a_configuration_without_a_quorum_is_refused() {
    let mut world = World::led_by(3);
    world.server(1).stopped = true;
    world.part(1);
    world.run();
    let mut client = Client::new(&mut world, 2);
    let reply = client.ask(&mut world, OpCode::Reconfig, &change("", "2"));
    assert_eq!(reply.err, ErrorCode::NewConfigNoQuorum.code());
    reconfigure(&mut world, &mut client, "", "1");
    writes_without(&mut world, 1);
}

#[test]
fn both_configurations_have_to_agree() {
    let mut world = World::led_by(3);
    let mut client = Client::new(&mut world, 3);
    reconfigure(&mut world, &mut client, "server.4=d:1:2;9", "");
    let mut client = Client::new(&mut world, 3);
    // Of the old one three of four are needed, of the new one both.
    for missing in [[(1, 3), (2, 3)].as_slice(), &[(3, 4)]] {
        world.blocked = missing.iter().copied().collect();
        let first = client.send(&mut world, OpCode::Reconfig, &change("", "1,2"));
        let next = client.send(&mut world, OpCode::Exists, &get("/", false));
        world.run();
        assert_eq!(client.replies(&mut world), [], "{missing:?}");
        world.blocked.clear();
        world.run();
        let replies = client.replies(&mut world);
        let answers: Vec<_> = replies.iter().map(|reply| (reply.xid, reply.err)).collect();
        assert_eq!(answers, [(first, 0), (next, 0)]);
        reconfigure(&mut world, &mut client, "server.1=a:1:2;a:9,server.2=b:1:2;b:9", "");
    }
}

#[test]
fn who_looks_for_a_leader_takes_a_newer_configuration() {
    let mut world = World::new();
    let newer: Membership = "server.1=a:1:2\nserver.2=b:1:2\nversion=7".parse().unwrap();
    let older = Membership { version: 3, ..newer.clone() };
    for membership in [newer.clone(), older] {
        world.server(4).member.heard_of(membership);
        world.run();
        assert_eq!(world.server(4).disk.committed, std::slice::from_ref(&newer));
    }
    // It goes by a configuration that its leader does not know.
    world.elect(3);
    assert!(!world.server(4).serving);
    world.server(4).member.heard_of(Membership { version: 8, ..newer.clone() });
    let mut serving = World::led_by(3);
    let newest = Membership { version: 9 << 32, ..newer };
    serving.server(4).member.heard_of(newest.clone());
    assert_ne!(serving.server(4).member.quorums().committed(), &newest, "not while it has one");
}

/// The leader proposes a vote for server 4 and dies. From some it was cut off.
fn dies_amid_a_change(cut_off: &[Sid]) -> World {
    let mut world = World::led_by(3);
    let mut client = Client::new(&mut world, 3);
    world.blocked = cut_off.iter().map(|&sid| (sid, 3)).collect();
    client.send(&mut world, OpCode::Reconfig, &change("server.4=d:1:2;9", ""));
    world.run();
    assert_eq!(client.replies(&mut world), []);
    world.server(3).stopped = true;
    world.part(3);
    world.blocked.clear();
    world.elect(2);
    world
}

/// Whoever led before comes back.
fn comes_back(world: &mut World) {
    world.server(3).stopped = false;
    world.pass(TICK);
    world.elect(2);
}

#[test]
fn the_next_leader_completes_a_change_that_it_has_logged() {
    let mut world = dies_amid_a_change(&[1]);
    assert!(!world.server(2).serving, "three of four are needed");
    comes_back(&mut world);
    assert_eq!(world.server(4).left.last(), Some(&Leaving::Reconfigured));
    world.elect(2);
    let text = world.server(1).member.quorums().committed().to_string();
    assert!(text.contains("server.4=d:1:2:participant;0.0.0.0:9"), "{text}");
    assert_config(&world, &text);
    assert_eq!(world.server(4).member.doing(), Doing::Following);
    writes(&mut world, 4, "/a");
}

#[test]
fn a_change_that_only_a_dead_leader_has_is_gone_when_it_comes_back() {
    let mut world = dies_amid_a_change(&[1, 2]);
    let text = world.server(1).member.quorums().committed().to_string();
    assert!(world.server(2).serving && world.server(3).disk.pending.is_some());
    comes_back(&mut world);
    assert_config(&world, &text);
    writes(&mut world, 3, "/a");
}

#[test]
fn a_change_that_is_written_down_and_not_logged_is_forgotten() {
    let mut world = dies_amid_a_change(&[1, 2]);
    let committed = world.server(1).member.quorums().clone();
    let disk = &world.server(3).disk;
    let pending = disk.pending.clone().unwrap();
    let begins_with = |version: i64| {
        let mut quorums = committed.clone();
        quorums.see(Membership { version, ..pending.clone() });
        let mut member = Member::new(config(3), quorums, disk.durable(usize::MAX));
        let forgets = member.effects().any(|effect| matches!(effect, Effect::SawConfig(None)));
        (member.quorums().pending().map(|pending| pending.version), forgets)
    };
    let logged = pending.version;
    assert_eq!(begins_with(logged), (Some(logged), false));
    assert_eq!(begins_with(logged + 1), (None, true));

    // The role ends before it was logged.
    let unlogged = Membership { version: 9 << 32, ..pending };
    world.server(1).member.saw_config(unlogged.clone());
    world.run();
    assert_eq!(world.server(1).disk.pending, Some(unlogged));
    world.part(1);
    world.run();
    assert_eq!(world.server(1).disk.pending, None);
    world.elect(2);
    assert!(world.server(1).serving);
}

#[test]
fn who_is_not_to_be_reconfigured_goes_by_its_own_file() {
    let mut world = World::with(|config| config.zab.reconfig = config.zab.me != 2).with_leader(3);
    let own = world.server(2).member.quorums().clone();
    assert_eq!(own.committed().version, 0);
    let mut client = Client::new(&mut world, 3);
    let text = reconfigure(&mut world, &mut client, "", "1");
    assert_eq!(world.server(3).member.quorums().committed().to_string(), text);
    world.part(2);
    world.run();
    world.server(2).member.heard_of(Membership { version: 9 << 32, ..text.parse().unwrap() });
    world.elect(3);
    let server = world.server(2);
    assert!(server.serving && *server.member.quorums() == own);
    assert!(server.disk.pending.is_none() && server.disk.committed.is_empty());
}
