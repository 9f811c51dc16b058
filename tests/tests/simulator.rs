//! The simulator, briefly: a fixed number of seeds, and that a seed means the same run every time.
//!
//! For longer: `cargo run --release -p quorate-tests --bin sim -- --forever`.

use quorate_tests::sim::{self, Run, Summary, Theme};
use std::process::Command;
use std::thread;

/// Seeds in a test run.
const SEEDS: u64 = 100;
/// Events with faults in each.
const STEPS: u64 = 4_000;

#[test]
fn every_property_holds_in_every_world() {
    let halves = [0, 1].map(|half| {
        thread::spawn(move || -> Vec<Summary> {
            (1..=SEEDS).filter(|seed| seed % 2 == half).map(|seed| summary(any(seed))).collect()
        })
    });
    let runs = halves.map(|half| half.join().expect("the failure is told above")).concat();
    let sum = |of: fn(&Summary) -> u64| runs.iter().map(of).sum::<u64>();
    // Worlds in which nothing happens would pass as well.
    assert!(sum(|run| run.transactions) > 10_000, "{runs:?}");
    assert!(sum(|run| run.replies) > 10_000, "{runs:?}");
    assert!(sum(|run| run.notices) > 1_000, "{runs:?}");
    assert!(sum(|run| run.crashes) > 50, "{runs:?}");
    assert!(sum(|run| run.cut) > 50, "{runs:?}");
    assert!(sum(|run| run.expired) > 20, "{runs:?}");
    assert!(sum(|run| run.full) > 5, "{runs:?}");
    assert!(sum(|run| run.ended) > 5_000, "{runs:?}");
    assert!(sum(|run| run.unknown) > 200, "{runs:?}");
    assert!(sum(|run| run.events) > 500, "{runs:?}");
    assert!(sum(|run| run.missed) > 40, "{runs:?}");
    assert!(sum(|run| run.lost) > 5, "{runs:?}");
    assert!(sum(|run| run.refusals) > 0, "{runs:?}");
    // Without a disk, with both drivers.
    assert!(sum(|run| u64::from(run.volatile == 1) * run.replies) > 1_000, "{runs:?}");
    assert!(sum(|run| u64::from(run.volatile > 1) * run.replies) > 1_000, "{runs:?}");
}

#[test]
fn an_owner_knows_the_end_of_its_session_before_the_server_ends_it() {
    let run = |seed| summary(Run { seed, steps: 2_000, theme: Theme::Silence });
    let runs: Vec<_> = (1..=60).map(run).collect();
    let (lost, expired) = runs.iter().fold((0, 0), |(l, e), run| (l + run.lost, e + run.expired));
    assert!(lost > 5 && expired > 100, "{lost} lost, {expired} expired");
}

/// Whoever was given it before could resume the session of the next owner.
#[test]
fn no_session_id_is_given_out_twice_when_the_clock_goes_back() {
    let run = |seed| summary(Run { seed, steps: STEPS, theme: Theme::Clocks });
    let starts: u64 = (1..=120).map(run).map(|run| run.starts).sum();
    assert!(starts > 500, "{starts} starts");
}

#[test]
fn a_seed_is_a_run() {
    let twice = [7, 8, 9].map(|seed| {
        let first = summary(any(seed));
        assert_eq!(first, summary(any(seed)), "seed {seed}");
        first.hash
    });
    assert_ne!(twice[0], twice[1]);
}

#[test]
fn the_program_does_the_run_that_its_options_stand_for() {
    for theme in Theme::ALL {
        let run = Run { seed: 11, steps: 300, theme };
        let options = run.to_string();
        let program = Command::new(env!("CARGO_BIN_EXE_sim")).args(options.split(' ')).output();
        let told = String::from_utf8(program.unwrap().stdout).unwrap();
        let expected = format!("seed 11: {:x?}", summary(run));
        assert_eq!(told.lines().next(), Some(expected.as_str()), "{options}");
    }
}

fn any(seed: u64) -> Run {
    Run { seed, steps: STEPS, theme: Theme::Any }
}

/// What a run came to; fails if a property did not hold in it.
#[expect(clippy::panic, reason = "the helper of a test fails as the test does")]
fn summary(run: Run) -> Summary {
    sim::run(run, false).unwrap_or_else(|failure| panic!("{failure}"))
}
