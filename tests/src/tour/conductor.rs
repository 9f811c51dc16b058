//! Whoever conducts a tour kills servers and says so; this is the end of the line on the side of the plays.
//!
//! Lines of the standard input, and what is answered on the standard output:
//!
//! | line | means | answer |
//! |---|---|---|
//! | `fault` | something has been done to the servers | |
//! | `rounds` | how far has everybody come since the last fault? | `rounds <least rounds of a process> <plays on stage> <who that is>` |
//! | `over <directory> …` | servers are well, and stay so; their logs are in these directories | |
//!
//! When a play has ended there is a line `played <name>: <numbers>`, or `failed <name>: <why>`; and `saw <name>: <number> <what>` for what it
//! is about.

use super::recording::Recording;
use crate::sim::env::{Checked, Violation};
use crate::sim::history::History;
use crate::sim::stage::Cues;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

/// The conductor, as the plays know it.
#[derive(Debug)]
pub struct Conductor {
    servers: String,
    faults: AtomicU64,
    /// Processes, and the rounds that they had made at the last fault.
    stage: Mutex<Vec<Process>>,
    recording: OnceLock<Mutex<Recording>>,
}

#[derive(Debug)]
struct Process {
    play: String,
    name: String,
    cues: Arc<Cues>,
    before: u64,
}

impl Conductor {
    /// Who conducts this process, if it is on tour.
    pub fn get() -> Option<&'static Self> {
        static CONDUCTOR: OnceLock<Option<Conductor>> = OnceLock::new();
        static HEARING: OnceLock<()> = OnceLock::new();
        let conductor = CONDUCTOR.get_or_init(|| {
            let servers = std::env::var("QUORATE_TOUR").ok()?;
            Some(Self {
                servers,
                faults: AtomicU64::new(0),
                stage: Mutex::default(),
                recording: OnceLock::new(),
            })
        });
        let conductor = conductor.as_ref()?;
        HEARING.get_or_init(|| _ = thread::spawn(|| conductor.hear()));
        Some(conductor)
    }

    pub(super) fn servers(&self) -> &str {
        &self.servers
    }

    /// How many faults there have been.
    pub(super) fn faults(&self) -> u64 {
        self.faults.load(Relaxed)
    }

    pub(super) fn is_over(&self) -> bool {
        self.recording.get().is_some()
    }

    /// A play has begun.
    pub(super) fn on_stage(&self, play: &str, processes: impl Iterator<Item = Arc<Cues>>) {
        let named = |(number, cues)| Process {
            play: play.to_owned(),
            name: format!("{play}/{number}"),
            cues,
            before: 0,
        };
        self.stage().extend(processes.enumerate().map(named));
    }

    /// What has happened below a node so far.
    pub(super) fn history(&self, root: &str) -> Checked<History> {
        let recording = self.recording.get().ok_or_else(|| Violation("it is not over".into()))?;
        let mut recording = recording.lock().unwrap_or_else(PoisonError::into_inner);
        recording.read_on()?;
        recording.history(root)
    }

    /// Where servers have logged what they had logged before.
    fn disorder(&self) -> String {
        let recording = self.recording.get().map(Mutex::lock);
        recording.map_or_else(String::new, |recording| {
            recording.unwrap_or_else(PoisonError::into_inner).disorder()
        })
    }

    /// A play has ended.
    pub(super) fn tell_how(&self, name: &str, played: &Checked<String>) {
        self.stage().retain(|process| process.play != name);
        tell(&match played {
            Ok(numbers) => format!("played {name}: {numbers}"),
            Err(Violation(what)) => {
                let (what, disorder) = (what.replace('\n', " "), self.disorder());
                format!("failed {name}: {what}; the servers' logs go back at: [{disorder}]")
            }
        });
    }

    /// How much of something there was to see in a play.
    pub fn tell_seen(&self, name: &str, what: &str, number: u64) {
        tell(&format!("saw {name}: {number} {what}"));
    }

    fn hear(&self) {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            let mut words = line.split(' ');
            match words.next() {
                Some("fault") => {
                    self.faults.fetch_add(1, Relaxed);
                    for process in self.stage().iter_mut() {
                        process.before = process.cues.rounds();
                    }
                }
                Some("rounds") => tell(&self.rounds()),
                Some("over") => {
                    let directories = words.map(PathBuf::from).collect();
                    self.recording.get_or_init(|| Mutex::new(Recording::new(directories)));
                }
                _ => {}
            }
        }
        // Without a conductor nobody says how it ends.
        if !self.is_over() {
            std::process::exit(3);
        }
    }

    fn rounds(&self) -> String {
        let stage = self.stage();
        let mut plays: Vec<&str> = stage.iter().map(|process| process.play.as_str()).collect();
        plays.dedup();
        let last = stage.iter().map(|process| (process.cues.rounds() - process.before, process));
        last.min_by_key(|(rounds, _)| *rounds).map_or_else(
            || "rounds 0 0 nobody".into(),
            |(rounds, who)| format!("rounds {rounds} {} {}", plays.len(), who.name),
        )
    }

    fn stage(&self) -> MutexGuard<'_, Vec<Process>> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Written past the capture of the tests' output.
fn tell(line: &str) {
    let mut out = io::stdout().lock();
    // Who has gone does not listen.
    let _ = out.write_all(format!("\n{line}\n").as_bytes()).and_then(|()| out.flush());
}
