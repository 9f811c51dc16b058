//! Whole workloads, short, against the canned server in the same process.
//!
//! They check that requests, replies, clearing away and figures fit together, not how fast anything is.

use super::canned::Canned;
use super::client::{SESSION_TIMEOUT, open_many};
use super::load::{Extent, Job, Next, drive};
use super::metric::Outcome;
use super::options::{Context, Load};
use super::process::Processes;
use super::servers::Servers;
use super::work::Workload;
use crate::stop::Stop;
use clap::Parser;
use quorate_wire::Jute;
use quorate_wire::frame::write_frame;
use quorate_wire::op::connect::ConnectResponse;
use std::io::{Read, Write};
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
        servers: address.into(),
        processes: [std::process::id()].into_iter().collect(),
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
    assert!(value(&outcome, "rate") > 0.0, "{outcome:?}");
    assert!(value(&outcome, "read_p50") > 0.0 && value(&outcome, "write_p50") > 0.0);
    assert!(outcome.get("errors").is_none() && outcome.get("unanswered").is_none(), "{outcome:?}");
    assert!(!outcome.partial);
}

/// However fast the machine is: what was meant to be sent within the window is sent and counted, however late, and nothing more.
#[test]
fn an_open_loop_sends_what_its_rate_intends() {
    let server = Canned::bind(0).unwrap();
    let stop = Stop::default();
    let context = Context {
        servers: server.address().into(),
        processes: Processes::default(),
        keep: false,
        stop,
    };
    let load = Load { clients: 2, outstanding: Some(100), rate: Some(500.0), threads: 2 };
    let (warmup, measured) = (Duration::from_millis(100), Duration::from_secs(1));
    let over = Stop::default();
    let run = std::thread::scope(|scope| {
        let serving = scope.spawn(|| server.serve(&over, 100));
        let extent = Extent::Time { warmup, measured };
        let run = drive(&context, "open", &load, extent, 1, |_, _| Pings);
        over.request();
        serving.join().expect("the canned server panicked").unwrap();
        run.unwrap()
    });
    assert_eq!(run.tally.unanswered, 0, "{run:?}");
    // Each of the two schedules begins at a time of its own, so it may have one more or less.
    assert!((498..=502).contains(&run.tally.done), "{run:?}");
}

/// Answers requests of one connection, the first one only after a long stall.
fn stalling(listener: &std::net::TcpListener, stall: Duration) -> std::io::Result<()> {
    let (mut stream, _) = listener.accept()?;
    let mut frame = |first: &mut bool| -> std::io::Result<()> {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut payload = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap_or(0)];
        stream.read_exact(&mut payload)?;
        let handshake = payload.len() > 40;
        if !handshake && std::mem::take(first) {
            std::thread::sleep(stall);
        }
        let mut reply = Vec::new();
        write_frame(&mut reply, |out| match handshake {
            true => ConnectResponse {
                protocol_version: 0,
                timeout: 30_000,
                session_id: 1,
                password: None,
                read_only: None,
            }
            .write(out),
            false => {
                out.extend_from_slice(payload.first_chunk::<4>().unwrap_or(&[0; 4]));
                out.extend_from_slice(&[0; 12]);
            }
        });
        stream.write_all(&reply)
    };
    let mut first = true;
    while frame(&mut first).is_ok() {}
    Ok(())
}

struct Pings;

impl Job for Pings {
    fn next(&mut self, xid: i32, out: &mut Vec<u8>) -> Next {
        super::request::ping().push(xid, out);
        Next::Sent(0)
    }
}

#[test]
fn a_stall_counts_for_every_request_that_should_have_been_sent_during_it() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    let stop = Stop::default();
    let context =
        Context { servers: server.into(), processes: Processes::default(), keep: false, stop };
    // One request in flight: the others can only wait on this side.
    let load = Load { clients: 1, outstanding: Some(1), rate: Some(100.0), threads: 1 };
    let measured = Duration::from_secs(1);
    let run = std::thread::scope(|scope| {
        scope.spawn(|| stalling(&listener, Duration::from_millis(500)));
        let extent = Extent::Time { warmup: Duration::ZERO, measured };
        drive(&context, "stall", &load, extent, 1, |_, _| Pings).unwrap()
    });
    // Intended every 10 ms, the first 50 of them within the stall: a quarter waited 250 ms and more.
    let latency = &run.tally.latency[0];
    assert!(latency.value_at_quantile(0.80) > 200_000_000);
    assert_eq!(run.tally.done, 100);
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
        "gap --clients 2 --seconds 0.1",
    ] {
        let outcome = run(line, &Stop::default()).unwrap_or_else(|e| panic!("{line}: {e:#}"));
        assert!(value(&outcome, "rate") > 0.0, "{line}: {outcome:?}");
        assert!(outcome.get("errors").is_none(), "{line}: {outcome:?}");
    }
}

#[test]
fn members_of_an_ensemble_get_the_sessions_in_turn() {
    let members = [Canned::bind(0).unwrap(), Canned::bind(0).unwrap()];
    let [a, b] = members.each_ref().map(Canned::address);
    let servers = Servers::parse(&format!("{a}+{b}"), '+').unwrap();
    let over = Stop::default();
    let streams = std::thread::scope(|scope| {
        let over = &over;
        for member in members {
            scope.spawn(move || member.serve(over, 100));
        }
        let streams = open_many(&servers, 3, SESSION_TIMEOUT);
        over.request();
        streams.unwrap()
    });
    let peers: Vec<_> = streams.iter().map(|stream| stream.peer_addr().unwrap()).collect();
    assert_eq!(peers, [a, b, a]);
}

#[test]
fn ctrl_c_ends_a_long_run_with_partial_results() {
    let server = Canned::bind(0).unwrap();
    let stop = Stop::default();
    let address = server.address();
    let context = Context {
        servers: address.into(),
        processes: Processes::default(),
        keep: false,
        stop: stop.clone(),
    };
    let load = Load { clients: 1, outstanding: Some(1), rate: None, threads: 1 };
    let (warmup, measured) = (Duration::ZERO, Duration::from_secs(600));
    let over = Stop::default();
    let run = std::thread::scope(|scope| {
        let serving = scope.spawn(|| server.serve(&over, 100));
        let extent = Extent::Time { warmup, measured };
        let run =
            drive(&context, "long", &load, extent, 1, |_, _| Impatient { stop: &stop, left: 20 });
        over.request();
        serving.join().expect("the canned server panicked").unwrap();
        run.unwrap()
    });
    assert!(run.partial, "{run:?}");
    assert!((1..=20).contains(&run.tally.done), "{run:?}");
}

/// Pings, until the user has enough of them.
struct Impatient<'a> {
    stop: &'a Stop,
    left: u32,
}

impl Job for Impatient<'_> {
    fn next(&mut self, xid: i32, out: &mut Vec<u8>) -> Next {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            self.stop.request();
        }
        Pings.next(xid, out)
    }
}

#[test]
fn nobody_listening_is_an_error_that_names_the_address() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let context = Context {
        servers: free.into(),
        processes: Processes::default(),
        keep: false,
        stop: Stop::default(),
    };
    let workload = Line::try_parse_from(["mix"]).unwrap_or_else(|e| panic!("{e}")).workload;
    let error = format!("{:#}", workload.run(&context).unwrap_err());
    assert!(error.contains(&free.to_string()), "{error}");
}
