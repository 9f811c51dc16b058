//! Ctrl-C and SIGTERM end the server and the bench in good order, whatever they are doing.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../../tests/client/mod.rs"]
mod client;
#[path = "support/program.rs"]
mod program;

use client::Client;
use program::{Program, quorate};
use quorate::server::Server;
use quorate_wire::disk::log::{file_header, write_record};
use quorate_wire::op::create::CreateMode;
use quorate_wire::op::get_children::{GetChildrenRequest, GetChildrenResponse};
use quorate_wire::txn::{Txn, TxnHeader, TxnRecord};
use quorate_wire::{Jute as _, OpCode, Zxid};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn a_server_stops_and_keeps_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    for (n, signal) in [Signal::INT, Signal::TERM].into_iter().enumerate() {
        let mut server = Program::start(&mut server_on(dir.path()));
        let said = server.out.until("Ctrl-C stops it\n");
        let address = said.lines().next().unwrap().rsplit(' ').next().unwrap();
        let mut client = Client::connect(address.parse().unwrap());
        for old in 0..n {
            assert!(client.get(&format!("/n-{old}"), false).is_ok(), "{signal:?}");
        }
        client.create(&format!("/n-{n}"), b"", CreateMode::Persistent).unwrap();
        server.signal(signal);
        let ended = server.end();
        assert!(ended.status.success(), "{ended:?}");
        assert_eq!((ended.out.as_str(), ended.err.as_str()), ("stopped\n", ""));
    }
}

/// How long a log takes to load is not known beforehand: it gets longer until that is long enough to be seen.
#[test]
fn a_server_shows_how_far_loading_is_and_gives_it_up() {
    let (mut records, mut misses) = (50_000, 0);
    loop {
        let dir = tempfile::tempdir().unwrap();
        let before = long_log(dir.path(), records);
        let mut server = Program::start_with_terminal_for_errors(&mut server_on(dir.path()));
        if server.says_before("% of ", "Ctrl-C stops it\n") {
            server.signal(Signal::INT);
            let ended = server.end();
            assert!(ended.status.success(), "{ended:?}");
            if ended.out == "stopped while loading; the data is as it was\n" {
                assert_eq!(contents(dir.path()), before);
                return;
            }
            // It may have been loaded just then; a longer one will not be.
            misses += 1;
            assert!(misses < 3, "loading goes on");
            assert!(ended.out.ends_with("stopped\n"), "{ended:?}");
        }
        records *= 2;
        assert!(records < 20_000_000, "loading shows no progress");
    }
}

#[test]
fn a_bench_stops_with_partial_results_and_removes_its_nodes() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let server = Server::builder().volatile().free_port().start().unwrap();
        let address = server.address().unwrap();
        let bench = ["bench", "--json", "--server", &address.to_string(), "mix"];
        let load = ["--reads=0", "--keys=1", "--clients=2", "--warmup=0", "--seconds=600"];
        let bench = Program::start(quorate(&bench).args(load));
        // It is at work when the one node has changed a few times.
        let mut client = Client::connect(address);
        let root = loop {
            if let [name] = &own_children(&mut client, "/")[..] {
                break format!("/{name}");
            }
        };
        while !own_children(&mut client, &root).iter().any(|key| {
            let node = client.get(&format!("{root}/{key}"), false);
            node.is_ok_and(|(_, stat)| stat.version > 10)
        }) {}
        bench.signal(signal);
        let ended = bench.end();
        assert_eq!((ended.status.code(), ended.err.as_str()), (Some(code), ""), "{ended:?}");
        let outcome: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
        assert_eq!(outcome["partial"], true, "{outcome}");
        assert!(outcome["metrics"]["rate"]["value"].as_f64().unwrap() > 0.0, "{outcome}");
        assert_eq!(own_children(&mut client, "/"), [""; 0]);
        server.stop().unwrap();
    }
}

fn server_on(dir: &Path) -> Command {
    let data = format!("dataDir={}", dir.display());
    let mut command = quorate(&["server", "--set", "clientPort=0", "--set", &data]);
    command.env("TERM", "xterm");
    command
}

/// A database whose log has this many changes of one node; what its files hold.
fn long_log(dir: &Path, records: i64) -> BTreeMap<String, Vec<u8>> {
    let server = Server::builder().data_dir(dir).no_port().start().unwrap();
    server.stop().unwrap();
    let mut bytes = file_header().to_vec();
    for number in 1..=records {
        let header = TxnHeader {
            client_id: 7,
            cxid: 0,
            zxid: Zxid(number),
            time: 0,
            kind: OpCode::CreateSession.code(),
        };
        let record = TxnRecord { header, txn: Txn::CreateSession(4000), digest: None };
        write_record(&record.to_bytes(), &mut bytes);
    }
    fs::write(dir.join("version-2/log.1"), bytes).unwrap();
    contents(dir)
}

/// The files with data; the lock is none.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(dir.join("version-2")).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    files
        .map(|path| (name(&path), fs::read(&path).unwrap()))
        .filter(|(name, _)| name.starts_with("log.") || name.starts_with("snapshot."))
        .collect()
}

/// The children of a node but for the system's own; none if there is no such node.
fn own_children(client: &mut Client<std::net::TcpStream>, path: &str) -> Vec<String> {
    let request = GetChildrenRequest { path: path.into(), watch: false };
    let Ok(body) = client.call(OpCode::GetChildren, &request.to_bytes()) else { return Vec::new() };
    let reply = GetChildrenResponse::from_bytes(&body).unwrap();
    reply.children.into_iter().map(|name| name.into_owned()).filter(|n| n != "zookeeper").collect()
}
