//! whoAmI (107): which identities the connection has. The request has no body.
//!
//! Known since 3.7. Of a digest identity only the user is shown, and of `super` nothing; the address of the
//! client is always among them.

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
