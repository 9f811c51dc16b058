//! getChildren (8) and getChildren2 (12): the names of a node's children, without and with its stat.
//!
//! The order is that of a hash table in Apache and must not be relied on. The watch fires when a child is created or
//! deleted, and when the node itself is deleted.

use crate::record;
use crate::stat::Stat;
use std::borrow::Cow;

record! {
    /// Body of both.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct GetChildrenRequest<'a> {
        /// The path.
        pub path: Cow<'a, str>,
        /// Whether to leave a one-shot watch.
        pub watch: bool,
    }
}

record! {
    /// Reply to getChildren.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct GetChildrenResponse<'a> {
        /// Names, in no particular order.
        pub children: Vec<Cow<'a, str>>,
    }
}

record! {
    /// Reply to getChildren2.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct GetChildren2Response<'a> {
        /// Names, in no particular order.
        pub children: Vec<Cow<'a, str>>,
        /// The stat of the parent, of the same instant.
        pub stat: Stat,
    }
}
