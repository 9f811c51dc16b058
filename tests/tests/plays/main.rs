//! Plays in the simulator: programs over the product's client, in worlds full of faults.
//!
//! For longer: `QUORATE_SEEDS=10000 cargo test --release -p quorate-tests --test plays`.

mod counting;
mod locking;

use quorate::client::{Error, ErrorCode};
use quorate_tests::sim;
use quorate_tests::sim::stage::Play;
use std::rc::Rc;

/// Runs a play in worlds of several seeds. Answers the plays after their ends.
fn perform<P: Play + Default + 'static>(seeds: u64) -> Result<Vec<Rc<P>>, Box<sim::Failure>> {
    let wanted = std::env::var("QUORATE_SEEDS").ok().and_then(|text| text.parse().ok());
    let run = |seed| {
        let play = Rc::new(P::default());
        let stage: Rc<dyn Play> = Rc::<P>::clone(&play);
        sim::perform(seed, STEPS, false, stage).map(|_| play)
    };
    (1..=wanted.unwrap_or(seeds)).map(run).collect()
}

/// Whether the faults of a world explain an error.
fn is_of_the_world(error: &Error) -> bool {
    let expected = [
        ErrorCode::ConnectionLoss,
        ErrorCode::SessionExpired,
        // There is no room on the disk.
        ErrorCode::SystemError,
    ];
    expected.contains(&error.code())
}

/// Events with faults in each world.
const STEPS: u64 = 4_000;
