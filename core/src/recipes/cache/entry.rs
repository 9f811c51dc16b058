//! What a cache shows: entries, and changes as a stream.

use super::tree::Node;
use crate::client::{Error, Stat};
use futures_core::Stream;
use slab::Slab;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// A node as the cache knows it.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::cache::Cache;
///
/// let cache = Cache::tree(&client, "/").start()?;
/// cache.ready().await?;
/// let root = cache.get("/").unwrap();
/// assert_eq!((root.path.as_str(), root.stat.version), ("/", 0));
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path.
    pub path: String,
    /// Its stat when it was last read. `num_children` and `pzxid` are those of the children that the cache knows;
    /// `cversion` and `aversion` may be behind.
    pub stat: Stat,
    /// Its data. `None` when the cache keeps no data, may not read it, or has no room for it.
    pub data: Option<Arc<[u8]>>,
}

/// What a cache has noticed.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::cache::{Cache, Change};
///
/// let cache = Cache::tree(&client, "/").start()?;
/// cache.ready().await?;
/// let mut changes = cache.changes();
/// client.create("/new", b"", quorate::client::CreateMode::Persistent).await?;
/// while let Some(change) = changes.next().await {
///     if matches!(change, Change::Added(entry) if entry.path == "/new") {
///         break;
///     }
/// }
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A node is there.
    Added(Entry),
    /// A node's data changed; or the node was deleted and created again, if `czxid` differs.
    Changed {
        /// What was known of it before.
        old: Entry,
        /// What is known now.
        new: Entry,
    },
    /// A node is gone. Nodes below it are told first.
    Removed(Entry),
    /// The cache has caught up with the server: for the first time, or after a reconnect.
    Current,
    /// This stream was not read fast enough and changes are missing: look at the whole cache again.
    Missed,
    /// The cache has ended. Nothing follows.
    Ended(Error),
}

/// The changes of a cache from the moment of the subscription. Dropping it ends the subscription.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::cache::Cache;
///
/// let cache = Cache::tree(&client, "/").start()?;
/// cache.ready().await?;
/// let mut changes = cache.changes();
/// client.set("/", b"x", None).await?;
/// assert!(changes.next().await.is_some());
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "a dropped subscription is over"]
pub struct Changes {
    hub: Arc<Hub>,
    key: usize,
    over: bool,
}

/// Who listens.
#[derive(Debug, Default)]
pub(super) struct Hub {
    listeners: Mutex<Slab<Listener>>,
}

#[derive(Debug)]
struct Listener {
    queue: VecDeque<Change>,
    limit: usize,
    missed: bool,
    waker: Option<Waker>,
}

impl Entry {
    pub(super) fn new(path: &str, node: &Node) -> Self {
        Self { path: path.to_owned(), stat: stat_of(node), data: node.data.clone() }
    }
}

pub(super) fn stat_of(node: &Node) -> Stat {
    let mut stat = node.stat;
    if node.listed {
        stat.num_children = i32::try_from(node.child_count()).unwrap_or(i32::MAX);
    }
    stat
}

impl Changes {
    /// Waits for the next change; `None` after the cache has ended.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::cache::{Cache, Change};
    ///
    /// let cache = Cache::node(&client, "/").start()?;
    /// cache.ready().await?;
    /// let mut changes = cache.changes();
    /// client.set("/", b"x", None).await?;
    /// let Some(Change::Changed { new, .. }) = changes.next().await else { unreachable!("it was written") };
    /// assert_eq!(new.data.as_deref(), Some(&b"x"[..]));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub async fn next(&mut self) -> Option<Change> {
        poll_fn(|context| self.poll_change(context)).await
    }

    fn poll_change(&mut self, context: &Context<'_>) -> Poll<Option<Change>> {
        if self.over {
            return Poll::Ready(None);
        }
        let change = std::task::ready!(self.hub.poll(self.key, context.waker()));
        self.over = matches!(change, Some(Change::Ended(_)) | None);
        Poll::Ready(change)
    }
}

impl Stream for Changes {
    type Item = Change;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Change>> {
        self.poll_change(context)
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.hub.with(|listeners| listeners.try_remove(self.key));
    }
}

impl Hub {
    /// Begins a subscription that holds up to `limit` changes.
    pub(super) fn subscribe(self: &Arc<Self>, limit: usize) -> Changes {
        let listener =
            Listener { queue: VecDeque::new(), limit: limit.max(1), missed: false, waker: None };
        let key = self.with(|listeners| listeners.insert(listener));
        Changes { hub: Arc::clone(self), key, over: false }
    }

    /// Whether anybody listens: changes need not be put together otherwise.
    pub(super) fn is_wanted(&self) -> bool {
        self.with(|listeners| !listeners.is_empty())
    }

    /// Tells everyone. The end is told in any case; of the rest, what does not fit is told to be missing.
    pub(super) fn tell(&self, changes: &[Change]) {
        let mut wakers = Vec::new();
        self.with(|listeners| {
            for (_, listener) in listeners {
                for change in changes {
                    listener.push(change);
                }
                wakers.extend(listener.waker.take());
            }
        });
        wakers.into_iter().for_each(Waker::wake);
    }

    fn poll(&self, key: usize, waker: &Waker) -> Poll<Option<Change>> {
        self.with(|listeners| {
            let Some(listener) = listeners.get_mut(key) else { return Poll::Ready(None) };
            if std::mem::take(&mut listener.missed) {
                return Poll::Ready(Some(Change::Missed));
            }
            match listener.queue.pop_front() {
                Some(change) => Poll::Ready(Some(change)),
                None => {
                    listener.waker = Some(waker.clone());
                    Poll::Pending
                }
            }
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Slab<Listener>) -> T) -> T {
        work(&mut self.listeners.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Listener {
    /// A listener that is behind loses what it has not read: what comes after is whole again.
    fn push(&mut self, change: &Change) {
        if self.queue.len() >= self.limit && !matches!(change, Change::Ended(_)) {
            self.queue.clear();
            self.missed = true;
        }
        self.queue.push_back(change.clone());
    }
}
