//! Runs the simulator: one seed, several, or one after another for ever.
//!
//! `cargo run --release -p quorate-tests --bin sim -- --help` tells the options.

use quorate_tests::sim::{self, Run, Totals, number};
use std::process::ExitCode;
use std::time::Instant;

struct Options {
    /// The first.
    run: Run,
    seeds: u64,
    forever: bool,
    trace: bool,
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(text) => {
            eprintln!("{text}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let began = Instant::now();
    let (mut totals, mut virtual_us) = (Totals::default(), 0u64);
    let mut run = options.run;
    while options.forever || totals.runs < options.seeds {
        match sim::run(run, options.trace) {
            Ok(summary) => {
                println!("seed {}: {summary:x?}", run.seed);
                virtual_us += summary.time;
                totals.add(&summary);
            }
            Err(failure) => {
                println!("{failure}");
                return ExitCode::FAILURE;
            }
        }
        run.seed = run.seed.wrapping_add(1);
    }
    let seconds = began.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for a person")]
    let (runs_per_s, speed) = (totals.runs as f64 / seconds, virtual_us as f64 / 1e6 / seconds);
    println!(
        "{totals}\n{} seeds in {seconds:.1} s: {runs_per_s:.1} seeds/s, {speed:.0} virtual s/s",
        totals.runs
    );
    ExitCode::SUCCESS
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { run: Run::default(), seeds: 1, forever: false, trace: false };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--seeds" => options.seeds = number(&arg, &mut args)?,
            "--forever" => options.forever = true,
            "--trace" => options.trace = true,
            _ if options.run.take(&arg, &mut args)? => {}
            _ => return Err(format!("'{arg}' is not an option")),
        }
    }
    Ok(options)
}

const USAGE: &str = "\
sim [--seed N] [--seeds M] [--steps K] [--forever] [--trace] [--silence | --clocks]
  --seed N    the first seed (1)
  --seeds M   how many seeds, one after another (1)
  --steps K   events with faults in each run (20000)
  --forever   until one fails
  --trace     tell everything that happens, on standard error
  --silence   worlds in which connections fall silent
  --clocks    worlds in which the wall clock goes back while sessions come and go";
