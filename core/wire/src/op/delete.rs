//! delete (2) and deleteContainer (20). The reply has no body.

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
