//! Sessions of one server alone.

use super::client::{Client, TIMEOUT, create, get, multi, set, sync};
use super::world::{Server, World};
use crate::replica::LocalSessions::{Kept, Off, Upgraded};
use quorate_wire::op::create::CreateMode::{Ephemeral, Persistent, PersistentSequential};
use quorate_wire::op::delete::DeleteRequest;
use quorate_wire::op::multi_result::{MultiResponse, MultiResult};
use quorate_wire::{ErrorCode, Jute, OpCode};

/// How many sessions of the ensemble each server knows, and how many of its own.
fn sessions(world: &World) -> Vec<(usize, usize)> {
    let of = |server: &Server| {
        let local = server.member.replica().map_or(0, |replica| replica.local_sessions());
        (server.tree.sessions().count(), local)
    };
    world.servers.values().map(of).collect()
}

/// Whether no server knows a session of the ensemble.
fn all_are_local(world: &World) -> bool {
    sessions(world).iter().all(|&(global, _)| global == 0)
}

#[test]
fn a_local_session_begins_and_ends_without_a_transaction() {
    for at in 1..=4 {
        let mut world = World::of_local_sessions(3, Kept);
        let mut client = Client::new(&mut world, at);
        assert_eq!(client.session >> 56, at);
        assert_eq!(sessions(&world).iter().map(|&(_, local)| local).sum::<usize>(), 1);
        assert_eq!(client.create(&mut world, "/a", Persistent).zxid & 0xFFFF, 1, "the first one");
        assert_eq!(client.get(&mut world, "/a"), Some(b"new".to_vec()));
        assert_eq!(client.ask(&mut world, OpCode::Sync, &sync()).err, 0);
        // The end comes behind everything that was asked for before.
        let sent = [
            client.send(&mut world, OpCode::SetData, &set("/a", b"x")),
            client.send(&mut world, OpCode::GetData, &get("/a", false)),
            client.send(&mut world, OpCode::CloseSession, &[]),
        ];
        world.run();
        let replies = client.replies(&mut world);
        assert_eq!(replies.iter().map(|reply| reply.xid).collect::<Vec<_>>(), sent, "at {at}");
        assert!(replies.iter().all(|reply| reply.err == 0) && client.is_closed(&world));
        assert_eq!(sessions(&world), [(0, 0); 4]);
        assert!(world.servers.values().all(|server| server.tree.last_zxid().counter() == 2));
        world.assert_one();
    }
}

#[test]
fn a_local_session_cannot_own_nodes() {
    for at in 1..=4 {
        let mut world = World::of_local_sessions(3, Kept);
        let mut client = Client::new(&mut world, at);
        let refused = ErrorCode::EphemeralOnLocalSession.code();
        assert_eq!(client.create(&mut world, "/e", Ephemeral).err, refused, "at {at}");
        let reply = client.ask(&mut world, OpCode::Multi, &multi(Ephemeral));
        let parts = MultiResponse::from_bytes(&reply.body).unwrap().results;
        assert_eq!(parts[1], MultiResult::Error(refused));
        assert_eq!(client.create(&mut world, "/a", Persistent).err, 0, "it lives");
        assert!(all_are_local(&world));
        world.assert_one();
    }
}

#[test]
fn a_local_session_becomes_the_ensembles_with_its_first_ephemeral_node() {
    let bodies = [
        (OpCode::Create, create("/e", Ephemeral)),
        (OpCode::Create2, create("/e", Ephemeral)),
        (OpCode::Multi, multi(Ephemeral)),
    ];
    for (at, (op, body)) in (1..=4).flat_map(|at| bodies.clone().map(|body| (at, body))) {
        let mut world = World::of_local_sessions(3, Upgraded);
        let mut client = Client::new(&mut world, at);
        assert_eq!(client.create(&mut world, "/a", Persistent).err, 0);
        client.ask(&mut world, OpCode::Multi, &multi(PersistentSequential));
        let delete = DeleteRequest { path: "/m".into(), version: -1 };
        assert_eq!(client.ask(&mut world, OpCode::Delete, &delete.to_bytes()).err, 0);
        assert!(all_are_local(&world));
        let before = client.last_zxid;
        assert_eq!(client.ask(&mut world, op, &body).err, 0, "{op:?} at {at}");
        assert_eq!(client.last_zxid, before + 2, "the session, then the node");
        assert_eq!(sessions(&world), [(1, 0); 4]);
        // It goes on elsewhere, and its nodes go with it.
        let mut moved = client.goes_to(&mut world, at % 4 + 1).unwrap();
        moved.ask(&mut world, OpCode::CloseSession, &[]);
        assert_eq!(sessions(&world), [(0, 0); 4]);
        assert!(world.servers.values().all(|server| server.tree.ephemeral_count() == 0));
        world.assert_one();
    }
}

#[test]
fn a_local_session_is_known_to_its_server_only_and_for_as_long_as_it_serves() {
    let mut world = World::of_local_sessions(3, Upgraded);
    let client = Client::new(&mut world, 1);
    assert!(client.goes_to(&mut world, 2).is_none());
    let again = client.goes_to(&mut world, 1).unwrap();
    assert!(client.is_closed(&world) && again.session == client.session);
    world.part(3);
    world.pass(2000);
    world.elect(2);
    assert!(again.goes_to(&mut world, 1).is_none());
    assert_ne!(Client::new(&mut world, 1).session, client.session);
}

#[test]
fn a_local_session_ends_when_nothing_is_heard_of_it() {
    for at in [1, 3, 4] {
        let mut world = World::of_local_sessions(3, Kept);
        let silent = Client::new(&mut world, at);
        let mut other = Client::new(&mut world, at);
        for _ in 0..2 * TIMEOUT / 1000 {
            world.pass(1000);
            other.ask(&mut world, OpCode::Ping, &[]);
        }
        assert!(silent.is_closed(&world) && !other.is_closed(&world));
        assert_eq!(world.servers[&at].member.replica().unwrap().local_sessions(), 1);
    }
}

/// The leader has had enough of it, and its end is on no other disk yet. Its server has not heard of that, and passes a request on.
#[test]
fn a_session_of_the_ensemble_that_is_about_to_end_is_not_taken_for_a_local_one() {
    let mut world = World::of_local_sessions(3, Upgraded);
    let mut silent = Client::new(&mut world, 1);
    silent.create(&mut world, "/a", Persistent);
    silent.create(&mut world, "/e", Ephemeral);
    assert_eq!(sessions(&world), [(1, 0); 4]);
    world.pass(3500);
    world.blocked.extend([(1, 3), (2, 3)]);
    world.pass(2000);
    silent.send(&mut world, OpCode::SetData, &set("/a", b"late"));
    world.run();
    world.blocked.remove(&(1, 3));
    world.run();
    assert!(silent.is_closed(&world));
    world.blocked.clear();
    world.run();
    assert_eq!(sessions(&world), [(0, 0); 4]);
    let mut other = Client::new(&mut world, 2);
    assert_eq!(other.get(&mut world, "/a"), Some(b"new".to_vec()));
    world.assert_one();
}

/// It would be that of another ensemble, or of one whose settings differ.
#[test]
fn a_leader_without_local_sessions_does_not_believe_in_those_of_others() {
    let mut world = World::with(|config| {
        config.replica.local_sessions = if config.zab.me == 1 { Kept } else { Off };
    })
    .with_leader(3);
    let mut client = Client::new(&mut world, 1);
    let reply = client.ask(&mut world, OpCode::SetData, &set("/", b"x"));
    assert_eq!(reply.err, ErrorCode::SessionExpired.code());
    world.assert_one();
}
