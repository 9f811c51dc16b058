//! kazoo's leases: a node that says who may act until when, by wall clocks.
//!
//! Compatible with `kazoo.recipe.lease.NonBlockingLease` and `MultiNonBlockingLease`. The clocks of all users have to agree: one that is
//! ahead takes leases that have not ended. A lease outlives its holder's session and process. When neither is wanted, use
//! [`LeaseLock`](super::lease::LeaseLock). Layout: JSON in `<path>/lease_holder`, changed under kazoo's lock on `<path>`.

use super::kit::{Backoff, Held, join, patiently};
use super::layout::lease::{Lease as Entry, LeaseError, NODE};
use super::layout::lock::Mode;
use super::lock::Lock;
use crate::client::{
    Client, CreateMode, Environment, Error, ErrorCode, PartResult, Result, Stat, Transaction,
};
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
    clock: Clock,
}

/// Tells the time: seconds since 1970, and how many ms of the next one have passed, if it knows.
type Clock = Arc<dyn Fn() -> (i64, i64) + Send + Sync>;

/// A lease that was obtained, or renewed. Whoever renews it goes on with what that answers: this one ends when it says.
///
/// A lease is no node, and does not go with a session, as what is held otherwise does: nobody but the clock ends it. So its
/// [`token`](Self::token) is not the `czxid` of its node, which is made once and stays, but the zxid of the transaction that wrote who has it,
/// and it is [`lost`](Self::lost) by the clock.
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
#[derive(Clone)]
pub struct Obtained {
    /// The first second, since 1970 in UTC, at which others may take it.
    pub end: i64,
    /// The fencing token: the zxid of the transaction that wrote the lease. It is greater than that of everybody who had it before, and
    /// renewal makes it greater still.
    pub token: i64,
    client: Client,
    clock: Clock,
    /// When it ends by the environment's clock, ms, in case the other one is set back.
    monotonic_end: i64,
    node: String,
    version: i32,
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
        self.clock = Arc::new(move || (clock(), 0));
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
        // The monotonic clock first: a pause between the two makes the lease shorter.
        let begun = self.client.environment().now();
        let (now, ms) = (self.clock)();
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
        let seconds = i64::try_from(self.duration.as_secs()).unwrap_or(i64::MAX);
        let end = now.saturating_add(seconds);
        let entry = Entry { holder: self.identifier.clone(), end };
        let data = entry.encode().map_err(|error| self.refused(&error))?;
        let stat = write(&held, &node, &data, found.map(|(_, version)| version)).await?;
        held.release().await?;
        Ok(Some(Obtained {
            end,
            token: stat.mzxid,
            client: self.client.clone(),
            clock: Arc::clone(&self.clock),
            monotonic_end: begun.saturating_add(seconds.saturating_mul(1_000)).saturating_sub(ms),
            node,
            version: stat.version,
        }))
    }

    fn refused(&self, error: &LeaseError) -> Error {
        Error::new(ErrorCode::BadArguments, "lease", &*self.path).with_detail(error.to_string())
    }
}

impl Obtained {
    /// Whether its time is not over: by the clock that it was obtained with, and by the monotonic clock, whichever is sooner. It costs no
    /// request, and is right even when no task has run since.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::wall_lease::WallLease;
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicI64, Ordering};
    /// use std::time::Duration;
    ///
    /// let now = Arc::new(AtomicI64::new(1_000_000));
    /// let clock = Arc::clone(&now);
    /// let lease = WallLease::new(&client, "/hourly", "host-1", Duration::from_secs(3600))
    ///     .clock(move || clock.load(Ordering::Relaxed));
    /// let obtained = lease.obtain().await?.unwrap();
    /// assert!(obtained.is_held() && obtained.remaining() > Duration::from_secs(3_000));
    /// now.fetch_add(3600, Ordering::Relaxed);
    /// assert!(!obtained.is_held());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn is_held(&self) -> bool {
        !self.remaining().is_zero()
    }

    /// How much time is left.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        left(&**self.client.environment(), &self.clock, self.end, self.monotonic_end)
    }

    /// Waits for its end: no session, connection or server has a part in it. It is noticed within a second that the clock was set forward.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::wall_lease::WallLease;
    /// use std::time::Duration;
    ///
    /// let lease = WallLease::new(&client, "/hourly", "host-1", Duration::from_secs(1));
    /// let obtained = lease.obtain().await?.unwrap();
    /// obtained.lost().await;
    /// assert!(!obtained.is_held());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn lost(&self) -> impl Future<Output = ()> + Send + 'static {
        let (environment, clock) = (Arc::clone(self.client.environment()), Arc::clone(&self.clock));
        let (end, monotonic_end) = (self.end, self.monotonic_end);
        async move {
            loop {
                let left = left(&*environment, &clock, end, monotonic_end);
                if left.is_zero() {
                    return;
                }
                // The clock may show whole seconds only.
                let longest = if left > LOOK { LOOK } else { CLOSE_LOOK };
                environment.sleep(left.min(longest)).await;
            }
        }
    }

    /// A transaction that happens only while nobody has written the lease since: neither who took it, nor who renewed it.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::wall_lease::WallLease;
    /// use std::time::Duration;
    ///
    /// let lease = WallLease::new(&client, "/hourly", "host-1", Duration::from_secs(3600));
    /// let first = lease.obtain().await?.unwrap();
    /// first.guarded().set("/", b"mine", None).commit().await?;
    /// lease.obtain().await?;
    /// // Renewed: what was obtained first is outdated.
    /// assert!(first.guarded().set("/", b"late", None).commit().await.is_err());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn guarded(&self) -> Transaction {
        self.client.multi().check(&*self.node, Some(self.version))
    }
}

impl PartialEq for Obtained {
    fn eq(&self, other: &Self) -> bool {
        let key = |it: &Self| (it.end, it.token, it.version);
        key(self) == key(other) && self.node == other.node
    }
}

impl Eq for Obtained {}

impl fmt::Debug for Obtained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Obtained")
            .field("end", &self.end)
            .field("token", &self.token)
            .finish_non_exhaustive()
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

/// Writes the lease while the lock is held, at the version at which it was read, if there was one.
async fn write(held: &Held, node: &str, data: &[u8], version: Option<i32>) -> Result<Stat> {
    let multi = match version {
        Some(version) => held.guarded().set(node, data, Some(version)),
        None => held.guarded().create(node, data, CreateMode::Persistent),
    };
    match multi.commit().await?.pop() {
        Some(PartResult::Set(stat) | PartResult::Created { stat: Some(stat), .. }) => Ok(stat),
        // From a server before 3.8.2. Whoever is slow may see what another has written since, whose token is not ours.
        _ => {
            let (found, stat) = patiently(|| held.client().get(node)).await?;
            if stat.version == 0 && found == data {
                return Ok(stat);
            }
            Err(Error::new(ErrorCode::SessionExpired, "lease", node))
        }
    }
}

/// What is left by both clocks: none when it is over by either.
fn left(environment: &dyn Environment, clock: &Clock, end: i64, monotonic_end: i64) -> Duration {
    let (now, ms) = clock();
    let wall = end.saturating_sub(now).saturating_mul(1_000).saturating_sub(ms);
    let left = wall.min(monotonic_end.saturating_sub(environment.now()));
    Duration::from_millis(u64::try_from(left).unwrap_or(0))
}

/// The machine's.
fn system_clock() -> (i64, i64) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_millis().into())
}

/// How often whoever waits for the end looks at the clock, which may be set.
const LOOK: Duration = Duration::from_secs(1);
/// The same in the last second.
const CLOSE_LOOK: Duration = Duration::from_millis(20);
