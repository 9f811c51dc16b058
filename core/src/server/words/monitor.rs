//! `mntr`: the figures for monitoring, one per line, key and value with a tab between. Source: `MonitorCommand`,
//! `ServerMetrics`.
//!
//! The keys of Apache that have a meaning here keep their names. What has none (thread pools, caches, pauses of a
//! virtual machine) is left out rather than reported as 0. Keys of our own begin with `zk_quorate_`.

use super::facts::version;
use super::numbers::Average;
use super::{Facts, View};
use quorate_engine::shard::{Conn, Latency};
use std::fmt::{self, Display, Write};

impl View<'_> {
    pub(super) fn mntr(&self, out: &mut String) -> fmt::Result {
        line(out, "version", version())?;
        line(out, "server_state", self.mode)?;
        self.of_ensemble(out)?;
        self.of_tree(out)?;
        self.of_traffic(out)?;
        self.of_process(out)?;
        Self::of_apache_only(out)?;
        line(out, "quorate_io_shards", self.shards.len())?;
        line(out, "quorate_unsent_bytes", self.conns().map(Conn::unsent).sum::<usize>())
    }

    fn of_tree(&self, out: &mut String) -> fmt::Result {
        line(out, "znode_count", self.node_count())?;
        let watches: usize = self.shards.iter().map(|shard| shard.watches().total()).sum();
        line(out, "watch_count", watches)?;
        line(out, "ephemerals_count", self.tree.ephemeral_count())?;
        line(out, "approximate_data_size", self.tree.approximate_data_size())?;
        line(out, "global_sessions", self.tree.sessions().count())?;
        line(out, "local_sessions", self.replica.local_sessions())?;
        line(out, "digest_mismatches_count", self.replica.digest_mismatches())
    }

    fn of_traffic(&self, out: &mut String) -> fmt::Result {
        let stats = self.stats();
        let latency = stats.latency();
        line(out, "min_latency", latency.min)?;
        line(out, "avg_latency", Average::of(&latency))?;
        line(out, "max_latency", latency.max)?;
        line(out, "packets_received", stats.received)?;
        line(out, "packets_sent", stats.sent)?;
        line(out, "bytes_received_count", stats.bytes_received)?;
        line(out, "response_bytes", stats.responses.sum())?;
        let seen = stats.responses.seen().map(|(last, min, max)| [last, min, max]);
        for (at, key) in ["last", "min", "max"].into_iter().enumerate() {
            let size = seen.and_then(|seen| seen.get(at).copied());
            let size = size.map_or_else(|| "-1".to_owned(), |size| size.to_string());
            line(out, &format!("{key}_client_response_size"), size)?;
        }
        line(out, "num_alive_connections", self.conns().count())?;
        line(out, "outstanding_requests", self.replica.outstanding())?;
        line(out, "connection_request_count", stats.handshakes)?;
        line(out, "connection_revalidate_count", stats.resumed)?;
        line(out, "sessionless_connections_expired", stats.strangers_expired)?;
        line(out, "auth_failed_count", stats.auth_failed)?;
        self.of_limits(out)?;
        summary(out, "readlatency", &stats.reads)?;
        summary(out, "updatelatency", &stats.updates)
    }

    fn of_limits(&self, out: &mut String) -> fmt::Result {
        let figures = self.replica.limit_figures();
        // Debug, unlike Display, writes 0 as 0.0, as Java does.
        writeln!(out, "zk_connection_drop_probability\t{:?}", figures.drop_probability)?;
        line(out, "connection_drop_count", figures.sessions_refused)?;
        line(out, "request_throttle_wait_count", figures.requests_held)?;
        line(out, "stale_requests_dropped", figures.stale_dropped)?;
        line(out, "throttled_ops", figures.throttled)?;
        // The budget is common to all shards.
        let rejected = self.shards.first().map_or(0, |shard| shard.large_requests().rejected());
        line(out, "large_requests_rejected", rejected)
    }

    fn of_process(&self, out: &mut String) -> fmt::Result {
        line(out, "uptime", self.now.mono)?;
        line(out, "open_file_descriptor_count", Facts::open_files())?;
        line(out, "max_file_descriptor_count", Facts::max_files())
    }

    /// Figures that monitoring tools ask for and that are 0 by nature: there is no TLS towards clients yet.
    fn of_apache_only(out: &mut String) -> fmt::Result {
        line(out, "outstanding_tls_handshake", 0)?;
        line(out, "non_mtls_remote_conn_count", 0)?;
        line(out, "non_mtls_local_conn_count", 0)
    }
}

pub(super) fn line(out: &mut String, key: &str, value: impl Display) -> fmt::Result {
    writeln!(out, "zk_{key}\t{value}")
}

fn summary(out: &mut String, key: &str, times: &Latency) -> fmt::Result {
    writeln!(out, "zk_avg_{key}\t{}", Average::of(times))?;
    writeln!(out, "zk_min_{key}\t{}", times.min)?;
    writeln!(out, "zk_max_{key}\t{}", times.max)?;
    writeln!(out, "zk_cnt_{key}\t{}", times.count)?;
    writeln!(out, "zk_sum_{key}\t{}", times.sum)
}
