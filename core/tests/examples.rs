//! Runs the examples, each of which fails by itself when it does not show what it promises.
//!
//! `cargo test` builds them beside the tests; with `--test examples` alone they have to be built before. Measurements
//! (`bench_…`) are no examples of this kind.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Far more than any of them takes.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn every_example_keeps_its_promise() {
    let runs: Vec<_> = names()
        .into_iter()
        .map(|name| (name.clone(), std::thread::spawn(move || run(&name))))
        .collect();
    let failures: Vec<String> = runs
        .into_iter()
        .filter_map(|(name, run)| run.join().unwrap().err().map(|why| format!("{name}: {why}")))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_row_of_the_catalogue_has_an_example() {
    let names = names();
    for row in 1..=16 {
        let begin = format!("u{row:02}_");
        assert!(names.iter().any(|name| name.starts_with(&begin)), "none for U{row}");
    }
}

fn names() -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let files = directory.read_dir().unwrap().map(|file| file.unwrap().path());
    let mut names: Vec<String> = files
        .filter(|file| file.extension().is_some_and(|extension| extension == "rs"))
        .map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| !name.starts_with("bench_"))
        .collect();
    names.sort();
    names
}

/// Where cargo puts what it builds from `examples`: beside the directory of this test.
fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let target = own.parent().and_then(Path::parent).unwrap();
    target.join("examples").join(name).with_extension(std::env::consts::EXE_EXTENSION)
}

fn run(name: &str) -> Result<(), String> {
    let program = program(name);
    let begun = Command::new(&program).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = begun.map_err(|error| {
        format!("{}: {error}; `cargo build -p quorate --examples` makes it", program.display())
    })?;
    let end = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            child.kill().unwrap();
            child.wait().unwrap();
            return Err(format!("did not end within {PATIENCE:?}"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    match output.status.code() {
        Some(0) => Ok(()),
        _ => Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr))),
    }
}
