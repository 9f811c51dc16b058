//! Every public item of the crate `quorate` has an example that runs: the rule stands in `docs/testing.md`.
//!
//! The sources are read as text, so that this needs neither a build of the crate nor rustdoc's unstable output. What the crate
//! exports from `quorate-engine` and `quorate-wire` is its public interface too.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod example;
mod rule;
mod source;

use rule::Judge;
use source::Sources;
use std::path::Path;

#[test]
fn every_public_item_has_an_example() {
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core");
    let mut sources = Sources::default();
    sources.read("quorate", &core.join("src/lib.rs"));
    sources.read("quorate_engine", &core.join("engine/src/lib.rs"));
    sources.read("quorate_wire", &core.join("wire/src/lib.rs"));
    let judge = Judge::new(&sources, "quorate");
    // A walk that loses its way would find nothing wrong.
    for known in ["quorate::client::handle::Client::get", "quorate_wire::stat::Stat"] {
        assert!(judge.has(known), "{known} is public and was not found");
    }
    let missing = judge.missing();
    assert!(
        missing.is_empty(),
        "{} of {} public items have no example that runs, see docs/testing.md:\n{}",
        missing.len(),
        judge.len(),
        missing.join("\n")
    );
}
