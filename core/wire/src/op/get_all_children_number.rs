//! getAllChildrenNumber (104).

use crate::record;
use std::borrow::Cow;

record! {
    /// Body of getAllChildrenNumber.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct GetAllChildrenNumberRequest<'a> {
        /// The path.
        pub path: Cow<'a, str>,
    }
}

record! {
    /// Reply to getAllChildrenNumber.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct GetAllChildrenNumberResponse {
        /// Descendants at every depth, the node itself excluded.
        pub total: i32,
    }
}
