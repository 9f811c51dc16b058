//! The workloads, one file each.
//!
//! A workload turns its options into an [`Outcome`] against the server of a
//! [`Context`]. The same command lines serve `quorate bench` and each run of `quorate bench compare`.

mod bystander;
mod connect;
mod create;
mod gap;
mod mix;
mod multi;
mod populate;
mod sessions;
mod watch;
mod watchers;

use super::metric::Outcome;
use super::options::{Context, Load, Span};
use anyhow::Result;

/// A workload with its options.
#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum Workload {
    /// Reads and writes of a fixed set of nodes, by percentage.
    Mix(mix::Mix),
    /// New nodes, one request each.
    Create(create::Create),
    /// Transactions of several operations.
    Multi(multi::Multi),
    /// A large tree, by transactions of a hundred creates.
    Populate(populate::Populate),
    /// Resident memory per node of a large tree (needs --pid).
    Memory(populate::Populate),
    /// Thousands of watches on one node: who waits how long when it changes.
    Watch(watch::Watch),
    /// Idle sessions that only ping.
    Sessions(sessions::Sessions),
    /// Sessions opened and closed as fast as possible.
    Connect(connect::Connect),
    /// The longest time without an acknowledged write, while somebody kills servers.
    Gap(gap::Gap),
}

impl Workload {
    /// Runs it once.
    ///
    /// # Errors
    /// When the server cannot be reached or used.
    pub(super) fn run(&self, context: &Context) -> Result<Outcome> {
        match self {
            Self::Mix(mix) => mix.run(context),
            Self::Create(create) => create.run(context),
            Self::Multi(multi) => multi.run(context),
            Self::Populate(populate) => populate.run(context),
            Self::Memory(populate) => populate.memory(context),
            Self::Watch(watch) => watch.run(context),
            Self::Sessions(sessions) => sessions.run(context),
            Self::Connect(connect) => connect.run(context),
            Self::Gap(gap) => gap.run(context),
        }
    }
}
