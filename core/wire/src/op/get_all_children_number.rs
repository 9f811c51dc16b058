//! getAllChildrenNumber (104): how many nodes there are below a node.
//!
//! Counts every depth and not the node itself, whether the caller may read what is below or not.
//! Known since 3.6.

use crate::record;
use std::borrow::Cow;

record! {
    /// Body of getAllChildrenNumber.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct GetAllChildrenNumberRequest<'a> {
        /// The path.
        pub path: Cow<'a, str>,
    }
}

record! {
    /// Reply to getAllChildrenNumber.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct GetAllChildrenNumberResponse {
        /// Descendants at every depth, the node itself excluded.
        pub total: i32,
    }
}
