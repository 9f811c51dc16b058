//! Connections that ask faster than the server answers, or than they read: they are paused, and go on as soon
//! as there is room, without waiting for anything else to happen.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod client;

use client::Client;
use quorate::config::IoMode;
use quorate::server::{Builder, Server};
use quorate_wire::op::create::CreateMode;
use std::time::{Duration, Instant};

fn both(test: impl Fn(Builder)) {
    for mode in [IoMode::Fused, IoMode::Sharded] {
        test(Server::builder().io(mode).configure(|config| config.shards = Some(1)));
    }
}

#[test]
fn a_client_beyond_the_outstanding_limit_is_read_on_at_once() {
    both(|builder| {
        let dir = tempfile::tempdir().unwrap();
        let builder = builder.configure(|config| config.global_outstanding_limit = 10);
        let server = builder.data_dir(dir.path()).no_port().start().unwrap();
        let mut client = Client::new(server.connect());
        client.create("/p", b"", CreateMode::Persistent).unwrap();
        // Each batch is larger than one read, so that its rest has to wait for the answers of its beginning. Reads
        // end between requests (of 8 KiB with the 26 bytes around the data), so that nothing else calls for the rest.
        let data = vec![b'x'; (8 << 10) - 26];
        without_nap(|| {
            let sent: Vec<i32> = (0..40).map(|_| client.send_set("/p", &data)).collect();
            for xid in sent {
                assert_eq!(client.receive().xid, xid);
            }
        });
        server.stop().unwrap();
    });
}

#[test]
fn a_client_that_reads_late_is_answered_on_at_once() {
    both(|builder| {
        let server = builder.volatile().no_port().start().unwrap();
        let mut client = Client::new(server.connect());
        client.create("/p", &vec![b'x'; 2 << 10], CreateMode::Persistent).unwrap();
        without_nap(|| {
            let sent: Vec<i32> = (0..5000).map(|_| client.send_get("/p")).collect();
            for xid in sent {
                assert_eq!(client.receive().xid, xid);
            }
        });
        server.stop().unwrap();
    });
}

/// Does a batch again and again: most of them have to be over in less time than the server sleeps when nothing calls it.
///
/// No machine is so slow that the work itself takes that long each time, and none so fast that a nap does not show.
fn without_nap(mut batch: impl FnMut()) {
    let (mut awake, mut asleep) = (0, 0);
    while awake < BATCHES {
        let began = Instant::now();
        batch();
        *(if began.elapsed() < NAP { &mut awake } else { &mut asleep }) += 1;
        assert!(asleep < BATCHES, "{asleep} batches were paused, {awake} were not");
    }
}

/// The longest nap of a server's thread.
const NAP: Duration = Duration::from_secs(1);
const BATCHES: u32 = 10;
