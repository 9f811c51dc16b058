//! `mix`: getData and setData on a fixed set of nodes, by percentage.
//!
//! 100 % reads, 0 % reads (durable writes) and everything between.

use super::{Load, Span};
use crate::bench::clock::count;
use crate::bench::load::{Extent, Job, Next, drive};
use crate::bench::metric::Outcome;
use crate::bench::options::Context;
use crate::bench::random::Random;
use crate::bench::request::{self, Template};
use crate::bench::stage::on_stage;
use anyhow::Result;

/// Options of `mix`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Mix {
    /// Percentage of reads; the rest are writes.
    #[arg(long, default_value_t = 100, value_name = "PERCENT",
          value_parser = clap::value_parser!(u8).range(0..=100))]
    reads: u8,
    /// Bytes of data per node.
    #[arg(long, default_value_t = 100, value_name = "BYTES")]
    size: usize,
    /// Nodes to choose from, at random.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    keys: u64,
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    span: Span,
}

impl Mix {
    /// Runs it.
    pub(crate) fn run(&self, context: &Context) -> Result<Outcome> {
        let title = format!(
            "mix: {} % reads, {} B, {} keys, {}",
            self.reads,
            self.size,
            self.keys,
            self.load.describe()
        );
        on_stage(context, |stage| {
            let keys = stage.keys(self.keys, self.size)?;
            stage.spread(context)?;
            let data = request::payload(self.size);
            let reads: Vec<_> = keys.iter().map(|path| request::get(path, false)).collect();
            let writes: Vec<_> = keys.iter().map(|path| request::set(path, &data)).collect();
            let extent = Extent::Time { warmup: self.span.warmup, measured: self.span.seconds };
            let run = drive(context, "mix", &self.load, extent, CLASSES.len(), |thread, _| {
                let random = Random::new(thread);
                Requests { reads: &reads, writes: &writes, percent: self.reads.into(), random }
            })?;
            Ok(run.report(title, &CLASSES, 1))
        })
    }
}

struct Requests<'a> {
    reads: &'a [Template],
    writes: &'a [Template],
    percent: u64,
    random: Random,
}

impl Job for Requests<'_> {
    #[inline]
    fn next(&mut self, xid: i32, out: &mut Vec<u8>) -> Next {
        let read = match self.percent {
            0 => false,
            100 => true,
            percent => self.random.below(100) < percent,
        };
        let (class, from) = if read { (0, self.reads) } else { (1, self.writes) };
        let key = usize::try_from(self.random.below(count(from.len()))).unwrap_or(0);
        match from.get(key) {
            Some(template) => template.push(xid, out),
            None => return Next::Done,
        }
        Next::Sent(class)
    }
}

const CLASSES: [&str; 2] = ["read", "write"];

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_wire::OpCode;

    #[test]
    fn the_share_of_reads_is_the_one_asked_for() {
        let reads = [request::get("/a", false)];
        let writes = [request::set("/a", b"")];
        let random = Random::new(1);
        let mut job = Requests { reads: &reads, writes: &writes, percent: 90, random };
        let mut seen = [0; 2];
        for xid in 0..10_000 {
            let mut out = Vec::new();
            let Next::Sent(class) = job.next(xid, &mut out) else { panic!("ended") };
            let op = [OpCode::GetData, OpCode::SetData][usize::from(class)];
            assert_eq!(out[8..12], op.code().to_be_bytes());
            seen[usize::from(class)] += 1;
        }
        assert!((8_900..9_100).contains(&seen[0]), "{seen:?}");
    }
}
