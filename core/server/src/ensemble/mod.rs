//! `quorate ensemble`: an ensemble on this machine, to try out what one does, and what it does when members fail.
//!
//! Each member is a process of its own, so that it can be killed and paused as machines are: `quorate server` with a `zoo.cfg` that would do elsewhere as
//! well. What changes is told in a line; what is typed is done. Users' tests have the same in their process: `quorate::server::LocalEnsemble`.

mod member;
mod order;
mod stage;
mod watch;

use crate::stop::Stop;
use anyhow::Context as _;
use order::Order;
use quorate::server::LocalPlan;
use stage::Stage;
use std::io::{BufRead as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;
use watch::Look;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Commands are read from standard input, a line each; the end of input ends the ensemble:\n\
                        status, stop N, kill N, pause N, resume N, restart N, help, quit"
)]
pub(crate) struct Args {
    /// How many members vote
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=99))]
    members: u8,
    /// How many members do not
    #[arg(long, value_name = "COUNT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=99))]
    observers: u8,
    /// Keep the data there; without it, it is removed at the end
    #[arg(short, long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// A further line of every member's zoo.cfg
    #[arg(short, long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// What the loop waits for.
enum Event {
    Typed(String),
    EndOfInput,
    Seen(Look),
}

impl From<Look> for Event {
    fn from(look: Look) -> Self {
        Self::Seen(look)
    }
}

/// Runs an ensemble until it is told to end.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let stop = Stop::on_signals()?;
    let plan = LocalPlan::new(args.members, args.observers, args.directory.as_deref())
        .context("cannot prepare an ensemble")?;
    say(&format!("an ensemble in {}\n  clients: {}", plan.home().display(), plan.servers()));
    let mut stage = Stage::new(plan, &args.set)?;
    stage.start()?;
    let (sender, events) = channel();
    for (sid, member) in stage.members() {
        watch::follow(sid, member.client, sender.clone())?;
    }
    read_input(sender)?;
    attend(&mut stage, &events, &stop)?;
    stage.end();
    say("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Takes what happens and what is typed, until the end is asked for.
fn attend(stage: &mut Stage, events: &Receiver<Event>, stop: &Stop) -> anyhow::Result<()> {
    while !stop.requested() {
        match events.recv_timeout(GLANCE) {
            Ok(Event::Typed(line)) => match Order::read(&line) {
                Ok(Order::Quit) => break,
                Ok(order) => stage.obey(order)?,
                Err(problem) => crate::complain(&problem),
            },
            Ok(Event::Seen(look)) => stage.saw(&look),
            Ok(Event::EndOfInput) | Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        stage.reap();
    }
    Ok(())
}

/// Reads standard input on a thread of its own, because a signal does not end the waiting for a line.
fn read_input(events: Sender<Event>) -> std::io::Result<()> {
    let read = move || {
        // A line that is no text ends it as the end of input does.
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if events.send(Event::Typed(line)).is_err() {
                return;
            }
        }
        // Nobody listens when the end was asked for already.
        let _ = events.send(Event::EndOfInput);
    };
    std::thread::Builder::new().name("quorate-input".into()).spawn(read)?;
    Ok(())
}

/// Nobody has to listen: a closed standard output ends nothing.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// How often whoever waits looks for Ctrl-C.
const GLANCE: Duration = Duration::from_millis(50);
