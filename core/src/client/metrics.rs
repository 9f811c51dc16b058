//! How long answers take, for who wants to know ([`Builder::metrics`](super::Builder::metrics)).

use quorate_wire::OpCode;
use std::time::{Duration, Instant};

/// The latencies of a client's requests so far: from the call of the method to the moment when the answer was there, whoever takes
/// it when. Requests that fail count as well.
///
/// ```
/// # use quorate::{client::Client, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// let client = Client::builder().in_process(&server).metrics(true).connect_blocking()?;
/// client.exists("/")?;
/// let reads = client.asynchronous().metrics().unwrap_or_default().reads;
/// assert_eq!(reads.count(), 1);
/// assert!(reads.max() >= reads.mean() && reads.quantile(0.99) >= reads.mean());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Requests that change nothing.
    pub reads: Latency,
    /// Requests that change something, `sync` and the session's own.
    pub writes: Latency,
}

/// A distribution of latencies.
///
/// Kept as numbers in buckets that are at most a quarter wide, from a microsecond to an hour: 1 kB, whatever happens.
///
/// ```
/// use quorate::client::Latency;
///
/// let none = Latency::default();
/// assert_eq!((none.count(), none.quantile(0.5).as_micros()), (0, 0));
/// assert!(none.buckets().all(|(_, number)| number == 0));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latency {
    count: u64,
    /// Of all, us.
    sum: u64,
    max: u64,
    buckets: [u64; BUCKETS],
}

impl Default for Latency {
    fn default() -> Self {
        Self { count: 0, sum: 0, max: 0, buckets: [0; BUCKETS] }
    }
}

impl Latency {
    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The sum of all.
    #[must_use]
    pub const fn sum(&self) -> Duration {
        Duration::from_micros(self.sum)
    }

    /// The longest.
    #[must_use]
    pub const fn max(&self) -> Duration {
        Duration::from_micros(self.max)
    }

    /// The mean; zero when there are none.
    #[must_use]
    pub fn mean(&self) -> Duration {
        Duration::from_micros(self.sum.checked_div(self.count).unwrap_or(0))
    }

    /// What this part of all did not exceed, such as 0.99; up to a quarter too long. Zero when there are none.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// use quorate::client::Client;
    ///
    /// let client = Client::builder().in_process(&server).metrics(true).connect().await?;
    /// for _ in 0..100 {
    ///     client.exists("/").await?;
    /// }
    /// let reads = client.metrics().unwrap_or_default().reads;
    /// assert!(reads.quantile(0.5) <= reads.quantile(0.99));
    /// assert!(reads.mean() <= reads.max() && reads.max() <= reads.sum());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn quantile(&self, part: f64) -> Duration {
        let mut seen: u64 = 0;
        for (upper, number) in self.buckets() {
            seen += number;
            // Numbers of requests are exact in a float up to 2^53.
            if number > 0 && as_float(seen) >= part * as_float(self.count) {
                return upper.min(self.max());
            }
        }
        self.max()
    }

    /// The buckets, as the longest latency that each takes and the number of those in it.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// use quorate::client::Client;
    ///
    /// let client = Client::builder().in_process(&server).metrics(true).connect().await?;
    /// client.exists("/").await?;
    /// let reads = client.metrics().unwrap_or_default().reads;
    /// let bounds: Vec<_> = reads.buckets().map(|(longest, _)| longest).collect();
    /// assert!(bounds.is_sorted());
    /// assert_eq!(reads.buckets().map(|(_, number)| number).sum::<u64>(), reads.count());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> {
        let upper = |bucket| Duration::from_micros(upper_bound(bucket));
        self.buckets.iter().enumerate().map(move |(bucket, &number)| (upper(bucket), number))
    }

    fn add(&mut self, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.count += 1;
        self.sum = self.sum.saturating_add(us);
        self.max = self.max.max(us);
        if let Some(number) = self.buckets.get_mut(bucket(us)) {
            *number += 1;
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "a quantile needs no more than a float has")]
const fn as_float(number: u64) -> f64 {
    number as f64
}

/// Four buckets for each power of two; single numbers below four.
fn bucket(us: u64) -> usize {
    let Some(power) = us.checked_ilog2().filter(|&power| power >= 2) else {
        return usize::try_from(us).unwrap_or(0);
    };
    let quarter = (us >> (power - 2)) & 3;
    let bucket = u64::from(power - 1) * 4 + quarter;
    usize::try_from(bucket).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// The largest number in a bucket.
fn upper_bound(bucket: usize) -> u64 {
    let bucket = u64::try_from(bucket).unwrap_or(0);
    if bucket < 4 {
        return bucket;
    }
    let (power, quarter) = (bucket / 4 + 1, bucket % 4);
    ((4 + quarter + 1) << (power - 2)) - 1
}

/// An hour in microseconds is just below 2^32.
const BUCKETS: usize = 128;

/// What measures, if it is wanted.
#[derive(Debug, Default)]
pub(super) struct Meter {
    metrics: Metrics,
    /// When each operation began, by its key, and whether it writes.
    began: Vec<Option<(Instant, bool)>>,
}

impl Meter {
    pub(super) fn begin(&mut self, key: usize, op: OpCode) {
        if self.began.len() <= key {
            self.began.resize(key + 1, None);
        }
        if let Some(place) = self.began.get_mut(key) {
            *place = Some((Instant::now(), !is_read(op)));
        }
    }

    pub(super) fn end(&mut self, key: usize) {
        let Some((began, writes)) = self.began.get_mut(key).and_then(Option::take) else { return };
        let Metrics { reads, writes: written } = &mut self.metrics;
        (if writes { written } else { reads }).add(began.elapsed());
    }

    pub(super) fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }
}

const fn is_read(op: OpCode) -> bool {
    matches!(
        op,
        OpCode::Exists
            | OpCode::GetData
            | OpCode::GetAcl
            | OpCode::GetChildren
            | OpCode::GetChildren2
            | OpCode::GetEphemerals
            | OpCode::GetAllChildrenNumber
            | OpCode::MultiRead
            | OpCode::CheckWatches
            | OpCode::WhoAmI
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latency_has_a_bucket_that_is_a_quarter_wide() {
        let mut last = 0;
        for us in (0..5_000).chain((1..32).map(|power| (1 << power) - 1)).chain([1 << 31]) {
            let bucket = bucket(us);
            assert!(us <= upper_bound(bucket), "{us}");
            assert!(bucket == 0 || us > upper_bound(bucket - 1), "{us}");
            assert!(upper_bound(bucket) <= us + us / 4, "{us}");
            last = last.max(bucket);
        }
        assert!(last < BUCKETS);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_not_too_short() {
        let mut latency = Latency::default();
        assert_eq!((latency.quantile(0.5), latency.mean()), (Duration::ZERO, Duration::ZERO));
        (1..=1_000).for_each(|us| latency.add(Duration::from_micros(us)));
        for (part, least) in [(0.0, 1), (0.5, 500), (0.99, 990), (1.0, 1_000)] {
            let us = latency.quantile(part).as_micros();
            assert!((least..=least + least / 4).contains(&us), "{part}: {us}");
        }
        assert_eq!((latency.count(), latency.max()), (1_000, Duration::from_millis(1)));
        assert_eq!(latency.buckets().map(|(_, number)| number).sum::<u64>(), 1_000);
        assert_eq!(latency.mean(), Duration::from_micros(500));
    }
}
