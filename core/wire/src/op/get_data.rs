//! getData (4): the data and the stat of a node.
//!
//! Both are of the same instant. A node that does not exist leaves no watch. The same reply is given to reconfig, and
//! to a getData inside multiRead.

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
