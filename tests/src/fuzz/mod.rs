//! Fuzz targets for every decoder: plain functions of bytes that panic when a property is broken.
//!
//! The same functions run in two ways: `tests/fuzz_bounded.rs` gives them a fixed number of seeded mutations of the
//! corpus in every test run, and the crate in `tests/fuzz` hands them to libFuzzer for as long as one
//! likes (`docs/testing.md`). The properties: no panic, no hang, what was decoded encodes to bytes that decode to the
//! same, and memory in proportion to the input (measured by the bounded run, limited by libFuzzer).

pub mod corpus;
mod disk;
mod election;
mod learner;
mod messages;
pub mod mutate;
mod roles;

pub use disk::{log, sidecar, snappy, snapshot, txn};
pub use election::{election, membership};
pub use learner::{learner, snap_stream};
pub use messages::{connect, reply, request};
pub use roles::roles;

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
    /// Whether it makes a tree, whose first memory is for more nodes than a small one has.
    pub tree: bool,
}

const fn target(
    name: &'static str,
    run: fn(&[u8]),
    corpus: fn() -> Vec<Vec<u8>>,
    memory_factor: usize,
) -> Target {
    Target { name, run, corpus, memory_factor, tree: false }
}

impl Target {
    const fn with_tree(self) -> Self {
        Self { tree: true, ..self }
    }

    /// Bytes of memory that the target may hold at once for an input of this length.
    #[must_use]
    pub const fn memory(&self, input: usize) -> usize {
        let fixed = if self.tree { FIXED_MEMORY + TREE_MEMORY } else { FIXED_MEMORY };
        fixed.saturating_add(self.memory_factor.saturating_mul(input))
    }
}

/// What a target may hold whatever its input: the first capacity of a vector, messages, tables.
const FIXED_MEMORY: usize = 160 * 1024;
/// What an empty tree holds.
const TREE_MEMORY: usize = 512 * 1024;

/// Every target. The factor follows from the smallest encoding of a value against its size in memory, twice
/// for a vector that grows, twice for the comparison with what is decoded again.
pub const TARGETS: &[Target] = &[
    target("connect", connect, corpus::connects, 16),
    target("request", request, corpus::requests, 96),
    target("reply", reply, corpus::replies, 96),
    target("txn", txn, corpus::txns, 96),
    target("log", log, corpus::logs, 16),
    target("snapshot", snapshot, corpus::snapshots, 96),
    target("snappy", snappy, corpus::snappy_streams, 16),
    target("sidecar", sidecar, corpus::sidecars, 16),
    target("election", election, corpus::elections, 16),
    target("membership", membership, corpus::memberships, 96),
    target("learner", learner, corpus::learners, 96),
    target("roles", roles, corpus::learners, 96),
    target("snap_stream", snap_stream, corpus::snap_streams, 96).with_tree(),
    target("config", config, corpus::configs, 96),
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
