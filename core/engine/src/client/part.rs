//! The parts that requests are made of: nodes to be created, parts of a multi, paths below a root.

use quorate_wire::jute::{write_length, write_str};
use quorate_wire::op::create::CreateMode;
use quorate_wire::op::multi::MultiHeader;
use quorate_wire::{Acl, Jute, OpCode, path};

/// A node to be created.
///
/// ```
/// use quorate_engine::client::{Create, Request};
/// use quorate_wire::{Acl, acl, op::create::CreateMode};
///
/// let acl = [Acl::world(acl::ALL)];
/// let node = Create { path: "/a", data: b"x", acl: &acl, mode: CreateMode::Persistent, ttl: 0 };
/// assert_eq!(Request::Create(node).path(), "/a");
/// ```
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

/// One part of a multi or multiRead.
///
/// ```
/// use quorate_engine::client::{Part, Request};
///
/// let parts = [Part::Check { path: "/lock", version: -1 }, Part::Delete { path: "/b", version: 3 }];
/// assert_eq!((parts[1].path(), Request::Multi(&parts).path()), ("/b", "/lock"));
/// ```
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

impl Create<'_> {
    pub(super) const fn op(&self) -> OpCode {
        match self.mode {
            CreateMode::Container => OpCode::CreateContainer,
            CreateMode::PersistentWithTtl | CreateMode::PersistentSequentialWithTtl => {
                OpCode::CreateTtl
            }
            _ => OpCode::Create2,
        }
    }

    pub(super) const fn weight(&self) -> usize {
        self.path.len().saturating_add(self.data.len())
    }

    /// A sequential name may be empty: the number is all of it.
    pub(super) fn is_valid(&self) -> bool {
        match self.path.strip_suffix('/') {
            Some(parent) if self.mode.is_sequential() => {
                parent.is_empty() || (parent != "/" && path::is_valid(parent))
            }
            _ => path::is_valid(self.path),
        }
    }

    pub(super) fn write(&self, root: &str, out: &mut Vec<u8>) {
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

    pub(super) fn is_valid(&self) -> bool {
        match self {
            Self::Create(create) => create.is_valid(),
            other => path::is_valid(other.path()),
        }
    }

    pub(super) const fn weight(&self) -> usize {
        match self {
            Self::Create(create) => create.weight(),
            Self::Set { path, data, .. } => path.len().saturating_add(data.len()),
            other => other.path().len(),
        }
    }

    pub(super) const fn op(&self) -> OpCode {
        match self {
            Self::Create(create) => create.op(),
            Self::Delete { .. } => OpCode::Delete,
            Self::Set { .. } => OpCode::SetData,
            Self::Check { .. } => OpCode::Check,
            Self::Get { .. } => OpCode::GetData,
            Self::Children { .. } => OpCode::GetChildren,
        }
    }

    pub(super) fn write(&self, root: &str, out: &mut Vec<u8>) {
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

pub(super) fn write_path(root: &str, path: &str, out: &mut Vec<u8>) {
    if root.is_empty() {
        write_str(path, out);
        return;
    }
    let path = if path == "/" { "" } else { path };
    write_length(root.len().saturating_add(path.len()), out);
    out.extend_from_slice(root.as_bytes());
    out.extend_from_slice(path.as_bytes());
}

pub(super) fn write_acl(acl: &[Acl<'_>], out: &mut Vec<u8>) {
    write_length(acl.len(), out);
    for entry in acl {
        entry.write(out);
    }
}
