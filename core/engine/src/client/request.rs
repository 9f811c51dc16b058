//! What a client asks for, and its bytes on the wire.
//!
//! A [`Request`] borrows everything; it is encoded at the moment of submission, straight into the output, with the root
//! of the caller's view put before each path. Nothing is kept of it but the path, for error messages and watches.

use super::part::{Create, Part, write_acl, write_path};
use super::watches::Kind;
use quorate_wire::op::multi::MultiHeader;
use quorate_wire::op::remove_watches::WatcherType;
use quorate_wire::{Acl, Jute, OpCode, path};

/// The caller's name for a watch; events carry it.
///
/// ```
/// use quorate_engine::client::{Request, WatchKey};
///
/// let key: WatchKey = 7;
/// assert_eq!(Request::Exists { path: "/a", watch: Some(key) }.watch_key(), Some(7));
/// ```
pub type WatchKey = u64;

/// One operation. Paths are absolute, below the root of the view they are submitted with.
///
/// ```
/// use quorate_engine::client::Request;
/// use quorate_wire::OpCode;
///
/// let request = Request::Get { path: "/a", watch: None };
/// assert_eq!((request.op(), request.path(), request.watch_key()), (OpCode::GetData, "/a", None));
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Request<'a> {
    /// Creates a node and answers its final path and stat.
    Create(Create<'a>),
    /// Deletes a node of a version, -1 for any.
    Delete {
        /// The node.
        path: &'a str,
        /// Expected version.
        version: i32,
    },
    /// Asks for a stat.
    Exists {
        /// The node.
        path: &'a str,
        /// One-shot watch to leave.
        watch: Option<WatchKey>,
    },
    /// Reads data and stat.
    Get {
        /// The node.
        path: &'a str,
        /// One-shot watch to leave.
        watch: Option<WatchKey>,
    },
    /// Lists children, with the parent's stat.
    Children {
        /// The parent.
        path: &'a str,
        /// One-shot watch to leave.
        watch: Option<WatchKey>,
    },
    /// Writes data at a version, -1 for any.
    Set {
        /// The node.
        path: &'a str,
        /// The new data.
        data: &'a [u8],
        /// Expected version.
        version: i32,
    },
    /// Reads the ACL.
    GetAcl {
        /// The node.
        path: &'a str,
    },
    /// Sets the ACL at an ACL version, -1 for any.
    SetAcl {
        /// The node.
        path: &'a str,
        /// The new list.
        acl: &'a [Acl<'a>],
        /// Expected ACL version.
        version: i32,
    },
    /// Waits until the server has caught up with the leader.
    Sync {
        /// Any path.
        path: &'a str,
    },
    /// Several writes, all or nothing.
    Multi(&'a [Part<'a>]),
    /// Several reads at one instant.
    MultiRead(&'a [Part<'a>]),
    /// Leaves a persistent watch.
    AddWatch {
        /// The node.
        path: &'a str,
        /// Whether for the whole subtree.
        recursive: bool,
        /// Whose watch it is.
        watch: WatchKey,
    },
    /// Removes the connection's watches of a type, whoever holds them.
    RemoveWatches {
        /// The node.
        path: &'a str,
        /// Which of them.
        kind: WatcherType,
    },
    /// Asks whether the connection has such a watch.
    CheckWatches {
        /// The node.
        path: &'a str,
        /// Which of them.
        kind: WatcherType,
    },
    /// Changes the membership of the ensemble.
    Reconfig {
        /// Servers to add, comma separated.
        joining: Option<&'a str>,
        /// Ids of servers to remove, comma separated.
        leaving: Option<&'a str>,
        /// The whole new membership.
        members: Option<&'a str>,
        /// Expected version of the configuration, -1 for any.
        version: i64,
    },
    /// Lists the session's ephemeral nodes below a prefix.
    Ephemerals {
        /// Text that the paths begin with.
        prefix: &'a str,
    },
    /// Counts all descendants.
    CountDescendants {
        /// The node.
        path: &'a str,
    },
    /// Asks for the connection's identities.
    WhoAmI,
}

impl<'a> Request<'a> {
    /// The operation's code on the wire.
    #[must_use]
    pub const fn op(&self) -> OpCode {
        match self {
            Self::Create(create) => create.op(),
            Self::Delete { .. } => OpCode::Delete,
            Self::Exists { .. } => OpCode::Exists,
            Self::Get { .. } => OpCode::GetData,
            Self::Children { .. } => OpCode::GetChildren2,
            Self::Set { .. } => OpCode::SetData,
            Self::GetAcl { .. } => OpCode::GetAcl,
            Self::SetAcl { .. } => OpCode::SetAcl,
            Self::Sync { .. } => OpCode::Sync,
            Self::Multi(_) => OpCode::Multi,
            Self::MultiRead(_) => OpCode::MultiRead,
            Self::AddWatch { .. } => OpCode::AddWatch,
            Self::RemoveWatches { .. } => OpCode::RemoveWatches,
            Self::CheckWatches { .. } => OpCode::CheckWatches,
            Self::Reconfig { .. } => OpCode::Reconfig,
            Self::Ephemerals { .. } => OpCode::GetEphemerals,
            Self::CountDescendants { .. } => OpCode::GetAllChildrenNumber,
            Self::WhoAmI => OpCode::WhoAmI,
        }
    }

    /// The path, for those with one; that of the first part for a multi; empty else.
    #[must_use]
    pub fn path(&self) -> &'a str {
        match *self {
            Self::Create(Create { path, .. })
            | Self::Delete { path, .. }
            | Self::Exists { path, .. }
            | Self::Get { path, .. }
            | Self::Children { path, .. }
            | Self::Set { path, .. }
            | Self::GetAcl { path }
            | Self::SetAcl { path, .. }
            | Self::Sync { path }
            | Self::AddWatch { path, .. }
            | Self::RemoveWatches { path, .. }
            | Self::CheckWatches { path, .. }
            | Self::CountDescendants { path } => path,
            Self::Multi(parts) | Self::MultiRead(parts) => parts.first().map_or("", Part::path),
            Self::Ephemerals { prefix } => prefix,
            Self::Reconfig { .. } | Self::WhoAmI => "",
        }
    }

    /// The watch that the reply registers, and where.
    pub(super) const fn watch(&self) -> Option<(WatchKey, Kind)> {
        match *self {
            Self::Exists { watch: Some(key), .. } => Some((key, Kind::Exist)),
            Self::Get { watch: Some(key), .. } => Some((key, Kind::Data)),
            Self::Children { watch: Some(key), .. } => Some((key, Kind::Child)),
            Self::AddWatch { watch, recursive: false, .. } => Some((watch, Kind::Persistent)),
            Self::AddWatch { watch, recursive: true, .. } => Some((watch, Kind::Recursive)),
            _ => None,
        }
    }

    /// The watch that the request registers, if it succeeds.
    #[must_use]
    pub const fn watch_key(&self) -> Option<WatchKey> {
        match self.watch() {
            Some((key, _)) => Some(key),
            None => None,
        }
    }

    /// What it removes.
    pub(super) const fn removes(&self) -> Option<WatcherType> {
        match *self {
            Self::RemoveWatches { kind, .. } => Some(kind),
            _ => None,
        }
    }

    /// The first path that no node can have.
    pub(super) fn bad_path(&self) -> Option<&'a str> {
        match self {
            Self::Multi(parts) | Self::MultiRead(parts) => {
                parts.iter().find(|part| !part.is_valid()).map(Part::path)
            }
            Self::Create(create) if create.is_valid() => None,
            Self::Create(create) => Some(create.path),
            Self::Reconfig { .. } | Self::WhoAmI | Self::Ephemerals { .. } => None,
            other if path::is_valid(other.path()) => None,
            other => Some(other.path()),
        }
    }

    /// Bytes of the caller's data and paths: what the frame has at least.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Create(create) => create.weight(),
            Self::Set { path, data, .. } => path.len().saturating_add(data.len()),
            Self::Multi(parts) | Self::MultiRead(parts) => {
                parts.iter().fold(0, |sum, part| sum.saturating_add(part.weight()))
            }
            other => other.path().len(),
        }
    }

    /// Appends the body; the header stands before it.
    pub(super) fn write(&self, root: &str, out: &mut Vec<u8>) {
        match self {
            Self::Create(create) => create.write(root, out),
            Self::Delete { path, version } => {
                write_path(root, path, out);
                version.write(out);
            }
            Self::Exists { path, watch }
            | Self::Get { path, watch }
            | Self::Children { path, watch } => {
                write_path(root, path, out);
                watch.is_some().write(out);
            }
            Self::Set { path, data, version } => {
                write_path(root, path, out);
                Some(*data).write(out);
                version.write(out);
            }
            Self::GetAcl { path } | Self::Sync { path } | Self::CountDescendants { path } => {
                write_path(root, path, out);
            }
            Self::SetAcl { path, acl, version } => {
                write_path(root, path, out);
                write_acl(acl, out);
                version.write(out);
            }
            Self::Multi(parts) | Self::MultiRead(parts) => {
                for part in *parts {
                    part.write(root, out);
                }
                MultiHeader::END.write(out);
            }
            Self::AddWatch { path, recursive, .. } => {
                write_path(root, path, out);
                i32::from(*recursive).write(out);
            }
            Self::RemoveWatches { path, kind } | Self::CheckWatches { path, kind } => {
                write_path(root, path, out);
                kind.code().write(out);
            }
            Self::Reconfig { joining, leaving, members, version } => {
                for text in [joining, leaving, members] {
                    text.map(str::as_bytes).write(out);
                }
                version.write(out);
            }
            Self::Ephemerals { prefix } => write_path(root, prefix, out),
            Self::WhoAmI => {}
        }
    }
}

/// The path below a root: the root itself for `/`.
#[must_use]
pub fn below(root: &str, path: &str) -> String {
    if path == "/" && !root.is_empty() { root.to_owned() } else { format!("{root}{path}") }
}
