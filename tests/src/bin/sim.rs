//! Runs the simulator: one seed, several, or one after another for ever.
//!
//! `cargo run --release -p quorate-tests --bin sim -- --help` tells the options.

use quorate_tests::sim::{self, Theme};
use std::process::ExitCode;
use std::time::Instant;

struct Options {
    seed: u64,
    seeds: u64,
    steps: u64,
    forever: bool,
    trace: bool,
    theme: Theme,
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::from(2);
        }
    };
    let began = Instant::now();
    let (mut runs, mut virtual_us) = (0u64, 0u64);
    let mut seed = options.seed;
    while options.forever || runs < options.seeds {
        match sim::run_theme(options.theme, seed, options.steps, options.trace) {
            Ok(summary) => {
                println!("seed {seed}: {summary:x?}");
                virtual_us += summary.time;
            }
            Err(failure) => {
                println!("{failure} --steps {}", options.steps);
                return ExitCode::FAILURE;
            }
        }
        runs += 1;
        seed = seed.wrapping_add(1);
    }
    let seconds = began.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for a person")]
    let (runs_per_s, speed) = (runs as f64 / seconds, virtual_us as f64 / 1e6 / seconds);
    println!("{runs} seeds in {seconds:.1} s: {runs_per_s:.1} seeds/s, {speed:.0} virtual s/s");
    ExitCode::SUCCESS
}

fn parse(args: impl Iterator<Item = String>) -> Result<Options, String> {
    let theme = Theme::Any;
    let mut options =
        Options { seed: 1, seeds: 1, steps: 20_000, forever: false, trace: false, theme };
    let mut args = args;
    while let Some(arg) = args.next() {
        let mut number = || {
            let text = args.next().unwrap_or_default();
            text.parse::<u64>().map_err(|_| format!("{arg} wants a number, not '{text}'\n{USAGE}"))
        };
        match arg.as_str() {
            "--seed" => options.seed = number()?,
            "--seeds" => options.seeds = number()?,
            "--steps" => options.steps = number()?,
            "--forever" => options.forever = true,
            "--trace" => options.trace = true,
            "--silence" => options.theme = Theme::Silence,
            "--clocks" => options.theme = Theme::Clocks,
            _ => return Err(USAGE.into()),
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
