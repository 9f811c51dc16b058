//! Snapshots while serving: slices of the tree's walk between requests, bytes to a thread that writes them.

use crate::storage::{SnapshotJob, SnapshotReport, Storage, StorageError};
use quorate_engine::tree::{FrozenHead, Tree, WalkState};
use std::sync::{Arc, Mutex, PoisonError};

/// Takes one snapshot at a time.
pub(crate) struct Snapshotter {
    storage: Arc<Storage>,
    wake: Arc<dyn Fn() + Send + Sync>,
    reports: Arc<Mutex<Vec<SnapshotReport>>>,
    job: Option<Job>,
}

struct Job {
    job: SnapshotJob,
    head: FrozenHead,
    chunk: Vec<u8>,
    /// The writer has enough for now.
    full: bool,
    /// The tree has been walked to its end.
    walked: bool,
    /// Everything has been handed over.
    done: bool,
}

impl Snapshotter {
    /// `wake` is called when [`step`](Self::step) should be.
    pub(crate) fn new(storage: Arc<Storage>, wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self { storage, wake: Arc::new(wake), reports: Arc::default(), job: None }
    }

    /// Whether a snapshot is under way.
    pub(crate) const fn is_busy(&self) -> bool {
        self.job.is_some()
    }

    /// Whether [`step`](Self::step) has something to do now.
    pub(crate) fn wants_to_walk(&self) -> bool {
        self.job.as_ref().is_some_and(|job| !job.done && !job.full)
    }

    /// Freezes the tree and starts to write it.
    pub(crate) fn begin(&mut self, tree: &mut Tree) {
        let head = tree.freeze();
        match self.start(&head) {
            Ok(job) => {
                let chunk = Vec::with_capacity(CHUNK + CHUNK / 4);
                self.job = Some(Job { job, head, chunk, full: false, walked: false, done: false });
            }
            Err(error) => {
                tree.abandon_walk();
                tracing::error!("no snapshot at {}: {error}", head.zxid);
            }
        }
    }

    fn start(&self, head: &FrozenHead) -> Result<SnapshotJob, StorageError> {
        let (wake, reports) = (Arc::clone(&self.wake), Arc::clone(&self.reports));
        let writer = self.storage.snapshot_writer(head)?;
        SnapshotJob::start(writer, move |report| {
            reports.lock().unwrap_or_else(PoisonError::into_inner).push(report);
            wake();
        })
        .map_err(|source| StorageError::Io {
            action: "start a thread for",
            path: "the snapshot".into(),
            source,
        })
    }

    /// Walks a little further.
    pub(crate) fn step(&mut self, tree: &mut Tree) {
        self.take_reports(tree);
        let Some(job) = &mut self.job else { return };
        if job.done || job.full {
            return;
        }
        job.walked = job.walked || tree.walk(NODES, &mut job.chunk) == WalkState::Done;
        if job.chunk.len() < CHUNK && !job.walked {
            return;
        }
        match job.job.offer(std::mem::take(&mut job.chunk)) {
            Err(chunk) => {
                job.chunk = chunk;
                job.full = true;
            }
            Ok(()) if job.walked => {
                job.done = true;
                job.job.complete(self.storage.trailer(&job.head));
            }
            Ok(()) => job.chunk = Vec::with_capacity(CHUNK + CHUNK / 4),
        }
    }

    /// Gives up what is under way, or waits for it where that is too late; the tree's walk is the caller's. Nothing is written from then on.
    pub(crate) fn give_up(&mut self) {
        self.job = None;
        self.reports.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn take_reports(&mut self, tree: &mut Tree) {
        for report in
            std::mem::take(&mut *self.reports.lock().unwrap_or_else(PoisonError::into_inner))
        {
            match report {
                SnapshotReport::Ready => {
                    if let Some(job) = &mut self.job {
                        job.full = false;
                    }
                }
                SnapshotReport::Written(path) => {
                    tracing::info!("snapshot written: {}", path.display());
                    self.job = None;
                }
                SnapshotReport::Failed(error) => {
                    tree.abandon_walk();
                    tracing::error!("the snapshot could not be written: {error}");
                    self.job = None;
                }
            }
        }
    }
}

/// Nodes looked at in one step.
const NODES: usize = 128;
/// Bytes handed over at once.
const CHUNK: usize = 256 << 10;
