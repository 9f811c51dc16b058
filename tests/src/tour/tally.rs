//! What a play has come to, for one line of numbers.

use quorate::client::{ClientCounters, Error};
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The numbers of a play.
#[derive(Debug, Default)]
pub(super) struct Tally {
    requests: AtomicU64,
    unknown: AtomicU64,
    lost: AtomicU64,
    reconnects: AtomicU64,
    died: AtomicU64,
}

impl Tally {
    /// A client has come to its end.
    pub(super) fn count(&self, counters: &ClientCounters, died: bool) {
        self.requests.fetch_add(counters.session.completed, Relaxed);
        self.lost.fetch_add(counters.session.lost, Relaxed);
        self.reconnects.fetch_add(counters.reconnects(), Relaxed);
        self.died.fetch_add(u64::from(died), Relaxed);
    }

    pub(super) fn line(&self, faults: u64) -> String {
        let of = |number: &AtomicU64| number.load(Relaxed);
        format!(
            "{} operations, {} sessions lost, {} outcomes unknown, {} reconnects, {} processes died, {faults} faults",
            of(&self.requests),
            of(&self.lost),
            of(&self.unknown),
            of(&self.reconnects),
            of(&self.died),
        )
    }

    /// Does something that belongs to this play.
    pub(super) fn during<T>(self: &Arc<Self>, work: impl FnOnce() -> T) -> T {
        let before = PLAYING.replace(Some(Arc::clone(self)));
        let result = work();
        PLAYING.set(before);
        result
    }
}

/// Counts an error of the play at hand if nobody knows what came of the write.
pub fn unknown(error: &Error) {
    if error.outcome_unknown() {
        PLAYING.with_borrow(|tally| {
            if let Some(tally) = tally {
                tally.unknown.fetch_add(1, Relaxed);
            }
        });
    }
}

thread_local! {
    /// The play whose part is being polled on this thread.
    static PLAYING: RefCell<Option<Arc<Tally>>> = const { RefCell::new(None) };
}
