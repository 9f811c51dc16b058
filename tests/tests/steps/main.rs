//! Recipes step by step: each is used once in a calm world, where its steps are counted, and then once for each step and each thing that can
//! happen there.
//!
//! What happens ([`Blow`]): the future is dropped in place of a poll or behind it; a message is lost with its connection, in either direction;
//! nothing passes any more until the session is over; the process sleeps for so long. Afterwards nothing of the recipe is left (nodes,
//! watches here and on the server, requests, tasks), another client uses it at once, and whatever else the recipe promises holds.
//!
//! `QUORATE_SEEDS=100` does all of it in so many worlds. `QUORATE_BLOW='Lose(3)'` tells one of them event by event; `QUORATE_SEED` says which.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod held;
mod keeping;
mod leading;
mod meeting;
mod numbers;
mod queues;
mod registering;
mod scene;

use quorate_tests::sim;
use quorate_tests::sim::stage::{Blow, Play, Steps};
use scene::{Drill, Rehearsal};
use std::rc::Rc;

/// A test for each use of a recipe: who has it before, who uses it, and another one who uses it afterwards.
macro_rules! drills {
    ($($name:ident: $rival:expr, $subject:expr, $witness:expr;)*) => {
        $(#[test]
        fn $name() {
            $crate::perform(&$crate::scene::Drill {
                rival: |scene| Box::pin($rival(scene)),
                subject: |scene| Box::pin($subject(scene)),
                witness: |scene| Box::pin($witness(scene)),
            });
        })*
    };
}
pub(crate) use drills;

/// Does it all.
fn perform(drill: &Drill) {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let one = std::env::var("QUORATE_BLOW").ok();
    let first = number("QUORATE_SEED").unwrap_or(1);
    let mut worlds = 0;
    for seed in first..first + number("QUORATE_SEEDS").unwrap_or(1) {
        let calm = Rc::new(Rehearsal::new(drill, Blow::None, None));
        rehearse(seed, &calm, one.as_deref() == Some("None"));
        let (steps, nodes) = calm.outcome();
        assert!(steps.polls > 0 && steps.messages > 0, "{steps:?}");
        let blows =
            steps.blows().filter(|blow| one.as_ref().is_none_or(|one| *one == format!("{blow:?}")));
        for blow in blows {
            let rehearsal = Rc::new(Rehearsal::new(drill, blow, Some(nodes.clone())));
            rehearse(seed, &rehearsal, one.is_some());
            worlds += 1;
        }
        tell(steps, worlds);
    }
}

fn tell(Steps { polls, messages }: Steps, worlds: u64) {
    println!("{polls} polls, {messages} messages, {worlds} worlds");
}

fn rehearse(seed: u64, rehearsal: &Rc<Rehearsal>, echo: bool) {
    let play: Rc<dyn Play> = Rc::<Rehearsal>::clone(rehearsal);
    if let Err(failure) = sim::rehearse(seed, echo, play) {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or_default();
        panic!(
            "{}\n{:?}: {}\nagain with: QUORATE_SEED={seed} QUORATE_BLOW='{:?}' cargo test -p quorate-tests --test steps -- --exact {test}",
            failure.trace.join("\n"),
            rehearsal.blow(),
            failure.what,
            rehearsal.blow(),
        );
    }
}
