//! Which directories and files make up a database, and who may use them.
//!
//! Below `dataDir` and `dataLogDir` lies `version-2` with Apache's files. The lock lies beside it, where no
//! Apache looks. Nothing here reads what the files contain.

use super::disk::{Disk, Locked};
use super::error::StorageError;
use super::snapshot_writer::TEMPORARY_PREFIX;
use quorate_wire::Zxid;
use quorate_wire::disk::names::{Compression, FileName, VERSION_DIR};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where everything is.
#[derive(Clone)]
pub(crate) struct Layout {
    pub(crate) disk: Arc<dyn Disk>,
    /// `dataDir` and `dataLogDir`; may be the same.
    pub(crate) data_dir: PathBuf,
    pub(crate) log_root: PathBuf,
    /// `version-2` of each.
    pub(crate) snapshots: PathBuf,
    pub(crate) logs: PathBuf,
}

/// The files of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Files {
    /// Newest first.
    pub(crate) snapshots: Vec<SnapshotFile>,
    /// Oldest first: name and length.
    pub(crate) logs: Vec<LogFile>,
    /// Which sidecars there are, oldest first.
    pub(crate) sums: Vec<Zxid>,
    /// Snapshots whose writing was interrupted.
    pub(crate) leftovers: Vec<String>,
}

/// A snapshot file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SnapshotFile {
    pub(crate) zxid: Zxid,
    pub(crate) compression: Compression,
    pub(crate) len: u64,
}

/// A log file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LogFile {
    /// That of its first record.
    pub(crate) zxid: Zxid,
    pub(crate) len: u64,
}

/// The locks of a database; it is ours until this is dropped.
pub(crate) struct Locks {
    _held: Vec<Box<dyn Send + Sync>>,
}

impl Layout {
    pub(crate) fn new(disk: Arc<dyn Disk>, data_dir: &Path, log_dir: Option<&Path>) -> Self {
        let log_root = log_dir.unwrap_or(data_dir);
        Self {
            disk,
            data_dir: data_dir.to_owned(),
            log_root: log_root.to_owned(),
            snapshots: data_dir.join(VERSION_DIR),
            logs: log_root.join(VERSION_DIR),
        }
    }

    /// Makes the directories, if `create` allows it, and locks them.
    pub(crate) fn claim(&self, create: bool) -> Result<Locks, StorageError> {
        let (disk, mut held) = (&self.disk, Vec::new());
        let shared = self.data_dir == self.log_root;
        for (root, dir) in [(&self.data_dir, &self.snapshots), (&self.log_root, &self.logs)] {
            if create {
                disk.create_dir_all(dir).map_err(StorageError::io("create", dir))?;
            } else if disk.list(dir).is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
                return Err(StorageError::Missing(dir.clone()));
            }
            if held.is_empty() || !shared {
                held.push(self.lock(root)?);
            }
        }
        Ok(Locks { _held: held })
    }

    /// What there is. Refuses directories whose contents are mixed up (ZOOKEEPER-2967).
    pub(crate) fn list(&self) -> Result<Files, StorageError> {
        let mut files = Files::default();
        let shared = self.snapshots == self.logs;
        self.list_dir(&self.snapshots, true, shared, &mut files)?;
        if !shared {
            self.list_dir(&self.logs, false, true, &mut files)?;
        }
        files.snapshots.sort_unstable_by(|a, b| b.cmp(a));
        files.logs.sort_unstable();
        files.sums.sort_unstable();
        files.leftovers.sort_unstable();
        Ok(files)
    }

    pub(crate) fn snapshot_path(&self, file: &SnapshotFile) -> PathBuf {
        self.snapshots.join(FileName::Snapshot(file.zxid, file.compression).to_string())
    }

    pub(crate) fn log_path(&self, zxid: Zxid) -> PathBuf {
        self.logs.join(FileName::Log(zxid).to_string())
    }

    pub(crate) fn sums_path(&self, zxid: Zxid) -> PathBuf {
        self.logs.join(FileName::Sums(zxid).to_string())
    }

    /// Removes a file; fine if it is gone already.
    pub(crate) fn remove(&self, path: &Path) -> Result<(), StorageError> {
        match self.disk.remove(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(StorageError::io("remove", path)(e))
            }
            _ => Ok(()),
        }
    }

    /// Removes a log and its sidecar; the sidecar first, lest one remain that speaks of lost records.
    pub(crate) fn remove_log(&self, zxid: Zxid) -> Result<(), StorageError> {
        self.remove(&self.sums_path(zxid))?;
        self.remove(&self.log_path(zxid))
    }

    fn lock(&self, root: &Path) -> Result<Box<dyn Send + Sync>, StorageError> {
        let path = root.join(LOCK);
        let note = std::process::id().to_string();
        match self.disk.lock(&path, &note).map_err(StorageError::io("lock", &path))? {
            Locked::Here(lock) => Ok(lock),
            Locked::Elsewhere(holder) => {
                let pid = holder.trim().parse().ok();
                Err(StorageError::Locked { dir: root.to_owned(), pid })
            }
        }
    }

    /// Adds the files of a directory that may hold snapshots, logs, or both.
    fn list_dir(
        &self,
        dir: &Path,
        snapshots: bool,
        logs: bool,
        files: &mut Files,
    ) -> Result<(), StorageError> {
        for entry in self.disk.list(dir).map_err(StorageError::io("read", dir))? {
            let name = entry.name.as_str();
            let expected = if snapshots { "snapshots" } else { "logs" };
            if (!snapshots && name.starts_with("snapshot.")) || (!logs && name.starts_with("log."))
            {
                return Err(StorageError::Misplaced { file: dir.join(name), expected });
            }
            if snapshots && name.starts_with(TEMPORARY_PREFIX) {
                files.leftovers.push(entry.name);
                continue;
            }
            match FileName::parse(name) {
                Some(FileName::Snapshot(zxid, compression)) => {
                    files.snapshots.push(SnapshotFile { zxid, compression, len: entry.len });
                }
                Some(FileName::Log(zxid)) => files.logs.push(LogFile { zxid, len: entry.len }),
                Some(FileName::Sums(zxid)) => files.sums.push(zxid),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Locked while a server uses the directory; holds its process number.
const LOCK: &str = "quorate.lock";
