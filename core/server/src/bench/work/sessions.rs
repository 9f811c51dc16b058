//! `sessions`: many idle sessions that only ping, and what they cost the server.

use super::Load;
use crate::bench::clock::{count, float, seconds};
use crate::bench::load::{Extent, Job, Next, drive};
use crate::bench::metric::{Better, Outcome};
use crate::bench::options::{Context, duration};
use crate::bench::request::{self, Template};
use anyhow::Result;
use quorate_wire::frame::PING_XID;
use std::time::Duration;

/// Options of `sessions`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Sessions {
    /// Sessions.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    count: usize,
    /// Seconds that are measured.
    #[arg(long, default_value = "10", value_name = "SECONDS", value_parser = duration)]
    seconds: Duration,
    /// Seconds between two pings of a session: a third of the session timeout of 30 s.
    #[arg(long, default_value = "10", value_name = "SECONDS", value_parser = duration)]
    ping_every: Duration,
}

impl Sessions {
    /// Runs it.
    pub(crate) fn run(&self, context: &Context) -> Result<Outcome> {
        let every = self.ping_every.as_secs_f64().max(0.001);
        let sessions = self.count.max(1);
        let load = Load {
            clients: sessions,
            outstanding: None,
            rate: Some(float(count(sessions)) / every),
            threads: 1,
        };
        let before = context.processes.rss()?;
        let extent = Extent::Time { warmup: WARMUP, measured: self.seconds };
        let mut after = None;
        let ping = request::ping();
        let run = std::thread::scope(|scope| {
            // Memory is read while the sessions live, in the middle of the window.
            let reader = scope.spawn(|| {
                std::thread::sleep(WARMUP + self.seconds / 2);
                context.processes.rss()
            });
            let run = drive(context, "sessions", &load, extent, 1, |_, _| Pings { ping: &ping });
            if let Ok(reading) = reader.join() {
                after = reading?;
            }
            run
        })?;
        let title = format!("sessions: {sessions} idle, a ping each {every} s");
        let mut outcome = run.report(title, &["ping"], 1);
        let thousands = float(count(sessions)) / 1000.0;
        if let Some(cpu) = run.cpu {
            let milliseconds = cpu.as_secs_f64() * 1e3 / seconds(run.elapsed);
            outcome.add("cpu_per_1000_sessions", milliseconds / thousands, "ms/s", Better::Lower);
        }
        if let (Some(before), Some(after)) = (before, after) {
            outcome.add("rss_before", float(before) / 1e6, "MB", Better::Lower);
            outcome.add("rss_after", float(after) / 1e6, "MB", Better::Lower);
            let growth = float(after.saturating_sub(before)) / 1e3 / (thousands * 1e3);
            outcome.add("rss_per_session", growth, "kB", Better::Lower);
        }
        Ok(outcome)
    }
}

struct Pings<'a> {
    ping: &'a Template,
}

impl Job for Pings<'_> {
    fn next(&mut self, _: i32, out: &mut Vec<u8>) -> Next {
        self.ping.push(PING_XID, out);
        Next::SentAs(PING_XID, 0)
    }
}

/// Opening thousands of sessions is work for the server; it shall be over when measuring begins.
const WARMUP: Duration = Duration::from_secs(2);
