//! The exclusive lock: a fair queue, compatible with the other clients' locks.
//!
//! Each contender creates an ephemeral sequential node; the lowest number holds the lock; everybody else watches the
//! nearest before it. Layout: `<path>/_c_<uuid>-lock-N10` and its relatives, see [`Mode`].
//! Source: `org.apache.curator.framework.recipes.locks.InterProcessMutex`, `kazoo.recipe.lock.Lock`.

use super::kit::{Claim, Held, Kind, join, patiently};
use super::layout::lock::{Mode, REVOKE};
use super::layout::position::Position;
use crate::client::{Client, Error, ErrorCode, Result, within};
use std::time::Duration;

/// An exclusive lock at a path. It is only a description: cheap to make, and to clone.
///
/// ```
/// # use quorate::{client::Client, recipes::lock::Lock, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let lock = Lock::new(client, "/locks/report");
/// let held = lock.acquire().await?;
/// // … `held.token()` goes along with whatever is written elsewhere …
/// client.create("/result", b"1", quorate::client::CreateMode::Persistent).await?;
/// // This happens only if the lock is still held when the server carries it out.
/// held.guarded().set("/result", b"2", None).commit().await?;
/// held.release().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Lock {
    client: Client,
    path: String,
    mode: Mode,
    data: Vec<u8>,
}

impl Lock {
    /// The lock at `path`, in Curator's layout.
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        Self {
            client: client.clone(),
            path: path.to_owned(),
            mode: Mode::Curator,
            data: Vec::new(),
        }
    }

    /// In this layout: it decides which other clients are excluded.
    #[must_use]
    pub const fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// With these bytes in the node, for others to see who holds or waits.
    #[must_use]
    pub fn data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    /// Waits until the lock is held. Cancel by dropping the future: the place in the queue is given up. When the session is lost
    /// while waiting, a new place is taken under the next one.
    ///
    /// # Errors
    /// When the client is closed, or the server refuses.
    pub async fn acquire(&self) -> Result<Held> {
        loop {
            match self.queue(true).await {
                Ok(Some(held)) => return Ok(held),
                Ok(None) => {}
                Err(error) if error.code() == ErrorCode::SessionExpired => {
                    self.client.connected().await?
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits for the lock, but not longer than `limit`; `None` when the time is over.
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire).
    pub async fn acquire_within(&self, limit: Duration) -> Result<Option<Held>> {
        within(&**self.client.environment(), limit, self.acquire()).await.transpose()
    }

    /// Takes the lock if nobody holds it or waits for it.
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire).
    pub async fn try_acquire(&self) -> Result<Option<Held>> {
        self.queue(false).await
    }

    /// Takes a place in the queue and stays until the lock is held; with `wait` false only if it is held at once.
    /// `None` when the place was lost, or not to be waited in.
    async fn queue(&self, wait: bool) -> Result<Option<Held>> {
        let stems = |id| self.mode.stems(id);
        let list = |client: &Client| client.children(&self.path);
        let (claim, mut listed) = Claim::create_before(
            &self.client,
            &self.path,
            stems,
            &self.data,
            Kind::Sequential,
            list,
        )
        .await?;
        loop {
            let children = match listed {
                Ok((children, _)) => children,
                Err(error) if error.is_connection_loss() => {
                    patiently(|| self.client.children(&self.path)).await?.0
                }
                Err(error) => return Err(error),
            };
            match self.mode.position(&children, &claim.names()) {
                Position::Held if claim.lifetime().is_alive() => return Ok(Some(Held::new(claim))),
                Position::Wait(before) if wait => self.wait_for(before).await?,
                // The node is gone, or the session: from the start.
                Position::Held | Position::Missing if wait => return Ok(None),
                _ => {
                    claim.remove().await?;
                    return Ok(None);
                }
            }
            listed = self.client.children(&self.path).await;
        }
    }

    /// Waits until the node before changes or goes. Reading it rather than asking for its existence leaves no watch
    /// behind when it is gone already.
    async fn wait_for(&self, before: &str) -> Result<()> {
        match self.client.get_and_watch(&join(&self.path, before)).await {
            Ok((_, _, watch)) => watch.await.map(drop),
            Err(error) if error.code() == ErrorCode::NoNode || error.is_connection_loss() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Who holds the lock and who waits, in order, each with the data of its node. The first is the holder by convention only.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn participants(&self) -> Result<Vec<Participant>> {
        let children = match patiently(|| self.client.children(&self.path)).await {
            Ok((children, _)) => children,
            Err(error) if error.code() == ErrorCode::NoNode => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut found = Vec::new();
        for name in self.mode.participants(&children) {
            let path = join(&self.path, name);
            match patiently(|| self.client.get(&path)).await {
                Ok((data, stat)) => {
                    found.push(Participant { path, data, session: stat.ephemeral_owner })
                }
                Err(error) if error.code() == ErrorCode::NoNode => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Asks a holder to release, as Curator's `Revoker` does: it may or may not comply, see [`Revocable`].
    ///
    /// # Errors
    /// `NoNode` when it has released meanwhile.
    pub async fn revoke(&self, participant: &Participant) -> Result<()> {
        patiently(|| self.client.set(&participant.path, REVOKE, None)).await.map(drop)
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

/// Who holds a lock or waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// Its node.
    pub path: String,
    /// What it wrote there; Curator writes its address, or `__REVOKE__` stands there.
    pub data: Vec<u8>,
    /// Its session.
    pub session: i64,
}

/// The holder's side of revocation.
pub trait Revocable {
    /// Waits until somebody asks for the lock's release. The lock must have been acquired without data.
    ///
    /// # Errors
    /// When the lock is lost.
    fn revoked(&self) -> impl Future<Output = Result<()>>;
}

impl Revocable for Held {
    async fn revoked(&self) -> Result<()> {
        let path = self.path();
        loop {
            match self.client().get_and_watch(&path).await {
                Ok((data, ..)) if data == REVOKE => return Ok(()),
                Ok((_, _, watch)) => drop(watch.await?),
                Err(error) if error.is_connection_loss() => {}
                Err(error) => return Err(error),
            }
            if !self.is_held() {
                return Err(Error::new(ErrorCode::SessionExpired, "revoked", path));
            }
        }
    }
}
