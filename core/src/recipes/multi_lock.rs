//! Several locks as one: all or none.
//!
//! The locks are taken in the order of their paths, whatever the order in which they were given, so that two who want the same locks
//! cannot wait for each other. Curator's `InterProcessMultiLock` leaves the order to its users, and its deadline holds for each lock anew.

use super::kit::{First, Held, Loss, first, first_of};
use super::lock::Lock;
use crate::client::{Error, ErrorCode, Result, Transaction, within};
use std::time::Duration;

/// Several locks of one client. It is only a description.
///
/// ```
/// # use quorate::{client::Client, recipes::{lock::Lock, multi_lock::MultiLock}, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let accounts = MultiLock::new([Lock::new(client, "/accounts/b"), Lock::new(client, "/accounts/a")])?;
/// let held = accounts.acquire().await?;
/// assert_eq!(held.tokens().len(), 2);
/// // One transaction that happens only if both are held:
/// held.guarded()?.create("/transfer", b"b to a", quorate::client::CreateMode::Persistent).commit().await?;
/// held.release().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct MultiLock {
    /// Sorted by path; no path twice.
    locks: Vec<Lock>,
}

/// All of the locks, held. Dropping it releases them in the background.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::lock::Lock;
/// use quorate::recipes::multi_lock::MultiLock;
///
/// let held = MultiLock::new([Lock::new(&client, "/a"), Lock::new(&client, "/b")])?.acquire().await?;
/// assert!(held.is_held() && held.locks().len() == 2);
/// held.release().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct MultiHeld {
    held: Vec<Held>,
}

impl MultiLock {
    /// These locks together. What is given twice counts once.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::{lock::Lock, multi_lock::MultiLock};
    ///
    /// let lock = |path| Lock::new(&client, path);
    /// let both = MultiLock::new([lock("/b"), lock("/a"), lock("/b")])?;
    /// // In one order for everybody, so that nobody waits in a circle.
    /// let paths: Vec<_> = both.locks().iter().map(|lock| lock.path()).collect();
    /// assert_eq!(paths, ["/a", "/b"]);
    /// assert!(MultiLock::new([]).is_err());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `BadArguments` when there are none, or when they are of different sessions.
    pub fn new(locks: impl IntoIterator<Item = Lock>) -> Result<Self> {
        let mut locks: Vec<Lock> = locks.into_iter().collect();
        let bad = |what| Err(Error::new(ErrorCode::BadArguments, "lock", "").with_detail(what));
        let Some(first) = locks.first() else { return bad("a multi-lock of no locks") };
        if locks.iter().any(|lock| !lock.client().shares_session(first.client())) {
            return bad("the locks of a multi-lock have to be of one client");
        }
        let full = |lock: &Lock| format!("{}{}", lock.client().root(), lock.path());
        locks.sort_by_key(full);
        locks.dedup_by_key(|lock| full(lock));
        Ok(Self { locks })
    }

    /// Waits until all are held. When something fails, or the future is dropped, those that were got are released. When the session is
    /// lost meanwhile, all are acquired anew under the next one.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::{lock::Lock, multi_lock::MultiLock};
    ///
    /// let both = MultiLock::new([Lock::new(&client, "/a"), Lock::new(&client, "/b")])?;
    /// let held = both.acquire().await?;
    /// assert!(held.tokens().is_sorted() && held.tokens().len() == 2);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// The first error of any lock; the locks after it are not tried.
    pub async fn acquire(&self) -> Result<MultiHeld> {
        loop {
            if let Some(held) = self.try_round(true).await? {
                return Ok(held);
            }
        }
    }

    /// Waits for all of them together no longer than `limit`; `None` when the time is over.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::{lock::Lock, multi_lock::MultiLock};
    /// use std::time::Duration;
    ///
    /// let (a, b) = (Lock::new(&client, "/a"), Lock::new(&client, "/b"));
    /// let other = b.acquire().await?;
    /// let both = MultiLock::new([a.clone(), b])?;
    /// assert!(both.acquire_within(Duration::from_millis(50)).await?.is_none());
    /// // `/a` was given back.
    /// assert!(a.acquire_within(Duration::from_secs(10)).await?.is_some());
    /// # drop(other);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire).
    pub async fn acquire_within(&self, limit: Duration) -> Result<Option<MultiHeld>> {
        let Some(lock) = self.locks.first() else { return Ok(None) };
        within(&**lock.client().environment(), limit, self.acquire()).await.transpose()
    }

    /// Takes all if all are free, and else none.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::{lock::Lock, multi_lock::MultiLock};
    ///
    /// let (a, b) = (Lock::new(&client, "/a"), Lock::new(&client, "/b"));
    /// let both = MultiLock::new([a, b.clone()])?;
    /// let other = b.acquire().await?;
    /// assert!(both.try_acquire().await?.is_none());
    /// other.release().await?;
    /// both.acquire().await?.release().await?;
    /// assert!(both.try_acquire().await?.is_some());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire).
    pub async fn try_acquire(&self) -> Result<Option<MultiHeld>> {
        self.try_round(false).await
    }

    /// The locks, in the order in which they are taken.
    #[must_use]
    pub fn locks(&self) -> &[Lock] {
        &self.locks
    }

    /// One attempt. `None` when a lock was not free, or when those that were got are lost.
    async fn try_round(&self, wait: bool) -> Result<Option<MultiHeld>> {
        let mut all = MultiHeld { held: Vec::with_capacity(self.locks.len()) };
        for lock in &self.locks {
            let next = match (wait, all.held.first()) {
                (false, _) => lock.try_acquire().await,
                (true, None) => lock.acquire().await.map(Some),
                // Without the first ones there is no point in waiting for the next.
                (true, Some(held)) => match first(held.lifetime().ended(), lock.acquire()).await {
                    First::Left(()) => Ok(None),
                    First::Right(next) => next.map(Some),
                },
            };
            match next {
                Ok(Some(next)) => all.held.push(next),
                Ok(None) => {
                    all.release().await?;
                    return Ok(None);
                }
                Err(error) => {
                    // The first error is the one to tell.
                    let _released = all.release().await;
                    return Err(error);
                }
            }
        }
        Ok(all.is_held().then_some(all))
    }
}

impl MultiHeld {
    /// The fencing tokens, in the order of [`MultiLock::locks`]. Each guards what its own lock protects.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::{lock::Lock, multi_lock::MultiLock};
    ///
    /// let held = MultiLock::new([Lock::new(&client, "/b"), Lock::new(&client, "/a")])?.acquire().await?;
    /// let tokens: Vec<_> = held.locks().iter().map(|lock| lock.token()).collect();
    /// assert_eq!(held.tokens(), tokens);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn tokens(&self) -> Vec<i64> {
        self.held.iter().map(Held::token).collect()
    }

    /// The locks one by one, in the same order.
    #[must_use]
    pub fn locks(&self) -> &[Held] {
        &self.held
    }

    /// Whether the session lives, by the local clock.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held.iter().all(Held::is_held)
    }

    /// A transaction that happens only while all are held.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::{lock::Lock, multi_lock::MultiLock};
    ///
    /// let held = MultiLock::new([Lock::new(&client, "/a"), Lock::new(&client, "/b")])?.acquire().await?;
    /// held.guarded()?.set("/", b"1", None).commit().await?;
    /// client.delete(&held.locks()[1].path(), None).await?;
    /// assert!(held.guarded()?.set("/", b"2", None).commit().await.is_err());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// Never for locks that [`MultiLock`] has given.
    pub fn guarded(&self) -> Result<Transaction> {
        let mut held = self.held.iter();
        let Some(first) = held.next() else {
            return Err(Error::new(ErrorCode::BadArguments, "guard", ""));
        };
        Ok(held.fold(first.guarded(), |guarded, next| next.guard(guarded)))
    }

    /// Waits until any of them is lost. The future stands alone: it can be given to another task.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::{kit::Loss, lock::Lock, multi_lock::MultiLock};
    ///
    /// let held = MultiLock::new([Lock::new(&client, "/a"), Lock::new(&client, "/b")])?.acquire().await?;
    /// let lost = held.lost();
    /// client.delete(&held.locks()[1].path(), None).await?;
    /// assert_eq!(lost.await, Loss::Deleted);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn lost(&self) -> impl Future<Output = Loss> + Send + 'static {
        let mut losses: Vec<_> = self.held.iter().map(|held| Box::pin(held.lost())).collect();
        async move { first_of(&mut losses).await.1 }
    }

    /// Releases all, the last one first.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::{lock::Lock, multi_lock::MultiLock};
    ///
    /// let (a, b) = (Lock::new(&client, "/a"), Lock::new(&client, "/b"));
    /// let held = MultiLock::new([a.clone(), b])?.acquire().await?;
    /// assert!(held.is_held());
    /// held.release().await?;
    /// assert!(a.try_acquire().await?.is_some());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// The first error; the others are released all the same.
    pub async fn release(mut self) -> Result<()> {
        let mut result = Ok(());
        while let Some(held) = self.held.pop() {
            let released = held.release().await;
            result = result.and(released);
        }
        result
    }
}
