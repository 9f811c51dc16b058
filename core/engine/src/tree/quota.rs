//! Quotas: which paths have one, what is allowed and what is used.
//!
//! A quota is a pair of ordinary nodes below `/zookeeper/quota<path>`, written by clients: `zookeeper_limits`
//! makes it active, the server keeps the totals in `zookeeper_stats`. The tree charges here; request
//! preparation asks [`QuotaView::check`].
//! Source: `org.apache.zookeeper.StatsTrack`, `Quotas`, `server.ZooKeeperServer#checkQuota`.

use super::apply::signed_len;
use super::{NodeId, Tree, digest};
use quorate_wire::path;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// What a quota allows. Negative or absent values in the node are no limit, `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuotaLimits {
    /// Nodes, soft.
    pub count: Option<i64>,
    /// Bytes of data, soft.
    pub bytes: Option<i64>,
    /// Nodes, hard.
    pub count_hard: Option<i64>,
    /// Bytes of data, hard.
    pub bytes_hard: Option<i64>,
}

/// An active quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaView {
    /// The path it holds for, with everything below.
    pub path: String,
    /// What is allowed.
    pub limits: QuotaLimits,
    /// Nodes charged.
    pub count: i64,
    /// Bytes of data charged.
    pub bytes: i64,
}

/// A limit that a change would exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaBreach {
    /// Whether the change must be refused where quotas are enforced. A soft limit only asks for a log line.
    pub hard: bool,
    /// `count` or `bytes`.
    pub kind: &'static str,
    /// The total after the change.
    pub total: i64,
    /// The limit.
    pub limit: i64,
}

impl QuotaView {
    /// Judges a change: `count` nodes more (0 for setData), `bytes` more. A hard limit replaces the soft one
    /// of its kind; a hard breach wins over a soft one, of two the count's.
    #[must_use]
    pub fn check(&self, count: i64, bytes: i64) -> Option<QuotaBreach> {
        let limits = &self.limits;
        let nodes = breach("count", count, self.count, limits.count_hard, limits.count);
        let data = breach("bytes", bytes, self.bytes, limits.bytes_hard, limits.bytes);
        match (nodes, data) {
            (Some(soft), Some(hard)) if !soft.hard && hard.hard => Some(hard),
            (nodes, data) => nodes.or(data),
        }
    }
}

fn breach(
    kind: &'static str,
    more: i64,
    used: i64,
    hard: Option<i64>,
    soft: Option<i64>,
) -> Option<QuotaBreach> {
    let limit = hard.or(soft).filter(|_| more != 0)?;
    let total = used.saturating_add(more);
    (total > limit).then_some(QuotaBreach { hard: hard.is_some(), kind, total, limit })
}

impl Tree {
    /// Charges a change to the deepest quota on its path. The totals are written without a trace in the stat.
    pub(super) fn charge(&mut self, path: &str, count: i64, bytes: i64) {
        let Some(stats) = self.quotas.deepest(path).map(stats_path) else { return };
        let Some(id) = self.find(&stats) else { return };
        let mut track = StatsTrack::parse(self.data(id));
        track.add(count, bytes);
        self.write_totals(id, &stats, &track);
    }

    /// Writes the present totals of a path, itself included, into its stats node, if there is one.
    pub(super) fn recount(&mut self, path: &str) {
        let stats = stats_path(path);
        let Some(id) = self.find(&stats) else { return };
        let (mut count, mut bytes) = (0, 0);
        if let Some(top) = self.find(path) {
            for id in std::iter::once(top).chain(self.nodes.below(top)) {
                count += 1;
                bytes += signed_len(self.data(id));
            }
        }
        self.write_totals(id, &stats, &StatsTrack::new(count, bytes));
    }

    fn write_totals(&mut self, id: NodeId, path: &str, track: &StatsTrack) {
        let text = track.text();
        let more = signed_len(Some(text.as_bytes())) - signed_len(self.data(id));
        let crc = if self.config.digest { digest::prefix(path, Some(text.as_bytes())) } else { 0 };
        self.change(id, path, |node| {
            node.set_data(Some(text.as_bytes()));
            node.crc = crc;
        });
        self.data_size = self.data_size.wrapping_add_signed(more);
    }
}

/// The paths with an active quota.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    active: BTreeSet<Box<str>>,
}

impl Quotas {
    pub(super) fn activate(&mut self, path: &str) {
        self.active.insert(Box::from(path));
    }

    pub(super) fn deactivate(&mut self, path: &str) {
        self.active.remove(path);
    }

    /// The deepest active quota on or above `path`: the one that is charged.
    pub(super) fn deepest<'p>(&self, path: &'p str) -> Option<&'p str> {
        if self.active.is_empty() {
            return None;
        }
        let mut at = path;
        while !at.is_empty() {
            if self.active.contains(at) {
                return Some(at);
            }
            at = path::parent(at);
        }
        None
    }
}

/// The path whose quota the children of `parent` describe. The root cannot have one.
pub(super) fn governed(parent: &str) -> Option<&str> {
    parent.strip_prefix(ROOT).filter(|path| path.starts_with('/'))
}

/// Where the limits of `path` are.
pub(super) fn limits_path(path: &str) -> String {
    format!("{ROOT}{path}/{LIMITS}")
}

/// Where the totals of `path` are.
pub(super) fn stats_path(path: &str) -> String {
    format!("{ROOT}{path}/{STATS}")
}

/// The numbers in a limits or stats node: `count` and `bytes`, then whatever else there is.
///
/// Reading is lenient where Apache would fail: what is no `key=number` is skipped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StatsTrack {
    pairs: BTreeMap<String, i64>,
}

impl StatsTrack {
    pub(super) fn new(count: i64, bytes: i64) -> Self {
        Self { pairs: [("count".into(), count), ("bytes".into(), bytes)].into() }
    }

    pub(super) fn parse(data: Option<&[u8]>) -> Self {
        let text = String::from_utf8_lossy(data.unwrap_or_default());
        let mut track = Self::default();
        for pair in text.split([',', ';']) {
            let mut halves = pair.split('=');
            let (Some(key), Some(value)) = (halves.next(), halves.next()) else { continue };
            match value {
                "" => track.set(key, -1),
                _ => _ = value.parse().map(|value| track.set(key, value)),
            }
        }
        track
    }

    /// -1 when absent.
    pub(super) fn get(&self, key: &str) -> i64 {
        self.pairs.get(key).copied().unwrap_or(-1)
    }

    /// Adds to both totals.
    pub(super) fn add(&mut self, count: i64, bytes: i64) {
        self.set("count", self.get("count").saturating_add(count));
        self.set("bytes", self.get("bytes").saturating_add(bytes));
    }

    pub(super) fn limits(&self) -> QuotaLimits {
        let limit = |key| Some(self.get(key)).filter(|limit| *limit > -1);
        QuotaLimits {
            count: limit("count"),
            bytes: limit("bytes"),
            count_hard: limit("countHardLimit"),
            bytes_hard: limit("byteHardLimit"),
        }
    }

    /// The node's text. The odd `=` keeps parsers of before 3.7 from reading on.
    pub(super) fn text(&self) -> String {
        let mut text = format!("count={},bytes={}", self.get("count"), self.get("bytes"));
        let others = self.pairs.iter().filter(|(key, _)| *key != "count" && *key != "bytes");
        for (n, (key, value)) in others.enumerate() {
            let odd = if n == 0 { "=" } else { "" };
            // Writing to a string does not fail.
            let _ = write!(text, "{odd};{key}={value}");
        }
        text
    }

    fn set(&mut self, key: &str, value: i64) {
        match self.pairs.get_mut(key) {
            Some(old) => *old = value,
            None => _ = self.pairs.insert(key.to_owned(), value),
        }
    }
}

/// Below this node quotas are described.
pub(super) const ROOT: &str = "/zookeeper/quota";
/// The node that holds limits.
pub(super) const LIMITS: &str = "zookeeper_limits";
/// The node that holds totals.
pub(super) const STATS: &str = "zookeeper_stats";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_what_apache_writes() {
        let text = "count=4,bytes=5=;byteHardLimit=10;countHardLimit=-1";
        let track = StatsTrack::parse(Some(text.as_bytes()));
        assert_eq!(track.text(), text);
        let limits =
            QuotaLimits { count: Some(4), bytes: Some(5), bytes_hard: Some(10), count_hard: None };
        assert_eq!(track.limits(), limits);
        assert_eq!(StatsTrack::parse(None).text(), "count=-1,bytes=-1");
        assert_eq!(
            StatsTrack::parse(Some(b"bytes=,,;x;count=zz;count=7")).text(),
            "count=7,bytes=-1"
        );
        assert_eq!(
            StatsTrack::parse(Some(b"z=1;b=2;count=3;z=4")).text(),
            "count=3,bytes=-1=;b=2;z=4"
        );
    }

    #[test]
    fn a_hard_limit_replaces_the_soft_one() {
        let limits = QuotaLimits { count: Some(1), count_hard: Some(3), ..QuotaLimits::default() };
        let mut view = QuotaView { path: "/a".into(), limits, count: 2, bytes: 0 };
        assert_eq!(view.check(1, 100), None);
        assert_eq!(view.check(2, 0).map(|b| (b.hard, b.total, b.limit)), Some((true, 4, 3)));
        view.limits.count_hard = None;
        assert_eq!(view.check(1, 0).map(|b| b.hard), Some(false));
        assert_eq!(view.check(0, 50), None, "setData does not count nodes");
        view.limits.bytes_hard = Some(10);
        assert_eq!(view.check(1, 11).map(|b| b.kind), Some("bytes"), "hard before soft");
    }

    #[test]
    fn the_deepest_quota_is_charged() {
        let mut quotas = Quotas::default();
        assert_eq!(quotas.deepest("/a/b"), None);
        quotas.activate("/a");
        quotas.activate("/a/b");
        assert_eq!(quotas.deepest("/a/b/c"), Some("/a/b"));
        assert_eq!(quotas.deepest("/a/bc"), Some("/a"));
        quotas.deactivate("/a/b");
        assert_eq!(quotas.deepest("/a/b/c"), Some("/a"));
        assert_eq!(quotas.deepest("/ab"), None);
    }
}
