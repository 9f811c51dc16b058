//! `quorate shell` against a scripted peer: what it does when a server misbehaves or goes away.
//!
//! The peer is a thread of the test that speaks just enough of the protocol for its case.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail as the test does")]

#[path = "support/peer.rs"]
mod peer;

use peer::{DEADLINE, Peer, drain, read_frame, reply, request, respond, send};
use quorate_wire::op::auth::AuthPacket;
use quorate_wire::op::connect::ConnectRequest;
use quorate_wire::op::get_data::GetDataResponse;
use quorate_wire::op::set_watches::SetWatches2Request;
use quorate_wire::{Jute, OpCode, Stat, event};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdout, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

#[test]
fn a_peer_that_hangs_up_is_a_lost_connection() {
    let peer = Peer::start(|listener| drop(listener.accept()));
    let output = get(&peer.address, "1200");
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.starts_with("KeeperErrorCode = ConnectionLoss for /x: 127.0.0.1:"), "{error}");
    assert!(error.contains("closed by the server before the handshake was answered"), "{error}");
    peer.join();
}

#[test]
fn a_peer_of_another_kind_is_told_as_such() {
    let peer = Peer::start(|listener| {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        drain(&mut stream);
    });
    let output = get(&peer.address, "1200");
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("does not speak ZooKeeper's protocol"), "{error}");
    peer.join();
}

#[test]
fn a_refused_session_says_that_it_has_expired() {
    let peer = Peer::start(|listener| {
        let mut stream = listener.accept().unwrap().0;
        read_frame(&mut stream);
        respond(&mut stream, 0, 0);
    });
    let output = get(&peer.address, "1200");
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert_eq!(error, "Not connected (the session has expired); `connect` starts a new session\n");
    peer.join();
}

#[test]
fn answers_out_of_order_and_answers_cut_short_are_errors() {
    for (reply, expected) in [
        (&b"\0\0\0\x63\0\0\0\0\0\0\0\x01\0\0\0\0"[..], "reply 99 came instead of 1"),
        (b"\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0", "the server's answer cannot be read"),
        (b"\0\0\0\x01\0\0\0\0\0\0\0\x01\xFF\xFF\xFC\x00", "unknown error -1024"),
    ] {
        let peer = Peer::start(move |listener| {
            let mut stream = listener.accept().unwrap().0;
            read_frame(&mut stream);
            respond(&mut stream, 1200, 7);
            read_frame(&mut stream);
            send(&mut stream, reply);
            drain(&mut stream);
        });
        let output = get(&peer.address, "1200");
        assert_eq!(output.status.code(), Some(1));
        let error = text(&output.stderr);
        assert!(error.contains(expected), "{error}");
        peer.join();
    }
}

#[test]
fn a_frame_of_impossible_length_ends_the_connection() {
    let peer = Peer::start(|listener| {
        let mut stream = listener.accept().unwrap().0;
        read_frame(&mut stream);
        respond(&mut stream, 1200, 7);
        read_frame(&mut stream);
        stream.write_all(&i32::MIN.to_be_bytes()).unwrap();
        drain(&mut stream);
    });
    let output = get(&peer.address, "1200");
    let error = text(&output.stderr);
    assert!(error.contains("sent a frame of -2147483648 bytes"), "{error}");
    peer.join();
}

#[test]
fn a_silent_peer_is_pinged_and_given_up_after_two_thirds_of_the_timeout() {
    let peer = Peer::start(|listener| {
        let mut stream = listener.accept().unwrap().0;
        read_frame(&mut stream);
        respond(&mut stream, 900, 7);
        let (header, _) = request(&mut stream);
        assert_eq!(header.op, OpCode::GetData.code());
        let (header, _) = request(&mut stream);
        assert_eq!((header.xid, header.op), (-2, OpCode::Ping.code()));
        drain(&mut stream);
    });
    let begun = Instant::now();
    let output = get(&peer.address, "900");
    let error = text(&output.stderr);
    assert!(error.contains("silent for 600 ms"), "{error}");
    assert!(begun.elapsed() >= Duration::from_millis(600));
    peer.join();
}

#[test]
fn after_a_break_the_session_is_resumed_with_its_identities_and_watches() {
    let peer = Peer::start(|listener| {
        let mut stream = listener.accept().unwrap().0;
        read_frame(&mut stream);
        respond(&mut stream, 20_000, 7);
        let (header, _) = request(&mut stream);
        assert_eq!(header.xid, -4);
        reply(&mut stream, -4, 0, |_| ());
        for (xid, op) in [(1, OpCode::GetData), (2, OpCode::AddWatch)] {
            let (header, _) = request(&mut stream);
            assert_eq!((header.xid, header.op), (xid, op.code()));
            let data = GetDataResponse { data: None, stat: Stat::default() };
            reply(&mut stream, xid, 41, |out| data.write(out));
        }
        drop(stream);

        let mut stream = listener.accept().unwrap().0;
        let hello = read_frame(&mut stream);
        let hello = ConnectRequest::from_bytes(&hello).unwrap();
        assert_eq!((hello.session_id, hello.last_zxid_seen), (7, 41));
        assert_eq!(hello.password, Some(&[9; 16][..]));
        respond(&mut stream, 20_000, 7);
        let (header, body) = request(&mut stream);
        let auth = AuthPacket::from_bytes(&body).unwrap();
        assert_eq!((header.xid, auth.auth), (-4, Some(&b"u:p"[..])));
        let (header, body) = request(&mut stream);
        let watches = SetWatches2Request::from_bytes(&body).unwrap();
        assert_eq!((header.xid, header.op), (-8, OpCode::SetWatches2.code()));
        assert_eq!(watches.relative_zxid, 41);
        assert_eq!(watches.data.unwrap(), ["/app/data"]);
        assert_eq!(watches.persistent_recursive.unwrap(), ["/app/tree"]);
        let mut events = Vec::new();
        event::write_notification(event::EventType::Deleted, "/app/data", -1, &mut events);
        event::write_notification(event::EventType::Created, "/app/unasked", -1, &mut events);
        stream.write_all(&events).unwrap();
        let (header, _) = request(&mut stream);
        assert_eq!(header.op, OpCode::CloseSession.code());
        reply(&mut stream, header.xid, 0, |_| ());
    });
    let mut shell = command(&format!("{}/app", peer.address), "20000")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = shell.stdin.take().unwrap();
    input.write_all(b"addauth digest u:p\nget -w /data\naddWatch /tree\n").unwrap();
    // Leaves only when the event has come, so that nothing here depends on speed.
    let mut printed = String::new();
    let lines = lines_of(shell.stdout.take().unwrap());
    while !printed.ends_with("path:/data\n") {
        match lines.recv_timeout(DEADLINE) {
            Ok(line) => printed.push_str(&line),
            Err(_) => {
                shell.kill().unwrap();
                panic!("no event within {DEADLINE:?}: {printed}");
            }
        }
    }
    drop(input);
    printed.extend(lines);
    assert!(shell.wait().unwrap().success());
    let states: Vec<&str> =
        printed.lines().filter_map(|line| line.strip_prefix("WatchedEvent state:")).collect();
    assert_eq!(
        states,
        [
            "SyncConnected type:None path:null",
            "Disconnected type:None path:null",
            "SyncConnected type:None path:null",
            "SyncConnected type:NodeDeleted path:/data",
            "Closed type:None path:null",
        ]
    );
    peer.join();
}

fn command(address: &str, timeout: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command.args(["shell", "-s", address, "-t", timeout]);
    command
}

fn get(address: &str, timeout: &str) -> Output {
    command(address, timeout).args(["get", "/x"]).stdin(Stdio::null()).output().unwrap()
}

/// The lines that a process prints, as they come.
fn lines_of(output: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line + "\n");
        }
    });
    receiver
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
