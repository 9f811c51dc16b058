//! Elections in the layouts of kazoo, of ZooKeeper's own recipe and of the textbook, with observers.
//!
//! | [`Form`] | node | shared with |
//! |---|---|---|
//! | `Kazoo` | `<path>/<hex>__lock__N10`, data = id | `kazoo.recipe.election.Election`, a lock |
//! | `Offer` | `<path>/n_N10`, data = host name | `org.apache.zookeeper.recipes.leader.LeaderElectionSupport` |
//! | `SingleNode` | `<path>/leader`, ephemeral | the textbook: whoever creates it is master |
//!
//! The single node has the same name in every term, so that a check of it would hold for the successor as well: beside it stands
//! `<path>/_c_<uuid>-term`, made in the same transaction, which guarded writes check.

use super::layout::lock::Mode;
use super::leader::{Candidate, Layout, Queue, description};
use crate::client::Client;

/// An election at a path. It is only a description: cheap to make, and to clone.
///
/// ```
/// # use quorate::{client::Client, recipes::election::{Election, Form}, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let election = Election::new(client, "/election", Form::SingleNode).id("host-1");
/// let observer = election.observe().await?;
/// let candidate = election.join();
/// let leadership = candidate.leads().await?;
/// let leader = observer.newer_than(0).await.unwrap();
/// assert_eq!((leader.data.as_slice(), leader.token), (&b"host-1"[..], leadership.token()));
/// candidate.leave().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Election {
    queue: Queue,
}

description!(Election);

/// Which clients take part in the same election.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::election::{Election, Form};
///
/// // kazoo's users and these elect one leader together.
/// let candidate = Election::new(&client, "/election", Form::Kazoo).join();
/// assert!(candidate.leads().await?.token() > 0);
/// candidate.leave().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Form {
    /// kazoo's `Election`.
    #[default]
    Kazoo,
    /// ZooKeeper's `LeaderElectionSupport`. Its names have no room for an id: at most one candidate of a session in a directory.
    Offer,
    /// One node that only one can create; the others watch it, and all try again when it goes. Simple, in no order, and a herd: good for a
    /// few candidates. The data begins with an id, by which a candidate finds its node again; [`Leader::data`](super::leader::Leader::data) is without it.
    SingleNode,
}

impl Election {
    /// The election at `path`.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::election::{Election, Form};
    /// use quorate::recipes::leader::Policy;
    ///
    /// let election = Election::new(&client, "/election", Form::Offer).policy(Policy::Session);
    /// assert!(election.join().leads().await?.holds());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn new(client: &Client, path: &str, form: Form) -> Self {
        let layout = match form {
            Form::Kazoo => Layout::Lock(Mode::Kazoo { yields_to_curator: false }),
            Form::Offer => Layout::Offer,
            Form::SingleNode => Layout::Single,
        };
        Self { queue: Queue::new(client, path.to_owned(), layout) }
    }

    /// Takes part from now on, in the background.
    #[must_use = "dropping the candidate leaves"]
    pub fn join(&self) -> Candidate {
        Candidate::start(self.queue.clone())
    }
}
