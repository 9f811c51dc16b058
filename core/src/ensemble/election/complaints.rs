//! What is written to the log about others: one line each, and not again and again.

use quorate_engine::election::links::Problem;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::net::SocketAddr;

/// Says what is wrong, with limits.
pub(super) struct Complaints {
    warn: Box<dyn Fn(&str) + Send>,
    said: BTreeMap<About, Said>,
    /// The members that were said to be out of reach.
    away: BTreeMap<i64, Away>,
}

/// What a line is about. Of each there is one in a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum About {
    Greeting,
    Silent,
    OwnId,
    Frame,
    Crowd,
    Twins,
    Accept,
    Listen,
    Stranger,
    Notification,
    Config,
    Tls,
}

#[derive(Default)]
struct Said {
    /// From when it may be said again, ms.
    again_at: i64,
    untold: u64,
}

struct Away {
    /// It has been reached since.
    back: bool,
    /// From when it may be said again, ms.
    again_at: i64,
}

impl Complaints {
    pub(super) fn new(warn: Box<dyn Fn(&str) + Send>) -> Self {
        Self { warn, said: BTreeMap::new(), away: BTreeMap::new() }
    }

    /// Says something, unless something like it was said a moment ago.
    pub(super) fn say(&mut self, now: i64, about: About, text: impl Display) {
        let said = self.said.entry(about).or_default();
        if now < said.again_at {
            said.untold = said.untold.saturating_add(1);
            return;
        }
        said.again_at = now.saturating_add(SAID_EVERY);
        match std::mem::take(&mut said.untold) {
            0 => (self.warn)(&text.to_string()),
            n => (self.warn)(&format!(
                "{text} ({n} times more since the like of this was last said)"
            )),
        }
    }

    /// Says what is wrong with a connection.
    pub(super) fn problem(&mut self, now: i64, problem: &Problem, remote: Option<SocketAddr>) {
        let from = remote.map_or_else(String::new, |remote| format!(" (from {remote})"));
        let (about, advice) = match problem {
            Problem::Greeting(_) => (
                About::Greeting,
                "only members of the ensemble should connect there; clients use the client port",
            ),
            Problem::Silent => {
                (About::Silent, "it is no member of the ensemble, or one that hangs")
            }
            Problem::OwnId(_) => (About::OwnId, "give one of them another myid"),
            Problem::Frame(..) => {
                (About::Frame, "is it a member of this ensemble, with the same settings of TLS?")
            }
            Problem::Twins(_) => (
                About::Twins,
                "if so, give one of them another myid; if not, the network between them is broken",
            ),
            Problem::Crowd(_) => {
                (About::Crowd, "find out who connects there, and keep others out with a firewall")
            }
        };
        self.say(now, about, format_args!("{problem}{from}; {advice}"));
    }

    /// Says that there is no TLS with somebody.
    pub(super) fn refused(&mut self, now: i64, why: &dyn Display, remote: SocketAddr) {
        let text = format_args!("an election connection with {remote} is closed: {why}");
        self.say(now, About::Tls, text);
    }

    /// Says that a member cannot be reached: once until it is, and not too often if it comes and goes.
    pub(super) fn away(&mut self, now: i64, sid: i64, why: &str) {
        if self.away.get(&sid).is_some_and(|away| !away.back || now < away.again_at) {
            return;
        }
        self.away.insert(sid, Away { back: false, again_at: now.saturating_add(SAID_EVERY) });
        (self.warn)(&format!(
            "server {sid} cannot be reached on its election port ({why}); it is tried again whenever there is something to tell it. \
             If it should be running, compare server.{sid} with what it listens on"
        ));
    }

    pub(super) fn reached(&mut self, sid: i64) {
        if let Some(away) = self.away.get_mut(&sid) {
            away.back = true;
        }
    }

    /// Forgets about who is no member any more.
    pub(super) fn set_members(&mut self, members: &BTreeSet<i64>) {
        self.away.retain(|sid, _| members.contains(sid));
    }
}

/// Time between two lines about the like, ms.
const SAID_EVERY: i64 = 10_000;
