//! What only the driver knows: configuration, address, files, process, machine.

use crate::config::ServerConfig;
use crate::storage::{DirSizes, Storage};
use rustix::process::{Resource, getrlimit};
use rustix::system::uname;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the engines do not know.
pub(in crate::server) struct Facts {
    pub(super) config: ServerConfig,
    pub(super) address: Option<SocketAddr>,
    storage: Option<Arc<Storage>>,
}

impl Facts {
    pub(in crate::server) fn new(
        config: &ServerConfig,
        address: Option<SocketAddr>,
        storage: Option<Arc<Storage>>,
    ) -> Self {
        Self { config: config.clone(), address, storage }
    }

    /// The port that clients use; -1 when there is none.
    pub(super) fn client_port(&self) -> i32 {
        self.address.map_or(-1, |address| i32::from(address.port()))
    }

    /// Sizes of the data directories; nothing for a server in memory or when they cannot be read.
    pub(super) fn dir_sizes(&self) -> DirSizes {
        let sizes = self.storage.as_ref().and_then(|storage| storage.dir_sizes().ok());
        sizes.unwrap_or(DirSizes { snapshots: 0, logs: 0 })
    }

    /// The directories of snapshots and of logs, absolute; `None` for a server in memory.
    pub(super) fn dirs(&self) -> Option<(PathBuf, PathBuf)> {
        self.storage.as_ref()?;
        let version_2 = |dir: &Path| {
            let dir = dir.join("version-2");
            std::path::absolute(&dir).unwrap_or(dir)
        };
        Some((version_2(&self.config.data_dir), version_2(self.config.log_dir())))
    }

    /// File descriptors of the process that are open; -1 when the system does not tell.
    pub(super) fn open_files() -> i64 {
        let listed =
            ["/proc/self/fd", "/dev/fd"].iter().find_map(|dir| std::fs::read_dir(dir).ok());
        // The listing's own descriptor is in the list.
        listed.map_or(-1, |list| i64::try_from(list.count()).unwrap_or(i64::MAX).saturating_sub(1))
    }

    /// File descriptors that the process may open.
    pub(super) fn max_files() -> u64 {
        getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX >> 1)
    }

    /// The lines of `envi`: Apache's keys, but for those that describe a Java virtual machine.
    pub(super) fn environment() -> Vec<(&'static str, String)> {
        let system = uname();
        let text = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
        let variable = |names: &[&str]| {
            // Java has a question mark for what it cannot find out.
            names.iter().find_map(|name| std::env::var(name).ok()).unwrap_or_else(|| "?".to_owned())
        };
        let dir =
            std::env::current_dir().map_or_else(|_| "?".to_owned(), |d| d.display().to_string());
        vec![
            ("zookeeper.version", version()),
            ("host.name", text(system.nodename())),
            ("os.name", text(system.sysname())),
            ("os.arch", java_arch(std::env::consts::ARCH).to_owned()),
            ("os.version", text(system.release())),
            ("user.name", variable(&["USER", "LOGNAME"])),
            ("user.home", variable(&["HOME"])),
            ("user.dir", dir),
        ]
    }
}

/// The version, as clients and tools read it: they take the three numbers in front for ZooKeeper's and choose by them
/// what they may ask for (kazoo's `server_version`, exporters). So the line names the release of ZooKeeper whose protocol
/// and behaviour this server has, and then its own version. Builds carry no date, so that they are reproducible; the
/// text behind `built on` only keeps the line's form.
pub(super) fn version() -> String {
    format!("{ZOOKEEPER}-quorate-{}, built on 2026-11-22 00:00 UTC", env!("CARGO_PKG_VERSION"))
}

/// Java's name of a processor.
fn java_arch(name: &str) -> &str {
    match name {
        "x86_64" => "amd64",
        "x86" => "i386",
        other => other,
    }
}

/// The release of ZooKeeper that this server behaves like.
const ZOOKEEPER: &str = "3.9.4";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_begins_with_three_numbers() {
        let version = version();
        let (numbers, rest) = version.split_once('-').unwrap();
        let numbers: Vec<u32> = numbers.split('.').map(|n| n.parse().unwrap()).collect();
        assert_eq!(numbers.len(), 3);
        assert!(rest.contains(", built on "));
    }

    #[test]
    fn the_process_has_open_files_and_a_limit() {
        let (open, max) = (Facts::open_files(), Facts::max_files());
        assert!(open > 2 && u64::try_from(open).unwrap() <= max, "{open} of {max}");
        let environment = Facts::environment();
        assert!(environment.iter().all(|(_, value)| !value.is_empty() && !value.contains('\n')));
    }
}
