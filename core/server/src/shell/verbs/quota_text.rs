//! The text of a quota node: `count=5,bytes=-1=;byteHardLimit=100;countHardLimit=-1`.
//!
//! The odd `=` before the hard limits keeps parsers of the 3.4 era from seeing them. Source:
//! `org.apache.zookeeper.StatsTrack`.

use std::collections::BTreeMap;

/// Limits, or totals, of a subtree. -1 means that there is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct QuotaText {
    values: BTreeMap<String, i64>,
}

impl QuotaText {
    pub(super) const COUNT: &'static str = "count";
    pub(super) const BYTES: &'static str = "bytes";
    pub(super) const COUNT_HARD: &'static str = "countHardLimit";
    pub(super) const BYTES_HARD: &'static str = "byteHardLimit";

    /// Four limits, all absent, as zkCli writes them into a new quota.
    pub(super) fn unlimited() -> Self {
        let mut text = Self::default();
        for key in [Self::COUNT, Self::BYTES, Self::COUNT_HARD, Self::BYTES_HARD] {
            text.set(key, -1);
        }
        text
    }

    /// Totals of nothing.
    pub(super) fn zero() -> Self {
        let mut text = Self::default();
        text.set(Self::COUNT, 0);
        text.set(Self::BYTES, 0);
        text
    }

    /// Reads a node's data; `None` when it is no such text.
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let mut values = BTreeMap::new();
        for pair in std::str::from_utf8(data).ok()?.split([',', ';']).filter(|p| !p.is_empty()) {
            let mut parts = pair.split('=');
            let key = parts.next()?;
            let value = match parts.next()? {
                "" => -1,
                number => number.parse().ok()?,
            };
            values.insert(key.to_owned(), value);
        }
        Some(Self { values })
    }

    pub(super) fn get(&self, key: &str) -> i64 {
        self.values.get(key).copied().unwrap_or(-1)
    }

    pub(super) fn set(&mut self, key: &str, value: i64) {
        self.values.insert(key.to_owned(), value);
    }

    /// Whether `totals` exceed either of two limits.
    pub(super) fn is_exceeded(&self, soft: &str, hard: &str, total: i64) -> bool {
        [soft, hard].into_iter().map(|key| self.get(key)).any(|limit| limit > -1 && limit < total)
    }
}

impl std::fmt::Display for QuotaText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "count={},bytes={}", self.get(Self::COUNT), self.get(Self::BYTES))?;
        let mut others = self
            .values
            .iter()
            .filter(|(key, _)| *key != Self::COUNT && *key != Self::BYTES)
            .peekable();
        if others.peek().is_some() {
            f.write_str("=")?;
        }
        others.try_for_each(|(key, value)| write!(f, ";{key}={value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_apache_s_and_survives_reading() {
        let mut text = QuotaText::unlimited();
        text.set(QuotaText::COUNT, 5);
        text.set(QuotaText::BYTES_HARD, 100);
        let expected = "count=5,bytes=-1=;byteHardLimit=100;countHardLimit=-1";
        assert_eq!(text.to_string(), expected);
        assert_eq!(QuotaText::parse(expected.as_bytes()), Some(text));
        assert_eq!(QuotaText::zero().to_string(), "count=0,bytes=0");
        assert_eq!(QuotaText::parse(b"count=5,bytes=7").map(|t| t.get("bytes")), Some(7));
        assert_eq!(QuotaText::parse(b"nonsense"), None);
    }
}
