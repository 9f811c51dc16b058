//! Limits on a running server, in both I/O modes: what is beyond them is refused as Apache refuses it, what is within
//! is served, and room that becomes free is used again.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "support/raw.rs"]
mod raw;

use quorate::config::{FourLetterWords, IoMode, ServerConfig};
use quorate::server::Server;
use quorate_wire::op::auth::AuthPacket;
use quorate_wire::op::create::CreateRequest;
use quorate_wire::{Acl, ErrorCode, Jute, OpCode};
use raw::{Raw, ask, create, eventually, figure, watched};
use std::io::Write;
use std::net::SocketAddr;

/// Runs a test against a server of each mode, configured by keys of `zoo.cfg`.
fn with(settings: &[(&str, &str)], test: impl Fn(SocketAddr)) {
    for mode in [IoMode::Fused, IoMode::Sharded] {
        let mut config = ServerConfig { shards: Some(2), ..ServerConfig::default() };
        config.four_letter_words = FourLetterWords::all();
        for (key, value) in settings {
            config.set(key, value).unwrap();
        }
        let server = Server::builder().config(config).volatile().free_port().io(mode);
        let server = server.start().unwrap();
        test(server.address().unwrap());
        server.stop().unwrap();
    }
}

/// Whether the server closes a new connection before anything is said.
fn is_closed_at_once(address: SocketAddr) -> bool {
    let mut stream = raw::open(address);
    // Whoever is let in is heard; whoever is not finds a closed connection.
    let _ = stream.write_all(b"ruok");
    raw::until_closed(&mut stream).is_empty()
}

#[test]
fn connections_of_one_address_are_limited() {
    with(&[("maxClientCnxns", "2")], |address| {
        let first = Raw::connect(address);
        let second = Raw::connect(address);
        assert!(is_closed_at_once(address));
        first.close();
        eventually(false, || is_closed_at_once(address));
        assert!(Raw::try_connect(address, second.session, &second.password).is_some());
    });
}

#[test]
fn connections_in_all_are_limited() {
    with(&[("maxCnxns", "1")], |address| {
        let first = Raw::connect(address);
        assert!(is_closed_at_once(address));
        first.close();
        eventually(false, || is_closed_at_once(address));
    });
}

#[test]
fn new_sessions_beyond_the_tokens_are_refused() {
    let keys = [("connection_throttle_tokens", "2"), ("connection_throttle_fill_time", "1000000")];
    with(&keys, |address| {
        let first = Raw::connect(address);
        let _second = Raw::connect(address);
        assert!(Raw::try_connect(address, 0, &[0; 16]).is_none());
        assert!(Raw::try_connect(address, first.session, &first.password).is_none());
        assert_eq!(figure(address, "zk_connection_drop_count").to_bits(), f64::to_bits(2.0));
        assert_eq!(ask(address, b"ruok"), "imok", "words need no token");
    });
}

#[test]
fn kinds_of_session_cost_their_weights() {
    let keys = [
        ("connection_throttle_tokens", "1"),
        ("connection_throttle_fill_time", "1000000"),
        ("connection_throttle_weight_enabled", "true"),
        ("connection_throttle_global_session_weight", "5"),
        ("connection_throttle_renew_session_weight", "2"),
    ];
    // One token is worth one new session of weight 5, and so nothing is left to resume it.
    with(&keys, |address| {
        let first = Raw::connect(address);
        assert!(Raw::try_connect(address, first.session, &first.password).is_none());
    });
}

#[test]
fn a_bucket_is_filled_again() {
    let keys = [("connection_throttle_tokens", "1"), ("connection_throttle_fill_time", "5")];
    with(&keys, |address| {
        Raw::connect(address).close();
        eventually(true, || Raw::try_connect(address, 0, &[0; 16]).is_some());
    });
}

#[test]
fn large_requests_beyond_the_budget_close_their_connection() {
    with(&[("largeRequestThreshold", "1000"), ("largeRequestMaxBytes", "2000")], |address| {
        let mut client = Raw::connect(address);
        for (n, size) in [900, 1500, 1800].into_iter().enumerate() {
            assert_eq!(client.call(OpCode::Create, &sized(&format!("/{n}"), size)), 0);
        }
        let mut other = Raw::connect(address);
        other.send(OpCode::Create, &sized("/big", 2100));
        assert!(raw::until_closed(&mut other.stream).is_empty());
        // The length alone is enough: nothing of the request has to arrive.
        let mut early = Raw::connect(address);
        early.stream.write_all(&[0, 0, 0x0C, 0, 1, 2, 3]).unwrap();
        assert!(raw::until_closed(&mut early.stream).is_empty());
        assert_eq!(figure(address, "zk_large_requests_rejected").to_bits(), f64::to_bits(2.0));
        assert_eq!(
            client.call(OpCode::Create, &sized("/more", 1900)),
            0,
            "the budget is whole again"
        );
    });
}

#[test]
fn requests_beyond_the_limit_wait_and_are_answered_in_order() {
    with(&[("request_throttle_max_requests", "1")], |address| {
        let mut clients: Vec<_> = (0..4).map(|_| Raw::connect(address)).collect();
        let mut wanted = Vec::new();
        for (c, client) in clients.iter_mut().enumerate() {
            for n in 0..50 {
                client.send(OpCode::Create, &create(&format!("/{c}-{n}"), 0));
                wanted.push(client.send(OpCode::Exists, &watched(&format!("/{c}-{n}"), false)));
                client.send(OpCode::Sync, &create("/", 0));
            }
        }
        for client in &mut clients {
            for xid in 1..=150 {
                let (header, _) = client.reply().unwrap();
                assert_eq!((header.xid, header.err), (xid, 0));
            }
        }
        assert_eq!(figure(address, "zk_outstanding_requests").to_bits(), 0);
        for client in clients {
            client.close();
        }
    });
}

#[test]
fn connections_without_a_handshake_are_given_up() {
    with(&[("nio.sessionlessCnxnTimeout", "100")], |address| {
        let starts = [&b""[..], b"st", &[0, 0, 0, 45, 0, 0]];
        let mut strangers: Vec<_> = starts.iter().map(|_| raw::open(address)).collect();
        for (stream, bytes) in strangers.iter_mut().zip(starts) {
            stream.write_all(bytes).unwrap();
        }
        for stream in &mut strangers {
            assert!(raw::until_closed(stream).is_empty());
        }
        assert_eq!(
            figure(address, "zk_sessionless_connections_expired").to_bits(),
            f64::to_bits(3.0)
        );
    });
}

#[test]
fn nothing_is_done_without_a_required_identity() {
    let keys = [("enforce.auth.schemes", "digest"), ("enforce.auth.enabled", "true")];
    with(&keys, |address| {
        let mut stranger = Raw::connect(address);
        let refused = stranger.call(OpCode::Create, &create("/a", 0));
        assert_eq!(refused, ErrorCode::SessionClosedRequireSaslAuth.code());
        assert!(raw::until_closed(&mut stranger.stream).is_empty());
        let mut client = Raw::connect(address);
        let packet =
            AuthPacket { kind: 0, scheme: Some("digest".into()), auth: Some(b"me:secret") };
        let mut body = Vec::new();
        packet.write(&mut body);
        client.stream.write_all(&raw::request(-4, OpCode::Auth.code(), &body)).unwrap();
        assert_eq!(client.reply().unwrap().0.err, 0);
        assert_eq!(client.call(OpCode::Create, &create("/a", 0)), 0);
    });
}

/// A create whose frame has exactly this many bytes behind its length.
fn sized(path: &str, frame: usize) -> Vec<u8> {
    let body = |data: &[u8]| {
        let (path, acl) = (path.into(), vec![Acl::world(31)]);
        let mut out = Vec::new();
        CreateRequest { path, data: Some(data), acl: acl.into(), flags: 0 }.write(&mut out);
        out
    };
    body(&vec![b'x'; frame - 8 - body(b"").len()])
}
