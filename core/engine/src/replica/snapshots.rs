//! When a snapshot is due: by number of transactions or by bytes of log, spread so that the members of an
//! ensemble do not write theirs at once. Source: `SyncRequestProcessor#shouldSnapshot`.

use quorate_wire::Zxid;

/// Thresholds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotConfig {
    /// Transactions between snapshots (`snapCount`); one is due after half of it to all of it.
    pub count: u64,
    /// Bytes of log between snapshots; 0 for no such limit.
    pub bytes: u64,
    /// Which part of the spread this server takes.
    pub seed: u64,
}

impl Default for SnapshotConfig {
    fn default() -> Self {
        Self { count: 100_000, bytes: 4 << 30, seed: 0 }
    }
}

#[derive(Debug)]
pub(super) struct SnapshotClock {
    config: SnapshotConfig,
    count: u64,
    bytes: u64,
    /// In thousandths of half the threshold.
    spread: u64,
}

impl SnapshotClock {
    pub(super) fn new(config: SnapshotConfig, last: Zxid, count: u64) -> Self {
        Self { config, count, bytes: 0, spread: spread(config.seed, last) }
    }

    pub(super) fn count(&mut self, bytes: usize) {
        self.count += 1;
        self.bytes += u64::try_from(bytes).unwrap_or(0);
    }

    pub(super) fn due(&mut self, last: Zxid) -> bool {
        let after =
            |whole: u64| (whole / 2).saturating_add((whole / 2).saturating_mul(self.spread) / 1000);
        let due = self.count > after(self.config.count)
            || (self.config.bytes > 0 && self.bytes > after(self.config.bytes));
        if due {
            *self = Self::new(self.config, last, 0);
        }
        due
    }
}

/// A number below 1000 that looks random and is the same everywhere.
const fn spread(seed: u64, last: Zxid) -> u64 {
    let mixed = (seed ^ last.0.cast_unsigned()).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 32) % 1000
}
