//! whoAmI (107), which has no body.

use crate::record;
use std::borrow::Cow;

record! {
    /// One identity of the connection.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ClientInfo<'a> {
        /// Its scheme.
        pub scheme: Option<Cow<'a, str>>,
        /// Its user; empty for super.
        pub user: Option<Cow<'a, str>>,
    }
}

record! {
    /// Reply to whoAmI.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct WhoAmIResponse<'a> {
        /// The identities, in no particular order.
        pub clients: Vec<ClientInfo<'a>>,
    }
}
