//! A directory's children with their data, as a list that follows what happens. What membership, progress and assignments are
//! seen through.
//!
//! One persistent watch on the subtree tells which child has changed; only that one is read again. The watch stands before the first
//! read, so that nothing is missed between the two. Needs ZooKeeper 3.6 or newer.

use super::kit::{
    Backoff, Companion, Live, Teller, children_or_none, join, live, name_of, parent_of, patiently,
};
use crate::client::{Client, ErrorCode, Event, Result, Stat, WatchEvent, WatchMode};
use std::collections::{BTreeMap, BTreeSet};
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

/// Follows a directory until it is dropped. While the connection is away the list stays as it was. Children whose data may not be read are
/// [told apart](Self::unreadable), and take nothing from the others.
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
    unreadable: Live<Arc<Vec<String>>>,
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
        let (list, entries) = live(first.list());
        let (names, unreadable) = live(first.names());
        let tellers = Tellers { list, names };
        let companion = Companion::start(client.environment(), |_| follower.run(first, tellers));
        Ok(Self { entries, unreadable, known: Arc::default(), _companion: companion })
    }

    /// The children, by name.
    #[must_use]
    pub fn entries(&self) -> Arc<Vec<Entry>> {
        self.entries.get()
    }

    /// The names of the children that are wanted and whose data this client may not read. They are in no list. Servers tell nobody of a changed
    /// ACL, and some tell nothing about nodes to those who may not read them: such a child is read again when its next change is told, and
    /// after each new connection.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{Acl, CreateMode, CreateOptions};
    /// use quorate::recipes::directory::Directory;
    ///
    /// client.create("/hosts", b"", CreateMode::Persistent).await?;
    /// client.create("/hosts/a", b"", CreateMode::Persistent).await?;
    /// // Everything but reading.
    /// let hidden = CreateOptions::new(CreateMode::Persistent).acl(vec![Acl::world(30)]);
    /// client.create("/hosts/b", b"", hidden).await?;
    /// let hosts = Directory::follow(&client, "/hosts", |_| true).await?;
    /// assert_eq!((hosts.entries().len(), hosts.entries()[0].name.as_str()), (1, "a"));
    /// assert_eq!(*hosts.unreadable(), ["b"]);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn unreadable(&self) -> Arc<Vec<String>> {
        self.unreadable.get()
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

/// What there is.
#[derive(Debug, Default)]
struct Found {
    entries: BTreeMap<String, Entry>,
    /// Children that are there and may not be read.
    unreadable: BTreeSet<String>,
}

/// What a look at a child has shown.
enum Child {
    Entry(Entry),
    Unreadable,
    /// It is not there, or does not count.
    Nothing,
}

/// What is told, and where.
struct Tellers {
    list: Teller<Arc<Vec<Entry>>>,
    names: Teller<Arc<Vec<String>>>,
}

impl Found {
    fn list(&self) -> Arc<Vec<Entry>> {
        Arc::new(self.entries.values().cloned().collect())
    }

    fn names(&self) -> Arc<Vec<String>> {
        Arc::new(self.unreadable.iter().cloned().collect())
    }

    fn put(&mut self, name: &str, child: Child) {
        self.entries.remove(name);
        let was_unreadable = self.unreadable.remove(name);
        match child {
            Child::Entry(entry) => _ = self.entries.insert(name.to_owned(), entry),
            Child::Unreadable => {
                if !was_unreadable {
                    tracing::warn!(name, "a child of a directory may not be read");
                }
                self.unreadable.insert(name.to_owned());
            }
            Child::Nothing => {}
        }
    }
}

impl Tellers {
    /// Whoever hears of a new list finds the names that belong to it.
    fn tell(&self, found: &Found) {
        self.names.tell_if_new(found.names());
        self.list.tell_if_new(found.list());
    }
}

impl Follower {
    async fn run(self, mut found: Found, tellers: Tellers) {
        let mut backoff = Backoff::default();
        loop {
            match self.round(&mut found, &tellers).await {
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
    async fn round(&self, found: &mut Found, tellers: &Tellers) -> Result<()> {
        let mut watcher = self.client.watch(&self.path, WatchMode::Recursive).await?;
        *found = self.read_all().await?;
        tellers.tell(found);
        loop {
            match watcher.next().await? {
                WatchEvent::Changed(Event { path: node, .. }) => {
                    let name = name_of(&node);
                    if parent_of(&node) != self.path || !(self.wanted)(name) {
                        continue;
                    }
                    found.put(name, self.read(name).await?);
                }
                WatchEvent::Missed => *found = self.read_all().await?,
            }
            tellers.tell(found);
        }
    }

    async fn read_all(&self) -> Result<Found> {
        let names = children_or_none(&self.client, &self.path).await?;
        let mut found = Found::default();
        for name in names.into_iter().filter(|name| (self.wanted)(name)) {
            found.put(&name, self.read(&name).await?);
        }
        Ok(found)
    }

    async fn read(&self, name: &str) -> Result<Child> {
        let node = join(&self.path, name);
        match patiently(|| self.client.get(&node)).await {
            Ok((_, stat)) if !(self.counts)(&stat) => Ok(Child::Nothing),
            Ok((data, stat)) => Ok(Child::Entry(Entry { name: name.to_owned(), data, stat })),
            Err(error) if error.code() == ErrorCode::NoNode => Ok(Child::Nothing),
            Err(error) if error.code() == ErrorCode::NoAuth => Ok(Child::Unreadable),
            Err(error) => Err(error),
        }
    }
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
