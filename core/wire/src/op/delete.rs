//! delete (2) and deleteContainer (20): remove a node without children.
//!
//! The reply has no body. deleteContainer is the server's own, for containers and expired nodes; sent by a client
//! it is refused.

use crate::record;
use std::borrow::Cow;

record! {
    /// Body of delete.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct DeleteRequest<'a> {
        /// The path.
        pub path: Cow<'a, str>,
        /// Expected version of the data; -1 for any.
        pub version: i32,
    }
}

record! {
    /// Body of deleteContainer.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct DeleteContainerRequest<'a> {
        /// The path.
        pub path: Cow<'a, str>,
    }
}
