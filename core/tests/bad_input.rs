//! Bad input on a running server, in both I/O modes: the connection in question ends or gets ZooKeeper's error, others are
//! served all the while, and afterwards nothing is left of it: no connection, no session but those begun
//! properly, no memory.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "support/raw.rs"]
mod raw;

use quorate::config::{FourLetterWords, IoMode};
use quorate::server::Server;
use quorate_wire::op::multi::MultiHeader;
use quorate_wire::op::set_watches::SetWatches2Request;
use quorate_wire::{ErrorCode, Jute, OpCode};
use raw::{Raw, create, eventually, figure, handshake, request, watched};
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};

/// Runs an attack against a server of each mode beside a healthy client, and looks whether all is well.
fn attack(run: impl Fn(SocketAddr)) {
    for mode in [IoMode::Fused, IoMode::Sharded] {
        let builder = Server::builder().volatile().free_port().io(mode).configure(|config| {
            config.four_letter_words = FourLetterWords::all();
            config.shards = Some(2);
            config.max_client_cnxns = 0;
        });
        let server = builder.start().unwrap();
        let address = server.address().unwrap();
        let mut healthy = Raw::connect(address);
        assert_eq!(healthy.call(OpCode::Create, &create("/healthy", 1)), 0);
        run(address);
        assert_eq!(healthy.call(OpCode::GetData, &watched("/healthy", false)), 0);
        assert_eq!(healthy.call(OpCode::Create, &create("/still", 0)), 0);
        // The healthy client, and who asks.
        eventually(2.0, || figure(address, "zk_num_alive_connections"));
        for key in ["zk_outstanding_requests", "zk_watch_count", "zk_quorate_unsent_bytes"] {
            assert_eq!(figure(address, key).to_bits(), 0, "{key}");
        }
        healthy.close();
        server.stop().unwrap();
    }
}

/// Says something on a new connection; the server has to close it without an answer.
fn closes(address: SocketAddr, bytes: &[u8]) {
    let mut stream = raw::open(address);
    // The server may have closed before everything is sent.
    let _ = stream.write_all(bytes);
    let answer = raw::until_closed(&mut stream);
    assert!(answer.is_empty(), "{bytes:x?} is answered with {answer:x?}");
}

/// Says something with a session of its own; the server has to close the connection, after at most an error.
fn closes_session(address: SocketAddr, bytes: &[u8]) {
    let mut client = Raw::connect(address);
    let _ = client.stream.write_all(bytes);
    let answer = raw::until_closed(&mut client.stream);
    assert!(answer.len() <= 20, "{bytes:x?} is answered with {answer:x?}");
}

/// The frames that are cut: a handshake, a create, a multi, a setWatches2.
fn frames() -> [Vec<u8>; 4] {
    let part = MultiHeader { op: OpCode::Create.code(), done: false, err: -1 };
    let mut multi = Vec::new();
    part.write(&mut multi);
    multi.extend(create("/m", 0));
    MultiHeader::END.write(&mut multi);
    let path = || Some(vec!["/healthy".into()]);
    let watches = SetWatches2Request {
        relative_zxid: 0,
        data: path(),
        exist: path(),
        child: path(),
        persistent: path(),
        persistent_recursive: path(),
    };
    let mut set_watches = Vec::new();
    watches.write(&mut set_watches);
    [
        handshake(0, &[0; 16], 10_000),
        request(1, OpCode::Create.code(), &create("/cut", 1)),
        request(1, OpCode::Multi.code(), &multi),
        request(-8, OpCode::SetWatches2.code(), &set_watches),
    ]
}

#[test]
fn lengths_that_no_frame_has() {
    attack(|address| {
        for length in [-1, i32::MIN, i32::MAX, 0x10_0000, 0x7F00_0000, -45] {
            closes(address, &length.to_be_bytes());
            closes_session(address, &length.to_be_bytes());
            let with_rest = [&length.to_be_bytes()[..], &[0x55; 4000]].concat();
            closes(address, &with_rest);
            closes_session(address, &with_rest);
        }
    });
}

#[test]
fn handshakes_that_are_none() {
    attack(|address| {
        for payload in [&b""[..], &[0], &[0; 12], &[0xFF; 27]] {
            let mut frame = i32::try_from(payload.len()).unwrap().to_be_bytes().to_vec();
            frame.extend_from_slice(payload);
            closes(address, &frame);
        }
        // A password that is longer than its frame.
        let mut frame = handshake(0, &[0; 16], 10_000);
        frame[28..32].copy_from_slice(&0x7FFF_FFFFi32.to_be_bytes());
        closes(address, &frame);
        let mut future = handshake(0, &[0; 16], 10_000);
        future[8..16].copy_from_slice(&i64::MAX.to_be_bytes());
        closes(address, &future);
    });
}

#[test]
fn requests_that_are_none() {
    attack(|address| {
        closes_session(address, &[0, 0, 0, 0]);
        closes_session(address, &[0, 0, 0, 4, 0, 0, 0, 1]);
        for op in [10, 23, 99, 108, -3, -10, 1000, i32::MAX, i32::MIN] {
            closes_session(address, &request(1, op, b"nonsense"));
        }
    });
}

#[test]
fn bodies_that_are_none() {
    let ops = [
        (OpCode::Create, true),
        (OpCode::Delete, true),
        (OpCode::SetData, true),
        (OpCode::SetAcl, true),
        (OpCode::Multi, false),
        (OpCode::GetData, true),
        (OpCode::Exists, true),
        (OpCode::GetAcl, true),
        (OpCode::GetChildren, true),
        (OpCode::GetChildren2, true),
        (OpCode::Sync, true),
        (OpCode::SetWatches, true),
        (OpCode::SetWatches2, true),
        (OpCode::AddWatch, true),
        (OpCode::CheckWatches, true),
        (OpCode::RemoveWatches, true),
        (OpCode::GetEphemerals, true),
        (OpCode::GetAllChildrenNumber, true),
        (OpCode::MultiRead, false),
        (OpCode::Reconfig, false),
        (OpCode::CreateTtl, true),
        (OpCode::CreateContainer, true),
    ];
    attack(move |address| {
        for (op, must_fail) in ops {
            for body in [&b""[..], &[0x7F; 64], &[0xFF; 3], &[0, 0, 0, 9, b'/', 0xC3, 0x28]] {
                let mut client = Raw::connect(address);
                client.send(op, body);
                // An error, or the end; never silence and never success.
                let answer = client.reply();
                let failed = answer.as_ref().is_none_or(|(header, _)| header.err != 0);
                assert!(failed || !must_fail, "{op:?} {body:x?}: {answer:?}");
                drop(client);
            }
        }
    });
}

#[test]
fn paths_that_are_none() {
    let paths = [
        "",
        "a",
        "a/b",
        "//",
        "/a//b",
        "/a/",
        "/.",
        "/..",
        "/a/./b",
        "/a/../b",
        "/\0",
        "/a\0b",
        "/\u{1}",
        "/\u{7f}",
        "/\u{fffe}",
        "/\u{f8ff}",
    ];
    attack(|address| {
        let mut client = Raw::connect(address);
        for path in paths {
            let err = client.call(OpCode::Create, &create(path, 0));
            // A parent that does not exist is found first.
            let wanted = [ErrorCode::BadArguments.code(), ErrorCode::NoNode.code()];
            assert!(wanted.contains(&err), "{path:?}: {err}");
        }
        let deep = "/a".repeat(100_000);
        assert_eq!(client.call(OpCode::Create, &create(&deep, 0)), ErrorCode::NoNode.code());
        assert_eq!(client.call(OpCode::Exists, &watched(&deep, false)), ErrorCode::NoNode.code());
        client.close();
    });
}

#[test]
fn connections_that_end_at_every_byte() {
    attack(|address| {
        let [shake, rest @ ..] = frames();
        for cut in 0..shake.len() {
            let mut stream = raw::open(address);
            stream.write_all(&shake[..cut]).unwrap();
            end(&stream, cut);
        }
        for frame in rest {
            for cut in 0..frame.len() {
                let mut client = Raw::connect(address);
                client.stream.write_all(&frame[..cut]).unwrap();
                end(&client.stream, cut);
            }
        }
        let mut reader = Raw::connect(address);
        for path in ["/cut", "/m"] {
            let found = reader.call(OpCode::Exists, &watched(path, false));
            assert_eq!(found, ErrorCode::NoNode.code(), "part of a frame was done: {path}");
        }
        reader.close();
    });
}

/// Ends a connection now with a half-close, now at once.
fn end(stream: &TcpStream, cut: usize) {
    let how = if cut.is_multiple_of(2) { Shutdown::Write } else { Shutdown::Both };
    // The server may have been faster.
    let _ = stream.shutdown(how);
}

#[test]
fn writers_of_one_byte_at_a_time() {
    attack(|address| {
        let [shake, create, multi, set_watches] = frames();
        let mut stream = raw::open(address);
        let mut dribble = |bytes: &[u8], answers: usize| {
            for byte in bytes {
                stream.write_all(&[*byte]).unwrap();
                std::thread::yield_now();
            }
            for _ in 0..answers {
                assert!(raw::frame(&mut stream).is_some());
            }
        };
        dribble(&shake, 1);
        dribble(&create, 1);
        dribble(&multi, 1);
        // Its notifications may come before its reply; the connection's end takes its watches along.
        dribble(&set_watches, 1);
        dribble(&request(9, OpCode::CloseSession.code(), &[]), 0);
        assert!(!raw::until_closed(&mut stream).is_empty());
    });
}

#[test]
fn sessions_of_others() {
    attack(|address| {
        let mut owner = Raw::connect(address);
        assert_eq!(owner.call(OpCode::Create, &create("/owned", 1)), 0);
        for password in [&[0; 16][..], &[], &[0xFF; 16], &owner.password[..15], &[7; 1000]] {
            assert!(Raw::try_connect(address, owner.session, password).is_none());
        }
        for session in [1, -1, i64::MIN, i64::MAX, owner.session + 1] {
            assert!(Raw::try_connect(address, session, &owner.password).is_none());
        }
        assert_eq!(
            owner.call(OpCode::Exists, &watched("/owned", false)),
            0,
            "the owner is untouched"
        );
        let mut moved = Raw::try_connect(address, owner.session, &owner.password).unwrap();
        assert!(raw::until_closed(&mut owner.stream).is_empty(), "its old connection is closed");
        assert_eq!(moved.call(OpCode::Exists, &watched("/owned", false)), 0);
        moved.close();
    });
}

#[test]
fn words_that_are_none() {
    attack(|address| {
        for word in
            ["RUOK", "help", "quit", "\n\n\n\n", "GET / HTTP/1.1\r\n\r\n", "\u{7f}ELF", "zzzz"]
        {
            closes(address, word.as_bytes());
        }
        let mut half = raw::open(address);
        half.write_all(b"ru").unwrap();
        half.shutdown(Shutdown::Both).unwrap();
        let mut flood = raw::open(address);
        let _ = flood.write_all(&b"ruok".repeat(50_000));
        assert!(matches!(&raw::until_closed(&mut flood)[..], b"imok" | b""));
    });
}

#[test]
fn a_reader_that_never_reads_is_not_read_either() {
    attack(|address| {
        let mut client = Raw::connect(address);
        client.stream.set_write_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
        let bytes = request(1, OpCode::GetChildren.code(), &watched("/", false)).repeat(1000);
        let mut sent = 0;
        // 200 MB of answers are asked for. The server stops reading long before; then writing here times out.
        while sent < 3000 && client.stream.write_all(&bytes).is_ok() {
            sent += 1;
        }
        assert!(sent < 3000, "the server has read everything");
        let unsent = figure(address, "zk_quorate_unsent_bytes");
        assert!(unsent > 0.0 && unsent < 16e6, "{unsent} bytes wait");
    });
}

#[test]
fn ten_thousand_connects() {
    let count = 10_000;
    attack(|address| {
        let before = memory();
        for n in 0..count {
            let mut stream = raw::open(address);
            if n % 2 == 0 {
                stream.write_all(&handshake(0, &[0; 16], 4000)).unwrap();
            }
            if n % 4 == 0 {
                assert!(raw::frame(&mut stream).is_some());
                stream.write_all(&request(1, OpCode::CloseSession.code(), &[])).unwrap();
                assert!(!raw::until_closed(&mut stream).is_empty());
            }
        }
        eventually(2.0, || figure(address, "zk_num_alive_connections"));
        // Half of them at most have left a session, which lives on until it expires.
        let grown = memory().saturating_sub(before);
        assert!(grown < 64 << 20, "{grown} bytes more after {count} connects");
    });
}

/// Resident memory of this process in bytes; 0 where the system does not tell.
fn memory() -> u64 {
    let Ok(statm) = std::fs::read_to_string("/proc/self/statm") else { return 0 };
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}
