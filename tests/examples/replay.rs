//! Plays the recorded exchanges against a server that runs already.
//!
//! `cargo run -p quorate-tests --example replay -- HOST:PORT [apache]`. With `apache` the answers are to be exactly
//! as recorded, else as `tests/vectors/answers.json` has them. The server's directory must be empty.

use quorate_tests::replay::{Answers, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(Ok(address)) = arguments.next().map(|text| text.parse()) else {
        eprintln!("usage: replay HOST:PORT [apache]");
        return ExitCode::from(2);
    };
    let answers = match arguments.next().as_deref() {
        Some("apache") => Answers::recorded(),
        _ => Answers::quorate(),
    };
    let report = run(address, &answers);
    let differences = || report.differences.iter().chain(&report.word_differences);
    for difference in differences() {
        println!("{difference}\n");
    }
    println!(
        "{} exchanges and {} words played, {} exchanges skipped, {} differences",
        report.played,
        report.words,
        report.skipped,
        differences().count()
    );
    ExitCode::from(u8::from(differences().count() > 0))
}
