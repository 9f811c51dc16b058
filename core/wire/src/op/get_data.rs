//! getData (4).

use crate::record;
use crate::stat::Stat;
use std::borrow::Cow;

record! {
    /// Body of getData.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct GetDataRequest<'a> {
        /// The path.
        pub path: Cow<'a, str>,
        /// Whether to leave a one-shot watch.
        pub watch: bool,
    }
}

record! {
    /// Reply to getData.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct GetDataResponse<'a> {
        /// The data; null and empty differ.
        pub data: Option<&'a [u8]>,
        /// The stat, of the same instant.
        pub stat: Stat,
    }
}
