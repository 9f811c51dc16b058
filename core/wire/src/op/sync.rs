//! sync (9).

use crate::record;
use std::borrow::Cow;

record! {
    /// Body and reply.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct SyncRequest<'a> {
        /// Echoed and never looked at.
        pub path: Option<Cow<'a, str>>,
    }
}
