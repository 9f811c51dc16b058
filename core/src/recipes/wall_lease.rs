//! kazoo's leases: a node that says who may act until when, by wall clocks.
//!
//! Compatible with `kazoo.recipe.lease.NonBlockingLease` and `MultiNonBlockingLease`. The clocks of all users have to agree: one that is
//! ahead takes leases that have not ended. A lease outlives its holder's session and process. When neither is wanted, use
//! [`LeaseLock`](super::lease::LeaseLock). Layout: JSON in `<path>/lease_holder`, changed under kazoo's lock on `<path>`.

use super::kit::{Backoff, join, patiently};
use super::layout::lease::{Lease as Entry, LeaseError, NODE};
use super::layout::lock::Mode;
use super::lock::Lock;
use crate::client::{Client, CreateMode, Error, ErrorCode, Result};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A lease at a path, for one who is named by an identifier. Whoever has the same identifier shares the lease.
///
/// ```
/// # use quorate::{client::Client, recipes::wall_lease::WallLease, server::Server};
/// # use std::time::Duration;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let hour = Duration::from_secs(3600);
/// let first = WallLease::new(client, "/hourly", "host-1", hour).obtain().await?;
/// assert!(first.is_some());
/// assert!(WallLease::new(client, "/hourly", "host-2", hour).obtain().await?.is_none());
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct WallLease {
    client: Client,
    path: String,
    identifier: String,
    duration: Duration,
    clock: Arc<dyn Fn() -> i64 + Send + Sync>,
}

/// A lease that was obtained, or renewed.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::wall_lease::WallLease;
/// use std::time::Duration;
///
/// let lease = WallLease::new(&client, "/hourly", "host-1", Duration::from_secs(3600));
/// let (first, renewed) = (lease.obtain().await?.unwrap(), lease.obtain().await?.unwrap());
/// assert!(renewed.end >= first.end);
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obtained {
    /// The first second, since 1970 in UTC, at which others may take it.
    pub end: i64,
    /// The fencing token: the zxid of the transaction that wrote the lease. Renewal makes it greater.
    pub token: i64,
}

/// Several leases at one path, `<path>/0`, `<path>/1`, …: whoever asks gets one of them.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::wall_lease::{MultiWallLease, WallLease};
/// use std::time::Duration;
///
/// let lease = |host| WallLease::new(&client, "/hourly", host, Duration::from_secs(3600));
/// assert!(MultiWallLease::new(lease("host-1"), 2).obtain().await?.is_some());
/// assert!(MultiWallLease::new(lease("host-2"), 2).obtain().await?.is_some());
/// assert!(MultiWallLease::new(lease("host-3"), 2).obtain().await?.is_none());
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct MultiWallLease {
    lease: WallLease,
    count: u32,
}

impl WallLease {
    /// The lease at `path`, for `identifier`, and for so long each time; whole seconds.
    #[must_use]
    pub fn new(client: &Client, path: &str, identifier: &str, duration: Duration) -> Self {
        Self {
            client: client.clone(),
            path: path.to_owned(),
            identifier: identifier.to_owned(),
            duration,
            clock: Arc::new(system_clock),
        }
    }

    /// By another clock: seconds since 1970 in UTC. The system's unless told otherwise.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::wall_lease::WallLease;
    /// use std::time::Duration;
    ///
    /// let hour = Duration::from_secs(3600);
    /// let lease = WallLease::new(&client, "/hourly", "host-1", hour).clock(|| 1_000_000);
    /// assert_eq!(lease.obtain().await?.unwrap().end, 1_003_600);
    /// // For another, an hour later, it has ended.
    /// let later = WallLease::new(&client, "/hourly", "host-2", hour).clock(|| 1_003_600);
    /// assert!(later.obtain().await?.is_some());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Takes or renews the lease: for [`duration`](Self::new) from now, if it has ended or is this identifier's. `None` if another has it.
    /// Waits only for who is doing the same at the moment.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::wall_lease::WallLease;
    /// use std::time::Duration;
    ///
    /// let lease = |host| WallLease::new(&client, "/hourly", host, Duration::from_secs(3600));
    /// let first = lease("host-1").obtain().await?.expect("nobody has it");
    /// assert!(lease("host-2").obtain().await?.is_none());
    /// // Whoever has it renews it.
    /// assert!(lease("host-1").obtain().await?.unwrap().token > first.token);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`Lock::acquire`]; `BadArguments` if the end has no year of four digits.
    pub async fn obtain(&self) -> Result<Option<Obtained>> {
        let mut backoff = Backoff::default();
        loop {
            match self.attempt().await {
                Err(error) if error.code() == ErrorCode::SessionExpired => {
                    self.client.connected().await?;
                }
                // It is unknown whether the lease was written, or the lock was lost before, or somebody wrote without it: whose
                // the lease is now is read anew.
                Err(error) if error.is_connection_loss() || is_interference(&error) => {
                    backoff.pause(&self.client).await;
                }
                answer => return answer,
            }
        }
    }

    async fn attempt(&self) -> Result<Option<Obtained>> {
        let lock = Lock::new(&self.client, &self.path)
            .mode(Mode::Kazoo { yields_to_curator: false })
            .data(self.identifier.as_bytes());
        let held = lock.acquire().await?;
        let node = join(&self.path, NODE);
        let found = match patiently(|| self.client.get(&node)).await {
            Ok((data, stat)) => Some((data, stat.version)),
            Err(error) if error.code() == ErrorCode::NoNode => None,
            Err(error) => return Err(error),
        };
        let now = (self.clock)();
        let taken = match found.as_ref().map(|(data, _)| data).filter(|data| !data.is_empty()) {
            // What cannot be read is somebody else's, of a later version perhaps.
            Some(data) => {
                Entry::decode(data).map_or(true, |entry| !entry.is_free_for(&self.identifier, now))
            }
            None => false,
        };
        if taken {
            held.release().await?;
            return Ok(None);
        }
        let end = now.saturating_add(i64::try_from(self.duration.as_secs()).unwrap_or(i64::MAX));
        let entry = Entry { holder: self.identifier.clone(), end };
        let data = entry.encode().map_err(|error| self.refused(&error))?;
        match found {
            Some((_, version)) => held.guarded().set(&node, data, Some(version)),
            None => held.guarded().create(&node, data, CreateMode::Persistent),
        }
        .commit()
        .await?;
        let (_, stat) = patiently(|| self.client.get(&node)).await?;
        held.release().await?;
        Ok(Some(Obtained { end, token: stat.mzxid }))
    }

    fn refused(&self, error: &LeaseError) -> Error {
        Error::new(ErrorCode::BadArguments, "lease", &*self.path).with_detail(error.to_string())
    }
}

impl MultiWallLease {
    /// So many leases, each as `lease` says; its path is the directory.
    #[must_use]
    pub const fn new(lease: WallLease, count: u32) -> Self {
        Self { lease, count }
    }

    /// Takes or renews one of them, and says which. `None` when others have all.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::wall_lease::{MultiWallLease, WallLease};
    /// use std::time::Duration;
    ///
    /// let lease = WallLease::new(&client, "/hourly", "host-1", Duration::from_secs(3600));
    /// let (number, _) = MultiWallLease::new(lease.clone(), 2).obtain().await?.unwrap();
    /// assert!(client.exists(&format!("/hourly/{number}")).await?.is_some());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`WallLease::obtain`].
    pub async fn obtain(&self) -> Result<Option<(u32, Obtained)>> {
        for index in 0..self.count {
            let path = join(&self.lease.path, &index.to_string());
            if let Some(obtained) = (WallLease { path, ..self.lease.clone() }).obtain().await? {
                return Ok(Some((index, obtained)));
            }
        }
        Ok(None)
    }
}

impl fmt::Debug for WallLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WallLease")
            .field("path", &self.path)
            .field("identifier", &self.identifier)
            .field("duration", &self.duration)
            .finish_non_exhaustive()
    }
}

/// Whether a transaction failed because the nodes were no longer as they had been read.
const fn is_interference(error: &Error) -> bool {
    error.part().is_some()
        && matches!(error.code(), ErrorCode::NoNode | ErrorCode::NodeExists | ErrorCode::BadVersion)
}

/// Seconds since 1970.
fn system_clock() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
