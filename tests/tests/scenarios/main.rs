//! The scenarios of `tests/scenarios`, which every front runs, with the Rust API: the reference.
//!
//! Against a server in this process, with and without a socket, and, if `QUORATE_TEST_SERVERS` says `host:port`, one elsewhere.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod judge;
mod runner;

use quorate::client::blocking::wait;
use quorate::client::{Builder, Client, CreateMode};
use quorate::server::Server;
use runner::Runner;
use serde_json::Value;

#[test]
fn without_a_socket() {
    let server = Server::builder().volatile().no_port().start().unwrap();
    run_all("without_a_socket", &|| Client::builder().in_process(&server));
}

#[test]
fn behind_a_socket() {
    let server = Server::builder().volatile().free_port().start().unwrap();
    let address = server.address().unwrap().to_string();
    run_all("behind_a_socket", &|| Client::builder().servers(&address));
}

#[test]
fn elsewhere() {
    if let Ok(address) = std::env::var("QUORATE_TEST_SERVERS") {
        run_all("elsewhere", &|| Client::builder().servers(&address));
    }
}

/// Runs each scenario below a node of its own.
fn run_all(home: &str, builder: &dyn Fn() -> Builder) {
    let scenarios: Vec<Value> =
        serde_json::from_str(include_str!("../../scenarios/slice.json")).unwrap();
    assert!(!scenarios.is_empty());
    let client = wait(builder().connect()).unwrap();
    let home = format!("/{home}-{}", std::process::id());
    wait(client.create(&home, b"", CreateMode::Persistent)).unwrap();
    for scenario in &scenarios {
        let name = scenario["name"].as_str().unwrap();
        let root = format!("{home}/{name}");
        wait(client.create(&root, b"", CreateMode::Persistent)).unwrap();
        let mut runner = Runner::new(Box::new(|| builder().root(&root)));
        for (number, step) in scenario["steps"].as_array().unwrap().iter().enumerate() {
            if let Err(problem) = runner.step(step) {
                panic!("{name}, step {}: {problem}\n{step}", number + 1);
            }
        }
    }
}
