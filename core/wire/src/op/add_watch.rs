//! addWatch (106): leaves a persistent watch, recursive or not.
//!
//! The node need not exist. Unlike every other operation that has nothing to tell, it is answered with a body of four
//! bytes; a Java client without them closes the connection.

use crate::record;
use std::borrow::Cow;

record! {
    /// Body of addWatch.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct AddWatchRequest<'a> {
        /// The path.
        pub path: Cow<'a, str>,
        /// 0 persistent, 1 persistent recursive.
        pub mode: i32,
    }
}

record! {
    /// Reply to addWatch, though it succeeded.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ErrorResponse {
        /// 0, or the error of a multi's part.
        pub err: i32,
    }
}
