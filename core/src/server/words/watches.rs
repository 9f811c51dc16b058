//! `wchs`, `wchc` and `wchp`: data watches in numbers, by session, by path. Source: `WatchManager`.

use super::View;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

/// Data watches by path.
type ByPath<'a> = BTreeMap<&'a str, BTreeSet<i64>>;

impl View<'_> {
    pub(super) fn wchs(&self, out: &mut String) -> fmt::Result {
        let by_path = self.data_watches();
        let sessions: BTreeSet<_> = by_path.values().flatten().collect();
        let total: usize = by_path.values().map(BTreeSet::len).sum();
        writeln!(out, "{} connections watching {} paths", sessions.len(), by_path.len())?;
        writeln!(out, "Total watches:{total}")
    }

    pub(super) fn wchc(&self, out: &mut String) -> fmt::Result {
        let mut by_session: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
        for (path, sessions) in self.data_watches() {
            for session in sessions {
                by_session.entry(session).or_default().push(path);
            }
        }
        for (session, paths) in by_session {
            writeln!(out, "0x{session:x}")?;
            for path in paths {
                writeln!(out, "\t{path}")?;
            }
        }
        writeln!(out)
    }

    pub(super) fn wchp(&self, out: &mut String) -> fmt::Result {
        for (path, sessions) in self.data_watches() {
            writeln!(out, "{path}")?;
            for session in sessions {
                writeln!(out, "\t0x{session:x}")?;
            }
        }
        writeln!(out)
    }

    /// Of all shards. A session has one connection, so sessions stand for connections.
    fn data_watches(&self) -> ByPath<'_> {
        let mut by_path = ByPath::new();
        for shard in &self.shards {
            for (path, slots) in shard.watches().data_watches() {
                let sessions = slots.iter().filter_map(|&slot| shard.in_slot(slot));
                by_path.entry(path).or_default().extend(sessions.map(|conn| conn.session));
            }
        }
        by_path
    }
}
