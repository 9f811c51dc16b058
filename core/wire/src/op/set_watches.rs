//! setWatches (101) and setWatches2 (105): what a client re-registers after a reconnect.

use crate::record;
use std::borrow::Cow;

record! {
    /// Body of setWatches.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct SetWatchesRequest<'a> {
        /// The last zxid the client has seen.
        pub relative_zxid: i64,
        /// Paths with a data watch.
        pub data: Option<Vec<Cow<'a, str>>>,
        /// Paths with a watch on their creation.
        pub exist: Option<Vec<Cow<'a, str>>>,
        /// Paths with a child watch.
        pub child: Option<Vec<Cow<'a, str>>>,
    }
}

record! {
    /// Body of setWatches2.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct SetWatches2Request<'a> {
        /// The last zxid the client has seen.
        pub relative_zxid: i64,
        /// Paths with a data watch.
        pub data: Option<Vec<Cow<'a, str>>>,
        /// Paths with a watch on their creation.
        pub exist: Option<Vec<Cow<'a, str>>>,
        /// Paths with a child watch.
        pub child: Option<Vec<Cow<'a, str>>>,
        /// Paths with a persistent watch.
        pub persistent: Option<Vec<Cow<'a, str>>>,
        /// Paths with a persistent recursive watch.
        pub persistent_recursive: Option<Vec<Cow<'a, str>>>,
    }
}
