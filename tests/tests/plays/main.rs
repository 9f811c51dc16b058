//! Plays in the simulator: programs over the product's client, in worlds full of faults.
//!
//! For longer: `QUORATE_SEEDS=10000 cargo test --release -p quorate-tests --test plays`. With `QUORATE_SEED=7` instead the play of a
//! single seed is told event by event, best with the name of one test behind it.
//!
//! With `QUORATE_TOUR` the same plays go to real servers, see [`quorate_tests::tour`].

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]
#![expect(clippy::use_self, reason = "the method of the type, not that of the trait with its name")]

mod counting;
mod dated;
mod exclusive;
mod gathering;
mod guarding;
mod keeping;
mod locking;
mod meeting;
mod numbers;
mod owning;
mod queues;
mod registering;
mod sharding;
mod sharing;
mod standby;
mod taking;
mod tasks;
mod turns;
mod views;
mod work;

use quorate::client::{Error, ErrorCode};
use quorate::recipes::kit::Held;
use quorate::recipes::leader::Leadership;
use quorate_tests::sim;
use quorate_tests::sim::Totals;
use quorate_tests::sim::stage::{Part, Play};
use quorate_tests::tour::{self, Conductor};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A boxed future.
type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Runs a play in worlds of several seeds, or once at real servers. Answers the plays after their ends.
fn perform<P: Play + Default + 'static>(seeds: u64) -> Result<Vec<Rc<P>>, Box<sim::Failure>> {
    if let Some(conductor) = Conductor::get() {
        let play = Rc::new(P::default());
        tour::perform(conductor, &name(), &*play)
            .unwrap_or_else(|violation| panic!("{}", violation.0));
        return Ok(vec![play]);
    }
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let one = number("QUORATE_SEED");
    let run = |seed| -> Result<_, Box<sim::Failure>> {
        let play = Rc::new(P::default());
        let stage: Rc<dyn Play> = Rc::<P>::clone(&play);
        let summary = sim::perform(seed, STEPS, one.is_some(), stage)?;
        so_far().add(&summary);
        Ok(play)
    };
    let all = 1..=number("QUORATE_SEEDS").unwrap_or(seeds);
    let played = one.map_or(all, |seed| seed..=seed).map(run).collect();
    // Who plays for long wants to know what there was; the last of these lines tells it of all plays.
    if number("QUORATE_SEEDS").is_some() {
        println!("all plays so far: {}", so_far());
    }
    played
}

/// What all performances have come to.
fn so_far() -> MutexGuard<'static, Totals> {
    static SO_FAR: LazyLock<Mutex<Totals>> = LazyLock::new(Mutex::default);
    SO_FAR.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The name of the test: that of nothing else.
fn name() -> String {
    std::thread::current().name().unwrap_or_default().replace("::", ".")
}

/// That there was enough to see of something. A performance at real servers is one instead of many, and a shorter one: there may be
/// nothing to see by chance, and whoever conducts counts how often.
fn enough(what: &str, number: u64, least: u64) {
    match Conductor::get() {
        Some(conductor) => conductor.tell_seen(&name(), what, number),
        None => assert!(number > least, "{number} {what}"),
    }
}

/// That there was enough to see of what only comes with many seeds.
fn enough_in_all(what: &str, number: u64, least: u64) {
    assert!(Conductor::get().is_some() || number > least, "{number} {what}");
}

/// Whether the faults of a world explain an error.
fn is_of_the_world(error: &Error) -> bool {
    tour::unknown(error);
    let expected = [
        ErrorCode::ConnectionLoss,
        ErrorCode::SessionExpired,
        // There is no room on the disk.
        ErrorCode::SystemError,
    ];
    expected.contains(&error.code())
}

/// Has the stage look after something that is held.
fn watch_over(part: &Part, held: &Held) {
    let (lifetime, lost) = (held.lifetime().clone(), held.lost());
    part.watch_over(held.path(), move || lifetime.is_alive(), Some(Box::pin(ignore(lost))));
}

/// Has the stage look after a leader.
fn watch_over_term(part: &Part, term: &Leadership) {
    let (lost, own) = (term.lost(), term.clone());
    part.watch_over(term.path(), move || own.holds(), Some(Box::pin(lost)));
}

async fn ignore<T>(future: impl Future<Output = T>) {
    future.await;
}

/// At the end of a part, when the world is calm: the session lives, and has no node and no watch any more.
async fn leaves_nothing(part: &Part) {
    let client = &part.client;
    let mut left = String::new();
    for _ in 0..600 {
        match client.ephemerals("/").await {
            Ok(nodes) if nodes.is_empty() && client.counters().watches == 0 => {
                return;
            }
            Ok(nodes) => left = format!("{nodes:?}, {} watches", client.counters().watches),
            Err(error) if is_of_the_world(&error) => {}
            Err(error) => left = error.to_string(),
        }
        client.sleep(Duration::from_millis(100)).await;
    }
    part.fail(format!("left behind by a session that lives: {left}"));
}

/// Events with faults in each world.
const STEPS: u64 = 2_000;
