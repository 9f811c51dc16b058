//! ZooKeeper's error codes, as they stand in reply headers.
//!
//! Source: `org.apache.zookeeper.KeeperException.Code`. Codes that only a client makes are
//! included, so that every front speaks of errors with one vocabulary.

use std::fmt;

macro_rules! codes {
    ($($(#[$meta:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// Why an operation was refused.
        ///
        /// ```
        /// use quorate_wire::ErrorCode;
        ///
        /// assert_eq!(ErrorCode::NoNode.code(), -101);
        /// assert_eq!(ErrorCode::NoNode.text(), "the node does not exist");
        /// assert!(ErrorCode::ALL.contains(&ErrorCode::BadVersion));
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[repr(i32)]
        pub enum ErrorCode { $(#[doc = $text] $name = $code,)* }

        impl ErrorCode {
            /// Every code, for tables.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The number on the wire.
            #[must_use]
            pub const fn code(self) -> i32 {
                match self { $(Self::$name => $code,)* }
            }

            /// The error of a number on the wire, if it is a known one.
            ///
            /// ```
            /// use quorate_wire::ErrorCode;
            ///
            /// assert_eq!(ErrorCode::from_code(-101), Some(ErrorCode::NoNode));
            /// assert_eq!(ErrorCode::from_code(1), None);
            /// ```
            #[must_use]
            pub const fn from_code(code: i32) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }

            /// One sentence for a person.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

codes! {
    SystemError = -1, "system error";
    RuntimeInconsistency = -2, "not run, because an earlier operation of the multi failed";
    DataInconsistency = -3, "data inconsistency";
    ConnectionLoss = -4, "the connection was lost; the outcome is unknown";
    MarshallingError = -5, "the request could not be decoded";
    Unimplemented = -6, "the operation is not implemented";
    OperationTimeout = -7, "the operation timed out";
    BadArguments = -8, "bad arguments";
    InvalidState = -9, "the handle is in no state for this";
    UnknownSession = -12, "unknown session";
    NewConfigNoQuorum = -13, "no quorum of the new configuration is connected and synchronised";
    ReconfigInProgress = -14, "another reconfiguration is in progress";
    SslConnectionError = -15, "TLS connection error";
    ApiError = -100, "API error";
    NoNode = -101, "the node does not exist";
    NoAuth = -102, "not permitted by the node's ACL";
    BadVersion = -103, "the version does not match";
    NoChildrenForEphemerals = -108, "an ephemeral node cannot have children";
    NodeExists = -110, "the node exists already";
    NotEmpty = -111, "the node has children";
    SessionExpired = -112, "the session has expired";
    InvalidCallback = -113, "invalid callback";
    InvalidAcl = -114, "the ACL is not valid";
    AuthFailed = -115, "authentication failed";
    Closing = -116, "the client is closing";
    Nothing = -117, "nothing to do";
    SessionMoved = -118, "the session has moved to another server";
    NotReadOnly = -119, "this server is read-only";
    EphemeralOnLocalSession = -120, "a local session cannot own ephemeral nodes";
    NoWatcher = -121, "there is no such watch";
    RequestTimeout = -122, "the request timed out";
    ReconfigDisabled = -123, "reconfiguration is disabled";
    SessionClosedRequireSaslAuth = -124, "the server demands authentication first";
    QuotaExceeded = -125, "the quota is exceeded";
    ThrottledOp = -127, "refused, because the server is overloaded";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?}, {})", self.text(), self, self.code())
    }
}

impl std::error::Error for ErrorCode {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_number() {
        for &code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_code(code.code()), Some(code));
        }
        assert_eq!(ErrorCode::from_code(0), None);
    }
}
