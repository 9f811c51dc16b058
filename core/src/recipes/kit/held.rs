//! [`Held`]: something that a client holds until it releases or loses it.

use super::backoff::Backoff;
use super::claim::Claim;
use super::patience::{join, patiently};
use super::race::{First, first, first_of};
use crate::client::{Client, Lifetime, Result, Transaction};
use std::future::Future;
use tracing::Span;

/// A lock, a lease or a leadership, held. Dropping it releases it in the background; [`release`](Self::release) waits for
/// that.
///
/// Between the moment when a session ends and the moment when its owner knows, another may hold the same thing. The client's
/// clock makes that impossible as long as the owner looks: [`is_held`](Self::is_held) is false, and [`lost`](Self::lost) fires,
/// before a server can have ended the session. What is written elsewhere meanwhile is protected by [`token`](Self::token).
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::lock::Lock;
///
/// let held = Lock::new(&client, "/lock").acquire().await?;
/// assert!(held.is_held() && held.token() > 0);
/// assert!(held.path().starts_with("/lock/"));
/// held.release().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Held {
    claim: Claim,
    /// Lasts as long as this.
    _span: Span,
}

/// Why something is not held any more.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::kit::Loss;
/// use quorate::recipes::lock::Lock;
///
/// let held = Lock::new(&client, "/lock").acquire().await?;
/// let lost = held.lost();
/// // Somebody else removes the node.
/// client.delete(&held.path(), None).await?;
/// assert_eq!(lost.await, Loss::Deleted);
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Loss {
    /// The session was lost or closed.
    Session,
    /// Somebody deleted the node.
    Deleted,
}

impl Held {
    /// A claim that was granted.
    #[must_use]
    pub fn new(claim: Claim) -> Self {
        let span = tracing::debug_span!(
            target: "quorate::recipes",
            // It outlasts the wait that it comes from.
            parent: None,
            "hold",
            path = claim.path(),
            token = claim.token(),
        );
        Self { claim, _span: span }
    }

    /// The fencing token: greater than that of every earlier holder. Hand it on with what is done under the lock, and let the
    /// receiver refuse a smaller one than it has seen.
    #[must_use]
    pub const fn token(&self) -> i64 {
        self.claim.token()
    }

    /// The path of the node that stands for it; of the first, where there are two.
    #[must_use]
    pub fn path(&self) -> String {
        self.claim.path()
    }

    /// The paths of all nodes that stand for it. Without one of them it is not held.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.claim.names().into_iter().map(|name| join(self.claim.directory(), name)).collect()
    }

    /// Whether the session lives, by the local clock. It costs no request.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.claim.lifetime().is_alive()
    }

    /// The session's life, on which this depends.
    #[must_use]
    pub const fn lifetime(&self) -> &Lifetime {
        self.claim.lifetime()
    }

    /// The client that holds it.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::lock::Lock;
    ///
    /// client.create("/app", b"", quorate::client::CreateMode::Persistent).await?;
    /// let view = client.view("/app")?;
    /// let held = Lock::new(&view, "/lock").acquire().await?;
    /// assert_eq!((held.client().root(), held.path().starts_with("/lock/")), ("/app", true));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub const fn client(&self) -> &Client {
        self.claim.client()
    }

    /// A transaction that happens only while this is held: its first part checks the node, or both nodes where there are two, and it is never
    /// carried out under a later session of the same client, when a node of the same name may be another's.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::lock::Lock;
    ///
    /// let held = Lock::new(&client, "/lock").acquire().await?;
    /// held.guarded().set("/", b"1", None).commit().await?;
    /// // Somebody removes the node: nothing is written any more.
    /// client.delete(&held.path(), None).await?;
    /// assert!(held.guarded().set("/", b"2", None).commit().await.is_err());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn guarded(&self) -> Transaction {
        self.guard(self.client().multi().under(self.lifetime()))
    }

    /// The transaction with one more part, which demands that this is held.
    pub(crate) fn guard(&self, transaction: Transaction) -> Transaction {
        transaction.check_all(self.paths())
    }

    /// Waits until this is lost, no later than the session timeout by the local clock after the last contact. The future stands alone: it
    /// can be given to another task.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::{kit::Loss, lock::Lock};
    ///
    /// let held = Lock::new(&client, "/lock").acquire().await?;
    /// let lost = held.lost();
    /// client.close().await?;
    /// assert_eq!(lost.await, Loss::Session);
    /// assert!(!held.is_held());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn lost(&self) -> impl Future<Output = Loss> + Send + use<> {
        any_lost(self.client().clone(), self.lifetime().clone(), self.paths(), Some(self.token()))
    }

    /// Whether its nodes are there, and not others of the same names.
    pub(crate) async fn is_intact(&self) -> Result<bool> {
        for path in self.paths() {
            let stat = patiently(|| self.client().exists(&path)).await?;
            if stat.is_none_or(|stat| stat.czxid != self.token()) {
                return Ok(false);
            }
        }
        Ok(self.is_held())
    }

    /// Releases it. Returns when the node is gone, or when the session is, which removes it too.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::lock::Lock;
    ///
    /// let lock = Lock::new(&client, "/lock");
    /// let held = lock.acquire().await?;
    /// held.release().await?;
    /// assert!(lock.try_acquire().await?.is_some());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses to delete the node, for want of permission.
    pub async fn release(self) -> Result<()> {
        self.claim.remove().await
    }

    /// The claim behind it.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::{kit::{Claim, Held}, lock::Lock};
    ///
    /// let held = Lock::new(&client, "/lock").acquire().await?;
    /// assert_eq!((held.claim().token(), held.claim().directory()), (held.token(), "/lock"));
    /// assert!(held.lifetime().is_alive());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub const fn claim(&self) -> &Claim {
        &self.claim
    }
}

/// Waits until a session has ended or a node of it is gone.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::{kit::{Loss, lost}, lock::Lock};
///
/// let held = Lock::new(&client, "/lock").acquire().await?;
/// let loss = lost(client.clone(), held.lifetime().clone(), held.path());
/// client.delete(&held.path(), None).await?;
/// assert_eq!(loss.await, Loss::Deleted);
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
pub async fn lost(client: Client, lifetime: Lifetime, path: String) -> Loss {
    any_lost(client, lifetime, vec![path], None).await
}

/// Waits until a session has ended or one of several nodes of it is gone. They were created by the transaction `token`, if that is known.
async fn any_lost(
    client: Client,
    lifetime: Lifetime,
    paths: Vec<String>,
    token: Option<i64>,
) -> Loss {
    let mut deletions: Vec<_> =
        paths.iter().map(|path| Box::pin(deleted(&client, path, token))).collect();
    match first(lifetime.ended(), first_of(&mut deletions)).await {
        First::Left(()) => Loss::Session,
        First::Right(_) => Loss::Deleted,
    }
}

/// Waits until a node is gone, be there another in its place or not. Never ends when the session does: that is told otherwise. Whatever else is in
/// the way passes: too many requests in flight, a server that cannot answer at the moment, a permission that is missing so far.
async fn deleted(client: &Client, path: &str, mut token: Option<i64>) {
    let mut backoff = Backoff::default();
    loop {
        let looked = match client.exists_and_watch(path).await {
            Ok((Some(stat), watch)) if stat.czxid == *token.get_or_insert(stat.czxid) => {
                backoff.reset();
                watch.await.map(drop)
            }
            Ok(_) => return,
            Err(error) => Err(error),
        };
        match looked {
            Err(error) if error.is_session_end() => return std::future::pending().await,
            Err(error) if !error.is_connection_loss() => backoff.pause(client).await,
            _ => {}
        }
    }
}
