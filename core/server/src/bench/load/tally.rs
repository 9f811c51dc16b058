//! What one thread of the generator has seen: latencies by class, errors, lost connections.
//!
//! Filled by one worker without locks, merged when all have ended.

use crate::bench::metric;
use anyhow::Result;
use hdrhistogram::Histogram;
use std::time::Duration;

/// The kind of a request, for latencies by kind: an index into the workload's list of names.
pub(crate) type Class = u8;

/// Counts and latencies.
#[derive(Debug)]
pub(crate) struct Tally {
    /// One histogram per class, nanoseconds.
    pub(crate) latency: Vec<Histogram<u64>>,
    /// Replies within the window.
    pub(crate) done: u64,
    /// Replies that carried an error.
    pub(crate) errors: u64,
    /// The first of these errors.
    pub(crate) first_error: Option<i32>,
    /// Connections that the server closed.
    pub(crate) lost: u64,
    /// Requests without an answer at the end.
    pub(crate) unanswered: u64,
    /// The time of the last recorded reply.
    pub(crate) last: u64,
    /// Processor time of the generator itself.
    pub(crate) cpu: Duration,
}

impl Tally {
    /// Nothing seen, for that many classes.
    pub(crate) fn new(classes: usize) -> Result<Self> {
        Ok(Self {
            latency: (0..classes).map(|_| metric::histogram()).collect::<Result<_>>()?,
            done: 0,
            errors: 0,
            first_error: None,
            lost: 0,
            unanswered: 0,
            last: 0,
            cpu: Duration::ZERO,
        })
    }

    /// A reply that came at `now` to a request of `start`.
    #[inline]
    pub(crate) fn record(&mut self, class: Class, start: u64, now: u64, err: i32) {
        self.done = self.done.wrapping_add(1);
        self.last = now;
        if err != 0 {
            self.errors = self.errors.saturating_add(1);
            self.first_error.get_or_insert(err);
        }
        if let Some(histogram) = self.latency.get_mut(usize::from(class)) {
            histogram.saturating_record(now.saturating_sub(start));
        }
    }

    /// Adds what another thread has seen.
    pub(crate) fn merge(&mut self, other: &Self) -> Result<()> {
        for (own, theirs) in self.latency.iter_mut().zip(&other.latency) {
            own.add(theirs)?;
        }
        self.done = self.done.saturating_add(other.done);
        self.errors = self.errors.saturating_add(other.errors);
        self.first_error = self.first_error.or(other.first_error);
        self.lost = self.lost.saturating_add(other.lost);
        self.unanswered = self.unanswered.saturating_add(other.unanswered);
        self.last = self.last.max(other.last);
        self.cpu = self.cpu.saturating_add(other.cpu);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_adds_up_and_keeps_the_first_error() {
        let mut a = Tally::new(2).unwrap();
        a.record(0, 0, 1_000, 0);
        let mut b = Tally::new(2).unwrap();
        b.record(1, 1_000, 4_000, -101);
        b.record(1, 1_000, 6_000, -110);
        a.merge(&b).unwrap();
        assert_eq!((a.done, a.errors, a.first_error, a.last), (3, 2, Some(-101), 6_000));
        assert_eq!((a.latency[0].len(), a.latency[1].len()), (1, 2));
    }
}
