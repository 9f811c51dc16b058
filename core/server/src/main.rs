//! The `quorate` binary: `server`, `shell` and `bench` in one file to copy around.
//!
//! Only the command line is here; each command has a module of its own.

mod bench;
mod serve;
mod shell;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// A coordination service that speaks ZooKeeper's protocol.
#[derive(Debug, Parser)]
#[command(name = "quorate", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a server until Ctrl-C.
    Server(serve::Args),
    /// Talk to a server: interactive, or one command and done.
    Shell(shell::Args),
    /// Measure any server that speaks ZooKeeper's protocol.
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let words = shell::accept_zkcli_options(std::env::args_os());
    let result = match Cli::parse_from(words).command {
        Command::Server(args) => serve::run(&args),
        Command::Shell(args) => shell::run(args),
        Command::Bench(args) => bench::run(args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("quorate: {error:#}");
            ExitCode::FAILURE
        }
    }
}
