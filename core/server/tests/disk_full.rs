//! The disk runs full under a real server process, and has room again later.
//!
//! Its log goes to a full disk, too, which must not matter. The file system is a small tmpfs in a mount namespace of its
//! own, which needs root and `unshare`; where that is not to be had, the test says so and fails if `QUORATE_REQUIRE_MOUNT` is
//! set. `tests/run` sets it wherever it can be had, and always for CI.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

#[path = "../../tests/client/mod.rs"]
mod client;

use client::Client;
use quorate_wire::ErrorCode;
use quorate_wire::op::create::CreateMode;

/// Mounts, fills most of it, runs the server; a line on standard input removes the filler, the end of it stops all. Standard
/// output is the server's alone from then on, and ends with it.
const SCRIPT: &str = r#"
mount -t tmpfs -o size=8m tmpfs "$1" || exit
echo mounted
head -c 6000000 /dev/zero > "$1/filler"
"$2" server --set clientPort=0 --set dataDir="$1/data" --set preAllocSize=256 2>/dev/full &
server=$!
exec >/dev/null
read -r _ && rm "$1/filler"
read -r _
kill -TERM $server
wait $server
"#;

struct Small {
    child: Child,
    input: Option<ChildStdin>,
    address: std::net::SocketAddr,
}

fn start(dir: &std::path::Path) -> Option<Small> {
    let mut child = Command::new("unshare")
        .args(["--mount", "--", "sh", "-c", SCRIPT, "sh"])
        .arg(dir)
        .arg(env!("CARGO_BIN_EXE_quorate"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    if lines.next().as_deref() != Some("mounted") {
        // It has ended, or is about to.
        child.wait().unwrap();
        return None;
    }
    // From here on nothing is a reason to skip.
    let address = lines.find_map(|line| line.rsplit(' ').next()?.parse().ok());
    let address = address.expect("the server says where it listens");
    let input = child.stdin.take();
    Some(Small { child, input, address })
}

#[test]
fn writes_are_refused_while_there_is_no_room_and_nothing_acknowledged_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut server) = start(dir.path()) else {
        assert!(
            std::env::var_os("QUORATE_REQUIRE_MOUNT").is_none(),
            "no mount namespace to be had"
        );
        eprintln!("SKIPPED: no mount namespace to be had here");
        return;
    };
    let mut client = Client::connect(server.address);
    let data = vec![b'x'; 20_000];
    let mut acknowledged = Vec::new();
    let refused = loop {
        match client.create(&format!("/n-{}", acknowledged.len()), &data, CreateMode::Persistent) {
            Ok(path) => acknowledged.push(path),
            Err(code) => break code,
        }
        assert!(acknowledged.len() < 1000, "8 MB hold no 20 MB");
    };
    assert_eq!(refused, ErrorCode::SystemError);
    assert!(acknowledged.len() > 10);
    for path in &acknowledged {
        assert_eq!(client.get(path, false).unwrap().0.as_deref(), Some(&data[..]), "reads go on");
    }
    client.ping();
    // Room again: service returns by itself.
    let input = server.input.as_mut().unwrap();
    input.write_all(b"\n").unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while let Err(code) = client.create("/after", b"", CreateMode::Persistent) {
        assert_eq!(code, ErrorCode::SystemError);
        assert!(Instant::now() < deadline, "writes never came back");
        std::thread::yield_now();
    }
    for path in &acknowledged {
        assert!(client.get(path, false).is_ok(), "{path} was acknowledged");
    }
    input.write_all(b"\n").unwrap();
    drop(server.input.take());
    assert!(server.child.wait().unwrap().success());
}
