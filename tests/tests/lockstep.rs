//! Our server answers as Apache's does: 20,000 random operations on both in lock-step, and more with a newer release.
//!
//! Ignored by default, because it needs Debian's `zookeeper`, the newer one that `tests/setup` copies, and the binary named by
//! `QUORATE_BIN`; `tests/run` provides all of them. With `LOCKSTEP_PEER=apache` Apache is compared with itself, which checks this test. See
//! `docs/testing.md` for the long mode.

#![expect(clippy::expect_used, reason = "the helpers of a test fail as the test does")]

use quorate_tests::lockstep::{Kind, Plan, Release, Summary, Tuning, run};
use std::time::Duration;

#[test]
#[ignore = "needs Apache's server and QUORATE_BIN; tests/run has both"]
fn twenty_thousand_operations_are_answered_as_apache_does() {
    let halves = [1, 1_000_000];
    let halves: Vec<Summary> = std::thread::scope(|scope| {
        let runs = halves.map(|seed| {
            let plan = plan(Release::V38, Tuning::Still, seed, 10_000, 200);
            scope.spawn(move || run(&plan, 1).unwrap())
        });
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    halves.iter().for_each(judge);
    assert!(halves.iter().map(|half| half.operations).sum::<usize>() >= 20_000);
}

#[test]
#[ignore = "needs Apache's server and QUORATE_BIN; tests/run has both"]
fn sessions_expire_and_nodes_are_reaped_as_apache_does() {
    judge(&run(&plan(Release::V38, Tuning::Quick, 1, 800, 140), 1).unwrap());
}

/// With nearly everything that has to be avoided with 3.8: several watch modes on one path, watches on nodes that cannot be
/// read, and all types of watches removed.
#[test]
#[ignore = "needs Apache's server from Maven and QUORATE_BIN; tests/run has both"]
fn what_is_newer_is_answered_as_apache_3_9_does() {
    judge(&run(&plan(Release::V39, Tuning::Still, 1, 6_000, 200), 1).unwrap());
}

fn plan(reference: Release, tuning: Tuning, seed: u64, operations: usize, length: usize) -> Plan {
    let ours = match std::env::var("LOCKSTEP_PEER").as_deref() {
        Ok("apache") => Kind::Apache(reference),
        _ => Kind::Quorate(std::env::var_os("QUORATE_BIN").expect("QUORATE_BIN is not set").into()),
    };
    for kind in [&Kind::Apache(reference), &ours] {
        assert_eq!(kind.missing(), None, "tests/setup installs the peers");
    }
    let shrink_for = Duration::from_secs(120);
    Plan { reference, ours, seed, operations, length, tuning, shrink_for }
}

fn judge(summary: &Summary) {
    println!("{} operations, known differences: {:?}", summary.operations, summary.tally.known);
    assert!(
        summary.differences.is_empty(),
        "the server does not answer as Apache's:\n{}",
        summary.differences.join("\n")
    );
}
