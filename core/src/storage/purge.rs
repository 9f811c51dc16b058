//! Removes snapshots and logs that no start needs any more.
//!
//! The newest `retain` usable snapshots stay, and every log that replay from the oldest of them could need. Sidecars
//! go with their logs. Source: `PurgeTxnLog`, `FileTxnSnapLog#getSnapshotLogs`; as from 3.6 on, only
//! usable snapshots count (ZOOKEEPER-3231).

use super::error::StorageError;
use super::layout::{Files, Layout, SnapshotFile};
use quorate_wire::Zxid;
use quorate_wire::disk::snapshot::is_complete;
use std::path::PathBuf;

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// The snapshots and logs, oldest first; sidecars are not listed.
    pub files: Vec<PathBuf>,
}

/// Removes what is older than the `retain` newest snapshots (at least 3, as Apache demands).
pub(crate) fn purge(layout: &Layout, retain: usize) -> Result<Purged, StorageError> {
    let files = layout.list()?;
    let usable = files.snapshots.iter().filter(|file| looks_complete(layout, file));
    let Some(oldest) = usable.take(retain.max(MIN_RETAIN)).last() else {
        return Ok(Purged::default());
    };
    let mut purged = Purged::default();
    for file in files.snapshots.iter().rev().filter(|file| file.zxid < oldest.zxid) {
        let path = layout.snapshot_path(file);
        layout.remove(&path)?;
        purged.files.push(path);
    }
    for zxid in obsolete_logs(&files, oldest.zxid) {
        layout.remove_log(zxid)?;
        purged.files.push(layout.log_path(zxid));
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
fn obsolete_logs(files: &Files, oldest: Zxid) -> impl Iterator<Item = Zxid> {
    let needed = files.logs.iter().rev().map(|log| log.zxid).find(|&zxid| zxid <= oldest);
    let logs = files.logs.iter().map(|log| log.zxid);
    logs.filter(move |&zxid| needed.is_some_and(|needed| zxid < needed))
}

/// `autopurge.snapRetainCount` cannot be less.
const MIN_RETAIN: usize = 3;
