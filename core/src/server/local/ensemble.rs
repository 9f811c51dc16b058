//! [`LocalEnsemble`]: all members in this process.

use super::plan::LocalPlan;
use crate::config::{EnsembleConfig, ServerConfig};
use crate::server::handle::{Server, ServerError};
use crate::server::words::READ_ONLY;
use quorate_wire::quorum::Membership;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// An ensemble whose members run in this process, on loopback ports, each with a directory of its own. Dropping it stops them.
///
/// Members are called by their numbers, from 1 on. To the others, and to clients, a member that is stopped has simply gone: its connections end, it says
/// no farewell, and its clients' sessions live on in the ensemble.
///
/// ```
/// use quorate::client::{Client, CreateMode};
/// use quorate::server::LocalEnsemble;
///
/// let mut ensemble = LocalEnsemble::start(3)?;
/// let client = Client::builder().servers(&ensemble.servers()).connect_blocking()?;
/// client.create("/n", b"0", CreateMode::Persistent)?;
///
/// let leader = ensemble.leader()?;
/// ensemble.stop(leader)?;
/// // The others elect another leader; until the client has found it, its requests may fail.
/// while client.set("/n", b"1", None).is_err() {}
/// ensemble.restart(leader)?;
/// ensemble.wait_until_all_serve()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct LocalEnsemble {
    /// Before the plan, which removes their directories.
    members: BTreeMap<i64, Server>,
    plan: LocalPlan,
    change: Change,
}

/// How to start a [`LocalEnsemble`]: three voters in a temporary directory, unless told otherwise.
///
/// ```
/// use quorate::server::LocalEnsemble;
///
/// let ensemble = LocalEnsemble::builder()
///     .voters(1)
///     .observers(1)
///     .configure(|_, config| config.max_client_cnxns = 5)
///     .start()?;
/// ensemble.wait_until_all_serve()?;
/// assert_eq!(ensemble.mode(2).as_deref(), Some("observer"));
/// # Ok::<(), quorate::server::LocalError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LocalBuilder {
    voters: u8,
    observers: u8,
    directory: Option<PathBuf>,
    change: Change,
}

/// What went wrong with a local ensemble.
///
/// ```
/// use quorate::server::{LocalEnsemble, LocalError};
///
/// let mut ensemble = LocalEnsemble::start(1)?;
/// assert!(matches!(ensemble.stop(7), Err(LocalError::NoMember(7))));
/// # Ok::<(), LocalError>(())
/// ```
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Ports or directories are not to be had.
    #[error("cannot prepare a local ensemble: {0}")]
    Prepare(#[from] io::Error),
    /// A member does not start, or has failed.
    #[error("member {sid}: {source}")]
    Member {
        /// Its number.
        sid: i64,
        /// Why.
        source: ServerError,
    },
    /// There is no such member.
    #[error("there is no member {0}")]
    NoMember(i64),
    /// The members have not got as far as they should within half a minute.
    #[error("{0} within {seconds} s", seconds = PATIENCE.as_secs())]
    Late(&'static str),
}

/// What a user changes in the configuration of a member.
#[derive(Clone)]
struct Change(Arc<Changing>);

type Changing = dyn Fn(i64, &mut ServerConfig) + Send + Sync;

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Change")
    }
}

impl LocalBuilder {
    /// Members with a vote.
    #[must_use]
    pub const fn voters(mut self, count: u8) -> Self {
        self.voters = count;
        self
    }

    /// Members without one.
    #[must_use]
    pub const fn observers(mut self, count: u8) -> Self {
        self.observers = count;
        self
    }

    /// Keeps the data there, so that it outlives this ensemble.
    ///
    /// ```
    /// # use quorate::server::LocalEnsemble;
    /// # let directory = tempfile::tempdir()?;
    /// drop(LocalEnsemble::builder().voters(1).directory(directory.path()).start()?);
    /// assert!(directory.path().join("1/version-2").is_dir());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.directory = Some(path.into());
        self
    }

    /// Changes settings of a member, of which it is given the number, each time before it starts.
    #[must_use]
    pub fn configure(
        mut self,
        change: impl Fn(i64, &mut ServerConfig) + Send + Sync + 'static,
    ) -> Self {
        self.change = Change(Arc::new(change));
        self
    }

    /// Starts all members. They elect their leader meanwhile: clients may connect at once.
    ///
    /// ```
    /// # use quorate::server::LocalEnsemble;
    /// let ensemble = LocalEnsemble::builder().voters(5).start()?;
    /// assert_eq!(ensemble.running().count(), 5);
    /// # Ok::<(), quorate::server::LocalError>(())
    /// ```
    ///
    /// # Errors
    /// When ports or directories are not to be had, or a member does not start.
    pub fn start(self) -> Result<LocalEnsemble, LocalError> {
        let plan = LocalPlan::new(self.voters, self.observers, self.directory.as_deref())?;
        let mut ensemble = LocalEnsemble { members: BTreeMap::new(), plan, change: self.change };
        let all: Vec<i64> = ensemble.membership().servers.keys().copied().collect();
        all.into_iter().try_for_each(|sid| ensemble.restart(sid))?;
        Ok(ensemble)
    }
}

impl LocalEnsemble {
    /// So many voters, and nothing special.
    ///
    /// ```
    /// # use quorate::server::LocalEnsemble;
    /// let ensemble = LocalEnsemble::start(3)?;
    /// assert_eq!(ensemble.membership().voters().count(), 3);
    /// # Ok::<(), quorate::server::LocalError>(())
    /// ```
    ///
    /// # Errors
    /// As [`LocalBuilder::start`].
    pub fn start(voters: u8) -> Result<Self, LocalError> {
        Self::builder().voters(voters).start()
    }

    /// Begins the description of an ensemble.
    #[must_use]
    pub fn builder() -> LocalBuilder {
        LocalBuilder {
            voters: 3,
            observers: 0,
            directory: None,
            change: Change(Arc::new(|_, _| {})),
        }
    }

    /// The members, whether they run or not.
    ///
    /// ```
    /// # use quorate::server::LocalEnsemble;
    /// let ensemble = LocalEnsemble::start(1)?;
    /// assert!(ensemble.membership().is_voter(1));
    /// # Ok::<(), quorate::server::LocalError>(())
    /// ```
    #[must_use]
    pub const fn membership(&self) -> &Membership {
        self.plan.membership()
    }

    /// Where clients find the members, running or not: `host:port,host:port`.
    #[must_use]
    pub fn servers(&self) -> String {
        self.plan.servers()
    }

    /// A member that runs.
    ///
    /// ```
    /// # use quorate::server::LocalEnsemble;
    /// use quorate::client::Client;
    ///
    /// let mut ensemble = LocalEnsemble::start(1)?;
    /// // A client of this member only, without a socket.
    /// let client = Client::builder().in_process(ensemble.member(1).unwrap()).connect_blocking()?;
    /// assert!(client.exists("/")?.is_some());
    /// ensemble.stop(1)?;
    /// assert!(ensemble.member(1).is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn member(&self, sid: i64) -> Option<&Server> {
        self.members.get(&sid)
    }

    /// The numbers of the members that run.
    ///
    /// ```
    /// # use quorate::server::LocalEnsemble;
    /// let mut ensemble = LocalEnsemble::start(3)?;
    /// ensemble.stop(2)?;
    /// assert_eq!(ensemble.running().collect::<Vec<_>>(), [1, 3]);
    /// # Ok::<(), quorate::server::LocalError>(())
    /// ```
    pub fn running(&self) -> impl Iterator<Item = i64> + '_ {
        self.members.keys().copied()
    }

    /// What a member does now: `leader`, `follower`, `observer`, or `read-only` without a leader; nothing if it serves nobody.
    ///
    /// ```
    /// # use quorate::server::LocalEnsemble;
    /// let mut ensemble = LocalEnsemble::start(1)?;
    /// ensemble.wait_until_all_serve()?;
    /// assert_eq!(ensemble.mode(1).as_deref(), Some("leader"));
    /// ensemble.stop(1)?;
    /// assert_eq!(ensemble.mode(1), None);
    /// # Ok::<(), quorate::server::LocalError>(())
    /// ```
    #[must_use]
    pub fn mode(&self, sid: i64) -> Option<String> {
        let mut stream = self.member(sid)?.connect();
        stream.write_all(b"srvr").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        text.lines().find_map(|line| line.strip_prefix("Mode: ")).map(str::to_owned)
    }

    /// Waits until a member leads.
    ///
    /// ```
    /// # use quorate::server::LocalEnsemble;
    /// let mut ensemble = LocalEnsemble::start(3)?;
    /// let first = ensemble.leader()?;
    /// ensemble.stop(first)?;
    /// assert_ne!(ensemble.leader()?, first);
    /// # Ok::<(), quorate::server::LocalError>(())
    /// ```
    ///
    /// # Errors
    /// [`LocalError::Late`] when nobody does: perhaps too few voters run.
    pub fn leader(&self) -> Result<i64, LocalError> {
        let leads = |sid: &i64| self.mode(*sid).as_deref() == Some("leader");
        eventually("no member leads", || self.running().find(leads))
    }

    /// Waits until every member that runs serves its clients, reads and writes.
    ///
    /// ```
    /// # use quorate::server::LocalEnsemble;
    /// let ensemble = LocalEnsemble::start(3)?;
    /// ensemble.wait_until_all_serve()?;
    /// assert!(ensemble.running().all(|sid| ensemble.mode(sid).is_some()));
    /// # Ok::<(), quorate::server::LocalError>(())
    /// ```
    ///
    /// # Errors
    /// [`LocalError::Late`] when one does not: perhaps too few voters run.
    pub fn wait_until_all_serve(&self) -> Result<(), LocalError> {
        let serve = || self.running().all(|sid| serves(self.mode(sid).as_deref()));
        eventually("not every member serves", || serve().then_some(()))
    }

    /// Stops a member; nothing if it does not run.
    ///
    /// ```
    /// # use quorate::server::LocalEnsemble;
    /// let mut ensemble = LocalEnsemble::start(3)?;
    /// ensemble.stop(2)?;
    /// // Two of three are a quorum.
    /// ensemble.wait_until_all_serve()?;
    /// // Once more does no harm.
    /// ensemble.stop(2)?;
    /// # Ok::<(), quorate::server::LocalError>(())
    /// ```
    ///
    /// # Errors
    /// When it had failed before, or there is no such member.
    pub fn stop(&mut self, sid: i64) -> Result<(), LocalError> {
        self.check(sid)?;
        let stopped = self.members.remove(&sid).map_or(Ok(()), Server::stop);
        stopped.map_err(|source| LocalError::Member { sid, source })
    }

    /// Starts a member with the data that it has, after stopping it if it runs.
    ///
    /// ```
    /// # use quorate::server::LocalEnsemble;
    /// let mut ensemble = LocalEnsemble::start(3)?;
    /// ensemble.stop(2)?;
    /// ensemble.restart(2)?;
    /// ensemble.wait_until_all_serve()?;
    /// assert_eq!(ensemble.running().count(), 3);
    /// # Ok::<(), quorate::server::LocalError>(())
    /// ```
    ///
    /// # Errors
    /// As [`stop`](Self::stop), and when it does not start.
    pub fn restart(&mut self, sid: i64) -> Result<(), LocalError> {
        self.stop(sid)?;
        let mut config = ServerConfig {
            tick_time_ms: TICK_MS,
            ensemble: Some(EnsembleConfig::new(sid, self.membership().clone())),
            ..ServerConfig::default()
        };
        (self.change.0)(sid, &mut config);
        let mut builder = Server::builder().config(config).data_dir(self.plan.data_dir(sid));
        if let Some(address) = self.plan.client(sid) {
            builder = builder.listen(address);
        }
        let server = builder.start().map_err(|source| LocalError::Member { sid, source })?;
        self.members.insert(sid, server);
        Ok(())
    }

    /// Stops a member and removes its data, as if it had lost its disk. When it starts again it gets everything from the leader.
    ///
    /// ```
    /// # use quorate::server::LocalEnsemble;
    /// let mut ensemble = LocalEnsemble::start(3)?;
    /// let leader = ensemble.leader()?;
    /// ensemble.wipe(leader)?;
    /// ensemble.restart(leader)?;
    /// ensemble.wait_until_all_serve()?;
    /// # Ok::<(), quorate::server::LocalError>(())
    /// ```
    ///
    /// # Errors
    /// As [`stop`](Self::stop), and when the data cannot be removed.
    pub fn wipe(&mut self, sid: i64) -> Result<(), LocalError> {
        self.stop(sid)?;
        match std::fs::remove_dir_all(self.plan.data_dir(sid)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e.into()),
            _ => Ok(()),
        }
    }

    fn check(&self, sid: i64) -> Result<(), LocalError> {
        let known = self.membership().servers.contains_key(&sid);
        known.then_some(()).ok_or(LocalError::NoMember(sid))
    }
}

/// Whether a member that says this of itself serves all clients.
fn serves(mode: Option<&str>) -> bool {
    mode.is_some_and(|mode| mode != READ_ONLY)
}

/// Asks again and again until there is an answer.
fn eventually<T>(what: &'static str, mut ask: impl FnMut() -> Option<T>) -> Result<T, LocalError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            return Err(LocalError::Late(what));
        }
        thread::sleep(PAUSE);
    }
}

/// Short, so that a member that is gone is missed soon.
const TICK_MS: u32 = 500;
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lets_only_read_does_not_serve() {
        let modes = [Some("leader"), Some("observer"), Some(READ_ONLY), None];
        assert_eq!(modes.map(serves), [true, true, false, false]);
    }
}
