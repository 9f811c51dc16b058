//! The way of segments to the log and of its reports back to the thread that writes.
//!
//! Without a directory there is no log, and what is sealed is as durable as it will ever be.

use crate::storage::{LogFailure, LogReport, LogThread};
use quorate_engine::segment::Segment;
use quorate_wire::Zxid;
use std::sync::{Arc, Mutex, PoisonError};

/// A log, or none.
pub(super) enum Journal {
    /// In memory only.
    Volatile,
    /// In a directory.
    Durable(Durable),
}

/// The log thread and the reports that it has left.
pub(super) struct Durable {
    log: LogThread,
    reports: Arc<Mailbox>,
    /// Segments of earlier generations were refused, whatever the log thread still says of them.
    generation: u64,
}

/// Reports of the log thread, until the writer's thread takes them.
#[derive(Debug, Default)]
pub(super) struct Mailbox(Mutex<Vec<LogReport>>);

/// What the writer has to do about reports.
#[derive(Debug)]
pub(super) enum News {
    /// Everything up to here is durable.
    Synced(Zxid),
    /// Nothing that is in flight will become durable.
    Refused(String),
    /// There is room again.
    Room,
    /// The log is broken for good.
    Failed(LogFailure),
}

/// Says that writes are refused for want of room, without filling the log with it: that may lie on the same disk.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// From when it may be said again, ms.
    silent_until: i64,
    untold: u64,
}

impl Refusals {
    pub(super) fn note(&mut self, reason: &str, now: i64) {
        if now < self.silent_until {
            self.untold = self.untold.saturating_add(1);
            return;
        }
        let again = match std::mem::take(&mut self.untold) {
            0 => String::new(),
            n => format!(" ({n} times more since this was last said)"),
        };
        self.silent_until = now.saturating_add(REFUSALS_SAID_EVERY);
        tracing::error!(
            "no room for transactions, writes are refused until there is: {reason}{again}"
        );
    }
}

impl Mailbox {
    pub(super) fn post(&self, report: LogReport) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(report);
    }

    fn take(&self) -> Vec<LogReport> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Journal {
    pub(super) const fn durable(log: LogThread, reports: Arc<Mailbox>) -> Self {
        Self::Durable(Durable { log, reports, generation: 0 })
    }

    /// Sends a segment on its way. Without a log it has arrived at once.
    pub(super) fn append(&self, segment: Arc<Segment>) -> Option<Zxid> {
        match self {
            Self::Volatile => segment.last_zxid(),
            Self::Durable(durable) => {
                durable.log.append(durable.generation, segment);
                None
            }
        }
    }

    /// What the log has reported since the last call; runs of progress are one.
    pub(super) fn news(&mut self) -> Vec<News> {
        let Self::Durable(durable) = self else { return Vec::new() };
        let mut news = Vec::new();
        for report in durable.reports.take() {
            match report {
                LogReport::Synced(zxid) => match news.last_mut() {
                    Some(News::Synced(last)) => *last = zxid,
                    _ => news.push(News::Synced(zxid)),
                },
                LogReport::Refused { generation, reason, .. } => {
                    if generation == durable.generation {
                        durable.generation += 1;
                        news.push(News::Refused(reason));
                    }
                }
                LogReport::Room => news.push(News::Room),
                LogReport::Failed(failure) => news.push(News::Failed(failure)),
            }
        }
        news
    }

    /// Begins a new file with the next segment.
    pub(super) fn roll(&self) {
        if let Self::Durable(durable) = self {
            durable.log.roll();
        }
    }

    /// Ends the log after what it has been given.
    pub(super) fn close(self) -> Result<(), LogFailure> {
        match self {
            Self::Volatile => Ok(()),
            Self::Durable(durable) => durable.log.close(),
        }
    }
}

/// Time between two lines of the log about refused writes, ms.
const REFUSALS_SAID_EVERY: i64 = 10_000;
