//! What a server refuses when there is too much of it. Each limit is a small machine of its own: [`blue`] for new
//! sessions, [`large`] for large requests, [`throttle`] for requests in progress. All are off unless configured, as in
//! Apache. [`Load`] is what any of them may count. The replica and the shards ask them.

pub mod blue;
pub mod large;
mod load;
pub mod throttle;

pub use load::Load;

use blue::BlueConfig;
use throttle::ThrottleConfig;

/// The limits of a replica.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// New sessions.
    pub sessions: BlueConfig,
    /// Requests in progress.
    pub requests: ThrottleConfig,
}

/// What the limits of a replica have done.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LimitFigures {
    /// Handshakes refused.
    pub sessions_refused: u64,
    /// The probability with which a handshake is refused at random.
    pub drop_probability: f64,
    /// Requests that had to wait.
    pub requests_held: u64,
    /// Requests dropped because nobody waited for them any more.
    pub stale_dropped: u64,
    /// Requests answered with ThrottledOp because they had waited for too long.
    pub throttled: u64,
}
