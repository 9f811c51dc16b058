//! `limits`: what this machine could do at best, the yardstick of every other figure.
//!
//! A TCP ping-pong over loopback, canned replies under the same load as a real server, and an fdatasync
//! loop in a directory. No server is needed.

use super::canned::Canned;
use super::clock::{Clock, float, seconds, thread_cpu};
use super::load::{Extent, Job, Next, drive};
use super::metric::{Better, Outcome, histogram};
use super::options::{Context, Load, duration};
use super::process::Processes;
use super::request::{self, Template};
use crate::stop::Stop;
use anyhow::{Context as _, Result, bail};
use hdrhistogram::Histogram;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Options of `limits`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Limits {
    /// A directory on the file system where servers keep their data.
    #[arg(long, default_value = ".", value_name = "DIR")]
    dir: PathBuf,
    /// Clients x outstanding of the runs against canned replies; repeatable.
    #[arg(long, value_name = "CxO", value_parser = shape,
          default_values = ["1x1", "50x1", "50x32"])]
    load: Vec<(usize, usize)>,
    /// Bytes of data in a canned reply.
    #[arg(long, default_value_t = 100, value_name = "BYTES")]
    size: usize,
    /// Seconds for each of the measurements.
    #[arg(long, default_value = "2", value_name = "SECONDS", value_parser = duration)]
    seconds: Duration,
}

impl Limits {
    /// Measures them.
    ///
    /// # Errors
    /// When sockets or files fail.
    pub(super) fn run(&self, stop: &Stop) -> Result<Outcome> {
        let mut outcome = Outcome::new("limits of this machine");
        let echo = ping_pong(self.seconds, stop)?;
        for (label, quantile) in [("p50", 0.5), ("p99", 0.99)] {
            let micros = float(echo.value_at_quantile(quantile)) / 1e3;
            outcome.add(format!("pingpong_64B_{label}"), micros, "us", Better::Lower);
        }
        for &(clients, outstanding) in &self.load {
            if !stop.requested() {
                self.canned(clients, outstanding, stop, &mut outcome)?;
            }
        }
        for (name, size) in [("256B", 256), ("64KiB", 64 * 1024)] {
            for (kind, allocated) in [("append", false), ("preallocated", true)] {
                let sync = sync_loop(&self.dir, size, allocated, self.seconds / 2, stop)?;
                let label = format!("fdatasync_{name}_{kind}");
                let micros = float(sync.value_at_quantile(0.5)) / 1e3;
                outcome.add(format!("{label}_p50"), micros, "us", Better::Lower);
            }
        }
        outcome.partial = stop.requested();
        Ok(outcome)
    }

    /// Reads against a server that only copies its reply.
    fn canned(
        &self,
        clients: usize,
        outstanding: usize,
        stop: &Stop,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let canned = Canned::bind(0)?;
        let context = Context {
            servers: canned.address().into(),
            processes: Processes::default(),
            keep: true,
            stop: stop.clone(),
        };
        let load = Load { clients, outstanding: Some(outstanding), rate: None, threads: 1 };
        let read = request::get("/quorate-bench-canned/k000000000", false);
        let (warmup, measured) = (self.seconds / 4, self.seconds);
        let over = Stop::default();
        let (run, cpu) = std::thread::scope(|scope| -> Result<_> {
            let (size, end) = (self.size, over.clone());
            let server = scope.spawn(move || {
                let served = canned.serve(&end, size);
                served.map(|()| thread_cpu())
            });
            let extent = Extent::Time { warmup, measured };
            let run = drive(&context, "canned", &load, extent, 1, |_, _| Reads { read: &read });
            over.request();
            match server.join() {
                Ok(cpu) => Ok((run?, cpu?)),
                Err(_) => bail!("the canned server has panicked"),
            }
        })?;
        let name = format!("canned_{clients}x{outstanding}");
        let rate = float(run.tally.done) / seconds(run.elapsed);
        outcome.add(format!("{name}_rate"), rate, "requests/s", Better::Higher);
        if let Some(latency) = run.tally.latency.first().filter(|latency| !latency.is_empty()) {
            let micros = float(latency.value_at_quantile(0.5)) / 1e3;
            outcome.add(format!("{name}_p50"), micros, "us", Better::Lower);
        }
        if run.seen > 0 {
            for (side, cpu) in [("server", cpu), ("generator", run.tally.cpu)] {
                let each = cpu.as_secs_f64() * 1e6 / float(run.seen);
                outcome.add(format!("{name}_{side}_cpu_per_op"), each, "us", Better::Lower);
            }
        }
        Ok(())
    }
}

struct Reads<'a> {
    read: &'a Template,
}

impl Job for Reads<'_> {
    #[inline]
    fn next(&mut self, xid: i32, out: &mut Vec<u8>) -> Next {
        self.read.push(xid, out);
        Next::Sent(0)
    }
}

/// 64 bytes there and back over loopback, one at a time, between two blocking threads.
fn ping_pong(length: Duration, stop: &Stop) -> Result<Histogram<u64>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut near = TcpStream::connect(listener.local_addr()?)?;
    let (mut far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let mut times = histogram()?;
    std::thread::scope(|scope| -> Result<()> {
        let echo = scope.spawn(move || {
            let mut buffer = [0; 64];
            // Ends when the near side closes.
            while far.read_exact(&mut buffer).and_then(|()| far.write_all(&buffer)).is_ok() {}
        });
        let clock = Clock::start();
        let mut buffer = [0; 64];
        let mut start = clock.now();
        let warm = super::clock::nanos(length / 4);
        let end = super::clock::nanos(length).saturating_add(warm);
        while start < end && !stop.requested() {
            near.write_all(&buffer)?;
            near.read_exact(&mut buffer)?;
            let now = clock.now();
            if start >= warm {
                times.saturating_record(now.saturating_sub(start));
            }
            start = now;
        }
        drop(near);
        echo.join().map_err(|_| anyhow::anyhow!("the echo thread has panicked"))
    })?;
    Ok(times)
}

/// Writes of `size` bytes, each followed by fdatasync, at the end of a file or into one whose blocks
/// are there already (as transaction logs are written).
fn sync_loop(
    dir: &Path,
    size: usize,
    allocated: bool,
    length: Duration,
    stop: &Stop,
) -> Result<Histogram<u64>> {
    let path = dir.join(format!("quorate-bench-{}.tmp", std::process::id()));
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .with_context(|| format!("cannot create {}", path.display()))?;
    let result = sync_writes(file, size, allocated, length, stop)
        .with_context(|| format!("cannot write {}", path.display()));
    fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    result
}

fn sync_writes(
    mut file: File,
    size: usize,
    allocated: bool,
    length: Duration,
    stop: &Stop,
) -> Result<Histogram<u64>> {
    if allocated {
        file.write_all(&vec![0; PREALLOCATED])?;
        file.sync_all()?;
        file.seek(SeekFrom::Start(0))?;
    }
    let data = request::payload(size);
    let mut times = histogram()?;
    let clock = Clock::start();
    let mut written = 0_usize;
    while clock.now() < super::clock::nanos(length) && !stop.requested() {
        if allocated && written.saturating_add(size) > PREALLOCATED {
            file.seek(SeekFrom::Start(0))?;
            written = 0;
        }
        let start = clock.now();
        file.write_all(&data)?;
        file.sync_data()?;
        times.saturating_record(clock.now().saturating_sub(start));
        written = written.saturating_add(size);
    }
    Ok(times)
}

/// `50x32` as a pair.
fn shape(text: &str) -> Result<(usize, usize), String> {
    let parse = |number: &str| number.parse().ok().filter(|number| *number > 0_usize);
    text.split_once('x')
        .and_then(|(clients, outstanding)| Some((parse(clients)?, parse(outstanding)?)))
        .ok_or_else(|| format!("{text} is not of the form CLIENTSxOUTSTANDING, such as 50x32"))
}

const PREALLOCATED: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_two_positive_numbers() {
        assert_eq!(shape("50x32"), Ok((50, 32)));
        assert!(shape("50").is_err() && shape("0x1").is_err() && shape("ax1").is_err());
    }
}
