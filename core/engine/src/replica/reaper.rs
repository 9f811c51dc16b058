//! Removes containers and TTL nodes that nobody needs any more. Source: `ContainerManager`.
//!
//! It only proposes: each removal is judged like a request, so a child created meanwhile wins.

use super::Now;
use crate::tree::Tree;

/// How often and how many; times in ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaperConfig {
    /// Time between looks (`znode.container.checkIntervalMs`).
    pub interval: i64,
    /// Most removals in a minute (`znode.container.maxPerMinute`).
    pub max_per_minute: i64,
    /// Age at which a container that never had a child goes; 0 for never.
    pub max_never_used: i64,
}

impl Default for ReaperConfig {
    fn default() -> Self {
        Self { interval: 60_000, max_per_minute: 10_000, max_never_used: 0 }
    }
}

#[derive(Debug)]
pub(super) struct Reaper {
    config: ReaperConfig,
    next: i64,
}

impl Reaper {
    pub(super) fn new(config: ReaperConfig, now: i64) -> Self {
        Self { config, next: now.saturating_add(config.interval.max(1)) }
    }

    pub(super) const fn next(&self) -> Option<i64> {
        Some(self.next)
    }

    /// Paths to remove now.
    pub(super) fn due(&mut self, tree: &Tree, now: Now) -> Vec<String> {
        if now.mono < self.next {
            return Vec::new();
        }
        let interval = self.config.interval.max(1);
        self.next = now.mono.saturating_add(interval);
        let most = self.config.max_per_minute.saturating_mul(interval) / 60_000;
        tree.reapable(now.wall, self.config.max_never_used)
            .take(usize::try_from(most.max(1)).unwrap_or(1))
            .collect()
    }
}
