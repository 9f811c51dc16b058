//! When each request of an open loop is meant to be sent.
//!
//! Intended times come from the rate alone, never from how fast the server answers, so a stall of the server
//! counts for every request that should have been sent during it (no coordinated omission).

/// An evenly spaced schedule; times are nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    start: u64,
    /// Nanoseconds between two requests.
    interval: f64,
    issued: u64,
}

impl Schedule {
    /// `rate` requests a second, the first at `start`.
    pub(crate) fn new(start: u64, rate: f64) -> Self {
        Self { start, interval: 1e9 / rate.max(f64::MIN_POSITIVE), issued: 0 }
    }

    /// The intended time of the next request.
    #[inline]
    pub(crate) fn next(&self) -> u64 {
        // From the count and not by adding up: no error accumulates.
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive, exact up to 2^53 ns, which is 104 days"
        )]
        let offset = (self.issued as f64 * self.interval) as u64;
        self.start.saturating_add(offset)
    }

    /// The intended time of the next request if that is due, which is then taken as sent.
    #[inline]
    pub(crate) fn take_due(&mut self, now: u64) -> Option<u64> {
        let intended = self.next();
        (intended <= now).then(|| {
            self.issued = self.issued.saturating_add(1);
            intended
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_due_at_their_times_and_not_before() {
        let mut schedule = Schedule::new(1000, 1_000_000.0);
        assert_eq!(schedule.take_due(999), None);
        assert_eq!(schedule.take_due(1000), Some(1000));
        assert_eq!(schedule.take_due(1999), None);
        assert_eq!(schedule.take_due(2000), Some(2000));
    }

    #[test]
    fn after_a_stall_every_missed_request_keeps_its_intended_time() {
        let mut schedule = Schedule::new(0, 1000.0);
        let stalled_until = 5_000_000;
        let times: Vec<_> = std::iter::from_fn(|| schedule.take_due(stalled_until)).collect();
        assert_eq!(times, [0, 1_000_000, 2_000_000, 3_000_000, 4_000_000, 5_000_000]);
    }

    #[test]
    fn an_odd_rate_does_not_drift() {
        let mut schedule = Schedule::new(0, 3.0);
        let last = std::iter::from_fn(|| schedule.take_due(3_600_000_000_000)).last();
        assert_eq!(last, Some(3_600_000_000_000));
    }
}
