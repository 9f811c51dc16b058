//! auth (100), answered on xid -4, and sasl (102).
//!
//! Both belong to the connection and not to the session: they take effect when they are read, so that a request right
//! behind them sees the identity, and their replies overtake those of earlier requests. A failure is answered with
//! AuthFailed (-115), and the connection is closed.

use crate::record;
use std::borrow::Cow;

record! {
    /// Body of auth.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct AuthPacket<'a> {
        /// 0.
        pub kind: i32,
        /// The scheme.
        pub scheme: Option<Cow<'a, str>>,
        /// The scheme's credentials.
        pub auth: Option<&'a [u8]>,
    }
}

record! {
    /// Body and reply of sasl.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct SaslToken<'a> {
        /// A step of the exchange.
        pub token: Option<&'a [u8]>,
    }
}
