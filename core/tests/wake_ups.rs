//! Nothing waits for a thread to look after itself. Each does that once a second, which would hide a wake-up that is missing:
//! here everything takes many steps, each of which would wait for so long.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod client;

use client::Client;
use quorate::config::IoMode;
use quorate::server::{Builder, LocalStream, Server};
use quorate_wire::op::create::CreateMode;
use std::time::{Duration, Instant};

/// More steps than seconds until [`WAIT`] is over.
const STEPS: usize = 60;
/// Connections for many more slices of notifications than that.
const WATCHERS: usize = 1000;
const WAIT: Duration = Duration::from_secs(25);

/// Every test runs with both drivers.
fn both(test: impl Fn(Builder)) {
    for mode in [IoMode::Fused, IoMode::Sharded] {
        test(Server::builder().io(mode).no_port().configure(|config| config.shards = Some(2)));
    }
}

fn connect(server: &Server) -> Client<LocalStream> {
    let mut stream = server.connect();
    stream.set_read_timeout(Some(WAIT));
    Client::with_timeout(stream, 40_000)
}

fn watchers(server: &Server) -> Vec<Client<LocalStream>> {
    let mut all: Vec<_> = (0..WATCHERS).map(|_| connect(server)).collect();
    for client in &mut all {
        client.get("/watched", true).unwrap();
    }
    all
}

#[test]
fn durable_writes_are_answered_as_soon_as_they_are_durable() {
    both(|builder| {
        let dir = tempfile::tempdir().unwrap();
        let server = builder.data_dir(dir.path()).start().unwrap();
        let mut client = connect(&server);
        client.create("/node", b"", CreateMode::Persistent).unwrap();
        let began = Instant::now();
        for _ in 0..STEPS {
            client.set("/node", b"more").unwrap();
        }
        assert!(began.elapsed() < WAIT, "{:?}", began.elapsed());
        server.stop().unwrap();
    });
}

#[test]
fn all_watchers_are_told_while_nothing_else_happens() {
    both(|builder| {
        let server = builder.volatile().start().unwrap();
        let mut writer = connect(&server);
        writer.create("/watched", b"", CreateMode::Persistent).unwrap();
        let mut watchers = watchers(&server);
        let began = Instant::now();
        writer.set("/watched", b"new").unwrap();
        for client in &mut watchers {
            client.wait_for_event();
        }
        assert!(began.elapsed() < WAIT, "{:?}", began.elapsed());
        for client in &mut watchers {
            client.ping();
            assert_eq!(client.take_events(), [(3, "/watched".to_owned())], "once");
        }
        server.stop().unwrap();
    });
}

/// A reply does not wait for the connection's turn to be notified, and takes the event along, ahead of it.
#[test]
fn an_event_whose_turn_has_not_come_precedes_a_reply() {
    both(|builder| {
        let server = builder.volatile().start().unwrap();
        let mut writer = connect(&server);
        writer.create("/watched", b"", CreateMode::Persistent).unwrap();
        let mut watchers = watchers(&server);
        writer.set("/watched", b"new").unwrap();
        // Those whose turn comes last ask first.
        for client in watchers.iter_mut().rev() {
            client.send_get("/watched");
        }
        for client in &mut watchers {
            let reply = client.receive();
            assert_eq!(client::data_of(&reply.body).unwrap(), b"new");
            assert_eq!(client.take_events(), [(3, "/watched".to_owned())], "before the reply");
        }
        server.stop().unwrap();
    });
}
