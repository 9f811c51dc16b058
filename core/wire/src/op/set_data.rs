//! setData (5). The reply is a [`Stat`](crate::Stat).

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
