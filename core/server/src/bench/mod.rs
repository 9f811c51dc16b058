//! `quorate bench`: measures any server that speaks ZooKeeper's protocol.
//!
//! The generator has to be much cheaper than what it measures: requests are encoded beforehand, one system
//! call carries a batch each way, replies are read only as far as needed. Only `quorate-wire` is used
//! of the project, so that our own server and Apache's are measured by the same stranger. Results go to
//! standard output, as a table or as JSON; everything else goes to standard error.

mod canned;
mod client;
mod clock;
mod compare;
mod conn;
mod limits;
mod load;
mod metric;
mod options;
mod process;
mod random;
mod request;
mod servers;
mod stage;
mod syncs;
#[cfg(test)]
mod tests;
mod work;

use crate::stop::Stop;
use anyhow::Result;
use serde_json::Value;
use std::process::ExitCode;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: options::Target,
    /// Prints the result as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Box<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    #[command(flatten)]
    Workload(work::Workload),
    /// What this machine could do at best: loopback, canned replies, fdatasync.
    Limits(limits::Limits),
    /// How late the device alone makes durable writes that come at a fixed rate.
    Syncs(syncs::Syncs),
    /// Two servers in turn on the same workloads, with ratios of medians.
    Compare(compare::Compare),
    /// A server that answers everything with canned replies: the ceiling of any real one.
    Canned(CannedArgs),
}

#[derive(Debug, clap::Args)]
struct CannedArgs {
    /// The port to listen on, on loopback; 0 chooses one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Bytes of data in its replies.
    #[arg(long, default_value_t = 100, value_name = "BYTES")]
    size: usize,
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let stop = Stop::on_signals()?;
    match *args.command {
        Command::Workload(workload) => {
            let outcome = workload.run(&args.target.context(stop.clone())?)?;
            print(args.json, &outcome.to_table(), &outcome.to_json())?;
        }
        Command::Limits(limits) => {
            let outcome = limits.run(&stop)?;
            print(args.json, &outcome.to_table(), &outcome.to_json())?;
        }
        Command::Syncs(syncs) => {
            let outcome = syncs.run(&stop)?;
            print(args.json, &outcome.to_table(), &outcome.to_json())?;
        }
        Command::Compare(compare) => {
            let comparison = compare.run(&stop)?;
            print(args.json, &comparison.to_table(), &comparison.to_json())?;
        }
        Command::Canned(canned) => {
            let server = canned::Canned::bind(canned.port)?;
            println!("canned replies on {}", server.address());
            server.serve(&stop, canned.size)?;
        }
    }
    Ok(if stop.requested() { ExitCode::from(stop.exit_code()) } else { ExitCode::SUCCESS })
}

fn print(json: bool, table: &str, value: &Value) -> Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, value)?;
        writeln!(out)?;
    } else {
        out.write_all(table.as_bytes())?;
    }
    Ok(())
}
