//! The simulator, briefly: a fixed number of seeds, and that a seed means the same run every time.
//!
//! For longer: `cargo run --release -p quorate-tests --bin sim -- --forever`.

use quorate_tests::sim::{self, Theme};
use std::thread;

/// Seeds in a test run.
const SEEDS: u64 = 100;
/// Events with faults in each.
const STEPS: u64 = 4_000;

#[test]
fn every_property_holds_in_every_world() {
    let halves = [0, 1].map(|half| {
        thread::spawn(move || {
            (1..=SEEDS).filter(|seed| seed % 2 == half).map(run).collect::<Option<Vec<_>>>()
        })
    });
    let runs = halves.map(|half| half.join().unwrap().expect("the failure is told above")).concat();
    let sum = |of: fn(&sim::Summary) -> u64| runs.iter().map(of).sum::<u64>();
    // Worlds in which nothing happens would pass as well.
    assert!(sum(|run| run.transactions) > 10_000, "{runs:?}");
    assert!(sum(|run| run.replies) > 10_000, "{runs:?}");
    assert!(sum(|run| run.notices) > 1_000, "{runs:?}");
    assert!(sum(|run| run.crashes) > 50, "{runs:?}");
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
    let run = |seed| sim::run_theme(Theme::Silence, seed, 2_000, false);
    let runs: Result<Vec<_>, _> = (1..=60).map(run).collect();
    let runs = runs.unwrap_or_else(|failure| panic!("{failure}"));
    let (lost, expired) = runs.iter().fold((0, 0), |(l, e), run| (l + run.lost, e + run.expired));
    assert!(lost > 5 && expired > 100, "{lost} lost, {expired} expired");
}

/// Whoever was given it before could resume the session of the next owner.
#[test]
fn no_session_id_is_given_out_twice_when_the_clock_goes_back() {
    let run = |seed| sim::run_theme(Theme::Clocks, seed, STEPS, false);
    let runs: Result<Vec<_>, _> = (1..=120).map(run).collect();
    let runs = runs.unwrap_or_else(|failure| panic!("{failure}"));
    let starts: u64 = runs.iter().map(|run| run.starts).sum();
    assert!(starts > 500, "{starts} starts");
}

#[test]
fn a_seed_is_a_run() {
    for seed in [7, 8, 9] {
        assert_eq!(
            run(seed).expect("the failure is told above"),
            run(seed).unwrap(),
            "seed {seed}"
        );
    }
    assert_ne!(run(7).unwrap().hash, run(8).unwrap().hash);
}

/// Tells a failure and returns nothing then.
fn run(seed: u64) -> Option<sim::Summary> {
    sim::run(seed, STEPS, false).inspect_err(|failure| eprintln!("{failure} --steps {STEPS}")).ok()
}
