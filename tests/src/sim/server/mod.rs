//! A server of the world: its disk, and its process while there is one.
//!
//! The disk outlives the process. What a process is told names the life it is meant for, so that nothing reaches the
//! next one by mistake.

mod journal;
mod mail;
mod process;
mod pulse;
mod sockets;

use super::disk::{End, SimDisk};
use super::env::{Checked, Env, Event, Violation, ensure};
use super::net::{self, LinkId};
use super::plan::Plan;
use super::trace::{Trace, note};
use journal::Progress;
use process::{Fate, Process};
use quorate::storage::{LogReport, Storage, StorageConfig};
use quorate_engine::shard::ConnKey;
use quorate_engine::tree::Tree;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

/// A server.
pub struct Server {
    number: usize,
    life: u64,
    /// Its disk.
    pub disk: SimDisk,
    process: Option<Process>,
    /// How often it was started, refused to start, and ended without being asked.
    pub counts: Counts,
}

/// What has happened to a server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// It was started.
    pub starts: u64,
    /// It was refused to start, because of damage.
    pub refusals: u64,
    /// It or its machine died.
    pub crashes: u64,
    /// Of these, in the middle of a round.
    pub cut: u64,
}

impl Server {
    /// A server with an empty disk; not started.
    #[must_use]
    pub fn new(number: usize, disk: SimDisk) -> Self {
        Self { number, life: 0, disk, process: None, counts: Counts::default() }
    }

    /// Whether it runs.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.process.is_some()
    }

    /// Starts it, if it is not up. When the disk dies meanwhile, another attempt follows.
    pub fn start(&mut self, env: &mut Env) -> Checked {
        if self.is_up() {
            return Ok(());
        }
        self.life += 1;
        if env.plan.volatile {
            self.counts.starts += 1;
            note!(env.trace, "server {}: starts with nothing", self.number);
            let (server, tree) = ((self.number, self.life), Tree::new(env.plan.engine.tree));
            self.process = Some(Process::new(env, server, None, tree, 0));
            return Ok(());
        }
        let damaged = self.disk.is_damaged();
        match Storage::open(storage_config(&env.plan, &self.disk)) {
            Ok((storage, tree, report)) => {
                self.counts.starts += 1;
                for warning in &report.warnings {
                    note!(env.trace, "server {}: {warning}", self.number);
                }
                note!(env.trace, "server {}: starts at {}", self.number, report.last);
                ensure!(report.mismatches == 0, "{} digests differ", report.mismatches);
                let now = env.now_ms();
                env.history.recovered(&tree, now)?;
                let want_of_room = report.warnings.iter().any(|w| w.contains("cannot complete"));
                ensure!(
                    report.records == 0 || want_of_room || !self.disk.has_doubtful_record(),
                    "a record that was recovered would pass for a torn one if it were damaged"
                );
                self.disk.mend();
                let server = (self.number, self.life);
                self.process = Some(Process::new(env, server, Some(storage), tree, report.records));
                Ok(())
            }
            Err(error) if self.disk.is_dead() => {
                note!(env.trace, "server {}: dies while starting: {error}", self.number);
                self.ended(env);
                Ok(())
            }
            Err(error) => {
                note!(env.trace, "server {}: refuses to start: {error}", self.number);
                self.counts.refusals += 1;
                let excused =
                    damaged || self.disk.is_failing() || super::faults::is_want_of_room(&error);
                ensure!(excused, "the server does not start: {error}");
                self.disk.mend();
                self.disk.end(End::Process);
                self.disk.set_failing(false);
                self.disk.set_capacity(u64::MAX);
                env.after(1_000_000, Event::Start { server: self.number });
                Ok(())
            }
        }
    }

    /// Something for a process of this server.
    pub fn event(&mut self, env: &mut Env, life: u64, event: Event) -> Checked {
        if life != self.life {
            return Ok(());
        }
        let Some(process) = &mut self.process else { return Ok(()) };
        let mut fate = Fate::Runs;
        match event {
            Event::Round { thread, .. } => fate = process.round(env, thread)?,
            Event::Log { .. } => {
                if let Some(reports) = process.journal.work(env) {
                    return self.log_failed(env, reports);
                }
            }
            Event::Logged { reports, .. } => {
                process.journal.logged(env, reports);
                process.wake(env, process.writer());
            }
            Event::Room { .. } => {
                process.journal.look_for_room(env);
                process.wake(env, process.writer());
            }
            Event::Snapshot { .. } => match process.snapshots.write(env, &mut process.tree) {
                Progress::Goes => {}
                Progress::WantsMore => process.wake(env, process.writer()),
                Progress::Done => {
                    process.wake(env, process.writer());
                    self.inspect(env)?;
                }
            },
            _ => {}
        }
        match fate {
            _ if self.disk.is_dead() => self.crash(env, None),
            Fate::Runs => {}
            Fate::Stops => self.stop(env),
            Fate::Dies => self.cut(env),
        }
        Ok(())
    }

    /// It dies within one of its next rounds.
    pub fn cut_short(&self, env: &mut Env) {
        if let Some(process) = &self.process {
            process.pulse.stop_after(env.random.skewed(0, 60));
        }
    }

    /// It does not die in a round, if it was to.
    pub fn spare(&self) {
        if let Some(process) = &self.process {
            process.pulse.go_on();
        }
    }

    /// It has died within a round. The log's thread may have got on with what it had.
    fn cut(&mut self, env: &mut Env) {
        self.counts.cut += 1;
        if let Some(process) = &mut self.process
            && env.random.chance(500)
        {
            // Nobody is left whom it could tell.
            let _ = process.journal.work(env);
        }
        self.crash(env, None);
    }

    /// The log cannot go on. What it said before may or may not reach the process before it ends.
    fn log_failed(&mut self, env: &mut Env, mut reports: Vec<LogReport>) -> Checked {
        let dead = self.disk.is_dead();
        if dead {
            reports.pop();
        }
        let heard = !dead || env.random.chance(500);
        if let Some(process) = self.process.as_mut().filter(|_| heard) {
            process.journal.logged(env, reports);
            let writer = process.writer();
            process.wake(env, writer);
            if !dead {
                return Ok(());
            }
            process.last_round(env)?;
        }
        self.crash(env, None);
        Ok(())
    }

    /// The process or the machine dies.
    pub fn crash(&mut self, env: &mut Env, end: Option<End>) {
        let end = end.unwrap_or_else(|| env.random.of(End::Power, &[End::Process]));
        let Some(process) = self.process.take() else { return };
        note!(env.trace, "server {}: dies ({end:?})", self.number);
        self.counts.crashes += 1;
        self.disk.die();
        for link in process.links() {
            match end {
                End::Process => env.close(link, net::End::Server),
                End::Power => env.links.break_off(link, None),
            }
        }
        drop(process);
        self.disk.end(end);
        self.start_later(env);
    }

    /// It dies while it starts.
    fn ended(&mut self, env: &mut Env) {
        self.counts.crashes += 1;
        let end = env.random.of(End::Power, &[End::Process]);
        self.disk.end(end);
        self.start_later(env);
    }

    /// It stops in good order.
    pub fn stop(&mut self, env: &mut Env) {
        let Some(mut process) = self.process.take() else { return };
        note!(env.trace, "server {}: stops", self.number);
        process.close_all(env);
        process.journal.finish();
        drop(process);
        self.disk.end(End::Process);
        self.start_later(env);
    }

    fn start_later(&mut self, env: &mut Env) {
        self.disk.set_failing(false);
        let delay = env.random.skewed(1_000, 3_000_000);
        env.after(delay, Event::Start { server: self.number });
    }

    /// A client asks for a connection. Returns whether there is somebody to take it.
    pub fn accept(&mut self, env: &mut Env, link: LinkId) -> bool {
        if let Some(process) = &mut self.process {
            process.accept(env, link);
        }
        self.is_up()
    }

    /// A connection has something to read, or takes bytes again.
    pub fn ready(&mut self, env: &mut Env, conn: (usize, ConnKey), read: bool, write: bool) {
        if let Some(process) = &mut self.process {
            process.ready(env, conn, read, write);
        }
    }

    /// Removes old snapshots and logs.
    pub fn purge(&mut self, env: &mut Env) {
        let Some(storage) = self.process.as_ref().and_then(|p| p.storage.as_ref()) else { return };
        let purged = storage.purge();
        note!(env.trace, "server {}: purge: {:?}", self.number, purged.map(|p| p.files.len()));
        if self.disk.is_dead() {
            self.crash(env, None);
        }
    }

    /// Looks at what is on the disk now: it must make the state that the history has, from any snapshot.
    pub fn inspect(&self, env: &Env) -> Checked {
        if self.disk.is_damaged() || env.plan.volatile {
            return Ok(());
        }
        let copy = self.disk.copy(Trace::new(false));
        let newest = open_copy(&env.plan, &copy)?;
        if newest.last_zxid().0 == env.history.durable() {
            env.history.compare(&newest)?;
        }
        ensure!(
            newest.last_zxid().0 >= env.history.durable() || !self.is_up(),
            "the disk has transactions up to {}, but {:#x} is durable",
            newest.last_zxid(),
            env.history.durable()
        );
        let copy = self.disk.copy(Trace::new(false));
        if !copy.remove_newest_snapshot() {
            return Ok(());
        }
        let older = open_copy(&env.plan, &copy)?;
        ensure!(
            facts(&newest) == facts(&older),
            "from the newest snapshot comes {:x?}, from the one before {:x?}",
            facts(&newest),
            facts(&older)
        );
        note!(env.trace, "server {}: the disk holds {}", self.number, newest.last_zxid());
        Ok(())
    }

    /// How many watches there are.
    #[must_use]
    pub fn watches(&self) -> usize {
        self.process.as_ref().map_or(0, Process::watches)
    }

    /// At the end: nothing may be left over.
    pub fn check_idle(&self, env: &Env) -> Checked {
        let Some(process) = &self.process else {
            return Err(Violation("the server is down at the end".into()));
        };
        ensure!(
            process.replica.outstanding() == 0,
            "{} requests are in flight at the end",
            process.replica.outstanding()
        );
        ensure!(
            process.tree.ephemeral_count() == 0,
            "{} ephemerals are left at the end",
            process.tree.ephemeral_count()
        );
        ensure!(process.replica.sessions().is_empty(), "sessions are left at the end");
        env.history.compare(&process.tree)
    }
}

/// What two trees have to have in common to be the same.
fn facts(tree: &Tree) -> impl PartialEq + Debug + use<> {
    let sessions: BTreeMap<i64, i32> = tree.sessions().collect();
    (tree.last_zxid(), tree.digest(), tree.node_count(), tree.newest_session(), sessions)
}

fn open_copy(plan: &Plan, disk: &SimDisk) -> Checked<Tree> {
    match Storage::open(storage_config(plan, disk)) {
        Ok((_, tree, report)) => {
            ensure!(report.mismatches == 0, "{} digests differ", report.mismatches);
            Ok(tree)
        }
        Err(error) => Err(Violation(format!("what is on the disk cannot be read: {error}"))),
    }
}

fn storage_config(plan: &Plan, disk: &SimDisk) -> StorageConfig {
    StorageConfig {
        disk: Arc::new(disk.clone()),
        log_dir: plan.own_log_dir.then(|| "/log".into()),
        pre_allocate: plan.pre_allocate,
        log_size_limit: plan.log_size_limit,
        compression: plan.compression,
        ..StorageConfig::new("/data", plan.engine.tree)
    }
}
