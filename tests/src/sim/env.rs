//! What everyone in the world shares: the clock, the queue of events, the network, the history.
//!
//! The queue is ordered by (time, a tie-break that the seed chooses, order of scheduling).

use super::history::History;
use super::net::{Arrival, End, LinkId, Links};
use super::plan::Plan;
use super::random::Random;
use super::trace::Trace;
use quorate::storage::LogReport;
use std::collections::BTreeMap;

/// A property that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(pub String);

/// The outcome of something that checks.
pub type Checked<T = ()> = Result<T, Violation>;

/// Fails with a message unless a condition holds.
macro_rules! ensure {
    ($holds:expr, $($arg:tt)*) => {
        if !$holds {
            return Err($crate::sim::env::Violation(format!($($arg)*)));
        }
    };
}
pub(crate) use ensure;

/// Something that will happen. Those of a server name the life of the process that they are for.
#[derive(Debug)]
pub enum Event {
    /// Bytes, or the end of a stream.
    Arrive(Arrival),
    /// A thread of a server does a round.
    Round {
        /// Which server, which of its lives.
        server: (usize, u64),
        /// Which thread.
        thread: usize,
    },
    /// The log takes up what is queued.
    Log {
        /// Which server, which of its lives.
        server: (usize, u64),
    },
    /// The log has done so, and says so.
    Logged {
        /// Which server, which of its lives.
        server: (usize, u64),
        /// What it says.
        reports: Vec<LogReport>,
    },
    /// The log looks for room.
    Room {
        /// Which server, which of its lives.
        server: (usize, u64),
    },
    /// The snapshot's writer takes up the next chunk.
    Snapshot {
        /// Which server, which of its lives.
        server: (usize, u64),
    },
    /// A server is started.
    Start {
        /// Which one.
        server: usize,
    },
    /// A client does something.
    Act {
        /// Which one.
        client: usize,
    },
    /// Something goes wrong, or is put right.
    Fault,
    /// A passing fault passes.
    Relief(super::faults::Relief),
}

/// The shared part of the world.
pub struct Env {
    /// us since the beginning.
    pub now: u64,
    /// What the wall clock is ahead of 2001 plus `now`, ms.
    pub wall_skew: i64,
    /// The rules of this run.
    pub plan: Plan,
    /// The links.
    pub links: Links,
    /// What has happened to the data.
    pub history: History,
    /// For everything that has no stream of its own.
    pub random: Random,
    /// What happened.
    pub trace: Trace,
    queue: BTreeMap<(u64, u64, u64), Event>,
    scheduled: u64,
    ties: Random,
}

impl Env {
    /// An empty world of a plan.
    #[must_use]
    pub fn new(plan: Plan, mut random: Random, trace: Trace) -> Self {
        Self {
            now: 0,
            wall_skew: 0,
            links: Links::new(random.fork(), plan.weather.clone()),
            history: History::default(),
            ties: random.fork(),
            plan,
            random,
            trace,
            queue: BTreeMap::new(),
            scheduled: 0,
        }
    }

    /// Wall clock, ms since 1970.
    #[must_use]
    pub fn wall(&self) -> i64 {
        1_000_000_000_000 + self.now_ms() + self.wall_skew
    }

    /// ms since the beginning.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        i64::try_from(self.now / 1000).unwrap_or(i64::MAX)
    }

    /// Schedules an event, us from now.
    pub fn after(&mut self, delay: u64, event: Event) {
        self.at(self.now.saturating_add(delay), event);
    }

    /// Schedules an event.
    pub fn at(&mut self, time: u64, event: Event) {
        self.scheduled += 1;
        let key = (time.max(self.now), self.ties.number(), self.scheduled);
        self.queue.insert(key, event);
    }

    /// The next event; the clock goes on to its time.
    pub fn pop(&mut self) -> Option<Event> {
        let ((time, ..), event) = self.queue.pop_first()?;
        self.now = time;
        self.trace.at(time);
        Some(event)
    }

    /// Sends bytes over a link. Returns how many were taken; `None` when the other end is gone.
    pub fn send(&mut self, link: LinkId, from: End, bytes: &[u8]) -> Option<usize> {
        let (taken, arrivals) = self.links.send(link, from, bytes, self.now);
        for (at, arrival) in arrivals {
            self.at(at, Event::Arrive(arrival));
        }
        taken
    }

    /// Closes an end of a link.
    pub fn close(&mut self, link: LinkId, from: End) {
        if let Some((at, arrival)) = self.links.close(link, from, self.now) {
            self.at(at, Event::Arrive(arrival));
        }
    }
}
