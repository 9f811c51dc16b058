//! The disk's side of a simulated server: the log behind its queue, and the snapshot that is being written.
//!
//! What the product does on threads of their own happens here in events: the log takes up what is queued, and says so later;
//! the snapshot's writer takes a chunk now and then.

use crate::sim::env::{Env, Event};
use crate::sim::trace::note;
use quorate::storage::{GroupWriter, LogItem, LogReport, SnapshotWriter, Storage};
use quorate_engine::segment::Segment;
use quorate_engine::tree::{FrozenHead, Tree, WalkState};
use quorate_wire::disk::snapshot::Trailer;
use std::collections::VecDeque;
use std::sync::Arc;

/// The log and what it has been given.
pub(super) struct Journal {
    /// `None` when nothing is kept: what is appended has arrived at once.
    writer: Option<GroupWriter>,
    server: (usize, u64),
    queue: VecDeque<LogItem>,
    /// An event is on its way: the log is at work, or will be.
    busy: bool,
    /// What the log has said and the writer's thread has not taken.
    reports: Vec<LogReport>,
    generation: u64,
}

impl Journal {
    pub(super) fn new(writer: Option<GroupWriter>, server: (usize, u64)) -> Self {
        let (queue, reports) = (VecDeque::new(), Vec::new());
        Self { writer, server, queue, busy: false, reports, generation: 0 }
    }

    pub(super) const fn is_volatile(&self) -> bool {
        self.writer.is_none()
    }

    pub(super) fn append(&mut self, env: &mut Env, segment: Arc<Segment>) {
        if self.is_volatile() {
            return self.reports.extend(segment.last_zxid().map(LogReport::Synced));
        }
        self.push(env, LogItem::Append(self.generation, segment));
    }

    /// Begins a new file with the next segment.
    pub(super) fn roll(&mut self, env: &mut Env) {
        self.push(env, LogItem::Roll);
    }

    fn push(&mut self, env: &mut Env, item: LogItem) {
        self.queue.push_back(item);
        self.work_later(env);
    }

    fn work_later(&mut self, env: &mut Env) {
        if !self.busy && !self.queue.is_empty() {
            self.busy = true;
            let delay = env.random.below(20);
            env.after(delay, Event::Log { server: self.server });
        }
    }

    /// Does what is queued. The reports arrive later. Returns them when the log has failed.
    pub(super) fn work(&mut self, env: &mut Env) -> Option<Vec<LogReport>> {
        let mut reports = Vec::new();
        let writer = self.writer.as_mut()?;
        let result = writer.handle(&mut self.queue, &mut |report| reports.push(report));
        if let Err(failure) = result {
            reports.push(LogReport::Failed(failure));
            return Some(reports);
        }
        let (low, high) = env.plan.disk_delay;
        let delay = env.random.skewed(low, high);
        env.after(delay, Event::Logged { server: self.server, reports });
        None
    }

    /// What the log says arrives.
    pub(super) fn logged(&mut self, env: &mut Env, reports: Vec<LogReport>) {
        self.reports.extend(reports);
        self.busy = false;
        self.work_later(env);
        self.look_again(env);
    }

    pub(super) fn look_for_room(&mut self, env: &mut Env) {
        let reports = &mut self.reports;
        if let Some(writer) = &mut self.writer {
            writer.look_for_room(&mut |report| reports.push(report));
        }
        self.look_again(env);
    }

    fn look_again(&self, env: &mut Env) {
        if self.writer.as_ref().is_some_and(GroupWriter::wants_room) {
            env.after(ROOM_INTERVAL, Event::Room { server: self.server });
        }
    }

    /// How much waits: records for the log that may become durable, changes of its file, and reports from it.
    pub(super) fn backlog(&self) -> Backlog {
        let mut backlog = Backlog { reports: self.reports.len(), ..Backlog::default() };
        for item in &self.queue {
            match item {
                LogItem::Append(generation, segment) if *generation == self.generation => {
                    backlog.records += segment.records().len();
                }
                // It has been refused already, and is dropped when its turn comes.
                LogItem::Append(..) => {}
                LogItem::Roll => backlog.rolls += 1,
            }
        }
        backlog
    }

    /// What the writer's thread has to do something about.
    pub(super) fn news(&mut self) -> Vec<LogReport> {
        let mut news = std::mem::take(&mut self.reports);
        news.retain(|report| match report {
            LogReport::Refused { generation, .. } if *generation == self.generation => {
                self.generation += 1;
                true
            }
            LogReport::Refused { .. } => false,
            _ => true,
        });
        news
    }

    /// Ends the log after what it has been given.
    pub(super) fn finish(&mut self) {
        if let Some(mut writer) = self.writer.take()
            && writer.handle(&mut self.queue, &mut |_| {}).is_ok()
        {
            let _ = writer.finish();
        }
    }
}

/// What waits on either side of the log.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backlog {
    pub(super) records: usize,
    pub(super) rolls: usize,
    pub(super) reports: usize,
}

/// What the writing of a snapshot has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It goes on by itself.
    Goes,
    /// It waits for the walk.
    WantsMore,
    /// It has ended, well or not.
    Done,
}

/// Takes one snapshot at a time.
pub(super) struct Snapshots {
    server: (usize, u64),
    job: Option<Job>,
}

struct Job {
    writer: Option<SnapshotWriter>,
    head: FrozenHead,
    chunk: Vec<u8>,
    queue: VecDeque<Vec<u8>>,
    /// The writer has enough for now.
    full: bool,
    walked: bool,
    trailer: Option<Trailer>,
}

impl Snapshots {
    pub(super) const fn new(server: (usize, u64)) -> Self {
        Self { server, job: None }
    }

    pub(super) const fn is_busy(&self) -> bool {
        self.job.is_some()
    }

    pub(super) fn wants_to_walk(&self) -> bool {
        self.job.as_ref().is_some_and(|job| !job.walked && !job.full)
    }

    pub(super) fn begin(&mut self, env: &mut Env, storage: &Storage, tree: &mut Tree) {
        let head = tree.freeze();
        match storage.snapshot_writer(&head) {
            Ok(writer) => {
                note!(env.trace, "snapshot of {} begins", head.zxid);
                let (chunk, queue) = (Vec::new(), VecDeque::new());
                let writer = Some(writer);
                let trailer = None;
                let (full, walked) = (false, false);
                self.job = Some(Job { writer, head, chunk, queue, full, walked, trailer });
                self.write_later(env);
            }
            Err(error) => {
                tree.abandon_walk();
                note!(env.trace, "no snapshot of {}: {error}", head.zxid);
            }
        }
    }

    /// Walks a little further.
    pub(super) fn step(&mut self, env: &Env, storage: &Storage, tree: &mut Tree) {
        let Some(job) = &mut self.job else { return };
        if job.walked || job.full {
            return;
        }
        let (nodes, bytes) = env.plan.walk;
        let state = tree.walk(nodes, &mut job.chunk);
        if state == WalkState::Done {
            job.walked = true;
            job.trailer = Some(storage.trailer(&job.head));
        }
        if job.chunk.len() >= bytes || job.walked {
            job.queue.push_back(std::mem::take(&mut job.chunk));
            job.full = job.queue.len() >= QUEUE;
        }
    }

    fn write_later(&self, env: &mut Env) {
        let (low, high) = env.plan.disk_delay;
        let delay = env.random.skewed(low, high);
        env.after(delay, Event::Snapshot { server: self.server });
    }

    /// The writer takes up a chunk, or the end.
    pub(super) fn write(&mut self, env: &mut Env, tree: &mut Tree) -> Progress {
        let Some(job) = &mut self.job else { return Progress::Goes };
        let chunk = job.queue.pop_front();
        let was_full = std::mem::take(&mut job.full);
        let result = match (chunk, &job.trailer, &mut job.writer) {
            (Some(chunk), _, Some(writer)) => writer.write(&chunk).map(|()| None),
            (None, Some(trailer), writer) => match writer.take() {
                Some(writer) => writer.finish(trailer).map(Some),
                None => Ok(None),
            },
            _ => Ok(None),
        };
        match result {
            Ok(None) => {
                self.write_later(env);
                if was_full { Progress::WantsMore } else { Progress::Goes }
            }
            Ok(Some(path)) => {
                note!(env.trace, "snapshot written: {}", path.display());
                self.job = None;
                Progress::Done
            }
            Err(error) => {
                tree.abandon_walk();
                note!(env.trace, "snapshot lost: {error}");
                self.job = None;
                Progress::Done
            }
        }
    }
}

/// How often a full device is looked at, us.
const ROOM_INTERVAL: u64 = 100_000;
/// Chunks between the walk and the writer.
const QUEUE: usize = 4;
