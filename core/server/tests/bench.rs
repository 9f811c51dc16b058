//! `quorate bench` as a process, every workload against a real server: that it measures what it should and leaves nothing
//! behind. How fast anything is has no part in it.

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
use quorate_wire::op::get_children::{GetChildrenRequest, GetChildrenResponse};
use quorate_wire::{Jute as _, OpCode};
use serde_json::Value;

#[test]
fn every_workload_runs_and_cleans_up() {
    let server = server();
    for (workload, measured) in [
        ("mix --reads 50 --keys 5", &["rate", "read_p50", "write_p99"][..]),
        ("mix --rate 200 --keys 5", &["rate", "read_p50"]),
        ("create --outstanding 4", &["rate"]),
        ("multi --ops 3 --kind set --keys 5", &["rate", "operations"]),
        ("multi --ops 3 --kind create", &["rate", "operations"]),
        ("connect", &["rate", "open_p50"]),
    ] {
        let timed = format!("{workload} --clients 3 --seconds 0.3 --warmup 0.1");
        check(&server, &timed, measured);
    }
    check(&server, "populate --nodes 3000 --clients 2", &["rate", "operations"]);
}

#[test]
fn watchers_are_all_notified_in_every_round() {
    let server = server();
    let measured = ["writer_waits_p50", "last_notified_max", "bystander_otherwise_p50"];
    let outcome = check(&server, "watch --watchers 40 --rounds 3", &measured);
    assert_eq!(value(&outcome, "rounds"), Some(3.0), "{outcome}");
    // A writer may be answered before or after the watchers have heard.
    assert!(value(&outcome, "last_notified_p50") > Some(0.0), "{outcome}");
}

#[test]
fn sessions_are_opened_pinged_and_counted() {
    let pid = std::process::id();
    let server = server();
    let line = format!("sessions --count 30 --seconds 2 --ping-every 0.5 --pid {pid}");
    let measured = ["rate", "ping_p50", "server_cpu", "cpu_per_1000_sessions", "rss_after"];
    let outcome = check(&server, &line, &measured);
    // Of the schedule and not of the machine: 30 sessions, each twice a second.
    let rate = value(&outcome, "rate").unwrap();
    assert!((rate - 60.0).abs() <= 1.0, "{outcome}");
}

#[test]
fn memory_is_that_of_the_process_named() {
    let pid = std::process::id();
    let server = server();
    let line = format!("memory --nodes 3000 --clients 2 --pid {pid}");
    let outcome = check(&server, &line, &["rss_before", "rss_after", "rss_per_node"]);
    let after = value(&outcome, "rss_after").unwrap() * 1e6;
    let per_node = value(&outcome, "rss_per_node").unwrap();
    assert!((per_node * 3000.0 / after - 1.0).abs() < 0.01, "{outcome}");
    let refused = Program::start(quorate(&["bench", "memory"]).args(at(&server))).end();
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(refused.err.contains("memory needs --pid, the server's process"), "{refused:?}");
}

#[test]
fn limits_need_no_server() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().display().to_string();
    let outcome = run(&format!("limits --seconds 0.2 --load 1x1 --load 2x4 --dir {folder}"));
    for name in [
        "pingpong_64B_p50",
        "canned_1x1_rate",
        "canned_2x4_p50",
        "fdatasync_256B_append_p50",
        "fdatasync_64KiB_preallocated_p50",
    ] {
        assert!(value(&outcome, name) > Some(0.0), "{name}: {outcome}");
    }
    let syncs = run(&format!("syncs --rate 100 --seconds 0.3 --beside 1 --dir {folder}"));
    assert!(value(&syncs, "write_p50") > Some(0.0), "{syncs}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "its files are gone");
}

#[test]
fn two_servers_are_compared_in_turn() {
    let (a, b) = (server(), server());
    let (first, second) = (a.address().unwrap(), b.address().unwrap());
    let pid = std::process::id();
    let runs = [
        "mix --reads 100 --keys 5 --clients 2 --seconds 0.2 --warmup 0",
        "create --clients 2 --seconds 0.2 --warmup 0",
    ];
    let servers = [format!("{first},name=one,pid={pid}"), format!("{second},name=two")];
    let arguments = ["compare", &servers[0], &servers[1], "--rounds", "2"];
    let runs = ["--run", runs[0], "--run", runs[1]];
    let ended = Program::start(quorate(&["bench", "--json"]).args(arguments).args(runs)).end();
    assert!(ended.status.success() && ended.err.is_empty(), "{ended:?}");
    let comparison: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((&comparison["a"], &comparison["b"]), (&"one".into(), &"two".into()));
    let pairs = comparison["runs"].as_array().unwrap();
    assert_eq!(pairs.len(), 2, "{comparison}");
    for pair in pairs {
        let (a, b) = (value(&pair["a"], "rate").unwrap(), value(&pair["b"], "rate").unwrap());
        let advantage = pair["advantage_of_a"]["rate"].as_f64().unwrap();
        assert!((advantage - a / b).abs() < 1e-9 * advantage, "{pair}");
        assert!(
            value(&pair["a"], "server_cpu").is_some() && value(&pair["b"], "server_cpu").is_none()
        );
    }
    let table = Program::start(quorate(&["bench"]).args(arguments).args(runs)).end();
    assert!(table.out.contains("advantage of one"), "{table:?}");
    assert_eq!((left(&a), left(&b)), (1, 1), "only the system's node is left");
}

fn server() -> Server {
    Server::builder().volatile().free_port().start().unwrap()
}

fn at(server: &Server) -> [String; 2] {
    ["--server".to_owned(), server.address().unwrap().to_string()]
}

/// Runs a workload against a server, to which nothing may go wrong or be left behind.
fn check(server: &Server, line: &str, measured: &[&str]) -> Value {
    let outcome = run(&format!("{} {line}", at(server).join(" ")));
    for name in measured {
        assert!(value(&outcome, name).is_some(), "{line} measures no {name}: {outcome}");
    }
    for name in ["errors", "lost_connections", "unanswered"] {
        assert_eq!(value(&outcome, name), None, "{line}: {outcome}");
    }
    if let Some(rate) = value(&outcome, "rate") {
        assert!(rate > 0.0, "{line}: {outcome}");
    }
    assert_eq!(outcome["partial"], false, "{line}: {outcome}");
    assert_eq!(left(server), 1, "{line} leaves nodes behind");
    outcome
}

/// What `quorate bench --json` prints, which must go well.
fn run(line: &str) -> Value {
    let ended = Program::start(quorate(&["bench", "--json"]).args(line.split(' '))).end();
    assert!(ended.status.success() && ended.err.is_empty(), "{line}: {ended:?}");
    serde_json::from_str(&ended.out).unwrap()
}

fn value(outcome: &Value, name: &str) -> Option<f64> {
    outcome["metrics"][name]["value"].as_f64()
}

/// How many nodes lie directly below the root.
fn left(server: &Server) -> usize {
    let mut client = Client::connect(server.address().unwrap());
    let request = GetChildrenRequest { path: "/".into(), watch: false };
    let body = client.call(OpCode::GetChildren, &request.to_bytes()).unwrap();
    GetChildrenResponse::from_bytes(&body).unwrap().children.len()
}
