//! setACL (7): replaces the ACL of a node.
//!
//! The reply is a [`Stat`](crate::Stat) with the new ACL version. `auth` entries stand for the identities of the
//! connection and are expanded before they are stored; no watch fires.

use crate::acl::AclList;
use crate::record;
use std::borrow::Cow;

record! {
    /// Body of setACL.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct SetAclRequest<'a> {
        /// The path.
        pub path: Cow<'a, str>,
        /// The new list.
        pub acl: AclList<'a>,
        /// Expected version of the ACL; -1 for any.
        pub version: i32,
    }
}
