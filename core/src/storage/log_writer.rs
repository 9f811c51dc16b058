//! Appends records to the transaction log and makes them durable.
//!
//! One file is open at a time, named after its first zxid and new in every life of the process, as Apache has
//! it (`FileTxnLog`). Space is reserved ahead, so that a sync need not change the file's length and bytes after the
//! last record read as zeros. [`LogThread`](super::LogThread) drives this from a thread of its own, the simulator
//! from its single one.
//!
//! What a device does decides what happens: no room is a refusal that leaves no trace of the refused records and
//! passes; every other error is final, because nobody knows then what reached the device.

use super::disk::{Disk, DiskFile, is_full};
use super::error::{AppendError, LogFailure};
use super::sums::Sums;
use quorate_engine::segment::Segment;
use quorate_wire::Zxid;
use quorate_wire::disk::log::{HEADER_LEN, file_header};
use quorate_wire::disk::names::FileName;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How the log is written.
///
/// ```
/// use quorate::storage::LogConfig;
///
/// let config = LogConfig::new("/data/version-2".into());
/// assert_eq!((config.pre_allocate, config.force_sync), (64 << 20, true));
/// ```
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// The directory of the files: `version-2` of `dataLogDir`.
    pub dir: PathBuf,
    /// Bytes to reserve ahead (`preAllocSize`, there in KiB); 0 turns it off.
    pub pre_allocate: u64,
    /// Whether [`LogWriter::sync`] reaches the device (`forceSync`).
    pub force_sync: bool,
    /// A file that is longer after a sync is followed by a new one (`txnLogSizeLimitInKb`), bytes.
    pub size_limit: Option<u64>,
}

impl LogConfig {
    /// Apache's defaults.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self { dir, pre_allocate: 64 << 20, force_sync: true, size_limit: None }
    }
}

/// The writing end of the transaction log.
///
/// ```
/// use quorate::storage::{LogConfig, LogWriter, RealDisk};
/// use quorate_engine::segment::Segment;
/// use quorate_wire::Zxid;
/// use std::sync::Arc;
///
/// # let directory = tempfile::tempdir()?;
/// let config = LogConfig::new(directory.path().into());
/// let mut log = LogWriter::new(Arc::new(RealDisk), config, Zxid::ZERO);
/// let mut records = Segment::default();
/// records.push(Zxid(1), |out| out.extend_from_slice(b"a transaction"));
/// let segment = Arc::new(records);
/// log.append(&[segment])?;
/// assert_eq!((log.sync()?, log.appended()), (Zxid(1), Zxid(1)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LogWriter {
    disk: Arc<dyn Disk>,
    config: LogConfig,
    file: Option<OpenLog>,
    /// The last record appended; durable up to `synced`.
    appended: Zxid,
    synced: Zxid,
    failure: Option<LogFailure>,
    scratch: Vec<u8>,
}

impl LogWriter {
    /// A writer that goes on after `last`. Touches no file before the first append.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, config: LogConfig, last: Zxid) -> Self {
        let scratch = Vec::new();
        Self { disk, config, file: None, appended: last, synced: last, failure: None, scratch }
    }

    /// Writes the records of `segments`, in their order and in one piece. They are durable after the next
    /// [`sync`](Self::sync).
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// use quorate_engine::segment::Segment;
    /// use quorate_wire::Zxid;
    /// use std::sync::Arc;
    ///
    /// // `storage` is an open directory, and `tree` what it holds.
    /// let mut records = Segment::default();
    /// records.push(Zxid(1), |out| out.extend_from_slice(b"a transaction"));
    /// let segment = Arc::new(records);
    /// let mut next = Segment::default();
    /// next.push(Zxid(2), |out| out.extend_from_slice(b"the next"));
    /// let mut log = storage.log_writer();
    /// // In one piece, however many.
    /// log.append(&[segment, Arc::new(next)])?;
    /// assert_eq!(log.appended(), Zxid(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`AppendError::Full`] when there is no room: nothing of these segments is in the file, what was appended before
    /// is, and the writer goes on to work. [`AppendError::Failed`] is final.
    pub fn append(&mut self, segments: &[Arc<Segment>]) -> Result<(), AppendError> {
        self.check()?;
        let mut zxids = segments.iter().flat_map(|s| s.records()).map(|r| r.zxid);
        let Some(first) = zxids.next() else { return Ok(()) };
        let last = segments.iter().rev().find_map(|s| s.last_zxid()).unwrap_or(first);
        match self.write(first, segments) {
            Ok(()) => {
                self.appended = last;
                Ok(())
            }
            Err((_, path, source)) if is_full(&source) => {
                self.undo(&path)?;
                Err(AppendError::Full { path, source })
            }
            Err((action, path, error)) => Err(self.fail(action, &path, &error).into()),
        }
    }

    /// Makes everything appended so far durable, and says up to which zxid that is. With `forceSync=no` it only says so.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// use quorate_engine::segment::Segment;
    /// use quorate_wire::Zxid;
    /// use std::sync::Arc;
    ///
    /// // `storage` is an open directory, and `tree` what it holds.
    /// let mut records = Segment::default();
    /// records.push(Zxid(1), |out| out.extend_from_slice(b"a transaction"));
    /// let segment = Arc::new(records);
    /// let mut log = storage.log_writer();
    /// log.append(&[segment])?;
    /// // Now it may be acknowledged.
    /// assert_eq!(log.sync()?, Zxid(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Always final: it is unknown what of the data is on the device, and asking again would not tell.
    pub fn sync(&mut self) -> Result<Zxid, LogFailure> {
        self.check()?;
        if self.config.force_sync && self.synced != self.appended {
            if let Some(file) = &mut self.file
                && let Err(error) = file.file.sync_data()
            {
                let path = file.path.clone();
                return Err(self.fail("sync", &path, &error));
            }
            if self.file.as_ref().is_some_and(|file| !file.named) {
                self.sync_name()?;
            }
        }
        self.synced = self.appended;
        Ok(self.synced)
    }

    /// Notes the checksums of what was synced in the sidecar. To be called after [`sync`](Self::sync), when whoever waits
    /// for it has been told; also begins a new file when this one is over its limit.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// use quorate_engine::segment::Segment;
    /// use quorate_wire::Zxid;
    /// use std::sync::Arc;
    ///
    /// // `storage` is an open directory, and `tree` what it holds.
    /// let mut records = Segment::default();
    /// records.push(Zxid(1), |out| out.extend_from_slice(b"a transaction"));
    /// let segment = Arc::new(records);
    /// let mut log = storage.log_writer();
    /// log.append(&[segment])?;
    /// log.sync()?;
    /// log.settle()?;
    /// assert!(directory.path().join("version-2/sum.1").exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Only of the new file; the sidecar is a help and never an obstacle.
    pub fn settle(&mut self) -> Result<(), LogFailure> {
        if let Some(file) = &mut self.file
            && let Some(sums) = &mut file.sums
        {
            sums.write();
        }
        match (self.config.size_limit, &self.file) {
            (Some(limit), Some(file)) if file.end > limit => self.roll(),
            _ => Ok(()),
        }
    }

    /// Ends the current file; the next append begins a new one. The reserved rest of the file is given back.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// use quorate_engine::segment::Segment;
    /// use quorate_wire::Zxid;
    /// use std::sync::Arc;
    ///
    /// // `storage` is an open directory, and `tree` what it holds.
    /// let mut records = Segment::default();
    /// records.push(Zxid(1), |out| out.extend_from_slice(b"a transaction"));
    /// let segment = Arc::new(records);
    /// let mut next = Segment::default();
    /// next.push(Zxid(2), |out| out.extend_from_slice(b"the next"));
    /// let mut log = storage.log_writer();
    /// log.append(&[segment])?;
    /// log.roll()?;
    /// log.append(&[Arc::new(next)])?;
    /// assert!(directory.path().join("version-2/log.2").exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`sync`](Self::sync).
    pub fn roll(&mut self) -> Result<(), LogFailure> {
        self.sync()?;
        let Some(mut file) = self.file.take() else { return Ok(()) };
        if let Some(sums) = &mut file.sums {
            sums.write();
            sums.finish();
        }
        if file.end < file.size
            && let Err(error) = file.file.set_len(file.end)
        {
            // Padding is as good as an end; only the space is lost.
            tracing::warn!("cannot shorten {}: {error}", file.path.display());
        }
        Ok(())
    }

    /// After [`AppendError::Full`]: whether there seems to be room again. An append may still be refused.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// // `storage` is an open directory, and `tree` what it holds.
    /// let mut log = storage.log_writer();
    /// assert!(log.has_room());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn has_room(&mut self) -> bool {
        let reserve = self.config.pre_allocate.clamp(ROOM, 16 * ROOM);
        match &mut self.file {
            Some(file) if self.config.pre_allocate > 0 => {
                let len = file.end.saturating_add(reserve);
                let room = file.file.allocate(len).is_ok();
                if room {
                    file.size = file.size.max(len);
                }
                room
            }
            _ => self.disk.space(&self.config.dir).is_ok_and(|space| space.available >= reserve),
        }
    }

    /// The last appended transaction.
    #[must_use]
    pub fn appended(&self) -> Zxid {
        self.appended
    }

    fn check(&self) -> Result<(), LogFailure> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    fn fail(&mut self, action: &'static str, path: &Path, error: &io::Error) -> LogFailure {
        let failure = LogFailure::new(action, path, error);
        self.failure = Some(failure.clone());
        failure
    }

    /// Writes in one piece what `segments` hold; `first` names the file if there is none yet.
    fn write(&mut self, first: Zxid, segments: &[Arc<Segment>]) -> Result<(), Failed> {
        if self.file.is_none() {
            let path = self.config.dir.join(FileName::Log(first).to_string());
            let sums =
                self.config.force_sync.then(|| Sums::new(&self.disk, &self.config.dir, first));
            let file = self.disk.create(&path).map_err(|e| ("create", path.clone(), e))?;
            let file = self.file.insert(OpenLog::new(file, path, sums));
            file.put(&file_header(), 0)?;
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let start = file.end;
        match segments {
            [one] => file.put(one.bytes(), self.config.pre_allocate)?,
            many => {
                self.scratch.clear();
                many.iter().for_each(|s| self.scratch.extend_from_slice(s.bytes()));
                file.put(&self.scratch, self.config.pre_allocate)?;
                if self.scratch.capacity() > KEEP {
                    self.scratch = Vec::new();
                }
            }
        }
        if let Some(sums) = &mut file.sums {
            sums.add(start, segments);
        }
        Ok(())
    }

    /// Takes back what a refused append left behind: also from the device, lest it come back after a crash.
    fn undo(&mut self, path: &Path) -> Result<(), LogFailure> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let result = if file.end <= HEADER {
            self.file = None;
            self.disk.remove(path)
        } else {
            (file.size, file.blank) = (file.end, file.end);
            file.file.set_len(file.end).and_then(|()| file.file.sync_data())
        };
        match result {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(self.fail("take back a write from", path, &e))
            }
            _ => Ok(()),
        }
    }

    fn sync_name(&mut self) -> Result<(), LogFailure> {
        let dir = self.config.dir.clone();
        if let Err(error) = self.disk.sync_dir(&dir) {
            return Err(self.fail("sync", &dir, &error));
        }
        if let Some(file) = &mut self.file {
            file.named = true;
        }
        Ok(())
    }
}

/// What was tried, on what, and what the system said.
type Failed = (&'static str, PathBuf, io::Error);

/// The file being written.
struct OpenLog {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    /// End of the last whole record; zeros follow.
    end: u64,
    /// Length of the file.
    size: u64,
    /// Up to where zeros have been written, not just reserved.
    blank: u64,
    /// Whether its name is durable.
    named: bool,
    sums: Option<Sums>,
}

impl OpenLog {
    fn new(file: Box<dyn DiskFile>, path: PathBuf, sums: Option<Sums>) -> Self {
        Self { file, path, end: 0, size: 0, blank: 0, named: false, sums }
    }

    fn put(&mut self, bytes: &[u8], pre_allocate: u64) -> Result<(), Failed> {
        let end = self.end.saturating_add(to_u64(bytes.len()));
        if pre_allocate > 0 && end.saturating_add(MARGIN) > self.size {
            self.reserve(end, pre_allocate).map_err(|e| ("extend", self.path.clone(), e))?;
        }
        self.file.write_at(bytes, self.end).map_err(|e| ("write", self.path.clone(), e))?;
        let ahead = end.saturating_add(to_u64(BLANK.len()));
        if bytes.len() >= BUSY && end > self.blank && ahead <= self.size {
            // The first write to reserved blocks costs a commit of the file system's journal with each sync; this
            // pays for the next groups at once. Single records are better off without.
            self.file.write_at(BLANK, end).map_err(|e| ("write", self.path.clone(), e))?;
            self.blank = ahead;
        }
        self.end = end;
        self.size = self.size.max(end);
        Ok(())
    }

    /// Reserves the usual amount; where that is too much, what these records need.
    fn reserve(&mut self, end: u64, pre_allocate: u64) -> io::Result<()> {
        let mut size = end.saturating_add(pre_allocate);
        match self.file.allocate(size) {
            Err(e) if is_full(&e) => {
                size = end.saturating_add(MARGIN);
                self.file.allocate(size)?;
            }
            other => other?,
        }
        self.size = self.size.max(size);
        Ok(())
    }
}

fn to_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// Groups of this many bytes show that more of the same will follow.
const BUSY: usize = 8 << 10;
/// What is written ahead of them. Measured on ext4 with 16 KiB and 64 KiB groups: a third less time per sync on average, half
/// in the median.
static BLANK: &[u8] = &[0; 256 << 10];
/// Bytes of a file's header.
#[expect(clippy::as_conversions, reason = "a constant that fits")]
const HEADER: u64 = HEADER_LEN as u64;
/// Apache extends a file when less than this is left; so do we.
const MARGIN: u64 = 4096;
/// The least room for which writes are worth trying again, bytes.
const ROOM: u64 = 64 << 10;
/// The most memory to keep for gathering segments, bytes.
const KEEP: usize = 1 << 20;
/// A group is synced before it has more bytes than this, however much more is queued, unless one record alone is longer.
/// Recovery relies on that: see `is_lost_write`.
pub(crate) const GROUP_LIMIT: usize = 4 << 20;
