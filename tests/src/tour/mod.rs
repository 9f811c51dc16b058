//! Plays on tour: the same programs that the simulator plays, at servers outside, while those are killed, paused and
//! restarted by whoever conducts the tour.
//!
//! `QUORATE_TOUR=host:port,…` sends them there. Each play has a tree of its own below a node with its name. Its processes are
//! clients of a runtime of its own; now and then one dies, which leaves its session to the server, and begins again. When
//! the [`Conductor`] says that it is over, every process must come to its end and leave no task, watch, request or ephemeral
//! node. Then the transactions that the servers have logged are the history that the play checks, as it checks the simulator's.

mod actor;
mod conductor;
mod recording;
mod tally;

pub use conductor::Conductor;
pub use tally::unknown;

use crate::sim::env::{Checked, Violation, ensure};
use crate::sim::history::History;
use crate::sim::model::Model;
use crate::sim::random::Random;
use crate::sim::stage::Play;
use actor::Actor;
use quorate::client::{Client, CreateMode, ErrorCode, Result};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tally::Tally;
use tokio::runtime;

/// Performs a play until the conductor says that it is over, and checks it. `name` must be another's for no other play.
///
/// # Errors
/// When a property does not hold, or somebody does not come to an end.
pub fn perform(conductor: &'static Conductor, name: &str, play: &dyn Play) -> Checked {
    let played = attempt(conductor, name, play);
    conductor.tell_how(name, &played);
    played.map(drop)
}

/// Answers the numbers of a play that ends well.
fn attempt(conductor: &'static Conductor, name: &str, play: &dyn Play) -> Checked<String> {
    let root = format!("/{name}");
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Violation(error.to_string()))?;
    let tally = Arc::<Tally>::default();
    let mut actors = Vec::new();
    runtime.block_on(async {
        prepare(conductor, &root).await.map_err(|error| Violation(error.to_string()))?;
        let mut random = Random::new(seed());
        for number in 0..play.processes() {
            actors.push(Actor::new(conductor, &root, number, random.fork(), &tally));
        }
        conductor.on_stage(name, actors.iter().map(Actor::cues));
        tour(conductor, play, &mut actors).await
    })?;
    drop(actors);
    let metrics = runtime.metrics();
    // Driven, so that tasks which have been told to end can do so.
    runtime.block_on(eventually("no task", || match metrics.num_alive_tasks() {
        0 => Ok(()),
        left => Err(format!("{left} tasks are left")),
    }))?;
    let history = settled(conductor, &root)?;
    play.check(&history)?;
    Ok(tally.line(conductor.faults()))
}

/// Plays until it is over and everybody has left.
async fn tour(conductor: &Conductor, play: &dyn Play, actors: &mut [Actor]) -> Checked {
    while !conductor.is_over() {
        for actor in actors.iter_mut() {
            actor.act(play)?;
        }
        tokio::time::sleep(TICK).await;
    }
    for actor in actors.iter_mut() {
        actor.calm_down(play);
    }
    let begun = Instant::now();
    while !actors.iter().all(Actor::has_left) {
        for actor in actors.iter_mut() {
            actor.end()?;
        }
        let late: Vec<usize> = actors.iter().filter(|a| !a.has_left()).map(Actor::number).collect();
        ensure!(begun.elapsed() < END, "no end of {late:?}");
        tokio::time::sleep(TICK).await;
    }
    Ok(())
}

/// Makes the node below which everything happens.
async fn prepare(conductor: &Conductor, root: &str) -> Result<()> {
    let client = Client::builder().servers(conductor.servers()).connect().await?;
    let made = client.create(root, b"", CreateMode::Persistent).await;
    client.close().await?;
    match made {
        Err(error) if error.code() != ErrorCode::NodeExists => Err(error),
        _ => Ok(()),
    }
}

/// The history of a play, when the sessions of those who died have expired.
fn settled(conductor: &Conductor, root: &str) -> Checked<History> {
    let begun = Instant::now();
    loop {
        let history = conductor.history(root)?;
        let left = ephemerals(&history.model);
        if left.is_empty() {
            return Ok(history);
        }
        ensure!(begun.elapsed() < END, "ephemeral nodes are left: {left:?}");
        std::thread::sleep(5 * TICK);
    }
}

fn ephemerals(model: &Model) -> Vec<&str> {
    let all = model.all(model.zxid).filter(|(_, node)| node.wire().ephemeral_owner > 0);
    all.map(|(path, _)| path).collect()
}

/// Asks until it is well, and says what was wrong when that takes too long.
async fn eventually(
    what: &str,
    mut ask: impl FnMut() -> std::result::Result<(), String>,
) -> Checked {
    let begun = Instant::now();
    while let Err(wrong) = ask() {
        ensure!(begun.elapsed() < END, "{what}: {wrong}");
        tokio::time::sleep(TICK).await;
    }
    Ok(())
}

/// Another one for each play.
fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) ^ (now.as_secs() << 30)
}

/// How often a play looks whether somebody has ended.
const TICK: Duration = Duration::from_millis(20);
/// As long as an end may take.
const END: Duration = Duration::from_secs(150);
