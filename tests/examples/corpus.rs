//! Writes the corpus of every fuzz target as files, one directory per target, for libFuzzer to start from.
//!
//! `cargo run -p quorate-tests --example corpus -- tests/fuzz/corpus`

use quorate_tests::fuzz::TARGETS;
use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let Some(root) = std::env::args().nth(1).map(PathBuf::from) else {
        eprintln!("usage: corpus DIRECTORY");
        std::process::exit(2);
    };
    for target in TARGETS {
        let directory = root.join(target.name);
        std::fs::create_dir_all(&directory)?;
        let inputs = (target.corpus)();
        for (number, input) in inputs.iter().enumerate() {
            std::fs::write(directory.join(format!("vector-{number:03}")), input)?;
        }
        println!("{}: {} inputs", target.name, inputs.len());
    }
    Ok(())
}
