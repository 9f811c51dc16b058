//! A value that many share: read, written, and followed with a local copy.
//!
//! [`SharedValue`] is a node's data; [`SharedValue::subscribe`] keeps a copy of it up to date by a persistent watch. The copy outlives
//! disconnections and sessions, and never goes back to an older state. Any node will do: this is also how many are told of a
//! change. Source: `org.apache.curator.framework.recipes.shared.SharedValue`, `kazoo.recipe.watchers.DataWatch`.

use super::kit::{Backoff, Copyist, LocalCopy, ensure, patiently};
use crate::client::{
    Client, CreateMode, Error, ErrorCode, EventType, Result, RetryPolicy, Stat, WatchEvent,
    WatchMode, Watcher,
};
use quorate_wire::path;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

/// The data of a node, shared. It is only a description: cheap to make, and to clone.
///
/// ```
/// # use quorate::{client::Client, recipes::value::SharedValue, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let value = SharedValue::new(client, "/config/limit");
/// let mut subscription = value.subscribe().await?;
/// assert!(subscription.current().is_none());
/// value.set(b"10").await?;
/// let ten = subscription.changed().await?.ok_or("there is a value").unwrap();
/// assert_eq!(ten.data, b"10");
/// // Only if nobody has changed it since it was read.
/// assert!(value.try_set(&ten, b"11").await?.is_some());
/// assert!(value.try_set(&ten, b"12").await?.is_none());
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct SharedValue {
    client: Client,
    path: String,
}

/// A value as it was at one time.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::value::SharedValue;
///
/// let value = SharedValue::new(&client, "/v");
/// value.set(b"1").await?;
/// let seen = value.get().await?.unwrap();
/// assert_eq!((seen.data.as_slice(), seen.stat.version), (&b"1"[..], 0));
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned {
    /// The data.
    pub data: Vec<u8>,
    /// The node's stat; `mzxid` orders values.
    pub stat: Stat,
}

/// A local copy that follows the value until it is dropped.
///
/// Every state it shows is newer than the one before; states in quick succession may be skipped, the newest never is. Clones have a
/// position of their own.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::value::SharedValue;
///
/// let value = SharedValue::new(&client, "/v");
/// let mut subscription = value.subscribe().await?;
/// value.set(b"1").await?;
/// assert_eq!(subscription.changed().await?.unwrap().data, b"1");
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Subscription(LocalCopy<Versioned>);

impl SharedValue {
    /// The data of the node at `path`.
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        Self { client: client.clone(), path: path.to_owned() }
    }

    /// Reads the value as it is now: what anybody wrote before this call is seen. `None` when there is no node.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::value::SharedValue;
    ///
    /// let limit = SharedValue::new(&client, "/limit");
    /// assert!(limit.get().await?.is_none());
    /// limit.set(b"10").await?;
    /// assert_eq!(limit.get().await?.unwrap().data, b"10");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn get(&self) -> Result<Option<Versioned>> {
        patiently(|| self.client.sync(&self.path)).await?;
        match patiently(|| self.client.get(&self.path)).await {
            Ok((data, stat)) => Ok(Some(Versioned { data, stat })),
            Err(error) if error.code() == ErrorCode::NoNode => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the value, whatever it was; creates the node if it is missing.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::value::SharedValue;
    ///
    /// let limit = SharedValue::new(&client, "/limit");
    /// assert_eq!(limit.set(b"10").await?.version, 0);
    /// assert_eq!(limit.set(b"11").await?.version, 1);
    /// assert_eq!((limit.path(), limit.client().root()), ("/limit", ""));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// The outcome is unknown when an answer was lost and others have written since.
    pub async fn set(&self, data: &[u8]) -> Result<Stat> {
        let patient = self.client.retrying(RetryPolicy::forever());
        loop {
            match patient.set(&self.path, data, None).await {
                Err(error) if error.code() == ErrorCode::NoNode && !error.outcome_unknown() => {}
                done => return done,
            }
            match patient.create(&self.path, data, CreateMode::Persistent).await {
                Ok(created) => return Ok(created.stat),
                Err(error) if error.code() == ErrorCode::NoNode => {
                    ensure(&self.client, path::parent(&self.path)).await?;
                }
                Err(error) if error.code() != ErrorCode::NodeExists => return Err(error),
                Err(_) => {}
            }
        }
    }

    /// Writes the value if nobody has since `seen` was read; `None` if somebody has. After a lost answer, equal data at the next version
    /// count as written.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::value::SharedValue;
    ///
    /// let limit = SharedValue::new(&client, "/limit");
    /// limit.set(b"10").await?;
    /// let seen = limit.get().await?.unwrap();
    /// assert!(limit.try_set(&seen, b"11").await?.is_some());
    /// // Somebody has changed it since it was read.
    /// assert!(limit.try_set(&seen, b"12").await?.is_none());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// The outcome is unknown when an answer was lost and others have written since.
    pub async fn try_set(&self, seen: &Versioned, data: &[u8]) -> Result<Option<Stat>> {
        let patient = self.client.retrying(RetryPolicy::forever());
        match patient.set(&self.path, data, Some(seen.stat.version)).await {
            Ok(stat) => Ok(Some(stat)),
            Err(error)
                if matches!(error.code(), ErrorCode::BadVersion | ErrorCode::NoNode)
                    && !error.outcome_unknown() =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Follows the value. Returns when it has been read for the first time.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::value::SharedValue;
    ///
    /// let limit = SharedValue::new(&client, "/limit");
    /// limit.set(b"10").await?;
    /// let copy = limit.subscribe().await?;
    /// // Read once; from now on without a request.
    /// assert_eq!(copy.current().unwrap().data, b"10");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the client is closed, or the server refuses.
    pub async fn subscribe(&self) -> Result<Subscription> {
        let (client, path) = (self.client.clone(), self.path.clone());
        let copy = LocalCopy::start(&self.client, &self.path, |copyist| async move {
            follow(&client, &path, &copyist).await
        });
        copy.await.map(Subscription)
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The client.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }
}

impl Subscription {
    /// The newest value known here, without a request; `None` when there is no node. While the connection is away it is what was last
    /// known.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::value::SharedValue;
    ///
    /// let limit = SharedValue::new(&client, "/limit");
    /// limit.set(b"10").await?;
    /// assert_eq!(limit.subscribe().await?.current().unwrap().data, b"10");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn current(&self) -> Option<Arc<Versioned>> {
        self.0.current()
    }

    /// Waits for a state newer than the one this has last returned, at first than the one that [`subscribe`](SharedValue::subscribe) has
    /// read; `None` when the node is gone. Nothing is lost when the future is dropped.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::value::SharedValue;
    ///
    /// let limit = SharedValue::new(&client, "/limit");
    /// limit.set(b"10").await?;
    /// let mut copy = limit.subscribe().await?;
    /// // The value that it has begun with is no news.
    /// limit.set(b"11").await?;
    /// assert_eq!(copy.changed().await?.unwrap().data, b"11");
    /// client.delete("/limit", None).await?;
    /// assert!(copy.changed().await?.is_none());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When no news will come any more: the client is closed, or the server refuses. The copy stays.
    pub async fn changed(&mut self) -> Result<Option<Arc<Versioned>>> {
        self.0.changed().await
    }
}

/// Watches under one session after the other, until that is over.
async fn follow(client: &Client, path: &str, copyist: &Copyist<Versioned>) -> Error {
    let mut backoff = Backoff::default();
    loop {
        let Err(error) = under_one_session(client, path, copyist).await else {
            continue;
        };
        if error.code() == ErrorCode::SessionExpired {
            if let Err(end) = client.connected().await {
                return end;
            }
        } else if error.is_connection_loss() {
            backoff.pause(client).await;
        } else {
            return error;
        }
    }
}

async fn under_one_session(
    client: &Client,
    path: &str,
    copyist: &Copyist<Versioned>,
) -> Result<()> {
    // A server that is behind shows an older state than is known: that is no news.
    let is_newer = |old: &Versioned, new: &Versioned| new.stat.mzxid > old.stat.mzxid;
    let mut watcher = patiently(|| client.watch(path, WatchMode::Node)).await?;
    loop {
        match patiently(|| client.get(path)).await {
            Ok((data, stat)) => copyist.tell(Some(Versioned { data, stat }), is_newer),
            Err(error) if error.code() == ErrorCode::NoNode => copyist.tell(None, is_newer),
            Err(error) => return Err(error),
        }
        while matches!(&watcher.next().await?, WatchEvent::Changed(event) if event.kind == EventType::ChildrenChanged)
        {
        }
        drain(&mut watcher).await?;
    }
}

/// Takes the events that are there: one reading does for all.
async fn drain(watcher: &mut Watcher) -> Result<()> {
    poll_fn(|context| {
        loop {
            match pin!(watcher.next()).poll(context) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Ready(Ok(())),
            }
        }
    })
    .await
}
