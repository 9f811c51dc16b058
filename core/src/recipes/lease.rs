//! Leases: a right that ends by itself unless it is renewed.
//!
//! [`LeaseLock`] gives a [`Lease`] that no wall clock has a part in: it ends by the holder's own monotonic clock, and the others wait for
//! its node to go. For the leases of kazoo, which compare wall clocks, see [`wall_lease`](super::wall_lease).
//! Layout: that of [`Lock`].

use super::kit::{First, Held, Loss, first};
use super::lock::Lock;
use crate::client::{Environment, Lifetime, Result, Transaction};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;

/// A lock that is lent for a while.
///
/// ```
/// # use quorate::{client::Client, recipes::{lease::LeaseLock, lock::Lock}, server::Server};
/// # use std::time::Duration;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let leases = LeaseLock::new(Lock::new(client, "/cleaner"), Duration::from_secs(60));
/// let lease = leases.acquire().await?;
/// assert!(leases.try_acquire().await?.is_none());
/// assert!(lease.renew()); // another 60 s from now
/// lease.release().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct LeaseLock {
    lock: Lock,
    duration: Duration,
}

/// A lease, until its end. Dropping it gives it back.
///
/// A holder that forgets it loses it at its end; a holder that hangs with its whole process loses it with its session. The end is
/// decided by the holder's clock alone: [`is_held`](Self::is_held) is exact even when no task has run since.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::lease::LeaseLock;
/// use quorate::recipes::lock::Lock;
/// use std::time::Duration;
///
/// let lease = LeaseLock::new(Lock::new(&client, "/cleaner"), Duration::from_secs(60)).acquire().await?;
/// assert!(lease.is_held() && lease.remaining() > Duration::from_secs(10));
/// lease.release().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Lease {
    held: Arc<Mutex<Option<Held>>>,
    /// When it ends, ms of the environment's clock.
    end: Arc<AtomicI64>,
    changed: watch::Sender<()>,
    environment: Arc<dyn Environment>,
    lifetime: Lifetime,
    duration: Duration,
    path: String,
    token: i64,
}

/// Why a lease has ended.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::lease::{LeaseEnd, LeaseLock};
/// use quorate::recipes::lock::Lock;
/// use std::time::Duration;
///
/// let short = LeaseLock::new(Lock::new(&client, "/cleaner"), Duration::from_millis(20));
/// let lease = short.acquire().await?;
/// assert!(matches!(lease.ended().await, LeaseEnd::Expired));
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeaseEnd {
    /// Its time is over.
    Expired,
    /// The session was lost or the node deleted.
    Lost(Loss),
}

impl LeaseLock {
    /// Leases of this lock, each for so long.
    #[must_use]
    pub const fn new(lock: Lock, duration: Duration) -> Self {
        Self { lock, duration }
    }

    /// Waits for the lease.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::{lease::LeaseLock, lock::Lock};
    /// use std::time::Duration;
    ///
    /// let leases = LeaseLock::new(Lock::new(&client, "/cleaner"), Duration::from_millis(30));
    /// let first = leases.acquire().await?;
    /// // It ends by itself, so nobody waits for ever.
    /// let second = leases.acquire().await?;
    /// assert!(!first.is_held() && second.token() > first.token());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`Lock::acquire`].
    pub async fn acquire(&self) -> Result<Lease> {
        self.lock.acquire().await.map(|held| self.lend(held))
    }

    /// Waits for the lease, but not longer than `limit`; `None` when the time is over.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::{lease::LeaseLock, lock::Lock};
    /// use std::time::Duration;
    ///
    /// let leases = LeaseLock::new(Lock::new(&client, "/cleaner"), Duration::from_secs(60));
    /// let lease = leases.acquire().await?;
    /// assert!(leases.acquire_within(Duration::from_millis(20)).await?.is_none());
    /// # drop(lease);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`Lock::acquire`].
    pub async fn acquire_within(&self, limit: Duration) -> Result<Option<Lease>> {
        Ok(self.lock.acquire_within(limit).await?.map(|held| self.lend(held)))
    }

    /// The lease, if nobody has it or waits for it.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::{lease::LeaseLock, lock::Lock};
    /// use std::time::Duration;
    ///
    /// let leases = LeaseLock::new(Lock::new(&client, "/cleaner"), Duration::from_secs(60));
    /// let lease = leases.try_acquire().await?.expect("nobody has it");
    /// assert!(leases.try_acquire().await?.is_none());
    /// # drop(lease);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`Lock::try_acquire`].
    pub async fn try_acquire(&self) -> Result<Option<Lease>> {
        Ok(self.lock.try_acquire().await?.map(|held| self.lend(held)))
    }

    /// The time begins when the lock is held.
    fn lend(&self, held: Held) -> Lease {
        let environment = Arc::clone(held.client().environment());
        let (changed, changes) = watch::channel(());
        let lease = Lease {
            end: Arc::new(AtomicI64::new(after(&*environment, self.duration))),
            lifetime: held.lifetime().clone(),
            duration: self.duration,
            path: held.path(),
            token: held.token(),
            held: Arc::new(Mutex::new(Some(held))),
            environment: Arc::clone(&environment),
            changed,
        };
        let (held, end) = (Arc::downgrade(&lease.held), Arc::clone(&lease.end));
        let expiry = expire(Arc::downgrade(&environment), held, end, changes);
        environment.spawn(Box::pin(expiry));
        lease
    }
}

impl Lease {
    /// Begins the time anew from now. False when the lease has ended: then it has to be acquired again.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::{lease::LeaseLock, lock::Lock};
    /// use std::time::Duration;
    ///
    /// let lock = Lock::new(&client, "/cleaner");
    /// let lease = LeaseLock::new(lock, Duration::from_millis(100)).acquire().await?;
    /// assert!(lease.renew());
    /// lease.ended().await;
    /// // Too late: it has to be acquired again.
    /// assert!(!lease.renew());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn renew(&self) -> bool {
        // Under the lock, so that the end does not come between.
        let held = self.lock();
        let alive = held.is_some() && self.is_held();
        if alive {
            self.end.store(after(&*self.environment, self.duration), Ordering::Release);
            self.changed.send_replace(());
        }
        alive
    }

    /// Whether its time is not over and the session lives. It costs no request.
    #[must_use]
    pub fn is_held(&self) -> bool {
        !self.remaining().is_zero() && self.lifetime.is_alive()
    }

    /// How much time is left.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        left(&*self.environment, &self.end)
    }

    /// The fencing token, as for [`Held::token`]. Renewal does not change it.
    #[must_use]
    pub const fn token(&self) -> i64 {
        self.token
    }

    /// The path of the node that stands for it.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// A transaction that happens only while the node is there; `None` when the lease has ended.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::{lease::LeaseLock, lock::Lock};
    /// use std::time::Duration;
    ///
    /// let lock = Lock::new(&client, "/cleaner");
    /// let lease = LeaseLock::new(lock, Duration::from_secs(60)).acquire().await?;
    /// assert!(lease.path().starts_with("/cleaner/") && lease.token() > 0);
    /// if let Some(transaction) = lease.guarded() {
    ///     transaction.set("/", b"clean", None).commit().await?;
    /// }
    /// assert_eq!(client.get("/").await?.0, b"clean");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn guarded(&self) -> Option<Transaction> {
        let held = self.lock();
        held.as_ref().filter(|_| self.is_held()).map(Held::guarded)
    }

    /// Waits for its end.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::{kit::Loss, lease::{LeaseEnd, LeaseLock}, lock::Lock};
    /// use std::time::Duration;
    ///
    /// let lock = Lock::new(&client, "/cleaner");
    /// let lease = LeaseLock::new(lock, Duration::from_secs(60)).acquire().await?;
    /// // Somebody else removes its node.
    /// client.delete(lease.path(), None).await?;
    /// assert_eq!(lease.ended().await, LeaseEnd::Lost(Loss::Deleted));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub async fn ended(&self) -> LeaseEnd {
        let lost = self.lock().as_ref().map(Held::lost);
        let Some(lost) = lost else { return LeaseEnd::Expired };
        let expired = async {
            let mut changes = self.changed.subscribe();
            while !self.remaining().is_zero() {
                changes.borrow_and_update();
                let pause = self.environment.sleep(self.remaining());
                let _renewed_or_over = first(pause, changes.changed()).await;
            }
        };
        match first(expired, lost).await {
            First::Left(()) => LeaseEnd::Expired,
            // The node goes at the end of the time as well.
            First::Right(_) if self.remaining().is_zero() => LeaseEnd::Expired,
            First::Right(loss) => LeaseEnd::Lost(loss),
        }
    }

    /// Gives it back before its time. Returns when the node is gone.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::{lease::LeaseLock, lock::Lock};
    /// use std::time::Duration;
    ///
    /// let leases = LeaseLock::new(Lock::new(&client, "/cleaner"), Duration::from_secs(60));
    /// leases.acquire().await?.release().await?;
    /// assert!(leases.try_acquire().await?.is_some());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`Held::release`].
    pub async fn release(self) -> Result<()> {
        let held = self.lock().take();
        match held {
            Some(held) => held.release().await,
            None => Ok(()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives a lease back when its time is over. Ends with the lease.
async fn expire(
    environment: Weak<dyn Environment>,
    held: Weak<Mutex<Option<Held>>>,
    end: Arc<AtomicI64>,
    mut changes: watch::Receiver<()>,
) {
    loop {
        changes.borrow_and_update();
        let Some(world) = environment.upgrade() else { return };
        let pause = left(&*world, &end);
        if pause.is_zero() {
            let Some(held) = held.upgrade() else { return };
            let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
            // Renewed at the last moment, perhaps.
            if left(&*world, &end).is_zero() {
                let over = held.take();
                drop(held);
                // Released in the background.
                drop(over);
                return;
            }
            continue;
        }
        let pause = world.sleep(pause);
        drop(world);
        if let First::Right(Err(_)) = first(pause, changes.changed()).await {
            return;
        }
    }
}

/// The time after a while, ms.
fn after(environment: &dyn Environment, duration: Duration) -> i64 {
    let duration = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    environment.now().saturating_add(duration)
}

fn left(environment: &dyn Environment, end: &AtomicI64) -> Duration {
    let left = end.load(Ordering::Acquire).saturating_sub(environment.now());
    Duration::from_millis(u64::try_from(left).unwrap_or(0))
}
