//! Several I/O threads beside the one that writes.
//!
//! Shared are the tree, behind a reader-writer lock that a shard takes once per batch of requests, and each shard behind
//! a lock of its own, which only its thread and the writer ever want. **Locks are taken in one order: shards by number, then
//! the tree.** The writer holds all of them while it applies, so that events and replies lie in the shards
//! before anybody can read the new state.

mod inbox;
mod shard_thread;
mod writer;

use super::builder::{journal, system, waking};
use super::clock::Clock;
use super::handle::{Control, ServerError, Threads};
use super::journal::Refusals;
use super::links::Links;
use super::listener::{Listener, WAKER};
use super::pipe::Calls;
use super::snapshotter::Snapshotter;
use super::words::Words;
use crate::storage::Storage;
use inbox::Inbox;
use mio::{Poll, Waker};
use quorate_engine::limits::Load;
use quorate_engine::replica::Replica;
use quorate_engine::shard::{Shard, ShardConfig};
use quorate_engine::tree::Tree;
use shard_thread::{Arrivals, ShardThread};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;
use writer::Writer;

/// What the server is assembled from.
pub(super) struct Sharded {
    pub(super) shards: usize,
    pub(super) shard: ShardConfig,
    pub(super) poll: Poll,
    pub(super) waker: Arc<Waker>,
    pub(super) clock: Clock,
    pub(super) calls: Arc<Calls>,
    pub(super) listener: Option<Listener>,
    pub(super) tree: Tree,
    pub(super) replica: Replica,
    pub(super) words: Words,
    pub(super) storage: Option<Arc<Storage>>,
}

/// What all threads share.
struct Shared {
    tree: RwLock<Tree>,
    shards: Vec<Mutex<Shard>>,
    /// One per shard.
    wakers: Vec<Arc<Waker>>,
    inbox: Inbox,
}

impl Shared {
    /// A shard; a thread that panicked has stopped the server anyway.
    fn shard(&self, number: usize) -> Option<MutexGuard<'_, Shard>> {
        Some(self.shards.get(number)?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn wake(&self, number: usize) {
        if let Some(waker) = self.wakers.get(number) {
            // A waker that cannot be written to has a wake-up pending.
            let _ = waker.wake();
        }
    }
}

/// Starts the threads.
pub(super) fn launch(parts: Sharded) -> Result<(Arc<Control>, Threads), ServerError> {
    let mut polls = vec![(parts.poll, parts.waker, parts.calls)];
    for _ in 1..parts.shards {
        let poll = Poll::new().map_err(system("poll"))?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).map_err(system("waker"))?);
        let calls = Calls::new(Arc::clone(&waker));
        polls.push((poll, waker, calls));
    }
    let wakers: Vec<_> = polls.iter().map(|(_, waker, _)| Arc::clone(waker)).collect();
    let own_poll = Poll::new().map_err(system("poll"))?;
    let own_waker = Arc::new(Waker::new(own_poll.registry(), WAKER).map_err(system("waker"))?);
    let first_calls = polls.first().map(|(_, _, calls)| Arc::clone(calls));
    let calls = first_calls.unwrap_or_else(|| Calls::new(Arc::clone(&own_waker)));
    let all_wakers = wakers.iter().cloned().chain([Arc::clone(&own_waker)]).collect();
    let control = Control::new(all_wakers, calls);
    let shard = || Mutex::new(Shard::new(share(&parts.shard, parts.shards)));
    let shared = Arc::new(Shared {
        tree: RwLock::new(parts.tree),
        shards: (0..parts.shards).map(|_| shard()).collect(),
        wakers,
        inbox: Inbox::new(Arc::clone(&own_waker), parts.replica.load_limit()),
    });
    let arrivals = Arc::new(Arrivals::new(parts.shards));
    let mut threads = Threads::new();
    let writer = Writer {
        shared: Arc::clone(&shared),
        control: Arc::clone(&control),
        poll: own_poll,
        clock: parts.clock,
        journal: journal(parts.storage.as_ref(), &own_waker)?,
        refusals: Refusals::default(),
        snapshotter: parts.storage.map(|storage| Snapshotter::new(storage, waking(&own_waker))),
        replica: parts.replica,
        known: Load::default(),
        words: parts.words,
    };
    let spawned = thread::Builder::new().name(WRITER.into()).spawn(move || writer.run());
    threads.push((WRITER, spawned.map_err(system("thread"))?));
    let mut listener = parts.listener;
    for (number, (poll, _, calls)) in polls.into_iter().enumerate() {
        let thread = ShardThread {
            number,
            shared: Arc::clone(&shared),
            control: Arc::clone(&control),
            arrivals: Arc::clone(&arrivals),
            poll,
            calls,
            clock: parts.clock,
            listener: listener.take(),
            links: Links::new(),
            last_accept: 0,
        };
        let spawned = thread::Builder::new()
            .name(format!("quorate-shard-{number}"))
            .spawn(move || thread.run())
            .map_err(system("thread"));
        match spawned {
            Ok(handle) => threads.push((SHARD, handle)),
            Err(error) => {
                // The threads that run already end by themselves.
                control.stop();
                return Err(error);
            }
        }
    }
    Ok((control, threads))
}

/// What each of so many shards may do, so that together they keep the server's limits.
fn share(server: &ShardConfig, shards: usize) -> ShardConfig {
    ShardConfig { events_limit: server.events_limit / shards.max(1), ..server.clone() }
}

const WRITER: &str = "quorate-writer";
const SHARD: &str = "quorate-shard";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_shards_hold_no_more_events_that_nobody_reads() {
        let server = ShardConfig::default();
        for shards in 1..=16 {
            let each = share(&server, shards).events_limit;
            assert!(each > 0 && each * shards <= server.events_limit, "{shards} times {each}");
        }
    }
}
