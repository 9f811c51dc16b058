//! A directory's children with their data, as a list that follows what happens. What membership, progress and assignments are
//! seen through.
//!
//! One persistent watch on the subtree tells which child has changed; only that one is read again. The watch stands before the first
//! read, so that nothing is missed between the two. Needs ZooKeeper 3.6 or newer.

use super::kit::{Backoff, Companion, Live, Teller, join, live, name_of, parent_of, patiently};
use crate::client::{Client, ErrorCode, Event, Result, Stat, WatchEvent, WatchMode};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A child of a directory.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::directory::Directory;
///
/// let root = Directory::follow(&client, "/", |name| name == "zookeeper").await?;
/// assert_eq!(root.entries()[0].name, "zookeeper");
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its data.
    pub data: Vec<u8>,
    /// Its stat: `czxid` names this life of the node, `version` counts its changes, `ephemeral_owner` is its session.
    pub stat: Stat,
}

/// How a list changed.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::CreateMode;
/// use quorate::recipes::directory::{Change, Directory};
///
/// client.create("/hosts", b"", CreateMode::Persistent).await?;
/// client.create("/hosts/a", b"", CreateMode::Persistent).await?;
/// let mut hosts = Directory::follow(&client, "/hosts", |_| true).await?;
/// let changes = hosts.changes().await.unwrap();
/// assert!(matches!(&changes[..], [Change::Joined(entry)] if entry.name == "a"));
/// client.delete("/hosts/a", None).await?;
/// let changes = hosts.changes().await.unwrap();
/// assert!(matches!(&changes[..], [Change::Left(entry)] if entry.name == "a"));
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A child appeared.
    Joined(Entry),
    /// A child's data was written.
    Changed(Entry),
    /// A child went; this is how it was.
    Left(Entry),
}

/// Follows a directory until it is dropped. While the connection is away the list stays as it was.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::CreateMode;
/// use quorate::recipes::directory::{Change, Directory};
///
/// client.create("/hosts", b"", CreateMode::Persistent).await?;
/// let mut hosts = Directory::follow(&client, "/hosts", |_| true).await?;
/// assert!(hosts.entries().is_empty());
/// client.create("/hosts/a", b"10.0.0.1", CreateMode::Ephemeral).await?;
/// let changes = hosts.changes().await.unwrap();
/// assert!(matches!(&changes[..], [Change::Joined(entry)] if entry.name == "a"));
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Directory {
    entries: Live<Arc<Vec<Entry>>>,
    known: Arc<Vec<Entry>>,
    _companion: Companion,
}

impl Directory {
    /// Follows the children of `path` whose names are wanted, and waits for the first list. The directory need not exist.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    /// use quorate::recipes::directory::Directory;
    ///
    /// client.create("/hosts", b"", CreateMode::Persistent).await?;
    /// client.create("/hosts/a", b"", CreateMode::Persistent).await?;
    /// client.create("/hosts/.hidden", b"", CreateMode::Persistent).await?;
    /// let hosts = Directory::follow(&client, "/hosts", |name| !name.starts_with('.')).await?;
    /// assert_eq!(hosts.entries().len(), 1);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses the first look.
    pub async fn follow(client: &Client, path: &str, wanted: fn(&str) -> bool) -> Result<Self> {
        Self::follow_nodes(client, path, wanted, |_| true).await
    }

    /// The same, of children that are wanted by their stat too.
    pub(super) async fn follow_nodes(
        client: &Client,
        path: &str,
        wanted: fn(&str) -> bool,
        counts: fn(&Stat) -> bool,
    ) -> Result<Self> {
        let follower = Follower { client: client.clone(), path: path.to_owned(), wanted, counts };
        let first = follower.read_all().await?;
        let (teller, entries) = live(list(&first));
        let companion = Companion::start(client.environment(), |_| follower.run(first, teller));
        Ok(Self { entries, known: Arc::default(), _companion: companion })
    }

    /// The children, by name.
    #[must_use]
    pub fn entries(&self) -> Arc<Vec<Entry>> {
        self.entries.get()
    }

    /// The lists as a stream: the present one first. One that is read slowly skips what is outdated.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    /// use quorate::recipes::directory::Directory;
    ///
    /// client.create("/hosts", b"", CreateMode::Persistent).await?;
    /// let hosts = Directory::follow(&client, "/hosts", |_| true).await?;
    /// let mut lists = hosts.lists();
    /// assert!(lists.next().await.unwrap().is_empty());
    /// client.create("/hosts/a", b"", CreateMode::Ephemeral).await?;
    /// assert_eq!(lists.next().await.unwrap()[0].name, "a");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn lists(&self) -> Live<Arc<Vec<Entry>>> {
        self.entries.clone()
    }

    /// Waits for a list of which `condition` holds. `None` when the client has ended.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    /// use quorate::recipes::directory::Directory;
    ///
    /// client.create("/hosts", b"", CreateMode::Persistent).await?;
    /// let hosts = Directory::follow(&client, "/hosts", |_| true).await?;
    /// client.create("/hosts/a", b"", CreateMode::Ephemeral).await?;
    /// client.create("/hosts/b", b"", CreateMode::Ephemeral).await?;
    /// let both = hosts.until(|hosts| hosts.len() == 2).await.unwrap();
    /// assert_eq!((both[0].name.as_str(), both[1].name.as_str()), ("a", "b"));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub async fn until(
        &self,
        mut condition: impl FnMut(&[Entry]) -> bool,
    ) -> Option<Arc<Vec<Entry>>> {
        self.entries.until(|entries| condition(entries)).await
    }

    /// Waits until something has changed since the last call, and says what: first those who left, then the others, by name. The first call
    /// answers with all who are there, as soon as there is one. `None` when the client has ended.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    /// use quorate::recipes::directory::{Change, Directory};
    ///
    /// client.create("/hosts", b"", CreateMode::Persistent).await?;
    /// client.create("/hosts/a", b"1", CreateMode::Ephemeral).await?;
    /// let mut hosts = Directory::follow(&client, "/hosts", |_| true).await?;
    /// hosts.changes().await;
    /// client.set("/hosts/a", b"2", None).await?;
    /// let changes = hosts.changes().await.unwrap();
    /// assert!(matches!(&changes[..], [Change::Changed(entry)] if entry.data == b"2"));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub async fn changes(&mut self) -> Option<Vec<Change>> {
        let known = Arc::clone(&self.known);
        let now = self.entries.until(|entries| *entries != known).await?;
        self.known = Arc::clone(&now);
        Some(difference(&known, &now))
    }
}

/// The background task.
struct Follower {
    client: Client,
    path: String,
    wanted: fn(&str) -> bool,
    counts: fn(&Stat) -> bool,
}

type Entries = BTreeMap<String, Entry>;

impl Follower {
    async fn run(self, mut entries: Entries, teller: Teller<Arc<Vec<Entry>>>) {
        let mut backoff = Backoff::default();
        loop {
            match self.round(&mut entries, &teller).await {
                Ok(()) => backoff.reset(),
                Err(error) if error.is_connection_loss() => {}
                Err(error) if error.code() == ErrorCode::SessionExpired => {
                    if self.client.connected().await.is_err() {
                        return;
                    }
                }
                Err(error) if error.is_session_end() => return,
                Err(error) => {
                    tracing::warn!(%error, "a directory cannot be followed");
                    backoff.pause(&self.client).await;
                }
            }
        }
    }

    /// Watches, reads everything, and then what changes.
    async fn round(&self, entries: &mut Entries, teller: &Teller<Arc<Vec<Entry>>>) -> Result<()> {
        let mut watcher = self.client.watch(&self.path, WatchMode::Recursive).await?;
        *entries = self.read_all().await?;
        teller.tell_if_new(list(entries));
        loop {
            match watcher.next().await? {
                WatchEvent::Changed(Event { path: node, .. }) => {
                    let name = name_of(&node);
                    if parent_of(&node) != self.path || !(self.wanted)(name) {
                        continue;
                    }
                    match self.read(name).await? {
                        Some(entry) => entries.insert(name.to_owned(), entry),
                        None => entries.remove(name),
                    };
                }
                WatchEvent::Missed => *entries = self.read_all().await?,
            }
            teller.tell_if_new(list(entries));
        }
    }

    async fn read_all(&self) -> Result<Entries> {
        let names = match patiently(|| self.client.children(&self.path)).await {
            Ok((names, _)) => names,
            Err(error) if error.code() == ErrorCode::NoNode => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut entries = Entries::new();
        for name in names.into_iter().filter(|name| (self.wanted)(name)) {
            if let Some(entry) = self.read(&name).await? {
                entries.insert(name, entry);
            }
        }
        Ok(entries)
    }

    async fn read(&self, name: &str) -> Result<Option<Entry>> {
        let node = join(&self.path, name);
        match patiently(|| self.client.get(&node)).await {
            Ok((_, stat)) if !(self.counts)(&stat) => Ok(None),
            Ok((data, stat)) => Ok(Some(Entry { name: name.to_owned(), data, stat })),
            Err(error) if error.code() == ErrorCode::NoNode => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn list(entries: &Entries) -> Arc<Vec<Entry>> {
    Arc::new(entries.values().cloned().collect())
}

/// What happened between two lists. A node that was deleted and made again has left and joined.
fn difference(before: &[Entry], now: &[Entry]) -> Vec<Change> {
    let life = |entry: &Entry| (entry.name.clone(), entry.stat.czxid);
    let old: BTreeMap<_, _> = before.iter().map(|entry| (life(entry), entry)).collect();
    let new: BTreeMap<_, _> = now.iter().map(|entry| (life(entry), entry)).collect();
    let left = old.iter().filter(|(key, _)| !new.contains_key(key));
    let mut changes: Vec<Change> = left.map(|(_, entry)| Change::Left((*entry).clone())).collect();
    for (key, entry) in new {
        match old.get(&key) {
            None => changes.push(Change::Joined(entry.clone())),
            Some(known) if known.stat.mzxid != entry.stat.mzxid => {
                changes.push(Change::Changed(entry.clone()));
            }
            Some(_) => {}
        }
    }
    changes
}
