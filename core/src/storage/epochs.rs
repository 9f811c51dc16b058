//! The epoch files: which leadership this server has promised to follow, and which it follows.
//!
//! A standalone server, like Apache's, neither needs nor writes them. It reports what an ensemble member left
//! behind, so that nobody is surprised when the directory goes back into an ensemble.

use super::error::StorageError;
use super::layout::Layout;
use quorate_wire::Zxid;
use quorate_wire::disk::epoch;
use quorate_wire::disk::names::{FileName, TEMPORARY_SUFFIX};
use std::io;

/// What the epoch files say; `None` where there is no file.
///
/// ```
/// use quorate::storage::Epochs;
///
/// let none = Epochs::default();
/// assert_eq!((none.accepted, none.current), (None, None));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Epochs {
    /// `acceptedEpoch`: no leader of an earlier epoch is followed.
    pub accepted: Option<i64>,
    /// `currentEpoch`: the epoch of the history in this directory.
    pub current: Option<i64>,
}

impl Epochs {
    /// Reads both files. A `currentEpoch.tmp` counts where the file itself is behind `last`, as in Apache: the
    /// process ended just before the rename. One that is not whole says nothing: it ended before that.
    pub(crate) fn read(layout: &Layout, last: Zxid) -> Result<Self, StorageError> {
        let accepted = read(layout, &FileName::AcceptedEpoch.to_string())?;
        let name = FileName::CurrentEpoch.to_string();
        let mut current = read(layout, &name)?;
        if current.is_some_and(|current| current < last.epoch()) {
            let temporary = match read(layout, &format!("{name}{TEMPORARY_SUFFIX}")) {
                Err(StorageError::BadEpoch { .. }) => None,
                temporary => temporary?,
            };
            current = current.max(temporary);
        }
        Ok(Self { accepted, current })
    }

    /// Why an ensemble would not start with these files and a history up to `last`, if so.
    ///
    /// ```
    /// use quorate::storage::Epochs;
    /// use quorate_wire::Zxid;
    ///
    /// let epochs = Epochs { accepted: Some(1), current: Some(1) };
    /// let (in_epoch_1, in_epoch_2) = (Zxid(1 << 32 | 7), Zxid(2 << 32 | 7));
    /// assert!(epochs.conflict(in_epoch_1).is_none() && epochs.conflict(in_epoch_2).is_some());
    /// ```
    #[must_use]
    pub fn conflict(&self, last: Zxid) -> Option<String> {
        let epoch = last.epoch();
        match (self.accepted, self.current) {
            (_, Some(current)) if current < epoch => Some(format!(
                "currentEpoch is {current}, but the last transaction {last} is of epoch {epoch}"
            )),
            (Some(accepted), Some(current)) if accepted < current => {
                Some(format!("acceptedEpoch is {accepted}, less than currentEpoch, {current}"))
            }
            _ => None,
        }
    }
}

/// Writes an epoch file: under another name, synced, renamed, and the directory synced.
pub(crate) fn write(layout: &Layout, file: FileName, value: i64) -> Result<(), StorageError> {
    let (disk, dir) = (&layout.disk, &layout.snapshots);
    let path = dir.join(file.to_string());
    let temporary = dir.join(format!("{file}{TEMPORARY_SUFFIX}"));
    let written = disk.create(&temporary).and_then(|mut out| {
        out.write_at(epoch::format(value).as_bytes(), 0)?;
        out.sync_data()
    });
    written.map_err(StorageError::io("write", &temporary))?;
    disk.rename(&temporary, &path).map_err(StorageError::io("rename", &temporary))?;
    disk.sync_dir(dir).map_err(StorageError::io("sync", dir))
}

fn read(layout: &Layout, name: &str) -> Result<Option<i64>, StorageError> {
    let file = layout.snapshots.join(name);
    match layout.disk.read(&file) {
        Ok(bytes) => epoch::parse(&bytes)
            .map(Some)
            .map_err(|e| StorageError::BadEpoch { file, reason: e.to_string() }),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(StorageError::io("read", &file)(e)),
    }
}
