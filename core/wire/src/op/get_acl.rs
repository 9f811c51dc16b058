//! getACL (6): the ACL and the stat of a node.
//!
//! Needs READ or ADMIN. Who has no ADMIN permission sees the user of a digest identity with `x` in place of the hash.
//! The list has the order in which it was set, without duplicates.

use crate::acl::Acl;
use crate::record;
use crate::stat::Stat;
use std::borrow::Cow;

record! {
    /// Body of getACL.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct GetAclRequest<'a> {
        /// The path.
        pub path: Cow<'a, str>,
    }
}

record! {
    /// Reply to getACL.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct GetAclResponse<'a> {
        /// The list; without ADMIN permission digest ids are masked.
        pub acl: Vec<Acl<'a>>,
        /// The stat, of the same instant.
        pub stat: Stat,
    }
}
