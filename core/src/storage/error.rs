//! Why a data directory cannot be opened or written.
//!
//! Each message says what happened, where (file and offset) and what to do about it; the texts are what
//! an operator reads when a server does not start.

use super::disk::is_full;
use quorate_wire::Zxid;
use std::io;
use std::path::{Path, PathBuf};

/// Why a data directory was not opened.
///
/// ```
/// use quorate::storage::{Storage, StorageConfig, StorageError};
/// use quorate_engine::tree::TreeConfig;
///
/// # let directory = tempfile::tempdir()?;
/// let missing = directory.path().join("missing");
/// let config = StorageConfig::new(missing, TreeConfig { hash_seed: 4, digest: true });
/// let config = StorageConfig { create_dirs: false, ..config };
/// assert!(matches!(Storage::open(config), Err(StorageError::Missing(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// Whoever opened it does not want it any more ([`Loading::give_up`](super::Loading::give_up)).
    #[error("loading was given up; nothing was changed")]
    GivenUp,
    /// A file operation failed.
    #[error("cannot {action} {path}: {source}; {}", advice(.source))]
    Io {
        /// What was tried: `read`, `create`, ….
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process, or another server of this one, has the directory.
    #[error(
        "the data directory {dir} is in use{}: stop that server first, or give this one its own \
         directory", holder(.pid)
    )]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// The process that holds the lock, if it left its number.
        pid: Option<u32>,
    },
    /// The directory is missing and may not be created (`zookeeper.datadir.autocreate=false`).
    #[error(
        "the directory {0} does not exist and datadir.autocreate is off: create it, or correct \
         dataDir or dataLogDir"
    )]
    Missing(PathBuf),
    /// Files are in the wrong one of two directories (ZOOKEEPER-2967).
    #[error(
        "{file} is in the directory for {expected}: dataDir and dataLogDir are swapped, or were the same before; move \
         every snapshot.* to dataDir/version-2 and every log.* to dataLogDir/version-2"
    )]
    Misplaced {
        /// The first such file.
        file: PathBuf,
        /// What belongs there: `snapshots` or `logs`.
        expected: &'static str,
    },
    /// There is an `initialize` rule and it forbids to begin a new database here.
    #[error(
        "{0} holds no database and db.autocreate is off: restore the data, or create the empty file \
         `initialize` in that directory to begin a new database"
    )]
    NotInitialized(PathBuf),
    /// There are logs but no snapshot at all.
    #[error(
        "{dir} holds transaction logs but no snapshot, so the beginning of the history may be missing: \
         restore the snapshots; only if this directory comes from a release that wrote none \
         (before 3.5.3), start once with snapshot.trust.empty=true"
    )]
    NoSnapshot {
        /// The directory that should hold one.
        dir: PathBuf,
    },
    /// Every snapshot is damaged.
    #[error(
        "no snapshot in {dir} is usable ({tried} tried; the newest, {newest}: {reason}): restore one from a \
         backup"
    )]
    NoValidSnapshot {
        /// The directory.
        dir: PathBuf,
        /// How many were tried.
        tried: usize,
        /// The newest one.
        newest: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The newest snapshot is damaged, and the logs do not reach it from an older one.
    #[error(
        "{file} is damaged ({reason}) and the logs end at {last}, so what it held beyond that is lost: restore it from a \
         backup; to accept the loss, remove that snapshot"
    )]
    SnapshotLost {
        /// The snapshot.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// The last transaction that is left.
        last: Zxid,
    },
    /// A log file is gone.
    #[error(
        "{file} is gone, but {sums} shows that it held transactions up to {held}, and what is left ends at {last}: \
         restore the file; to accept the loss, remove {sums}"
    )]
    LogLost {
        /// The log file.
        file: PathBuf,
        /// Its sidecar.
        sums: PathBuf,
        /// The last transaction that it held.
        held: Zxid,
        /// The last transaction that is left.
        last: Zxid,
    },
    /// A log file is damaged where a torn last write cannot explain it.
    #[error(
        "{file} is damaged at offset {offset} ({reason}); the last good transaction before it is {last}. Starting would \
         lose what follows: restore the file from a backup; {}", acceptance(.file, *.offset)
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where the first bad record begins, bytes.
        offset: u64,
        /// The last good transaction before it.
        last: Zxid,
        /// What is wrong.
        reason: String,
    },
    /// Transactions are missing.
    #[error(
        "transactions are missing: {file} goes on with {found} (offset {offset}) where {expected} should \
         follow {last}: restore the missing log file or snapshot; starting without them would \
         change history"
    )]
    Gap {
        /// The file in which the gap shows.
        file: PathBuf,
        /// Where, bytes.
        offset: u64,
        /// The last transaction before the gap.
        last: Zxid,
        /// What should follow.
        expected: Zxid,
        /// What follows.
        found: Zxid,
    },
    /// A record passes its checksum but is no transaction.
    #[error(
        "{file} holds a transaction that cannot be understood at offset {offset} ({zxid}: {reason}): it was written by \
         a newer release or is damaged; start with a release that knows it"
    )]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Where its record begins, bytes.
        offset: u64,
        /// Its zxid, as far as known.
        zxid: Zxid,
        /// Why.
        reason: String,
    },
    /// An epoch file is nonsense.
    #[error(
        "{file} does not hold an epoch ({reason}): restore it, or remove it to have it made anew"
    )]
    BadEpoch {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// The epoch files contradict each other, or the history.
    #[error(
        "the epoch files in {dir} cannot be right: {reason}; restore all files of the data directory as they were at one and \
         the same moment"
    )]
    Epochs {
        /// Where they are.
        dir: PathBuf,
        /// What contradicts what.
        reason: String,
    },
    /// The log has failed for good.
    #[error(transparent)]
    Log(#[from] LogFailure),
    /// The history was being changed when something failed: it has to be loaded again before anything else.
    #[error("a change of the history in {dir} was not finished: load it again, or start again")]
    Unfinished {
        /// The directory.
        dir: PathBuf,
    },
}

/// Why a segment was not appended.
///
/// ```
/// use quorate::storage::{AppendError, LogFailure};
///
/// let failure = LogFailure { action: "sync", path: "/data/log.1".into(), reason: "broken".into() };
/// let error = AppendError::from(failure);
/// // Final: what is on the device is unknown.
/// assert!(matches!(error, AppendError::Failed(_)));
/// ```
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// There is no room. Nothing of the segment is in the file; the same or another one may be tried later.
    #[error("no room on the device of {path}: {source}")]
    Full {
        /// The log file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The log has failed for good.
    #[error(transparent)]
    Failed(#[from] LogFailure),
}

/// The log has failed: what is on the device is unknown, and nothing more is written by this process.
///
/// ```
/// use quorate::storage::LogFailure;
///
/// let failure = LogFailure { action: "sync", path: "/data/log.1".into(), reason: "broken".into() };
/// assert!(failure.to_string().starts_with("cannot sync /data/log.1: broken;"));
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "cannot {action} {path}: {reason}; nothing written since the last sync may be trusted, so this server stops: \
     check the device and start again"
)]
pub struct LogFailure {
    /// What was tried: `write`, `sync`, ….
    pub action: &'static str,
    /// On what.
    pub path: PathBuf,
    /// What the system said.
    pub reason: String,
}

impl StorageError {
    /// Wraps an error of the file system; for `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// Whether it passes when somebody makes room.
    pub(crate) fn is_want_of_room(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_full(source))
    }
}

impl LogFailure {
    /// Wraps an error of the file system.
    pub(crate) fn new(action: &'static str, path: &Path, error: &io::Error) -> Self {
        Self { action, path: path.to_owned(), reason: error.to_string() }
    }
}

/// What to do about an error of the file system.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "give this user access to it, or start the server as the user that owns the data"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "mount its file system for writing, or correct dataDir or dataLogDir"
        }
        io::ErrorKind::NotADirectory
        | io::ErrorKind::AlreadyExists
        | io::ErrorKind::IsADirectory => {
            "something else is in its place: move that away, or correct dataDir or dataLogDir"
        }
        io::ErrorKind::NotFound => "restore it, or correct dataDir or dataLogDir",
        _ if is_full(error) => "make room on its device, or raise the limit",
        _ => "check its device (the system's log may say more), or restore it from a backup",
    }
}

fn holder(pid: &Option<u32>) -> String {
    pid.map(|pid| format!(" by process {pid}")).unwrap_or_default()
}

/// How to go on without what is damaged. The checksums beside a log know what it held, so they have to go as well.
fn acceptance(file: &Path, offset: u64) -> String {
    let logs = "remove the files sum.* of this number and all log.* and sum.* of later (hexadecimal) numbers";
    if offset == 0 {
        format!("to accept the loss, remove {}, and {logs}", file.display())
    } else {
        format!("to accept the loss, `truncate -s {offset} {}`, and {logs}", file.display())
    }
}
