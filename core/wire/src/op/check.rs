//! check (13), only inside a multi.

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
