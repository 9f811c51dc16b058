//! The persistent ephemeral node: kept in existence as long as its client lives.
//!
//! As `org.apache.curator.framework.recipes.nodes.PersistentNode`. It has a fixed name; it is made again when somebody deleted it, and under
//! each new session. A node that is there already counts only if this session owns it: one of an expired session is about to vanish.

use super::kit::{Form, Keeper, Live, Rival, Spec};
use crate::client::{Client, CreateMode, Result};

pub use super::kit::Presence;
pub use super::ttl::{Touching, TtlNode};

/// An ephemeral node that stays as long as the client does. Only a description: cheap to make, and to clone.
///
/// ```
/// # use quorate::{client::Client, recipes::persistent::PersistentNode, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let kept = PersistentNode::new(client, "/hosts/host-1").data("up").keep();
/// let token = kept.there().await?;
/// kept.set("busy");
/// // Somebody deletes it: it comes back, with another token.
/// client.delete("/hosts/host-1", None).await?;
/// assert!(kept.newer_than(token).await? > token);
/// assert_eq!(client.get("/hosts/host-1").await?.0, b"busy");
/// kept.remove().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct PersistentNode {
    client: Client,
    path: String,
    data: Vec<u8>,
}

/// Keeps a node in existence until it is dropped or [removed](Self::remove); then the node goes.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::persistent::PersistentNode;
///
/// let kept = PersistentNode::new(&client, "/host-1").keep();
/// assert!(kept.there().await? > 0);
/// kept.remove().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Kept(Keeper);

impl PersistentNode {
    /// The node at `path`. Missing parents are made as containers.
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        Self { client: client.clone(), path: path.to_owned(), data: Vec::new() }
    }

    /// With this data at first.
    #[must_use]
    pub fn data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    /// Creates it, and keeps it from now on, in the background.
    #[must_use = "dropping what keeps the node removes it"]
    pub fn keep(&self) -> Kept {
        let spec = Spec {
            path: self.path.clone(),
            form: Form::Ephemeral,
            parents: CreateMode::Container,
            rival: Rival::Wait,
        };
        Kept(Keeper::start(&self.client, spec, self.data.clone()))
    }
}

impl Kept {
    /// Whether the node is there.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::persistent::{Presence, PersistentNode};
    ///
    /// let kept = PersistentNode::new(&client, "/host-1").keep();
    /// let mut changes = kept.changes();
    /// let token = kept.there().await?;
    /// assert_eq!(kept.presence(), Presence::There(token));
    /// kept.remove().await?;
    /// assert!(changes.until(|presence| matches!(presence, Presence::Ended(None))).await.is_some());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn presence(&self) -> Presence {
        self.0.presence()
    }

    /// The presence as a stream: the present one first.
    #[must_use]
    pub fn changes(&self) -> Live<Presence> {
        self.0.changes()
    }

    /// Waits until the node is there, and answers its token.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::persistent::PersistentNode;
    ///
    /// let kept = PersistentNode::new(&client, "/hosts/host-1").keep();
    /// let token = kept.there().await?;
    /// assert_eq!(client.exists("/hosts/host-1").await?.unwrap().czxid, token);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When it is kept no more, as when the client is closed; and what the server refuses, though that is tried again in the background.
    pub async fn there(&self) -> Result<i64> {
        self.newer_than(0).await
    }

    /// Waits until the node is there with a greater token than this.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::persistent::PersistentNode;
    ///
    /// let kept = PersistentNode::new(&client, "/host-1").keep();
    /// let token = kept.there().await?;
    /// client.delete("/host-1", None).await?;
    /// assert!(kept.newer_than(token).await? > token);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`there`](Self::there).
    pub async fn newer_than(&self, token: i64) -> Result<i64> {
        self.0.newer_than(token).await
    }

    /// Changes the data, in the background. Of changes in quick succession only the last one may be written.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::persistent::PersistentNode;
    ///
    /// let kept = PersistentNode::new(&client, "/host-1").data("up").keep();
    /// for load in 0..100 {
    ///     kept.set(format!("load {load}"));
    /// }
    /// // The last one is written; of those before some may be skipped.
    /// kept.write("idle").await?;
    /// assert_eq!(client.get("/host-1").await?.0, b"idle");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn set(&self, data: impl Into<Vec<u8>>) {
        self.0.set(data.into());
    }

    /// Changes the data, and waits until the node is there with it.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::persistent::PersistentNode;
    ///
    /// let kept = PersistentNode::new(&client, "/host-1").data("up").keep();
    /// kept.write("busy").await?;
    /// assert_eq!(client.get("/host-1").await?.0, b"busy");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`there`](Self::there).
    pub async fn write(&self, data: impl Into<Vec<u8>>) -> Result<()> {
        let change = self.0.set(data.into());
        self.0.written(change).await
    }

    /// Removes the node. Returns when it is gone, or when the session is, which removes it too.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::persistent::PersistentNode;
    ///
    /// let kept = PersistentNode::new(&client, "/host-1").keep();
    /// kept.there().await?;
    /// kept.remove().await?;
    /// assert!(client.exists("/host-1").await?.is_none());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn remove(self) -> Result<()> {
        self.0.remove().await
    }
}
