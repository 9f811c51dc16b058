//! getEphemerals (103).

use crate::record;
use std::borrow::Cow;

record! {
    /// Body of getEphemerals.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct GetEphemeralsRequest<'a> {
        /// Text that the paths begin with; null, blank and `/` mean all.
        pub prefix: Option<Cow<'a, str>>,
    }
}

record! {
    /// Reply to getEphemerals.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct GetEphemeralsResponse<'a> {
        /// The calling session's ephemeral nodes.
        pub paths: Vec<Cow<'a, str>>,
    }
}
