//! What a client session wants done, in order, and what it tells its owner.

use super::reply::Reply;
use super::request::WatchKey;
use quorate_wire::event::EventType;
use quorate_wire::{ErrorCode, OpCode};

/// The caller's name for a request.
pub type Token = u64;

/// One thing to do. They must be taken in order: an event comes before the reply that shows the new state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Drop whatever connection there is and open one to the server of this index of the list.
    Connect {
        /// Names the connection in everything that is reported about it.
        attempt: u64,
        /// Index into the list of servers.
        server: usize,
    },
    /// Close the connection; nothing that is reported about it afterwards counts.
    Disconnect {
        /// The connection.
        attempt: u64,
    },
    /// Ask a server on a connection of its own whether it takes writes (`isro`).
    Probe {
        /// Index into the list of servers.
        server: usize,
    },
    /// A request is over.
    Complete {
        /// The request.
        token: Token,
        /// How it ended.
        result: Result<Reply, Failure>,
    },
    /// Something for a watch.
    Event {
        /// The watch.
        watch: WatchKey,
        /// What happened.
        event: Notice,
    },
    /// The session's state changed.
    State(State),
}

/// What a watch is told.
///
/// ```
/// use quorate_engine::client::Notice;
/// use quorate_wire::event::EventType;
///
/// let notice = Notice::Changed { kind: EventType::Created, path: "/a".into(), zxid: Some(7) };
/// match notice {
///     Notice::Changed { path, .. } => assert_eq!(path, "/a"),
///     Notice::Missed => println!("read again"),
///     Notice::Ended(code) => println!("nothing follows: {code}"),
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A node changed.
    Changed {
        /// How.
        kind: EventType,
        /// Which, without the root of the watch's view.
        path: String,
        /// The transaction, where the server says so (3.9 and newer).
        zxid: Option<i64>,
    },
    /// Events may be missing here: read again. Persistent watches get this after a reconnect.
    Missed,
    /// The watch is over: its session ended, or the server refused to renew it. Nothing follows.
    Ended(ErrorCode),
}

/// Where the session stands.
///
/// ```
/// use quorate_engine::client::State;
///
/// assert!(State::Connected.is_connected() && State::ReadOnly.is_connected());
/// // A lost session may be followed by another.
/// assert!(State::Closed.is_final() && !State::Lost.is_final());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// No session yet.
    Connecting,
    /// In touch with a server.
    Connected,
    /// In touch with a server that only reads.
    ReadOnly,
    /// Out of touch; the session may live.
    Suspended,
    /// The session is over: the server said so, or its timeout passed without a sign of life. All ephemeral nodes are
    /// gone or about to go.
    Lost,
    /// The server refused the credentials. Final.
    AuthFailed,
    /// Closed by its owner. Final.
    Closed,
}

impl State {
    /// Whether requests are being answered.
    #[must_use]
    pub const fn is_connected(self) -> bool {
        matches!(self, Self::Connected | Self::ReadOnly)
    }

    /// Whether nothing can follow.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::AuthFailed | Self::Closed)
    }
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The reason.
    pub code: ErrorCode,
    /// The operation.
    pub op: OpCode,
    /// Its path, without the view's root; empty for operations without one.
    pub path: String,
    /// Whether a server may have carried it out all the same. Never true for reads.
    pub outcome_unknown: bool,
}

/// Why a request was not even accepted. It has no effect and no completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The path cannot be one.
    #[error("the path is not valid")]
    BadPath,
    /// The request is longer than a frame may be.
    #[error("the request is longer than the limit of a frame")]
    TooLong,
    /// Too much is in flight already.
    #[error("too many requests are in flight")]
    Full,
    /// The session is closing or closed.
    #[error("the client is closed")]
    Closed,
    /// The session is lost and is not to be renewed.
    #[error("the session has expired")]
    Expired,
    /// The server refused the credentials.
    #[error("authentication failed")]
    AuthFailed,
}

impl Refused {
    /// ZooKeeper's code for it.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::BadPath | Self::TooLong => ErrorCode::BadArguments,
            Self::Full => ErrorCode::ThrottledOp,
            Self::Closed => ErrorCode::Closing,
            Self::Expired => ErrorCode::SessionExpired,
            Self::AuthFailed => ErrorCode::AuthFailed,
        }
    }
}
