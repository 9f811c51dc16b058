//! Runs the examples, each of which fails by itself when it does not show what it promises; and looks at what they print.
//!
//! `cargo test` builds them beside the tests; with `--test examples` alone they have to be built before. Measurements
//! (`bench_…`) are no examples of this kind.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Far more than any of them takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The rows that promise something about a death: their examples tell how soon it was noticed, as "1047 ms after". Sessions last
/// a second there.
const OF_DEATH: [&str; 9] = ["u03", "u06", "u09", "u10", "u11", "u12", "u13", "u14", "u15"];

/// Far more than a session of one second outlives its owner, also on a busy machine.
const SOON: u64 = 15_000;

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

#[test]
fn the_index_of_the_recipes_names_every_page_and_every_example() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/recipes");
    let index = std::fs::read_to_string(directory.join("README.md")).unwrap();
    for page in stems(&directory, "md").iter().filter(|page| *page != "README") {
        assert!(index.contains(&format!("]({page}.md)")), "{page}.md is missing");
    }
    for name in names() {
        assert!(index.contains(&format!(" | `{name}` | ")), "{name} is missing");
    }
}

fn names() -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut names = stems(&directory, "rs");
    names.retain(|name| !name.starts_with("bench_"));
    names
}

/// The names, without the extension, of the files with this extension.
fn stems(directory: &Path, extension: &str) -> Vec<String> {
    let files = directory.read_dir().unwrap().map(|file| file.unwrap().path());
    let mut names: Vec<String> = files
        .filter(|file| file.extension().is_some_and(|own| own == extension))
        .map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned())
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
    let begun = Command::new(&program).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
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
    let told = String::from_utf8_lossy(&output.stdout);
    match output.status.code() {
        Some(0) if told.is_empty() => Err("prints nothing".to_owned()),
        Some(0) if OF_DEATH.iter().any(|row| name.starts_with(row)) => soon(&told),
        Some(0) => Ok(()),
        _ => Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr))),
    }
}

/// A death was noticed, and soon.
fn soon(told: &str) -> Result<(), String> {
    let before = told.split(" ms after").map(|text| text.rsplit([' ', ',']).next());
    let times: Vec<u64> = before.filter_map(|word| word?.parse().ok()).collect();
    match times.iter().max() {
        Some(&longest) if longest < SOON => Ok(()),
        _ => Err(format!("does not tell how soon a death is noticed, or it is late: {told}")),
    }
}
