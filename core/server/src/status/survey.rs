//! Asks servers what they are, all at the same time, and waits for none longer than it may.

use super::answers::{Brief, Figures, Place, Role, is_unlisted};
use crate::four_letter;
use std::io;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// What was learnt of one server.
#[derive(Clone, Debug)]
pub(crate) struct Sighting {
    /// `host:port`, as it was given.
    pub(crate) address: String,
    /// Or why nothing was.
    pub(crate) found: Result<Found, String>,
}

impl Sighting {
    /// What it says that it is, if it says anything.
    pub(crate) fn role(&self) -> Option<Role> {
        self.found.as_ref().ok().map(|found| found.brief.role)
    }
}

/// What a server that answers has said.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) brief: Brief,
    pub(crate) figures: Option<Figures>,
    pub(crate) place: Option<Place>,
    /// The words that were asked and that its configuration does not list.
    pub(crate) unlisted: Vec<&'static str>,
}

/// Asks all of them everything. A server that does not answer in time is one that cannot be reached.
pub(crate) fn survey(servers: &[String], patience: Duration) -> io::Result<Vec<Sighting>> {
    let deadline = Instant::now() + patience;
    let (sender, answers) = channel();
    for (at, server) in servers.iter().enumerate() {
        let (sender, server) = (sender.clone(), server.clone());
        let ask = move || {
            let found = Talk { deadline, ..Talk::with(&server, patience) }.everything();
            // Nobody waits any more for one that was late.
            let _ = sender.send((at, found));
        };
        thread::Builder::new().name("quorate-status".into()).spawn(ask)?;
    }
    drop(sender);
    let late = Err(no_answer(patience));
    let mut all: Vec<Sighting> = servers
        .iter()
        .map(|address| Sighting { address: address.clone(), found: late.clone() })
        .collect();
    loop {
        // A moment more than the threads have, so that they can tell what they waited for.
        let left = deadline.saturating_duration_since(Instant::now()) + GRACE;
        match answers.recv_timeout(left) {
            Ok((at, found)) => {
                if let Some(sighting) = all.get_mut(at) {
                    sighting.found = found;
                }
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Ok(all),
        }
    }
}

/// Only what a server is and how far it has come.
pub(crate) fn glance(server: &str, patience: Duration) -> Result<Brief, String> {
    Talk::with(server, patience).brief()
}

/// One server, and how long it may take for all of its answers.
struct Talk<'a> {
    server: &'a str,
    patience: Duration,
    deadline: Instant,
    unlisted: Vec<&'static str>,
}

impl<'a> Talk<'a> {
    fn with(server: &'a str, patience: Duration) -> Self {
        Self { server, patience, deadline: Instant::now() + patience, unlisted: Vec::new() }
    }

    fn everything(mut self) -> Result<Found, String> {
        let brief = self.brief()?;
        // What it does not say in time is not known; what it is, is.
        let figures = self.word("mntr").ok().flatten().map(|text| Figures::read(&text));
        let place = self.word("conf").ok().flatten().and_then(|text| Place::read(&text));
        Ok(Found { brief, figures, place, unlisted: self.unlisted })
    }

    fn brief(&mut self) -> Result<Brief, String> {
        // The same lines are in both, and whoever lists words of his own may have left one out.
        for word in ["srvr", "stat"] {
            if let Some(text) = self.word(word)? {
                return Brief::read(&text).ok_or_else(|| foreign(&text));
            }
        }
        Err("answers, but its 4lw.commands.whitelist has neither srvr nor stat".to_owned())
    }

    /// The answer to a word; nothing if it is not listed, which is noted.
    fn word(&mut self, word: &'static str) -> Result<Option<String>, String> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(no_answer(self.patience));
        }
        match four_letter::ask(self.server, word, left) {
            Ok(text) if is_unlisted(&text) => {
                self.unlisted.push(word);
                Ok(None)
            }
            Ok(text) => Ok(Some(text)),
            Err(e) if e.kind() == io::ErrorKind::TimedOut => Err(no_answer(self.patience)),
            Err(e) => Err(reason(&e)),
        }
    }
}

fn no_answer(patience: Duration) -> String {
    format!("no answer within {} ms", patience.as_millis())
}

/// What the system says, without its number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn foreign(text: &str) -> String {
    if text.is_empty() {
        return "closes the connection without an answer".to_owned();
    }
    let begin: String = text.lines().next().unwrap_or_default().chars().take(40).collect();
    format!("answers {begin:?}: no ZooKeeper server")
}

/// What a thread needs to tell that its time is over.
const GRACE: Duration = Duration::from_millis(250);
