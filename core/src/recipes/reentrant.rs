//! An owner of a lock who may take it again while holding it.
//!
//! Curator's `InterProcessMutex` counts per thread. Tasks move between threads, so here the count belongs to an object: all clones
//! of a [`Reentrant`] are one owner. There is one node however often the lock was taken; it goes with the last [`Entered`].

use super::kit::Held;
use super::lock::Lock;
use crate::client::{Result, within};
use std::ops::Deref;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Mutex;

/// One owner of a lock. Clones are the same owner: give them to the tasks that shall share the lock.
///
/// ```
/// # use quorate::{client::Client, recipes::lock::Lock, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let owner = Lock::new(client, "/lock").owner();
/// let outer = owner.acquire().await?;
/// let inner = owner.acquire().await?; // at once, and without a request
/// assert_eq!((outer.token(), inner.depth()), (inner.token(), 2));
/// inner.release().await?;
/// assert!(outer.is_held());
/// outer.release().await?; // now the node goes
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Reentrant {
    lock: Lock,
    /// Locked while one task acquires for all; the others of the same owner wait here.
    current: Arc<Mutex<Weak<Held>>>,
}

/// The lock, entered once more. It is released when the last of its owner's is dropped or [`release`](Self::release)d.
///
/// It gives what [`Held`] gives: token, loss, guarded writes.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::lock::Lock;
///
/// let entered = Lock::new(&client, "/lock").owner().acquire().await?;
/// assert_eq!(entered.depth(), 1);
/// entered.release().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Entered {
    held: Arc<Held>,
}

impl Reentrant {
    pub(super) fn new(lock: &Lock) -> Self {
        Self { lock: lock.clone(), current: Arc::default() }
    }

    /// Enters at once if this owner holds the lock, and else waits until it does. Several tasks of one owner wait together in one
    /// place of the queue. A lock that was lost with its session is acquired anew; who entered before keeps the lost one.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::lock::Lock;
    ///
    /// let lock = Lock::new(&client, "/lock");
    /// let owner = lock.owner();
    /// let held = owner.acquire().await?;
    /// assert_eq!(owner.clone().acquire().await?.depth(), 2);
    /// // Another owner would wait.
    /// assert!(lock.owner().try_acquire().await?.is_none());
    /// # drop(held);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`Lock::acquire`].
    pub async fn acquire(&self) -> Result<Entered> {
        let mut current = self.current.lock().await;
        if let Some(entered) = again(&current) {
            return Ok(entered);
        }
        let held = Arc::new(self.lock.acquire().await?);
        *current = Arc::downgrade(&held);
        Ok(Entered { held })
    }

    /// As [`acquire`](Self::acquire), but waits no longer than `limit`; `None` when the time is over.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::lock::Lock;
    /// use std::time::Duration;
    ///
    /// let lock = Lock::new(&client, "/lock");
    /// let owner = lock.owner();
    /// let held = owner.acquire().await?;
    /// // No time is needed by who holds it.
    /// assert!(owner.acquire_within(Duration::ZERO).await?.is_some());
    /// assert!(lock.owner().acquire_within(Duration::from_millis(20)).await?.is_none());
    /// # drop(held);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`Lock::acquire`].
    pub async fn acquire_within(&self, limit: Duration) -> Result<Option<Entered>> {
        let environment = self.lock.client().environment();
        within(&**environment, limit, self.acquire()).await.transpose()
    }

    /// Enters if this owner holds the lock or nobody does.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::lock::Lock;
    ///
    /// let owner = Lock::new(&client, "/lock").owner();
    /// let outer = owner.try_acquire().await?.expect("it is free");
    /// let inner = owner.try_acquire().await?.expect("it is one's own");
    /// assert_eq!((inner.depth(), owner.lock().path()), (2, "/lock"));
    /// # drop(outer);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`Lock::acquire`].
    pub async fn try_acquire(&self) -> Result<Option<Entered>> {
        // Who has it is waiting in the queue for this owner.
        let Ok(mut current) = self.current.try_lock() else { return Ok(None) };
        if let Some(entered) = again(&current) {
            return Ok(Some(entered));
        }
        let Some(held) = self.lock.try_acquire().await?.map(Arc::new) else { return Ok(None) };
        *current = Arc::downgrade(&held);
        Ok(Some(Entered { held }))
    }

    /// The lock.
    #[must_use]
    pub const fn lock(&self) -> &Lock {
        &self.lock
    }
}

impl Entered {
    /// How often the lock is entered now.
    #[must_use]
    pub fn depth(&self) -> usize {
        Arc::strong_count(&self.held)
    }

    /// Leaves once. If it was the last time, the lock is released, and this returns when the node is gone.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::lock::Lock;
    ///
    /// let owner = Lock::new(&client, "/lock").owner();
    /// let (outer, inner) = (owner.acquire().await?, owner.acquire().await?);
    /// outer.release().await?;
    /// assert!(inner.is_held() && inner.depth() == 1);
    /// inner.release().await?;
    /// assert!(client.children("/lock").await?.0.is_empty());
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

impl Deref for Entered {
    type Target = Held;

    fn deref(&self) -> &Held {
        &self.held
    }
}

/// What this owner holds, once more.
fn again(current: &Weak<Held>) -> Option<Entered> {
    let held = current.upgrade()?;
    held.is_held().then_some(Entered { held })
}
