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
use std::fs;
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

/// Each page of `docs/recipes` says the same five things, but for those that are not about one recipe.
#[test]
fn every_page_of_a_recipe_has_its_parts() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/recipes");
    let index = fs::read_to_string(pages.join("README.md")).unwrap();
    let mut missing = Vec::new();
    for entry in fs::read_dir(&pages).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if ["README.md", "fencing.md", "retries.md"].contains(&name.as_str()) {
            continue;
        }
        if !index.contains(&format!("]({name})")) {
            missing.push(format!("{name} in README.md"));
        }
        let page = fs::read_to_string(pages.join(&name)).unwrap();
        for part in ["Guarantees", "Not guaranteed", "Layout", "Failures", "Token"] {
            let [heading, bold] = [format!("## {part}"), format!("**{part}.**")];
            let begins = |line: &str| line == heading || line.contains(&bold);
            if !page.lines().any(begins) {
                missing.push(format!("{name}: {part}"));
            }
        }
    }
    assert!(missing.is_empty(), "missing:\n{}", missing.join("\n"));
}
