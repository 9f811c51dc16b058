//! The data directory of a server: transaction log, snapshots, and opening them again.
//!
//! [`Storage::open`] locks the directories, builds the tree and says what it found. Writing goes on through
//! [`LogThread`] (or [`LogWriter`] where threads are unwanted) and [`SnapshotJob`]. All files are Apache's, so a
//! directory moves between Apache and us in both directions; what is ours alone (`sum.*`, the lock) Apache ignores.
//! Everything touches files through [`disk::Disk`]. The server's drivers and the simulator call this.

mod cut;
pub mod disk;
mod epochs;
mod error;
mod group_writer;
mod layout;
mod loading;
mod log_part;
mod log_thread;
mod log_writer;
mod purge;
mod read_ahead;
mod real_disk;
mod recovery;
mod replay;
mod snapshot_load;
mod snapshot_writer;
mod sums;

pub use epochs::Epochs;
pub use error::{AppendError, LogFailure, StorageError};
pub use group_writer::{GroupWriter, LogItem};
pub use loading::Loading;
pub(crate) use log_part::LogPart;
pub use log_thread::{GroupCommit, LogReport, LogThread};
pub use log_writer::{LogConfig, LogWriter};
pub use purge::Purged;
pub use real_disk::RealDisk;
pub use recovery::Report;
pub use snapshot_writer::{SnapshotJob, SnapshotReport, SnapshotWriter};

use disk::{Disk, Space};
use layout::{Layout, Locks};
use log_part::Readers;
use quorate_engine::tree::{FrozenHead, Tree, TreeConfig};
use quorate_engine::zab::History;
use quorate_wire::Zxid;
use quorate_wire::disk::log::DEFAULT_MAX_PAYLOAD;
use quorate_wire::disk::names::{Compression, FileName};
use quorate_wire::disk::snapshot::Trailer;
use recovery::Rules;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How a data directory is opened and written.
///
/// ```
/// use quorate::storage::{Storage, StorageConfig};
/// use quorate_engine::tree::TreeConfig;
///
/// # let directory = tempfile::tempdir()?;
/// let tree = TreeConfig { hash_seed: 4, digest: true };
/// let config = StorageConfig { pre_allocate: 0, ..StorageConfig::new(directory.path(), tree) };
/// let (_storage, _tree, report) = Storage::open(config)?;
/// assert!(report.created);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct StorageConfig {
    /// `dataDir`: snapshots and epoch files are in its `version-2`.
    pub data_dir: PathBuf,
    /// `dataLogDir`, if it is another directory.
    pub log_dir: Option<PathBuf>,
    /// The file system.
    pub disk: Arc<dyn Disk>,
    /// Whether missing directories are made (`zookeeper.datadir.autocreate`).
    pub create_dirs: bool,
    /// Whether a new database is begun in empty directories (`zookeeper.db.autocreate`); otherwise only with an
    /// `initialize` file beside the logs.
    pub create_database: bool,
    /// Whether logs without any snapshot are believed (`zookeeper.snapshot.trust.empty`).
    pub trust_empty: bool,
    /// Bytes that a log file reserves ahead (`preAllocSize`, there in KiB); 0 turns it off.
    pub pre_allocate: u64,
    /// Whether writes reach the device before they count (`forceSync`).
    pub force_sync: bool,
    /// Bytes after which a new log file is begun (`txnLogSizeLimitInKb`).
    pub log_size_limit: Option<u64>,
    /// When groups of records are synced.
    pub group: GroupCommit,
    /// How snapshots are compressed (`snapshot.compression.method`).
    pub compression: Compression,
    /// Whether snapshots end with their zxid, as those of 3.9 do (`serializeLastProcessedZxid.enabled`).
    pub last_processed: bool,
    /// How many snapshots [`Storage::purge`] keeps (`autopurge.snapRetainCount`).
    pub retain: usize,
    /// The longest transaction to expect in a log, bytes; `jute.maxbuffer` and its reserve.
    pub max_payload: usize,
    /// For the tree.
    pub tree: TreeConfig,
    /// Follows the opening, and can give it up.
    pub loading: Arc<Loading>,
}

impl StorageConfig {
    /// Apache's defaults, on the operating system's file system.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>, tree: TreeConfig) -> Self {
        Self {
            data_dir: data_dir.into(),
            log_dir: None,
            disk: Arc::new(RealDisk),
            create_dirs: true,
            create_database: true,
            trust_empty: false,
            pre_allocate: 64 << 20,
            force_sync: true,
            log_size_limit: None,
            group: GroupCommit::default(),
            compression: Compression::Plain,
            last_processed: true,
            retain: 3,
            max_payload: DEFAULT_MAX_PAYLOAD,
            tree,
            loading: Arc::default(),
        }
    }
}

/// An open data directory. It is locked until this is dropped, so drop it after everything that writes there.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # use quorate::storage::{Storage, StorageConfig};
/// # use quorate_engine::tree::TreeConfig;
/// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
/// # let (storage, mut tree, report) = Storage::open(config)?;
/// // `storage` is an open directory, and `tree` what it holds.
/// // Everything that was written before is in the tree; the directory is ours until `storage` is dropped.
/// assert_eq!((tree.last_zxid(), report.records), (report.last, 0));
/// assert!(storage.dir_sizes()?.snapshots > 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Storage {
    layout: Layout,
    config: StorageConfig,
    rules: Rules,
    /// The last transaction, as far as anybody has said: of the opening, a cut, a replacement, or a log that was ended since.
    last: AtomicI64,
    /// Held by whoever reads the history as a whole or removes some of it. A purge that went by a list of before a cut could remove the last
    /// snapshot that the cut has left.
    whole: Mutex<()>,
    readers: Readers,
    _locks: Locks,
}

/// Sizes of the directories, bytes.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # use quorate::storage::{Storage, StorageConfig};
/// # use quorate_engine::tree::TreeConfig;
/// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
/// # let (storage, mut tree, report) = Storage::open(config)?;
/// // `storage` is an open directory, and `tree` what it holds.
/// let sizes = storage.dir_sizes()?;
/// // One directory for both here.
/// assert_eq!(sizes.snapshots, sizes.logs);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirSizes {
    /// `version-2` of `dataDir`.
    pub snapshots: u64,
    /// `version-2` of `dataLogDir`; the same directory if there is only one.
    pub logs: u64,
}

impl Storage {
    /// Locks the directories, makes them if they are missing, and builds the tree. A new database gets a first snapshot.
    ///
    /// ```
    /// use quorate::storage::{Storage, StorageConfig, StorageError};
    /// use quorate_engine::tree::TreeConfig;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// let (storage, _tree, report) = Storage::open(config.clone())?;
    /// assert!(report.created);
    /// // Nobody else gets it meanwhile.
    /// assert!(matches!(Storage::open(config.clone()), Err(StorageError::Locked { .. })));
    /// drop(storage);
    /// assert!(!Storage::open(config)?.2.created);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the directory is in use, missing or damaged, or its files cannot be read: the message says which
    /// file, where in it, and what to do. Or when [`StorageConfig::loading`] was given up. Nothing has been changed then.
    pub fn open(config: StorageConfig) -> Result<(Self, Tree, Report), StorageError> {
        let disk = Arc::clone(&config.disk);
        let layout = Layout::new(disk, &config.data_dir, config.log_dir.as_deref());
        let locks = layout.claim(config.create_dirs)?;
        let rules = Rules {
            autocreate: config.create_database,
            trust_empty: config.trust_empty,
            max_payload: config.max_payload,
            compression: config.compression,
            last_processed: config.last_processed,
            tree: config.tree,
        };
        let (tree, report) = recovery::open(&layout, &rules, &config.loading)?;
        for warning in &report.warnings {
            tracing::warn!("{warning}");
        }
        let last = AtomicI64::new(tree.last_zxid().0);
        Ok((
            Self {
                layout,
                config,
                rules,
                last,
                whole: Mutex::new(()),
                readers: Readers::default(),
                _locks: locks,
            },
            tree,
            report,
        ))
    }

    /// A writer that goes on where the log ended when it was opened.
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
    /// assert_eq!(log.sync()?, Zxid(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn log_writer(&self) -> LogWriter {
        let config = LogConfig {
            dir: self.layout.logs.clone(),
            pre_allocate: self.config.pre_allocate,
            force_sync: self.config.force_sync,
            size_limit: self.config.log_size_limit,
        };
        LogWriter::new(Arc::clone(&self.layout.disk), config, self.last())
    }

    /// Starts the thread that writes the log. `report` is called on it and must not block.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// use quorate::storage::LogReport;
    /// use quorate_engine::segment::Segment;
    /// use quorate_wire::Zxid;
    /// use std::sync::Arc;
    ///
    /// // `storage` is an open directory, and `tree` what it holds.
    /// let mut records = Segment::default();
    /// records.push(Zxid(1), |out| out.extend_from_slice(b"a transaction"));
    /// let segment = Arc::new(records);
    /// let (sender, reports) = std::sync::mpsc::channel();
    /// let log = storage.start_log(move |report| drop(sender.send(report)))?;
    /// log.append(0, segment);
    /// assert!(matches!(reports.recv()?, LogReport::Synced(Zxid(1))));
    /// log.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the system has no thread for us.
    pub fn start_log(&self, report: impl Fn(LogReport) + Send + 'static) -> io::Result<LogThread> {
        LogThread::start(self.log_writer(), self.config.group, report)
    }

    /// Begins the snapshot of the tree as it was frozen. The bytes of the walk go into it, then
    /// [`trailer`](Self::trailer).
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// use quorate_engine::tree::WalkState;
    ///
    /// // `storage` is an open directory, and `tree` what it holds.
    /// let head = tree.freeze();
    /// let mut writer = storage.snapshot_writer(&head)?;
    /// let mut bytes = Vec::new();
    /// while tree.walk(100, &mut bytes) != WalkState::Done {}
    /// writer.write(&bytes)?;
    /// let path = writer.finish(&storage.trailer(&head))?;
    /// assert!(path.ends_with("snapshot.0"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn snapshot_writer(&self, head: &FrozenHead) -> Result<SnapshotWriter, StorageError> {
        let disk = Arc::clone(&self.layout.disk);
        SnapshotWriter::create(disk, &self.layout.snapshots, head.zxid, self.config.compression)
    }

    /// What ends the snapshot of a frozen tree.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, _report) = Storage::open(config)?;
    /// // `storage` is an open directory, and `tree` what it holds.
    /// let head = tree.freeze();
    /// let trailer = storage.trailer(&head);
    /// assert_eq!(trailer.digest.map(|digest| digest.zxid), Some(head.zxid));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn trailer(&self, head: &FrozenHead) -> Trailer {
        recovery::trailer(head, &self.rules)
    }

    /// Takes a snapshot in one go, on this thread.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// // `storage` is an open directory, and `tree` what it holds.
    /// let path = storage.write_snapshot(&mut tree)?;
    /// assert!(path.ends_with("version-2/snapshot.0"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When it cannot be written; what was there before is untouched.
    pub fn write_snapshot(&self, tree: &mut Tree) -> Result<PathBuf, StorageError> {
        recovery::write_snapshot(&self.layout, &self.rules, tree)
    }

    /// Removes snapshots and logs that are not needed to keep the configured number of snapshots. Safe while the log and
    /// a snapshot are being written; may take a while. Logs that a learner is being given stay as well.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// // `storage` is an open directory, and `tree` what it holds.
    /// // Nothing is superfluous yet.
    /// assert_eq!(storage.purge()?.files.len(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When a file cannot be read or removed.
    pub fn purge(&self) -> Result<Purged, StorageError> {
        let _whole = self.whole();
        purge::purge(&self.layout, self.config.retain, self.readers.oldest())
    }

    /// Takes back every transaction after `at`, durably: logs are cut and snapshots of anything later removed. Gives the tree as it is
    /// then. `None` if the directory does not hold exactly what comes before, so that it could not be brought back to it; it is as
    /// it was then. An `at` with the counter 0 is where its epoch begins: everything of that epoch goes, and what is later.
    ///
    /// Not while a [`LogWriter`] or a snapshot is at work; a new log writer goes on after `at`. A purge is waited for.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, _tree, _report) = Storage::open(config)?;
    /// use quorate_wire::Zxid;
    ///
    /// // `storage` is an open directory, with nothing in it yet.
    /// let tree = storage.cut(Zxid::ZERO)?.expect("that is where it is");
    /// assert_eq!(tree.last_zxid(), Zxid::ZERO);
    /// assert!(storage.cut(Zxid(7))?.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When a file cannot be read, written or removed. More than was to be kept may be there then, and never less.
    pub fn cut(&self, at: Zxid) -> Result<Option<Tree>, StorageError> {
        let _whole = self.whole();
        let tree = cut::cut(&self.layout, &self.rules, at)?;
        if let Some(tree) = &tree {
            self.goes_on_after(tree.last_zxid());
        }
        Ok(tree)
    }

    /// Makes a tree that came from elsewhere the whole history, durably and in one step: its snapshot counts from the moment in which it is
    /// there. Logs and earlier snapshots go. The tree's zxid must not be before the last transaction here, or records that
    /// it does not have would come after it.
    ///
    /// Not while a [`LogWriter`] or a snapshot is at work; a new log writer goes on after the tree. A purge is waited for.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, _tree, _report) = Storage::open(config.clone())?;
    /// use quorate_engine::tree::{Tree, TreeLoader};
    /// use quorate_wire::{StatPersisted, Zxid};
    ///
    /// // `storage` is an open directory. The tree of a leader has only a root here, and is of zxid 9.
    /// let mut loader = TreeLoader::new(config.tree);
    /// loader.node("", None, -1, &StatPersisted::default())?;
    /// let mut theirs = loader.finish(Zxid(9))?;
    /// storage.replace(&mut theirs)?;
    /// drop(storage);
    /// assert_eq!(Storage::open(config)?.1.last_zxid(), Zxid(9));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the tree is of an earlier zxid, or a file cannot be written or removed. The old history or the new one counts then.
    pub fn replace(&self, tree: &mut Tree) -> Result<(), StorageError> {
        let _whole = self.whole();
        if tree.last_zxid() < self.last() {
            let reason = format!("{} comes before {}", tree.last_zxid(), self.last());
            let error = io::Error::new(io::ErrorKind::InvalidInput, reason);
            return Err(StorageError::io("replace", &self.layout.snapshots)(error));
        }
        cut::replace(&self.layout, &self.rules, tree)?;
        self.goes_on_after(tree.last_zxid());
        Ok(())
    }

    /// Builds the tree once more from what is there, as a start does. Not while a [`LogWriter`] or a snapshot is at work.
    pub(crate) fn reload(&self) -> Result<Tree, StorageError> {
        let _whole = self.whole();
        let (tree, report) = recovery::open(&self.layout, &self.rules, &self.config.loading)?;
        for warning in &report.warnings {
            tracing::warn!("{warning}");
        }
        self.goes_on_after(tree.last_zxid());
        Ok(tree)
    }

    /// The last transaction on the disk is this one: what a [`LogWriter`] has reached that has ended since.
    pub(crate) fn goes_on_after(&self, last: Zxid) {
        self.last.store(last.0, Ordering::Relaxed);
    }

    /// The last transaction on the disk, as far as it has been said.
    pub(crate) fn last(&self) -> Zxid {
        Zxid(self.last.load(Ordering::Relaxed))
    }

    fn whole(&self) -> MutexGuard<'_, ()> {
        // Nothing is behind it that a panic could have left half done.
        self.whole.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The end of the history as it was when the directory was opened, cut or replaced: about `limit` bytes of transactions. Reads log files.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, _tree, _report) = Storage::open(config)?;
    /// // `storage` is an open directory, with nothing in it yet.
    /// assert!(storage.recent(1 << 20)?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn recent(&self, limit: usize) -> Result<History, StorageError> {
        let _whole = self.whole();
        cut::recent(&self.layout, &self.rules, self.last(), limit)
    }

    /// The epoch files.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// // `storage` is an open directory, and `tree` what it holds.
    /// storage.write_current_epoch(0)?;
    /// assert_eq!(storage.epochs()?.current, Some(0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When a file cannot be read or is nonsense.
    pub fn epochs(&self) -> Result<Epochs, StorageError> {
        Epochs::read(&self.layout, self.last())
    }

    /// Writes `acceptedEpoch` durably.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// // `storage` is an open directory, and `tree` what it holds.
    /// storage.write_accepted_epoch(3)?;
    /// assert_eq!(storage.epochs()?.accepted, Some(3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When that fails; the old value may or may not stand.
    pub fn write_accepted_epoch(&self, epoch: i64) -> Result<(), StorageError> {
        epochs::write(&self.layout, FileName::AcceptedEpoch, epoch)
    }

    /// Writes `currentEpoch` durably.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// // `storage` is an open directory, and `tree` what it holds.
    /// storage.write_current_epoch(0)?;
    /// assert_eq!(storage.epochs()?.current, Some(0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When that fails; the old value may or may not stand.
    pub fn write_current_epoch(&self, epoch: i64) -> Result<(), StorageError> {
        epochs::write(&self.layout, FileName::CurrentEpoch, epoch)
    }

    /// How much the files take.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// // `storage` is an open directory, and `tree` what it holds.
    /// // There is a first snapshot.
    /// assert!(storage.dir_sizes()?.snapshots > 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When a directory cannot be read.
    pub fn dir_sizes(&self) -> Result<DirSizes, StorageError> {
        let size = |dir: &Path| -> Result<u64, StorageError> {
            let entries = self.layout.disk.list(dir).map_err(StorageError::io("read", dir))?;
            Ok(entries.iter().fold(0u64, |sum, entry| sum.saturating_add(entry.len)))
        };
        Ok(DirSizes { snapshots: size(&self.layout.snapshots)?, logs: size(&self.layout.logs)? })
    }

    /// Room on the device of the logs.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// // `storage` is an open directory, and `tree` what it holds.
    /// let space = storage.space()?;
    /// assert!(space.available <= space.total);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn space(&self) -> io::Result<Space> {
        self.layout.disk.space(&self.layout.logs)
    }
}
