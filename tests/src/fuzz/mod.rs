//! Fuzz targets for every decoder: plain functions of bytes that panic when a property is broken.
//!
//! The same functions run in two ways: `tests/fuzz_bounded.rs` gives them a fixed number of seeded mutations of the
//! corpus in every test run, and the crate in `tests/fuzz` hands them to libFuzzer for as long as one
//! likes (`docs/testing.md`). The properties: no panic, no hang, what was decoded encodes to bytes that decode to the
//! same, and memory in proportion to the input (measured by the bounded run, limited by libFuzzer).

pub mod corpus;
mod disk;
mod election;
mod messages;
pub mod mutate;

pub use disk::{log, sidecar, snappy, snapshot, txn};
pub use election::{election, membership};
pub use messages::{connect, reply, request};

/// One target.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, also that of the libFuzzer target.
    pub name: &'static str,
    /// The function.
    pub run: fn(&[u8]),
    /// Well-formed inputs to start from.
    pub corpus: fn() -> Vec<Vec<u8>>,
    /// Bytes of memory that it may hold at once per byte of input, beside a fixed amount.
    pub memory_factor: usize,
}

/// Every target. The factor follows from the smallest encoding of a value against its size in memory, twice
/// for a vector that grows, twice for the comparison with what is decoded again.
pub const TARGETS: &[Target] = &[
    Target { name: "connect", run: connect, corpus: corpus::connects, memory_factor: 16 },
    Target { name: "request", run: request, corpus: corpus::requests, memory_factor: 96 },
    Target { name: "reply", run: reply, corpus: corpus::replies, memory_factor: 96 },
    Target { name: "txn", run: txn, corpus: corpus::txns, memory_factor: 96 },
    Target { name: "log", run: log, corpus: corpus::logs, memory_factor: 16 },
    Target { name: "snapshot", run: snapshot, corpus: corpus::snapshots, memory_factor: 96 },
    Target { name: "snappy", run: snappy, corpus: corpus::snappy_streams, memory_factor: 16 },
    Target { name: "sidecar", run: sidecar, corpus: corpus::sidecars, memory_factor: 16 },
    Target { name: "election", run: election, corpus: corpus::elections, memory_factor: 16 },
    Target { name: "membership", run: membership, corpus: corpus::memberships, memory_factor: 96 },
    Target { name: "config", run: config, corpus: corpus::configs, memory_factor: 96 },
];

/// `zoo.cfg`: any bytes give a configuration or an error that can be shown.
pub fn config(data: &[u8]) {
    match quorate::config::ServerConfig::from_properties(data, "zoo.cfg") {
        Ok((config, warnings)) => {
            assert!(config.min_session_timeout() <= config.max_session_timeout());
            let shown: usize = warnings.iter().map(|warning| warning.to_string().len()).sum();
            assert!(shown < 100_000 + 100 * data.len(), "{shown} bytes of warnings");
        }
        Err(error) => {
            let shown = error.to_string();
            assert!(shown.len() < 10_000 + 10 * data.len(), "a message of {} bytes", shown.len());
        }
    }
}
