//! What goes wrong: chosen by weight, one at a time, some of it passing.

use super::disk::End;
use super::env::{Checked, Env, Event};
use super::totals::Strike;
use super::world::World;
use quorate::storage::StorageError;
use quorate::storage::disk::is_full;

/// What puts a passing fault right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relief {
    /// There is room on the disk again.
    Room,
    /// Syncs work again.
    Syncs,
    /// The disk has its usual speed.
    Speed,
}

/// Something goes wrong, and the next time is planned.
pub fn strike(world: &mut World) -> Checked {
    let env = &mut world.env;
    let weights = env.plan.faults.all();
    let mut at = env.random.below(weights.iter().sum());
    let mut kind = weights.len();
    for (n, &weight) in weights.iter().enumerate() {
        if at < weight {
            kind = n;
            break;
        }
        at -= weight;
    }
    let (low, high) = env.plan.fault_gap;
    let gap = env.random.skewed(low, high);
    env.after(gap, Event::Fault);
    if let Some(strike) = KINDS.get(kind).copied().flatten() {
        world.strikes.count(strike);
    }
    match kind {
        0 => crash(world, End::Process),
        1 => crash(world, End::Power),
        2 => light_fuse(world),
        3 => each_server(world, |server, env| server.stop(env)),
        4 => fill(world),
        5 => fail_syncs(world),
        6 => slow_disk(world),
        7 => hang_up(world),
        8 => half_open(world),
        9 => befall(world, true),
        10 => befall(world, false),
        11 => move_wall(&mut world.env),
        12 => flip(world),
        13 => each_server(world, |server, env| server.purge(env)),
        14 => return world.servers.iter().try_for_each(|server| server.inspect(&world.env)),
        15 => each_server(world, |server, env| server.cut_short(env)),
        _ => {}
    }
    Ok(())
}

/// A passing fault passes.
pub fn relieve(world: &mut World, relief: Relief) {
    for server in &world.servers {
        match relief {
            Relief::Room => server.disk.set_capacity(u64::MAX),
            Relief::Syncs => server.disk.set_failing(false),
            Relief::Speed => {}
        }
    }
    if relief == Relief::Speed {
        world.env.plan.disk_delay = world.usual_disk;
    }
}

/// Whether a start failed only because the disk is full, for which nobody can be blamed.
#[must_use]
pub fn is_want_of_room(error: &StorageError) -> bool {
    matches!(error, StorageError::Io { source, .. } if is_full(source))
}

fn each_server(world: &mut World, mut act: impl FnMut(&mut super::server::Server, &mut Env)) {
    for server in &mut world.servers {
        act(server, &mut world.env);
    }
}

fn crash(world: &mut World, end: End) {
    each_server(world, |server, env| server.crash(env, Some(end)));
}

/// The machine dies in the middle of whatever the disk is doing soon. Also while it starts: at every effect boundary.
fn light_fuse(world: &mut World) {
    let flips = world.env.plan.faults.flip > 0 && world.env.random.chance(100);
    for server in &world.servers {
        server.disk.set_flips(if flips { 100 } else { 0 });
        server.disk.light_fuse(world.env.random.skewed(0, 60));
    }
}

fn fill(world: &mut World) {
    for server in &world.servers {
        server.disk.set_capacity(server.disk.used() + world.env.random.skewed(0, 20_000));
    }
    let delay = world.env.random.skewed(10_000, 10_000_000);
    world.env.after(delay, Event::Relief(Relief::Room));
}

fn fail_syncs(world: &mut World) {
    world.servers.iter().for_each(|server| server.disk.set_failing(true));
    let delay = world.env.random.skewed(1_000, 2_000_000);
    world.env.after(delay, Event::Relief(Relief::Syncs));
}

fn slow_disk(world: &mut World) {
    world.env.plan.disk_delay = (10_000, 500_000);
    let delay = world.env.random.skewed(1_000, 3_000_000);
    world.env.after(delay, Event::Relief(Relief::Speed));
}

fn hang_up(world: &mut World) {
    let links: Vec<_> = world.env.links.ids().collect();
    if let Some(&link) = world.env.random.pick(&links) {
        let end = world.env.random.of(super::net::End::Client, &[super::net::End::Server]);
        // Somebody on the way closes it: both ends see it end.
        world.env.close(link, end);
        if end == super::net::End::Client {
            world.env.close(link, super::net::End::Server);
        }
    }
}

fn half_open(world: &mut World) {
    let links: Vec<_> = world.env.links.ids().collect();
    if let Some(&link) = world.env.random.pick(&links) {
        let (client, server) = (super::net::End::Client, super::net::End::Server);
        let towards = world.env.random.of(None, &[Some(client), Some(server)]);
        world.env.links.break_off(link, towards);
    }
}

/// Something befalls a client, or the owner of a session, for a while.
fn befall(world: &mut World, reads: bool) {
    let until = world.env.now + world.env.random.skewed(10_000, 30_000_000);
    let (clients, owners) = (world.clients.len(), world.owners.len());
    let at = world.env.random.index(clients + owners + world.actors.len());
    let mut strike = if reads { Strike::Deaf } else { Strike::Silent };
    if let Some(client) = world.clients.get_mut(at) {
        if reads {
            client.deafen(until);
        } else {
            client.silence(until);
        }
    } else if let Some(owner) = world.owners.get_mut(at.saturating_sub(clients)) {
        match world.env.random.below(3) {
            0 => {
                strike = Strike::Pause;
                owner.pause(sleep(&mut world.env), &mut world.env);
            }
            _ if reads => owner.deafen(until),
            _ => owner.silence(until),
        }
    } else if let Some(actor) = world.actors.get_mut(at.saturating_sub(clients + owners)) {
        match world.env.random.below(4) {
            0..=1 => {
                strike = Strike::Pause;
                actor.pause(sleep(&mut world.env), &mut world.env);
            }
            2 => {
                strike = Strike::Death;
                actor.die(&mut world.env);
            }
            _ if reads => actor.deafen(until),
            _ => actor.silence(until),
        }
    }
    world.strikes.count(strike);
}

/// Until when a process sleeps: about as long as sessions live.
fn sleep(env: &mut Env) -> u64 {
    let most = env.plan.timeouts.1 * 2_000;
    env.now + env.random.between(10_000, most)
}

fn move_wall(env: &mut Env) {
    let by = i64::try_from(env.random.skewed(1, 100_000)).unwrap_or(0);
    env.wall_skew += if env.random.chance(500) { by } else { -by };
}

/// A bit of something synced flips while the server is down. Recovery must refuse, or be right all the same.
fn flip(world: &mut World) {
    for server in &mut world.servers {
        if !server.is_up() {
            continue;
        }
        // The process ends alone: what a lost sidecar would have proven is then still there.
        server.crash(&mut world.env, Some(End::Process));
        let prefix = world.env.random.of("log.", &["snapshot.", "sum."]);
        server.disk.flip_somewhere(prefix);
    }
}

/// How the kinds of [`Weights::all`](super::plan::Weights::all) are counted; what befalls a client, when it is known what.
const KINDS: [Option<Strike>; 16] = [
    Some(Strike::Kill),
    Some(Strike::Power),
    Some(Strike::Power),
    Some(Strike::Stop),
    Some(Strike::Full),
    Some(Strike::SyncError),
    Some(Strike::SlowDisk),
    Some(Strike::HangUp),
    Some(Strike::HalfOpen),
    None,
    None,
    Some(Strike::Wall),
    Some(Strike::Flip),
    None,
    None,
    Some(Strike::Cut),
];
