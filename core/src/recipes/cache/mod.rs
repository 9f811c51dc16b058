//! Caches: a node, a node's children, or a whole subtree, kept up to date in this process.
//!
//! Reading a cache costs no request. It follows the server by one persistent watch; servers before 3.6 get one-shot watches, one
//! or two per node. `plan` decides what has to be read, `task` reads it; `work` is what they say to each other. Compare
//! `org.apache.curator.framework.recipes.cache.CuratorCache`.

mod entry;
mod plan;
mod shared;
mod task;
#[cfg(test)]
mod tests;
mod tree;
mod work;

pub use entry::{Change, Changes, Entry};

use crate::client::{Client, Error, ErrorCode, Result};
use entry::Hub;
use plan::{Limits, Plan};
use shared::Core;
use std::sync::Arc;
use std::time::Duration;
use task::Task;

/// A copy of nodes that follows the server. Clones share it; when the last one is dropped, the watch is removed.
///
/// It shows every node as it was at some moment, never an older state after a newer one, and catches up in the end. Several nodes
/// may be from different moments. While the connection is away, it shows what was known last: see
/// [`is_current`](Self::is_current).
///
/// ```
/// # use quorate::{client::{Client, CreateMode}, recipes::cache::{Cache, Change}, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// client.create("/settings", b"", CreateMode::Persistent).await?;
/// client.create("/settings/colour", b"red", CreateMode::Persistent).await?;
///
/// let cache = Cache::tree(client, "/settings").start()?;
/// cache.ready().await?;
/// assert_eq!(&*cache.get("/settings/colour").unwrap().data.unwrap(), b"red");
///
/// let mut changes = cache.changes();
/// client.set("/settings/colour", b"blue", None).await?;
/// let Some(Change::Changed { old, new }) = changes.next().await else { panic!("a change") };
/// assert_eq!((&*old.data.unwrap(), &*new.data.unwrap()), (&b"red"[..], &b"blue"[..]));
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Cache {
    path: Arc<str>,
    core: Arc<Core>,
    _guard: Arc<Guard>,
}

/// How a cache is to be; [`start`](Self::start) makes it.
///
/// ```
/// # let server = quorate::server::Server::builder().volatile().no_port().start()?;
/// # quorate::client::blocking::wait(async {
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::cache::Cache;
/// use std::time::Duration;
///
/// let cache = Cache::tree(&client, "/")
///     .max_nodes(10_000)
///     .max_bytes(1 << 20)
///     .spread(Duration::from_secs(5))
///     .start()?;
/// cache.ready().await?;
/// assert!(!cache.is_partial());
/// # Ok::<(), quorate::client::Error>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `start`"]
pub struct Builder {
    client: Client,
    options: Options,
}

/// What the task has to know.
#[derive(Clone, Debug)]
struct Options {
    path: String,
    limits: Limits,
    spread: Duration,
    one_shot: bool,
}

/// How far a cache has come.
#[derive(Clone, Debug, Default)]
struct Phase {
    /// Whether it was complete once.
    filled: bool,
    /// Whether nothing is known to be missing now.
    current: bool,
    /// A path there was no room for.
    refused: Option<String>,
    /// Why it follows the server no more.
    ended: Option<Error>,
}

/// Ends the task with the last handle.
#[derive(Debug)]
struct Guard(Arc<Core>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Cache {
    /// A cache of one node, which need not exist.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::cache::Cache;
    ///
    /// let cache = Cache::node(&client, "/zookeeper").start()?;
    /// cache.ready().await?;
    /// assert_eq!((cache.len(), cache.path()), (1, "/zookeeper"));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn node(client: &Client, path: &str) -> Builder {
        Builder::new(client, path, 0)
    }

    /// A cache of a node and its children.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::cache::Cache;
    ///
    /// let cache = Cache::children(&client, "/").start()?;
    /// cache.ready().await?;
    /// // Not what is below them.
    /// assert!(cache.get("/zookeeper").is_some() && cache.get("/zookeeper/config").is_none());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn children(client: &Client, path: &str) -> Builder {
        Builder::new(client, path, 1)
    }

    /// A cache of a node and everything below it.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::cache::Cache;
    ///
    /// let cache = Cache::tree(&client, "/zookeeper").start()?;
    /// cache.ready().await?;
    /// assert!(cache.get("/zookeeper/config").is_some() && cache.get("/").is_none());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn tree(client: &Client, path: &str) -> Builder {
        Builder::new(client, path, usize::MAX)
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Waits until the cache has been filled.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::ErrorCode;
    /// use quorate::recipes::cache::Cache;
    ///
    /// let whole = Cache::tree(&client, "/").start()?;
    /// whole.ready().await?;
    /// let little = Cache::tree(&client, "/").max_nodes(1).start()?;
    /// // As full as it may be.
    /// assert_eq!(little.ready().await.unwrap_err().code(), ErrorCode::QuotaExceeded);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `QuotaExceeded` when it is filled as far as its limits allow, with the first path that has no room; otherwise why the
    /// cache has ended.
    pub async fn ready(&self) -> Result<()> {
        self.wait(|phase| phase.filled).await
    }

    /// Waits until the cache has caught up with the server, as far as it knows that it is behind: after a reconnect it knows by the
    /// time that a request submitted after it is answered.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::cache::Cache;
    ///
    /// let cache = Cache::tree(&client, "/").start()?;
    /// cache.ready().await?;
    /// cache.current().await?;
    /// assert!(cache.is_current());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`ready`](Self::ready).
    pub async fn current(&self) -> Result<()> {
        self.wait(|phase| phase.current).await
    }

    async fn wait(&self, wanted: impl Fn(&Phase) -> bool) -> Result<()> {
        let mut phases = self.core.phase.subscribe();
        let phase = phases.wait_for(|phase| phase.ended.is_some() || wanted(phase)).await;
        let phase = phase.map(|phase| phase.clone()).unwrap_or_default();
        match (phase.ended, phase.refused) {
            (Some(error), _) => Err(error),
            (None, Some(path)) => Err(self.full(&path)),
            (None, None) => Ok(()),
        }
    }

    fn full(&self, path: &str) -> Error {
        let plan = self.core.plan();
        Error::new(ErrorCode::QuotaExceeded, "cache", path).with_detail(format!(
            "the cache holds {} nodes, {} bytes: raise its `max_nodes` or `max_bytes`",
            plan.len(),
            plan.bytes()
        ))
    }

    /// Whether the cache has caught up, as far as it knows.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.core.phase.borrow().current
    }

    /// Whether nodes or data are missing for want of room.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::cache::Cache;
    ///
    /// let cache = Cache::tree(&client, "/").max_nodes(1).start()?;
    /// assert!(cache.ready().await.is_err() && cache.is_partial());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.core.plan().refused().is_some()
    }

    /// A node.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::cache::Cache;
    ///
    /// let cache = Cache::tree(&client, "/").start()?;
    /// cache.ready().await?;
    /// assert_eq!(cache.get("/").unwrap().stat.num_children, 1);
    /// assert!(cache.get("/nowhere").is_none());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Entry> {
        let plan = self.core.plan();
        plan.tree.node(path).map(|node| Entry::new(path, node))
    }

    /// The names of a node's children, in order; `None` when there is no such node. Children that have not been read yet
    /// are left out.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::cache::Cache;
    ///
    /// let cache = Cache::tree(&client, "/").start()?;
    /// cache.ready().await?;
    /// assert_eq!(cache.names("/").unwrap(), ["zookeeper"]);
    /// assert!(cache.names("/nowhere").is_none());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn names(&self, path: &str) -> Option<Vec<String>> {
        let plan = self.core.plan();
        let node = plan.tree.node(path)?;
        let read = node.children().filter(|(_, slot)| slot.is_some());
        Some(read.map(|(name, _)| name.to_owned()).collect())
    }

    /// A node's children, in the order of their names; none when there is no such node.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    /// use quorate::recipes::cache::Cache;
    ///
    /// client.create("/b", b"2", CreateMode::Persistent).await?;
    /// client.create("/a", b"1", CreateMode::Persistent).await?;
    /// let cache = Cache::children(&client, "/").start()?;
    /// cache.ready().await?;
    /// let paths: Vec<_> = cache.children_of("/").into_iter().map(|entry| entry.path).collect();
    /// assert_eq!(paths, ["/a", "/b", "/zookeeper"]);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn children_of(&self, path: &str) -> Vec<Entry> {
        let plan = self.core.plan();
        let Some(node) = plan.tree.node(path) else { return Vec::new() };
        let read = node.children().filter_map(|(name, slot)| Some((name, slot.as_ref()?)));
        read.map(|(name, node)| Entry::new(&super::kit::join(path, name), node)).collect()
    }

    /// Everything, parents before their children, in the order of their names.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::cache::Cache;
    ///
    /// let cache = Cache::tree(&client, "/").start()?;
    /// cache.ready().await?;
    /// let entries = cache.entries();
    /// assert_eq!((entries[0].path.as_str(), entries.len()), ("/", cache.len()));
    /// assert!(!cache.is_empty() && cache.bytes() > 0);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        entries(&self.core.plan())
    }

    /// How many nodes are known. Some of them may not have been read yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.core.plan().len()
    }

    /// Whether no node is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the names and data that the cache holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.core.plan().bytes()
    }

    /// A number that is another after every change: whoever derives something from the cache need not do so again while it
    /// stays.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::cache::Cache;
    ///
    /// let cache = Cache::node(&client, "/").start()?;
    /// cache.ready().await?;
    /// let (before, mut changes) = (cache.revision(), cache.changes());
    /// assert_eq!(cache.revision(), before);
    /// client.set("/", b"x", None).await?;
    /// changes.next().await;
    /// assert_ne!(cache.revision(), before);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.core.plan().revision()
    }

    /// The changes from now on. A listener may be 1,024 changes behind.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    /// use quorate::recipes::cache::{Cache, Change};
    ///
    /// let cache = Cache::children(&client, "/").start()?;
    /// cache.ready().await?;
    /// let mut changes = cache.changes();
    /// client.create("/new", b"", CreateMode::Persistent).await?;
    /// assert!(matches!(changes.next().await, Some(Change::Added(entry)) if entry.path == "/new"));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn changes(&self) -> Changes {
        self.entries_and_changes(DEFAULT_CHANGES).1
    }

    /// Everything, and the changes from that moment on; the listener may be `limit` changes behind.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    /// use quorate::recipes::cache::{Cache, Change};
    ///
    /// let cache = Cache::children(&client, "/").start()?;
    /// cache.ready().await?;
    /// // Nothing twice, and nothing between the two is missed.
    /// let (entries, mut changes) = cache.entries_and_changes(100);
    /// client.create("/new", b"", CreateMode::Persistent).await?;
    /// assert!(entries.iter().all(|entry| entry.path != "/new"));
    /// assert!(matches!(changes.next().await, Some(Change::Added(entry)) if entry.path == "/new"));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn entries_and_changes(&self, limit: usize) -> (Vec<Entry>, Changes) {
        let plan = self.core.plan();
        let changes = self.core.hub.subscribe(limit);
        (entries(&plan), changes)
    }
}

impl Builder {
    fn new(client: &Client, path: &str, depth: usize) -> Self {
        let limits = Limits { depth, data: true, nodes: MAX_NODES, bytes: MAX_BYTES };
        let options =
            Options { path: path.to_owned(), limits, spread: Duration::ZERO, one_shot: false };
        Self { client: client.clone(), options }
    }

    /// Keeps stats only.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::cache::Cache;
    ///
    /// client.set("/", b"much", None).await?;
    /// let cache = Cache::node(&client, "/").without_data().start()?;
    /// cache.ready().await?;
    /// let root = cache.get("/").unwrap();
    /// assert_eq!((root.data, root.stat.data_length), (None, 4));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub const fn without_data(mut self) -> Self {
        self.options.limits.data = false;
        self
    }

    /// Keeps no more nodes than this; 4,194,304 unless told otherwise.
    pub const fn max_nodes(mut self, nodes: usize) -> Self {
        self.options.limits.nodes = nodes;
        self
    }

    /// Keeps no more bytes of names and data than this; 1 GiB unless told otherwise.
    pub const fn max_bytes(mut self, bytes: usize) -> Self {
        self.options.limits.bytes = bytes;
        self
    }

    /// After a reconnect, waits a random time up to this before looking for what was missed, so that not all clients
    /// of a server do so at once.
    pub const fn spread(mut self, spread: Duration) -> Self {
        self.options.spread = spread;
        self
    }

    /// Uses one-shot watches, as it is done anyway when the server refuses persistent ones.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::cache::Cache;
    ///
    /// let cache = Cache::node(&client, "/").one_shot().start()?;
    /// cache.ready().await?;
    /// let mut changes = cache.changes();
    /// client.set("/", b"x", None).await?;
    /// assert!(changes.next().await.is_some());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub const fn one_shot(mut self) -> Self {
        self.options.one_shot = true;
        self
    }

    /// Starts to fill the cache, in the background.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::ErrorCode;
    /// use quorate::recipes::cache::Cache;
    ///
    /// assert_eq!(Cache::tree(&client, "no path").start().unwrap_err().code(), ErrorCode::BadArguments);
    /// // The node need not exist.
    /// let cache = Cache::tree(&client, "/later").start()?;
    /// cache.ready().await?;
    /// assert!(cache.is_empty());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `BadArguments` when the path cannot be one.
    pub fn start(self) -> Result<Cache> {
        let Self { client, options } = self;
        if !quorate_wire::path::is_valid(&options.path) {
            return Err(Error::new(ErrorCode::BadArguments, "cache", options.path));
        }
        let hub = Arc::new(Hub::default());
        let plan = Plan::new(&options.path, options.limits, Arc::clone(&hub));
        let core = Core::new(plan, hub);
        let path = options.path.as_str().into();
        let environment = Arc::clone(client.environment());
        environment.spawn(Box::pin(Task::new(Arc::clone(&core), client, options).run()));
        Ok(Cache { path, _guard: Arc::new(Guard(Arc::clone(&core))), core })
    }
}

fn entries(plan: &Plan) -> Vec<Entry> {
    let mut entries = Vec::new();
    plan.tree.visit(|path, node| entries.push(Entry::new(path, node)));
    entries
}

const MAX_NODES: usize = 1 << 22;
const MAX_BYTES: usize = 1 << 30;
const DEFAULT_CHANGES: usize = 1024;
