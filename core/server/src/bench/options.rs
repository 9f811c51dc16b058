//! Options that several workloads share, and what they turn into.
//!
//! [`Target`] says which servers, [`Load`] how hard to press them; [`Context`] is both resolved: addresses,
//! processes to watch, and the wish to stop.

use super::process::Processes;
use super::servers::Servers;
use crate::stop::Stop;
use anyhow::Result;
use std::time::Duration;

/// Which server, or servers.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Target {
    /// The server to measure, host:port; members of an ensemble with commas between them, who get the sessions in turn.
    #[arg(long, global = true, default_value = "127.0.0.1:2181", value_name = "HOST:PORT")]
    server: String,
    /// Its process, or those of all members, for processor time and memory (on this machine).
    #[arg(long, global = true, value_name = "PID", value_delimiter = ',')]
    pid: Vec<u32>,
    /// Leaves the nodes that the workload made.
    #[arg(long, global = true)]
    keep: bool,
}

/// How hard to press it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Load {
    /// Sessions, each on a connection of its own.
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub(super) clients: usize,
    /// Requests in flight per client; with --rate the most that may wait (then 1024).
    #[arg(long, value_name = "N")]
    pub(super) outstanding: Option<usize>,
    /// Requests a second in all, sent at their intended times (open loop).
    #[arg(long, value_name = "PER_SECOND", value_parser = positive)]
    pub(super) rate: Option<f64>,
    /// Threads of the generator.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(super) threads: usize,
}

/// How long to press it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Span {
    /// Seconds that are measured.
    #[arg(long, default_value = "5", value_name = "SECONDS", value_parser = duration)]
    pub(super) seconds: Duration,
    /// Seconds before that, not measured.
    #[arg(long, default_value = "1", value_name = "SECONDS", value_parser = duration)]
    pub(super) warmup: Duration,
}

/// What a workload needs to know beyond its own options.
#[derive(Clone, Debug)]
pub(super) struct Context {
    /// Where the servers listen.
    pub(super) servers: Servers,
    /// Their processes.
    pub(super) processes: Processes,
    /// Whether nodes stay.
    pub(super) keep: bool,
    /// Ctrl-C.
    pub(super) stop: Stop,
}

impl Load {
    /// Requests in flight per client.
    pub(super) fn depth(&self) -> usize {
        self.outstanding.unwrap_or(if self.rate.is_some() { OPEN_DEPTH } else { 1 }).max(1)
    }

    /// The load in words.
    pub(super) fn describe(&self) -> String {
        match self.rate {
            Some(rate) => format!("{} clients, {rate} requests/s intended", self.clients),
            None => format!("{} clients x {} outstanding", self.clients, self.depth()),
        }
    }
}

impl Target {
    /// Resolves the address.
    ///
    /// # Errors
    /// When one is not host:port or the host has no address.
    pub(super) fn context(&self, stop: Stop) -> Result<Context> {
        Ok(Context {
            servers: Servers::parse(&self.server, ',')?,
            processes: self.pid.iter().copied().collect(),
            keep: self.keep,
            stop,
        })
    }
}

/// Seconds, with a fraction if wanted.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text} is not a number of seconds"))?;
    Duration::try_from_secs_f64(seconds).map_err(|e| e.to_string())
}

/// A number above 0.
pub(super) fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err(format!("{text} is not a positive number")),
    }
}

const OPEN_DEPTH: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_fractions_and_are_not_negative() {
        assert_eq!(duration("0.25"), Ok(Duration::from_millis(250)));
        assert!(duration("-1").is_err());
        assert!(duration("soon").is_err());
    }

    #[test]
    fn a_rate_is_positive_and_finite() {
        assert_eq!(positive("10"), Ok(10.0));
        assert!(positive("0").is_err() && positive("inf").is_err() && positive("-3").is_err());
    }
}
