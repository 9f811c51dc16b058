//! What a server process costs: CPU time and resident memory, from `/proc`.
//!
//! Only Linux has these files; elsewhere every figure is an error that says so. Resolution of CPU time
//! is one tick (10 ms), so measure over seconds.

use anyhow::{Context, Result};
use std::fs;
use std::iter::Sum;
use std::time::Duration;

/// Processes to be watched as one, perhaps none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Processes(Vec<Process>);

impl Processes {
    /// The sum of their processor times; `None` when there are none.
    pub(super) fn cpu(&self) -> Result<Option<Duration>> {
        self.total(Process::cpu)
    }

    /// The sum of their resident memory, bytes; `None` when there are none.
    pub(super) fn rss(&self) -> Result<Option<u64>> {
        self.total(Process::rss)
    }

    fn total<T: Sum>(&self, of: impl Fn(Process) -> Result<T>) -> Result<Option<T>> {
        let found = self.0.iter().map(|process| of(*process)).collect::<Result<Vec<_>>>()?;
        Ok(if found.is_empty() { None } else { Some(found.into_iter().sum()) })
    }
}

impl FromIterator<u32> for Processes {
    fn from_iter<I: IntoIterator<Item = u32>>(pids: I) -> Self {
        Self(pids.into_iter().map(Process).collect())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Process(u32);

impl Process {
    /// User and system time of all its threads since it started.
    fn cpu(self) -> Result<Duration> {
        let path = format!("/proc/{}/stat", self.0);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        parse_cpu(&text).with_context(|| format!("{path} has an unknown form"))
    }

    /// Resident memory, bytes.
    fn rss(self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.0);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        parse_rss(&text).with_context(|| format!("{path} has no VmRSS line"))
    }
}

/// Fields 14 and 15 (utime, stime) of `/proc/<pid>/stat`; the name in field 2 may hold anything.
fn parse_cpu(stat: &str) -> Option<Duration> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis(user.checked_add(system)?.checked_mul(TICK_MS)?))
}

fn parse_rss(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// The kernel reports to user space in ticks of 1/100 s, whatever its own HZ (`USER_HZ`).
const TICK_MS: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_brackets_does_not_shift_the_fields() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 1 0 0 0 150 25 0 0 20 0 9 0 100 1 1";
        assert_eq!(parse_cpu(stat), Some(Duration::from_millis(1750)));
        assert_eq!(parse_cpu("42 (a"), None);
    }

    #[test]
    fn resident_memory_is_in_bytes() {
        assert_eq!(parse_rss("Name:\tx\nVmRSS:\t    12 kB\n"), Some(12 * 1024));
        assert_eq!(parse_rss("Name:\tx\n"), None);
    }
}
