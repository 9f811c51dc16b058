//! `quorate shell`: ZooKeeper's command line, with the verbs and output habits of zkCli.
//!
//! Three ways of use: interactive, line by line from a pipe, and one command given as arguments. The
//! way is chosen here; what a command does is in `verbs`, how a session is carried on in `session`. Works
//! with every server that speaks ZooKeeper's protocol. Differences from zkCli: `docs/shell.md`.

mod args;
mod client;
mod format;
mod interactive;
mod line;
mod reply;
mod session;
mod verbs;

use crate::stop::Stop;
use client::Options;
pub(crate) use client::Target;
use session::{Settings, Shell};
use std::ffi::OsString;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Arguments of `quorate shell`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Servers to try, and optionally a node to take for the root: host:port[,host:port][/chroot]
    #[arg(short, long, value_name = "ADDRESS", default_value = "127.0.0.1:2181")]
    server: String,
    /// Wanted session timeout, ms
    #[arg(short, long, value_name = "MS", default_value_t = 30_000, value_parser = clap::value_parser!(i32).range(1..))]
    timeout: i32,
    /// Accept a server that has lost its ensemble and serves reads only
    #[arg(short, long)]
    readonly: bool,
    /// Answer with one line of JSON per command
    #[arg(long)]
    json: bool,
    /// Has no effect; zkCli needs it to wait for a connection
    #[arg(long, hide = true)]
    wait_for_connection: bool,
    /// A command to carry out instead of reading commands; `help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

/// Runs the shell. The exit code is that of the last command: 0, 1 when the server refused or could
/// not be reached, 2 when the command made no sense.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    if let Err(error) = Target::parse(&args.server) {
        crate::complain(&format!("quorate shell: {error}"));
        return Ok(ExitCode::from(reply::USAGE));
    }
    let stop = Stop::on_signals()?;
    let one_shot = !args.command.is_empty();
    let settings = Settings {
        server: args.server,
        options: Options { timeout_ms: args.timeout, read_only: args.readonly },
        json: args.json,
        events: !one_shot,
        stop,
    };
    let mut shell = Shell::new(settings);
    let code = if one_shot {
        Ok(shell.command(&args.command))
    } else if std::io::stdin().is_terminal() && !args.json {
        interactive::run(&mut shell)
    } else {
        piped(&mut shell)
    };
    shell.close();
    Ok(ExitCode::from(code?))
}

/// Accepts the options as zkCli spells them (`-server`, `-timeout`), up to the command.
pub(crate) fn accept_zkcli_options(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.collect();
    if words.get(1).is_none_or(|command| command != "shell") {
        return words;
    }
    let mut is_value = false;
    for word in words.iter_mut().skip(2) {
        match word.to_str() {
            _ if is_value => is_value = false,
            Some("-server") => (*word, is_value) = ("--server".into(), true),
            Some("-timeout") => (*word, is_value) = ("--timeout".into(), true),
            // The shell waits for a connection in any case.
            Some("-waitforconnection") => *word = "--wait-for-connection".into(),
            Some("-s" | "-t" | "--server" | "--timeout") => is_value = true,
            Some(option) if option.starts_with('-') => {}
            _ => break,
        }
    }
    words
}

/// Carries out the lines of standard input one after another.
fn piped(shell: &mut Shell) -> anyhow::Result<u8> {
    if !shell.settings.json {
        // What cannot be shown is noticed at the first answer.
        let _ = writeln!(std::io::stdout().lock(), "Connecting to {}", shell.settings.server);
    }
    shell.connect(None)?;
    let stop = shell.settings.stop.clone();
    let lines = lines_of_input()?;
    let mut code = 0;
    while !stop.requested() {
        let line = match lines.recv_timeout(GLANCE) {
            Ok(line) => line?,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return Ok(code),
        };
        let outcome = shell.line(&line);
        if shell.quitting {
            return Ok(code);
        }
        code = outcome.unwrap_or(code);
    }
    Ok(stop.exit_code())
}

/// Reads standard input on a thread of its own, a line ahead, because a signal does not end the waiting for a line.
fn lines_of_input() -> std::io::Result<Receiver<std::io::Result<String>>> {
    let (sender, receiver) = sync_channel(1);
    let read = move || {
        for line in std::io::stdin().lock().lines() {
            if sender.send(line).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("quorate-shell-input".to_owned()).spawn(read)?;
    Ok(receiver)
}

/// How often whoever waits for a line looks for Ctrl-C.
const GLANCE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zkcli_s_spelling_is_accepted_before_the_command_only() {
        for (line, expected) in [
            (
                "q shell -server h:1 -timeout 5 ls -server",
                "q shell --server h:1 --timeout 5 ls -server",
            ),
            ("q shell -r -s -server get -timeout", "q shell -r -s -server get -timeout"),
            ("q bench -server h", "q bench -server h"),
        ] {
            let words = accept_zkcli_options(line.split(' ').map(OsString::from));
            assert_eq!(words.join(std::ffi::OsStr::new(" ")), expected);
        }
    }
}
