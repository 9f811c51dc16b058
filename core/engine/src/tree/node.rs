//! One znode in memory: 104 bytes and one heap block that holds its name and data.
//!
//! Links are ids, not pointers: parent, first child, and the ring-less list of siblings. What few nodes
//! have (an owner) lives in [`super::owners`]; the path is never stored, it is the names on the way up.
//! Only the tree's own modules touch this.

use super::NodeId;
use quorate_wire::StatPersisted;

/// A slot of the arena, alive or waiting to be used again.
///
/// The order of the fields is the order in memory: what finding a node looks at comes first and mostly
/// shares a cache line.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Node {
    /// The name, then the data.
    payload: Box<[u8]>,
    /// The part of the path's hash that its index table works with.
    pub(super) tag: u32,
    /// Length of the name in the low bits, flags above.
    name: u32,
    pub(super) parent: NodeId,
    /// Slot of the ACL table.
    pub(super) acl: u32,
    pub(super) czxid: i64,
    pub(super) mzxid: i64,
    pub(super) ctime: i64,
    pub(super) mtime: i64,
    pub(super) pzxid: i64,
    pub(super) version: i32,
    pub(super) cversion: i32,
    pub(super) aversion: i32,
    pub(super) children: u32,
    pub(super) first_child: NodeId,
    /// The next sibling; in a free slot the next free one.
    pub(super) next: NodeId,
    pub(super) prev: NodeId,
    /// CRC-32 of path and data, see [`super::digest`].
    pub(super) crc: u32,
}

impl Node {
    /// A live node without links. `stat`'s owner is left to the caller.
    ///
    /// `None` when the name is longer than any frame can be.
    pub(super) fn new(name: &str, data: Option<&[u8]>, stat: &StatPersisted) -> Option<Self> {
        let length = u32::try_from(name.len()).ok().filter(|n| *n <= NAME_LENGTH)?;
        Some(Self {
            czxid: stat.czxid,
            mzxid: stat.mzxid,
            ctime: stat.ctime,
            mtime: stat.mtime,
            pzxid: stat.pzxid,
            version: stat.version,
            cversion: stat.cversion,
            aversion: stat.aversion,
            name: length | LIVE | if data.is_none() { NULL } else { 0 },
            payload: payload(name.as_bytes(), data),
            ..Self::free(NodeId::NONE)
        })
    }

    /// An unused slot.
    pub(super) fn free(next: NodeId) -> Self {
        Self {
            czxid: 0,
            mzxid: 0,
            ctime: 0,
            mtime: 0,
            pzxid: 0,
            version: 0,
            cversion: 0,
            aversion: 0,
            parent: NodeId::NONE,
            first_child: NodeId::NONE,
            next,
            prev: NodeId::NONE,
            children: 0,
            acl: 0,
            crc: 0,
            tag: 0,
            name: 0,
            payload: Box::default(),
        }
    }

    /// Whether the slot holds a node.
    #[inline]
    pub(super) const fn is_live(&self) -> bool {
        self.name & LIVE != 0
    }

    /// Whether [`super::owners`] knows an owner.
    #[inline]
    pub(super) const fn is_owned(&self) -> bool {
        self.name & OWNED != 0
    }

    pub(super) const fn set_owned(&mut self) {
        self.name |= OWNED;
    }

    const fn name_len(&self) -> usize {
        (self.name & NAME_LENGTH) as usize
    }

    /// The last component of the path; empty for the root.
    #[inline]
    pub(super) fn name_bytes(&self) -> &[u8] {
        self.payload.get(..self.name_len()).unwrap_or_default()
    }

    /// The name as text. Only text is ever stored, so nothing is lost.
    #[inline]
    pub(super) fn name(&self) -> &str {
        std::str::from_utf8(self.name_bytes()).unwrap_or_default()
    }

    /// The data; `None` is null.
    #[inline]
    pub(super) fn data(&self) -> Option<&[u8]> {
        if self.name & NULL != 0 { None } else { self.payload.get(self.name_len()..) }
    }

    /// Bytes of data; null counts as 0.
    #[inline]
    pub(super) fn data_len(&self) -> usize {
        self.payload.len().saturating_sub(self.name_len())
    }

    /// Replaces the data, in place when the length stays.
    pub(super) fn set_data(&mut self, data: Option<&[u8]>) {
        let bytes = data.unwrap_or_default();
        if self.data_len() == bytes.len() {
            let at = self.name_len();
            if let Some(old) = self.payload.get_mut(at..) {
                old.copy_from_slice(bytes);
            }
        } else {
            self.payload = payload(self.name_bytes(), data);
        }
        self.name = if data.is_none() { self.name | NULL } else { self.name & !NULL };
    }

    /// The stat as it is stored.
    #[inline]
    pub(super) const fn persisted(&self, ephemeral_owner: i64) -> StatPersisted {
        StatPersisted {
            czxid: self.czxid,
            mzxid: self.mzxid,
            ctime: self.ctime,
            mtime: self.mtime,
            version: self.version,
            cversion: self.cversion,
            aversion: self.aversion,
            ephemeral_owner,
            pzxid: self.pzxid,
        }
    }
}

fn payload(name: &[u8], data: Option<&[u8]>) -> Box<[u8]> {
    let data = data.unwrap_or_default();
    let mut bytes = Vec::with_capacity(name.len() + data.len());
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(data);
    bytes.into_boxed_slice()
}

const LIVE: u32 = 1 << 31;
const NULL: u32 = 1 << 30;
const OWNED: u32 = 1 << 29;
const NAME_LENGTH: u32 = OWNED - 1;

const _: () = assert!(size_of::<Node>() == 104, "every byte here is a byte per znode");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_empty_and_other_data_are_told_apart() {
        let mut node = Node::new("name", None, &StatPersisted::default()).unwrap();
        assert_eq!((node.data(), node.data_len()), (None, 0));
        for data in [Some(&b""[..]), Some(b"abc"), Some(b"xyz"), None, Some(b"longer than before")]
        {
            node.set_data(data);
            assert_eq!(node.data(), data);
            assert_eq!(node.name(), "name");
            assert!(node.is_live());
        }
    }
}
