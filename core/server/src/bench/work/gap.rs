//! `gap`: the longest time in which no write was acknowledged, to anybody, while servers are killed or frozen by somebody else.
//!
//! Each writer has one write in flight. When its server breaks the connection, refuses it or says nothing for a while, it goes to
//! the next one at once, with a new session: what is measured is how long the service is away, not how a client bears it.

use crate::bench::client::Client;
use crate::bench::clock::{Clock, float, nanos, seconds};
use crate::bench::metric::{Better, Outcome};
use crate::bench::options::{Context, duration};
use crate::bench::request::{self, Template};
use crate::bench::stage::on_stage;
use anyhow::Result;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Options of `gap`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Gap {
    /// Sessions with one write in flight each.
    #[arg(long, default_value_t = 6, value_name = "N")]
    clients: usize,
    /// Seconds that are measured.
    #[arg(long, default_value = "5", value_name = "SECONDS", value_parser = duration)]
    seconds: Duration,
    /// How long a writer waits for an answer before it goes to another server.
    #[arg(long, default_value = "0.25", value_name = "SECONDS", value_parser = duration)]
    patience: Duration,
    /// How long a writer pauses after each write.
    #[arg(long, default_value = "0", value_name = "SECONDS", value_parser = duration)]
    pause: Duration,
}

/// What all writers together have seen.
#[derive(Debug, Default)]
struct Seen {
    /// When the last write was acknowledged.
    last: u64,
    longest: u64,
    writes: u64,
    moves: u64,
}

impl Gap {
    /// Runs it.
    pub(crate) fn run(&self, context: &Context) -> Result<Outcome> {
        let clients = self.clients.max(1);
        let until = nanos(self.seconds);
        on_stage(context, |stage| {
            let node = format!("{}/written", stage.root);
            stage.client.must("create a node", &request::create(&node, b""))?;
            let write = request::set(&node, &request::payload(100));
            let (clock, seen) = (Clock::start(), Mutex::new(Seen::default()));
            std::thread::scope(|scope| {
                for number in 0..clients {
                    let writer =
                        Writer { gap: self, context, write: &write, seen: &seen, clock, until };
                    scope.spawn(move || writer.run(number));
                }
            });
            let mut seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
            let end = clock.now().min(until);
            seen.ends(end);
            let mut outcome = Outcome::new(format!("gap: {clients} writers"));
            outcome.partial = context.stop.requested();
            outcome.add("longest_gap", float(seen.longest) / 1e6, "ms", Better::Lower);
            let rate = float(seen.writes) / seconds(end.max(1));
            outcome.add("rate", rate, "requests/s", Better::Higher);
            outcome.add("moves", float(seen.moves), "", Better::Neither);
            Ok(outcome)
        })
    }
}

struct Writer<'a> {
    gap: &'a Gap,
    context: &'a Context,
    write: &'a Template,
    seen: &'a Mutex<Seen>,
    clock: Clock,
    until: u64,
}

impl Writer<'_> {
    fn run(&self, number: usize) {
        let mut turn = number;
        while !self.is_over() {
            let server = self.context.servers.of(turn);
            turn = turn.wrapping_add(1);
            if let Ok(mut client) = Client::connect_within(server, self.gap.patience) {
                while !self.is_over() && client.call(self.write).is_ok_and(|(err, _)| err == 0) {
                    self.note(|seen, now| seen.acknowledged(now));
                    std::thread::sleep(self.gap.pause);
                }
            }
            self.note(|seen, _| seen.moves = seen.moves.saturating_add(1));
            std::thread::sleep(PAUSE);
        }
    }

    fn is_over(&self) -> bool {
        self.context.stop.requested() || self.clock.now() >= self.until
    }

    fn note(&self, what: impl FnOnce(&mut Seen, u64)) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // Read behind the lock, so that times do not go back.
        let now = self.clock.now();
        if now < self.until {
            what(&mut seen, now);
        }
    }
}

impl Seen {
    fn acknowledged(&mut self, now: u64) {
        self.acknowledged_nothing_until(now);
        self.last = now;
        self.writes = self.writes.saturating_add(1);
    }

    fn ends(&mut self, end: u64) {
        if self.writes == 0 {
            // Nobody was ever served: that is no gap of nothing.
            self.longest = end;
        }
        self.acknowledged_nothing_until(end);
    }

    fn acknowledged_nothing_until(&mut self, now: u64) {
        // Before the first one it is the start of the sessions.
        if self.writes > 0 {
            self.longest = self.longest.max(now.saturating_sub(self.last));
        }
    }
}

/// Between a server that will not have a writer and the next one.
const PAUSE: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_lies_between_two_writes_or_before_the_end() {
        let mut seen = Seen::default();
        for now in [500, 520, 590, 600] {
            seen.acknowledged(now);
        }
        assert_eq!((seen.longest, seen.writes), (70, 4));
        seen.ends(700);
        assert_eq!(seen.longest, 100);
    }

    #[test]
    fn if_nobody_wrote_all_of_it_was_a_gap() {
        let mut seen = Seen::default();
        seen.ends(700);
        assert_eq!((seen.longest, seen.writes), (700, 0));
    }
}
