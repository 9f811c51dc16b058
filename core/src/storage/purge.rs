//! Removes snapshots and logs that no start needs any more.
//!
//! The newest `retain` usable snapshots stay, and every log that replay from the oldest of them could need. Sidecars
//! go with their logs. Source: `PurgeTxnLog`, `FileTxnSnapLog#getSnapshotLogs`; as from 3.6 on, only
//! usable snapshots count (ZOOKEEPER-3231).

use super::error::StorageError;
use super::layout::{Files, Layout, LogFile, SnapshotFile};
use quorate_wire::Zxid;
use quorate_wire::disk::snapshot::is_complete;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// What was removed.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # use quorate::storage::{Storage, StorageConfig};
/// # use quorate_engine::tree::TreeConfig;
/// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
/// # let (storage, mut tree, report) = Storage::open(config)?;
/// use quorate::storage::Purged;
///
/// // `storage` is an open directory, and `tree` what it holds.
/// assert_eq!(storage.purge()?, Purged::default());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// The snapshots and logs, oldest first; sidecars are not listed.
    pub files: Vec<PathBuf>,
}

/// Removes what is older than the `retain` newest snapshots (at least 3, as Apache demands), but no log from `read` on.
pub(crate) fn purge(
    layout: &Layout,
    retain: usize,
    read: Option<Zxid>,
) -> Result<Purged, StorageError> {
    let files = layout.list()?;
    let usable = files.snapshots.iter().filter(|file| looks_complete(layout, file));
    let Some(oldest) = usable.take(retain.max(MIN_RETAIN)).last() else {
        return Ok(Purged::default());
    };
    let mut purged = Purged::default();
    for file in files.snapshots.iter().rev().filter(|file| file.zxid < oldest.zxid) {
        let path = layout.snapshot_path(file);
        shrink(layout, &path, file.len);
        layout.remove(&path)?;
        purged.files.push(path);
    }
    let is_read = |log: &&LogFile| read.is_some_and(|read| log.zxid >= read);
    for log in obsolete_logs(&files, oldest.zxid).filter(|log| !is_read(log)) {
        let path = layout.log_path(log.zxid);
        // The sidecar first, lest it speak of records that are lost.
        layout.remove(&layout.sums_path(log.zxid))?;
        shrink(layout, &path, log.len);
        layout.remove_log(log.zxid)?;
        purged.files.push(path);
    }
    Ok(purged)
}

/// Apache's quick test whether a snapshot is worth loading.
pub(crate) fn looks_complete(layout: &Layout, file: &SnapshotFile) -> bool {
    let path = layout.snapshot_path(file);
    let head = layout.disk.read_at(&path, 0, 8);
    let tail = layout.disk.read_at(&path, file.len.saturating_sub(5), 5);
    match (head, tail) {
        (Ok(head), Ok(tail)) => is_complete(file.compression, file.len, &head, &tail),
        _ => false,
    }
}

/// The logs that end before `oldest`, the zxid of the oldest snapshot to start from. The newest log that begins
/// at or before it may hold later records.
fn obsolete_logs(files: &Files, oldest: Zxid) -> impl Iterator<Item = &LogFile> {
    let needed = files.logs.iter().rev().map(|log| log.zxid).find(|&zxid| zxid <= oldest);
    files.logs.iter().filter(move |log| needed.is_some_and(|needed| log.zxid < needed))
}

/// Gives the space of a large file back in steps. Freed at once, it would hold up the log's next sync: 20 to 30 ms for
/// 200 MB on ext4, against 2 ms in steps. A file that is left behind shortened is one that nothing needs.
fn shrink(layout: &Layout, path: &Path, mut len: u64) {
    if len <= STEP {
        return;
    }
    let Ok(mut file) = layout.disk.open(path) else { return };
    while len > STEP {
        len -= STEP;
        if file.set_len(len).is_err() {
            return;
        }
        thread::sleep(PAUSE);
    }
}

/// `autopurge.snapRetainCount` cannot be less.
const MIN_RETAIN: usize = 3;
/// How much of a file is given back at once, bytes.
const STEP: u64 = 4 << 20;
/// Time for the log's syncs between two steps.
const PAUSE: Duration = Duration::from_millis(1);
