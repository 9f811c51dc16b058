//! Access control lists: who may do what to one node.
//!
//! Only the record and the well-known lists are here; which identity matches which entry is decided
//! in the engine (`acl`).

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
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Acl<'a> {
        /// Bits of [`READ`] to [`ADMIN`]; others are stored as given.
        pub perms: i32,
        /// Who has them.
        pub id: Id<'a>,
    }
}

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
