//! exists (3).

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
