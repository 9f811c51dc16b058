//! [`Backoff`]: growing pauses for loops that could meet the same obstacle again at once.

use crate::client::{Client, RetryPolicy};
use std::time::Duration;

/// Pauses that double from 5 ms to 1 s at most, each drawn evenly from zero to its bound, so that competitors do not meet again.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::kit::Backoff;
///
/// let mut backoff = Backoff::default();
/// backoff.pause(&client).await;
/// assert_eq!(backoff.tries(), 1);
/// backoff.reset();
/// assert_eq!(backoff.tries(), 0);
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    tries: u32,
}

impl Backoff {
    /// Waits longer than the last time, on average.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::kit::Backoff;
    ///
    /// let mut backoff = Backoff::default();
    /// let before = client.environment().now();
    /// backoff.pause(&client).await;
    /// backoff.pause(&client).await;
    /// // The first two are drawn from 5 ms and 10 ms.
    /// assert!(client.environment().now() - before < 10_000 && backoff.tries() == 2);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub async fn pause(&mut self, client: &Client) {
        self.tries = self.tries.saturating_add(1);
        let policy = RetryPolicy::forever().backoff(BASE, CAP);
        client.sleep(policy.pause(self.tries, client.environment().random())).await;
    }

    /// Begins again with short pauses.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::kit::Backoff;
    ///
    /// let mut backoff = Backoff::default();
    /// backoff.pause(&client).await;
    /// backoff.reset();
    /// assert_eq!(backoff.tries(), 0);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub const fn reset(&mut self) {
        self.tries = 0;
    }

    /// How many pauses there were.
    #[must_use]
    pub const fn tries(&self) -> u32 {
        self.tries
    }
}

const BASE: Duration = Duration::from_millis(5);
const CAP: Duration = Duration::from_secs(1);
