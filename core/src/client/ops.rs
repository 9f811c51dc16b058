//! The operations of a [`Client`], one method each.
//!
//! All of them fail as [`Error`](super::Error) describes; only what is particular is said below. `version` arguments
//! are expected versions: `None` for any.

use super::Client;
use super::create::CreateOptions;
use super::error::{Error, Result};
use super::operation::{Op, WatchGuard};
use super::watch::{Watch, Watcher};
use quorate_engine::client::{Reply, Request};
use quorate_wire::op::remove_watches::WatcherType;
use quorate_wire::{Acl, ErrorCode, Stat};

/// A node that was created.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::CreateMode;
///
/// let created = client.create("/job-", b"", CreateMode::PersistentSequential).await?;
/// assert_eq!(created.path, "/job-0000000000");
/// assert!(created.stat.czxid > 0);
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// Its path, with the sequence suffix if it has one.
    pub path: String,
    /// Its stat. `czxid` grows with every node created anywhere: a fencing token.
    pub stat: Stat,
}

/// How far a persistent watch reaches.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::{CreateMode, WatchEvent, WatchMode};
///
/// let mut all = client.watch("/", WatchMode::Recursive).await?;
/// client.create("/deep", b"", CreateMode::Persistent).await?;
/// client.create("/deep/node", b"", CreateMode::Persistent).await?;
/// for path in ["/deep", "/deep/node"] {
///     let WatchEvent::Changed(event) = all.next().await? else { unreachable!("nothing was missed") };
///     assert_eq!(event.path, path);
/// }
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WatchMode {
    /// One node: its data, its creation and deletion, its children.
    Node,
    /// A node and everything below it: data, creations, deletions.
    Recursive,
}

impl Client {
    /// Creates a node.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{CreateMode, ErrorCode};
    ///
    /// let created = client.create("/config", b"v1", CreateMode::Persistent).await?;
    /// assert_eq!((created.path.as_str(), created.stat.version), ("/config", 0));
    /// let again = client.create("/config", b"v1", CreateMode::Persistent).await.unwrap_err();
    /// assert_eq!(again.code(), ErrorCode::NodeExists);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `NodeExists`, `NoNode` for a missing parent, `NoChildrenForEphemerals`, `InvalidAcl`, `NoAuth`,
    /// `QuotaExceeded`.
    pub fn create(
        &self,
        path: &str,
        data: &[u8],
        options: impl Into<CreateOptions>,
    ) -> Op<Created> {
        self.submit(&options.into().request(path, data), |reply, _| match reply {
            Reply::Created { path, stat: Some(stat) } => Ok(Created { path, stat }),
            _ => Err(Error::unexpected("create")),
        })
    }

    /// Deletes a node without children.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{CreateMode, ErrorCode};
    ///
    /// client.create("/job", b"", CreateMode::Persistent).await?;
    /// // Only as it was read: version 0. Somebody has written since.
    /// client.set("/job", b"taken", None).await?;
    /// assert_eq!(client.delete("/job", Some(0)).await.unwrap_err().code(), ErrorCode::BadVersion);
    /// client.delete("/job", None).await?;
    /// assert!(client.exists("/job").await?.is_none());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `NoNode`, `BadVersion`, `NotEmpty`, `NoAuth`.
    pub fn delete(&self, path: &str, version: Option<i32>) -> Op<()> {
        let request = Request::Delete { path, version: version.unwrap_or(-1) };
        self.submit(&request, |_, _| Ok(()))
    }

    /// Asks for a node's stat; `None` when there is no such node.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// assert!(client.exists("/nowhere").await?.is_none());
    /// let stat = client.exists("/zookeeper").await?.expect("every server has this node");
    /// assert_eq!(stat.ephemeral_owner, 0);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn exists(&self, path: &str) -> Op<Option<Stat>> {
        self.submit(&Request::Exists { path, watch: None }, |reply, _| stat_if_there(reply))
    }

    /// The same, leaving a watch for the node's creation, change or deletion.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{CreateMode, EventType};
    ///
    /// let (stat, watch) = client.exists_and_watch("/leader").await?;
    /// assert!(stat.is_none());
    /// client.create("/leader", b"", CreateMode::Ephemeral).await?;
    /// assert_eq!(watch.await?.kind, EventType::Created);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn exists_and_watch(&self, path: &str) -> Op<(Option<Stat>, Watch)> {
        let request = |watch| Request::Exists { path, watch: Some(watch) };
        self.submit_watch(path, request, |reply, guard| Ok((stat_if_there(reply)?, watch(guard)?)))
    }

    /// Reads data and stat.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{CreateMode, ErrorCode};
    ///
    /// client.create("/color", b"red", CreateMode::Persistent).await?;
    /// let (data, stat) = client.get("/color").await?;
    /// assert_eq!((data.as_slice(), stat.version), (&b"red"[..], 0));
    /// assert_eq!(client.get("/size").await.unwrap_err().code(), ErrorCode::NoNode);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `NoNode`, `NoAuth`.
    pub fn get(&self, path: &str) -> Op<(Vec<u8>, Stat)> {
        self.submit(&Request::Get { path, watch: None }, |reply, _| data(reply))
    }

    /// The same, leaving a watch for the node's change or deletion.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{CreateMode, EventType};
    ///
    /// client.create("/color", b"red", CreateMode::Persistent).await?;
    /// let (data, _, watch) = client.get_and_watch("/color").await?;
    /// assert_eq!(data, b"red");
    /// client.delete("/color", None).await?;
    /// assert_eq!(watch.await?.kind, EventType::Deleted);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `NoNode`, `NoAuth`; then there is no watch.
    pub fn get_and_watch(&self, path: &str) -> Op<(Vec<u8>, Stat, Watch)> {
        let request = |watch| Request::Get { path, watch: Some(watch) };
        self.submit_watch(path, request, |reply, guard| {
            let (data, stat) = data(reply)?;
            Ok((data, stat, watch(guard)?))
        })
    }

    /// Lists a node's children, by name and in no particular order, with the node's stat.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    ///
    /// client.create("/team", b"", CreateMode::Persistent).await?;
    /// client.create("/team/ann", b"", CreateMode::Ephemeral).await?;
    /// let (names, stat) = client.children("/team").await?;
    /// assert_eq!((names, stat.num_children), (vec!["ann".to_owned()], 1));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `NoNode`, `NoAuth`.
    pub fn children(&self, path: &str) -> Op<(Vec<String>, Stat)> {
        self.submit(&Request::Children { path, watch: None }, |reply, _| children(reply))
    }

    /// The same, leaving a watch for children that come and go, and for the node's deletion.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{CreateMode, EventType};
    ///
    /// client.create("/team", b"", CreateMode::Persistent).await?;
    /// let (names, _, watch) = client.children_and_watch("/team").await?;
    /// assert!(names.is_empty());
    /// client.create("/team/ann", b"", CreateMode::Ephemeral).await?;
    /// // The event names the watched node, not the child.
    /// let event = watch.await?;
    /// assert_eq!((event.kind, event.path.as_str()), (EventType::ChildrenChanged, "/team"));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `NoNode`, `NoAuth`; then there is no watch.
    pub fn children_and_watch(&self, path: &str) -> Op<(Vec<String>, Stat, Watch)> {
        let request = |watch| Request::Children { path, watch: Some(watch) };
        self.submit_watch(path, request, |reply, guard| {
            let (names, stat) = children(reply)?;
            Ok((names, stat, watch(guard)?))
        })
    }

    /// Writes data.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{CreateMode, ErrorCode};
    ///
    /// client.create("/count", b"1", CreateMode::Persistent).await?;
    /// let (_, read) = client.get("/count").await?;
    /// // Written only if nobody wrote since it was read.
    /// assert_eq!(client.set("/count", b"2", Some(read.version)).await?.version, 1);
    /// let late = client.set("/count", b"2", Some(read.version)).await.unwrap_err();
    /// assert_eq!(late.code(), ErrorCode::BadVersion);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `NoNode`, `BadVersion`, `NoAuth`, `QuotaExceeded`.
    pub fn set(&self, path: &str, data: &[u8], version: Option<i32>) -> Op<Stat> {
        let request = Request::Set { path, data, version: version.unwrap_or(-1) };
        self.submit(&request, |reply, _| stat(reply))
    }

    /// Reads a node's ACL. Without the ADMIN permission, digests are masked.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// let (acl, _) = client.acl("/zookeeper").await?;
    /// assert_eq!((acl[0].id.scheme(), acl[0].id.id()), ("world", "anyone"));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `NoNode`, `NoAuth`.
    pub fn acl(&self, path: &str) -> Op<(Vec<Acl<'static>>, Stat)> {
        self.submit(&Request::GetAcl { path }, |reply, _| match reply {
            Reply::Acl { acl, stat } => Ok((acl, stat)),
            _ => Err(Error::unexpected("getACL")),
        })
    }

    /// Sets a node's ACL; `version` is that of the ACL.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{Acl, CreateMode, ErrorCode};
    ///
    /// client.create("/notice", b"read me", CreateMode::Persistent).await?;
    /// client.set_acl("/notice", &[Acl::world(quorate_wire::acl::READ)], None).await?;
    /// assert_eq!(client.set("/notice", b"", None).await.unwrap_err().code(), ErrorCode::NoAuth);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `NoNode`, `BadVersion`, `InvalidAcl`, `NoAuth`.
    pub fn set_acl(&self, path: &str, acl: &[Acl<'_>], version: Option<i32>) -> Op<Stat> {
        let request = Request::SetAcl { path, acl, version: version.unwrap_or(-1) };
        self.submit(&request, |reply, _| stat(reply))
    }

    /// Waits until the server that this client is connected to has caught up with the leader: a read that follows sees
    /// everything that was written anywhere before this call.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    ///
    /// client.create("/news", b"1", CreateMode::Persistent).await?;
    /// // Both are on their way at once: the read is answered behind the sync.
    /// let synced = client.sync("/news");
    /// let read = client.get("/news");
    /// synced.await?;
    /// assert_eq!(read.await?.0, b"1");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn sync(&self, path: &str) -> Op<()> {
        self.submit(&Request::Sync { path }, |_, _| Ok(()))
    }

    /// Watches a node or a subtree until the watcher is dropped. The node need not exist. Events come in the order of the changes, each before
    /// any answer to this client that shows the new state.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{CreateMode, EventType, WatchEvent, WatchMode};
    ///
    /// let mut watcher = client.watch("/", WatchMode::Recursive).await?;
    /// client.create("/a", b"", CreateMode::Persistent).await?;
    /// client.set("/a", b"x", None).await?;
    /// for kind in [EventType::Created, EventType::DataChanged] {
    ///     let WatchEvent::Changed(event) = watcher.next().await? else { unreachable!("nothing was missed") };
    ///     assert_eq!((event.kind, event.path.as_str()), (kind, "/a"));
    /// }
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `Unimplemented` from servers before ZooKeeper 3.6, which know no persistent watches.
    pub fn watch(&self, path: &str, mode: WatchMode) -> Op<Watcher> {
        let recursive = mode == WatchMode::Recursive;
        let request = |watch| Request::AddWatch { path, recursive, watch };
        self.submit_watch(path, request, |_, guard| Ok(Watcher::new(guard_of(guard)?)))
    }

    /// Asks whether the server has a watch of this type for this client at a path, whoever of its handles holds it. The node need
    /// not exist. One-shot watches that have fired are none.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::WatcherType;
    ///
    /// let (_, _, watch) = client.get_and_watch("/").await?;
    /// assert!(client.check_watches("/", WatcherType::Data).await?);
    /// assert!(!client.check_watches("/", WatcherType::Children).await?);
    /// client.set("/", b"x", None).await?;
    /// watch.await?;
    /// assert!(!client.check_watches("/", WatcherType::Any).await?);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `MarshallingError` for the two persistent types from servers before ZooKeeper 3.9, which take all watches at a path for
    /// one of each other type that is asked for.
    pub fn check_watches(&self, path: &str, kind: WatcherType) -> Op<bool> {
        let none = |error: Error| match error.code() {
            ErrorCode::NoWatcher => Ok(false),
            _ => Err(error),
        };
        self.submit(&Request::CheckWatches { path, kind }, |_, _| Ok(true)).or_else(none)
    }

    /// Removes all watches of a type that this client has at a path, whoever of its handles holds them: each is told that it has
    /// ended, with `NoWatcher`. To remove a single one, drop it. If the connection is lost meanwhile, they stay.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{ErrorCode, WatchMode, WatcherType};
    ///
    /// let (_, _, once) = client.get_and_watch("/").await?;
    /// let mut lasting = client.watch("/", WatchMode::Node).await?;
    /// client.remove_watches("/", WatcherType::Data).await?;
    /// assert_eq!(once.await.unwrap_err().code(), ErrorCode::NoWatcher);
    /// // The other one has no part in it.
    /// client.set("/", b"x", None).await?;
    /// assert!(lasting.next().await.is_ok());
    /// let none_left = client.remove_watches("/", WatcherType::Data).await.unwrap_err();
    /// assert_eq!(none_left.code(), ErrorCode::NoWatcher);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `NoWatcher` when the server has none. As for [`check_watches`](Self::check_watches) from servers before ZooKeeper 3.9.
    pub fn remove_watches(&self, path: &str, kind: WatcherType) -> Op<()> {
        self.submit(&Request::RemoveWatches { path, kind }, |_, _| Ok(()))
    }

    /// Lists this session's ephemeral nodes whose paths begin with `prefix`.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    ///
    /// client.create("/seat-1", b"", CreateMode::Ephemeral).await?;
    /// client.create("/table", b"", CreateMode::Persistent).await?;
    /// assert_eq!(client.ephemerals("/").await?, ["/seat-1"]);
    /// assert!(client.ephemerals("/table").await?.is_empty());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `Unimplemented` from servers before ZooKeeper 3.6.
    pub fn ephemerals(&self, prefix: &str) -> Op<Vec<String>> {
        self.submit(&Request::Ephemerals { prefix }, |reply, _| match reply {
            Reply::Paths(paths) => Ok(paths),
            _ => Err(Error::unexpected("getEphemerals")),
        })
    }

    /// Counts all nodes below a node.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    ///
    /// for path in ["/a", "/a/b", "/a/b/c"] {
    ///     client.create(path, b"", CreateMode::Persistent).await?;
    /// }
    /// assert_eq!(client.count_descendants("/a").await?, 2);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `NoNode`, `NoAuth`.
    pub fn count_descendants(&self, path: &str) -> Op<i32> {
        self.submit(&Request::CountDescendants { path }, |reply, _| match reply {
            Reply::Count(count) => Ok(count),
            _ => Err(Error::unexpected("getAllChildrenNumber")),
        })
    }

    /// Asks as whom the server knows this connection: pairs of scheme and user.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// client.authenticate("digest", b"ann:secret").await?;
    /// let identities = client.who_am_i().await?;
    /// assert!(identities.contains(&("digest".to_owned(), "ann".to_owned())));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `Unimplemented` from servers before ZooKeeper 3.7.
    pub fn who_am_i(&self) -> Op<Vec<(String, String)>> {
        self.submit(&Request::WhoAmI, |reply, _| match reply {
            Reply::Identities(identities) => Ok(identities),
            _ => Err(Error::unexpected("whoAmI")),
        })
    }

    /// Reads the ensemble's configuration, the node `/zookeeper/config`, from within any view.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// let app = client.view("/app")?;
    /// // Outside the view, and empty at a server that is alone.
    /// assert!(app.config().await?.0.is_empty());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `NoNode` or `NoAuth` where a server does not show it.
    pub fn config(&self) -> Op<(Vec<u8>, Stat)> {
        self.submit_at_root(&Request::Get { path: CONFIG, watch: None }, |reply, _| data(reply))
    }

    /// Changes the ensemble's membership: servers that join (as in `server.3=…`, comma separated), ids that leave, or all
    /// `members` anew; at this version of the configuration if one is given. Answers the new configuration.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::ErrorCode;
    ///
    /// // A server must have been told to allow it.
    /// let leaving = client.reconfigure(None, Some("3"), None, None).await;
    /// assert_eq!(leaving.unwrap_err().code(), ErrorCode::ReconfigDisabled);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `ReconfigDisabled`, `NoAuth`, `NewConfigNoQuorum`, `ReconfigInProgress`, `BadVersion`, `BadArguments`.
    pub fn reconfigure(
        &self,
        joining: Option<&str>,
        leaving: Option<&str>,
        members: Option<&str>,
        version: Option<i64>,
    ) -> Op<(Vec<u8>, Stat)> {
        let version = version.unwrap_or(-1);
        let request = Request::Reconfig { joining, leaving, members, version };
        self.submit_at_root(&request, |reply, _| data(reply))
    }
}

fn stat(reply: Reply) -> Result<Stat> {
    match reply {
        Reply::Stat(stat) => Ok(stat),
        _ => Err(Error::unexpected("stat")),
    }
}

fn stat_if_there(reply: Reply) -> Result<Option<Stat>> {
    match reply {
        Reply::Stat(stat) => Ok(Some(stat)),
        Reply::Absent => Ok(None),
        _ => Err(Error::unexpected("exists")),
    }
}

fn data(reply: Reply) -> Result<(Vec<u8>, Stat)> {
    match reply {
        Reply::Data { data, stat } => Ok((data, stat)),
        _ => Err(Error::unexpected("getData")),
    }
}

fn children(reply: Reply) -> Result<(Vec<String>, Stat)> {
    match reply {
        Reply::Children { names, stat: Some(stat) } => Ok((names, stat)),
        _ => Err(Error::unexpected("getChildren2")),
    }
}

fn watch(guard: Option<WatchGuard>) -> Result<Watch> {
    guard_of(guard).map(Watch::new)
}

fn guard_of(guard: Option<WatchGuard>) -> Result<WatchGuard> {
    guard.ok_or_else(|| Error::unexpected("watch"))
}

const CONFIG: &str = "/zookeeper/config";
