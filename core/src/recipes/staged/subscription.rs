//! [`Subscription`]: the configuration as a local copy.
//!
//! A task follows the pointer and reads the version that it names; the copy changes when all of it has been read.

use super::{Snapshot, StagedConfig};
use crate::client::{Error, ErrorCode, Result};
use crate::recipes::kit::{Backoff, Copyist, LocalCopy};
use crate::recipes::value;
use std::sync::Arc;

/// A local copy that follows the configuration until it is dropped. It outlives connections and sessions.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::staged::StagedConfig;
///
/// let config = StagedConfig::new(&client, "/config");
/// let subscription = config.subscribe().await?;
/// assert!(subscription.current().is_none());
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Subscription(LocalCopy<Snapshot>);

impl Subscription {
    /// Begins to follow.
    pub(super) async fn start(config: &StagedConfig) -> Result<Self> {
        let pointer = config.pointer().subscribe().await?;
        let own = config.clone();
        let copy = LocalCopy::start(&config.client, &config.path, |copyist| async move {
            follow(&own, pointer, &copyist).await
        });
        copy.await.map(Self)
    }

    /// The newest configuration known here, without a request; `None` when nothing was published yet.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Snapshot>> {
        self.0.current()
    }

    /// Waits for a configuration newer than the one this has last returned, at first than the one that was there at the subscription.
    /// Nothing is lost when the future is dropped.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::staged::StagedConfig;
    ///
    /// let config = StagedConfig::new(&client, "/config");
    /// let mut copy = config.subscribe().await?;
    /// config.publish([("host", "db1")]).await?;
    /// let snapshot = copy.changed().await?.unwrap();
    /// assert_eq!(snapshot.text("host"), Some("db1"));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When no news will come any more: the client is closed, or the server refuses. The copy stays.
    pub async fn changed(&mut self) -> Result<Option<Arc<Snapshot>>> {
        self.0.changed().await
    }
}

/// Reads what the pointer names, each time it changes, until that is over.
async fn follow(
    config: &StagedConfig,
    mut pointer: value::Subscription,
    copyist: &Copyist<Snapshot>,
) -> Error {
    let is_newer = |old: &Snapshot, new: &Snapshot| new.token != old.token;
    let mut backoff = Backoff::default();
    loop {
        let end = match config.get().await {
            Ok(snapshot) => {
                copyist.tell(snapshot, is_newer);
                backoff.reset();
                pointer.changed().await.err()
            }
            Err(error) if error.code() == ErrorCode::SessionExpired => {
                config.client.connected().await.err()
            }
            // Somebody has deleted the current version by hand: it may be put right.
            Err(error) if error.code() == ErrorCode::NoNode => {
                backoff.pause(&config.client).await;
                None
            }
            Err(error) => Some(error),
        };
        if let Some(end) = end {
            return end;
        }
    }
}
