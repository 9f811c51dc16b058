//! The read/write lock: readers together, writers alone, in the order in which they came.
//!
//! A reader waits for the nearest earlier writer, a writer for the nearest earlier node of any kind. A writer in the queue keeps later
//! readers behind it, so that it is not starved. Layout: `<path>/_c_<uuid>-__READ__N10`, `…-__WRIT__N10`, and relatives, see [`Mode`].
//! Source: `org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock`, `kazoo.recipe.lock.ReadLock`.

use super::kit::{Claim, Held, Kind, Line, children_or_none};
use super::layout::read_write::{self as names, Access, Mode};
use crate::client::{Client, Error, ErrorCode, Result, within};
use std::ops::Deref;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Mutex;

/// A read/write lock at a path. It is only a description: cheap to make, and to clone.
///
/// Each call takes a place of its own. For an owner who enters several times, or reads while it writes, see
/// [`owner`](Self::owner).
///
/// ```
/// # use quorate::{client::Client, recipes::read_write::ReadWriteLock, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let lock = ReadWriteLock::new(client, "/table");
/// let one = lock.read().await?;
/// let two = lock.read().await?;
/// assert!(lock.try_write().await?.is_none());
/// one.release().await?;
/// two.release().await?;
///
/// let write = lock.write().await?;
/// // … and go on reading, before any writer that waits:
/// let read = lock.downgrade(write).await?;
/// read.release().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ReadWriteLock {
    client: Client,
    path: String,
    mode: Mode,
    data: Vec<u8>,
}

impl ReadWriteLock {
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
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::layout::read_write::Mode;
    /// use quorate::recipes::read_write::ReadWriteLock;
    ///
    /// // Among kazoo's users, with a name for them to see.
    /// let lock = ReadWriteLock::new(&client, "/table").mode(Mode::Kazoo).data("host-1");
    /// let held = lock.read().await?;
    /// assert_eq!(client.get(&held.path()).await?.0, b"host-1");
    /// assert_eq!((lock.path(), lock.client().root()), ("/table", ""));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// With these bytes in the nodes.
    #[must_use]
    pub fn data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    /// Waits until it may be read, also across the loss of a session. Cancel by dropping the future.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::read_write::ReadWriteLock;
    ///
    /// let lock = ReadWriteLock::new(&client, "/table");
    /// let (one, two) = (lock.read().await?, lock.read().await?);
    /// assert!(one.is_held() && two.is_held());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the client is closed, or the server refuses.
    pub async fn read(&self) -> Result<Held> {
        self.acquire(Access::Read).await
    }

    /// Waits until it may be written, as [`read`](Self::read) does.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::read_write::ReadWriteLock;
    ///
    /// let lock = ReadWriteLock::new(&client, "/table");
    /// let held = lock.write().await?;
    /// assert!(lock.try_read().await?.is_none() && lock.try_write().await?.is_none());
    /// # drop(held);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub async fn write(&self) -> Result<Held> {
        self.acquire(Access::Write).await
    }

    /// Waits no longer than `limit`; `None` when the time is over.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::read_write::ReadWriteLock;
    /// use std::time::Duration;
    ///
    /// let lock = ReadWriteLock::new(&client, "/table");
    /// let held = lock.write().await?;
    /// assert!(lock.read_within(Duration::from_millis(20)).await?.is_none());
    /// # drop(held);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub async fn read_within(&self, limit: Duration) -> Result<Option<Held>> {
        within(&**self.client.environment(), limit, self.read()).await.transpose()
    }

    /// Waits no longer than `limit`; `None` when the time is over.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::read_write::ReadWriteLock;
    /// use std::time::Duration;
    ///
    /// let lock = ReadWriteLock::new(&client, "/table");
    /// let held = lock.read().await?;
    /// assert!(lock.write_within(Duration::from_millis(20)).await?.is_none());
    /// // The writer waits no more: readers get in again.
    /// assert!(lock.read_within(Duration::from_secs(10)).await?.is_some());
    /// # drop(held);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub async fn write_within(&self, limit: Duration) -> Result<Option<Held>> {
        within(&**self.client.environment(), limit, self.write()).await.transpose()
    }

    /// The read lock, if no writer has it or waits for it.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::read_write::ReadWriteLock;
    ///
    /// let lock = ReadWriteLock::new(&client, "/table");
    /// let held = lock.try_read().await?.expect("nobody writes");
    /// assert!(lock.try_read().await?.is_some());
    /// # drop(held);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`read`](Self::read), and when the session ends meanwhile.
    pub async fn try_read(&self) -> Result<Option<Held>> {
        self.try_acquire(Access::Read).await
    }

    /// The write lock, if nobody has any or waits for one.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::read_write::ReadWriteLock;
    ///
    /// let lock = ReadWriteLock::new(&client, "/table");
    /// let held = lock.try_write().await?.expect("nobody is there");
    /// assert!(lock.try_read().await?.is_none());
    /// # drop(held);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`read`](Self::read), and when the session ends meanwhile.
    pub async fn try_write(&self) -> Result<Option<Held>> {
        self.try_acquire(Access::Write).await
    }

    /// A read lock at the place in the queue of a write lock that is held: both are held then. Its token is its own, and greater.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::read_write::ReadWriteLock;
    ///
    /// let lock = ReadWriteLock::new(&client, "/table");
    /// let write = lock.write().await?;
    /// let read = lock.read_beside(&write).await?;
    /// assert!(read.token() > write.token());
    /// // The writer leaves; the reader stays where the writer was.
    /// write.release().await?;
    /// assert!(lock.try_write().await?.is_none());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `BadArguments` if what is given is no write lock of this path and mode; `SessionExpired` if it is lost.
    pub async fn read_beside(&self, write: &Held) -> Result<Held> {
        let no_writer = || {
            Error::new(ErrorCode::BadArguments, "downgrade", write.path())
                .with_detail(format!("this is no write lock of {} in this layout", self.path))
        };
        let writers = write.claim().names();
        let of_this_lock = write.claim().directory() == self.path;
        let possible = |id| self.mode.downgraded(id, &writers).filter(|_| of_this_lock);
        if possible(super::layout::Id(0)).is_none() {
            return Err(no_writer());
        }
        let lost = || Error::new(ErrorCode::SessionExpired, "downgrade", write.path());
        let kind = if self.is_marked() { Kind::PlainMarked } else { Kind::Plain };
        let stems = |id| possible(id).unwrap_or_default();
        let claim = Claim::create(&self.client, &self.path, stems, &self.data, kind).await?;
        // The node of the writer must have been there when that of the reader came. That it is there now says so.
        if !write.is_intact().await? {
            claim.remove().await?;
            return Err(lost());
        }
        Ok(Held::new(claim))
    }

    /// Turns a write lock into a read lock that keeps its place: no writer comes between.
    ///
    /// The opposite does not exist: whoever waits for a write lock while reading waits for itself. An [`owner`](Self::owner) that
    /// tries is refused; between independent holders, release first.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::read_write::ReadWriteLock;
    ///
    /// let lock = ReadWriteLock::new(&client, "/table");
    /// let write = lock.write().await?;
    /// let read = lock.downgrade(write).await?;
    /// assert!(lock.try_read().await?.is_some() && lock.try_write().await?.is_none());
    /// # drop(read);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`read_beside`](Self::read_beside); then the write lock is released.
    pub async fn downgrade(&self, write: Held) -> Result<Held> {
        let read = self.read_beside(&write).await?;
        write.release().await?;
        Ok(read)
    }

    /// An owner who may enter several times.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::read_write::ReadWriteLock;
    ///
    /// let owner = ReadWriteLock::new(&client, "/table").owner();
    /// let (write, read) = (owner.write().await?, owner.read().await?);
    /// assert!(write.is_held() && read.is_held());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn owner(&self) -> ReadWriteOwner {
        ReadWriteOwner { lock: self.clone(), current: Arc::default() }
    }

    /// Who holds the lock or waits for it, in order: paths and what they want.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::layout::read_write::Access;
    /// use quorate::recipes::read_write::ReadWriteLock;
    ///
    /// let lock = ReadWriteLock::new(&client, "/table");
    /// let held = lock.read().await?;
    /// assert_eq!(lock.participants().await?, [(held.path(), Access::Read)]);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn participants(&self) -> Result<Vec<(String, Access)>> {
        let children = children_or_none(&self.client, &self.path).await?;
        let all = names::participants(&children).into_iter();
        Ok(all.map(|(name, access)| (super::kit::join(&self.path, name), access)).collect())
    }

    async fn acquire(&self, access: Access) -> Result<Held> {
        let stems = |id| self.mode.stems(id, access);
        self.line().acquire(stems, |c, mine| names::position(c, access, mine, &[])).await
    }

    async fn try_acquire(&self, access: Access) -> Result<Option<Held>> {
        let stems = |id| self.mode.stems(id, access);
        self.line().try_acquire(stems, |c, mine| names::position(c, access, mine, &[])).await
    }

    fn line(&self) -> Line<'_> {
        let kind = if self.is_marked() { Kind::SequentialMarked } else { Kind::Sequential };
        Line { client: &self.client, directory: &self.path, data: &self.data, kind }
    }

    /// Whether the names have no room for an id.
    const fn is_marked(&self) -> bool {
        matches!(self.mode, Mode::Textbook(_))
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

/// One owner of a read/write lock, for which Curator takes a thread. Clones are the same owner.
///
/// It may read again while reading, write again while writing, and read while writing. It may not write while it only reads: that
/// is refused at once.
///
/// ```
/// # use quorate::{client::{Client, ErrorCode}, recipes::read_write::ReadWriteLock, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let owner = ReadWriteLock::new(client, "/table").owner();
/// let write = owner.write().await?;
/// let read = owner.read().await?; // keeps the place of the writer
/// write.release().await?;
/// let refused = owner.write().await.unwrap_err();
/// assert_eq!(refused.code(), ErrorCode::BadArguments);
/// read.release().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ReadWriteOwner {
    lock: ReadWriteLock,
    /// Locked while one task acquires for all; the others of the same owner wait here.
    current: Arc<Mutex<Current>>,
}

#[derive(Debug, Default)]
struct Current {
    read: Weak<Held>,
    write: Weak<Held>,
}

/// A read or write lock, entered once more by its owner. It gives what [`Held`] gives.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::read_write::ReadWriteLock;
///
/// let entered = ReadWriteLock::new(&client, "/table").owner().write().await?;
/// assert_eq!(entered.depth(), 1);
/// entered.release().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct EnteredReadWrite {
    held: Arc<Held>,
    access: Access,
}

impl ReadWriteOwner {
    /// Enters for reading: at once when this owner reads or writes already.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::layout::read_write::Access;
    /// use quorate::recipes::read_write::ReadWriteLock;
    ///
    /// let owner = ReadWriteLock::new(&client, "/table").owner();
    /// let outer = owner.read().await?;
    /// let inner = owner.read().await?;
    /// assert_eq!((inner.depth(), inner.access(), owner.lock().path()), (2, Access::Read, "/table"));
    /// # drop(outer);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`ReadWriteLock::read`].
    pub async fn read(&self) -> Result<EnteredReadWrite> {
        let mut current = self.current.lock().await;
        if let Some(held) = held(&current.read) {
            return Ok(EnteredReadWrite { held, access: Access::Read });
        }
        let beside = match held(&current.write) {
            Some(write) => match self.lock.read_beside(&write).await {
                // Lost just now: then as if it had not been held.
                Err(error) if error.code() == ErrorCode::SessionExpired => None,
                other => Some(other?),
            },
            None => None,
        };
        let held = Arc::new(match beside {
            Some(held) => held,
            None => self.lock.read().await?,
        });
        current.read = Arc::downgrade(&held);
        Ok(EnteredReadWrite { held, access: Access::Read })
    }

    /// Enters for writing: at once when this owner writes already.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::ErrorCode;
    /// use quorate::recipes::read_write::ReadWriteLock;
    ///
    /// let owner = ReadWriteLock::new(&client, "/table").owner();
    /// let read = owner.read().await?;
    /// // It would wait for itself.
    /// assert_eq!(owner.write().await.unwrap_err().code(), ErrorCode::BadArguments);
    /// read.release().await?;
    /// assert_eq!(owner.write().await?.depth(), 1);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `BadArguments` when this owner reads and does not write: it would wait for itself. Else as for [`ReadWriteLock::write`].
    pub async fn write(&self) -> Result<EnteredReadWrite> {
        let mut current = self.current.lock().await;
        if let Some(held) = held(&current.write) {
            return Ok(EnteredReadWrite { held, access: Access::Write });
        }
        if held(&current.read).is_some() {
            return Err(Error::new(ErrorCode::BadArguments, "write", self.lock.path.as_str())
                .with_detail("this owner reads: it would wait for itself; leave first"));
        }
        let held = Arc::new(self.lock.write().await?);
        current.write = Arc::downgrade(&held);
        Ok(EnteredReadWrite { held, access: Access::Write })
    }

    /// The lock.
    #[must_use]
    pub const fn lock(&self) -> &ReadWriteLock {
        &self.lock
    }
}

impl EnteredReadWrite {
    /// How often the owner is in, in this way.
    #[must_use]
    pub fn depth(&self) -> usize {
        Arc::strong_count(&self.held)
    }

    /// In which way.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::layout::read_write::Access;
    /// use quorate::recipes::read_write::ReadWriteLock;
    ///
    /// let owner = ReadWriteLock::new(&client, "/table").owner();
    /// let (write, read) = (owner.write().await?, owner.read().await?);
    /// assert_eq!((write.access(), read.access()), (Access::Write, Access::Read));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub const fn access(&self) -> Access {
        self.access
    }

    /// Leaves once. The last one to leave in this way releases the node, and returns when it is gone.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::read_write::ReadWriteLock;
    ///
    /// let lock = ReadWriteLock::new(&client, "/table");
    /// let owner = lock.owner();
    /// let (outer, inner) = (owner.write().await?, owner.write().await?);
    /// outer.release().await?;
    /// assert!(lock.try_read().await?.is_none());
    /// inner.release().await?;
    /// assert!(lock.try_read().await?.is_some());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`Held::release`].
    pub async fn release(self) -> Result<()> {
        match Arc::into_inner(self.held) {
            Some(last) => last.release().await,
            None => Ok(()),
        }
    }
}

impl Deref for EnteredReadWrite {
    type Target = Held;

    fn deref(&self) -> &Held {
        &self.held
    }
}

fn held(current: &Weak<Held>) -> Option<Arc<Held>> {
    current.upgrade().filter(|held| held.is_held())
}
