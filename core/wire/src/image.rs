//! The image of a tree: its sessions, its ACLs and every node.
//!
//! ```text
//! i32 n, n * (i64 session, i32 timeout)
//! i32 n, n * (i64 id, vector<ACL>)
//! n * (ustring path, buffer data, i64 acl, StatPersisted), ustring "/"
//! ```
//! A snapshot file ([`disk::snapshot`](crate::disk::snapshot)) seals an image; what a leader sends to a learner that knows too little
//! ([`quorum::snap`](crate::quorum::snap)) is one with a signature. Source: `SerializeUtils`, `DataTree#serialize`.

use crate::acl::Acl;
use crate::jute::{DecodeError, Jute, Reader, write_length, write_str};
use crate::prefix::{Prefix, Stop};
use crate::record;
use crate::stat::StatPersisted;
use std::borrow::Cow;

/// The ACL id that means `world:anyone` with every permission; it has no entry in the table.
pub const OPEN_ACL: i64 = -1;

record! {
    /// A session that was open.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct SessionEntry {
        /// The session.
        pub id: i64,
        /// Its timeout, ms.
        pub timeout: i32,
    }
}

/// An ACL that nodes refer to by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclEntry<'a> {
    /// The number; from 1 on.
    pub id: i64,
    /// The list.
    pub acl: Vec<Acl<'a>>,
}

/// One node. Borrows from the snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotNode<'a> {
    /// The full path; `""` for the root.
    pub path: Cow<'a, str>,
    /// The data; null and empty differ.
    pub data: Option<&'a [u8]>,
    /// [`OPEN_ACL`] or the number of an [`AclEntry`], which a fuzzy snapshot may lack.
    pub acl: i64,
    /// Everything else.
    pub stat: StatPersisted,
}

/// Appends the sessions; come first.
pub fn write_sessions(sessions: impl ExactSizeIterator<Item = SessionEntry>, out: &mut Vec<u8>) {
    write_length(sessions.len(), out);
    for session in sessions {
        session.write(out);
    }
}

/// Appends the ACL table; follows the sessions.
pub fn write_acls<'e>(
    acls: impl ExactSizeIterator<Item = (i64, &'e [Acl<'e>])>,
    out: &mut Vec<u8>,
) {
    write_length(acls.len(), out);
    for (id, acl) in acls {
        id.write(out);
        write_length(acl.len(), out);
        for entry in acl {
            entry.write(out);
        }
    }
}

/// Appends a node; the root (path `""`) comes first and every parent before its children.
#[inline]
pub fn write_node(
    path: &str,
    data: Option<&[u8]>,
    acl: i64,
    stat: &StatPersisted,
    out: &mut Vec<u8>,
) {
    write_str(path, out);
    data.write(out);
    acl.write(out);
    stat.write(out);
}

/// Appends the end of the nodes.
pub fn write_end(out: &mut Vec<u8>) {
    write_str(END, out);
}

impl<'a> Jute<'a> for AclEntry<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let id = r.get()?;
        let acl: Option<Vec<Acl<'a>>> = r.get()?;
        Ok(Self { id, acl: acl.ok_or(DecodeError::Null("an ACL"))? })
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.id.write(out);
        self.acl.write(out);
    }
}

/// Reads a table. Unlike a `vector` it cannot be null.
pub(crate) fn table<'a, T: Jute<'a>>(r: &mut Reader<'a>) -> Result<Vec<T>, DecodeError> {
    let count: i32 = r.clone().get()?;
    let items: Option<Vec<T>> = r.get()?;
    items.ok_or(DecodeError::Length(count))
}

/// Reads a node; `None` at the end.
pub(crate) fn node<'a>(r: &mut Reader<'a>) -> Result<Option<SnapshotNode<'a>>, DecodeError> {
    let path: Cow<'a, str> = r.get()?;
    if path == END {
        return Ok(None);
    }
    Ok(Some(SnapshotNode { path, data: r.get()?, acl: r.get()?, stat: r.get()? }))
}

/// The extent of what [`SessionEntry`] reads.
pub(crate) fn step_over_session(prefix: &mut Prefix<'_>) -> Result<(), Stop> {
    prefix.take(12).map(drop)
}

/// The extent of what [`AclEntry`] reads.
pub(crate) fn step_over_acl(prefix: &mut Prefix<'_>) -> Result<(), Stop> {
    prefix.take(8)?;
    prefix.vector(SHORTEST_ACL, |prefix| {
        prefix.take(4)?;
        prefix.buffer()?;
        prefix.buffer().map(drop)
    })
}

/// The extent of what [`node`] reads.
pub(crate) fn step_over_node(prefix: &mut Prefix<'_>) -> Result<(), Stop> {
    if prefix.buffer()? == Some(END.as_bytes()) {
        return Ok(());
    }
    prefix.buffer()?;
    prefix.take(8 + StatPersisted::LEN).map(drop)
}

/// Bytes of an ACL of two nulls.
const SHORTEST_ACL: usize = 12;
/// The path of no node: behind the last one.
const END: &str = "/";
