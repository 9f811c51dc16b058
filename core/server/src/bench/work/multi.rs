//! `multi`: transactions of several setData or creates each.

use super::{Load, Span};
use crate::bench::clock::count;
use crate::bench::load::{Extent, Job, Next, drive};
use crate::bench::metric::Outcome;
use crate::bench::options::Context;
use crate::bench::random::Random;
use crate::bench::request::{self, HOLE, Template};
use crate::bench::stage::on_stage;
use anyhow::Result;
use quorate_wire::OpCode;
use quorate_wire::op::multi::MultiPart;

/// Options of `multi`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Multi {
    /// Operations per transaction.
    #[arg(long, default_value_t = 10, value_name = "N")]
    ops: usize,
    /// What they do.
    #[arg(long, value_enum, default_value = "set")]
    kind: Kind,
    /// Bytes of data per operation.
    #[arg(long, default_value_t = 100, value_name = "BYTES")]
    size: usize,
    /// Nodes to set, at random.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    keys: u64,
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    span: Span,
}

/// What the parts of a transaction do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// setData on existing nodes.
    Set,
    /// create of new nodes.
    Create,
}

impl Multi {
    /// Runs it.
    pub(crate) fn run(&self, context: &Context) -> Result<Outcome> {
        let kind = if self.kind == Kind::Set { "setData" } else { "create" };
        let load = self.load.describe();
        let title = format!("multi: {} {kind} of {} B, {load}", self.ops, self.size);
        on_stage(context, |stage| {
            let data = request::payload(self.size);
            let path = match self.kind {
                Kind::Set => format!("{}/k{HOLE}", stage.root),
                Kind::Create => format!("{}/n{HOLE}", stage.root),
            };
            let keys = match self.kind {
                Kind::Set => count(stage.keys(self.keys, self.size)?.len()),
                Kind::Create => 0,
            };
            let part = match self.kind {
                Kind::Set => MultiPart::SetData(request::set_record(&path, &data)),
                Kind::Create => {
                    MultiPart::Create(OpCode::Create, request::create_record(&path, &data))
                }
            };
            let ops = self.ops.max(1);
            let template = request::multi(&vec![part; ops]);
            let extent = Extent::Time { warmup: self.span.warmup, measured: self.span.seconds };
            let run = drive(context, "multi", &self.load, extent, 1, |thread, threads| Requests {
                template: &template,
                ops: count(ops),
                keys,
                random: Random::new(thread),
                number: thread,
                step: threads,
            })?;
            Ok(run.report(title, &["multi"], count(ops)))
        })
    }
}

struct Requests<'a> {
    template: &'a Template,
    ops: u64,
    /// Existing nodes to choose from; 0 when each transaction makes new ones.
    keys: u64,
    random: Random,
    number: u64,
    step: u64,
}

impl Job for Requests<'_> {
    const MULTI: bool = true;

    #[inline]
    fn next(&mut self, xid: i32, out: &mut Vec<u8>) -> Next {
        if self.keys > 0 {
            let (random, keys) = (&mut self.random, self.keys);
            self.template.push_numbered(xid, (0..self.ops).map(|_| random.below(keys)), out);
        } else {
            let first = self.number.saturating_mul(self.ops);
            self.template.push_numbered(xid, first..first.saturating_add(self.ops), out);
            self.number = self.number.saturating_add(self.step);
        }
        Next::Sent(0)
    }
}
