//! The deterministic simulator: a world of servers, disks, links and clients in which everything that happens follows
//! from a seed.
//!
//! The engines are the product's; the drivers around them ([`server`]) make the same calls in the same order, with
//! events in place of threads. Network ([`net`]) and disk ([`disk`]) do what the worst of their kind may do. Clients ([`client`]) and
//! the [`history`] check everything that comes back. `docs/testing.md` tells how to run it.

pub mod client;
pub mod disk;
pub mod env;
pub mod faults;
pub mod history;
mod inode;
mod judge;
pub mod model;
pub mod net;
pub mod plan;
pub mod random;
mod reads;
pub mod server;
pub mod session;
pub mod stage;
mod tap;
pub mod trace;
mod watching;
pub mod world;

use plan::Plan;
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
}

/// A run in which a property did not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// After how many events.
    pub step: u64,
    /// What did not hold.
    pub what: String,
    /// The last that happened.
    pub trace: Vec<String>,
    /// What the program `sim` has to be told besides the seed.
    pub option: &'static str,
    /// Whether a play was performed.
    pub is_play: bool,
}

/// Runs the world of a seed for so many events, then to its end. With `echo` everything that happens is written to standard
/// error.
///
/// # Errors
/// When a property does not hold, or something panics.
pub fn run(seed: u64, steps: u64, echo: bool) -> Result<Summary, Box<Failure>> {
    let trace = Trace::new(echo);
    finish(seed, steps, World::new(seed, &trace), &trace)
}

/// What worlds are made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// Everything.
    #[default]
    Any,
    /// Connections that fall silent: what owners know of the end of their sessions.
    Silence,
    /// A wall clock that goes back while sessions come and go: their ids.
    Clocks,
}

impl Theme {
    const fn change(self) -> fn(&mut Plan) {
        match self {
            Self::Any => |_| (),
            Self::Silence => Plan::fall_silent,
            Self::Clocks => Plan::turn_back,
        }
    }

    /// The option of the program `sim`.
    const fn option(self) -> &'static str {
        match self {
            Self::Any => "",
            Self::Silence => " --silence",
            Self::Clocks => " --clocks",
        }
    }
}

/// Runs the world of a seed that is made for something, in the same way.
///
/// # Errors
/// When a property does not hold, or something panics.
pub fn run_theme(theme: Theme, seed: u64, steps: u64, echo: bool) -> Result<Summary, Box<Failure>> {
    let trace = Trace::new(echo);
    let world = World::with_plan(seed, &trace, None, theme.change());
    finish(seed, steps, world, &trace)
        .map_err(|failure| Box::new(Failure { option: theme.option(), ..*failure }))
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
    finish(seed, steps, World::with_play(seed, &trace, play), &trace)
}

fn finish(seed: u64, steps: u64, mut world: World, trace: &Trace) -> Result<Summary, Box<Failure>> {
    let result = catch_unwind(AssertUnwindSafe(|| world.run(steps)));
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
    Err(Box::new(Failure { seed, step, what, trace: trace.tail(), option: "", is_play }))
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        let Self { seed, step, what, option, is_play, .. } = self;
        writeln!(f, "seed {seed}, event {step}: {what}")?;
        if *is_play {
            return write!(f, "again with QUORATE_SEED={seed} and the name of this test");
        }
        let sim = "cargo run --release -p quorate-tests --bin sim --";
        write!(f, "again with: {sim} --seed {seed}{option}")
    }
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
    for server in &world.servers {
        summary.starts += server.counts.starts;
        summary.crashes += server.counts.crashes;
        summary.refusals += server.counts.refusals;
    }
    summary
}
