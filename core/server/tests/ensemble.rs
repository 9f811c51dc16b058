//! The real `quorate ensemble`: members that are killed, paused and started again while a client writes; and what members say at their start.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "support/program.rs"]
mod program;

use program::{Program, quorate};
use quorate::client::blocking::Client;
use quorate::client::{self, CreateMode};
use quorate::server::LocalPlan;
use rustix::process::{Pid, Signal, test_kill_process};
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// The command, and what it says at first.
struct Ensemble {
    program: Program,
    home: PathBuf,
    servers: String,
}

impl Ensemble {
    fn start(arguments: &[&str]) -> Self {
        let arguments = [&["ensemble"][..], arguments].concat();
        let mut program = Program::start(quorate(&arguments).stdin(Stdio::piped()));
        let said = program.out.until("\n  clients: ");
        let home = said.strip_prefix("an ensemble in ").unwrap().lines().next().unwrap().into();
        let servers = program.out.until("\n").trim().to_owned();
        Self { program, home, servers }
    }

    /// Waits until somebody leads, and tells who.
    fn leader(&mut self) -> String {
        let said = self.program.out.until(": leader, epoch ");
        said.lines().last().unwrap().split(':').next().unwrap().to_owned()
    }

    fn client(&self) -> Client {
        let builder = client::Client::builder()
            .servers(&self.servers)
            .session_timeout(Duration::from_secs(5));
        Client::connect_with(builder).unwrap()
    }

    /// Waits for what is said, after typing a line.
    fn type_line(&mut self, line: &str, answer: &str) -> String {
        self.program.input(&format!("{line}\n"));
        self.program.out.until(answer)
    }
}

fn write(client: &Client, value: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while client.set("/n", value.as_bytes(), None).is_err() {
        assert!(Instant::now() < deadline, "nobody takes a write");
    }
}

#[test]
fn members_are_killed_paused_and_started_again_and_a_client_writes_on() {
    let mut ensemble = Ensemble::start(&[]);
    let leader = ensemble.leader();
    let client = ensemble.client();
    client.create("/n", b"0", CreateMode::Persistent).unwrap();

    let gone = format!("{leader}: has ended, signal: 9 (SIGKILL)\n");
    ensemble.type_line("kill leader", &gone);
    let second = ensemble.leader();
    let epoch = ensemble.program.out.until(",").trim_end_matches(',').parse::<u32>().unwrap();
    assert!(epoch > 1, "a new leader, and no new epoch");
    assert_ne!(leader, second);
    write(&client, "1");
    ensemble.type_line(&format!("restart {leader}"), &format!("{leader}: follower, epoch "));

    ensemble.type_line(&format!("pause {second}"), &format!("{second}: paused\n"));
    let third = ensemble.leader();
    assert_ne!(second, third);
    write(&client, "2");
    ensemble.type_line(&format!("resume {second}"), &format!("{second}: follower, epoch "));

    ensemble.type_line("stop 1", "1: has ended, exit status: 0\n");
    let table = ensemble.type_line("status", "(1 when all are up)\n");
    assert!(table.contains("takes writes: 2 of 3 voters serve, and none may fail now"), "{table}");
    ensemble.type_line("restart 1", "1: follower, epoch ");
    let table = ensemble.type_line("status", "may fail now\n");
    assert!(table.contains("takes writes: 3 of 3 voters serve, and 1 may fail now"), "{table}");
    assert_eq!(client.get("/n").unwrap().0, b"2");
    client.close().unwrap();

    ensemble.program.input("quit\n");
    let ended = ensemble.program.end();
    assert!(ended.status.success(), "{ended:?}");
    assert!(ended.out.ends_with("stopped\n"), "{ended:?}");
    assert_eq!(ended.err, "", "{ended:?}");
    assert!(!ensemble.home.exists(), "its directory stays");
}

/// `syncLimit` is two days here, so nothing but the absence of its beats can tell.
#[test]
fn a_leader_that_stands_still_is_replaced_and_follows_when_it_goes_on() {
    let mut ensemble = Ensemble::start(&["--set", "syncLimit=100000"]);
    let leader = ensemble.leader();
    let client = ensemble.client();
    client.create("/n", b"0", CreateMode::Persistent).unwrap();
    ensemble.type_line(&format!("pause {leader}"), &format!("{leader}: paused\n"));
    let second = ensemble.leader();
    assert_ne!(leader, second);
    write(&client, "1");
    ensemble.type_line(&format!("resume {leader}"), &format!("{leader}: follower, epoch "));
    assert_eq!(client.get("/n").unwrap().0, b"1");
}

/// What the leader has said meanwhile lies in the socket of the follower when that wakes up.
#[test]
fn a_follower_that_stood_still_does_not_leave_its_leader() {
    let mut ensemble = Ensemble::start(&["--set", "syncLimit=100000"]);
    let leader = ensemble.leader();
    let follower = if leader == "1" { 2 } else { 1 };
    let client = ensemble.client();
    client.create("/n", b"0", CreateMode::Persistent).unwrap();
    let address = ensemble.servers.split(',').nth(follower - 1).unwrap().to_owned();
    let timeout = Duration::from_secs(60);
    let builder = client::Client::builder().servers(&address).session_timeout(timeout);
    let witness = Client::connect_with(builder).unwrap();
    for round in 0..3 {
        ensemble.type_line(&format!("pause {follower}"), &format!("{follower}: paused\n"));
        // As long as it would bear the silence of its leader several times over.
        let until = Instant::now() + Duration::from_secs(2);
        while Instant::now() < until {
            write(&client, &format!("{round}"));
        }
        ensemble.type_line(&format!("resume {follower}"), &format!("{follower}: goes on\n"));
        let value = format!("{round}").into_bytes();
        let deadline = Instant::now() + Duration::from_secs(60);
        while witness.get("/n").is_ok_and(|(data, _)| data != value) {
            assert!(Instant::now() < deadline, "it does not come round");
        }
    }
    // Its clients' connections, and so this session's, would have ended with its role.
    assert_eq!(witness.get("/n").unwrap().0, b"2");
    let log = fs::read_to_string(ensemble.home.join(format!("{follower}/log"))).unwrap();
    assert!(!log.contains("the role has ended"), "{log}");
}

#[test]
fn what_makes_no_sense_is_said_and_ends_nothing() {
    let mut ensemble = Ensemble::start(&["-n", "1", "--observers", "1"]);
    ensemble.program.out.until("2: observer, epoch ");
    for (line, problem) in [
        ("dance", "\"dance\" is no command; type `help`\n"),
        ("kill 7", "there is no member 7, only 1, 2\n"),
        ("stop 1 2", "give one member: a number, or `leader`\n"),
    ] {
        ensemble.program.input(&format!("{line}\n"));
        assert_eq!(ensemble.program.err.until("\n"), problem);
    }
    ensemble.type_line("stop 2", "2: has ended, exit status: 0\n");
    ensemble.program.input("pause 2\n");
    assert_eq!(ensemble.program.err.until("\n"), "member 2 does not run\n");
    ensemble.program.signal(Signal::INT);
    let ended = ensemble.program.end();
    assert!(ended.status.success() && ended.out.ends_with("stopped\n"), "{ended:?}");
}

#[test]
fn a_directory_that_is_given_stays_with_its_data_and_configurations() {
    let home = tempfile::tempdir().unwrap();
    let place = home.path().join("kept");
    let arguments = ["--directory", place.to_str().unwrap(), "--set", "maxClientCnxns=7"];
    for round in 1..=2 {
        let mut ensemble = Ensemble::start(&arguments);
        ensemble.leader();
        let client = ensemble.client();
        if round == 1 {
            client.create("/kept", b"", CreateMode::Persistent).unwrap();
        }
        assert!(client.exists("/kept").unwrap().is_some());
        client.close().unwrap();
        // The end of its input.
        let ended = ensemble.program.end_of_input();
        assert!(ended.status.success() && ended.out.ends_with("stopped\n"), "{ended:?}");
    }
    let config = fs::read_to_string(place.join("2/zoo.cfg")).unwrap();
    assert!(config.contains("server.3=127.0.0.1:") && config.contains("\nmaxClientCnxns=7\n"));
    assert_eq!(fs::read_to_string(place.join("2/data/myid")).unwrap(), "2\n");
    assert!(fs::read_to_string(place.join("2/log")).unwrap().contains("serves ZooKeeper clients"));
}

#[test]
#[cfg(target_os = "linux")]
fn who_is_killed_leaves_no_members_behind() {
    let home = tempfile::tempdir().unwrap();
    let mut ensemble = Ensemble::start(&["--directory", home.path().to_str().unwrap()]);
    let said = ensemble.program.out.until("3: starts as process ");
    let last = ensemble.program.out.until(",");
    let number = |text: &str| text.trim_end_matches(',').parse::<i32>().unwrap();
    let first = said.split("1: starts as process ").nth(1).unwrap().split_once(',').unwrap().0;
    let processes = [number(first), number(&last)].map(|number| Pid::from_raw(number).unwrap());
    ensemble.leader();
    ensemble.program.signal(Signal::KILL);
    let deadline = Instant::now() + Duration::from_secs(60);
    while processes.iter().any(|&process| test_kill_process(process).is_ok()) {
        assert!(Instant::now() < deadline, "members are left");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_member_of_a_weak_ensemble_says_so_at_its_start() {
    for (voters, expected) in [
        (2, Some("2 voters: the ensemble survives no failure; 3 survive one")),
        (3, None),
        (4, Some("4 voters, an even number: the ensemble survives 1 failure, as 3 voters would")),
    ] {
        let plan = LocalPlan::new(voters, 0, None).unwrap();
        let (data, file) = (plan.data_dir(1), plan.home().join("zoo.cfg"));
        fs::create_dir(&data).unwrap();
        fs::write(data.join("myid"), "1\n").unwrap();
        let (data, members) = (data.display(), plan.membership());
        let config = format!("dataDir={data}\ninitLimit=10\nsyncLimit=5\n{members}\n");
        fs::write(&file, config).unwrap();
        let mut server =
            Program::start(&mut quorate(&["server", "--config", file.to_str().unwrap()]));
        server.out.until("Ctrl-C stops it\n");
        server.signal(Signal::INT);
        let ended = server.end();
        match expected {
            Some(expected) => {
                assert_eq!(ended.err.matches(expected).count(), 1, "{ended:?}");
                assert!(ended.err.contains(" WARN "), "{ended:?}");
            }
            None => assert!(!ended.err.contains("voters"), "{ended:?}"),
        }
    }
}
