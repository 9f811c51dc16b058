//! How much is in flight, and how much may be.
//!
//! The replica knows what it has taken up; a driver with several threads adds what is on its way there, so that each thread
//! stops reading at the limit and not a round of the writer later. Who asks is told only; nothing is refused here.

/// Requests and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// How many.
    pub requests: usize,
    /// Their bytes, or those of their transactions.
    pub bytes: usize,
}

impl Load {
    /// Whether this is more than a limit, by either measure.
    #[must_use]
    pub const fn exceeds(self, limit: Self) -> bool {
        self.requests > limit.requests || self.bytes > limit.bytes
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    /// What is left without a part of it.
    #[must_use]
    pub const fn minus(self, part: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(part.requests),
            bytes: self.bytes.saturating_sub(part.bytes),
        }
    }
}
