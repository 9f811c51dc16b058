//! Our server against Apache's in lock-step: the same seeded random operations on both, every answer,
//! notification and close compared, and the whole tree after each sequence.
//!
//! `generate` makes sequences of `step`s (with `requests`), `play` plays them on two `side`s (a `server` and
//! its clients), `compare` judges what `normalise` leaves, except for the table in `known`, and `shrink` cuts a
//! sequence that fails down to what matters. Called by `tests/lockstep.rs` and the binary `lockstep`.

mod compare;
mod connection;
mod generate;
mod known;
mod normalise;
mod play;
mod random;
mod requests;
mod server;
mod shrink;
mod side;
mod step;
mod tree;

pub use compare::Tally;
pub use server::{Kind, Release, Tuning};

use anyhow::Result;
use play::{Divergence, Pair};
use std::fmt::Write as _;
use std::time::{Duration, Instant};
use step::Step;

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which of Apache's servers is right.
    pub reference: Release,
    /// The server under test.
    pub ours: Kind,
    /// The first sequence's seed; each later one has the next.
    pub seed: u64,
    /// How many operations in all.
    pub operations: usize,
    /// How many operations a sequence has.
    pub length: usize,
    /// Whether things happen by themselves.
    pub tuning: Tuning,
    /// How long to look for a shorter sequence after a failure.
    pub shrink_for: Duration,
}

/// What was run.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Operations sent to each server.
    pub operations: usize,
    /// Sequences played.
    pub sequences: usize,
    /// What was met, shrinking included.
    pub tally: Tally,
    /// One report per sequence that showed a difference.
    pub differences: Vec<String>,
}

/// Plays sequences until the plan is done or `enough` differences have been found.
///
/// # Errors
/// When a server does not start.
pub fn run(plan: &Plan, enough: usize) -> Result<Summary> {
    let mut pair = Pair::start(plan.reference, &plan.ours, plan.tuning)?;
    let mut summary = Summary::default();
    let mut seed = plan.seed;
    while summary.operations < plan.operations && summary.differences.len() < enough {
        let steps = sequence(seed, plan);
        let operations = steps.iter().map(Step::operations).sum::<usize>();
        if let Some(found) = played(&mut pair, &steps) {
            summary.differences.push(report(plan, &mut pair, seed, steps, found)?);
            pair.settle()?;
        }
        summary.operations += operations;
        summary.sequences += 1;
        seed = seed.wrapping_add(1);
    }
    summary.tally = pair.tally;
    Ok(summary)
}

fn sequence(seed: u64, plan: &Plan) -> Vec<Step> {
    generate::sequence(seed, plan.reference, plan.tuning, plan.length)
}

/// What differs; a server that goes away is a difference too.
fn played(pair: &mut Pair, steps: &[Step]) -> Option<Divergence> {
    pair.play(steps).unwrap_or_else(|error| {
        let text = format!("{error:#}\n{}", pair.log_tails());
        Some(Divergence { step: None, place: "a server does not answer".to_owned(), text })
    })
}

/// Shrinks the sequence and tells what is left of it.
fn report(
    plan: &Plan,
    pair: &mut Pair,
    seed: u64,
    mut steps: Vec<Step>,
    first: Divergence,
) -> Result<String> {
    if let Some(at) = first.step {
        steps.truncate(at + 1);
    }
    let mut last = first;
    let end = Instant::now() + plan.shrink_for;
    let short = shrink::shortest(steps, end, |candidate| {
        if pair.settle().is_err() {
            return false;
        }
        let found = played(pair, candidate);
        if let Some(found) = &found {
            last.clone_from(found);
        }
        found.is_some()
    });
    let mut text = String::new();
    writeln!(
        text,
        "seed {seed} ({:?}, length {}): {} steps are left",
        plan.tuning,
        plan.length,
        short.len()
    )?;
    for (at, step) in short.iter().enumerate() {
        writeln!(text, "  {at:3} {step}")?;
    }
    let place = last.step.map_or_else(|| "at the end".to_owned(), |at| format!("in step {at}"));
    writeln!(text, "  {place}, {}:\n{}", last.place, last.text)?;
    Ok(text)
}
