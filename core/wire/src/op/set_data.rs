//! setData (5): replaces the data of a node.
//!
//! The reply is a [`Stat`](crate::Stat) with the new version. Only -1 stands for any version: -2 is refused with
//! BadVersion (-103) like every other that does not match.

use crate::record;
use std::borrow::Cow;

record! {
    /// Body of setData.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct SetDataRequest<'a> {
        /// The path.
        pub path: Cow<'a, str>,
        /// The new data; null and empty differ.
        pub data: Option<&'a [u8]>,
        /// Expected version of the data; -1 for any.
        pub version: i32,
    }
}
