//! The only place of the server that asks for the time, alone and in an ensemble.

use quorate_engine::replica::Now;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Both clocks of a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now() }
    }

    /// Now; the monotonic part begins near 0 at the server's start.
    pub(crate) fn now(self) -> Now {
        let mono = i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX);
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono, wall: i64::try_from(wall.as_millis()).unwrap_or(i64::MAX) }
    }
}
