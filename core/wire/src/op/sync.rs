//! sync (9): makes the reads behind it see everything that was committed before it.
//!
//! It takes its place among the writes of the session. The path is echoed; no server looks at it. The same record
//! is request and reply.

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
