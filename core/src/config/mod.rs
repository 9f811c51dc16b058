//! `zoo.cfg`: its syntax, its keys, and the settings they make, of a standalone server or of a member of an ensemble.
//!
//! [`load`] reads a file, [`ServerConfig::from_properties`] reads text, [`ConfigBuilder`] adds
//! settings of the command line on top, and [`ServerConfig`] is the result: plain values for the
//! server to follow. Every key of the administrator's guide of ZooKeeper 3.9 is in the table of
//! [`keys`]: honoured, or refused or warned about by name. The disk is touched by `load`, and by `build` for what a member of an
//! ensemble keeps in files of its own: its number (`myid`) and, if a key says so, the list of members.

mod builder;
mod checks;
mod draft;
mod dynamic;
mod ensemble;
mod ensemble_config;
mod ensemble_problem;
mod error;
mod key;
pub mod keys;
mod members;
mod myid;
pub mod properties;
mod quorum_tls;
mod server_config;
mod slot;
mod suggest;
mod types;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Read;
use std::path::Path;

pub use builder::ConfigBuilder;
pub use ensemble_config::EnsembleConfig;
pub(crate) use ensemble_config::SNAPSHOT_SIZE_FACTOR;
pub use ensemble_problem::EnsembleProblem;
pub use error::{ConfigError, Origin, Warning, WarningKind};
pub use key::{Disposition, Key, Kind, MemberKey, Section, Source};
pub use quorate_engine::quorum::Weakness;
pub use quorate_wire::quorum::membership;
pub use quorum_tls::{ClientAuth, QuorumTls};
pub use server_config::{
    AutoPurge, ConnectionThrottle, ContainerReaper, LargeRequests, RequestThrottle, ServerConfig,
};
pub use slot::Slot;
pub use types::{
    DigestAlgorithm, FourLetterWords, IoMode, ListenAddress, Secret, SnapshotCompression,
};

/// Reads a configuration file. To put settings of a command line on top, read the file with
/// [`read_file`] and use a [`ConfigBuilder`].
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// let file = directory.path().join("zoo.cfg");
/// std::fs::write(&file, "dataDir=/var/lib/zookeeper\nclientPort=2181\n")?;
/// let (config, warnings) = quorate::config::load(&file)?;
/// assert_eq!((config.client_port, warnings.len()), (Some(2181), 0));
/// assert!(quorate::config::load(&directory.path().join("missing.cfg")).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The file cannot be read, or any other [`ConfigError`] about its contents.
pub fn load(path: &Path) -> Result<(ServerConfig, Vec<Warning>), ConfigError> {
    let mut builder = ConfigBuilder::new();
    builder.load(path)?;
    builder.build()
}

/// Reads the bytes of a configuration file, as far as a configuration may be long.
///
/// ```
/// use quorate::config::{ConfigBuilder, read_file};
///
/// # let directory = tempfile::tempdir()?;
/// let file = directory.path().join("zoo.cfg");
/// std::fs::write(&file, "dataDir=/var/lib/zookeeper\nclientPort=2181\n")?;
/// let mut builder = ConfigBuilder::new();
/// builder.file(read_file(&file)?, "zoo.cfg")?;
/// // What the command line says comes on top.
/// builder.set("--set", "clientPort", "2182")?;
/// assert_eq!(builder.build()?.0.client_port, Some(2182));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ConfigError::Read`] if the system says so, [`ConfigError::TooLarge`] if there is more.
pub fn read_file(path: &Path) -> Result<Vec<u8>, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    let mut text = Vec::new();
    // One byte more than allowed, so that the builder sees that there is too much: a file may
    // grow while it is read, and a device never ends.
    let limit = builder::MAX_TEXT_BYTES.saturating_add(1);
    File::open(path).map_err(failed)?.take(limit).read_to_end(&mut text).map_err(failed)?;
    builder::check_size(&text, &path.display().to_string())?;
    Ok(text)
}
