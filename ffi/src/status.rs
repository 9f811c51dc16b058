//! Status codes: ZooKeeper's for its errors, numbers below -1000 for what only this interface knows.

use std::ffi::CStr;

/// It worked.
pub const QUORATE_OK: i32 = 0;

/// The server failed, or has no room.
pub const QUORATE_SYSTEM_ERROR: i32 = -1;
/// Not carried out, because another part of the multi failed.
pub const QUORATE_RUNTIME_INCONSISTENCY: i32 = -2;
/// The server's answer makes no sense.
pub const QUORATE_DATA_INCONSISTENCY: i32 = -3;
/// The connection was lost while the operation was on its way.
pub const QUORATE_CONNECTION_LOSS: i32 = -4;
/// The server could not read the request.
pub const QUORATE_MARSHALLING_ERROR: i32 = -5;
/// The server does not know the operation.
pub const QUORATE_UNIMPLEMENTED: i32 = -6;
/// The operation took too long, says the server.
pub const QUORATE_OPERATION_TIMEOUT: i32 = -7;
/// An argument that the server or the client does not accept, such as a path that cannot be one.
pub const QUORATE_BAD_ARGUMENTS: i32 = -8;
/// Not possible in this state.
pub const QUORATE_INVALID_STATE: i32 = -9;
/// The server does not know the session.
pub const QUORATE_UNKNOWN_SESSION: i32 = -12;
/// No quorum of the new configuration is connected.
pub const QUORATE_NEW_CONFIG_NO_QUORUM: i32 = -13;
/// Another reconfiguration is in progress.
pub const QUORATE_RECONFIG_IN_PROGRESS: i32 = -14;
/// TLS could not be established.
pub const QUORATE_SSL_CONNECTION_ERROR: i32 = -15;
/// A general error of the API.
pub const QUORATE_API_ERROR: i32 = -100;
/// There is no such node.
pub const QUORATE_NO_NODE: i32 = -101;
/// The node's ACL does not permit it.
pub const QUORATE_NO_AUTH: i32 = -102;
/// The node has another version.
pub const QUORATE_BAD_VERSION: i32 = -103;
/// Ephemeral nodes cannot have children.
pub const QUORATE_NO_CHILDREN_FOR_EPHEMERALS: i32 = -108;
/// The node exists already.
pub const QUORATE_NODE_EXISTS: i32 = -110;
/// The node has children.
pub const QUORATE_NOT_EMPTY: i32 = -111;
/// The session has expired.
pub const QUORATE_SESSION_EXPIRED: i32 = -112;
/// The callback is not valid.
pub const QUORATE_INVALID_CALLBACK: i32 = -113;
/// The ACL is not valid.
pub const QUORATE_INVALID_ACL: i32 = -114;
/// The credentials were refused.
pub const QUORATE_AUTH_FAILED: i32 = -115;
/// The client was closed before the operation was answered.
pub const QUORATE_CLOSING: i32 = -116;
/// There was nothing to do.
pub const QUORATE_NOTHING: i32 = -117;
/// The session has moved to another server.
pub const QUORATE_SESSION_MOVED: i32 = -118;
/// The server only reads.
pub const QUORATE_NOT_READ_ONLY: i32 = -119;
/// A local session cannot have ephemeral nodes.
pub const QUORATE_EPHEMERAL_ON_LOCAL_SESSION: i32 = -120;
/// There is no such watch.
pub const QUORATE_NO_WATCHER: i32 = -121;
/// The request took too long, says the server.
pub const QUORATE_REQUEST_TIMEOUT: i32 = -122;
/// Reconfiguration is disabled.
pub const QUORATE_RECONFIG_DISABLED: i32 = -123;
/// The server demands authentication first.
pub const QUORATE_SESSION_CLOSED_REQUIRE_SASL_AUTH: i32 = -124;
/// A quota is exceeded.
pub const QUORATE_QUOTA_EXCEEDED: i32 = -125;
/// Too many requests are in flight.
pub const QUORATE_THROTTLED_OP: i32 = -127;

/// An argument of this call is not valid: NULL where something is needed, text that is not UTF-8, a wrong `size`.
pub const QUORATE_INVALID_ARGUMENT: i32 = -1001;
/// Zero, a number that is no handle, or a handle of another kind.
pub const QUORATE_INVALID_HANDLE: i32 = -1002;
/// The handle was closed before, or its client was.
pub const QUORATE_CLOSED: i32 = -1003;
/// The time limit of this call has passed.
pub const QUORATE_TIMED_OUT: i32 = -1004;
/// The call was cancelled.
pub const QUORATE_CANCELLED: i32 = -1005;
/// A defect of this library: the call panicked, and so would others on the handle. Nothing but closing it is possible.
pub const QUORATE_PANICKED: i32 = -1006;
/// The handle was made before a fork, in the parent process.
pub const QUORATE_FORKED: i32 = -1007;
/// The lock or the leadership is lost.
pub const QUORATE_LOST: i32 = -1008;
/// Somebody else holds it, or is doing it at the moment.
pub const QUORATE_BUSY: i32 = -1009;
/// The server in this process did not start, or has stopped by itself.
pub const QUORATE_SERVER_FAILED: i32 = -1010;
/// There are 16 million handles already, or the system refuses something.
pub const QUORATE_EXHAUSTED: i32 = -1011;

const NAMES: &[(i32, &CStr)] = &[
    (QUORATE_OK, c"Ok"),
    (QUORATE_SYSTEM_ERROR, c"SystemError"),
    (QUORATE_RUNTIME_INCONSISTENCY, c"RuntimeInconsistency"),
    (QUORATE_DATA_INCONSISTENCY, c"DataInconsistency"),
    (QUORATE_CONNECTION_LOSS, c"ConnectionLoss"),
    (QUORATE_MARSHALLING_ERROR, c"MarshallingError"),
    (QUORATE_UNIMPLEMENTED, c"Unimplemented"),
    (QUORATE_OPERATION_TIMEOUT, c"OperationTimeout"),
    (QUORATE_BAD_ARGUMENTS, c"BadArguments"),
    (QUORATE_INVALID_STATE, c"InvalidState"),
    (QUORATE_UNKNOWN_SESSION, c"UnknownSession"),
    (QUORATE_NEW_CONFIG_NO_QUORUM, c"NewConfigNoQuorum"),
    (QUORATE_RECONFIG_IN_PROGRESS, c"ReconfigInProgress"),
    (QUORATE_SSL_CONNECTION_ERROR, c"SslConnectionError"),
    (QUORATE_API_ERROR, c"ApiError"),
    (QUORATE_NO_NODE, c"NoNode"),
    (QUORATE_NO_AUTH, c"NoAuth"),
    (QUORATE_BAD_VERSION, c"BadVersion"),
    (QUORATE_NO_CHILDREN_FOR_EPHEMERALS, c"NoChildrenForEphemerals"),
    (QUORATE_NODE_EXISTS, c"NodeExists"),
    (QUORATE_NOT_EMPTY, c"NotEmpty"),
    (QUORATE_SESSION_EXPIRED, c"SessionExpired"),
    (QUORATE_INVALID_CALLBACK, c"InvalidCallback"),
    (QUORATE_INVALID_ACL, c"InvalidAcl"),
    (QUORATE_AUTH_FAILED, c"AuthFailed"),
    (QUORATE_CLOSING, c"Closing"),
    (QUORATE_NOTHING, c"Nothing"),
    (QUORATE_SESSION_MOVED, c"SessionMoved"),
    (QUORATE_NOT_READ_ONLY, c"NotReadOnly"),
    (QUORATE_EPHEMERAL_ON_LOCAL_SESSION, c"EphemeralOnLocalSession"),
    (QUORATE_NO_WATCHER, c"NoWatcher"),
    (QUORATE_REQUEST_TIMEOUT, c"RequestTimeout"),
    (QUORATE_RECONFIG_DISABLED, c"ReconfigDisabled"),
    (QUORATE_SESSION_CLOSED_REQUIRE_SASL_AUTH, c"SessionClosedRequireSaslAuth"),
    (QUORATE_QUOTA_EXCEEDED, c"QuotaExceeded"),
    (QUORATE_THROTTLED_OP, c"ThrottledOp"),
    (QUORATE_INVALID_ARGUMENT, c"InvalidArgument"),
    (QUORATE_INVALID_HANDLE, c"InvalidHandle"),
    (QUORATE_CLOSED, c"Closed"),
    (QUORATE_TIMED_OUT, c"TimedOut"),
    (QUORATE_CANCELLED, c"Cancelled"),
    (QUORATE_PANICKED, c"Panicked"),
    (QUORATE_FORKED, c"Forked"),
    (QUORATE_LOST, c"Lost"),
    (QUORATE_BUSY, c"Busy"),
    (QUORATE_SERVER_FAILED, c"ServerFailed"),
    (QUORATE_EXHAUSTED, c"Exhausted"),
];

/// The name of a status; `Unknown` for a number that is none.
pub(crate) fn name(status: i32) -> &'static CStr {
    NAMES.iter().find(|(code, _)| *code == status).map_or(c"Unknown", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate::client::ErrorCode;

    #[test]
    fn every_code_of_zookeeper_has_its_name() {
        for code in ErrorCode::ALL {
            assert_eq!(name(code.code()).to_str().unwrap(), format!("{code:?}"));
        }
        let own = NAMES.iter().filter(|(code, _)| ErrorCode::from_code(*code).is_none());
        assert!(own.clone().all(|(code, _)| *code == QUORATE_OK || *code < -1000));
        assert_eq!(own.count() + ErrorCode::ALL.len(), NAMES.len());
        assert_eq!(name(1), c"Unknown");
    }
}
