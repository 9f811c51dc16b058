//! Learners: they take a leader's history as theirs and follow what it adds.
//!
//! `joining` goes from the connection to UPTODATE and is the same for all; a [`Follower`] then logs and acknowledges proposals, an
//! [`Observer`] only takes what is committed. `role` is what both have in common, `local` what they know of their own disk,
//! `patience` when a silent leader is given up.

mod follower;
mod joining;
mod local;
mod observer;
mod patience;
mod role;
#[cfg(test)]
mod tests;

pub use follower::{Follower, Following};
pub use observer::{Observer, Observing};
pub use role::{Learner, Role};
