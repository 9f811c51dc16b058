//! [`Roster`]: the configurations of an ensemble in the files of one of its members.
//!
//! | file | is |
//! |---|---|
//! | `zoo.cfg.dynamic.<version>` | the committed configuration; the version is in the name only |
//! | `zoo.cfg.dynamic.next` | one that is proposed, until it is committed or known to be no more |
//! | `zoo.cfg` | the settings of this server, with `dynamicConfigFile` for the first of these |
//! | `zoo.cfg.bak` | `zoo.cfg` as it was before it lost its members |
//!
//! Names and contents are Apache's, so that either can go on with the other's files. A server that was started by a program has no `zoo.cfg`; its
//! dynamic files are in the data directory, and the newest is the one that counts.
//!
//! **Architecture Invariant:** a proposed configuration is on the disk before the transaction that brings it is acknowledged, or a server that has
//! forgotten it could elect a leader whom the new members do not know.
//!
//! Source: `QuorumPeer#setQuorumVerifier`, `#setLastSeenQuorumVerifier`, `QuorumPeerConfig#editStaticConfig`, `#writeDynamicConfig`.

mod settings;
#[cfg(test)]
mod tests;

use crate::config::EnsembleConfig;
use quorate_engine::quorum::Quorums;
use quorate_wire::quorum::Membership;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where a member keeps the configurations of its ensemble.
#[derive(Debug)]
pub(crate) struct Roster {
    me: i64,
    /// What names of dynamic files begin with.
    base: PathBuf,
    /// Whether `base` is a file with settings of this server.
    has_settings: bool,
}

/// A file of a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot {action} {}, which holds the members of the ensemble: {cause}; reconfigEnabled needs a directory that this server may write to",
    path.display()
)]
pub struct RosterError {
    action: &'static str,
    path: PathBuf,
    cause: io::Error,
}

impl Roster {
    /// Opens the files of a member, and reads what they hold. `enabled`: whether configurations are replaced at all.
    pub(crate) fn open(
        ensemble: &EnsembleConfig,
        data_dir: &Path,
        enabled: bool,
    ) -> Result<(Self, Quorums), RosterError> {
        let base = ensemble.config_file.clone().unwrap_or_else(|| data_dir.join("zoo.cfg"));
        let roster = Self { me: ensemble.me, base, has_settings: ensemble.config_file.is_some() };
        let mut quorums = Quorums::new(ensemble.membership.clone());
        if enabled {
            roster.read(&mut quorums)?;
        }
        Ok((roster, quorums))
    }

    fn read(&self, quorums: &mut Quorums) -> Result<(), RosterError> {
        if !self.has_settings
            && let Some((version, path)) = self.dynamic_files()?.pop()
            && let Some(committed) = read(&path)?
        {
            quorums.commit(Membership { version, ..committed });
        }
        if let Some(pending) = read(&self.dynamic(NEXT))? {
            quorums.see(pending);
        }
        Ok(())
    }

    /// Takes note of a configuration that is proposed, or that none is any more.
    pub(crate) fn propose(&self, pending: Option<&Membership>) -> Result<(), RosterError> {
        let next = self.dynamic(NEXT);
        match pending {
            Some(membership) => {
                write(&next, &format!("{}\nversion={:x}", lines(membership), membership.version))
            }
            None => remove(&next),
        }
    }

    /// Takes note of a configuration that is committed. A proposed one that is newer stays.
    pub(crate) fn commit(&self, membership: &Membership) -> Result<(), RosterError> {
        let dynamic = self.dynamic(&format!("{:x}", membership.version));
        write(&dynamic, &lines(membership))?;
        if self.has_settings {
            self.point_to(&dynamic, membership)?;
        } else {
            self.forget_before(membership.version)?;
        }
        let next = self.dynamic(NEXT);
        match read(&next)? {
            Some(pending) if pending.version > membership.version => Ok(()),
            _ => remove(&next),
        }
    }

    /// Lets the file of settings name another dynamic file.
    fn point_to(&self, dynamic: &Path, membership: &Membership) -> Result<(), RosterError> {
        let bytes = fs::read(&self.base).map_err(failed("read", &self.base))?;
        let own = membership.servers.get(&self.me);
        let has_client = own.is_some_and(|own| own.client.is_some());
        let dynamic = fs::canonicalize(dynamic).map_err(failed("find", dynamic))?;
        let backup = suffixed(&self.base, ".bak");
        if settings::has_members(&bytes) && !backup.exists() {
            write_bytes(&backup, &bytes, &self.base)?;
        }
        let settings = settings::pointing_to(&bytes, &dynamic, has_client);
        write_bytes(&self.base, &settings, &self.base)
    }

    /// Where nothing names a file, older ones are of no use.
    fn forget_before(&self, version: i64) -> Result<(), RosterError> {
        let files = self.dynamic_files()?.into_iter();
        files.filter(|(older, _)| *older < version).try_for_each(|(_, path)| remove(&path))
    }

    /// All files of committed configurations, by their versions.
    fn dynamic_files(&self) -> Result<Vec<(i64, PathBuf)>, RosterError> {
        let (Some(dir), Some(base)) = (self.base.parent(), self.base.file_name()) else {
            return Ok(Vec::new());
        };
        let prefix = format!("{}{DYNAMIC}", base.to_string_lossy());
        let entries = match fs::read_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed("list", dir))?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed("list", dir))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let version = name.strip_prefix(&prefix).map(|hex| i64::from_str_radix(hex, 16));
            if let Some(Ok(version)) = version {
                files.push((version, path));
            }
        }
        files.sort();
        Ok(files)
    }

    fn dynamic(&self, version: &str) -> PathBuf {
        suffixed(&self.base, &format!("{DYNAMIC}{version}"))
    }
}

/// The members without the version, as dynamic files have them.
fn lines(membership: &Membership) -> String {
    let text = membership.to_string();
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("version=")).collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// What a file holds, if it is there.
fn read(path: &Path) -> Result<Option<Membership>, RosterError> {
    match fs::read_to_string(path) {
        Ok(text) => Membership::parse(&text).map(Some).map_err(|error| {
            failed("read", path)(io::Error::new(io::ErrorKind::InvalidData, error))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

fn write(path: &Path, text: &str) -> Result<(), RosterError> {
    write_bytes(path, text.as_bytes(), path)
}

/// Replaces a file as a whole, durably. Whoever may read `like`, if that is there, may read it: settings can hold passwords.
fn write_bytes(path: &Path, bytes: &[u8], like: &Path) -> Result<(), RosterError> {
    let temporary = suffixed(path, ".tmp");
    // One that was left behind need not be writable.
    let _ = fs::remove_file(&temporary);
    let written = File::create(&temporary).and_then(|mut file| {
        if let Ok(like) = fs::metadata(like) {
            file.set_permissions(like.permissions())?;
        }
        file.write_all(bytes)?;
        file.sync_all()
    });
    written
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| sync_dir(path))
        .map_err(failed("write", path))
}

fn remove(path: &Path) -> Result<(), RosterError> {
    match fs::remove_file(path) {
        Ok(()) => sync_dir(path).map_err(failed("remove", path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed("remove", path)(error)),
    }
}

fn sync_dir(of: &Path) -> io::Result<()> {
    let dir = of.parent().filter(|dir| !dir.as_os_str().is_empty());
    File::open(dir.unwrap_or(Path::new(".")))?.sync_all()
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn failed(action: &'static str, path: &Path) -> impl Fn(io::Error) -> RosterError {
    let path = path.to_owned();
    move |cause| RosterError { action, path: path.clone(), cause }
}

const DYNAMIC: &str = ".dynamic.";
const NEXT: &str = "next";
