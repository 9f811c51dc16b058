//! A server in this process.
//!
//! [`Server::builder`] starts one: on a given port, a free one or none at all, with its data in a directory or in
//! memory only. Everything that decides is in `quorate-engine`; here are the threads, sockets and the clock.
//!
//! Three drivers run the same engines. `fused` has one thread for connections and state, which is fastest on small
//! machines; `sharded` has several I/O threads beside the one that writes; `member` is one server of an ensemble. The log and snapshots have
//! threads of their own in all. [`LocalEnsemble`] is a whole ensemble in this process.

mod admission;
mod alarm;
mod builder;
pub(crate) mod clock;
mod fused;
mod handle;
pub(crate) mod journal;
mod links;
mod listener;
mod local;
mod member;
mod pipe;
pub(crate) mod purger;
mod settings;
mod sharded;
pub(crate) mod snapshotter;
mod words;

pub use crate::ensemble::election::ElectionError;
pub use crate::ensemble::tls::QuorumTlsError;
pub use builder::Builder;
pub use handle::{Connector, Server, ServerError, Stopper};
pub use local::{LocalBuilder, LocalEnsemble, LocalError, LocalPlan};
pub use pipe::LocalStream;
