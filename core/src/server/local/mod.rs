//! An ensemble on this machine: for tests, for trying out, and for the command `quorate ensemble`.
//!
//! [`LocalEnsemble`] has its members in this process. [`LocalPlan`] is what goes before: ports that nobody else takes, the membership, a directory
//! for each member; who wants members as processes of their own starts them by it.

mod ensemble;
mod home;
mod plan;
mod ports;

pub use ensemble::{LocalBuilder, LocalEnsemble, LocalError};
pub use plan::LocalPlan;
