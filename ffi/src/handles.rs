//! Handles as C sees them: numbers, which [`objects`](crate::objects) knows.

/// A client: a session with a ZooKeeper service. Closed by quorate_client_close.
pub type ClientHandle = u64;
/// A server in this process. Closed by quorate_server_stop.
pub type ServerHandle = u64;
/// A transaction that is being put together. Closed by committing it, by quorate_multi_close, or with its client.
pub type MultiHandle = u64;
/// A watch. Closed by quorate_watch_close, or with its client; a one-shot watch also by firing.
pub type WatchHandle = u64;
/// An asynchronous call that can be cancelled. Closed when it is over.
pub type CallHandle = u64;
/// A lock that is held. Closed by quorate_held_release.
pub type HeldHandle = u64;
/// A candidate in an election. Closed by quorate_election_leave.
pub type ElectionHandle = u64;
/// A term in which a candidate leads. Closed by quorate_term_close.
pub type TermHandle = u64;
