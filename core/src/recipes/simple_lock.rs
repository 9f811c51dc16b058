//! The exclusive lock on one node: who can create it holds the lock, the others watch it and try again.
//!
//! The textbook's first form, good for two or three contenders: each release wakes all of them, and whoever is fastest comes next. For
//! more, or for order, use [`Lock`](super::lock::Lock). Layout: `<path>/lock`, ephemeral.
//!
//! All holders' nodes have one name. A guarded write of a holder whose session has ended fails all the same, because it belongs to that
//! session; but if somebody else deletes the node of a living holder, its guarded writes go on until it notices.

use super::kit::{Claim, Held, Kind, join, patiently};
use super::layout::lock::SINGLE_NODE;
use crate::client::{Client, ErrorCode, Result, within};
use std::time::Duration;

/// An exclusive lock that is one node, `<path>/lock`.
///
/// The node's data is an id of 32 hexadecimal digits, a blank, and what [`data`](Self::data) gave. By the id and by the node's session
/// a client knows a node as its own when the answer to its creation was lost.
///
/// ```
/// # use quorate::{client::Client, recipes::simple_lock::SimpleLock, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let lock = SimpleLock::new(client, "/exclusive_lock");
/// let held = lock.acquire().await?;
/// assert_eq!(held.path(), "/exclusive_lock/lock");
/// assert!(lock.try_acquire().await?.is_none());
/// held.release().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct SimpleLock {
    client: Client,
    path: String,
    node: String,
    data: Vec<u8>,
}

impl SimpleLock {
    /// The lock whose node is `<path>/lock`.
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        Self {
            client: client.clone(),
            path: path.to_owned(),
            node: SINGLE_NODE.to_owned(),
            data: Vec::new(),
        }
    }

    /// With another name for the node.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::simple_lock::SimpleLock;
    ///
    /// let lock = SimpleLock::new(&client, "/tasks").node("report").data("host-1");
    /// assert_eq!((lock.path().as_str(), lock.client().root()), ("/tasks/report", ""));
    /// let held = lock.acquire().await?;
    /// assert!(client.get("/tasks/report").await?.0.ends_with(b" host-1"));
    /// # drop(held);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn node(mut self, name: &str) -> Self {
        self.node = name.to_owned();
        self
    }

    /// With these bytes in the node, behind the id, for others to see who holds it.
    #[must_use]
    pub fn data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    /// Waits until the lock is held, also across the loss of a session. Cancel by dropping the future.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::simple_lock::SimpleLock;
    ///
    /// let lock = SimpleLock::new(&client, "/lock");
    /// let held = lock.acquire().await?;
    /// let token = held.token();
    /// held.release().await?;
    /// assert!(lock.acquire().await?.token() > token);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the client is closed, or the server refuses.
    pub async fn acquire(&self) -> Result<Held> {
        loop {
            let tried = match self.try_acquire().await {
                Ok(Some(held)) => return Ok(held),
                Ok(None) => self.wait().await,
                Err(error) => Err(error),
            };
            match tried {
                Err(error) if error.code() == ErrorCode::SessionExpired => {
                    self.client.connected().await?;
                }
                other => other?,
            }
        }
    }

    /// Waits for the lock, but not longer than `limit`; `None` when the time is over.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::simple_lock::SimpleLock;
    /// use std::time::Duration;
    ///
    /// let lock = SimpleLock::new(&client, "/lock");
    /// let held = lock.acquire().await?;
    /// assert!(lock.acquire_within(Duration::from_millis(20)).await?.is_none());
    /// # drop(held);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire).
    pub async fn acquire_within(&self, limit: Duration) -> Result<Option<Held>> {
        within(&**self.client.environment(), limit, self.acquire()).await.transpose()
    }

    /// Takes the lock if nobody holds it.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::simple_lock::SimpleLock;
    ///
    /// let lock = SimpleLock::new(&client, "/lock");
    /// let held = lock.try_acquire().await?.expect("it is free");
    /// assert!(lock.try_acquire().await?.is_none());
    /// # drop(held);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire), and when the session ends meanwhile.
    pub async fn try_acquire(&self) -> Result<Option<Held>> {
        let stems = |_| vec![self.node.clone()];
        let created =
            Claim::create(&self.client, &self.path, stems, &self.data, Kind::PlainMarked).await;
        match created {
            Ok(claim) => Ok(Some(Held::new(claim))),
            Err(error) if error.code() == ErrorCode::NodeExists => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Waits until the node has gone. Reading it leaves no watch behind when it has gone already.
    async fn wait(&self) -> Result<()> {
        let path = join(&self.path, &self.node);
        match patiently(|| self.client.get_and_watch(&path)).await {
            Ok((_, _, watch)) => watch.await.map(drop),
            Err(error) if error.code() == ErrorCode::NoNode => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The path of the node.
    #[must_use]
    pub fn path(&self) -> String {
        join(&self.path, &self.node)
    }

    /// The client.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }
}
