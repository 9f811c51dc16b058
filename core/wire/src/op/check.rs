//! check (13): is the node there, in this version? Only inside a multi.
//!
//! Holds the multi together: if it does not match, nothing of the multi is applied. Alone it is no operation
//! (-6) since 3.8.5 and 3.9.3; before, it was carried out and never answered.

use crate::record;
use std::borrow::Cow;

record! {
    /// Body of check.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct CheckVersionRequest<'a> {
        /// The path.
        pub path: Cow<'a, str>,
        /// Expected version of the data; -1 for mere existence.
        pub version: i32,
    }
}
