//! The simulator of ensembles: the product's engines of leaders and learners in a world that can break everything around them.
//!
//! What happens, and when, follows from a seed. A [`Server`](server::Server) is a process with a disk; [`world`] carries messages, writes and time
//! between them; [`faults`] decides what goes wrong; [`check`] watches from outside and knows everything. The replicated state
//! is as plain as can be, a list of what was applied, so that "the same history" is the equality of lists.

pub mod check;
pub mod disk;
pub mod faults;
pub mod link;
mod net;
pub mod operator;
pub mod run;
pub mod server;
pub mod shrink;
pub mod state;
pub mod torn;
mod vote;
pub mod whole;
mod work;
pub mod world;

pub use run::{Failure, Run, Summary, run};
pub use shrink::{Kind, Spared, shrink};
