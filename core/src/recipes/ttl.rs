//! The node with a time to live, which outlives its client by a while.
//!
//! As `org.apache.curator.framework.recipes.nodes.PersistentTtlNode`. Public as part of [`persistent`](super::persistent).

use super::kit::{Companion, Live, ensure, join, live, parent_of, patiently};
use super::layout::member::TOUCH;
use crate::client::{Client, CreateMode, CreateOptions, Error, ErrorCode, Result};
use std::time::Duration;

/// A node that outlives its client by a while: it has a time to live, and a child `touch` that is written again at half of it. The server must
/// allow such nodes (`extendedTypesEnabled`).
///
/// ```
/// # use quorate::{client::Client, recipes::persistent::TtlNode, server::Server};
/// # use std::time::Duration;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().configure(|config| config.extended_types_enabled = true).start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let node = TtlNode::new(client, "/seen/host-1", Duration::from_secs(60)).data("up");
/// let touching = node.keep().await?;
/// assert_eq!(client.get("/seen/host-1").await?.0, b"up");
/// // When this is dropped, or the process ends, the node goes a minute later.
/// drop(touching);
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct TtlNode {
    client: Client,
    path: String,
    data: Vec<u8>,
    ttl: Duration,
}

/// Keeps a [`TtlNode`] from expiring until it is dropped.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::persistent::TtlNode;
/// use std::time::Duration;
///
/// // This server was not told to allow nodes with a time to live.
/// let refused = TtlNode::new(&client, "/seen", Duration::from_secs(60)).keep().await;
/// assert!(refused.is_err() || refused.is_ok_and(|touching| touching.outcomes().get().is_ok()));
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Touching {
    last: Live<Result<()>>,
    _companion: Companion,
}

impl TtlNode {
    /// The node at `path`, which goes when it has not been touched for `ttl`.
    #[must_use]
    pub fn new(client: &Client, path: &str, ttl: Duration) -> Self {
        Self { client: client.clone(), path: path.to_owned(), data: Vec::new(), ttl }
    }

    /// With this data.
    #[must_use]
    pub fn data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    /// Creates the node, or writes the data if it is there, and touches it from now on.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::persistent::TtlNode;
    /// use std::time::Duration;
    ///
    /// let node = TtlNode::new(&client, "/seen", Duration::from_secs(60)).data("up");
    /// let touching = node.keep().await?;
    /// assert!(client.exists("/seen/touch").await?.is_some() && touching.outcomes().get().is_ok());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `Unimplemented` when the server does not allow nodes with a time to live; or it refuses otherwise.
    pub async fn keep(&self) -> Result<Touching> {
        self.touch().await?;
        let (teller, last) = live(Ok(()));
        let node = self.clone();
        let companion = Companion::start(self.client.environment(), |_| async move {
            loop {
                node.client.sleep(node.ttl / 2).await;
                let outcome = node.touch().await;
                let over = outcome.as_ref().is_err_and(|error| {
                    error.is_session_end() && error.code() != ErrorCode::SessionExpired
                });
                teller.tell(outcome);
                if over {
                    return;
                }
            }
        });
        Ok(Touching { last, _companion: companion })
    }

    /// Writes the child, and whatever is missing.
    async fn touch(&self) -> Result<()> {
        let child = join(&self.path, TOUCH);
        let options = CreateOptions::new(CreateMode::PersistentWithTtl).ttl(self.ttl);
        for _ in 0..MAX_TRIES {
            match patiently(|| self.client.set(&child, b"", None)).await {
                Err(error) if error.code() == ErrorCode::NoNode => {}
                other => return other.map(drop),
            }
            match patiently(|| self.client.create(&self.path, &self.data, options.clone())).await {
                Err(error) if error.code() == ErrorCode::NodeExists => {
                    patiently(|| self.client.set(&self.path, &self.data, None)).await.map(drop)
                }
                Err(error) if error.code() == ErrorCode::NoNode => {
                    ensure(&self.client, parent_of(&self.path)).await
                }
                other => other.map(drop),
            }
            .or_else(ignore_absence)?;
            let made = patiently(|| self.client.create(&child, b"", options.clone())).await;
            match made {
                Err(error) if matches!(error.code(), ErrorCode::NodeExists | ErrorCode::NoNode) => {
                }
                other => return other.map(drop),
            }
        }
        Err(Error::new(ErrorCode::NoNode, "touch", child)
            .with_detail("somebody deletes it as fast as it is made"))
    }
}

impl Touching {
    /// How the last touch went, as a stream: the present answer first.
    #[must_use]
    pub fn outcomes(&self) -> Live<Result<()>> {
        self.last.clone()
    }
}

fn ignore_absence(error: Error) -> Result<()> {
    if error.code() == ErrorCode::NoNode { Ok(()) } else { Err(error) }
}

/// How often something may vanish between its creation and its use.
const MAX_TRIES: usize = 20;
