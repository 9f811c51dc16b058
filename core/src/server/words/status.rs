//! `srvr` and `stat`, the server in brief, and `hash`. Source: `ServerStats#toString`, `StatCommand`, `HashCommand`.

use super::View;
use super::facts::version;
use super::numbers::Average;
use std::fmt::{self, Write};

impl View<'_> {
    pub(super) fn srvr(&self, out: &mut String) -> fmt::Result {
        self.heading(out)?;
        self.figures(out)
    }

    pub(super) fn stat(&self, out: &mut String) -> fmt::Result {
        self.heading(out)?;
        writeln!(out, "Clients:")?;
        for conn in self.conns() {
            self.brief(conn, out)?;
            writeln!(out, ")")?;
        }
        writeln!(out)?;
        self.figures(out)
    }

    fn heading(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "Zookeeper version: {}", version())?;
        if self.is_read_only() {
            writeln!(out, "READ-ONLY mode; serving only read-only clients")?;
        }
        Ok(())
    }

    pub(super) fn hash(&self, out: &mut String) -> fmt::Result {
        for (zxid, digest) in self.tree.digest_log() {
            // Apache's digest is a signed number.
            writeln!(out, "{:x}: {}", zxid.0, digest.cast_signed())?;
        }
        Ok(())
    }

    /// Nodes as Apache counts them: the root has the two names `` and `/`.
    pub(super) fn node_count(&self) -> usize {
        self.tree.node_count().saturating_add(1)
    }

    fn figures(&self, out: &mut String) -> fmt::Result {
        let stats = self.stats();
        let latency = stats.latency();
        let average = Average::of(&latency);
        writeln!(out, "Latency min/avg/max: {}/{average}/{}", latency.min, latency.max)?;
        writeln!(out, "Received: {}", stats.received)?;
        writeln!(out, "Sent: {}", stats.sent)?;
        writeln!(out, "Connections: {}", self.conns().count())?;
        writeln!(out, "Outstanding: {}", self.replica.outstanding())?;
        writeln!(out, "Zxid: 0x{:x}", self.last_zxid().0)?;
        writeln!(out, "Mode: {}", self.mode)?;
        writeln!(out, "Node count: {}", self.node_count())?;
        self.proposal_sizes(out)
    }
}
