//! `quorate status`: the state of an ensemble, of any server that answers ZooKeeper's four-letter words.
//!
//! `srvr`, which Apache's servers and ours answer by default, says role, zxid and connections. Sessions, watches and the members are in `mntr` and
//! `conf`, which an operator has to list; what could not be learnt is named. No session is opened, so looking changes nothing.

mod answers;
mod report;
mod survey;
mod table;
#[cfg(test)]
mod tests;
mod voters;

pub(crate) use answers::{Brief, Role};
pub(crate) use report::Report;
pub(crate) use survey::{glance, survey};
pub(crate) use table::text;

use crate::shell::Target;
use report::Health;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code: 0 when every server serves, 1 when writes go on and a server is missing or too few were asked, \
                        2 when the command makes no sense, 3 when nobody takes writes."
)]
pub(crate) struct Args {
    /// The servers of the ensemble, all of them: host:port[,host:port]
    #[arg(short, long, value_name = "ADDRESSES", default_value = "127.0.0.1:2181", value_parser = Target::parse)]
    servers: Target,
    /// How long a server may take to answer, ms
    #[arg(short, long, value_name = "MS", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=600_000))]
    timeout: u32,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

/// Asks the servers and says what it comes to.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let patience = Duration::from_millis(args.timeout.into());
    let report = Report::of(survey(&args.servers.hosts, patience)?);
    let text = if args.json { format!("{:#}\n", table::json(&report)) } else { text(&report) };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(ExitCode::from(match report.health() {
        Health::Whole => 0,
        Health::Impaired => 1,
        Health::Stuck => 3,
    }))
}
