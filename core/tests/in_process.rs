//! Servers in this process: started, used without a socket and over one, stopped, started again.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod client;

use client::Client;
use quorate::config::IoMode;
use quorate::server::{Builder, Server, ServerError};
use quorate_wire::op::create::CreateMode;
use quorate_wire::{ErrorCode, OpCode};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

/// Every test runs with both drivers.
fn both(test: impl Fn(Builder)) {
    for mode in [IoMode::Fused, IoMode::Sharded] {
        test(Server::builder().io(mode).configure(|config| config.shards = Some(2)));
    }
}

#[test]
fn a_server_without_a_port_is_reached_within_the_process() {
    both(|builder| {
        let server = builder.volatile().no_port().start().unwrap();
        assert_eq!(server.address(), None);
        let mut client = Client::new(server.connect());
        client.create("/a", b"data", CreateMode::Persistent).unwrap();
        assert_eq!(client.get("/a", false).unwrap().0.unwrap(), b"data");
        let mut other = Client::new(server.connect());
        assert_eq!(other.get("/a", false).unwrap().0.unwrap(), b"data");
        server.stop().unwrap();
    });
}

#[test]
fn several_servers_live_side_by_side_and_share_nothing() {
    both(|builder| {
        let servers: Vec<Server> =
            (0..3).map(|_| builder.clone().volatile().free_port().start().unwrap()).collect();
        for (n, server) in servers.iter().enumerate() {
            let mut client = Client::connect(server.address().unwrap());
            client.create(&format!("/n{n}"), b"", CreateMode::Persistent).unwrap();
        }
        for (n, server) in servers.iter().enumerate() {
            let mut client = Client::new(server.connect());
            for other in 0..servers.len() {
                assert_eq!(client.get(&format!("/n{other}"), false).is_ok(), other == n);
            }
        }
    });
}

#[test]
fn what_was_acknowledged_is_there_after_a_restart() {
    both(|builder| {
        let dir = tempfile::tempdir().unwrap();
        let builder = builder.data_dir(dir.path()).no_port();
        for round in 0..3 {
            let server = builder.clone().start().unwrap();
            let mut client = Client::new(server.connect());
            for before in 0..round {
                assert!(client.get(&format!("/round-{before}"), false).is_ok());
            }
            client.create(&format!("/round-{round}"), b"", CreateMode::Persistent).unwrap();
            server.stop().unwrap();
        }
    });
}

#[test]
fn a_directory_has_one_server_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let builder = Server::builder().data_dir(dir.path()).no_port();
    let first = builder.clone().start().unwrap();
    assert!(matches!(builder.clone().start(), Err(ServerError::Storage(_))));
    first.stop().unwrap();
    builder.start().unwrap().stop().unwrap();
}

#[test]
fn a_taken_port_is_an_error_that_names_it() {
    let first = Server::builder().volatile().free_port().start().unwrap();
    let address = first.address().unwrap();
    let error = Server::builder().volatile().listen(address).start().unwrap_err();
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[test]
fn stopping_closes_every_connection_and_leaves_no_thread() {
    both(|builder| {
        let server = builder.volatile().free_port().start().unwrap();
        let mut local = server.connect();
        let mut socket = std::net::TcpStream::connect(server.address().unwrap()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        server.stop().unwrap();
        assert_eq!(local.read(&mut [0; 8]).unwrap(), 0);
        assert!(matches!(socket.read(&mut [0; 8]), Ok(0) | Err(_)));
        assert!(local.write(b"x").is_err());
    });
}

#[test]
fn a_watch_tells_before_the_new_state_is_read() {
    both(|builder| {
        let server = builder.volatile().free_port().start().unwrap();
        let mut watcher = Client::connect(server.address().unwrap());
        let mut writer = Client::new(server.connect());
        writer.create("/w", b"0", CreateMode::Persistent).unwrap();
        for round in 1..200u32 {
            watcher.get("/w", true).unwrap();
            writer.set("/w", round.to_string().as_bytes()).unwrap();
            // The write is acknowledged, so whatever is read now is new, and the event came before it.
            let (data, _) = watcher.get("/w", false).unwrap();
            assert_eq!(data.unwrap(), round.to_string().as_bytes());
            assert_eq!(watcher.take_events().len(), 1, "round {round}");
        }
    });
}

#[test]
fn a_session_that_falls_silent_ends_with_its_nodes() {
    both(|builder| {
        let builder = builder.configure(|config| config.tick_time_ms = 100);
        let server = builder.volatile().no_port().start().unwrap();
        let mut silent = Client::with_timeout(server.connect(), 200);
        silent.create("/gone", b"", CreateMode::Ephemeral).unwrap();
        let mut other = Client::with_timeout(server.connect(), 2000);
        let began = Instant::now();
        while other.get("/gone", false).is_ok() {
            assert!(began.elapsed() < Duration::from_secs(20), "the session never expired");
            std::thread::yield_now();
        }
        assert!(began.elapsed() >= Duration::from_millis(150), "expired too early");
        assert!(silent.is_closed_by_server());
    });
}

#[test]
fn a_session_moves_to_a_new_connection_with_its_nodes() {
    both(|builder| {
        let server = builder.volatile().free_port().start().unwrap();
        let mut first = Client::connect(server.address().unwrap());
        first.create("/mine", b"", CreateMode::Ephemeral).unwrap();
        let mut second = Client::resume(server.connect(), first.session, &first.password);
        assert_eq!(second.session, first.session);
        assert!(first.is_closed_by_server());
        assert!(second.get("/mine", false).is_ok());
        let wrong = Client::resume(server.connect(), first.session, &[7; 16]);
        assert_eq!(wrong.session, 0, "a wrong password opens nothing");
        assert!(second.get("/mine", false).is_ok(), "and closes nothing");
        second.call(OpCode::CloseSession, &[]).unwrap();
        let mut other = Client::new(server.connect());
        assert_eq!(other.get("/mine", false).unwrap_err(), ErrorCode::NoNode);
    });
}

#[test]
fn a_thousand_pipelined_requests_are_answered_in_order() {
    both(|builder| {
        let server = builder.volatile().free_port().start().unwrap();
        let mut client = Client::connect(server.address().unwrap());
        client.create("/p", b"0", CreateMode::Persistent).unwrap();
        let mut sent = Vec::new();
        for n in 0..1000u32 {
            sent.push(client.send_set("/p", n.to_string().as_bytes()));
            sent.push(client.send_get("/p"));
        }
        for (at, xid) in sent.into_iter().enumerate() {
            let reply = client.receive();
            assert_eq!(reply.xid, xid);
            if at % 2 == 1 {
                let n = at / 2;
                assert_eq!(client::data_of(&reply.body).unwrap(), n.to_string().as_bytes());
            }
        }
    });
}

#[test]
fn connections_that_were_not_read_for_the_crowd_go_on_by_themselves() {
    both(|builder| {
        let dir = tempfile::tempdir().unwrap();
        let builder = builder.configure(|config| config.global_outstanding_limit = 2);
        let server = builder.data_dir(dir.path()).free_port().start().unwrap();
        let address = server.address().unwrap();
        Client::connect(address).create("/c", b"", CreateMode::Persistent).unwrap();
        // A pause that nobody ends lasts until the server's thread looks after itself, a second later; this is
        // read in some fifty pieces, with a pause after each.
        let (mut client, data) = (Client::connect(address), [b'x'; 1000]);
        let deadline = Instant::now() + Duration::from_secs(20);
        let xids: Vec<i32> = (0..3000).map(|_| client.send_set("/c", &data)).collect();
        for xid in xids {
            assert_eq!(client.receive().xid, xid);
            assert!(Instant::now() < deadline, "the connection was left alone");
        }
    });
}
