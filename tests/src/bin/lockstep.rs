//! `lockstep`: compares a server with Apache's on random operations, for as long as one likes.
//!
//! The test `tests/lockstep.rs` does the same with a fixed amount of work. See `docs/testing.md`.

use anyhow::{Context, Result, bail};
use quorate_tests::lockstep::{Kind, Plan, Release, Tuning, run};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const USAGE: &str =
    "usage: lockstep [--seed N] [--operations M] [--length L] [--quick] [--forever] \
[--enough D] [--outcomes] [--shrink-seconds S] [--apache 3.8|3.9] [--peer apache|PATH]
The server under test is --peer, or the binary named by QUORATE_BIN; it is compared with --apache (3.8).";

#[derive(Debug)]
struct Options {
    plan: Plan,
    forever: bool,
    enough: usize,
    outcomes: bool,
}

fn main() -> Result<ExitCode> {
    let mut options = parse(std::env::args().skip(1))?;
    let reference = Kind::Apache(options.plan.reference);
    if let Some(reason) = reference.missing().or_else(|| options.plan.ours.missing()) {
        bail!("{reason}");
    }
    loop {
        let begin = Instant::now();
        let summary = run(&options.plan, options.enough)?;
        println!(
            "seed {}: {} operations in {} sequences, {} differences, {:.1} s",
            options.plan.seed,
            summary.operations,
            summary.sequences,
            summary.differences.len(),
            begin.elapsed().as_secs_f64()
        );
        for (what, count) in &summary.tally.known {
            println!("  known, {count} times: {what}");
        }
        if options.outcomes {
            for ((name, err), count) in &summary.tally.outcomes {
                println!("  {name} {err}: {count}");
            }
            println!("  events by type: {:?}", summary.tally.events);
        }
        if !summary.differences.is_empty() {
            println!("\n{}", summary.differences.join("\n"));
            return Ok(ExitCode::FAILURE);
        }
        if !options.forever {
            return Ok(ExitCode::SUCCESS);
        }
        let played = u64::try_from(summary.sequences)?;
        options.plan.seed = options.plan.seed.wrapping_add(played);
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options> {
    let plan = Plan {
        reference: Release::V38,
        ours: Kind::Quorate(PathBuf::from(std::env::var("QUORATE_BIN").unwrap_or_default())),
        seed: 1,
        operations: 20_000,
        length: 200,
        tuning: Tuning::Still,
        shrink_for: Duration::from_secs(120),
    };
    let mut options = Options { plan, forever: false, enough: 1, outcomes: false };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--seed" => options.plan.seed = value()?.parse()?,
            "--operations" => options.plan.operations = value()?.parse()?,
            "--length" => options.plan.length = value()?.parse()?,
            "--quick" => options.plan.tuning = Tuning::Quick,
            "--outcomes" => options.outcomes = true,
            "--forever" => options.forever = true,
            "--enough" => options.enough = value()?.parse()?,
            "--shrink-seconds" => options.plan.shrink_for = Duration::from_secs(value()?.parse()?),
            "--apache" => {
                options.plan.reference = match value()?.as_str() {
                    "3.8" => Release::V38,
                    "3.9" => Release::V39,
                    other => bail!("there is no release '{other}' here\n{USAGE}"),
                }
            }
            "--peer" => {
                options.plan.ours = match value()?.as_str() {
                    "apache" => Kind::Apache(options.plan.reference),
                    path => Kind::Quorate(PathBuf::from(path)),
                }
            }
            _ => bail!("{argument} is not an option\n{USAGE}"),
        }
    }
    Ok(options)
}
