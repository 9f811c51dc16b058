//! The way of segments to the log and of its reports back to the thread that writes.
//!
//! Without a directory there is no log, and what is sealed is as durable as it will ever be.

use crate::storage::{LogFailure, LogReport, LogThread};
use quorate_engine::segment::Segment;
use quorate_wire::Zxid;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A log, or none.
pub(crate) enum Journal {
    /// In memory only.
    Volatile,
    /// In a directory.
    Durable(Durable),
}

/// The log thread and the reports that it has left.
pub(crate) struct Durable {
    log: LogThread,
    reports: Arc<Mailbox>,
    /// Segments of earlier generations were refused, whatever the log thread still says of them.
    generation: u64,
}

/// Reports of the log thread, until the writer's thread takes them.
#[derive(Debug, Default)]
pub(crate) struct Mailbox(Mutex<Mail>);

#[derive(Debug, Default)]
struct Mail {
    reports: Vec<LogReport>,
    /// The writer's thread sleeps, or is about to. While it works it looks here by itself: waking it costs both threads a system
    /// call, and the writer's a round for nothing.
    asleep: bool,
}

/// What the writer has to do about reports.
#[derive(Debug)]
pub(crate) enum News {
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
pub(crate) struct Refusals {
    /// From when it may be said again, ms.
    silent_until: i64,
    untold: u64,
}

impl Refusals {
    pub(crate) fn note(&mut self, reason: &str, now: i64) {
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
    /// Leaves a report. Returns whether the writer's thread has to be woken for it.
    #[must_use]
    pub(crate) fn post(&self, report: LogReport) -> bool {
        let mut mail = self.lock();
        mail.reports.push(report);
        std::mem::take(&mut mail.asleep)
    }

    fn take(&self) -> Vec<LogReport> {
        let mut mail = self.lock();
        mail.asleep = false;
        std::mem::take(&mut mail.reports)
    }

    fn may_sleep(&self) -> bool {
        let mut mail = self.lock();
        mail.asleep = mail.reports.is_empty();
        mail.asleep
    }

    fn lock(&self) -> MutexGuard<'_, Mail> {
        #[cfg(test)]
        crate::interleave::point();
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal {
    pub(crate) const fn durable(log: LogThread, reports: Arc<Mailbox>) -> Self {
        Self::Durable(Durable { log, reports, generation: 0 })
    }

    /// Sends a segment on its way. Without a log it has arrived at once.
    pub(crate) fn append(&self, segment: Arc<Segment>) -> Option<Zxid> {
        match self {
            Self::Volatile => segment.last_zxid(),
            Self::Durable(durable) => {
                durable.log.append(durable.generation, segment);
                None
            }
        }
    }

    /// To be asked before the writer's thread sleeps: whether no report waits. From then on the next one wakes it.
    pub(crate) fn may_sleep(&self) -> bool {
        match self {
            Self::Volatile => true,
            Self::Durable(durable) => durable.reports.may_sleep(),
        }
    }

    /// What the log has reported since the last call; runs of progress are one.
    pub(crate) fn news(&mut self) -> Vec<News> {
        let Self::Durable(durable) = self else { return Vec::new() };
        take_news(&durable.reports, &mut durable.generation)
    }

    /// Bytes on the way to the log that it has not taken up.
    pub(crate) fn queued(&self) -> usize {
        match self {
            Self::Volatile => 0,
            Self::Durable(durable) => durable.log.queued(),
        }
    }

    /// Begins a new file with the next segment.
    pub(crate) fn roll(&self) {
        if let Self::Durable(durable) = self {
            durable.log.roll();
        }
    }

    /// Ends the log after what it has been given.
    pub(crate) fn close(self) -> Result<(), LogFailure> {
        match self {
            Self::Volatile => Ok(()),
            Self::Durable(durable) => durable.log.close(),
        }
    }

    /// Ends the log after what it has been given, and tells what it has reported until then. Nothing comes after that.
    pub(crate) fn end(self) -> (Vec<News>, Result<(), LogFailure>) {
        let Self::Durable(mut durable) = self else { return (Vec::new(), Ok(())) };
        let result = durable.log.close();
        (take_news(&durable.reports, &mut durable.generation), result)
    }
}

fn take_news(reports: &Mailbox, current: &mut u64) -> Vec<News> {
    let mut news = Vec::new();
    for report in reports.take() {
        match report {
            LogReport::Synced(zxid) => match news.last_mut() {
                Some(News::Synced(last)) => *last = zxid,
                _ => news.push(News::Synced(zxid)),
            },
            LogReport::Refused { generation, reason, .. } => {
                if generation == *current {
                    *current += 1;
                    news.push(News::Refused(reason));
                }
            }
            LogReport::Room => news.push(News::Room),
            LogReport::Failed(failure) => news.push(News::Failed(failure)),
        }
    }
    news
}

/// Time between two lines of the log about refused writes, ms.
const REFUSALS_SAID_EVERY: i64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interleave;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    #[test]
    fn only_a_sleeping_writer_is_woken_and_none_sleeps_on_a_report() {
        let mailbox = Mailbox::default();
        let report = || LogReport::Synced(Zxid(1));
        assert!(!mailbox.post(report()), "it works, and looks by itself");
        assert!(!mailbox.may_sleep(), "there is something to do");
        assert_eq!(mailbox.take().len(), 1);
        assert!(mailbox.may_sleep());
        assert!(mailbox.post(report()), "the first report wakes it");
        assert!(!mailbox.post(report()), "once is enough");
        assert_eq!(mailbox.take().len(), 2);
        assert!(mailbox.may_sleep());
        assert_eq!(mailbox.take().len(), 0);
        assert!(!mailbox.post(report()), "something else has woken it");
    }

    /// In whichever order the log's thread reports and the writer looks and goes to sleep: a writer that sleeps has everything, or
    /// is woken.
    #[test]
    fn no_report_is_slept_over() {
        #[derive(Default)]
        struct Both {
            mailbox: Mailbox,
            /// What a waker keeps until somebody sleeps on it.
            woken: AtomicBool,
            taken: AtomicUsize,
            asleep: AtomicBool,
        }
        let log = |both: &Both| {
            for _ in 0..2 {
                if both.mailbox.post(LogReport::Room) {
                    interleave::point();
                    both.woken.store(true, Ordering::SeqCst);
                }
            }
        };
        let writer = |both: &Both| {
            for _ in 0..3 {
                both.taken.fetch_add(both.mailbox.take().len(), Ordering::SeqCst);
                if both.mailbox.may_sleep() {
                    interleave::point();
                    if !both.woken.swap(false, Ordering::SeqCst) {
                        return both.asleep.store(true, Ordering::SeqCst);
                    }
                }
            }
        };
        interleave::in_every_order(Both::default, log, writer, |both, order| {
            let all = both.taken.into_inner() == 2;
            let sleeps_on = both.asleep.into_inner() && !both.woken.into_inner();
            assert!(all || !sleeps_on, "{order:?}");
        });
    }
}
