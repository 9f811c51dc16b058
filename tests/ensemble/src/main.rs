//! Runs the simulator of ensembles: one seed, several, or one after another for ever.
//!
//! `cargo run --release -p quorate-tests-ensemble -- --seed 1 --seeds 1000`

use quorate_engine::zab::{Mistake, Mistakes};
use quorate_tests_ensemble::{Run, Spared, run, shrink};
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "usage: quorate-tests-ensemble [--seed N] [--seeds N | --forever] [--seconds N] [--mistake NAME]
                              [--without KIND,..] [--members] [--trace]
       quorate-tests-ensemble --mistakes [--seed N] [--seeds N] [--seconds N] [--members]
  --seed N      the first seed (1)
  --seeds N     how many seeds, one after another (1)
  --forever     all seeds from the first on
  --seconds N   virtual time with faults in each (60)
  --mistake NAME   put this mistake back
  --without K   spare the world these faults: crash,pause,partition,break,slow,aim,disk
  --mistakes    put every mistake back, one at a time, and tell which seed finds it
  --members     worlds of whole members with clients, instead of roles that replicate a list
  --trace       tell everything that happens on standard error";

struct Options {
    seed: u64,
    seeds: u64,
    seconds: u64,
    mistakes: Mistakes,
    spared: Spared,
    all_mistakes: bool,
    whole: bool,
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
    if options.all_mistakes { find_mistakes(&options) } else { run_seeds(&options) }
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let (mistakes, all_mistakes, whole, trace) = (Mistakes::NONE, false, false, false);
    let spared = Spared::NONE;
    let mut options =
        Options { seed: 1, seeds: 1, seconds: 60, mistakes, spared, all_mistakes, whole, trace };
    while let Some(arg) = args.next() {
        let mut number = || {
            let text = args.next().unwrap_or_default();
            text.parse().map_err(|_| format!("{arg} wants a number, not '{text}'"))
        };
        match arg.as_str() {
            "--seed" => options.seed = number()?,
            "--seeds" => options.seeds = number()?,
            "--seconds" => options.seconds = number()?,
            "--forever" => options.seeds = u64::MAX,
            "--mistakes" => options.all_mistakes = true,
            "--members" => options.whole = true,
            "--trace" => options.trace = true,
            "--without" => options.spared = args.next().unwrap_or_default().parse()?,
            "--mistake" => {
                let name = args.next().unwrap_or_default();
                let named = Mistake::ALL.into_iter().find(|m| format!("{m:?}") == name);
                let named =
                    named.ok_or_else(|| format!("'{name}' is none of {:?}", Mistake::ALL))?;
                options.mistakes = Mistakes::only(named);
            }
            _ => return Err(format!("'{arg}' is no option")),
        }
    }
    Ok(options)
}

/// Puts every mistake back, and looks for a seed that finds it.
fn find_mistakes(options: &Options) -> ExitCode {
    let mut missed = 0;
    println!("| mistake | seed | runs | wall s | what was seen |\n|---|---|---|---|---|");
    for mistake in Mistake::ALL {
        let began = Instant::now();
        let mistakes = Mistakes::only(mistake);
        let mut runs = (0..options.seeds).map(|n| options.seed.wrapping_add(n)).map(|seed| {
            (
                seed,
                run(
                    Run {
                        seed,
                        seconds: options.seconds,
                        mistakes,
                        spared: options.spared,
                        whole: options.whole,
                    },
                    false,
                ),
            )
        });
        let found = runs.find_map(|(seed, result)| result.err().map(|failure| (seed, failure)));
        let wall = began.elapsed().as_secs_f64();
        match found {
            Some((seed, failure)) => {
                let what = failure.what.lines().next().unwrap_or_default().to_owned();
                println!(
                    "| {mistake:?} | {seed} | {} | {wall:.1} | {what} |",
                    seed - options.seed + 1
                );
            }
            None => {
                missed += 1;
                println!("| {mistake:?} | - | {} | {wall:.1} | nothing |", options.seeds);
            }
        }
    }
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_seeds(options: &Options) -> ExitCode {
    let &Options { seconds, mistakes, spared, whole, trace, .. } = options;
    let began = Instant::now();
    let (mut runs, mut time) = (0u64, 0u64);
    while runs < options.seeds {
        let seed = options.seed.wrapping_add(runs);
        match run(Run { seed, seconds, mistakes, spared, whole }, trace) {
            Ok(summary) => {
                println!("seed {seed}: {summary:x?}");
                time += summary.time;
            }
            Err(failure) => {
                println!("{failure}");
                if !trace {
                    println!("\nthe smallest that was found:\n{}", shrink(failure));
                }
                return ExitCode::FAILURE;
            }
        }
        runs += 1;
    }
    let wall = began.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for a person")]
    let speed = time as f64 / 1e6 / wall;
    println!("{runs} seeds in {wall:.1} s: {speed:.0} virtual s/s");
    ExitCode::SUCCESS
}
