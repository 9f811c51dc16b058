//! [`BoundedQueue`]: no more than so many items.
//!
//! Each put writes the data of the queue's directory in the same transaction, at the version at which the items were counted. Two
//! puts that counted the same cannot both succeed, and whoever takes only makes room: the limit is exact among those who put in this
//! way. The data written is the put's id, so that a lost answer can be resolved.

use super::{Order, WorkQueue};
use crate::client::{CreateMode, ErrorCode, Result, Stat};
use crate::recipes::kit::{Backoff, ensure, exhausted, fresh_id, patiently};

/// A queue with at most `limit` children in its directory.
///
/// The limit is exact among all who put through a `BoundedQueue` with the same limit. Those who put otherwise, such as Curator's and
/// kazoo's clients, are counted but not held back. Foreign children count too.
///
/// ```
/// # use quorate::{client::Client, recipes::queue::{Layout, WorkQueue}, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let queue = WorkQueue::new(client, "/jobs", Layout::Simple).bounded(1);
/// assert!(queue.try_put(b"first").await?);
/// assert!(!queue.try_put(b"second").await?);
/// queue.queue().take().await?;
/// queue.put(b"second").await?;
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct BoundedQueue {
    queue: WorkQueue,
    limit: usize,
}

impl BoundedQueue {
    pub(super) const fn new(queue: WorkQueue, limit: usize) -> Self {
        Self { queue, limit }
    }

    /// The queue behind it, to take from.
    #[must_use]
    pub const fn queue(&self) -> &WorkQueue {
        &self.queue
    }

    /// Waits for room and puts an item at the end.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, WorkQueue};
    ///
    /// let jobs = WorkQueue::new(&client, "/jobs", Layout::Simple).bounded(2);
    /// jobs.put(b"one").await?;
    /// jobs.put(b"two").await?;
    /// // A third one would wait for this.
    /// jobs.queue().take().await?;
    /// jobs.put(b"three").await?;
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`put_in`](Self::put_in).
    pub async fn put(&self, data: &[u8]) -> Result<()> {
        self.put_in(Order::End, &[data]).await
    }

    /// Waits for room and puts an item where its order says. Cancel by dropping the future: then the item may be there or not.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, Order, WorkQueue};
    ///
    /// let jobs = WorkQueue::new(&client, "/jobs", Layout::Priority).bounded(2);
    /// jobs.put_in(Order::Priority(5), &[b"later"]).await?;
    /// jobs.put_in(Order::Priority(1), &[b"sooner"]).await?;
    /// assert_eq!(jobs.queue().take().await?.data(), b"sooner");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// The outcome is unknown when an answer was lost and others have put something since.
    pub async fn put_in(&self, order: Order<'_>, items: &[&[u8]]) -> Result<()> {
        let (stem, data) = self.queue.prepare(order, items).await?;
        let store = &self.queue.store;
        while !self.attempt(&stem, &data).await? {
            let watched = patiently(|| store.client.children_and_watch(&store.entries)).await;
            match watched {
                Ok((names, _, watch)) if names.len() >= self.limit => drop(watch.await?),
                Err(error) if error.code() != ErrorCode::NoNode => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Puts an item at the end if there is room.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, WorkQueue};
    ///
    /// let jobs = WorkQueue::new(&client, "/jobs", Layout::Simple).bounded(1);
    /// assert!(jobs.try_put(b"one").await?);
    /// assert!(!jobs.try_put(b"two").await?);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`put_in`](Self::put_in).
    pub async fn try_put(&self, data: &[u8]) -> Result<bool> {
        let (stem, data) = self.queue.prepare(Order::End, &[data]).await?;
        self.attempt(&stem, &data).await
    }

    async fn attempt(&self, stem: &str, data: &[u8]) -> Result<bool> {
        let store = &self.queue.store;
        let (client, directory) = (&store.client, store.entries.as_str());
        let (id, path) = (fresh_id(client).hex().into_bytes(), store.entry(stem));
        let mut backoff = Backoff::default();
        loop {
            let Some(stat) = patiently(|| client.exists(directory)).await? else {
                ensure(client, directory).await?;
                continue;
            };
            if usize::try_from(stat.num_children).is_ok_and(|count| count >= self.limit) {
                return Ok(false);
            }
            let lifetime = client.lifetime();
            let put = client.multi().set(directory, &*id, Some(stat.version));
            match put.create(&*path, data, CreateMode::PersistentSequential).commit().await {
                Ok(_) => return Ok(true),
                // Another was faster, or the directory is new.
                Err(error) if matches!(error.code(), ErrorCode::BadVersion | ErrorCode::NoNode) => {
                    backoff.pause(client).await;
                }
                Err(error) if error.is_connection_loss() && error.outcome_unknown() => {
                    match self.happened(&id, stat).await {
                        Ok(Some(true)) => return Ok(true),
                        Ok(Some(false)) if lifetime.is_alive() => {}
                        // Others have covered it, or the session has ended and what it had sent may still be on its way.
                        _ => return Err(error),
                    }
                }
                Err(error) if error.is_connection_loss() => {}
                Err(error) if error.code() == ErrorCode::NodeExists => {
                    return Err(exhausted(directory));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether a put at this state of the directory has happened; `None` when others have covered it.
    async fn happened(&self, id: &[u8], before: Stat) -> Result<Option<bool>> {
        let store = &self.queue.store;
        patiently(|| store.client.sync(&store.entries)).await?;
        let (data, now) = match patiently(|| store.client.get(&store.entries)).await {
            Ok(found) => found,
            Err(error) if error.code() == ErrorCode::NoNode => return Ok(None),
            Err(error) => return Err(error),
        };
        let same = now.czxid == before.czxid;
        Ok(match now.version.wrapping_sub(before.version) {
            0 if same => Some(false),
            // One write since: it was this one or another's.
            1 if same => Some(data == id),
            _ => None,
        })
    }
}
