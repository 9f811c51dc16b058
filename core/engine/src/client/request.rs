//! What a client asks for, and its bytes on the wire.
//!
//! A [`Request`] borrows everything; it is encoded at the moment of submission, straight into the output, with the root
//! of the caller's view put before each path. Nothing is kept of it but the path, for error messages and watches.

use super::watches::Kind;
use quorate_wire::jute::{write_length, write_str};
use quorate_wire::op::create::CreateMode;
use quorate_wire::op::multi::MultiHeader;
use quorate_wire::op::remove_watches::WatcherType;
use quorate_wire::{Acl, Jute, OpCode, path};

/// The caller's name for a watch; events carry it.
pub type WatchKey = u64;

/// A node to be created.
#[derive(Clone, Copy, Debug)]
pub struct Create<'a> {
    /// The path, before any sequence suffix.
    pub path: &'a str,
    /// The data.
    pub data: &'a [u8],
    /// The ACL.
    pub acl: &'a [Acl<'a>],
    /// The kind of node.
    pub mode: CreateMode,
    /// Time to live, ms; only for the modes with one.
    pub ttl: i64,
}

/// One operation. Paths are absolute, below the root of the view they are submitted with.
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

/// One part of a multi or multiRead.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// Creates a node.
    Create(Create<'a>),
    /// Deletes a node of a version, -1 for any.
    Delete {
        /// The node.
        path: &'a str,
        /// Expected version.
        version: i32,
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
    /// Demands that a node exists at a version, -1 for any.
    Check {
        /// The node.
        path: &'a str,
        /// Expected version.
        version: i32,
    },
    /// Reads data and stat.
    Get {
        /// The node.
        path: &'a str,
    },
    /// Lists children.
    Children {
        /// The parent.
        path: &'a str,
    },
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

impl Create<'_> {
    const fn op(&self) -> OpCode {
        match self.mode {
            CreateMode::Container => OpCode::CreateContainer,
            CreateMode::PersistentWithTtl | CreateMode::PersistentSequentialWithTtl => {
                OpCode::CreateTtl
            }
            _ => OpCode::Create2,
        }
    }

    const fn weight(&self) -> usize {
        self.path.len().saturating_add(self.data.len())
    }

    /// A sequential name may be empty: the number is all of it.
    fn is_valid(&self) -> bool {
        match self.path.strip_suffix('/') {
            Some(parent) if self.mode.is_sequential() => {
                parent.is_empty() || path::is_valid(parent)
            }
            _ => path::is_valid(self.path),
        }
    }

    fn write(&self, root: &str, out: &mut Vec<u8>) {
        write_path(root, self.path, out);
        Some(self.data).write(out);
        write_acl(self.acl, out);
        self.mode.flags().write(out);
        if self.mode.is_ttl() {
            self.ttl.write(out);
        }
    }
}

impl<'a> Part<'a> {
    /// The part's path.
    #[must_use]
    pub const fn path(&self) -> &'a str {
        match *self {
            Self::Create(Create { path, .. })
            | Self::Delete { path, .. }
            | Self::Set { path, .. }
            | Self::Check { path, .. }
            | Self::Get { path }
            | Self::Children { path } => path,
        }
    }

    fn is_valid(&self) -> bool {
        match self {
            Self::Create(create) => create.is_valid(),
            other => path::is_valid(other.path()),
        }
    }

    const fn weight(&self) -> usize {
        match self {
            Self::Create(create) => create.weight(),
            Self::Set { path, data, .. } => path.len().saturating_add(data.len()),
            other => other.path().len(),
        }
    }

    const fn op(&self) -> OpCode {
        match self {
            Self::Create(create) => create.op(),
            Self::Delete { .. } => OpCode::Delete,
            Self::Set { .. } => OpCode::SetData,
            Self::Check { .. } => OpCode::Check,
            Self::Get { .. } => OpCode::GetData,
            Self::Children { .. } => OpCode::GetChildren,
        }
    }

    fn write(&self, root: &str, out: &mut Vec<u8>) {
        MultiHeader { op: self.op().code(), done: false, err: -1 }.write(out);
        match self {
            Self::Create(create) => create.write(root, out),
            Self::Delete { path, version } | Self::Check { path, version } => {
                write_path(root, path, out);
                version.write(out);
            }
            Self::Set { path, data, version } => {
                write_path(root, path, out);
                Some(*data).write(out);
                version.write(out);
            }
            Self::Get { path } | Self::Children { path } => {
                write_path(root, path, out);
                false.write(out);
            }
        }
    }
}

/// The path below a root: the root itself for `/`.
#[must_use]
pub fn below(root: &str, path: &str) -> String {
    if path == "/" && !root.is_empty() { root.to_owned() } else { format!("{root}{path}") }
}

fn write_path(root: &str, path: &str, out: &mut Vec<u8>) {
    if root.is_empty() {
        write_str(path, out);
        return;
    }
    let path = if path == "/" { "" } else { path };
    write_length(root.len().saturating_add(path.len()), out);
    out.extend_from_slice(root.as_bytes());
    out.extend_from_slice(path.as_bytes());
}

fn write_acl(acl: &[Acl<'_>], out: &mut Vec<u8>) {
    write_length(acl.len(), out);
    for entry in acl {
        entry.write(out);
    }
}
