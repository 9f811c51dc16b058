//! `watch`: many sessions watch one node, it changes, and three parties wait.
//!
//! The writer waits for its reply, each watcher for its notification, and a bystander, who has nothing to do
//! with the node, for its own reads and writes. Each party has its own thread and connections, the
//! watchers one event loop. A round ends when the last watcher has been notified; then all
//! watch again and the next round begins.

use super::bystander::{Sample, stand_by};
use super::watchers::{Report, Watchers};
use crate::bench::client::{SESSION_TIMEOUT, open_many};
use crate::bench::clock::{Clock, count, float};
use crate::bench::metric::{Better, Outcome, cpu_between, histogram};
use crate::bench::options::Context;
use crate::bench::request::{self, Template};
use crate::bench::stage::{Stage, on_stage};
use crate::progress::Progress;
use anyhow::{Result, bail};
use hdrhistogram::Histogram;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// Options of `watch`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Watch {
    /// Sessions that watch the node.
    #[arg(long, default_value_t = 5000, value_name = "N")]
    watchers: usize,
    /// Changes of the node.
    #[arg(long, default_value_t = 30, value_name = "N")]
    rounds: u64,
    /// Requests a second of the bystander, reads and writes in turn.
    #[arg(long, default_value_t = 200, value_name = "PER_SECOND")]
    bystander_rate: u64,
}

/// One change of the node, nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Round {
    sent: u64,
    answered: u64,
    last_notified: u64,
}

impl Watch {
    /// Runs it.
    pub(crate) fn run(&self, context: &Context) -> Result<Outcome> {
        let watchers = self.watchers.max(1);
        let title = format!(
            "watch: {watchers} data watches of as many sessions on one node, {} rounds",
            self.rounds
        );
        on_stage(context, |stage| {
            let node = format!("{}/watched", stage.root);
            let aside = format!("{}/aside", stage.root);
            let data = request::payload(100);
            for path in [&node, &aside] {
                stage.client.must("create a node", &request::create(path, &data))?;
            }
            stage.spread(context)?;
            let streams = open_many(&context.servers, watchers, SESSION_TIMEOUT)?;
            let clock = Clock::start();
            let over = AtomicBool::new(false);
            let (watching, reports) =
                Watchers::new(streams, request::get(&node, true), clock, context.stop.clone())?;
            let waker = watching.waker();
            let before = context.processes.cpu()?;
            let (rounds, samples, cpu) = std::thread::scope(|scope| -> Result<_> {
                let crowd = scope.spawn(|| watching.run(&over));
                let bystander = scope.spawn(|| {
                    let requests = [request::get(&aside, false), request::set(&aside, &data)];
                    stand_by(context, &requests, self.bystander_rate, clock, &over)
                });
                let change = request::set(&node, &data);
                let rounds = self.change(context, stage, &change, clock, &reports, &waker);
                let cpu = context.processes.cpu();
                over.store(true, Ordering::Relaxed);
                waker.wake()?;
                let samples = bystander.join();
                let crowd = crowd.join();
                match (crowd, samples) {
                    (Ok(crowd), Ok(samples)) => crowd.and(Ok((rounds?, samples?, cpu?))),
                    _ => bail!("a thread of the bench has panicked"),
                }
            })?;
            let mut outcome = summarise(title, &rounds, &samples)?;
            outcome.partial = context.stop.requested();
            if let (Some(cpu), [_, ..]) = (cpu_between(before, cpu), rounds.as_slice()) {
                let notified = count(rounds.len()).saturating_mul(count(watchers));
                let each = cpu.as_secs_f64() * 1e6 / float(notified);
                outcome.add("server_cpu_per_watch_and_event", each, "us", Better::Lower);
            }
            Ok(outcome)
        })
    }

    /// The writer: changes the node as soon as all watch it, round after round.
    fn change(
        &self,
        context: &Context,
        stage: &mut Stage,
        change: &Template,
        clock: Clock,
        reports: &Receiver<Report>,
        waker: &super::watchers::Waker,
    ) -> Result<Vec<Round>> {
        let progress = Progress::new("watch", self.rounds);
        let mut rounds = Vec::new();
        for number in 0..self.rounds.saturating_add(WARM_ROUNDS) {
            if !matches!(wait(context, reports)?, Some(Report::AllWatch)) {
                break;
            }
            std::thread::sleep(PAUSE);
            let sent = clock.now();
            stage.client.must("change the watched node", change)?;
            let answered = clock.now();
            let Some(Report::AllNotified(last_notified)) = wait(context, reports)? else { break };
            if number >= WARM_ROUNDS {
                rounds.push(Round { sent, answered, last_notified });
            }
            progress.set(count(rounds.len()), String::new());
            std::thread::sleep(PAUSE);
            waker.again()?;
        }
        Ok(rounds)
    }
}

/// The next report of the watchers; `None` when the user wants to stop.
fn wait(context: &Context, reports: &Receiver<Report>) -> Result<Option<Report>> {
    for _ in 0..PATIENCE {
        if context.stop.requested() {
            return Ok(None);
        }
        match reports.recv_timeout(TICK) {
            Ok(report) => return Ok(Some(report)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => bail!("the watchers have given up"),
        }
    }
    bail!("not every watcher was notified within {} s", PATIENCE / 10)
}

fn summarise(title: String, rounds: &[Round], samples: &[Sample]) -> Result<Outcome> {
    let mut outcome = Outcome::new(title);
    outcome.add("rounds", float(count(rounds.len())), "", Better::Neither);
    let spread = |of: fn(&Round) -> u64| -> Result<Histogram<u64>> {
        let mut histogram = histogram()?;
        rounds.iter().for_each(|round| histogram.saturating_record(of(round)));
        Ok(histogram)
    };
    let mut add = |name: &str, histogram: &Histogram<u64>| {
        for (label, quantile) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
            if !histogram.is_empty() {
                let value = float(histogram.value_at_quantile(quantile)) / 1e6;
                outcome.add(format!("{name}_{label}"), value, "ms", Better::Lower);
            }
        }
    };
    add("writer_waits", &spread(|round| round.answered.saturating_sub(round.sent))?);
    add("last_notified", &spread(|round| round.last_notified.saturating_sub(round.sent))?);
    let (mut during, mut calm) = (histogram()?, histogram()?);
    for sample in samples {
        let latency = sample.end.saturating_sub(sample.start);
        if rounds.iter().any(|round| sample.overlaps(round)) {
            during.saturating_record(latency);
        } else {
            calm.saturating_record(latency);
        }
    }
    add("bystander_during", &during);
    add("bystander_otherwise", &calm);
    Ok(outcome)
}

impl Sample {
    /// Whether the request was under way while notifications were.
    const fn overlaps(&self, round: &Round) -> bool {
        self.start <= round.last_notified && self.end >= round.sent
    }
}

/// Rounds that are not counted: the first ones find cold code in either program.
const WARM_ROUNDS: u64 = 3;
/// Calm between the phases of a round.
const PAUSE: Duration = Duration::from_millis(20);
const TICK: Duration = Duration::from_millis(100);
/// Ticks that a phase may take.
const PATIENCE: u32 = 600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requests_under_way_during_a_change_count_as_disturbed() {
        let round = Round { sent: 1_000_000, answered: 2_000_000, last_notified: 5_000_000 };
        let samples = [
            Sample { start: 0, end: 900_000 },
            Sample { start: 900_000, end: 4_900_000 },
            Sample { start: 6_000_000, end: 6_100_000 },
        ];
        let outcome = summarise(String::new(), &[round], &samples).unwrap();
        let value = |name: &str| outcome.get(name).unwrap().value;
        assert!((value("bystander_during_max") - 4.0).abs() < 0.01, "{outcome:?}");
        assert!((value("bystander_otherwise_max") - 0.9).abs() < 0.01, "{outcome:?}");
        assert!((value("writer_waits_p50") - 1.0).abs() < 0.01, "{outcome:?}");
        assert!((value("last_notified_p50") - 4.0).abs() < 0.01, "{outcome:?}");
    }
}
