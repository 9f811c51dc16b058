//! The exclusive lock: a fair queue, compatible with the other clients' locks.
//!
//! Each contender creates an ephemeral sequential node; the lowest number holds the lock; everybody else watches the
//! nearest before it. Layout: `<path>/_c_<uuid>-lock-N10` and its relatives, see [`Mode`].
//! Source: `org.apache.curator.framework.recipes.locks.InterProcessMutex`, `kazoo.recipe.lock.Lock`.

use super::kit::{Held, Kind, Line, children_or_none, first_of, get_or_none, join, patiently};
use super::layout::lock::{Mode, REVOKE};
use super::reentrant::Reentrant;
use crate::client::{Client, Error, ErrorCode, Result, Watch, within};
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
    revocable: bool,
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
            revocable: false,
        }
    }

    /// In this layout: it decides which other clients are excluded.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::layout::lock::Mode;
    /// use quorate::recipes::lock::Lock;
    ///
    /// // Among kazoo's users.
    /// let held = Lock::new(&client, "/lock").mode(Mode::Kazoo { yields_to_curator: true }).acquire().await?;
    /// assert!(held.path().ends_with("__lock__0000000000"));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub const fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// With these bytes in the node, for others to see who holds or waits.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::lock::Lock;
    ///
    /// let lock = Lock::new(&client, "/lock").data("host-1");
    /// let held = lock.acquire().await?;
    /// assert_eq!(client.get(&held.path()).await?.0, b"host-1");
    /// assert_eq!((lock.path(), lock.client().root()), ("/lock", ""));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    /// Whose holder can be asked to release: then the node must say nothing else, and what [`data`](Self::data) gave is left out.
    /// The holder listens with [`Revocable::revoked`].
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::lock::{Lock, Revocable as _};
    ///
    /// let lock = Lock::new(&client, "/lock").revocable();
    /// let held = lock.acquire().await?;
    /// lock.revoke(&lock.participants().await?[0]).await?;
    /// held.revoked().await?;
    /// assert!(lock.participants().await?[0].is_revoked());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub const fn revocable(mut self) -> Self {
        self.revocable = true;
        self
    }

    /// An owner who may take the lock again while holding it.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::lock::Lock;
    ///
    /// let owner = Lock::new(&client, "/lock").owner();
    /// let outer = owner.acquire().await?;
    /// // Not a second place in the queue, which would wait for the first.
    /// let inner = owner.acquire().await?;
    /// assert_eq!(inner.path(), outer.path());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn owner(&self) -> Reentrant {
        Reentrant::new(self)
    }

    /// Waits until the lock is held. Cancel by dropping the future: the place in the queue is given up. When the session is lost
    /// while waiting, a new place is taken under the next one.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::lock::Lock;
    ///
    /// let lock = Lock::new(&client, "/lock");
    /// let first = lock.acquire().await?;
    /// let token = first.token();
    /// // Whoever comes later waits; dropping `first` releases it.
    /// drop(first);
    /// let second = lock.acquire().await?;
    /// assert!(second.token() > token);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the client is closed, or the server refuses.
    pub async fn acquire(&self) -> Result<Held> {
        self.line().acquire(|id| self.mode.stems(id), |c, mine| self.mode.position(c, mine)).await
    }

    /// Waits for the lock, but not longer than `limit`; `None` when the time is over.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::lock::Lock;
    /// use std::time::Duration;
    ///
    /// let lock = Lock::new(&client, "/lock");
    /// let held = lock.acquire().await?;
    /// assert!(lock.acquire_within(Duration::from_millis(20)).await?.is_none());
    /// // The place that was given up is gone.
    /// held.release().await?;
    /// assert!(lock.acquire_within(Duration::from_secs(10)).await?.is_some());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire).
    pub async fn acquire_within(&self, limit: Duration) -> Result<Option<Held>> {
        within(&**self.client.environment(), limit, self.acquire()).await.transpose()
    }

    /// Takes the lock if nobody holds it or waits for it.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::lock::Lock;
    ///
    /// let lock = Lock::new(&client, "/lock");
    /// let held = lock.try_acquire().await?.expect("nobody else wants it");
    /// assert!(lock.try_acquire().await?.is_none());
    /// # drop(held);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire).
    pub async fn try_acquire(&self) -> Result<Option<Held>> {
        self.line()
            .try_acquire(|id| self.mode.stems(id), |c, mine| self.mode.position(c, mine))
            .await
    }

    fn line(&self) -> Line<'_> {
        let data = if self.revocable { &[] } else { self.data.as_slice() };
        Line { client: &self.client, directory: &self.path, data, kind: Kind::Sequential }
    }

    /// Who holds the lock and who waits, in order, each with the data of its node. The first is the holder by convention only.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::lock::Lock;
    ///
    /// let lock = Lock::new(&client, "/lock").data("host-1");
    /// let held = lock.acquire().await?;
    /// let participants = lock.participants().await?;
    /// assert_eq!((participants.len(), participants[0].data.as_slice()), (1, &b"host-1"[..]));
    /// assert_eq!(participants[0].session, client.session_id());
    /// # drop(held);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn participants(&self) -> Result<Vec<Participant>> {
        let children = children_or_none(&self.client, &self.path).await?;
        let mut found = Vec::new();
        for name in self.mode.participants(&children) {
            let path = join(&self.path, name);
            if let Some((data, stat)) = get_or_none(&self.client, &path).await? {
                found.push(Participant { path, data, session: stat.ephemeral_owner });
            }
        }
        Ok(found)
    }

    /// Asks a holder to release, as Curator's `Revoker` does: it may or may not comply, see [`Revocable`].
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::lock::Lock;
    ///
    /// let lock = Lock::new(&client, "/lock").revocable();
    /// let held = lock.acquire().await?;
    /// lock.revoke(&lock.participants().await?[0]).await?;
    /// // It was asked, and holds the lock as long as it likes.
    /// assert!(lock.participants().await?[0].is_revoked() && held.is_held());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
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
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::lock::Lock;
///
/// let lock = Lock::new(&client, "/lock").data("host-1");
/// let held = lock.acquire().await?;
/// let first = &lock.participants().await?[0];
/// assert_eq!((&first.path, first.data.as_slice()), (&held.path(), &b"host-1"[..]));
/// assert!(!first.is_revoked());
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// Its node.
    pub path: String,
    /// What it wrote there; Curator writes its address, or `__REVOKE__` stands there.
    pub data: Vec<u8>,
    /// Its session.
    pub session: i64,
}

impl Participant {
    /// Whether it has been asked to release.
    #[must_use]
    pub fn is_revoked(&self) -> bool {
        self.data == REVOKE
    }
}

/// The holder's side of revocation: a request, not an order.
///
/// ```
/// # use quorate::{client::Client, recipes::lock::{Lock, Revocable as _}, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let lock = Lock::new(client, "/lock").revocable();
/// let held = lock.acquire().await?;
///
/// // Somewhere else:
/// let holders = lock.participants().await?;
/// if let Some(holder) = holders.first() {
///     lock.revoke(holder).await?;
/// }
///
/// // Back at the holder, best beside the work:
/// held.revoked().await?;
/// held.release().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
pub trait Revocable {
    /// Waits until somebody asks for the lock's release. The lock must be [`revocable`](Lock::revocable), or have been
    /// acquired without data.
    ///
    /// # Errors
    /// `NoNode` or `SessionExpired` when the lock is lost.
    fn revoked(&self) -> impl Future<Output = Result<()>> + Send;
}

impl Revocable for Held {
    async fn revoked(&self) -> Result<()> {
        let names: Vec<String> = self.claim().names().into_iter().map(str::to_owned).collect();
        loop {
            // A bridge has two nodes, and either may be the one that a stranger knows how to revoke.
            let mut watches: Vec<Watch> = Vec::new();
            for name in &names {
                let path = join(self.claim().directory(), name);
                let (data, _, watch) = patiently(|| self.client().get_and_watch(&path)).await?;
                if data == REVOKE {
                    return Ok(());
                }
                watches.push(watch);
            }
            first_of(&mut watches).await.1?;
            if !self.is_held() {
                return Err(Error::new(ErrorCode::SessionExpired, "revoked", self.path()));
            }
        }
    }
}
