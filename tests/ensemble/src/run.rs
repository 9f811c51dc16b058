//! A run: the world of a seed, for so much virtual time with faults, and then to its calm end.

use crate::check::Checked;
use crate::shrink::Spared;
use crate::{whole, world::World};
use quorate_engine::zab::Mistakes;
use quorate_tests_kit::trace::Trace;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Which world, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Everything follows from it.
    pub seed: u64,
    /// Virtual seconds with faults.
    pub seconds: u64,
    /// What is done wrong on purpose.
    pub mistakes: Mistakes,
    /// Faults that do not happen.
    pub spared: Spared,
    /// Whether servers are whole members with clients, and not only roles that replicate a list.
    pub whole: bool,
}

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Hash of everything that happened.
    pub hash: u64,
    /// Events.
    pub steps: u64,
    /// Virtual time, us.
    pub time: u64,
    /// Transactions that were committed.
    pub committed: u64,
    /// Epochs that were established.
    pub epochs: u64,
    /// How learners were brought in: by DIFF, TRUNC, SNAP.
    pub plans: [u64; 3],
    /// How many of them began with what the leader read from its disk.
    pub from_disk: u64,
    /// How often a log could not be cut.
    pub cannot_cut: u64,
    /// Ends of processes.
    pub crashes: u64,
    /// Leaders that learners which served have given up because they were silent.
    pub silent: u64,
    /// Syncs that were answered.
    pub syncs: u64,
    /// Of clients: answers that were compared with the history.
    pub answers: u64,
    /// Of clients: requests that ended.
    pub ended: u64,
    /// Of these, with an outcome that nobody knows.
    pub unknown: u64,
    /// Of clients: events of watches.
    pub events: u64,
    /// Of clients: sessions that they have given up.
    pub lost: u64,
    /// Of clients: connections.
    pub moves: u64,
    /// Records of which a part was on a disk.
    pub torn: u64,
    /// Snapshots that were not written to their ends.
    pub unfinished: u64,
    /// Writes that a disk has failed to do.
    pub failed: u64,
    /// Disks that were emptied, and that were replaced by old copies.
    pub replaced: [u64; 2],
    /// Ends of sessions that a leader has proposed because nothing was heard of them.
    pub expired: u64,
}

/// A run in which a property did not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which run.
    pub run: Run,
    /// After how many events, at what time (us).
    pub at: (u64, u64),
    /// What did not hold.
    pub what: String,
    /// The last that happened.
    pub trace: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        let Self { run, at, what, .. } = self;
        writeln!(f, "seed {}, event {}, {} us: {what}", run.seed, at.0, at.1)?;
        let release = if cfg!(debug_assertions) { "" } else { " --release" };
        let Run { seed, seconds, mistakes, spared, whole } = run;
        write!(
            f,
            "again with: cargo run{release} -p quorate-tests-ensemble -- --seed {seed} --seconds {seconds}"
        )?;
        if *whole {
            f.write_str(" --members")?;
        }
        if *spared != Spared::NONE {
            write!(f, " --without {spared}")?;
        }
        if let Some(mistake) = mistakes.which() {
            write!(f, " --mistake {mistake:?}")?;
        }
        f.write_str(" --trace")
    }
}

/// Performs a run. With `echo` everything that happens is written to standard error.
///
/// # Errors
/// When a property does not hold, or something panics.
pub fn run(run: Run, echo: bool) -> Result<Summary, Box<Failure>> {
    let trace = Trace::new(echo);
    if run.whole {
        let mut world = whole::world::World::new(&run, &trace);
        let us = run.seconds * 1_000_000;
        return perform(
            run,
            &trace,
            &mut world,
            |world| world.run(us),
            whole::world::World::summary,
        );
    }
    let mut world = World::new(&run, &trace);
    let us = run.seconds * 1_000_000;
    perform(run, &trace, &mut world, |world| world.run(us), World::summary)
}

fn perform<W>(
    run: Run,
    trace: &Trace,
    world: &mut W,
    go: impl FnOnce(&mut W) -> Checked,
    summary: impl Fn(&W) -> Summary,
) -> Result<Summary, Box<Failure>> {
    let result = catch_unwind(AssertUnwindSafe(|| go(world)));
    let what = match result {
        Ok(Ok(())) => return Ok(Summary { hash: trace.hash(), ..summary(world) }),
        Ok(Err(violation)) => violation.0,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            format!("panic: {}", text.unwrap_or_default())
        }
    };
    let summary = summary(world);
    Err(Box::new(Failure { run, at: (summary.steps, summary.time), what, trace: trace.tail() }))
}
