//! The load generator: many connections on few threads, requests encoded beforehand.
//!
//! A workload is a [`Job`] (what to send next) and a [`Plan`] (to whom, how many, how fast, how long);
//! [`drive`] does the rest and returns counts, latencies and the server's processor time for the measured
//! window only: warm-up and the end are left out.

mod schedule;
mod tally;
mod timer;
mod worker;

use super::client::{SESSION_TIMEOUT, open_many};
use super::clock::{Clock, count, float, nanos, seconds};
use super::metric::{Better, Outcome, cpu_between};
use super::options::{Context, Load};
use crate::progress::Progress;
use anyhow::{Result, bail};
pub(super) use schedule::Schedule;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
pub(super) use tally::{Class, Tally};
use worker::{Shared, Worker};

/// Produces requests, one instance per thread.
pub(super) trait Job: Send {
    /// Whether the requests are multis, whose errors are in the body.
    const MULTI: bool = false;

    /// Appends one whole request with that xid.
    fn next(&mut self, xid: i32, out: &mut Vec<u8>) -> Next;
}

/// What a [`Job`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Appended a request of that class.
    Sent(Class),
    /// Appended a request of that class under an xid of its own.
    SentAs(i32, Class),
    /// There is nothing more to do.
    Done,
}

/// How long a run lasts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Extent {
    /// A warm-up, then the measured window.
    Time {
        /// Not measured.
        warmup: Duration,
        /// Measured.
        measured: Duration,
    },
    /// Until the job is done, measured from first to last; this many requests, for the progress bar.
    Work(u64),
}

/// The result of a run.
#[derive(Debug)]
pub(super) struct Run {
    /// Counts and latencies of the window.
    pub(super) tally: Tally,
    /// The length of the window, nanoseconds.
    pub(super) elapsed: u64,
    /// Replies in all, warm-up and end included.
    pub(super) seen: u64,
    /// The server's processor time in the window.
    pub(super) cpu: Option<Duration>,
    /// Whether the user ended it.
    pub(super) partial: bool,
}

/// Runs a job with `load`'s connections, depth, threads and rate.
///
/// `make` gets the number of a thread and of all threads.
///
/// # Errors
/// When the server cannot be reached, does not speak the protocol, or closed every connection.
pub(super) fn drive<J: Job>(
    context: &Context,
    title: &str,
    load: &Load,
    extent: Extent,
    classes: usize,
    make: impl Fn(u64, u64) -> J,
) -> Result<Run> {
    let clients = load.clients.max(1);
    let threads = load.threads.clamp(1, clients);
    let mut streams = open_many(&context.servers, clients, SESSION_TIMEOUT)?;
    for stream in &streams {
        stream.set_read_timeout(None)?;
    }
    let clock = Clock::start();
    let (from, until) = match extent {
        Extent::Time { warmup, measured } => (nanos(warmup), nanos(warmup + measured)),
        Extent::Work(_) => (0, u64::MAX),
    };
    let seen = AtomicU64::new(0);
    let shared = Shared {
        clock,
        stop: &context.stop,
        from,
        until,
        depth: load.depth(),
        rate: load.rate.map(|rate| rate / float(count(threads))),
        seen: &seen,
    };
    let before = context.processes.cpu()?;
    let mut tally = Tally::new(classes)?;
    let observed = std::thread::scope(|scope| -> Result<Observed> {
        let mut handles = Vec::new();
        for thread in 0..threads {
            let share = streams.len().div_ceil(threads.saturating_sub(thread));
            let own = streams.split_off(streams.len().saturating_sub(share));
            let worker = Worker::new(&shared, make(count(thread), count(threads)), classes, own)?;
            handles.push(std::thread::Builder::new().spawn_scoped(scope, move || worker.run())?);
        }
        let observed = observe(context, title, extent, &shared, before, || {
            handles.iter().all(std::thread::ScopedJoinHandle::is_finished)
        });
        for handle in handles {
            match handle.join() {
                Ok(result) => tally.merge(&result?)?,
                Err(_) => bail!("a thread of the load generator has panicked"),
            }
        }
        observed
    })?;
    if tally.done == 0 && tally.lost > 0 {
        bail!("the server closed all {clients} connections before the first counted reply");
    }
    let partial = context.stop.requested();
    let (elapsed, cpu) = match extent {
        Extent::Time { .. } => (observed.end.saturating_sub(from).max(1), observed.cpu),
        Extent::Work(_) => (tally.last.max(1), cpu_between(before, context.processes.cpu()?)),
    };
    Ok(Run { tally, elapsed, seen: seen.into_inner(), cpu, partial })
}

/// What the observer noted about the window.
struct Observed {
    /// When it ended: as planned, or when the user wanted.
    end: u64,
    cpu: Option<Duration>,
}

/// Waits for the end of the window, with a progress bar; reads the server's processor time at its ends.
fn observe(
    context: &Context,
    title: &str,
    extent: Extent,
    shared: &Shared<'_>,
    mut before: Option<Duration>,
    finished: impl Fn() -> bool,
) -> Result<Observed> {
    let progress = match extent {
        Extent::Time { .. } => Progress::new(title, shared.until / MILLI),
        Extent::Work(requests) => Progress::new(title, requests),
    };
    let mut warming = shared.from > 0;
    loop {
        let now = shared.clock.now();
        let mark = if warming { shared.from } else { shared.until };
        if now >= mark || finished() || shared.stop.requested() {
            if !warming || now < mark {
                let cpu = cpu_between(before, context.processes.cpu()?);
                return Ok(Observed { end: now.min(shared.until), cpu });
            }
            before = context.processes.cpu()?;
            warming = false;
            continue;
        }
        let seen = shared.seen.load(Ordering::Relaxed);
        let rate = super::metric::readable(float(seen) / seconds(now.max(1)));
        match extent {
            Extent::Time { .. } => progress.set(now / MILLI, format!("{rate}/s")),
            Extent::Work(_) => progress.set(seen, format!("{rate}/s")),
        }
        std::thread::sleep(Duration::from_nanos(mark.saturating_sub(now)).min(TICK));
    }
}

impl Run {
    /// The usual figures: rate, latencies by class, processor time, failures. `per_request` is how
    /// many operations one request holds.
    pub(super) fn report(
        &self,
        title: impl Into<String>,
        classes: &[&str],
        per_request: u64,
    ) -> Outcome {
        let mut outcome = Outcome::new(title);
        outcome.partial = self.partial;
        let requests = self.tally.done;
        let operations = requests.saturating_mul(per_request);
        let rate = float(requests) / seconds(self.elapsed.max(1));
        outcome.add("rate", rate, "requests/s", Better::Higher);
        if per_request > 1 {
            let rate = float(operations) / seconds(self.elapsed.max(1));
            outcome.add("operations", rate, "operations/s", Better::Higher);
        }
        for (name, histogram) in classes.iter().zip(&self.tally.latency) {
            outcome.add_latency(name, histogram);
        }
        outcome.add_cpu(self.cpu, self.elapsed, requests);
        if self.seen > 0 {
            let each = self.tally.cpu.as_secs_f64() * 1e6 / float(self.seen);
            outcome.add("generator_cpu_per_op", each, "us", Better::Neither);
        }
        self.add_failures(&mut outcome);
        outcome
    }

    /// Adds what went wrong, if anything did.
    fn add_failures(&self, outcome: &mut Outcome) {
        let failures = [
            ("errors", self.tally.errors),
            ("lost_connections", self.tally.lost),
            ("unanswered", self.tally.unanswered),
        ];
        for (name, number) in failures {
            if number > 0 {
                outcome.add(name, float(number), "", Better::Lower);
            }
        }
        if let Some(err) = self.tally.first_error {
            outcome.add("first_error", f64::from(err), "code", Better::Neither);
        }
    }
}

const MILLI: u64 = 1_000_000;
/// How often the progress bar moves.
const TICK: Duration = Duration::from_millis(100);
