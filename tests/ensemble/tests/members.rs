//! Worlds of whole members with clients, briefly: a fixed number of seeds, and that a seed means the same run every time.
//!
//! For longer: `cargo run --release -p quorate-tests-ensemble -- --members --forever`.

#![expect(clippy::panic, reason = "a property that does not hold fails the test")]

use quorate_engine::zab::Mistakes;
use quorate_tests_ensemble::{Kind, Run, Spared, Summary, run};
use std::thread;

/// Seeds in a test run.
const SEEDS: u64 = 150;

fn summary(seed: u64) -> Summary {
    let (mistakes, spared) = (Mistakes::NONE, Spared::NONE);
    let world = Run { seed, seconds: 10, mistakes, spared, whole: true };
    run(world, false).unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn every_client_sees_one_history_in_every_world() {
    let halves = [0, 1].map(|half| {
        thread::spawn(move || -> Vec<Summary> {
            (1..=SEEDS).filter(|seed| seed % 2 == half).map(summary).collect()
        })
    });
    let runs = halves.map(|half| half.join().expect("the failure is told above")).concat();
    let sum = |of: fn(&Summary) -> u64| runs.iter().map(of).sum::<u64>();
    // Worlds in which nothing happens would pass as well.
    assert!(sum(|run| run.committed) > 20_000, "{runs:?}");
    assert!(sum(|run| run.answers) > 50_000, "{runs:?}");
    assert!(sum(|run| run.events) > 5_000, "{runs:?}");
    assert!(sum(|run| run.unknown) > 500, "{runs:?}");
    assert!(sum(|run| run.moves) > 1_000, "{runs:?}");
    assert!(sum(|run| run.expired) > 200, "{runs:?}");
    assert!(sum(|run| run.silent) > 100, "{runs:?}");
    assert!(sum(|run| run.epochs) > 500, "{runs:?}");
    assert!(sum(|run| run.crashes) > 1_000, "{runs:?}");
    assert!(sum(|run| run.torn) > 50, "{runs:?}");
    assert!(sum(|run| run.unfinished) > 10, "{runs:?}");
    assert!(sum(|run| run.failed) > 5, "{runs:?}");
    assert!(sum(|run| run.replaced[0].min(run.replaced[1])) > 50, "{runs:?}");
    for plan in 0..3 {
        assert!(runs.iter().map(|run| run.plans[plan]).sum::<u64>() > 10, "{runs:?}");
    }
    assert!(sum(|run| run.from_disk) > 5, "{runs:?}");
}

#[test]
fn a_seed_is_a_run() {
    for seed in [3, 7, 34] {
        assert_eq!(summary(seed), summary(seed), "seed {seed}");
    }
}

/// Half of these worlds have beats, all have clocks that run fast or slow, and messages that take their time.
#[test]
fn nobody_gives_up_a_leader_that_lives() {
    let spared = Kind::ALL.into_iter().fold(Spared::NONE, Spared::and);
    for seed in 1..=SEEDS / 15 {
        let world = Run { seed, seconds: 30, mistakes: Mistakes::NONE, spared, whole: true };
        let seen = run(world, false).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!((seen.epochs, seen.silent), (1, 0), "seed {seed}");
    }
}
