//! getEphemerals (103): the ephemeral nodes of the calling session.
//!
//! The prefix is compared as text, not as a path: `/t/e` matches `/t/eph`. Those of other sessions are never listed.
//! Known since 3.6.

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
