//! What all elections share: candidates, their standing, leadership, and observers.
//!
//! [`latch`](super::latch), [`selector`](super::selector), [`election`](super::election) and
//! [`standby`](super::standby) give the layout; here is the rest. A [`Candidate`] takes part in the background; its
//! [`Standing`] changes. [`Leadership`] is one term, with a token, and a signal when it is over. An [`Observer`] sees who leads
//! without taking part.

mod candidate;
mod description;
mod observer;
mod queue;

pub use candidate::Candidate;
pub(crate) use description::description;
pub use observer::{Leader, Observer};
pub(crate) use queue::{Layout, Queue, Turn};

use super::kit::{Held, Live, Teller, first, live};
use crate::client::{Client, Error, Lifetime, State, Transaction};

/// Who counts as leader while the connection is away.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::latch::LeaderLatch;
/// use quorate::recipes::leader::Policy;
///
/// // Leadership survives a lost connection as long as the session does.
/// let candidate = LeaderLatch::new(&client, "/leader").policy(Policy::Session).join();
/// candidate.leads().await?;
/// assert!(candidate.is_leader());
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Nobody on this side: the term is over when the connection is lost, and goes on, with the same token, if the session survives. Curator's
    /// standard policy.
    #[default]
    Connection,
    /// The leader goes on until the session is lost, by the local clock. Curator's session policy.
    Session,
}

/// Where a candidate stands.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::latch::LeaderLatch;
///
/// let candidate = LeaderLatch::new(&client, "/leader").join();
/// let standing = candidate.changes().until(|standing| standing.is_leading()).await.unwrap();
/// assert!(standing.is_leading());
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub enum Standing {
    /// It waits for its turn, or is about to join.
    Waiting,
    /// It leads.
    Leading(Leadership),
    /// It led until the connection was lost; it will lead again if the session survives.
    Suspended,
    /// It takes part no more: it left (`None`), or failed.
    Ended(Option<Error>),
}

impl Standing {
    /// Whether it leads at this moment, see [`Leadership::holds`].
    #[must_use]
    pub fn is_leading(&self) -> bool {
        matches!(self, Self::Leading(leadership) if leadership.holds())
    }
}

/// One term of a leader. It is never lasting: look at [`holds`](Self::holds), wait for [`lost`](Self::lost), hand on
/// [`token`](Self::token).
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::latch::LeaderLatch;
///
/// let candidate = LeaderLatch::new(&client, "/leader").join();
/// let leadership = candidate.leads().await?;
/// // This write happens only under this leadership.
/// leadership.guarded().set("/", b"by the leader", None).commit().await?;
/// candidate.leave().await?;
/// leadership.lost().await;
/// assert!(!leadership.holds());
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Leadership {
    client: Client,
    lifetime: Lifetime,
    path: String,
    /// The nodes without which it does not lead.
    guards: Vec<String>,
    token: i64,
    policy: Policy,
    over: Live<()>,
}

impl Leadership {
    /// A term, and what ends it when dropped.
    pub(crate) fn begin(held: &Held, policy: Policy) -> (Self, Teller<()>) {
        let (teller, over) = live(());
        let term = Self {
            client: held.client().clone(),
            lifetime: held.lifetime().clone(),
            path: held.path(),
            guards: held.paths(),
            token: held.token(),
            policy,
            over,
        };
        (term, teller)
    }

    /// The fencing token: greater than that of every earlier leader. Hand it on with what the leader does, and let the receiver refuse
    /// a smaller one than it has seen.
    #[must_use]
    pub const fn token(&self) -> i64 {
        self.token
    }

    /// The node that stands for it.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the term goes on, as far as this side can know. Right at once, also after a pause of the whole process; it costs
    /// no request.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::latch::LeaderLatch;
    ///
    /// let candidate = LeaderLatch::new(&client, "/leader").join();
    /// let leadership = candidate.leads().await?;
    /// assert!(leadership.holds() && leadership.token() > 0);
    /// assert!(leadership.path().starts_with("/leader/") && leadership.client().shares_session(&client));
    /// client.close().await?;
    /// assert!(!leadership.holds());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn holds(&self) -> bool {
        let connected = || self.client.state() == State::Connected;
        self.lifetime.is_alive()
            && !self.over.is_over()
            && (self.policy == Policy::Session || connected())
    }

    /// Waits until the term is over, no later than the session timeout by the local clock after the last contact. The future
    /// stands alone.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::latch::LeaderLatch;
    ///
    /// let candidate = LeaderLatch::new(&client, "/leader").join();
    /// let leadership = candidate.leads().await?;
    /// candidate.leave().await?;
    /// leadership.lost().await;
    /// assert!(!leadership.holds());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn lost(&self) -> impl Future<Output = ()> + Send + 'static {
        let (over, ended) = (self.over.clone(), self.lifetime.ended());
        async move {
            first(over.over(), ended).await;
        }
    }

    /// A transaction that happens only while the leader leads: its first part checks the node, or both nodes where there are two, and it is never
    /// carried out under a later session of the same client, when a node of the same name may be another's.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::latch::LeaderLatch;
    ///
    /// let candidate = LeaderLatch::new(&client, "/leader").join();
    /// let leadership = candidate.leads().await?;
    /// leadership.guarded().set("/", b"1", None).commit().await?;
    /// candidate.leave().await?;
    /// assert!(leadership.guarded().set("/", b"2", None).commit().await.is_err());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn guarded(&self) -> Transaction {
        self.client.multi().under(&self.lifetime).check_all(self.guards.iter().cloned())
    }

    /// The client that leads.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }
}
