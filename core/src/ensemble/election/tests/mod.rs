//! Election ports on loopback, among themselves and with peers that are written by hand.
//!
//! Each test has an address of its own in 127/8, so that any port there is free. Where elections must not depend on how fast the machine
//! is, the wait for better votes is longer than the test: then only certainty ends them.

mod addresses;
mod configs;
mod elections;
mod peer;
mod secure;
mod strangers;
mod vectors;

use super::*;
use quorate_engine::election::links::LinkOptions;
use quorate_wire::Zxid;
use quorate_wire::quorum::membership::HostPort;
use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Nothing in these tests takes this long.
const LONG: Duration = Duration::from_secs(20);
/// The wait for better votes outlasts every test.
const PATIENT: Options = Options { finalize_wait: 120_000, ..OPTIONS };
/// As the product has it.
const OPTIONS: Options = Options { min_interval: 200, max_interval: 1000, finalize_wait: 200 };
const LINKS: LinkOptions =
    LinkOptions { connect_timeout: 5000, greeting_timeout: 60_000, strangers: 16 };

/// A loopback address that nobody else uses.
fn home() -> String {
    static HOMES: AtomicU32 = AtomicU32::new(0);
    let (process, home) = (std::process::id(), HOMES.fetch_add(1, Ordering::Relaxed));
    assert!(home < 250);
    format!("127.{}.{}.{}", 1 + process / 250 % 250, process % 250, 1 + home)
}

/// Voters 1 to `n` at this address, each with its election port, and more lines.
fn membership(home: &str, n: i64, more: &str) -> Membership {
    let line = |sid| format!("server.{sid}={home}:{}:{}\n", 2000 + sid, port(sid));
    let lines: String = (1..=n).map(line).collect();
    Membership::parse(&format!("{lines}{more}")).unwrap()
}

fn port(sid: i64) -> u16 {
    3000 + u16::try_from(sid).unwrap()
}

fn config(me: i64, membership: &Membership) -> ElectionConfig {
    ElectionConfig {
        me,
        membership: membership.clone(),
        options: PATIENT,
        links: LINKS,
        listen_on_all: false,
        keep_alive: true,
        security: Security::none(),
    }
}

const fn history(zxid: i64, epoch: i64) -> History {
    History { zxid: Zxid(zxid), epoch }
}

/// A thread and what it has said.
struct Member {
    thread: ElectionThread,
    reports: Receiver<ElectionReport>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Member {
    fn start(config: ElectionConfig) -> Self {
        Self::start_with(config, names::system()).unwrap()
    }

    fn start_with(config: ElectionConfig, lookup: Lookup) -> Result<Self, ElectionError> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let said = Arc::clone(&lines);
        let warn = Box::new(move |line: &str| said.lock().unwrap().push(line.to_owned()));
        let (sender, reports) = channel();
        let report = Box::new(move |report| drop(sender.send(report)));
        let thread = ElectionThread::start_in(Outside { lookup, warn }, config, report)?;
        Ok(Self { thread, reports, lines })
    }

    fn report(&self) -> ElectionReport {
        self.reports.recv_timeout(LONG).unwrap()
    }

    fn decided(&self) -> (ServerState, i64) {
        match self.report() {
            ElectionReport::Decided { state, leader } => (state, leader),
            other => panic!("{other:?}"),
        }
    }

    /// The lines of the log, without those about servers that are not there.
    fn lines(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap().clone();
        lines.into_iter().filter(|line| !line.contains("cannot be reached")).collect()
    }

    /// Waits for a line with these words.
    fn says(&self, words: &str) -> String {
        let said = || {
            let lines = self.lines.lock().unwrap();
            lines.iter().find(|line| line.contains(words)).cloned()
        };
        eventually(words, said)
    }
}

/// All voters of a configuration, started and not yet looking.
fn ensemble(membership: &Membership) -> Vec<Member> {
    membership.voters().map(|sid| Member::start(config(sid, membership))).collect()
}

/// Asks again until there is an answer.
fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < LONG, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
