//! The client's half of a session: requests in, frames out, answers and events back.
//!
//! [`ClientSession`] is pure. Its driver owns the socket, the clock and the names of servers: it hands over what happens and
//! takes [`Effect`]s and bytes. It is used by the client library and, unchanged, by the simulator.
//!
//! **Architecture Invariant:** requests are answered in the order of their submission, each exactly once. One that was
//! on the wire when the connection broke fails with its outcome unknown, and is never sent again; one that was not
//! waits for the next connection.
//!
//! **Architecture Invariant:** a session is declared lost no later than its timeout after the *sending* of the last
//! request that was answered, by the local clock. A server counts from the arrival of that request, so no server has ended the
//! session before its owner knows.
//!
//! Source: `org.apache.zookeeper.ClientCnxn`, and its documented faults.

mod auth;
mod bytes;
mod effect;
mod ending;
mod hosts;
mod link;
mod modes;
mod part;
mod pending;
mod random;
mod rearm;
mod receive;
mod reply;
mod request;
mod sasl;
mod session;
mod spread;
#[cfg(test)]
mod tests;
mod watches;

pub use effect::{Effect, Failure, Notice, Refused, State, Token};
pub use part::{Create, Part};
pub use reply::Reply;
pub use request::{Request, WatchKey, below};
pub use sasl::{Mechanism, SaslError};
pub use session::{ClientSession, Counters, Identity, Settings};
