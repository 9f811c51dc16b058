//! The content of one simulated file: as the process sees it, and what of it a power failure may take back.

use super::random::Random;
use std::collections::BTreeMap;
use std::ops::Range;

/// A file without a name.
#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    /// As the process sees it.
    pub(super) data: Vec<u8>,
    /// Sectors that were changed since the last sync, as they were then; short where the file ended.
    before: BTreeMap<usize, Vec<u8>>,
    /// The length at the last sync.
    synced_len: usize,
    /// A sync failed, so that nobody knows what is on the device.
    failed: bool,
}

impl Inode {
    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        let Ok(start) = usize::try_from(offset) else { return };
        let end = start.saturating_add(bytes.len());
        self.keep(start..end);
        if self.data.len() < end {
            self.data.resize(end, 0);
        }
        if let Some(slot) = self.data.get_mut(start..end) {
            slot.copy_from_slice(bytes);
        }
    }

    pub(super) fn set_len(&mut self, len: usize) {
        if len < self.data.len() {
            self.keep(len..self.data.len());
        }
        self.data.resize(len, 0);
    }

    pub(super) fn sync(&mut self) {
        if !self.failed {
            self.before.clear();
            self.synced_len = self.data.len();
        }
    }

    /// Whether nothing of it would be lost.
    pub(super) fn is_synced(&self) -> bool {
        !self.failed && self.before.is_empty() && self.synced_len == self.data.len()
    }

    /// A sync has failed.
    pub(super) const fn fail(&mut self) {
        self.failed = true;
    }

    pub(super) const fn is_failed(&self) -> bool {
        self.failed
    }

    /// Flips bits of a byte; returns what it is now.
    pub(super) fn flip(&mut self, at: usize, mask: u8) -> u8 {
        self.data.get_mut(at).map_or(0, |byte| {
            *byte ^= mask;
            *byte
        })
    }

    /// Loses what was not synced, or part of it. What is left is on the device. Returns the bits that were flipped
    /// in surviving sectors.
    pub(super) fn lose(
        &mut self,
        random: &mut Random,
        flip_per_mille: u64,
    ) -> Vec<(usize, u8, u8)> {
        let mut flips = Vec::new();
        let dirty: Vec<usize> = self.before.keys().copied().collect();
        // All, nothing, each sector by itself, or everything up to some byte.
        let fate = random.below(4);
        let cut = match (dirty.first(), dirty.last()) {
            (Some(first), Some(last)) => {
                first * SECTOR + random.index((last + 1 - first) * SECTOR + 1)
            }
            _ => 0,
        };
        for &sector in &dirty {
            let start = sector * SECTOR;
            let kept = match fate {
                0 => SECTOR,
                1 => 0,
                2 if random.chance(500) => SECTOR,
                2 => 0,
                _ => cut.saturating_sub(start).min(SECTOR),
            };
            self.restore(sector, kept);
            if kept == SECTOR && random.chance(flip_per_mille) && start < self.data.len() {
                let at = start + random.index(SECTOR.min(self.data.len() - start));
                let mask = 1 << random.below(8);
                flips.push((at, mask, self.flip(at, mask)));
            }
        }
        let len = match fate {
            0 => self.data.len(),
            1 => self.synced_len,
            3 if self.synced_len <= cut => cut.min(self.data.len()),
            _ if random.chance(500) => self.synced_len,
            _ => self.data.len(),
        };
        self.data.resize(len, 0);
        self.before.clear();
        self.synced_len = len;
        self.failed = false;
        flips.retain(|&(at, ..)| at < len);
        flips
    }

    /// Remembers the sectors of a range as they are, unless that has been done since the last sync.
    fn keep(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        for sector in range.start / SECTOR..=(range.end - 1) / SECTOR {
            let data = &self.data;
            self.before.entry(sector).or_insert_with(|| {
                let start = (sector * SECTOR).min(data.len());
                data.get(start..data.len().min(start + SECTOR)).unwrap_or_default().to_vec()
            });
        }
    }

    /// Takes a sector back to what it was, but for its first `kept` bytes.
    fn restore(&mut self, sector: usize, kept: usize) {
        let Some(before) = self.before.get(&sector) else { return };
        let start = sector * SECTOR;
        if self.data.len() < start + before.len() {
            self.data.resize(start + before.len(), 0);
        }
        let end = self.data.len().min(start + SECTOR);
        for at in (start + kept).min(end)..end {
            if let Some(byte) = self.data.get_mut(at) {
                *byte = before.get(at - start).copied().unwrap_or(0);
            }
        }
    }
}

/// The part of a range of offsets that lies within `len`.
pub(super) fn range(from: u64, to: u64, len: usize) -> Range<usize> {
    let clip = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).min(len);
    clip(from)..clip(to)
}

/// What a device writes as a whole.
pub(super) const SECTOR: usize = 512;
