//! What a node is created with.

use quorate_engine::client::{Create, Request};
use quorate_wire::op::create::CreateMode;
use quorate_wire::{Acl, acl};
use std::time::Duration;

/// Mode, ACL and time to live of a new node. A [`CreateMode`] alone is enough for most.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::{Acl, CreateMode, CreateOptions};
///
/// let private = CreateOptions::new(CreateMode::Ephemeral).acl([Acl::world(quorate_wire::acl::READ)]);
/// client.create("/read-only", b"", private).await?;
/// assert!(client.set("/read-only", b"x", None).await.is_err());
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateOptions {
    /// The kind of node.
    pub mode: CreateMode,
    /// The ACL; `world:anyone` with all permissions unless told otherwise.
    pub acl: Vec<Acl<'static>>,
    /// Time to live, for the modes that have one.
    pub ttl: Duration,
}

impl CreateOptions {
    /// A node of this kind, open to everybody.
    #[must_use]
    pub fn new(mode: CreateMode) -> Self {
        Self { mode, acl: vec![Acl::world(acl::ALL)], ttl: Duration::ZERO }
    }

    /// With this ACL.
    #[must_use]
    pub fn acl(mut self, acl: impl Into<Vec<Acl<'static>>>) -> Self {
        self.acl = acl.into();
        self
    }

    /// With this time to live; sub-millisecond parts are dropped.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{CreateMode, CreateOptions};
    /// use std::time::Duration;
    ///
    /// let hour = CreateOptions::new(CreateMode::PersistentWithTtl).ttl(Duration::from_secs(3600));
    /// assert_eq!(hour.ttl, Duration::from_secs(3600));
    /// client.create("/cached", b"", hour).await?;
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// The request that creates such a node.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{CreateMode, CreateOptions, Inbox};
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// let inbox = Arc::new(Inbox::new(None));
    /// let options = CreateOptions::new(CreateMode::Persistent);
    /// client.submit_to(&inbox, &options.request("/job", b"x"), 1)?;
    /// assert_eq!(inbox.wait(Duration::from_secs(10)).len(), 1);
    /// assert_eq!(client.get("/job").await?.0, b"x");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn request<'a>(&'a self, path: &'a str, data: &'a [u8]) -> Request<'a> {
        let Self { mode, acl, .. } = self;
        Request::Create(Create { path, data, acl, mode: *mode, ttl: self.ttl_ms() })
    }

    pub(super) fn ttl_ms(&self) -> i64 {
        i64::try_from(self.ttl.as_millis()).unwrap_or(i64::MAX)
    }
}

impl From<CreateMode> for CreateOptions {
    fn from(mode: CreateMode) -> Self {
        Self::new(mode)
    }
}
