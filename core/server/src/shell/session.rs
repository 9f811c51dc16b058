//! A shell in use: its connection, its history, and the carrying out of one command after another.
//!
//! Knows nothing of terminals: where lines come from is the business of `interactive` and `mod`,
//! how an event reaches the screen that of the [`Screen`] they provide.

use super::args;
use super::client::{Connection, Event, Options, Target};
use super::line;
use super::reply::{Failure, Reply};
use super::verbs::{self, Call};
use crate::progress::Progress;
use crate::stop::Stop;
use serde_json::json;
use std::io::{ErrorKind, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What is wanted of a shell from outside.
pub(crate) struct Settings {
    /// The connect string to begin with.
    pub(crate) server: String,
    /// For every session.
    pub(crate) options: Options,
    /// Answers as JSON.
    pub(crate) json: bool,
    /// Whether events are shown at all: a one-shot command is over before they mean anything.
    pub(crate) events: bool,
    /// Ctrl-C, for what is being done.
    pub(crate) stop: Stop,
}

/// Shows text that comes unasked, while the user may be typing.
pub(crate) type Screen = Box<dyn FnMut(String) + Send>;

/// A shell in use.
pub(crate) struct Shell {
    /// The settings it was started with; `server` follows `connect`.
    pub(crate) settings: Settings,
    /// Lines by command number; the last is the one being carried out.
    pub(crate) history: Vec<String>,
    /// Whether events are printed.
    pub(crate) print_watches: Arc<AtomicBool>,
    /// Set by `quit`.
    pub(crate) quitting: bool,
    connection: Link,
    screen: Arc<Mutex<Screen>>,
}

/// The present connection, shared with the completion of paths.
pub(crate) type Link = Arc<Mutex<Option<Connection>>>;

impl Shell {
    /// A shell that connects when a command needs it, or on [`Shell::connect`].
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            history: Vec::new(),
            print_watches: Arc::new(AtomicBool::new(true)),
            quitting: false,
            connection: Link::default(),
            screen: Arc::new(Mutex::new(Box::new(|text| {
                let mut out = std::io::stdout().lock();
                // A reader that has gone away is met by the next answer.
                let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
            }))),
        }
    }

    /// Lets events appear through `screen` from now on.
    pub(crate) fn set_screen(&mut self, screen: Screen) {
        *self.screen.lock().unwrap_or_else(PoisonError::into_inner) = screen;
    }

    /// The slot of the connection, for the completion of paths.
    pub(crate) fn link(&self) -> Link {
        Arc::clone(&self.connection)
    }

    /// The connection in use; the first use connects.
    pub(crate) fn connection(&mut self) -> Result<Connection, Failure> {
        let present = self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match present {
            Some(connection) => Ok(connection),
            None => self.connect(None),
        }
    }

    /// Ends the session, if there is one, and begins another, with `server` if one is named.
    pub(crate) fn connect(&mut self, server: Option<&str>) -> Result<Connection, Failure> {
        let server = server.unwrap_or(&self.settings.server).to_owned();
        let target = Target::parse(&server)?;
        self.close();
        self.settings.server = server;
        let connection = Connection::open(
            target,
            self.settings.options,
            self.settings.stop.clone(),
            self.watcher(),
        )
        .map_err(|e| Failure::Failed(format!("no thread for the connection: {e}")))?;
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection.clone());
        Ok(connection)
    }

    /// Ends the session, if there is one.
    pub(crate) fn close(&self) {
        let present = self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(connection) = present {
            connection.close();
        }
    }

    /// The prompt: `[zk: host:port(CONNECTED) N] `.
    pub(crate) fn prompt(&self) -> String {
        let present = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let state = present.as_ref().map_or("CLOSED", |c| c.state().name());
        let server =
            present.as_ref().map_or(self.settings.server.clone(), |c| c.target().to_string());
        format!("[zk: {server}({state}) {}] ", self.history.len())
    }

    /// Carries out a line that was typed or read, shows the outcome and returns its exit code;
    /// `None` for a blank line.
    pub(crate) fn line(&mut self, line: &str) -> Option<u8> {
        let words = line::words(line);
        if words.is_empty() {
            return None;
        }
        self.history.push(line.to_owned());
        Some(self.command(&words))
    }

    /// Carries out a command, shows the outcome and returns its exit code.
    pub(crate) fn command(&mut self, words: &[String]) -> u8 {
        let outcome = self.carry_out(words);
        let shown = self.show(&outcome);
        match outcome.and(shown) {
            Ok(()) => 0,
            Err(_) if self.settings.stop.requested() => self.settings.stop.exit_code(),
            Err(failure) => failure.exit_code(),
        }
    }

    /// Carries out a command.
    pub(crate) fn carry_out(&mut self, words: &[String]) -> Result<Reply, Failure> {
        let Some((name, rest)) = words.split_first() else {
            return Err(Failure::Usage("No command entered".to_owned()));
        };
        let Some(verb) = verbs::find(name) else {
            self.complain(&[verbs::usage().trim_end().to_owned()]);
            return Err(Failure::Usage(format!("Command not found: Command not found {name}")));
        };
        let arguments = args::parse(verb.options, rest)?;
        if arguments.arguments.len() < verb.required {
            return Err(verb.misused());
        }
        (verb.run)(&mut Call { shell: self, verb, arguments })
    }

    /// Shows lines that come before the outcome of a command. For programs only the outcome counts.
    pub(crate) fn complain(&self, lines: &[String]) {
        if !self.settings.json {
            for line in lines {
                crate::complain(line);
            }
        }
    }

    /// Shows how far a command is, at a terminal, when it takes its time.
    pub(crate) fn progress(title: &str, total: Option<u64>) -> Progress {
        Progress::with(title, total, PATIENCE)
    }

    /// Fails when an answer cannot be written. A reader that wants no more is no failure.
    fn show(&self, outcome: &Result<Reply, Failure>) -> Result<(), Failure> {
        let (out, err) = match (outcome, self.settings.json) {
            (Ok(reply), true) => (format!("{}\n", reply.json), String::new()),
            (Ok(reply), false) => {
                (reply.text.clone(), reply.notes.iter().map(|n| format!("{n}\n")).collect())
            }
            (Err(failure), true) => (String::new(), format!("{}\n", failure.to_json())),
            (Err(failure), false) => (String::new(), format!("{failure}\n")),
        };
        // Nothing can be told to a user whose terminal or pipe is gone.
        let _ = std::io::stderr().lock().write_all(err.as_bytes());
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(out.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                let lost = Failure::Failed(format!("cannot write the answer: {error}"));
                crate::complain(&lost.to_string());
                Err(lost)
            }
            _ => Ok(()),
        }
    }

    /// What happens with an event: it is shown as zkCli shows it, unless switched off.
    fn watcher(&self) -> impl Fn(&Event) + Send + Sync + 'static {
        let print = Arc::clone(&self.print_watches);
        let screen = Arc::clone(&self.screen);
        let (json, events) = (self.settings.json, self.settings.events);
        move |event| {
            if !events || !print.load(Ordering::Relaxed) {
                return;
            }
            let text = if json { event_json(event) } else { event_text(event) };
            let mut screen = screen.lock().unwrap_or_else(PoisonError::into_inner);
            (*screen)(text);
        }
    }
}

fn event_text(event: &Event) -> String {
    format!(
        "\nWATCHER::\n\nWatchedEvent state:{} type:{} path:{}\n",
        event.state,
        event.kind,
        event.path.as_deref().unwrap_or("null")
    )
}

fn event_json(event: &Event) -> String {
    let event = json!({ "state": event.state, "type": event.kind, "path": event.path });
    format!("{}\n", json!({ "event": event }))
}

/// What is over sooner shows no progress.
const PATIENCE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_look_like_zkcli_s() {
        let event =
            Event { state: "SyncConnected", kind: "NodeCreated", path: Some("/a".to_owned()) };
        assert_eq!(
            event_text(&event),
            "\nWATCHER::\n\nWatchedEvent state:SyncConnected type:NodeCreated path:/a\n"
        );
        assert_eq!(
            event_json(&Event::session("Closed")),
            "{\"event\":{\"path\":null,\"state\":\"Closed\",\"type\":\"None\"}}\n"
        );
    }
}
