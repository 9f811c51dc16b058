//! `compare`: two servers, the same workloads, in turn, and by how much one is better.
//!
//! A B A B … rather than A A B B: what else happens on the machine then hits both alike. Every figure is
//! the median of its rounds.

use super::metric::{Better, Outcome, readable};
use super::options::Context;
use super::process::Processes;
use super::servers::Servers;
use super::work::Workload;
use crate::stop::Stop;
use anyhow::{Context as _, Result, bail};
use clap::Parser;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Options of `compare`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Compare {
    /// The first server: host:port[,pid=N][,name=TEXT]; of an ensemble host:port+host:port+…[,pid=N+N+…]
    #[arg(value_parser = Contender::parse)]
    a: Contender,
    /// The second server, in the same form.
    #[arg(value_parser = Contender::parse)]
    b: Contender,
    /// A workload with its options, such as "mix --reads 90 --clients 10"; repeatable.
    #[arg(long = "run", value_name = "WORKLOAD", value_parser = Line::parse_text,
          default_values = ["mix --reads 100 --outstanding 32", "mix --reads 0 --outstanding 32"])]
    runs: Vec<Line>,
    /// How often each server runs each workload.
    #[arg(long, default_value_t = 3, value_name = "N")]
    rounds: usize,
}

/// One of the two servers.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Contender {
    servers: Servers,
    processes: Processes,
    name: String,
}

/// A workload as a command line of its own.
#[derive(Clone, Debug, Parser)]
#[command(name = "run", no_binary_name = true)]
struct Line {
    #[command(subcommand)]
    workload: Workload,
}

/// The medians of both servers for one workload.
#[derive(Debug)]
pub(super) struct Comparison {
    names: [String; 2],
    pairs: Vec<[Outcome; 2]>,
}

impl Compare {
    /// Runs everything.
    ///
    /// # Errors
    /// When a server cannot be reached or used.
    pub(super) fn run(&self, stop: &Stop) -> Result<Comparison> {
        let mut pairs = Vec::new();
        for line in &self.runs {
            let mut outcomes: [Vec<Outcome>; 2] = Default::default();
            for _ in 0..self.rounds.max(1) {
                for (contender, outcomes) in [&self.a, &self.b].into_iter().zip(&mut outcomes) {
                    if !stop.requested() {
                        let context = contender.context(stop);
                        let outcome = line.workload.run(&context);
                        outcomes.push(outcome.with_context(|| contender.name.clone())?);
                    }
                }
            }
            let [a, b] = outcomes;
            if let (Some(a), Some(b)) = (median(&a), median(&b)) {
                pairs.push([a, b]);
            }
        }
        Ok(Comparison { names: [self.a.name.clone(), self.b.name.clone()], pairs })
    }
}

impl Contender {
    fn parse(text: &str) -> Result<Self> {
        let mut parts = text.split(',');
        let address = parts.next().unwrap_or_default();
        let (servers, processes) = (Servers::parse(address, '+')?, Processes::default());
        let mut contender = Self { servers, processes, name: address.to_owned() };
        for part in parts {
            match part.split_once('=') {
                Some(("pid", pids)) => {
                    let pids = pids.split('+').map(|pid| {
                        pid.parse::<u32>().with_context(|| format!("{pid} is not a process id"))
                    });
                    contender.processes = pids.collect::<Result<_>>()?;
                }
                Some(("name", name)) => name.clone_into(&mut contender.name),
                _ => bail!("{part}: only pid=N and name=TEXT may follow the address"),
            }
        }
        Ok(contender)
    }

    fn context(&self, stop: &Stop) -> Context {
        let (servers, processes) = (self.servers.clone(), self.processes.clone());
        Context { servers, processes, keep: false, stop: stop.clone() }
    }
}

impl Line {
    fn parse_text(text: &str) -> Result<Self, clap::Error> {
        Self::try_parse_from(text.split_whitespace())
    }
}

impl Comparison {
    /// For people.
    pub(super) fn to_table(&self) -> String {
        let mut text = String::new();
        let [first, second] = &self.names;
        for [a, b] in &self.pairs {
            let ended = if a.partial || b.partial { " (ended early)" } else { "" };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}{ended}", a.title);
            let _ = writeln!(
                text,
                "  {:<28} {first:>16} {second:>16}   advantage of {first}",
                "median"
            );
            for metric in &a.metrics {
                let Some(other) = b.get(&metric.name) else { continue };
                let ratio = advantage(metric.better, metric.value, other.value)
                    .map_or_else(String::new, |ratio| format!("{}x", readable(ratio)));
                let (ours, theirs) = (readable(metric.value), readable(other.value));
                let name = format!("{} [{}]", metric.name, metric.unit);
                let _ = writeln!(text, "  {name:<28} {ours:>16} {theirs:>16}   {ratio}");
            }
        }
        text
    }

    /// For machines.
    pub(super) fn to_json(&self) -> Value {
        let runs: Vec<_> = self
            .pairs
            .iter()
            .map(|[a, b]| {
                let advantages: serde_json::Map<String, Value> = a
                    .metrics
                    .iter()
                    .filter_map(|metric| {
                        let other = b.get(&metric.name)?;
                        let ratio = advantage(metric.better, metric.value, other.value)?;
                        Some((metric.name.clone(), json!(ratio)))
                    })
                    .collect();
                json!({ "a": a.to_json(), "b": b.to_json(), "advantage_of_a": advantages })
            })
            .collect();
        json!({ "a": self.names[0], "b": self.names[1], "runs": runs })
    }
}

/// How many times better the first value is; below 1 it is worse.
fn advantage(better: Better, a: f64, b: f64) -> Option<f64> {
    match better {
        Better::Higher if b > 0.0 => Some(a / b),
        Better::Lower if a > 0.0 => Some(b / a),
        _ => None,
    }
}

/// The outcome whose every figure is the median over the given outcomes.
fn median(outcomes: &[Outcome]) -> Option<Outcome> {
    let mut result = outcomes.first()?.clone();
    result.partial = outcomes.iter().any(|outcome| outcome.partial);
    for metric in &mut result.metrics {
        let mut values: Vec<f64> =
            outcomes.iter().filter_map(|o| o.get(&metric.name)).map(|m| m.value).collect();
        values.sort_by(f64::total_cmp);
        let upper = values.get(values.len() / 2).copied();
        let lower = values.get(values.len().saturating_sub(1) / 2).copied();
        if let (Some(lower), Some(upper)) = (lower, upper) {
            metric.value = f64::midpoint(lower, upper);
        }
    }
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(rate: f64) -> Outcome {
        let mut outcome = Outcome::new("x");
        outcome.add("rate", rate, "1/s", Better::Higher);
        outcome
    }

    #[test]
    fn the_median_of_odd_and_even_numbers_of_rounds() {
        let of = |rates: &[f64]| {
            let outcomes: Vec<_> = rates.iter().copied().map(outcome).collect();
            median(&outcomes).map(|outcome| outcome.metrics[0].value)
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(of(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn an_advantage_is_above_one_for_the_better_side() {
        assert_eq!(advantage(Better::Higher, 10.0, 5.0), Some(2.0));
        assert_eq!(advantage(Better::Lower, 10.0, 5.0), Some(0.5));
        assert_eq!(advantage(Better::Lower, 0.0, 5.0), None);
        assert_eq!(advantage(Better::Neither, 10.0, 5.0), None);
    }

    #[test]
    fn a_contender_has_an_address_and_perhaps_a_process_and_a_name() {
        let contender = Contender::parse("127.0.0.1:2181,pid=7,name=ours").unwrap();
        assert_eq!(contender.processes, Processes::from_iter([7]));
        assert_eq!(contender.name, "ours");
        let ensemble = Contender::parse("127.0.0.1:1+127.0.0.1:2,pid=7+8").unwrap();
        assert_eq!(ensemble.servers.all().count(), 2);
        assert_eq!(ensemble.processes, Processes::from_iter([7, 8]));
        assert!(Contender::parse("127.0.0.1:2181,pid=x").is_err());
        assert!(Contender::parse("127.0.0.1:2181,what").is_err());
        assert!(Contender::parse("127.0.0.1").is_err());
    }

    #[test]
    fn a_run_is_a_command_line() {
        assert!(Line::parse_text("mix --reads 90 --clients 2").is_ok());
        assert!(Line::parse_text("mix --reads 101").is_err());
        assert!(Line::parse_text("dance").is_err());
    }
}
