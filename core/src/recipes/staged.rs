//! Configuration of several keys that switch together: every reader has all of the old ones or all of the new.
//!
//! Layout: `<path>/versions/N10/<key>` holds one version, written completely and then never changed; `<path>/current` holds the number of the
//! version that counts. Publishing is done under the lock at `<path>/publishing`; flipping the pointer is one write. Unlike a
//! transaction this has no limit of size, and what was valid before stays there to go back to.

mod subscription;

pub use subscription::Subscription;

use super::kit::{Backoff, Held, children_or_none, ensure, join, patiently};
use super::layout::sequence::Sequence;
use super::lock::Lock;
use super::value::{SharedValue, Versioned};
use crate::client::{Client, CreateMode, Error, ErrorCode, ReadResult, Result, Transaction};
use std::collections::BTreeMap;

/// Staged configuration at a path. It is only a description: cheap to make, and to clone.
///
/// ```
/// # use quorate::{client::Client, recipes::staged::StagedConfig, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let config = StagedConfig::new(client, "/config");
/// let mut subscription = config.subscribe().await?;
/// config.publish([("host", "db1"), ("port", "5432")]).await?;
/// let snapshot = subscription.changed().await?.ok_or("published").unwrap();
/// assert_eq!((snapshot.text("host"), snapshot.text("port")), (Some("db1"), Some("5432")));
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct StagedConfig {
    client: Client,
    path: String,
    keep: usize,
}

/// One version of the configuration.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::staged::StagedConfig;
///
/// let config = StagedConfig::new(&client, "/config");
/// config.publish([("host", "db1")]).await?;
/// let snapshot = config.get().await?.unwrap();
/// assert_eq!((snapshot.get("host"), snapshot.text("port")), (Some(&b"db1"[..]), None));
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its number.
    pub version: i32,
    /// Its keys.
    pub keys: BTreeMap<String, Vec<u8>>,
    /// The zxid that made it the current one: grows with every switch, also with one back to an older version.
    pub token: i64,
}

impl Snapshot {
    /// A key's data.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::staged::StagedConfig;
    ///
    /// let config = StagedConfig::new(&client, "/config");
    /// config.publish([("logo", [0xff, 0xd8])]).await?;
    /// let snapshot = config.get().await?.unwrap();
    /// assert_eq!((snapshot.get("logo"), snapshot.get("name")), (Some(&[0xff, 0xd8][..]), None));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.keys.get(key).map(Vec::as_slice)
    }

    /// A key's data as text; `None` also when it is no UTF-8.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::staged::StagedConfig;
    ///
    /// let config = StagedConfig::new(&client, "/config");
    /// config.publish([("host", b"db1".to_vec()), ("logo", vec![0xff])]).await?;
    /// let snapshot = config.get().await?.unwrap();
    /// assert_eq!((snapshot.text("host"), snapshot.text("logo")), (Some("db1"), None));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(|data| std::str::from_utf8(data).ok())
    }
}

impl StagedConfig {
    /// The configuration at `path`. The three newest versions up to the current one are kept unless [`keep`](Self::keep) says otherwise.
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        Self { client: client.clone(), path: path.to_owned(), keep: 3 }
    }

    /// Keeps so many versions; at least the current one.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::staged::StagedConfig;
    ///
    /// let config = StagedConfig::new(&client, "/config").keep(2);
    /// for host in ["db1", "db2", "db3"] {
    ///     config.publish([("host", host)]).await?;
    /// }
    /// assert_eq!((config.versions().await?.len(), config.path()), (2, "/config"));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub const fn keep(mut self, versions: usize) -> Self {
        self.keep = versions;
        self
    }

    /// Writes a new version with exactly these keys and makes it the current one. Answers its number.
    ///
    /// Publishers wait for each other. A publisher that dies or is cancelled leaves the old version current, and at most an
    /// unfinished one that the next publisher removes.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::staged::StagedConfig;
    ///
    /// let config = StagedConfig::new(&client, "/config");
    /// config.publish([("host", "db1"), ("port", "5432")]).await?;
    /// config.publish([("host", "db2")]).await?;
    /// // Exactly these keys: nothing of the version before is left.
    /// let snapshot = config.get().await?.unwrap();
    /// assert_eq!((snapshot.text("host"), snapshot.text("port")), (Some("db2"), None));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `BadArguments` for a key that cannot be a node's name. When the session is lost while the pointer is flipped, the outcome
    /// is unknown.
    pub async fn publish<K: Into<String>, V: Into<Vec<u8>>>(
        &self,
        keys: impl IntoIterator<Item = (K, V)>,
    ) -> Result<i32> {
        let keys: BTreeMap<String, Vec<u8>> =
            keys.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        if let Some(key) = keys.keys().find(|key| key.contains('/') || key.is_empty()) {
            return Err(Error::new(ErrorCode::BadArguments, "publish", self.path.as_str())
                .with_detail(format!("{key:?} cannot be a node's name")));
        }
        let held = self.lock().acquire().await?;
        let current = self.pointer().get().await?;
        let newest = self.clean(&held, current.as_ref()).await?;
        let version = newest.map_or(0, |newest| newest.wrapping_add(1));
        self.write(&held, version, &keys).await?;
        self.flip(&held, current.as_ref(), version).await?;
        held.release().await?;
        Ok(version)
    }

    /// Makes an older version the current one again.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::staged::StagedConfig;
    ///
    /// let config = StagedConfig::new(&client, "/config");
    /// let old = config.publish([("host", "db1")]).await?;
    /// config.publish([("host", "db2")]).await?;
    /// let token = config.get().await?.unwrap().token;
    /// config.go_back(old).await?;
    /// let now = config.get().await?.unwrap();
    /// assert!(now.text("host") == Some("db1") && now.token > token);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `NoNode` when it is not kept any more; otherwise as for [`publish`](Self::publish).
    pub async fn go_back(&self, version: i32) -> Result<()> {
        let held = self.lock().acquire().await?;
        let current = self.pointer().get().await?;
        if !self.versions().await?.contains(&version) {
            return Err(Error::new(ErrorCode::NoNode, "go back", self.version_path(version)));
        }
        self.flip(&held, current.as_ref(), version).await?;
        held.release().await
    }

    /// Reads the current version; `None` when nothing was published yet.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::staged::StagedConfig;
    ///
    /// let config = StagedConfig::new(&client, "/config");
    /// assert!(config.get().await?.is_none());
    /// let version = config.publish([("host", "db1")]).await?;
    /// assert_eq!(config.get().await?.unwrap().version, version);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses, or somebody has deleted the current version.
    pub async fn get(&self) -> Result<Option<Snapshot>> {
        let mut before: Option<Versioned> = None;
        loop {
            let Some(pointer) = self.pointer().get().await? else { return Ok(None) };
            match self.read(&pointer).await {
                // The version was removed while it was read: there is a newer one.
                Err(error)
                    if error.code() == ErrorCode::NoNode && before.as_ref() != Some(&pointer) =>
                {
                    before = Some(pointer);
                }
                read => return read.map(Some),
            }
        }
    }

    /// The numbers of the versions that are kept, oldest first. One beyond the current one may be unfinished.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::staged::StagedConfig;
    ///
    /// let config = StagedConfig::new(&client, "/config");
    /// let (first, second) = (config.publish([("n", "1")]).await?, config.publish([("n", "2")]).await?);
    /// assert_eq!(config.versions().await?, [first, second]);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn versions(&self) -> Result<Vec<i32>> {
        let directory = self.versions_path();
        let names = children_or_none(&self.client, &directory).await?;
        let mut versions: Vec<i32> =
            names.iter().filter_map(|name| Sequence::parse(name)).map(|number| number.0).collect();
        versions.sort_unstable();
        Ok(versions)
    }

    /// Follows the configuration. Returns when it has been read for the first time.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::staged::StagedConfig;
    ///
    /// let config = StagedConfig::new(&client, "/config");
    /// config.publish([("host", "db1")]).await?;
    /// let copy = config.subscribe().await?;
    /// assert_eq!(copy.current().unwrap().text("host"), Some("db1"));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the client is closed, or the server refuses.
    pub async fn subscribe(&self) -> Result<Subscription> {
        Subscription::start(self).await
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    fn lock(&self) -> Lock {
        Lock::new(&self.client, &join(&self.path, "publishing"))
    }

    fn pointer(&self) -> SharedValue {
        SharedValue::new(&self.client, &join(&self.path, "current"))
    }

    fn versions_path(&self) -> String {
        join(&self.path, "versions")
    }

    fn version_path(&self, version: i32) -> String {
        join(&self.versions_path(), &Sequence(version).to_string())
    }

    /// Removes what an earlier publisher did not finish and what is too old. Answers the newest number that was given out.
    async fn clean(&self, held: &Held, current: Option<&Versioned>) -> Result<Option<i32>> {
        ensure(&self.client, &self.versions_path()).await?;
        let current = current.map(number_of).transpose()?;
        let versions = self.versions().await?;
        let newest = versions.last().copied().max(current);
        let mut finished = Vec::new();
        for version in versions {
            let path = self.version_path(version);
            match patiently(|| self.client.exists(&path)).await? {
                Some(stat) if stat.data_length == 0 => self.remove(held, version).await?,
                Some(_) => finished.push(version),
                None => {}
            }
        }
        // The new one will be one more.
        let spare = finished.len().saturating_add(1).saturating_sub(self.keep.max(1));
        for version in finished.into_iter().take(spare).filter(|version| Some(*version) != current)
        {
            self.remove(held, version).await?;
        }
        Ok(newest)
    }

    /// Writes a version, in as many transactions as it takes. After a lost answer it is written anew.
    async fn write(
        &self,
        held: &Held,
        version: i32,
        keys: &BTreeMap<String, Vec<u8>>,
    ) -> Result<()> {
        let path = self.version_path(version);
        let mut backoff = Backoff::default();
        'anew: loop {
            let mut transaction = held.guarded().create(&*path, b"", CreateMode::Persistent);
            let mut bytes = 0;
            for (key, data) in keys {
                if bytes > MAX_BYTES || transaction.len() > MAX_PARTS {
                    let full = std::mem::replace(&mut transaction, held.guarded());
                    if !self.committed(full, held, version, &mut backoff).await? {
                        continue 'anew;
                    }
                    bytes = 0;
                }
                bytes += key.len() + data.len() + path.len() + PART_OVERHEAD;
                transaction =
                    transaction.create(join(&path, key), data.as_slice(), CreateMode::Persistent);
            }
            if self.committed(transaction, held, version, &mut backoff).await? {
                return Ok(());
            }
        }
    }

    /// Commits a part of a version; false when its answer was lost, and the version was removed again.
    async fn committed(
        &self,
        transaction: Transaction,
        held: &Held,
        version: i32,
        backoff: &mut Backoff,
    ) -> Result<bool> {
        match transaction.commit().await {
            Ok(_) => Ok(true),
            Err(error) if error.is_connection_loss() => {
                backoff.pause(&self.client).await;
                patiently(|| self.client.sync(&self.path)).await?;
                self.remove(held, version).await?;
                Ok(false)
            }
            // The container of the versions was reaped meanwhile.
            Err(error) if error.code() == ErrorCode::NoNode && error.part() == Some(1) => {
                ensure(&self.client, &self.versions_path()).await?;
                backoff.pause(&self.client).await;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Removes a version, finished or not.
    async fn remove(&self, held: &Held, version: i32) -> Result<()> {
        let path = self.version_path(version);
        loop {
            let keys = match patiently(|| self.client.children(&path)).await {
                Ok((keys, _)) => keys,
                Err(error) if error.code() == ErrorCode::NoNode => return Ok(()),
                Err(error) => return Err(error),
            };
            let whole = keys.len() <= MAX_PARTS;
            let delete = |all: Transaction, key: &String| all.delete(join(&path, key), None);
            let mut transaction = keys.iter().take(MAX_PARTS).fold(held.guarded(), delete);
            if whole {
                transaction = transaction.delete(&*path, None);
            }
            match transaction.commit().await {
                Ok(_) if whole => return Ok(()),
                Ok(_) => {}
                Err(error) if error.is_connection_loss() => {}
                // Part 0 is the lock. Anything else has been removed by somebody: look again.
                Err(error) if error.code() == ErrorCode::NoNode && error.part() != Some(0) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes a version the current one.
    async fn flip(&self, held: &Held, current: Option<&Versioned>, version: i32) -> Result<()> {
        let (path, data) = (join(&self.path, "current"), Sequence(version).to_string());
        if current.is_some_and(|current| current.data == data.as_bytes()) {
            return Ok(());
        }
        let mut unknown = false;
        loop {
            let flip = held.guarded().set(self.version_path(version), COMPLETE, None);
            let flip = match current {
                Some(current) => flip.set(&*path, &*data, Some(current.stat.version)),
                None => flip.create(&*path, &*data, CreateMode::Persistent),
            };
            match flip.commit().await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_connection_loss() => unknown |= error.outcome_unknown(),
                Err(error) if unknown => return Err(error.with_outcome_unknown()),
                Err(error) => return Err(error),
            }
            // Under the lock nobody else writes the pointer.
            match self.pointer().get().await {
                Ok(Some(now)) if now.data == data.as_bytes() => return Ok(()),
                Ok(_) => unknown = false,
                Err(error) if unknown => return Err(error.with_outcome_unknown()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads the version to which the pointer points.
    async fn read(&self, pointer: &Versioned) -> Result<Snapshot> {
        let version = number_of(pointer)?;
        let path = self.version_path(version);
        let (names, _) = patiently(|| self.client.children(&path)).await?;
        let mut keys = BTreeMap::new();
        for names in names.chunks(READS) {
            let fetch = || {
                let all = self.client.read_many();
                names.iter().fold(all, |all, name| all.get(join(&path, name))).fetch()
            };
            for (name, read) in names.iter().zip(patiently(fetch).await?) {
                match read {
                    Ok(ReadResult::Data(data, _)) => drop(keys.insert(name.clone(), data)),
                    Ok(ReadResult::Children(_)) => {}
                    Err(code) => return Err(Error::new(code, "read", join(&path, name))),
                }
            }
        }
        Ok(Snapshot { version, keys, token: pointer.stat.mzxid })
    }
}

/// The version that a pointer names.
fn number_of(pointer: &Versioned) -> Result<i32> {
    let text = std::str::from_utf8(&pointer.data).ok();
    text.and_then(Sequence::parse).map(|number| number.0).ok_or_else(|| {
        Error::new(ErrorCode::DataInconsistency, "configuration", "current")
            .with_detail("the pointer holds no version number")
    })
}

/// What a version's node says when it is written completely.
const COMPLETE: &[u8] = b"complete";
/// Parts of a transaction, and bytes in them: well below the servers' limit of a request.
const MAX_PARTS: usize = 500;
const MAX_BYTES: usize = 256 * 1024;
/// Bytes of a part besides path and data.
const PART_OVERHEAD: usize = 100;
/// Keys read in one request.
const READS: usize = 64;
