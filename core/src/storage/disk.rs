//! The few file operations that a data directory needs, as a trait.
//!
//! Everything the log, the snapshots and recovery do to files goes through [`Disk`], synchronously and from the
//! caller's thread, so that a simulator can stand in for the operating system and lose unsynced
//! writes, tear records, flip bits, fill up or fail. [`RealDisk`](super::RealDisk) is the operating system. Not a
//! general file system: no permissions, no links, no relative paths.

use rustix::io::Errno;
use std::io;
use std::path::Path;

/// A file system, as far as a data directory needs one.
///
/// Errors are those of the operating system; callers look at [`is_full`] only.
///
/// ```
/// use quorate::storage::RealDisk;
/// use quorate::storage::disk::{Disk, Locked};
///
/// # let temporary = tempfile::tempdir()?;
/// let directory = temporary.path().join("data");
/// let (file, other) = (directory.join("a"), directory.join("b"));
/// let disk = RealDisk;
/// disk.create_dir_all(&directory)?;
/// let Locked::Here(_lock) = disk.lock(&directory.join("lock"), "me")? else { panic!("nobody else is here") };
/// disk.create(&file)?.write_at(b"hello", 0)?;
/// disk.open(&file)?.write_at(b"J", 0)?;
/// disk.rename(&file, &other)?;
/// disk.sync_dir(&directory)?;
/// assert_eq!((disk.read(&other)?, disk.read_at(&other, 1, 2)?), (b"Jello".to_vec(), b"el".to_vec()));
/// disk.remove(&other)?;
/// assert!(disk.list(&directory)?.iter().all(|entry| entry.name == "lock"));
/// assert!(disk.space(&directory)?.total > 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Disk: Send + Sync {
    /// Creates a directory and its parents; fine if it exists.
    ///
    /// # Errors
    /// When it cannot be made.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// The plain files of a directory, in no particular order.
    ///
    /// # Errors
    /// `NotFound` when there is no such directory.
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>>;

    /// The whole content of a file, without zero bytes that fill its end: the caller must not care whether a file ends
    /// or goes on with zeros. Saves reading a preallocation.
    ///
    /// # Errors
    /// `NotFound` when there is no such file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// At most `len` bytes of a file from `offset` on; fewer where it ends.
    ///
    /// # Errors
    /// `NotFound` when there is no such file.
    fn read_at(&self, path: &Path, offset: u64, len: u64) -> io::Result<Vec<u8>>;

    /// Creates a file for writing; an existing one is emptied.
    ///
    /// # Errors
    /// When it cannot be made.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens an existing file for writing.
    ///
    /// # Errors
    /// `NotFound` when there is no such file.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name in the same directory, in place of a file of that name.
    ///
    /// # Errors
    /// When it cannot be renamed.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// `NotFound` when there is no such file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// When the device fails.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes the advisory lock of a file, which is created if needed and holds `note` afterwards. The lock ends when
    /// the value is dropped or the process ends.
    ///
    /// # Errors
    /// When the file cannot be made. That somebody else has the lock is not an error but
    /// [`Locked::Elsewhere`].
    fn lock(&self, path: &Path, note: &str) -> io::Result<Locked>;

    /// How much room the device of a directory has.
    ///
    /// # Errors
    /// When the system does not tell.
    fn space(&self, dir: &Path) -> io::Result<Space>;
}

/// A file open for writing.
///
/// ```
/// use quorate::storage::RealDisk;
/// use quorate::storage::disk::Disk;
///
/// # let directory = tempfile::tempdir()?;
/// let path = directory.path().join("file");
/// let mut file = RealDisk.create(&path)?;
/// file.allocate(100)?;
/// file.write_at(b"hello", 0)?;
/// file.write_soon(0, 5);
/// file.set_len(5)?;
/// file.sync_data()?;
/// assert_eq!(std::fs::read(&path)?, b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait DiskFile: Send {
    /// Writes all of `bytes` at an offset, extending the file if needed.
    ///
    /// # Errors
    /// After an error any part of the range may have been written.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Extends the file with zero bytes to `len`, reserving the space where the file system can. A file that is
    /// as long already stays as it is.
    ///
    /// # Errors
    /// When there is no room; the length may have changed nevertheless.
    fn allocate(&mut self, len: u64) -> io::Result<()>;

    /// Cuts the file, or extends it with zero bytes that need not have space reserved.
    ///
    /// # Errors
    /// When the device fails.
    fn set_len(&mut self, len: u64) -> io::Result<()>;

    /// Makes content and length durable.
    ///
    /// # Errors
    /// When the device fails. What of the unsynced data is on the device is then unknown, for good.
    fn sync_data(&mut self) -> io::Result<()>;

    /// Suggests that this range, just written, be brought to the device soon, without waiting. Promises nothing.
    fn write_soon(&mut self, _offset: u64, _len: u64) {}
}

/// A file in a directory.
///
/// ```
/// use quorate::storage::RealDisk;
/// use quorate::storage::disk::{Disk, Entry};
///
/// # let directory = tempfile::tempdir()?;
/// std::fs::write(directory.path().join("log.1"), b"hello")?;
/// assert_eq!(RealDisk.list(directory.path())?, [Entry { name: "log.1".into(), len: 5 }]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name; names that are not UTF-8 are not listed.
    pub name: String,
    /// Its length, bytes.
    pub len: u64,
}

/// The outcome of [`Disk::lock`].
///
/// ```
/// use quorate::storage::RealDisk;
/// use quorate::storage::disk::{Disk, Locked};
///
/// # let directory = tempfile::tempdir()?;
/// let path = directory.path().join("lock");
/// let held = RealDisk.lock(&path, "first")?;
/// let second = RealDisk.lock(&path, "second")?;
/// assert!(matches!(held, Locked::Here(_)));
/// assert!(matches!(second, Locked::Elsewhere(note) if note == "first"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub enum Locked {
    /// We have it until this value is dropped.
    Here(Box<dyn Send + Sync>),
    /// Another holder has it; this is its note.
    Elsewhere(String),
}

/// Room on a device, bytes.
///
/// ```
/// use quorate::storage::RealDisk;
/// use quorate::storage::disk::Disk;
///
/// let space = RealDisk.space(&std::env::temp_dir())?;
/// assert!(space.available <= space.total);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// In all.
    pub total: u64,
    /// Usable by us.
    pub available: u64,
}

/// Whether an error passes when somebody makes room: device full, quota used up, the file at its size limit, or the process
/// at its limit of open files. Any other one is a failure.
///
/// ```
/// use quorate::storage::disk::is_full;
/// use std::io::{Error, ErrorKind};
///
/// assert!(is_full(&Error::from_raw_os_error(28))); // ENOSPC
/// assert!(!is_full(&Error::from(ErrorKind::PermissionDenied)));
/// ```
#[must_use]
pub fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    ) || [Errno::MFILE, Errno::NFILE].iter().any(|e| error.raw_os_error() == Some(e.raw_os_error()))
}
