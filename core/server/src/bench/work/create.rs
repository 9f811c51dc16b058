//! `create`: new persistent nodes under one parent, each by its own request.

use super::{Load, Span};
use crate::bench::load::{Extent, Job, Next, drive};
use crate::bench::metric::Outcome;
use crate::bench::options::Context;
use crate::bench::request::{self, HOLE, Template};
use crate::bench::stage::on_stage;
use anyhow::Result;

/// Options of `create`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Create {
    /// Bytes of data per node.
    #[arg(long, default_value_t = 100, value_name = "BYTES")]
    size: usize,
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    span: Span,
}

impl Create {
    /// Runs it.
    pub(crate) fn run(&self, context: &Context) -> Result<Outcome> {
        let title = format!("create: {} B, {}", self.size, self.load.describe());
        on_stage(context, |stage| {
            let template =
                request::create(&format!("{}/n{HOLE}", stage.root), &request::payload(self.size));
            let extent = Extent::Time { warmup: self.span.warmup, measured: self.span.seconds };
            let run = drive(context, "create", &self.load, extent, 1, |thread, threads| {
                Requests { template: &template, number: thread, step: threads }
            })?;
            Ok(run.report(title, &["create"], 1))
        })
    }
}

/// Threads take turns in the numbers, so that no name comes twice.
struct Requests<'a> {
    template: &'a Template,
    number: u64,
    step: u64,
}

impl Job for Requests<'_> {
    #[inline]
    fn next(&mut self, xid: i32, out: &mut Vec<u8>) -> Next {
        self.template.push_numbered(xid, [self.number], out);
        self.number = self.number.saturating_add(self.step);
        Next::Sent(0)
    }
}
