//! The leader latch: take part in the background, know at any time whether one leads.
//!
//! Layout, shared with `org.apache.curator.framework.recipes.leader.LeaderLatch`: `<path>/_c_<uuid>-latch-N10`, ephemeral sequential,
//! data = the participant's id. The lowest number leads; each watches its predecessor.

use super::leader::{Candidate, Layout, Queue, description};
use crate::client::Client;

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
}

description!(LeaderLatch);

impl LeaderLatch {
    /// The latch at `path`.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::latch::LeaderLatch;
    /// use quorate::recipes::leader::Policy;
    ///
    /// let latch = LeaderLatch::new(&client, "/leader").id("host-1").policy(Policy::Session);
    /// let candidate = latch.join();
    /// let leadership = candidate.leads().await?;
    /// assert_eq!(client.get(leadership.path()).await?.0, b"host-1");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        Self { queue: Queue::new(client, path.to_owned(), Layout::Latch) }
    }

    /// Takes part from now on, in the background.
    #[must_use = "dropping the candidate leaves"]
    pub fn join(&self) -> Candidate {
        Candidate::start(self.queue.clone())
    }
}
