//! setACL (7). The reply is a [`Stat`](crate::Stat).

use crate::acl::Acl;
use crate::record;
use std::borrow::Cow;

record! {
    /// Body of setACL.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct SetAclRequest<'a> {
        /// The path.
        pub path: Cow<'a, str>,
        /// The new list.
        pub acl: Vec<Acl<'a>>,
        /// Expected version of the ACL; -1 for any.
        pub version: i32,
    }
}
