//! [`QueueSharder`]: several queues below one path, because the list of one must fit in a frame.
//!
//! Each queue is a child `queue-<uuid>` of the path. One that has grown to the threshold is not put into until it has shrunk to half of it;
//! when none is left to put into, the leader among all who take part adds another.
//! Source: `org.apache.curator.framework.recipes.queue.QueueSharder`.

use super::store::Store;
use super::{Holding, Item, Layout, Order, WorkQueue};
use crate::client::{Client, CreateMode, ErrorCode, Result, Watch};
use crate::recipes::kit::{
    Asked, Backoff, Companion, First, Live, Teller, ensure, first, first_of, fresh_id, join, live,
    patiently,
};
use crate::recipes::latch::LeaderLatch;
use crate::recipes::layout::queue as layout;
use crate::recipes::leader::{Candidate, Standing};
use std::sync::Arc;
use std::time::Duration;

/// Queues below a path. It is only a description: [`start`](Self::start) takes part.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::queue::{Layout, ShardedQueue};
///
/// let sharder = ShardedQueue::new(&client, "/mail", Layout::Curator).threshold(1_000).start().await?;
/// assert_eq!(sharder.queues().len(), 1);
/// sharder.stop().await;
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct ShardedQueue {
    client: Client,
    path: String,
    leader_path: String,
    locks: String,
    layout: Layout,
    threshold: usize,
    max_queues: usize,
    interval: Duration,
}

/// Takes part in the sharing of items among several queues, until it is dropped or [stopped](Self::stop).
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::queue::{Layout, ShardedQueue};
///
/// let sharder = ShardedQueue::new(&client, "/mail", Layout::Curator).start().await?;
/// sharder.put(b"hello").await?;
/// // From whichever queue has one.
/// let work = sharder.hold().await?;
/// assert_eq!(work.data(), b"hello");
/// work.complete().await?;
/// sharder.stop().await;
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct QueueSharder {
    description: ShardedQueue,
    shards: Live<Shards>,
    companion: Companion,
}

/// The queues, by name.
type Shards = Arc<Vec<Shard>>;

#[derive(Clone, Debug)]
struct Shard {
    name: String,
    queue: WorkQueue,
    /// Whether items are to be put here.
    is_open: bool,
}

impl ShardedQueue {
    /// The queues below `path`, in this layout. A leader among all who take part is chosen at `<path>-leader`; marks stand in
    /// `<path>-locks/<queue>`.
    #[must_use]
    pub fn new(client: &Client, path: &str, layout: Layout) -> Self {
        Self {
            client: client.clone(),
            path: path.to_owned(),
            leader_path: format!("{path}-leader"),
            locks: format!("{path}-locks"),
            layout,
            threshold: 10_000,
            max_queues: 10,
            interval: Duration::from_secs(30),
        }
    }

    /// Chooses the leader at this path: Curator's `leaderPath`. It must not lie below the queues'.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, ShardedQueue};
    /// use std::time::Duration;
    ///
    /// let mail = ShardedQueue::new(&client, "/mail", Layout::Curator)
    ///     .leader_path("/mail-chief")
    ///     .lock_path("/mail-in-work")
    ///     .threshold(1_000)
    ///     .max_queues(4)
    ///     .interval(Duration::from_secs(5));
    /// let sharder = mail.start().await?;
    /// assert_eq!(sharder.queues().len(), 1);
    /// sharder.stop().await;
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn leader_path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.leader_path);
        self
    }

    /// With the marks of each queue in a directory of its name below this one.
    #[must_use]
    pub fn lock_path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.locks);
        self
    }

    /// A queue with so many items is full: 10,000 unless told otherwise.
    #[must_use]
    pub const fn threshold(mut self, items: usize) -> Self {
        self.threshold = items;
        self
    }

    /// No more queues than these are made: 10 unless told otherwise.
    #[must_use]
    pub const fn max_queues(mut self, queues: usize) -> Self {
        self.max_queues = queues;
        self
    }

    /// How often the sizes are looked at: every 30 seconds unless told otherwise.
    #[must_use]
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Takes part from now on. The first one who comes makes the first queue.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, ShardedQueue};
    ///
    /// let sharder = ShardedQueue::new(&client, "/mail", Layout::Curator).start().await?;
    /// // The first one who comes makes the first queue.
    /// assert_eq!(client.children("/mail").await?.0.len(), 1);
    /// sharder.stop().await;
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the session ends meanwhile, or the server refuses.
    pub async fn start(&self) -> Result<QueueSharder> {
        let candidate = LeaderLatch::new(&self.client, &self.leader_path).join();
        let (shards, watch) = self.look(&[], &candidate).await?;
        let known = Arc::new(shards);
        let (teller, shards) = live(Arc::clone(&known));
        let work = Work { description: self.clone(), candidate, shards: teller, known };
        let environment = Arc::clone(self.client.environment());
        let companion = Companion::start(&environment, |asked| work.run(asked, watch));
        Ok(QueueSharder { description: self.clone(), shards, companion })
    }

    fn queue(&self, name: &str) -> WorkQueue {
        let mut queue = WorkQueue::new(&self.client, &join(&self.path, name), self.layout);
        // Whatever lies beside a queue would be taken for another one.
        queue.store.receipts = join(&format!("{}-receipts", self.path), name);
        if self.layout == Layout::KazooLocking {
            queue
        } else {
            queue.lock_path(&join(&self.locks, name))
        }
    }

    /// Looks at all queues, and adds one if that is due. With a watch for more of them.
    async fn look(&self, known: &[Shard], candidate: &Candidate) -> Result<(Vec<Shard>, Watch)> {
        loop {
            let listed = patiently(|| self.client.children_and_watch(&self.path)).await;
            let (mut names, _, watch) = match listed {
                Err(error) if error.code() == ErrorCode::NoNode => {
                    ensure(&self.client, &self.path).await?;
                    continue;
                }
                listed => listed?,
            };
            names.retain(|name| layout::is_shard(name));
            names.sort();
            if names.is_empty() {
                self.add_first().await?;
                continue;
            }
            let mut shards = Vec::new();
            for name in names {
                let before = known.iter().find(|shard| shard.name == name);
                let queue = before.map_or_else(|| self.queue(&name), |shard| shard.queue.clone());
                let size = queue.size().await?;
                let was_open = before.is_none_or(|shard| shard.is_open);
                let limit = if was_open { self.threshold } else { self.threshold / 2 + 1 };
                shards.push(Shard { name, queue, is_open: size < limit });
            }
            let needs_more = shards.len() < self.max_queues && !shards.iter().any(|it| it.is_open);
            if !(needs_more && self.add(candidate).await?) {
                return Ok((shards, watch));
            }
        }
    }

    /// Makes the first queue, unless another has made one since this was asked.
    async fn add_first(&self) -> Result<()> {
        let (data, stat) = patiently(|| self.client.get(&self.path)).await?;
        let (names, _) = patiently(|| self.client.children(&self.path)).await?;
        if names.iter().any(|name| layout::is_shard(name)) {
            return Ok(());
        }
        // Of those who found none at this version one succeeds.
        let add = self.client.multi().set(&*self.path, data, Some(stat.version));
        match add.create(self.new_shard(), b"", CreateMode::Persistent).commit().await {
            Err(error) if error.is_connection_loss() || error.code() == ErrorCode::BadVersion => {
                Ok(())
            }
            other => other.map(drop),
        }
    }

    /// Makes another queue if this one leads. Answers whether the queues are to be looked at again.
    async fn add(&self, candidate: &Candidate) -> Result<bool> {
        let Standing::Leading(leadership) = candidate.standing() else { return Ok(false) };
        let add = leadership.guarded().create(self.new_shard(), b"", CreateMode::Persistent);
        match add.commit().await {
            Ok(_) => Ok(true),
            Err(error) if error.is_connection_loss() => Ok(true),
            // Another leads by now.
            Err(error) if error.part() == Some(0) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn new_shard(&self) -> String {
        join(&self.path, &layout::shard(fresh_id(&self.client)))
    }
}

impl QueueSharder {
    /// One of the queues that are to be put into: of all, if every one is full. Ask anew for each item.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, ShardedQueue};
    ///
    /// let sharder = ShardedQueue::new(&client, "/mail", Layout::Curator).start().await?;
    /// sharder.queue().put(b"hello").await?;
    /// assert_eq!(sharder.queues()[0].len().await?, 1);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn queue(&self) -> WorkQueue {
        let shards = self.shards.get();
        let open = shards.iter().filter(|shard| shard.is_open).count();
        let count = if open == 0 { shards.len() } else { open };
        let at = self.random(count);
        let mut candidates = shards.iter().filter(|shard| open == 0 || shard.is_open);
        let chosen = candidates.nth(at).map(|shard| shard.queue.clone());
        chosen.unwrap_or_else(|| {
            self.description.queue(&layout::shard(fresh_id(&self.description.client)))
        })
    }

    /// All queues, as they were seen last.
    #[must_use]
    pub fn queues(&self) -> Vec<WorkQueue> {
        self.shards.get().iter().map(|shard| shard.queue.clone()).collect()
    }

    /// Puts an item into one of the queues.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, ShardedQueue};
    ///
    /// let sharder = ShardedQueue::new(&client, "/mail", Layout::Curator).start().await?;
    /// sharder.put(b"hello").await?;
    /// assert_eq!(sharder.take().await?.data(), b"hello");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`WorkQueue::put`].
    pub async fn put(&self, data: &[u8]) -> Result<()> {
        self.queue().put(data).await
    }

    /// Puts an item into one of the queues, where its order says.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, Order, ShardedQueue};
    ///
    /// let sharder = ShardedQueue::new(&client, "/mail", Layout::Priority).start().await?;
    /// sharder.put_in(Order::Priority(5), &[b"later"]).await?;
    /// sharder.put_in(Order::Priority(1), &[b"sooner"]).await?;
    /// // In order within a queue; here there is one.
    /// assert_eq!(sharder.take().await?.data(), b"sooner");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`WorkQueue::put_in`].
    pub async fn put_in(&self, order: Order<'_>, items: &[&[u8]]) -> Result<()> {
        self.queue().put_in(order, items).await
    }

    /// Waits for an item in any of the queues and removes it: **at most once**, as [`WorkQueue::take`].
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, ShardedQueue};
    ///
    /// let sharder = ShardedQueue::new(&client, "/mail", Layout::Curator).start().await?;
    /// sharder.put(b"hello").await?;
    /// assert_eq!(sharder.take().await?.data(), b"hello");
    /// assert!(sharder.try_take().await?.is_none());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`WorkQueue::take`].
    pub async fn take(&self) -> Result<Item> {
        let take = |store: Store, name| async move { store.take(name).await };
        loop {
            match self.next(true, false, take).await {
                Ok(Some(item)) => return Ok(item),
                Ok(None) => {}
                Err(error)
                    if error.code() == ErrorCode::SessionExpired && !error.outcome_unknown() =>
                {
                    self.description.client.connected().await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes an item if there is one in any of the queues.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, ShardedQueue};
    ///
    /// let sharder = ShardedQueue::new(&client, "/mail", Layout::Curator).start().await?;
    /// assert!(sharder.try_take().await?.is_none());
    /// sharder.put(b"hello").await?;
    /// assert_eq!(sharder.try_take().await?.unwrap().data(), b"hello");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`WorkQueue::take`].
    pub async fn try_take(&self) -> Result<Option<Item>> {
        self.next(false, false, |store, name| async move { store.take(name).await }).await
    }

    /// Waits for an item in any of the queues and marks it: **at least once**, as [`WorkQueue::hold`].
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, ShardedQueue};
    ///
    /// let sharder = ShardedQueue::new(&client, "/mail", Layout::Curator).start().await?;
    /// sharder.put(b"hello").await?;
    /// let work = sharder.hold().await?;
    /// assert!(work.is_held() && sharder.try_hold().await?.is_none());
    /// work.complete().await?;
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`WorkQueue::hold`].
    pub async fn hold(&self) -> Result<Holding> {
        let hold = |store: Store, name| async move { store.hold(name).await };
        loop {
            match self.next(true, true, hold).await {
                Ok(Some(held)) => return Ok(held),
                Ok(None) => {}
                Err(error) if error.code() == ErrorCode::SessionExpired => {
                    self.description.client.connected().await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Holds an item if there is one in any of the queues that nobody holds.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, ShardedQueue};
    ///
    /// let sharder = ShardedQueue::new(&client, "/mail", Layout::Curator).start().await?;
    /// assert!(sharder.try_hold().await?.is_none());
    /// sharder.put(b"hello").await?;
    /// sharder.try_hold().await?.unwrap().complete().await?;
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`WorkQueue::hold`].
    pub async fn try_hold(&self) -> Result<Option<Holding>> {
        self.next(false, true, |store, name| async move { store.hold(name).await }).await
    }

    /// Takes part no more. The queues and their items stay.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::queue::{Layout, ShardedQueue};
    ///
    /// let mail = ShardedQueue::new(&client, "/mail", Layout::Curator);
    /// let sharder = mail.start().await?;
    /// sharder.put(b"hello").await?;
    /// sharder.stop().await;
    /// // The items stay.
    /// assert_eq!(mail.start().await?.take().await?.data(), b"hello");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub async fn stop(self) {
        self.companion.finish().await;
    }

    /// Tries the queues in turn, beginning anywhere. With `wait` it waits once for a change when nothing can be had, and may answer `None`
    /// after that.
    async fn next<T, F: Future<Output = Result<Option<T>>>>(
        &self,
        wait: bool,
        marks: bool,
        attempt: impl Fn(Store, String) -> F,
    ) -> Result<Option<T>> {
        let mut reader = self.shards.clone();
        let shards = reader.next_or_present();
        let (before, after) = shards.split_at(self.random(shards.len()));
        let stores = || after.iter().chain(before).map(|shard| &shard.queue.store);
        for store in stores() {
            let got = store.next(false, marks, |name| attempt(store.clone(), name)).await?;
            if got.is_some() {
                return Ok(got);
            }
        }
        if !wait {
            return Ok(None);
        }
        let mut waits = Vec::new();
        for store in stores() {
            let mut listing = store.list(true, marks).await?;
            while let Some(name) = listing.names.pop_front() {
                if let Some(got) = attempt(store.clone(), name).await? {
                    return Ok(Some(got));
                }
            }
            waits.push(Box::pin(store.wait(listing)));
        }
        match first(first_of(&mut waits), reader.next()).await {
            First::Left((_, changed)) => changed.map(|()| None),
            First::Right(_) => Ok(None),
        }
    }

    fn random(&self, below: usize) -> usize {
        let below = u64::try_from(below).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.description.client.environment().random() % below).unwrap_or(0)
    }
}

/// The background task.
struct Work {
    description: ShardedQueue,
    candidate: Candidate,
    shards: Teller<Shards>,
    known: Shards,
}

impl Work {
    async fn run(mut self, mut asked: Asked, watch: Watch) {
        let client = &self.description.client;
        let mut backoff = Backoff::default();
        let mut watch = Some(watch);
        loop {
            let pause = async {
                match watch.take() {
                    Some(watch) => {
                        drop(first(client.sleep(self.description.interval), watch).await)
                    }
                    None => backoff.pause(client).await,
                }
            };
            if let First::Left(()) = first(&mut asked, pause).await {
                break;
            }
            match self.description.look(&self.known, &self.candidate).await {
                Ok((shards, more)) => {
                    backoff.reset();
                    self.known = Arc::new(shards);
                    self.shards.tell(Arc::clone(&self.known));
                    watch = Some(more);
                }
                Err(error) if error.code() == ErrorCode::SessionExpired => {
                    if !matches!(first(&mut asked, client.connected()).await, First::Right(Ok(())))
                    {
                        break;
                    }
                }
                Err(error) if error.is_session_end() => break,
                Err(error) => tracing::warn!(%error, "the sizes of queues cannot be seen"),
            }
        }
        if let Err(error) = self.candidate.leave().await {
            tracing::debug!(%error, "a candidacy was not ended");
        }
    }
}
