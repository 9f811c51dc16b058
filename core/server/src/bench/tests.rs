//! Whole workloads, short, against the canned server in the same process.
//!
//! They check that requests, replies, clearing away and figures fit together, not how fast anything is.

use super::canned::Canned;
use super::metric::Outcome;
use super::options::Context;
use super::stop::Stop;
use super::work::Workload;
use clap::Parser;
use std::time::Duration;

#[derive(Parser)]
#[command(no_binary_name = true)]
struct Line {
    #[command(subcommand)]
    workload: Workload,
}

/// Runs a command line against a canned server; `stop` is seen by the workload only.
fn run(line: &str, stop: &Stop) -> anyhow::Result<Outcome> {
    let server = Canned::bind(0)?;
    let address = server.address();
    let context = Context {
        server: address,
        process: Some(super::process::Process(std::process::id())),
        keep: false,
        stop: stop.clone(),
    };
    let over = Stop::default();
    std::thread::scope(|scope| {
        let serving = scope.spawn(|| server.serve(&over, 100));
        let workload = Line::try_parse_from(line.split_whitespace()).map(|line| line.workload);
        let outcome = workload.map_err(Into::into).and_then(|workload| workload.run(&context));
        over.request();
        serving.join().expect("the canned server panicked")?;
        outcome
    })
}

fn value(outcome: &Outcome, name: &str) -> f64 {
    outcome.get(name).unwrap_or_else(|| panic!("no {name} in {outcome:?}")).value
}

#[test]
fn a_closed_loop_counts_every_reply_and_no_error() {
    let line = "mix --reads 50 --clients 3 --outstanding 4 --keys 10 --seconds 0.2 --warmup 0.05";
    let outcome = run(line, &Stop::default()).unwrap();
    assert!(value(&outcome, "rate") > 100.0, "{outcome:?}");
    assert!(value(&outcome, "read_p50") > 0.0 && value(&outcome, "write_p50") > 0.0);
    assert!(outcome.get("errors").is_none() && outcome.get("unanswered").is_none(), "{outcome:?}");
    assert!(!outcome.partial);
}

#[test]
fn an_open_loop_keeps_to_its_rate() {
    let line = "mix --clients 2 --threads 2 --rate 500 --keys 10 --seconds 1 --warmup 0.1";
    let outcome = run(line, &Stop::default()).unwrap();
    assert!((value(&outcome, "rate") - 500.0).abs() <= 4.0, "{outcome:?}");
}

#[test]
fn a_tree_is_made_of_exactly_the_nodes_asked_for() {
    let outcome =
        run("populate --nodes 2000 --clients 2 --outstanding 2", &Stop::default()).unwrap();
    let (requests, operations) = (value(&outcome, "rate"), value(&outcome, "operations"));
    assert!((operations / requests - 100.0).abs() < 1e-6, "{outcome:?}");
}

#[test]
fn the_other_workloads_run() {
    for line in [
        "create --clients 2 --outstanding 2 --seconds 0.1 --warmup 0",
        "multi --ops 3 --kind set --clients 1 --keys 5 --seconds 0.1 --warmup 0",
        "multi --ops 3 --kind create --clients 1 --seconds 0.1 --warmup 0",
        "connect --clients 3 --seconds 0.1 --warmup 0",
    ] {
        let outcome = run(line, &Stop::default()).unwrap_or_else(|e| panic!("{line}: {e:#}"));
        assert!(value(&outcome, "rate") > 0.0, "{line}: {outcome:?}");
        assert!(outcome.get("errors").is_none(), "{line}: {outcome:?}");
    }
}

#[test]
fn ctrl_c_ends_a_long_run_with_partial_results() {
    let stop = Stop::default();
    let outcome = std::thread::scope(|scope| {
        let running = scope.spawn(|| run("mix --keys 5 --seconds 600 --warmup 0", &stop));
        std::thread::sleep(Duration::from_millis(200));
        stop.request();
        running.join().unwrap().unwrap()
    });
    assert!(outcome.partial, "{outcome:?}");
    assert!(value(&outcome, "rate") > 0.0, "{outcome:?}");
}

#[test]
fn nobody_listening_is_an_error_that_names_the_address() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let context = Context { server: free, process: None, keep: false, stop: Stop::default() };
    let workload = Line::try_parse_from(["mix"]).unwrap_or_else(|e| panic!("{e}")).workload;
    let error = format!("{:#}", workload.run(&context).unwrap_err());
    assert!(error.contains(&free.to_string()), "{error}");
}
