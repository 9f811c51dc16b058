//! `conf`, `envi` and `dirs`: what the server was told, and where it runs. Source: `ZooKeeperServerConf`,
//! `EnvCommand`, `DirsCommand`.

use super::{Facts, View};
use crate::config::ServerConfig;
use std::fmt::{self, Write};
use std::path::Path;

impl View<'_> {
    pub(super) fn conf(&self, out: &mut String) -> fmt::Result {
        let (config, sizes) = (&self.facts.config, self.facts.dir_sizes());
        let dirs = self.facts.dirs();
        let show =
            |dir: Option<&Path>| dir.map_or_else(|| MEMORY.into(), |d| d.display().to_string());
        writeln!(out, "clientPort={}", self.facts.client_port())?;
        writeln!(out, "secureClientPort=-1")?;
        writeln!(out, "dataDir={}", show(dirs.as_ref().map(|(snapshots, _)| &**snapshots)))?;
        writeln!(out, "dataDirSize={}", sizes.snapshots)?;
        writeln!(out, "dataLogDir={}", show(dirs.as_ref().map(|(_, logs)| &**logs)))?;
        writeln!(out, "dataLogSize={}", sizes.logs)?;
        writeln!(out, "tickTime={}", config.tick_time_ms)?;
        writeln!(out, "maxClientCnxns={}", config.max_client_cnxns)?;
        writeln!(out, "minSessionTimeout={}", config.min_session_timeout())?;
        writeln!(out, "maxSessionTimeout={}", config.max_session_timeout())?;
        writeln!(out, "clientPortListenBacklog={}", backlog(config))?;
        self.conf_of_ensemble(out)
    }

    pub(super) fn envi(out: &mut String) -> fmt::Result {
        writeln!(out, "Environment:")?;
        for (key, value) in Facts::environment() {
            writeln!(out, "{key}={value}")?;
        }
        Ok(())
    }

    pub(super) fn dirs(&self, out: &mut String) -> fmt::Result {
        let sizes = self.facts.dir_sizes();
        writeln!(out, "datadir_size: {}", sizes.snapshots)?;
        writeln!(out, "logdir_size: {}", sizes.logs)
    }
}

/// The backlog as Apache names its default, which stands for Java's own of the same size.
fn backlog(config: &ServerConfig) -> i64 {
    match config.client_port_listen_backlog {
        JAVA_BACKLOG => -1,
        other => i64::from(other),
    }
}

const JAVA_BACKLOG: u32 = 50;
/// In place of a directory, for a server without one.
const MEMORY: &str = "(memory)";
