//! setWatches (101) and setWatches2 (105): what a client re-registers after a reconnect.
//!
//! Whatever changed after `relative_zxid` fires at once, before the reply, which has no body and echoes the xid (-8
//! by custom). Persistent watches never fire at once. A null list is refused with MarshallingError (-5).

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
