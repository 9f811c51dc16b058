//! The semaphore: at most so many leases at once, for all clients together.
//!
//! Who wants leases takes an entry lock, waits there until there is room for all of them, and leaves. So only one waits for leases to come
//! back, the others wait in line for it, and two who want several cannot block each other half-way. Layouts: see [`Kind`].
//! Source: `org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2`, `kazoo.recipe.lock.Semaphore`.

use super::kit::{self, Claim, First, Held, ensure, first, patiently};
use super::layout::counter::{decode_i32, encode_i32};
use super::layout::lock::Mode;
use super::layout::semaphore::{Kind, Layout, limit_data, parse_limit};
use super::lock::Lock;
use crate::client::{Client, CreateMode, Error, ErrorCode, Result, Watch, within};
use std::time::Duration;

/// A semaphore at a path. It is only a description: cheap to make, and to clone.
///
/// Leases are [`Held`]: each is an ephemeral node, has a token, and tells of its loss. Those granted together
/// have the same token, except in kazoo's layout.
///
/// ```
/// # use quorate::{client::Client, recipes::semaphore::Semaphore, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let uploads = Semaphore::new(client, "/uploads", 3);
/// let one = uploads.acquire().await?;
/// let two = uploads.acquire_many(2).await?;
/// assert!(uploads.try_acquire().await?.is_none());
/// one.release().await?;
/// assert_eq!(uploads.leases().await?, 2);
/// # drop(two);
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Semaphore {
    client: Client,
    path: String,
    kind: Kind,
    limit: Limit,
    data: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Limit {
    /// Agreed by the callers.
    Fixed(u32),
    /// In a shared count at this path, which begins with this value.
    Shared(String, u32),
}

impl Semaphore {
    /// The semaphore at `path` with `limit` leases, in Curator's layout. There the callers have to agree about the limit: a node does
    /// not say it.
    #[must_use]
    pub fn new(client: &Client, path: &str, limit: u32) -> Self {
        Self {
            client: client.clone(),
            path: path.to_owned(),
            kind: Kind::Curator,
            limit: Limit::Fixed(limit),
            data: Vec::new(),
        }
    }

    /// The same with a limit that can be changed: it stands in a node at `count`, in the form of Curator's `SharedCount`, which is created
    /// with `first` if it is missing. See [`set_limit`](Self::set_limit).
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::semaphore::Semaphore;
    ///
    /// let uploads = Semaphore::adjustable(&client, "/uploads", "/uploads-limit", 1);
    /// let first = uploads.acquire().await?;
    /// assert!(uploads.try_acquire().await?.is_none());
    /// uploads.set_limit(2).await?;
    /// assert!(uploads.try_acquire().await?.is_some());
    /// # drop(first);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn adjustable(client: &Client, path: &str, count: &str, first: u32) -> Self {
        Self { limit: Limit::Shared(count.to_owned(), first), ..Self::new(client, path, 0) }
    }

    /// In this layout. In kazoo's, the limit stands in the node at the path; whoever comes with another one is refused, and so is an
    /// adjustable one.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::layout::semaphore::Kind;
    /// use quorate::recipes::semaphore::Semaphore;
    ///
    /// // Among kazoo's users, with a name for them to see.
    /// let uploads = Semaphore::new(&client, "/uploads", 2).kind(Kind::Kazoo).data("host-1");
    /// let held = uploads.acquire().await?;
    /// assert_eq!(client.get(&held.path()).await?.0, b"host-1");
    /// assert_eq!((uploads.path(), uploads.client().root()), ("/uploads", ""));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub const fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// With these bytes in the leases' nodes.
    #[must_use]
    pub fn data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    /// Waits for a lease, also across the loss of a session. Cancel by dropping the future.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::semaphore::Semaphore;
    ///
    /// let uploads = Semaphore::new(&client, "/uploads", 2);
    /// let (one, two) = (uploads.acquire().await?, uploads.acquire().await?);
    /// assert!(two.token() > one.token());
    /// // A third one would wait until one of them goes.
    /// drop(one);
    /// let three = uploads.acquire().await?;
    /// assert!(three.is_held());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `BadArguments` when the path belongs to the other layout or to another limit; else when the client is closed, or the server
    /// refuses.
    pub async fn acquire(&self) -> Result<Held> {
        let mut leases = self.acquire_many(1).await?;
        leases
            .pop()
            .ok_or_else(|| Error::new(ErrorCode::BadArguments, OPERATION, self.path.as_str()))
    }

    /// Waits until there is room for `count` leases, and takes them all at once.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::ErrorCode;
    /// use quorate::recipes::semaphore::Semaphore;
    ///
    /// let uploads = Semaphore::new(&client, "/uploads", 3);
    /// assert_eq!(uploads.acquire_many(2).await?.len(), 2);
    /// // There can never be so many.
    /// assert_eq!(uploads.acquire_many(4).await.unwrap_err().code(), ErrorCode::BadArguments);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire). More than a fixed limit has are refused at once, more than an adjustable one has are
    /// waited for.
    pub async fn acquire_many(&self, count: u32) -> Result<Vec<Held>> {
        loop {
            match self.enter(count, true).await {
                Ok(Some(leases)) => return Ok(leases),
                Ok(None) => {}
                Err(error) if error.code() == ErrorCode::SessionExpired => {
                    self.client.connected().await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits for a lease, but not longer than `limit`; `None` when the time is over.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::semaphore::Semaphore;
    /// use std::time::Duration;
    ///
    /// let uploads = Semaphore::new(&client, "/uploads", 1);
    /// let held = uploads.acquire().await?;
    /// assert!(uploads.acquire_within(Duration::from_millis(20)).await?.is_none());
    /// # drop(held);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire).
    pub async fn acquire_within(&self, limit: Duration) -> Result<Option<Held>> {
        within(&**self.client.environment(), limit, self.acquire()).await.transpose()
    }

    /// Waits for `count` leases, but not longer than `limit`; `None` when the time is over.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::semaphore::Semaphore;
    /// use std::time::Duration;
    ///
    /// let uploads = Semaphore::new(&client, "/uploads", 2);
    /// let held = uploads.acquire().await?;
    /// // Not one of them without the other.
    /// assert!(uploads.acquire_many_within(2, Duration::from_millis(20)).await?.is_none());
    /// held.release().await?;
    /// assert!(uploads.acquire_many_within(2, Duration::from_secs(10)).await?.is_some());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`acquire_many`](Self::acquire_many).
    pub async fn acquire_many_within(
        &self,
        count: u32,
        limit: Duration,
    ) -> Result<Option<Vec<Held>>> {
        within(&**self.client.environment(), limit, self.acquire_many(count)).await.transpose()
    }

    /// A lease, if there is room and nobody is just entering. `None` leaves no node behind.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::semaphore::Semaphore;
    ///
    /// let uploads = Semaphore::new(&client, "/uploads", 1);
    /// let held = uploads.try_acquire().await?.expect("there is room");
    /// assert!(uploads.try_acquire().await?.is_none());
    /// # drop(held);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire), and when the session ends meanwhile.
    pub async fn try_acquire(&self) -> Result<Option<Held>> {
        Ok(self.try_acquire_many(1).await?.and_then(|mut leases| leases.pop()))
    }

    /// The same for `count` leases at once.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::semaphore::Semaphore;
    ///
    /// let uploads = Semaphore::new(&client, "/uploads", 3);
    /// let held = uploads.try_acquire_many(2).await?.expect("there is room");
    /// assert!(uploads.try_acquire_many(2).await?.is_none());
    /// # drop(held);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire).
    pub async fn try_acquire_many(&self, count: u32) -> Result<Option<Vec<Held>>> {
        self.enter(count, false).await
    }

    /// How many leases are out.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::semaphore::Semaphore;
    ///
    /// let uploads = Semaphore::new(&client, "/uploads", 3);
    /// let held = uploads.acquire().await?;
    /// assert_eq!(uploads.leases().await?, 1);
    /// held.release().await?;
    /// assert_eq!(uploads.leases().await?, 0);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn leases(&self) -> Result<usize> {
        let directory = self.kind.leases(&self.path);
        match patiently(|| self.client.children(&directory)).await {
            Ok((children, _)) => Ok(self.kind.count(&children)),
            Err(error) if error.code() == ErrorCode::NoNode => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// How many leases there may be now.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::semaphore::Semaphore;
    ///
    /// assert_eq!(Semaphore::new(&client, "/uploads", 3).limit().await?, 3);
    /// // Whoever was first has said it.
    /// let first = Semaphore::adjustable(&client, "/downloads", "/limit", 5);
    /// assert_eq!(first.limit().await?, 5);
    /// assert_eq!(Semaphore::adjustable(&client, "/downloads", "/limit", 7).limit().await?, 5);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `DataInconsistency` when the node of an adjustable limit holds something else.
    pub async fn limit(&self) -> Result<u32> {
        self.limit_and_watch().await.map(|(limit, _)| limit)
    }

    /// Changes an adjustable limit. Leases beyond a lower one stay until their holders release them.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::semaphore::Semaphore;
    ///
    /// let uploads = Semaphore::adjustable(&client, "/uploads", "/uploads-limit", 2);
    /// let held = uploads.acquire_many(2).await?;
    /// uploads.set_limit(1).await?;
    /// // Nobody loses what is held; nobody else gets in.
    /// assert!(held.iter().all(|lease| lease.is_held()));
    /// assert!(uploads.try_acquire().await?.is_none());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `BadArguments` when the limit is fixed, or exceeds 2^31 − 1.
    pub async fn set_limit(&self, limit: u32) -> Result<()> {
        let bad =
            |what| Error::new(ErrorCode::BadArguments, "set limit", &*self.path).with_detail(what);
        let Limit::Shared(count, _) = &self.limit else {
            return Err(bad("the limit of this semaphore is fixed"));
        };
        let data = encode_i32(i32::try_from(limit).map_err(|_| bad("the limit is too high"))?);
        match patiently(|| self.client.set(count, &data, None)).await {
            Err(error) if error.code() == ErrorCode::NoNode => self.create(count, &data).await,
            other => other.map(drop),
        }
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

    /// Takes the entry lock, and under it the leases. `None` when there was no room, or the session was lost.
    async fn enter(&self, count: u32, wait: bool) -> Result<Option<Vec<Held>>> {
        self.admit(count).await?;
        if count == 0 {
            return Ok(Some(Vec::new()));
        }
        let mode = match self.kind {
            Kind::Curator => Mode::Curator,
            Kind::Kazoo => Mode::Kazoo { yields_to_curator: false },
        };
        let entry = Lock::new(&self.client, &self.kind.entry_lock(&self.path)).mode(mode);
        let entry = if wait { Some(entry.acquire().await?) } else { entry.try_acquire().await? };
        let Some(entry) = entry else { return Ok(None) };
        let granted = self.grant(&entry, count, wait).await;
        if granted.is_ok() {
            entry.release().await?;
        }
        granted
    }

    /// Refuses what can never be granted, and sees whose path it is, before anything is created that would damage it.
    async fn admit(&self, count: u32) -> Result<()> {
        let refuse = |what: String| {
            Err(Error::new(ErrorCode::BadArguments, OPERATION, &*self.path).with_detail(what))
        };
        match (&self.limit, self.kind) {
            (Limit::Fixed(limit), _) if count > *limit => {
                return refuse(format!("{count} leases were asked for, there are only {limit}"));
            }
            (Limit::Shared(..), Kind::Kazoo) => {
                return refuse("kazoo's layout has no adjustable limit".to_owned());
            }
            _ => {}
        }
        let look = || {
            // Both requests are on their way before the first answer is awaited.
            let (get, list) = (self.client.get(&self.path), self.client.children(&self.path));
            async move { Ok((get.await?, list.await?)) }
        };
        let (data, children, version) = match patiently(look).await {
            Ok(((data, stat), (children, _))) => (data, children, Some(stat.version)),
            Err(error) if error.code() == ErrorCode::NoNode => (Vec::new(), Vec::new(), None),
            Err(error) => return Err(error),
        };
        let found = Layout::of(&data, &children);
        if let Err(error) = found.permits(self.kind) {
            return refuse(error.to_string());
        }
        match (&self.limit, self.kind, version) {
            (Limit::Fixed(wanted), Kind::Kazoo, _) if found.limit.is_some_and(|l| l != *wanted) => {
                refuse(format!("the limit there is not {wanted}: all users have to agree"))
            }
            (Limit::Fixed(wanted), Kind::Kazoo, None) => self.found(*wanted).await,
            (Limit::Fixed(wanted), Kind::Kazoo, Some(version)) if data.is_empty() => {
                let data = limit_data(*wanted);
                match patiently(|| self.client.set(&self.path, &data, Some(version))).await {
                    // Somebody else was faster; who disagrees finds out the next time.
                    Err(error) if error.code() != ErrorCode::BadVersion => Err(error),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// Creates kazoo's node, with the limit; if another has created it meanwhile, its limit counts.
    async fn found(&self, wanted: u32) -> Result<()> {
        self.create(&self.path, &limit_data(wanted)).await?;
        let (data, _) = patiently(|| self.client.get(&self.path)).await?;
        if parse_limit(&data).is_some_and(|limit| limit != wanted) {
            return Err(Error::new(ErrorCode::BadArguments, OPERATION, &*self.path)
                .with_detail(format!("the limit there is not {wanted}: all users have to agree")));
        }
        Ok(())
    }

    /// Creates a plain node, unless it is there.
    async fn create(&self, path: &str, data: &[u8]) -> Result<()> {
        loop {
            match patiently(|| self.client.create(path, data, CreateMode::Persistent)).await {
                Err(error) if error.code() == ErrorCode::NoNode => {
                    ensure(&self.client, quorate_wire::path::parent(path)).await?;
                }
                Err(error) if error.code() != ErrorCode::NodeExists => return Err(error),
                _ => return Ok(()),
            }
        }
    }

    /// Waits for room, and takes the leases. The entry lock is held all the time.
    async fn grant(&self, entry: &Held, count: u32, wait: bool) -> Result<Option<Vec<Held>>> {
        let directory = self.kind.leases(&self.path);
        loop {
            // The watch comes before the look: what changes after it is told.
            let (limit, changed) = self.limit_and_watch().await?;
            let listed = patiently(|| self.client.children_and_watch(&directory)).await;
            let (taken, left) = match listed {
                Ok((children, _, watch)) => (self.kind.count(&children), Some(watch)),
                Err(error) if error.code() == ErrorCode::NoNode => (0, None),
                Err(error) => return Err(error),
            };
            let free = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(taken);
            if usize::try_from(count).is_ok_and(|count| count <= free) {
                drop((changed, left));
                return self.take(entry, &directory, count).await;
            }
            if !wait {
                return Ok(None);
            }
            if left.is_none() {
                // More is asked for than there is at all, and nothing to watch yet.
                ensure(&self.client, &directory).await?;
                continue;
            }
            match first(event(left), event(changed)).await {
                First::Left(event) | First::Right(event) => event?,
            }
            if !entry.is_held() {
                return Ok(None);
            }
        }
    }

    /// Creates the leases: in one transaction, or one by one in kazoo's layout, where each name is an id of its own.
    async fn take(&self, entry: &Held, directory: &str, count: u32) -> Result<Option<Vec<Held>>> {
        let create = async |count: usize, kind| {
            let stems = |id| vec![self.kind.lease(id); count];
            Claim::create(&self.client, directory, stems, &self.data, kind).await
        };
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let mut claims = Vec::new();
        match self.kind {
            Kind::Curator => {
                claims.extend(create(count, kit::Kind::Sequential).await?.split());
            }
            Kind::Kazoo => {
                for _ in 0..count {
                    claims.push(create(1, kit::Kind::Plain).await?);
                }
            }
        }
        // Without the entry lock others may have been granted the same room.
        if !entry.is_held() || claims.iter().any(|claim| !claim.lifetime().is_alive()) {
            return Ok(None);
        }
        Ok(Some(claims.into_iter().map(Held::new).collect()))
    }

    async fn limit_and_watch(&self) -> Result<(u32, Option<Watch>)> {
        let (path, first) = match &self.limit {
            Limit::Fixed(limit) => return Ok((*limit, None)),
            Limit::Shared(path, first) => (path, *first),
        };
        loop {
            match patiently(|| self.client.get_and_watch(path)).await {
                Ok((data, _, watch)) => {
                    let limit = decode_i32(&data).map_err(|error| {
                        Error::new(ErrorCode::DataInconsistency, OPERATION, path.as_str())
                            .with_detail(error.to_string())
                    })?;
                    // Curator reads an empty count as 0, and a negative one lets nobody in.
                    return Ok((limit.map_or(0, |l| u32::try_from(l).unwrap_or(0)), Some(watch)));
                }
                Err(error) if error.code() == ErrorCode::NoNode => {
                    let first = encode_i32(i32::try_from(first).unwrap_or(i32::MAX));
                    self.create(path, &first).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Waits for a watch; for ever if there is none.
async fn event(watch: Option<Watch>) -> Result<()> {
    match watch {
        Some(watch) => watch.await.map(drop),
        None => std::future::pending().await,
    }
}

const OPERATION: &str = "acquire leases";
