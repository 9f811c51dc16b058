//! The simulator of ensembles, briefly: a fixed number of seeds, and that a seed means the same run every time.
//!
//! For longer: `cargo run --release -p quorate-tests-ensemble -- --forever`.

#![expect(clippy::panic, reason = "a property that does not hold fails the test")]

use quorate_engine::zab::Mistakes;
use quorate_tests_ensemble::{Kind, Run, Spared, Summary, run};
use std::thread;

/// Seeds in a test run.
const SEEDS: u64 = 120;

fn summary(seed: u64) -> Summary {
    let world =
        Run { seed, seconds: 30, mistakes: Mistakes::NONE, spared: Spared::NONE, whole: false };
    run(world, false).unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn every_property_holds_in_every_world() {
    let halves = [0, 1].map(|half| {
        thread::spawn(move || -> Vec<Summary> {
            (1..=SEEDS).filter(|seed| seed % 2 == half).map(summary).collect()
        })
    });
    let runs = halves.map(|half| half.join().expect("the failure is told above")).concat();
    let sum = |of: fn(&Summary) -> u64| runs.iter().map(of).sum::<u64>();
    // Worlds in which nothing happens would pass as well.
    assert!(sum(|run| run.committed) > 100_000, "{runs:?}");
    assert!(sum(|run| run.epochs) > 500, "{runs:?}");
    assert!(sum(|run| run.crashes) > 1_000, "{runs:?}");
    assert!(sum(|run| run.syncs) > 10_000, "{runs:?}");
    assert!(sum(|run| run.torn) > 100, "{runs:?}");
    assert!(sum(|run| run.unfinished) > 20, "{runs:?}");
    assert!(sum(|run| run.failed) > 20, "{runs:?}");
    assert!(sum(|run| run.replaced[0].min(run.replaced[1])) > 50, "{runs:?}");
    assert!(sum(|run| run.silent) > 100, "{runs:?}");
    for plan in 0..3 {
        assert!(runs.iter().map(|run| run.plans[plan]).sum::<u64>() > 100, "{runs:?}");
    }
    assert!(sum(|run| run.from_disk) > 25, "{runs:?}");
}

#[test]
fn a_seed_is_a_run() {
    for seed in [3, 5, 18] {
        assert_eq!(summary(seed), summary(seed), "seed {seed}");
    }
}

/// Half of these worlds have beats, all have clocks that run fast or slow, and messages that take their time.
#[test]
fn nobody_gives_up_a_leader_that_lives() {
    let spared = Kind::ALL.into_iter().fold(Spared::NONE, Spared::and);
    for seed in 1..=SEEDS / 6 {
        let world = Run { seed, seconds: 30, mistakes: Mistakes::NONE, spared, whole: false };
        let seen = run(world, false).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!((seen.epochs, seen.silent), (1, 0), "seed {seed}");
    }
}
