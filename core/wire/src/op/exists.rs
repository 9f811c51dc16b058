//! exists (3): the stat of a node, if there is one.
//!
//! The reply is a [`Stat`](crate::Stat). It is the only read that leaves a watch on a node that does not exist: NoNode
//! (-101) is answered, and the watch fires when the node is created.

use crate::record;
use std::borrow::Cow;

record! {
    /// Body of exists.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ExistsRequest<'a> {
        /// The path.
        pub path: Cow<'a, str>,
        /// Whether to leave a one-shot watch, also on an absent node.
        pub watch: bool,
    }
}
