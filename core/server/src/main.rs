//! The `quorate` binary: `server`, `ensemble`, `shell`, `status` and `bench` in one file to copy around.
//!
//! Only the command line is here; each command has a module of its own.

mod bench;
mod ensemble;
mod four_letter;
mod progress;
mod serve;
mod shell;
mod status;
mod stop;

use clap::{Parser, Subcommand};
use std::io::Write as _;
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
    /// Run an ensemble on this machine, to try it out: a command for each thing that can happen to a member.
    Ensemble(ensemble::Args),
    /// Talk to a server: interactive, or one command and done.
    Shell(shell::Args),
    /// Show the state of an ensemble, ours or Apache's.
    Status(status::Args),
    /// Measure any server that speaks ZooKeeper's protocol.
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let words = shell::accept_zkcli_options(std::env::args_os());
    let result = match Cli::parse_from(words).command {
        Command::Server(args) => serve::run(&args),
        Command::Ensemble(args) => ensemble::run(&args),
        Command::Shell(args) => shell::run(args),
        Command::Status(args) => status::run(&args),
        Command::Bench(args) => bench::run(args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            complain(&format!("quorate: {}", explain(&error)));
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes, except those that its text has quoted already.
fn explain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |mut text, cause| {
        if !text.contains(&cause) {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(&cause);
        }
        text
    })
}

/// Writes a line to standard error. It may be on a full disk or closed, which must not end the process.
fn complain(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::explain;
    use anyhow::{Context, anyhow};

    #[test]
    fn a_cause_is_told_once() {
        let cause = || Err::<(), _>(anyhow!("no entry"));
        let quoted = cause().context("cannot read x: no entry; check the path");
        assert_eq!(explain(&quoted.unwrap_err()), "cannot read x: no entry; check the path");
        let plain = cause().context("cannot read x");
        assert_eq!(explain(&plain.unwrap_err()), "cannot read x: no entry");
    }
}
