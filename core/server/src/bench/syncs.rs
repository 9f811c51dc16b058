//! `syncs`: how late the device alone makes durable writes that come at a fixed rate. No server is needed.
//!
//! What a transaction log does and nothing else: whatever is due is written in one piece and synced, again and
//! again. It is the yardstick for tails of `mix --reads 0 --rate`, and with `--beside` for tails while something large
//! is written to the same device, as a snapshot is.

use super::clock::{Clock, float, nanos, seconds};
use super::load::Schedule;
use super::metric::{Better, Outcome, histogram};
use super::options::{duration, positive};
use super::request;
use crate::stop::Stop;
use anyhow::{Context as _, Result};
use hdrhistogram::Histogram;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Options of `syncs`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Syncs {
    /// A directory on the file system where servers keep their data.
    #[arg(long, default_value = ".", value_name = "DIR")]
    dir: PathBuf,
    /// Writes a second, each at its intended time (open loop).
    #[arg(long, default_value_t = 1000.0, value_name = "PER_SECOND", value_parser = positive)]
    rate: f64,
    /// Bytes of a write.
    #[arg(long, default_value_t = 256, value_name = "BYTES")]
    size: usize,
    /// Megabytes a second that go to other files meanwhile, synced piece by piece.
    #[arg(long, value_name = "MB", value_parser = positive)]
    beside: Option<f64>,
    /// Seconds that are measured.
    #[arg(long, default_value = "5", value_name = "SECONDS", value_parser = duration)]
    seconds: Duration,
}

impl Syncs {
    /// Measures it.
    ///
    /// # Errors
    /// When files fail.
    pub(super) fn run(&self, stop: &Stop) -> Result<Outcome> {
        let title = format!("{} durable writes/s of {} bytes", self.rate, self.size);
        let mut outcome = Outcome::new(title);
        let log = Scratch::create(&self.dir, "log")?;
        log.file.write_all_at(&vec![0; PREALLOCATED], 0)?;
        log.file.sync_all()?;
        let over = Stop::default();
        let times = std::thread::scope(|scope| -> Result<Histogram<u64>> {
            let until = &over;
            let beside = |rate| scope.spawn(move || self.write_beside(rate, until));
            let writer = self.beside.map(beside);
            let times = self.sync_loop(&log.file, stop);
            over.request();
            if let Some(Ok(written)) = writer.map(std::thread::ScopedJoinHandle::join) {
                let rate = float(written?) / 1e6 / self.seconds.as_secs_f64();
                outcome.add("beside", rate, "MB/s", Better::Neither);
            }
            times
        })?;
        outcome.add_latency("write", &times);
        outcome.partial = stop.requested();
        Ok(outcome)
    }

    fn sync_loop(&self, file: &File, stop: &Stop) -> Result<Histogram<u64>> {
        let data = request::payload(self.size);
        let (mut times, mut group, mut intended) = (histogram()?, Vec::new(), Vec::new());
        let clock = Clock::start();
        let mut schedule = Schedule::new(0, self.rate);
        let mut end = 0;
        // What is intended for later is never taken, however late the last of the others is.
        let last = nanos(self.seconds).saturating_sub(1);
        while schedule.next() <= last && !stop.requested() {
            while let Some(due) = schedule.take_due(clock.now().min(last)) {
                intended.push(due);
                group.extend_from_slice(&data);
            }
            if intended.is_empty() {
                let wait = schedule.next().saturating_sub(clock.now());
                std::thread::sleep(Duration::from_nanos(wait));
                continue;
            }
            let len = super::clock::count(group.len());
            if len.saturating_add(end) > super::clock::count(PREALLOCATED) {
                end = 0;
            }
            file.write_all_at(&group, end)?;
            file.sync_data()?;
            end = end.saturating_add(len);
            let now = clock.now();
            for due in intended.drain(..) {
                times.saturating_record(now.saturating_sub(due));
            }
            group.clear();
        }
        Ok(times)
    }

    /// Files as large as a snapshot of a million nodes, one after the other. Returns how many bytes were written.
    fn write_beside(&self, megabytes: f64, over: &Stop) -> Result<u64> {
        let piece = request::payload(PIECE);
        let clock = Clock::start();
        let mut written = 0_u64;
        // All of them live to the end: it is not asked what giving back space costs.
        let mut files = Vec::new();
        while !over.requested() {
            let scratch = Scratch::create(&self.dir, &format!("beside-{}", files.len()))?;
            let mut end = 0;
            while end < FILE && !over.requested() {
                scratch.file.write_all_at(&piece, end)?;
                scratch.file.sync_data()?;
                end = end.saturating_add(super::clock::count(PIECE));
                written = written.saturating_add(super::clock::count(PIECE));
                let ahead = float(written) / (megabytes * 1e6) - seconds(clock.now());
                std::thread::sleep(Duration::try_from_secs_f64(ahead).unwrap_or_default());
            }
            files.push(scratch);
        }
        Ok(written)
    }
}

/// A file that goes away with the value.
struct Scratch {
    file: File,
    path: PathBuf,
}

impl Scratch {
    fn create(dir: &Path, name: &str) -> Result<Self> {
        let path = dir.join(format!("quorate-bench-{}-{name}.tmp", std::process::id()));
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { file, path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing more can be done about it, and its name tells where it comes from.
        let _ = fs::remove_file(&self.path);
    }
}

const PREALLOCATED: usize = 64 << 20;
/// Bytes that are written and synced at once beside the log.
const PIECE: usize = 256 << 10;
/// Bytes of a file beside the log.
const FILE: u64 = 200 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_write_of_the_schedule_is_measured_and_nothing_is_left_behind() {
        let dir = std::env::temp_dir().join(format!("quorate-syncs-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let syncs = Syncs {
            dir: dir.clone(),
            rate: 500.0,
            size: 100,
            beside: Some(1.0),
            seconds: Duration::from_millis(200),
        };
        let outcome = syncs.run(&Stop::default()).unwrap();
        assert!(outcome.get("write_p99.9").unwrap().value > 0.0, "{outcome:?}");
        assert!(outcome.get("beside").unwrap().value > 0.0, "{outcome:?}");
        let log = Scratch::create(&dir, "log").unwrap();
        assert_eq!(syncs.sync_loop(&log.file, &Stop::default()).unwrap().len(), 100);
        drop(log);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
        fs::remove_dir(&dir).unwrap();
    }
}
