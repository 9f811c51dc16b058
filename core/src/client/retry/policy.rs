//! [`RetryPolicy`]: when to try again, and when to stop.
//!
//! Only numbers: the waiting is done by [`Retrying`](super::Retrying) and by the recipes.

use std::time::Duration;

/// How often, how long and with which pauses to try.
///
/// Pauses grow exponentially and are drawn evenly between zero and the present bound ("full jitter"), so that many clients
/// that lost the same server do not come back together.
///
/// ```
/// use quorate::client::RetryPolicy;
/// use std::time::Duration;
///
/// let policy = RetryPolicy::tries(5).backoff(Duration::from_millis(10), Duration::from_secs(1));
/// assert!((0..100).all(|random| policy.pause(3, random) <= Duration::from_millis(40)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    pub(super) tries: Option<u32>,
    pub(super) limit: Option<Duration>,
    base: Duration,
    cap: Duration,
}

impl RetryPolicy {
    /// So many tries altogether; at least one.
    #[must_use]
    pub const fn tries(tries: u32) -> Self {
        Self { tries: Some(tries), limit: None, base: BASE, cap: CAP }
    }

    /// Until so much time has passed since the call. A request that waits for its answer then is given up: its outcome is
    /// unknown.
    ///
    /// ```
    /// use quorate::client::RetryPolicy;
    /// use std::time::Duration;
    ///
    /// let ten_seconds = RetryPolicy::until(Duration::from_secs(10));
    /// assert_eq!(RetryPolicy::forever().and_until(Duration::from_secs(10)), ten_seconds);
    /// ```
    #[must_use]
    pub const fn until(limit: Duration) -> Self {
        Self { tries: None, limit: Some(limit), base: BASE, cap: CAP }
    }

    /// Until there is an answer, or the session ends.
    #[must_use]
    pub const fn forever() -> Self {
        Self { tries: None, limit: None, base: BASE, cap: CAP }
    }

    /// With a deadline besides.
    #[must_use]
    pub const fn and_until(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// With other bounds of the pauses: the first, and the longest. 50 ms and 5 s unless told otherwise.
    #[must_use]
    pub const fn backoff(mut self, base: Duration, cap: Duration) -> Self {
        self.base = base;
        self.cap = cap;
        self
    }

    /// The pause after this many tries, for a random number.
    ///
    /// ```
    /// use quorate::client::RetryPolicy;
    /// use std::time::Duration;
    ///
    /// let policy = RetryPolicy::forever().backoff(Duration::from_millis(10), Duration::from_millis(40));
    /// // Evenly from nothing to a bound that doubles: 10 ms, 20 ms, 40 ms, and so it stays.
    /// assert_eq!(policy.pause(1, 10_000), Duration::from_millis(10));
    /// assert_eq!(policy.pause(9, 40_000), Duration::from_millis(40));
    /// assert_eq!(policy.pause(9, 0), Duration::ZERO);
    /// ```
    #[must_use]
    pub fn pause(&self, tries: u32, random: u64) -> Duration {
        let factor = 1_u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX);
        let bound = self.base.saturating_mul(factor.max(1)).min(self.cap);
        let micros = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(random % micros.saturating_add(1).max(1))
    }
}

const BASE: Duration = Duration::from_millis(50);
const CAP: Duration = Duration::from_secs(5);
