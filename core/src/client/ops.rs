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
use quorate_wire::{Acl, Stat};

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
    /// # Errors
    /// `NoNode`, `BadVersion`, `NotEmpty`, `NoAuth`.
    pub fn delete(&self, path: &str, version: Option<i32>) -> Op<()> {
        let request = Request::Delete { path, version: version.unwrap_or(-1) };
        self.submit(&request, |_, _| Ok(()))
    }

    /// Asks for a node's stat; `None` when there is no such node.
    pub fn exists(&self, path: &str) -> Op<Option<Stat>> {
        self.submit(&Request::Exists { path, watch: None }, |reply, _| stat_if_there(reply))
    }

    /// The same, leaving a watch for the node's creation, change or deletion.
    pub fn exists_and_watch(&self, path: &str) -> Op<(Option<Stat>, Watch)> {
        let request = |watch| Request::Exists { path, watch: Some(watch) };
        self.submit_watch(path, request, |reply, guard| Ok((stat_if_there(reply)?, watch(guard)?)))
    }

    /// Reads data and stat.
    ///
    /// # Errors
    /// `NoNode`, `NoAuth`.
    pub fn get(&self, path: &str) -> Op<(Vec<u8>, Stat)> {
        self.submit(&Request::Get { path, watch: None }, |reply, _| data(reply))
    }

    /// The same, leaving a watch for the node's change or deletion.
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
    /// # Errors
    /// `NoNode`, `NoAuth`.
    pub fn children(&self, path: &str) -> Op<(Vec<String>, Stat)> {
        self.submit(&Request::Children { path, watch: None }, |reply, _| children(reply))
    }

    /// The same, leaving a watch for children that come and go, and for the node's deletion.
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
    /// # Errors
    /// `NoNode`, `BadVersion`, `NoAuth`, `QuotaExceeded`.
    pub fn set(&self, path: &str, data: &[u8], version: Option<i32>) -> Op<Stat> {
        let request = Request::Set { path, data, version: version.unwrap_or(-1) };
        self.submit(&request, |reply, _| stat(reply))
    }

    /// Reads a node's ACL. Without the ADMIN permission, digests are masked.
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
    /// # Errors
    /// `NoNode`, `BadVersion`, `InvalidAcl`, `NoAuth`.
    pub fn set_acl(&self, path: &str, acl: &[Acl<'_>], version: Option<i32>) -> Op<Stat> {
        let request = Request::SetAcl { path, acl, version: version.unwrap_or(-1) };
        self.submit(&request, |reply, _| stat(reply))
    }

    /// Waits until the server that this client is connected to has caught up with the leader: a read that follows sees
    /// everything that was written anywhere before this call.
    pub fn sync(&self, path: &str) -> Op<()> {
        self.submit(&Request::Sync { path }, |_, _| Ok(()))
    }

    /// Watches a node or a subtree until the watcher is dropped.
    pub fn watch(&self, path: &str, mode: WatchMode) -> Op<Watcher> {
        let recursive = mode == WatchMode::Recursive;
        let request = |watch| Request::AddWatch { path, recursive, watch };
        self.submit_watch(path, request, |_, guard| Ok(Watcher::new(guard_of(guard)?)))
    }

    /// Lists this session's ephemeral nodes whose paths begin with `prefix`.
    pub fn ephemerals(&self, prefix: &str) -> Op<Vec<String>> {
        self.submit(&Request::Ephemerals { prefix }, |reply, _| match reply {
            Reply::Paths(paths) => Ok(paths),
            _ => Err(Error::unexpected("getEphemerals")),
        })
    }

    /// Counts all nodes below a node.
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
    pub fn who_am_i(&self) -> Op<Vec<(String, String)>> {
        self.submit(&Request::WhoAmI, |reply, _| match reply {
            Reply::Identities(identities) => Ok(identities),
            _ => Err(Error::unexpected("whoAmI")),
        })
    }

    /// Reads the ensemble's configuration, the node `/zookeeper/config`, from within any view.
    pub fn config(&self) -> Op<(Vec<u8>, Stat)> {
        self.submit_at_root(&Request::Get { path: CONFIG, watch: None }, |reply, _| data(reply))
    }

    /// Changes the ensemble's membership: servers that join (as in `server.3=…`, comma separated), ids that leave, or all
    /// `members` anew; at this version of the configuration if one is given. Answers the new configuration.
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
