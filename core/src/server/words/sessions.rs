//! `dump`: sessions by the time they end, their ephemerals, connections. Source: `DumpCommand`, `ExpiryQueue#dump`.

use super::View;
use super::conns::address;
use super::numbers::Date;
use std::collections::BTreeMap;
use std::fmt::{self, Display, Write};

impl View<'_> {
    pub(super) fn dump(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "SessionTracker dump:")?;
        let sessions = self.replica.sessions().buckets();
        let sessions =
            sessions.map(|(at, ids)| (at, ids.iter().map(|id| format!("0x{id:x}")).collect()));
        self.sets("Session", &sessions.collect(), out)?;
        writeln!(out, "ephemeral nodes dump:")?;
        self.ephemerals(out)?;
        writeln!(out, "Connections dump:")?;
        let mut conns: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for conn in self.conns() {
            let line = format!("ip: {} sessionId: 0x{:x}", address(conn), conn.session);
            conns
                .entry(self.expiry(conn.deadline(), conn.stats.established))
                .or_default()
                .push(line);
        }
        self.sets("Connections", &conns, out)
    }

    fn ephemerals(&self, out: &mut String) -> fmt::Result {
        let owners: Vec<i64> = self.tree.ephemeral_sessions().collect();
        writeln!(out, "Sessions with Ephemerals ({}):", owners.len())?;
        for session in owners {
            writeln!(out, "0x{session:x}:")?;
            for path in self.tree.ephemerals(session) {
                writeln!(out, "\t{path}")?;
            }
        }
        Ok(())
    }

    /// What expires when; the keys are times of the monotonic clock.
    fn sets(
        &self,
        what: impl Display,
        sets: &BTreeMap<i64, Vec<String>>,
        out: &mut String,
    ) -> fmt::Result {
        let elements: usize = sets.values().map(Vec::len).sum();
        writeln!(out, "{what} Sets ({})/({elements}):", sets.len())?;
        for (&at, set) in sets {
            writeln!(out, "{} expire at {}:", set.len(), Date(self.wall(at)))?;
            for element in set {
                writeln!(out, "\t{element}")?;
            }
        }
        Ok(())
    }

    /// When a connection would be given up: with its session, or because none came. In Apache's steps.
    fn expiry(&self, deadline: Option<i64>, established: i64) -> i64 {
        let step = i64::from(self.facts.config.sessionless_cnxn_timeout_ms.max(1));
        let at = deadline.unwrap_or_else(|| established.saturating_add(step));
        (at / step).saturating_add(1).saturating_mul(step)
    }
}
