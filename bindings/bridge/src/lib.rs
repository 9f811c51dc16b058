//! What every language binding stands on.
//!
//! A binding turns the arguments of its language into a future of the `quorate` crate and hands it to [`Calls`]. It runs beside the host;
//! its outcome waits in one [`Queue`], whose owner is woken once per batch and not once per completion. [`wait`] is for hosts
//! that block. Nothing here knows a language, and nothing a binding does belongs here unless two of them need it.
//!
//! **Invariant:** each started call gives exactly one completion: its result, that it was cancelled, or that it panicked. A panic
//! ends at this boundary.

mod calls;
mod panics;
mod queue;
mod wait;

pub use calls::{Call, Calls, Outcome, Started};
pub use panics::guarded;
pub use queue::{Queue, Wake};
pub use wait::{Waited, wait};
