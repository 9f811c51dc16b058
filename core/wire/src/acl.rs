//! Access control lists: who may do what to one node.
//!
//! Only the record and the well-known lists are here; which identity matches which entry is decided
//! in the engine (`acl`).

use crate::jute::{DecodeError, Jute, Reader};
use crate::record;
use std::borrow::Cow;

/// READ: data, children, stat.
pub const READ: i32 = 1;
/// WRITE: set data.
pub const WRITE: i32 = 2;
/// CREATE: create children.
pub const CREATE: i32 = 4;
/// DELETE: delete children.
pub const DELETE: i32 = 8;
/// ADMIN: set the ACL.
pub const ADMIN: i32 = 16;
/// Every permission.
pub const ALL: i32 = 31;

record! {
    /// An identity: a scheme and a text that only the scheme understands.
    ///
    /// ```
    /// use quorate_wire::Id;
    ///
    /// let ann = Id::new("digest", "ann:hash");
    /// assert_eq!((ann.scheme(), ann.id()), ("digest", "ann:hash"));
    /// assert_eq!(ann.clone().into_owned(), ann);
    /// ```
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Id<'a> {
        /// `world`, `ip`, `digest`, `auth`, `x509`, `sasl`, `super`; null is possible on the wire.
        pub scheme: Option<Cow<'a, str>>,
        /// The scheme's own text; null is possible on the wire.
        pub id: Option<Cow<'a, str>>,
    }
}

record! {
    /// One entry: permission bits for one identity.
    ///
    /// ```
    /// use quorate_wire::{Acl, Id, acl};
    ///
    /// let readers = Acl { perms: acl::READ, id: Id::new("ip", "10.0.0.0/8") };
    /// assert!(!readers.is_open() && Acl::world(acl::ALL).is_open());
    /// assert_eq!(readers.clone().into_owned(), readers);
    /// ```
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Acl<'a> {
        /// Bits of [`READ`] to [`ADMIN`]; others are stored as given.
        pub perms: i32,
        /// Who has them.
        pub id: Id<'a>,
    }
}

/// The ACL of a request or a transaction.
///
/// Nearly all of them are one entry that lets everybody do everything. That list is shared: it is recognized by comparing bytes,
/// and needs no memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclList<'a> {
    /// `None` for the open list, always.
    listed: Option<Vec<Acl<'a>>>,
}

impl<'a> AclList<'a> {
    /// The list of one entry, [`Acl::is_open`].
    pub const OPEN: Self = Self { listed: None };

    /// Whether this is [`Self::OPEN`].
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.listed.is_none()
    }

    /// The same with texts of its own.
    #[must_use]
    pub fn into_owned(self) -> AclList<'static> {
        let own = |list: Vec<Acl<'a>>| list.into_iter().map(Acl::into_owned).collect();
        AclList { listed: self.listed.map(own) }
    }

    /// The entries, for a change.
    #[must_use]
    pub fn into_vec(self) -> Vec<Acl<'a>> {
        self.listed.unwrap_or_else(|| OPEN.to_vec())
    }
}

impl<'a> From<Vec<Acl<'a>>> for AclList<'a> {
    fn from(list: Vec<Acl<'a>>) -> Self {
        let open = matches!(list.as_slice(), [only] if only.is_open());
        Self { listed: (!open).then_some(list) }
    }
}

impl<'a> std::ops::Deref for AclList<'a> {
    type Target = [Acl<'a>];

    fn deref(&self) -> &[Acl<'a>] {
        self.listed.as_deref().unwrap_or(&OPEN)
    }
}

impl<'a> Jute<'a> for AclList<'a> {
    #[inline]
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        if r.skip(OPEN_ENCODED) { Ok(Self::OPEN) } else { Vec::read(r).map(Self::from) }
    }
    #[inline]
    fn write(&self, out: &mut Vec<u8>) {
        match &self.listed {
            None => out.extend_from_slice(OPEN_ENCODED),
            Some(list) => list.write(out),
        }
    }
}

static OPEN: [Acl<'static>; 1] = [Acl::world(ALL)];
const OPEN_ENCODED: &[u8] = b"\0\0\0\x01\0\0\0\x1f\0\0\0\x05world\0\0\0\x06anyone";

impl<'a> Id<'a> {
    /// An identity of two known texts.
    #[must_use]
    pub fn new(scheme: impl Into<Cow<'a, str>>, id: impl Into<Cow<'a, str>>) -> Self {
        Self { scheme: Some(scheme.into()), id: Some(id.into()) }
    }

    /// The scheme; empty when null.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.scheme.as_deref().unwrap_or("")
    }

    /// The text; empty when null.
    #[must_use]
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or("")
    }

    /// The same with texts of its own.
    #[must_use]
    pub fn into_owned(self) -> Id<'static> {
        Id {
            scheme: self.scheme.map(|s| Cow::Owned(s.into_owned())),
            id: self.id.map(|s| Cow::Owned(s.into_owned())),
        }
    }
}

impl Acl<'_> {
    /// `world:anyone` with `perms`.
    ///
    /// ```
    /// use quorate_wire::{Acl, acl};
    ///
    /// let anyone_reads = Acl::world(acl::READ);
    /// assert_eq!((anyone_reads.id.scheme(), anyone_reads.id.id()), ("world", "anyone"));
    /// ```
    #[must_use]
    pub const fn world(perms: i32) -> Acl<'static> {
        Acl {
            perms,
            id: Id { scheme: Some(Cow::Borrowed("world")), id: Some(Cow::Borrowed("anyone")) },
        }
    }

    /// The same with texts of its own.
    #[must_use]
    pub fn into_owned(self) -> Acl<'static> {
        Acl { perms: self.perms, id: self.id.into_owned() }
    }

    /// Whether this is `world:anyone` with every permission.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.perms == ALL && self.id.scheme() == "world" && self.id.id() == "anyone"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_open_list_is_encoded_as_every_other() {
        let open = Acl::world(ALL);
        let list = vec![open.clone()];
        assert_eq!(list.to_bytes(), OPEN_ENCODED);
        assert_eq!(AclList::OPEN.into_vec(), list);
        for list in [list, vec![], vec![Acl::world(READ)], vec![open.clone(), open]] {
            let all = AclList::from(list.clone());
            assert_eq!((&*all, all.to_bytes()), (&*list, list.to_bytes()));
            assert_eq!(AclList::from_bytes(&list.to_bytes()), Ok(all));
            for cut in 0..list.to_bytes().len() {
                assert!(AclList::from_bytes(&list.to_bytes()[..cut]).is_err());
            }
        }
    }
}
