//! The work queue: many put, many take, in the layouts of Curator's and kazoo's queues.
//!
//! [`WorkQueue::take`] removes an item before it is worked on: at most once. [`WorkQueue::hold`] marks it, and removes it together with the
//! mark when the work is done: at least once, and exactly once for what is written in the same transaction
//! ([`Holding::complete_with`]). `store` knows the nodes, `holding` the marks, `put` how items get in, `clock` the server's time;
//! [`BoundedQueue`] limits the length, [`QueueSharder`] spreads the items over several queues.
//!
//! Sources: `org.apache.curator.framework.recipes.queue`, `kazoo.recipe.queue`.

mod bounded;
mod clock;
mod holding;
mod put;
mod sharder;
mod store;
#[cfg(test)]
mod tests;

pub use bounded::BoundedQueue;
pub use holding::Holding;
pub use put::Order;
pub use sharder::{QueueSharder, ShardedQueue};
pub use store::Item;

use super::kit::{get_or_none, patiently};
use super::layout::queue::{self as layout, Kind};
use crate::client::{Client, ErrorCode, Result};
use store::Store;

/// Whose nodes a queue has, and so with whom it can be shared.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::queue::{Layout, WorkQueue};
///
/// assert_eq!(WorkQueue::new(&client, "/mail", Layout::Kazoo).layout(), Layout::Kazoo);
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Curator's `DistributedQueue`: `<path>/queue-N10`, data in frames.
    Curator,
    /// Curator's `DistributedPriorityQueue`: lower numbers first.
    Priority,
    /// Curator's `DistributedDelayQueue`: nothing before its time.
    Delay,
    /// Curator's `DistributedIdQueue`: items can be removed by id.
    Id,
    /// ZooKeeper's `DistributedQueue`, Curator's `SimpleDistributedQueue`: `<path>/qn-N10`, plain data.
    Simple,
    /// kazoo's `Queue`: `<path>/entry-<PPP>-N10`, plain data, priorities from 0 to 999, lower first.
    Kazoo,
    /// kazoo's `LockingQueue`: `<path>/entries/entry-<PPP>-N10`, marks in `<path>/taken`.
    KazooLocking,
}

/// A queue at a path. Clones share what they have read of it; otherwise it is only a description.
///
/// ```
/// # use quorate::{client::Client, recipes::queue::{Layout, WorkQueue}, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let queue = WorkQueue::new(client, "/mail", Layout::Curator);
/// queue.put(b"hello").await?;
/// let work = queue.hold().await?;
/// assert_eq!(work.data(), b"hello");
/// // Nobody else has it now; if this client died, somebody would get it again.
/// work.complete().await?;
/// assert!(queue.try_take().await?.is_none());
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct WorkQueue {
    store: Store,
    layout: Layout,
}

impl Layout {
    const fn kind(self) -> Kind {
        match self {
            Self::Curator => Kind::Plain,
            Self::Priority => Kind::Priority,
            Self::Delay => Kind::Delay,
            Self::Id => Kind::Id,
            Self::Simple => Kind::Simple,
            Self::Kazoo | Self::KazooLocking => Kind::Entry,
        }
    }
}

impl WorkQueue {
    /// The queue at `path`, in this layout. Marks stand in `<path>-locks` unless the layout or [`lock_path`](Self::lock_path) says
    /// otherwise.
    #[must_use]
    pub fn new(client: &Client, path: &str, layout: Layout) -> Self {
        let (entries, marks) = match layout {
            Layout::KazooLocking => {
                (format!("{path}/{}", layout::ENTRIES), format!("{path}/{}", layout::TAKEN))
            }
            _ => (path.to_owned(), format!("{path}-locks")),
        };
        Self { store: Store::new(client, entries, marks, layout.kind()), layout }
    }

    /// With marks in this directory: Curator's `lockPath`. All consumers must have the same one.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, WorkQueue};
    ///
    /// let queue = WorkQueue::new(&client, "/mail", Layout::Curator).lock_path("/mail-in-work");
    /// queue.put(b"hello").await?;
    /// let work = queue.hold().await?;
    /// assert_eq!(client.children("/mail-in-work").await?.0.len(), 1);
    /// assert_eq!((queue.path(), queue.client().root()), ("/mail", ""));
    /// # drop(work);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn lock_path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.store.marks);
        self
    }

    /// Puts an item at the end; in a layout with priorities at the default one (0, kazoo's 100), in the delay queue due at once.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, WorkQueue};
    ///
    /// let queue = WorkQueue::new(&client, "/mail", Layout::Simple);
    /// queue.put(b"first").await?;
    /// queue.put(b"second").await?;
    /// assert_eq!(queue.take().await?.data(), b"first");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When an answer is lost, the item may be there or not ([`outcome_unknown`](crate::client::Error::outcome_unknown)), and it is not
    /// put again; [`put_once`](Self::put_once) knows. `QuotaExceeded` when the queue's node has no sequence numbers left, and an item
    /// has the last one.
    pub async fn put(&self, data: &[u8]) -> Result<()> {
        self.put_in(Order::End, &[data]).await
    }

    /// Puts an item where its order says.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::ErrorCode;
    /// use quorate::recipes::queue::{Layout, Order, WorkQueue};
    /// use std::time::Duration;
    ///
    /// let queue = WorkQueue::new(&client, "/mail", Layout::Delay);
    /// queue.put_in(Order::After(Duration::from_secs(3600)), &[b"in an hour"]).await?;
    /// assert!(queue.try_take().await?.is_none());
    /// let wrong = queue.put_in(Order::Priority(1), &[b"urgent"]).await.unwrap_err();
    /// assert_eq!(wrong.code(), ErrorCode::BadArguments);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`put`](Self::put); `BadArguments` when the layout has no such order.
    pub async fn put_in(&self, order: Order<'_>, items: &[&[u8]]) -> Result<()> {
        let (stem, data) = self.prepare(order, items).await?;
        self.store.put(&stem, &data).await.map(drop)
    }

    /// Puts an item exactly once: a receipt, an ephemeral node in `<directory of the items>-receipts`, is created with it and tells after a lost
    /// answer whether it is there. It costs a second transaction, which removes the receipt in the background.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, Order, WorkQueue};
    ///
    /// let queue = WorkQueue::new(&client, "/mail", Layout::Curator);
    /// // Over any number of lost connections, as long as the session lives.
    /// queue.put_once(Order::End, &[b"hello"]).await?;
    /// assert_eq!(queue.len().await?, 1);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`put`](Self::put), but the outcome is unknown only when the session is lost meanwhile.
    pub async fn put_once(&self, order: Order<'_>, items: &[&[u8]]) -> Result<()> {
        let (stem, data) = self.prepare(order, items).await?;
        self.store.put_once(&stem, &data).await
    }

    /// Waits for an item and removes it: **at most once**. Whoever takes it and dies has lost it; so has whoever drops the future while
    /// the removal is on its way.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, WorkQueue};
    ///
    /// let queue = WorkQueue::new(&client, "/mail", Layout::Simple);
    /// let put = queue.put(b"hello");
    /// put.await?;
    /// let item = queue.take().await?;
    /// assert_eq!(item.data(), b"hello");
    /// assert!(queue.is_empty().await?);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the answer to the removal is lost and the item is gone, this consumer or another has removed it: the outcome is unknown.
    pub async fn take(&self) -> Result<Item> {
        loop {
            match self.store.next(true, false, |name| self.store.take(name)).await {
                Ok(Some(item)) => return Ok(item),
                Ok(None) => {}
                Err(error)
                    if error.code() == ErrorCode::SessionExpired && !error.outcome_unknown() =>
                {
                    self.client().connected().await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes an item if there is one.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, WorkQueue};
    ///
    /// let queue = WorkQueue::new(&client, "/mail", Layout::Simple);
    /// assert!(queue.try_take().await?.is_none());
    /// queue.put(b"hello").await?;
    /// assert_eq!(queue.try_take().await?.unwrap().data(), b"hello");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`take`](Self::take).
    pub async fn try_take(&self) -> Result<Option<Item>> {
        self.store.next(false, false, |name| self.store.take(name)).await
    }

    /// Waits for an item and marks it as this client's: **at least once**. Until it is completed or released nobody else gets it; if the
    /// session ends before, somebody does. Cancel by dropping the future.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, WorkQueue};
    ///
    /// let queue = WorkQueue::new(&client, "/mail", Layout::Curator);
    /// queue.put(b"hello").await?;
    /// let work = queue.hold().await?;
    /// // It is there until it is completed, and nobody else gets it.
    /// assert_eq!((queue.len().await?, queue.try_hold().await?.is_none()), (1, true));
    /// work.complete().await?;
    /// assert!(queue.is_empty().await?);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the client is closed, or the server refuses.
    pub async fn hold(&self) -> Result<Holding> {
        loop {
            match self.store.next(true, true, |name| self.store.hold(name)).await {
                Ok(Some(held)) => return Ok(held),
                Ok(None) => {}
                Err(error) if error.code() == ErrorCode::SessionExpired => {
                    self.client().connected().await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Holds an item if there is one that nobody holds.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, WorkQueue};
    ///
    /// let queue = WorkQueue::new(&client, "/mail", Layout::Curator);
    /// assert!(queue.try_hold().await?.is_none());
    /// queue.put(b"hello").await?;
    /// queue.try_hold().await?.unwrap().complete().await?;
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`hold`](Self::hold).
    pub async fn try_hold(&self) -> Result<Option<Holding>> {
        self.store.next(false, true, |name| self.store.hold(name)).await
    }

    /// Removes the items with this id, but not those that somebody holds. Answers how many were removed. Only in the layout [`Layout::Id`];
    /// in others there is none.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, Order, WorkQueue};
    ///
    /// let queue = WorkQueue::new(&client, "/mail", Layout::Id);
    /// queue.put_in(Order::Id("order-7"), &[b"pack it"]).await?;
    /// assert_eq!(queue.remove("order-7").await?, 1);
    /// assert_eq!(queue.remove("order-7").await?, 0);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn remove(&self, id: &str) -> Result<usize> {
        let id = layout::clean_id(id);
        let names = self.store.names().await?;
        let mut removed = 0;
        for item in self.store.kind.in_order(&names) {
            if !item.id.is_empty() && item.id == id {
                removed += usize::from(self.store.remove(item.name).await?);
            }
        }
        Ok(removed)
    }

    /// How many items there are, held ones included.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, WorkQueue};
    ///
    /// let queue = WorkQueue::new(&client, "/mail", Layout::Curator);
    /// queue.put(b"one").await?;
    /// queue.put(b"two").await?;
    /// let held = queue.hold().await?;
    /// assert_eq!(queue.len().await?, 2);
    /// # drop(held);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn len(&self) -> Result<usize> {
        let names = self.store.names().await?;
        Ok(self.store.kind.in_order(&names).len())
    }

    /// How many children the directory of the items has, without listing them.
    async fn size(&self) -> Result<usize> {
        let stat = patiently(|| self.client().exists(&self.store.entries)).await?;
        Ok(stat.map_or(0, |stat| usize::try_from(stat.num_children).unwrap_or(0)))
    }

    /// Whether there is none.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, WorkQueue};
    ///
    /// let queue = WorkQueue::new(&client, "/mail", Layout::Curator);
    /// assert!(queue.is_empty().await?);
    /// queue.put(b"one").await?;
    /// assert!(!queue.is_empty().await?);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn is_empty(&self) -> Result<bool> {
        Ok(self.len().await? == 0)
    }

    /// Reads the items without removing any, next one first.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, WorkQueue};
    ///
    /// let queue = WorkQueue::new(&client, "/mail", Layout::Simple);
    /// queue.put(b"one").await?;
    /// queue.put(b"two").await?;
    /// let items = queue.peek_all().await?;
    /// assert_eq!(items.iter().map(|item| item.data()).collect::<Vec<_>>(), [b"one", b"two"]);
    /// assert_eq!(queue.len().await?, 2);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn peek_all(&self) -> Result<Vec<Item>> {
        let names = self.store.names().await?;
        let mut items = Vec::new();
        for item in self.store.kind.in_order(&names) {
            let path = self.store.entry(item.name);
            if let Some((data, stat)) = get_or_none(self.client(), &path).await? {
                items.extend(self.store.read(item.name, &data, stat));
            }
        }
        Ok(items)
    }

    /// The same queue with at most `limit` items; see [`BoundedQueue`].
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, WorkQueue};
    ///
    /// let jobs = WorkQueue::new(&client, "/jobs", Layout::Simple).bounded(1);
    /// assert!(jobs.try_put(b"one").await? && !jobs.try_put(b"two").await?);
    /// assert_eq!(jobs.queue().layout(), Layout::Simple);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub const fn bounded(self, limit: usize) -> BoundedQueue {
        BoundedQueue::new(self, limit)
    }

    /// The directory of the items.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.store.entries
    }

    /// The layout.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// The client.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.store.client
    }
}
