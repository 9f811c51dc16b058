//! Our client and its recipes as a process that answers commands, so that tests can have them take part beside other clients.
//!
//! `recipes SERVERS [SESSION_TIMEOUT_MS]` connects and then reads one JSON object per line from its standard input; see
//! `quorate_tests::recipes` for the commands. It ends with its input. `tests/peers` drives it.

use quorate_tests::recipes;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (servers, timeout) = match arguments.as_slice() {
        [servers] => (servers, Some(DEFAULT_TIMEOUT_MS)),
        [servers, timeout] => (servers, timeout.parse().ok()),
        _ => return usage(),
    };
    let Some(timeout) = timeout.map(Duration::from_millis) else { return usage() };
    match recipes::serve(servers, timeout, io::stdin().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("recipes: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: recipes SERVERS [SESSION_TIMEOUT_MS]");
    ExitCode::from(2)
}

const DEFAULT_TIMEOUT_MS: u64 = 10_000;
