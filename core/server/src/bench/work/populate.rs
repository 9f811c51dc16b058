//! `populate`: a large tree as fast as the server takes it, and `memory`: what that tree costs.
//!
//! Nodes lie in folders of a thousand (`/top/f000000012/n000012345`), made by transactions of a hundred
//! creates. `memory` populates and divides the growth of the server's resident memory by the nodes.

use super::Load;
use crate::bench::clock::float;
use crate::bench::load::{Extent, Job, Next, Run, drive};
use crate::bench::metric::{Better, Outcome};
use crate::bench::options::Context;
use crate::bench::request::{self, HOLE, Template};
use crate::bench::stage::{Stage, on_stage};
use anyhow::{Context as _, Result};
use quorate_wire::OpCode;
use quorate_wire::op::multi::MultiPart;
use std::time::Duration;

/// Options of `populate` and `memory`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Populate {
    /// Nodes to make (rounded up to whole transactions of 100).
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    nodes: u64,
    /// Bytes of data per node.
    #[arg(long, default_value_t = 100, value_name = "BYTES")]
    size: usize,
    /// Sessions.
    #[arg(long, default_value_t = 4, value_name = "N")]
    clients: usize,
    /// Transactions in flight per session.
    #[arg(long, default_value_t = 4, value_name = "N")]
    outstanding: usize,
}

impl Populate {
    /// Runs `populate`.
    pub(crate) fn run(&self, context: &Context) -> Result<Outcome> {
        on_stage(context, |stage| {
            let run = self.fill(context, stage)?;
            Ok(self.report(&run, "populate"))
        })
    }

    /// Runs `memory`.
    pub(crate) fn memory(&self, context: &Context) -> Result<Outcome> {
        let rss = || context.processes.rss()?.context("memory needs --pid, the server's process");
        on_stage(context, |stage| {
            let before = rss()?;
            let run = self.fill(context, stage)?;
            // A moment to return what the server held only while it was loaded.
            std::thread::sleep(SETTLE);
            let after = rss()?;
            let made = float(run.tally.done.saturating_mul(PER_REQUEST).max(1));
            let mut outcome = self.report(&run, "memory");
            outcome.add("rss_before", float(before) / MEGA, "MB", Better::Neither);
            outcome.add("rss_after", float(after) / MEGA, "MB", Better::Lower);
            let growth = float(after.saturating_sub(before));
            outcome.add("rss_growth_per_node", growth / made, "B", Better::Lower);
            outcome.add("rss_per_node", float(after) / made, "B", Better::Lower);
            Ok(outcome)
        })
    }

    fn fill(&self, context: &Context, stage: &mut Stage) -> Result<Run> {
        let requests = self.nodes.div_ceil(PER_REQUEST).max(1);
        let folders = requests.div_ceil(REQUESTS_PER_FOLDER);
        let folder = request::create(&format!("{}/f{HOLE}", stage.root), b"");
        stage.client.pipeline("create folders", (0..folders).map(|n| folder.numbered(n)))?;
        let path = format!("{}/f{HOLE}/n{HOLE}", stage.root);
        let data = request::payload(self.size);
        let part = MultiPart::Create(OpCode::Create, request::create_record(&path, &data));
        let template = request::multi(&vec![part; usize::try_from(PER_REQUEST)?]);
        let load = Load {
            clients: self.clients,
            outstanding: Some(self.outstanding),
            rate: None,
            threads: 1,
        };
        drive(context, "populate", &load, Extent::Work(requests), 1, |_, _| Requests {
            template: &template,
            next: 0,
            end: requests,
        })
    }

    fn report(&self, run: &Run, name: &str) -> Outcome {
        let title = format!(
            "{name}: {} nodes of {} B, {} clients x {} transactions of {PER_REQUEST} creates",
            self.nodes, self.size, self.clients, self.outstanding
        );
        run.report(title, &["multi"], PER_REQUEST)
    }
}

struct Requests<'a> {
    template: &'a Template,
    next: u64,
    end: u64,
}

impl Job for Requests<'_> {
    const MULTI: bool = true;

    fn next(&mut self, xid: i32, out: &mut Vec<u8>) -> Next {
        if self.next >= self.end {
            return Next::Done;
        }
        let first = self.next.saturating_mul(PER_REQUEST);
        let folder = self.next / REQUESTS_PER_FOLDER;
        let numbers = (first..first.saturating_add(PER_REQUEST)).flat_map(|n| [folder, n]);
        self.template.push_numbered(xid, numbers, out);
        self.next = self.next.saturating_add(1);
        Next::Sent(0)
    }
}

const PER_REQUEST: u64 = 100;
const REQUESTS_PER_FOLDER: u64 = 10;
const MEGA: f64 = 1e6;
const SETTLE: Duration = Duration::from_secs(2);
