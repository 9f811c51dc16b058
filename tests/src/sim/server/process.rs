//! The engines of one server process and the rounds of its threads.
//!
//! This is the third driver beside `fused.rs` and `sharded/` of the product: the same calls in the same order,
//! with events of the world in place of threads. With one shard a single thread does everything; with more, each shard
//! has a thread and the writer is the last one.

use super::journal::{Journal, Snapshots};
use super::mail::{Direct, Mail, Outgoing};
use super::pulse::Pulse;
use super::sockets::Sockets;
use crate::sim::env::{Checked, Env, Event, Violation, ensure};
use crate::sim::net::LinkId;
use crate::sim::trace::note;
use quorate::storage::{GroupCommit, GroupWriter, LogReport, Storage};
use quorate_engine::limits::Load;
use quorate_engine::replica::{Now, Replica};
use quorate_engine::shard::{ConnKey, Shard};
use quorate_engine::tree::Tree;
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// A running server.
pub(super) struct Process {
    server: (usize, u64),
    /// us
    started: u64,
    pub(super) replica: Replica,
    pub(super) tree: Tree,
    threads: Vec<Thread>,
    inbox: Vec<Mail>,
    /// What is in flight: in the replica, and in the inbox.
    load: Load,
    deadline: Option<i64>,
    /// When the next round of each thread is, us; of the writer's as the last one.
    rounds: Vec<Option<u64>>,
    pub(super) journal: Journal,
    pub(super) snapshots: Snapshots,
    /// Until it dies within a round.
    pub(super) pulse: Pulse,
    commits: u64,
    dealt: usize,
    /// `None` when everything is in memory only.
    pub(super) storage: Option<Storage>,
}

/// An I/O thread.
struct Thread {
    shard: Shard,
    sockets: Sockets,
    arrivals: Vec<LinkId>,
}

/// What becomes of a process after a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Runs,
    /// It has found that it cannot go on.
    Stops,
    /// It has died before the end of the round.
    Dies,
}

impl Process {
    pub(super) fn new(
        env: &mut Env,
        server: (usize, u64),
        storage: Option<Storage>,
        tree: Tree,
        replayed: u64,
    ) -> Self {
        let engine = &env.plan.engine;
        let config = engine.replica.clone();
        let now = Now { mono: 0, wall: env.wall() };
        let pulse = Pulse::default();
        let thread = || Thread {
            shard: Shard::new(engine.shard.clone()),
            sockets: Sockets::new(pulse.clone()),
            arrivals: Vec::new(),
        };
        let threads: Vec<Thread> = (0..env.plan.shards).map(|_| thread()).collect();
        let rounds = vec![None; if threads.len() == 1 { 1 } else { threads.len() + 1 }];
        let mut process = Self {
            server,
            started: env.now,
            replica: Replica::new(config, &tree, replayed, now),
            tree,
            threads,
            inbox: Vec::new(),
            load: Load::default(),
            deadline: Some(0),
            rounds,
            journal: Journal::new(
                storage.as_ref().map(|s| GroupWriter::new(s.log_writer(), GroupCommit::default())),
                server,
            ),
            snapshots: Snapshots::new(server),
            pulse,
            commits: 0,
            dealt: 0,
            storage,
        };
        (0..process.rounds.len()).for_each(|thread| process.wake(env, thread));
        process
    }

    /// How many watches there are.
    pub(super) fn watches(&self) -> usize {
        self.threads.iter().map(|thread| thread.shard.watches().total()).sum()
    }

    fn now(&self, env: &Env) -> Now {
        let mono = i64::try_from((env.now - self.started) / 1000).unwrap_or(i64::MAX);
        Now { mono, wall: env.wall() }
    }

    /// The thread that judges and applies.
    pub(super) fn writer(&self) -> usize {
        self.rounds.len() - 1
    }

    /// Has a thread do a round soon.
    pub(super) fn wake(&mut self, env: &mut Env, thread: usize) {
        let (low, high) = env.plan.round_delay;
        let at = env.now + env.random.skewed(low, high);
        self.round_at(env, thread, at);
    }

    fn round_at(&mut self, env: &mut Env, thread: usize, at: u64) {
        let at = at.max(env.now + 1);
        if let Some(next) = self.rounds.get_mut(thread)
            && next.is_none_or(|next| next > at)
        {
            *next = Some(at);
            env.at(at, Event::Round { server: self.server, thread });
        }
    }

    /// Takes up a connection.
    pub(super) fn accept(&mut self, env: &mut Env, link: LinkId) {
        let number = self.dealt % self.threads.len();
        self.dealt += 1;
        if let Some(thread) = self.threads.get_mut(number) {
            thread.arrivals.push(link);
        }
        self.wake(env, number);
    }

    /// A connection has something to read, or takes bytes again.
    pub(super) fn ready(&mut self, env: &mut Env, conn: (usize, ConnKey), read: bool, write: bool) {
        if let Some(thread) = self.threads.get_mut(conn.0) {
            thread.sockets.ready(conn.1, read, write);
        }
        self.wake(env, conn.0);
    }

    /// A thread's turn, unless it had it already.
    pub(super) fn round(&mut self, env: &mut Env, thread: usize) -> Checked<Fate> {
        match self.rounds.get_mut(thread) {
            Some(next) if *next == Some(env.now) => *next = None,
            _ => return Ok(Fate::Runs),
        }
        let fate = if self.threads.len() == 1 {
            self.fused(env)?
        } else if thread == self.writer() {
            self.write(env)?
        } else {
            self.serve(env, thread);
            Fate::Runs
        };
        self.check_limits(env)?;
        Ok(if self.pulse.has_stopped() { Fate::Dies } else { fate })
    }

    fn fused(&mut self, env: &mut Env) -> Checked<Fate> {
        let now = self.now(env);
        self.take_arrivals(env, 0, now);
        if let Some(Thread { shard, sockets, .. }) = self.threads.first_mut() {
            let mut core = Direct { replica: &mut self.replica, tree: &self.tree, now };
            sockets.read_all(env, shard, &self.tree, now.mono, &mut core);
        }
        let fate = self.take_reports(env, now)?;
        if fate != Fate::Runs {
            return Ok(fate);
        }
        self.settle(env, now)?;
        if self.deadline.is_some_and(|at| at <= now.mono) {
            let strangers = self.threads.first_mut().and_then(|t| t.shard.tick(now.mono));
            let replica = self.replica.tick(&self.tree, now);
            let nap = now.mono + LONGEST_NAP;
            self.deadline = strangers.into_iter().chain(replica).chain([nap]).min();
            self.settle(env, now)?;
        } else {
            let next = self.replica.next_deadline();
            self.deadline = self.deadline.into_iter().chain(next).min();
        }
        self.snapshot(env);
        self.flush(env, 0);
        self.plan_next(env, 0, self.snapshots.wants_to_walk(), self.deadline);
        Ok(Fate::Runs)
    }

    /// Answers and goes on with what waited, until nothing more can be done without the outside world.
    fn settle(&mut self, env: &mut Env, now: Now) -> Checked {
        loop {
            let Some(Thread { shard, .. }) = self.threads.first_mut() else { return Ok(()) };
            self.replica.deliver(&self.tree, &mut [shard], now);
            let mut core = Direct { replica: &mut self.replica, tree: &self.tree, now };
            shard.resume(&self.tree, now.mono, &mut core);
            let idle = !shard.has_resumable();
            self.seal(env)?;
            if self.journal.is_volatile() {
                self.take_reports(env, now)?;
            }
            if !self.replica.has_ready() && idle {
                return Ok(());
            }
        }
    }

    fn seal(&mut self, env: &mut Env) -> Checked {
        if self.replica.has_unsealed()
            && self.pulse.beats()
            && let Some(segment) = self.replica.seal()
        {
            let tick = i64::from(env.plan.engine.shard.tick);
            let now = env.now_ms();
            env.history.propose(&segment, now, tick)?;
            self.journal.append(env, segment);
        }
        Ok(())
    }

    /// A round of a shard's thread.
    fn serve(&mut self, env: &mut Env, number: usize) {
        let now = self.now(env);
        self.take_arrivals(env, number, now);
        let mut batch = Vec::new();
        let (load, limit) = (&mut self.load, self.replica.load_limit());
        let mut core = Outgoing { shard: number, batch: &mut batch, load, limit };
        let mut next = None;
        if let Some(Thread { shard, sockets, .. }) = self.threads.get_mut(number) {
            shard.resume(&self.tree, now.mono, &mut core);
            sockets.read_all(env, shard, &self.tree, now.mono, &mut core);
            shard.resume(&self.tree, now.mono, &mut core);
            next = shard.tick(now.mono);
        }
        if !batch.is_empty() {
            self.inbox.append(&mut batch);
            self.wake(env, self.writer());
        }
        self.flush(env, number);
        let nap = now.mono + LONGEST_NAP;
        self.plan_next(env, number, false, next.into_iter().chain([nap]).min());
    }

    /// A round of the writer's thread.
    fn write(&mut self, env: &mut Env) -> Checked<Fate> {
        let now = self.now(env);
        for mail in std::mem::take(&mut self.inbox) {
            mail.deliver(&mut self.replica, &self.tree, now);
        }
        if self.deadline.is_some_and(|at| at <= now.mono) {
            let next = self.replica.tick(&self.tree, now);
            self.deadline = next.into_iter().chain([now.mono + LONGEST_NAP]).min();
        } else {
            let next = self.replica.next_deadline();
            self.deadline = self.deadline.into_iter().chain(next).min();
        }
        self.seal(env)?;
        {
            // What is ready was submitted before anything that has become durable now.
            let mut shards: Vec<&mut Shard> =
                self.threads.iter_mut().map(|t| &mut t.shard).collect();
            self.replica.deliver(&self.tree, &mut shards, now);
        }
        let fate = self.take_reports(env, now)?;
        self.snapshot(env);
        for number in 0..self.threads.len() {
            if self.threads.get(number).is_some_and(|thread| thread.shard.has_work()) {
                self.wake(env, number);
            }
        }
        let was_crowded = self.load.exceeds(self.replica.load_limit());
        // Nothing can have come in since the inbox was emptied.
        self.load = self.replica.load();
        if was_crowded && !self.replica.is_crowded() {
            (0..self.threads.len()).for_each(|number| self.wake(env, number));
        }
        let busy = self.snapshots.wants_to_walk()
            || self.replica.has_unsealed()
            || self.replica.has_ready();
        self.plan_next(env, self.writer(), busy, self.deadline);
        Ok(fate)
    }

    fn take_arrivals(&mut self, env: &mut Env, number: usize, now: Now) {
        let Some(thread) = self.threads.get_mut(number) else { return };
        for link in std::mem::take(&mut thread.arrivals) {
            let remote = SocketAddr::from(([127, 0, 0, 1], 40_000));
            let key = thread.shard.open(Some(remote), now.mono);
            thread.sockets.add(key, link);
            if let Some(link) = env.links.get_mut(link) {
                link.conn = Some((number, key));
            }
            // Readiness of what came before the registration is reported as well.
            thread.sockets.ready(key, true, true);
        }
    }

    fn take_reports(&mut self, env: &mut Env, now: Now) -> Checked<Fate> {
        for report in self.journal.news() {
            if !self.pulse.beats() {
                return Ok(Fate::Dies);
            }
            let mut shards: Vec<&mut Shard> =
                self.threads.iter_mut().map(|t| &mut t.shard).collect();
            match report {
                LogReport::Synced(zxid) => {
                    env.history.commit(zxid.0)?;
                    self.replica
                        .synced(zxid, &mut self.tree, &mut shards, now)
                        .map_err(|e| Violation(e.to_string()))?;
                    note!(env.trace, "server: {zxid} is durable, digest {:x}", self.tree.digest());
                    self.commits += 1;
                    if self.commits.is_multiple_of(64) {
                        env.history.compare(&self.tree)?;
                    } else {
                        env.history.compare_changed(&self.tree)?;
                    }
                }
                LogReport::Refused { reason, from, .. } => {
                    note!(env.trace, "server: refused from {from} on: {reason}");
                    self.replica.refused(&self.tree, &mut shards, now);
                    let now = env.now_ms();
                    env.history.refuse(now);
                }
                LogReport::Room => note!(env.trace, "server: there is room again"),
                LogReport::Failed(failure) => {
                    note!(env.trace, "server: {failure}");
                    return Ok(Fate::Stops);
                }
            }
        }
        let mismatches = self.replica.digest_mismatches();
        ensure!(mismatches == 0, "{mismatches} digests were not as predicted");
        Ok(Fate::Runs)
    }

    fn snapshot(&mut self, env: &mut Env) {
        let Some(storage) = &self.storage else { return };
        if !self.snapshots.is_busy() && self.replica.snapshot_due(&self.tree) {
            if self.pulse.beats() {
                self.journal.roll(env);
            }
            if !self.pulse.beats() {
                return;
            }
            self.snapshots.begin(env, storage, &mut self.tree);
        }
        self.snapshots.step(env, storage, &mut self.tree);
    }

    fn flush(&mut self, env: &mut Env, number: usize) {
        if let Some(Thread { shard, sockets, .. }) = self.threads.get_mut(number) {
            let events = env.plan.event_slice;
            sockets.flush(env, shard, events);
            // In no hurry, so that the next tenants of the slots are there meanwhile.
            shard.end_round(usize::from(env.random.chance(20)));
        }
    }

    /// When the thread's next round is, if nothing happens before.
    fn plan_next(&mut self, env: &mut Env, number: usize, busy: bool, deadline: Option<i64>) {
        let mut busy = busy;
        if let Some(thread) = self.threads.get(number) {
            busy |= thread.shard.has_notified() || thread.sockets.has_writable();
            busy |= thread.shard.has_resumable();
        }
        if busy {
            return self.wake(env, number);
        }
        if let Some(at) = deadline.and_then(|at| u64::try_from(at).ok()) {
            self.round_at(env, number, self.started + at * 1000);
        }
    }

    /// Every queue must be within its limit.
    fn check_limits(&self, env: &Env) -> Checked {
        let config = &env.plan.engine.shard;
        let batch = env.plan.read_buffer / SHORTEST_REQUEST + 1;
        let conns = || self.threads.iter().flat_map(|thread| thread.shard.conns());
        for conn in conns() {
            ensure!(
                conn.outstanding() <= config.queue_limit + batch,
                "a connection has {} requests in its queue",
                conn.outstanding()
            );
            let most = config.output_limit + LONGEST_REPLY;
            ensure!(conn.unsent() <= most, "a connection has {} bytes unsent", conn.unsent());
        }
        self.check_flight(env, batch)?;
        self.check_journal()
    }

    /// Beyond the limit there is at most one batch of each connection that has anything in flight, whether it is still
    /// there or not, and what the server itself wants.
    fn check_flight(&self, env: &Env, batch: usize) -> Checked {
        let limit = env.plan.engine.replica.outstanding_limit;
        let (mailed, judged) = (self.inbox.len(), self.replica.outstanding());
        if mailed + judged <= limit {
            return Ok(());
        }
        let judged_for = || self.replica.asking();
        let askers: BTreeSet<_> = judged_for()
            .flatten()
            .map(|conn| (conn.shard, conn.conn))
            .chain(self.inbox.iter().map(Mail::sender))
            .collect();
        let own = judged_for().filter(Option::is_none).count();
        let most = limit + askers.len() * batch + own;
        ensure!(
            mailed + judged <= most,
            "{judged} requests are in flight and {mailed} on their way, of {} connections; limit {limit}",
            askers.len()
        );
        Ok(())
    }

    /// What waits for the log is what is in flight, and what it has said is about that.
    fn check_journal(&self) -> Checked {
        let (backlog, outstanding) = (self.journal.backlog(), self.replica.outstanding());
        ensure!(
            backlog.records <= outstanding
                && backlog.rolls <= 2
                && backlog.reports <= outstanding + 2,
            "{backlog:?} at the log, with {outstanding} requests in flight"
        );
        Ok(())
    }

    /// What the process still does before it dies: it takes what the log has said, and sends what comes of it.
    pub(super) fn last_round(&mut self, env: &mut Env) -> Checked {
        for thread in [self.writer()].into_iter().chain(0..self.threads.len()) {
            if let Some(next) = self.rounds.get_mut(thread) {
                *next = Some(env.now);
            }
            self.round(env, thread)?;
        }
        Ok(())
    }

    /// Closes every connection.
    pub(super) fn close_all(&mut self, env: &mut Env) {
        for thread in &mut self.threads {
            thread.sockets.close_all(env);
            for link in std::mem::take(&mut thread.arrivals) {
                env.close(link, crate::sim::net::End::Server);
            }
        }
    }

    /// The links of all connections.
    pub(super) fn links(&self) -> Vec<LinkId> {
        let of = |thread: &Thread| -> Vec<LinkId> {
            thread.sockets.links().chain(thread.arrivals.iter().copied()).collect()
        };
        self.threads.iter().flat_map(of).collect()
    }
}

/// A thread looks after itself at least this often, ms.
const LONGEST_NAP: i64 = 1000;
/// Bytes of a request without a body.
const SHORTEST_REQUEST: usize = 12;
/// Bytes of the longest reply to be expected.
const LONGEST_REPLY: usize = 100_000;
