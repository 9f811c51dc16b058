//! The deterministic simulator: a world of servers, disks, links and clients in which everything that happens follows
//! from a seed.
//!
//! The engines are the product's; the drivers around them ([`server`]) make the same calls in the same order, with
//! events in place of threads. Network ([`net`]) and disk ([`disk`]) do what the worst of their kind may do. Clients ([`client`]) and
//! the [`history`] check everything that comes back. `docs/testing.md` tells how to run it.

pub mod client;
pub mod disk;
pub mod env;
mod failure;
pub mod faults;
pub mod history;
mod inode;
mod judge;
pub mod model;
pub mod net;
pub mod plan;
mod reads;
mod run;
pub mod server;
pub mod session;
pub mod stage;
mod tap;
mod totals;
mod watching;
pub mod world;

pub use failure::Failure;
pub use quorate_tests_kit::{random, trace};
pub use run::{Run, Theme, number};
pub use totals::{Strike, Strikes, Totals};

use stage::Play;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use trace::Trace;
use world::World;

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Hash of everything that happened.
    pub hash: u64,
    /// Events.
    pub steps: u64,
    /// Virtual time, us.
    pub time: u64,
    /// Transactions.
    pub transactions: u64,
    /// Replies and notifications that were checked.
    pub replies: u64,
    /// See `replies`.
    pub notices: u64,
    /// Starts of servers, deaths, refusals to start.
    pub starts: u64,
    /// See `starts`.
    pub crashes: u64,
    /// See `starts`.
    pub refusals: u64,
    /// Deaths in the middle of a round.
    pub cut: u64,
    /// Sessions that expired.
    pub expired: u64,
    /// How often the log had no room.
    pub full: u64,
    /// Requests of the client engine that ended.
    pub ended: u64,
    /// Of these, with an outcome that nobody knows.
    pub unknown: u64,
    /// Events that the client engine told, and notices that some may be missing.
    pub events: u64,
    /// See `events`.
    pub missed: u64,
    /// Sessions that the client engine called lost.
    pub lost: u64,
    /// Shards of a server that kept everything in memory only; 0 if it had a disk.
    pub volatile: u64,
    /// Connections that were asked for.
    pub connections: u64,
    /// What was to go wrong.
    pub strikes: Strikes,
}

/// Performs a run: the world of its seed for so many events, then to its end. With `echo` everything that happens is written to
/// standard error.
///
/// # Errors
/// When a property does not hold, or something panics.
pub fn run(run: Run, echo: bool) -> Result<Summary, Box<Failure>> {
    let trace = Trace::new(echo);
    let world = World::with_plan(run.seed, &trace, None, run.theme.change());
    finish(run, world, &trace)
}

/// Performs a play in the world of a seed, in the same way.
///
/// # Errors
/// When a property does not hold, or something panics.
pub fn perform(
    seed: u64,
    steps: u64,
    echo: bool,
    play: Rc<dyn Play>,
) -> Result<Summary, Box<Failure>> {
    let trace = Trace::new(echo);
    let run = Run { seed, steps, theme: Theme::Any };
    finish(run, World::with_play(seed, &trace, play), &trace)
}

/// Performs a play in the world of a seed in which nothing goes wrong but what its processes
/// [undergo](stage::Part::undergo). They are told from the beginning that the world wants to come to its end.
///
/// # Errors
/// When a property does not hold, or something panics.
pub fn rehearse(seed: u64, echo: bool, play: Rc<dyn Play>) -> Result<Summary, Box<Failure>> {
    let trace = Trace::new(echo);
    let world = World::with_plan(seed, &trace, Some(play), plan::Plan::keep_calm);
    finish(Run { seed, steps: 0, theme: Theme::Any }, world, &trace)
}

fn finish(run: Run, mut world: World, trace: &Trace) -> Result<Summary, Box<Failure>> {
    let result = catch_unwind(AssertUnwindSafe(|| world.run(run.steps)));
    let what = match result {
        Ok(Ok(())) => return Ok(summary(&world, trace)),
        Ok(Err(violation)) => violation.0,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            format!("panic: {}", text.unwrap_or_default())
        }
    };
    let (step, is_play) = (world.steps, !world.actors.is_empty());
    Err(Box::new(Failure { run, step, what, trace: trace.tail(), is_play }))
}

fn summary(world: &World, trace: &Trace) -> Summary {
    let shards = u64::try_from(world.env.plan.shards).unwrap_or(u64::MAX);
    let mut summary = Summary {
        hash: trace.hash(),
        steps: world.steps,
        time: world.env.now,
        transactions: world.env.history.durable().unsigned_abs(),
        expired: world.env.history.expired,
        full: world.env.history.refusals,
        connections: world.env.links.opened(),
        strikes: world.strikes,
        volatile: if world.env.plan.volatile { shards } else { 0 },
        ..Summary::default()
    };
    for client in &world.clients {
        summary.replies += client.replies;
        summary.notices += client.notices;
    }
    for owner in &world.owners {
        summary.ended += owner.counts.ended;
        summary.unknown += owner.counts.unknown;
        summary.events += owner.counts.events;
        summary.missed += owner.counts.missed;
        summary.lost += owner.counts.lost;
    }
    for actor in &world.actors {
        summary.ended += actor.counts.ended;
        summary.lost += actor.counts.lost;
    }
    for server in &world.servers {
        summary.starts += server.counts.starts;
        summary.crashes += server.counts.crashes;
        summary.refusals += server.counts.refusals;
        summary.cut += server.counts.cut;
    }
    summary
}

#[cfg(test)]
mod tests {
    use super::*;
    use env::{Checked, ensure};

    /// Every combination of options that a run can have.
    fn runs() -> impl Iterator<Item = Run> {
        let seeds = [(1, 20_000), (0, 0), (u64::MAX, 3), (297, u64::MAX)];
        Theme::ALL
            .into_iter()
            .flat_map(move |theme| seeds.map(|(seed, steps)| Run { seed, steps, theme }))
    }

    /// The run that the command in a text stands for.
    fn read(text: &str) -> Run {
        let command = text.lines().last().and_then(|line| line.split_once(" --bin sim -- "));
        let mut words = command.unwrap().1.split(' ').map(str::to_owned);
        let mut run = Run::default();
        while let Some(word) = words.next() {
            assert!(run.take(&word, &mut words).unwrap(), "{word}");
        }
        run
    }

    #[test]
    fn the_command_of_a_run_is_read_as_that_run() {
        for run in runs() {
            let (what, trace) = (String::new(), Vec::new());
            let failure = Failure { run, step: 0, what, trace, is_play: false };
            assert_eq!(read(&failure.to_string()), run);
        }
    }

    /// A run with one more property, which does not hold.
    fn failing(run: Run, property: fn(&World) -> Checked) -> Failure {
        let trace = Trace::new(false);
        let mut world = World::with_plan(run.seed, &trace, None, run.theme.change());
        world.property = Some(property);
        *finish(run, world, &trace).unwrap_err()
    }

    #[test]
    fn the_command_of_a_failure_shows_it_again() {
        let early: fn(&World) -> Checked = |world| {
            ensure!(world.steps < 400, "planted among the faults");
            Ok(())
        };
        let late: fn(&World) -> Checked = |world| {
            ensure!(!world.is_calm || !world.steps.is_multiple_of(50), "planted in the calm");
            Ok(())
        };
        for theme in Theme::ALL {
            for (property, calm) in [(early, false), (late, true)] {
                let run = Run { seed: 5, steps: 700, theme };
                let failure = failing(run, property);
                assert_eq!(failure.step >= run.steps, calm, "{failure}");
                assert_eq!(failing(read(&failure.to_string()), property), failure);
            }
        }
    }
}
