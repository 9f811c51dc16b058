//! The leader latch: take part in the background, know at any time whether one leads.
//!
//! Layout, shared with `org.apache.curator.framework.recipes.leader.LeaderLatch`: `<path>/_c_<uuid>-latch-N10`, ephemeral sequential,
//! data = the participant's id. The lowest number leads; each watches its predecessor.

use super::leader::{Candidate, Layout, Leader, Observer, Policy, Queue};
use crate::client::{Client, Result};

/// A leader latch at a path. It is only a description: cheap to make, and to clone.
///
/// ```
/// # use quorate::{client::Client, recipes::latch::LeaderLatch, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let candidate = LeaderLatch::new(client, "/leader").id("host-1").join();
/// let leadership = candidate.leads().await?;
/// assert!(candidate.is_leader());
/// // … lead, until `leadership.lost()` fires; `leadership.token()` goes along with what is written elsewhere …
/// candidate.leave().await?;
/// assert!(!leadership.holds());
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct LeaderLatch {
    queue: Queue,
    policy: Policy,
}

impl LeaderLatch {
    /// The latch at `path`.
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        let (client, directory) = (client.clone(), path.to_owned());
        let queue = Queue { client, directory, layout: Layout::Latch, data: Vec::new() };
        Self { queue, policy: Policy::default() }
    }

    /// With this id in the node, for others to see who leads.
    #[must_use]
    pub fn id(mut self, id: impl Into<Vec<u8>>) -> Self {
        self.queue.data = id.into();
        self
    }

    /// Who leads while the connection is away.
    #[must_use]
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Takes part from now on, in the background.
    #[must_use = "dropping the candidate leaves"]
    pub fn join(&self) -> Candidate {
        Candidate::start(self.queue.clone(), self.policy)
    }

    /// Watches who leads, without taking part.
    ///
    /// # Errors
    /// When the server refuses the first look.
    pub async fn observe(&self) -> Result<Observer> {
        Observer::start(self.queue.clone()).await
    }

    /// Everybody who takes part, in the order of succession. The first leads by convention only: it may not know yet, or not be able to.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn participants(&self) -> Result<Vec<Leader>> {
        self.queue.participants().await
    }
}
