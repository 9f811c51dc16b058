//! Writes a snapshot file: bytes of a walk in, a sealed and synced file out.
//!
//! The file is written under a name that nobody takes for a snapshot (not even Apache, which reads
//! `snapshot.5.tmp` as one), synced, renamed, and the directory synced: it exists as a whole or not at all.
//! [`SnapshotJob`] does this on a thread of its own, with a short queue of chunks between it and whoever walks the tree.

use super::disk::{Disk, DiskFile};
use super::error::StorageError;
use flate2::write::GzEncoder;
use quorate_wire::Zxid;
use quorate_wire::disk::names::{Compression, FileName};
use quorate_wire::disk::snappy_frame;
use quorate_wire::disk::snapshot::{Sealer, Trailer};
use std::io::{self, Write};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A snapshot that is being written. Dropped before [`finish`](Self::finish), it leaves nothing behind.
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
/// let mut bytes = Vec::new();
/// while tree.walk(100, &mut bytes) != WalkState::Done {}
/// let mut writer = storage.snapshot_writer(&head)?;
/// writer.write(&bytes)?;
/// assert!(writer.finish(&storage.trailer(&head))?.ends_with("snapshot.0"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SnapshotWriter {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    temporary: PathBuf,
    path: PathBuf,
    sealer: Sealer,
    out: Option<Encoder>,
}

impl SnapshotWriter {
    /// Begins the snapshot of the state at `zxid` in `dir`.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// use quorate::storage::{RealDisk, SnapshotWriter};
    /// use quorate_wire::Zxid;
    /// use quorate_wire::disk::names::Compression;
    /// use std::sync::Arc;
    ///
    /// // `storage` is an open directory, and `tree` what it holds.
    /// let directory = directory.path().join("version-2");
    /// let writer = SnapshotWriter::create(Arc::new(RealDisk), &directory, Zxid(7), Compression::Gzip)?;
    /// drop(writer);
    /// // It was not finished, so there is nothing.
    /// assert!(!directory.join("snapshot.7.gz").exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(
        disk: Arc<dyn Disk>,
        dir: &Path,
        zxid: Zxid,
        compression: Compression,
    ) -> Result<Self, StorageError> {
        let name = FileName::Snapshot(zxid, compression).to_string();
        let temporary = dir.join(format!("{TEMPORARY_PREFIX}{name}"));
        let file = disk.create(&temporary).map_err(StorageError::io("create", &temporary))?;
        let out = Encoder::new(compression, Sink { file, end: 0, kept: 0 });
        let path = dir.join(name);
        let sealer = Sealer::new();
        Ok(Self { disk, dir: dir.to_owned(), temporary, path, sealer, out: Some(out) })
    }

    /// Adds the next bytes, from the header to the last node.
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
    /// loop {
    ///     let mut part = Vec::new();
    ///     let state = tree.walk(100, &mut part);
    ///     writer.write(&part)?;
    ///     if state == WalkState::Done {
    ///         break;
    ///     }
    /// }
    /// assert!(writer.finish(&storage.trailer(&head))?.ends_with("snapshot.0"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the device is full or fails; the snapshot is then lost and nothing else.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.sealer.absorb(bytes);
        self.put(bytes)
    }

    /// Seals the snapshot and makes it durable under its name, which is returned.
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
    /// let mut bytes = Vec::new();
    /// while tree.walk(100, &mut bytes) != WalkState::Done {}
    /// let mut writer = storage.snapshot_writer(&head)?;
    /// writer.write(&bytes)?;
    /// assert!(writer.finish(&storage.trailer(&head))?.exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn finish(mut self, trailer: &Trailer) -> Result<PathBuf, StorageError> {
        let mut rest = Vec::new();
        self.sealer.clone().finish(trailer, &mut rest);
        self.put(&rest)?;
        if let Some(out) = self.out.take() {
            out.finish().map_err(StorageError::io("write", &self.temporary))?;
        }
        let renamed = self.disk.rename(&self.temporary, &self.path);
        renamed.map_err(StorageError::io("rename", &self.temporary))?;
        self.temporary = PathBuf::new();
        self.disk.sync_dir(&self.dir).map_err(StorageError::io("sync", &self.dir))?;
        Ok(self.path.clone())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let Some(out) = &mut self.out else { return Ok(()) };
        out.write(bytes).map_err(StorageError::io("write", &self.temporary))
    }
}

impl Drop for SnapshotWriter {
    fn drop(&mut self) {
        if !self.temporary.as_os_str().is_empty() {
            self.out = None;
            // What remains is removed at the next start.
            let _ = self.disk.remove(&self.temporary);
        }
    }
}

/// What a [`SnapshotJob`] tells its owner.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # use quorate::storage::{Storage, StorageConfig};
/// # use quorate_engine::tree::TreeConfig;
/// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
/// # let (storage, mut tree, report) = Storage::open(config)?;
/// use quorate::storage::{SnapshotJob, SnapshotReport};
/// use quorate_engine::tree::WalkState;
///
/// // `storage` is an open directory, and `tree` what it holds.
/// let head = tree.freeze();
/// let (sender, reports) = std::sync::mpsc::channel();
/// let writer = storage.snapshot_writer(&head)?;
/// let mut job = SnapshotJob::start(writer, move |report| drop(sender.send(report)))?;
/// let mut bytes = Vec::new();
/// while tree.walk(100, &mut bytes) != WalkState::Done {}
/// job.send(bytes);
/// job.complete(storage.trailer(&head));
/// assert!(reports.iter().any(|report| matches!(report, SnapshotReport::Written(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub enum SnapshotReport {
    /// A chunk was taken up: another one fits.
    Ready,
    /// The snapshot is durable under this name.
    Written(PathBuf),
    /// It could not be written; what was there before is untouched.
    Failed(StorageError),
}

/// A snapshot that is written on a thread of its own. Dropped before [`complete`](Self::complete), it is abandoned.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # use quorate::storage::{Storage, StorageConfig};
/// # use quorate_engine::tree::TreeConfig;
/// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
/// # let (storage, mut tree, report) = Storage::open(config)?;
/// use quorate::storage::SnapshotJob;
/// use quorate_engine::tree::WalkState;
///
/// // `storage` is an open directory, and `tree` what it holds.
/// let head = tree.freeze();
/// let mut job = SnapshotJob::start(storage.snapshot_writer(&head)?, |report| println!("{report:?}"))?;
/// let mut bytes = Vec::new();
/// while tree.walk(100, &mut bytes) != WalkState::Done {}
/// job.send(bytes);
/// job.complete(storage.trailer(&head));
/// job.join();
/// assert!(directory.path().join("version-2/snapshot.0").exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SnapshotJob {
    chunks: Option<SyncSender<Vec<u8>>>,
    /// Set when all chunks have been handed over; without it, the end of the channel means that the
    /// snapshot is abandoned.
    trailer: Arc<OnceLock<Trailer>>,
    thread: Option<JoinHandle<()>>,
}

impl SnapshotJob {
    /// Starts the thread. `report` is called on it and must not block.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// use quorate::storage::SnapshotJob;
    ///
    /// // `storage` is an open directory, and `tree` what it holds.
    /// let head = tree.freeze();
    /// let job = SnapshotJob::start(storage.snapshot_writer(&head)?, |report| println!("{report:?}"))?;
    /// // Not completed, so abandoned.
    /// drop(job);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the system has no thread for us.
    pub fn start(
        writer: SnapshotWriter,
        report: impl Fn(SnapshotReport) + Send + 'static,
    ) -> io::Result<Self> {
        let (chunks, inbox) = sync_channel(QUEUE);
        let trailer = Arc::new(OnceLock::new());
        let end = Arc::clone(&trailer);
        let work = move || {
            let write = AssertUnwindSafe(|| write_all(writer, &inbox, &end, &report));
            match std::panic::catch_unwind(write).unwrap_or_else(|_| Err(crashed())) {
                Ok(Some(path)) => report(SnapshotReport::Written(path)),
                Ok(None) => {}
                Err(error) => report(SnapshotReport::Failed(error)),
            }
        };
        let thread = thread::Builder::new().name("quorate-snap".into()).spawn(work)?;
        Ok(Self { chunks: Some(chunks), trailer, thread: Some(thread) })
    }

    /// Hands over the next bytes of the walk, without blocking.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// use quorate::storage::SnapshotJob;
    /// use quorate_engine::tree::WalkState;
    ///
    /// // `storage` is an open directory, and `tree` what it holds.
    /// let head = tree.freeze();
    /// let mut job = SnapshotJob::start(storage.snapshot_writer(&head)?, |_| {})?;
    /// let mut bytes = Vec::new();
    /// while tree.walk(100, &mut bytes) != WalkState::Done {}
    /// if let Err(bytes) = job.offer(bytes) {
    ///     // The queue is full; whoever may wait does so.
    ///     job.send(bytes);
    /// }
    /// job.complete(storage.trailer(&head));
    /// job.join();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Gives the bytes back when the queue is full: offer them again after [`SnapshotReport::Ready`]. When the
    /// snapshot has failed, they are taken and forgotten.
    pub fn offer(&self, chunk: Vec<u8>) -> Result<(), Vec<u8>> {
        match self.chunks.as_ref().map(|chunks| chunks.try_send(chunk)) {
            Some(Err(TrySendError::Full(chunk))) => Err(chunk),
            _ => Ok(()),
        }
    }

    /// Hands over the next bytes and waits for room.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// use quorate::storage::SnapshotJob;
    /// use quorate_engine::tree::WalkState;
    ///
    /// // `storage` is an open directory, and `tree` what it holds.
    /// let head = tree.freeze();
    /// let mut job = SnapshotJob::start(storage.snapshot_writer(&head)?, |_| {})?;
    /// let mut state = WalkState::More;
    /// while state != WalkState::Done {
    ///     let mut part = Vec::new();
    ///     state = tree.walk(100, &mut part);
    ///     job.send(part);
    /// }
    /// job.complete(storage.trailer(&head));
    /// job.join();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send(&self, chunk: Vec<u8>) {
        if let Some(chunks) = &self.chunks {
            // The thread ends early only after a failure, which it has reported.
            let _ = chunks.send(chunk);
        }
    }

    /// Ends the snapshot after what has been handed over. The result is reported; the thread is left to itself
    /// until [`join`](Self::join) or the drop of this value. Never blocks.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// use quorate::storage::{SnapshotJob, SnapshotReport};
    /// use quorate_engine::tree::WalkState;
    ///
    /// // `storage` is an open directory, and `tree` what it holds.
    /// let head = tree.freeze();
    /// let (sender, reports) = std::sync::mpsc::channel();
    /// let writer = storage.snapshot_writer(&head)?;
    /// let mut job = SnapshotJob::start(writer, move |report| drop(sender.send(report)))?;
    /// let mut bytes = Vec::new();
    /// while tree.walk(100, &mut bytes) != WalkState::Done {}
    /// job.send(bytes);
    /// job.complete(storage.trailer(&head));
    /// assert!(reports.iter().any(|report| matches!(report, SnapshotReport::Written(_))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn complete(&mut self, trailer: Trailer) {
        let _ = self.trailer.set(trailer);
        self.chunks = None;
    }

    /// Waits for the thread; a snapshot without an end is abandoned.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use quorate::storage::{Storage, StorageConfig};
    /// # use quorate_engine::tree::TreeConfig;
    /// # let config = StorageConfig::new(directory.path(), TreeConfig { hash_seed: 4, digest: true });
    /// # let (storage, mut tree, report) = Storage::open(config)?;
    /// use quorate::storage::SnapshotJob;
    ///
    /// // `storage` is an open directory, and `tree` what it holds.
    /// let head = tree.freeze();
    /// let mut job = SnapshotJob::start(storage.snapshot_writer(&head)?, |_| {})?;
    /// // Nothing was completed: the snapshot is abandoned.
    /// job.join();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join(&mut self) {
        self.chunks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for SnapshotJob {
    fn drop(&mut self) {
        self.join();
    }
}

/// Whoever waits for a report must get one, or there would never be another snapshot.
fn crashed() -> StorageError {
    let source = io::Error::other("the snapshot thread crashed");
    StorageError::Io { action: "go on writing", path: "the snapshot".into(), source }
}

fn write_all(
    mut writer: SnapshotWriter,
    inbox: &Receiver<Vec<u8>>,
    trailer: &OnceLock<Trailer>,
    report: &impl Fn(SnapshotReport),
) -> Result<Option<PathBuf>, StorageError> {
    for chunk in inbox {
        report(SnapshotReport::Ready);
        writer.write(&chunk)?;
        // The device belongs to the log first: a snapshot is in no hurry.
        let pause = u64::try_from(chunk.len()).unwrap_or(u64::MAX).saturating_mul(PAUSE_NS);
        thread::sleep(Duration::from_nanos(pause).min(MAX_PAUSE));
    }
    trailer.get().map(|trailer| writer.finish(trailer)).transpose()
}

enum Encoder {
    Plain(Sink),
    Gzip(Box<GzEncoder<Sink>>),
    Snappy { sink: Sink, encoder: Box<snap::raw::Encoder>, block: Vec<u8> },
}

impl Encoder {
    fn new(compression: Compression, sink: Sink) -> Self {
        match compression {
            Compression::Plain => Self::Plain(sink),
            // Level 1, which is a third of the work of the usual 6 for a tenth more of bytes.
            Compression::Gzip => {
                Self::Gzip(Box::new(GzEncoder::new(sink, flate2::Compression::fast())))
            }
            Compression::Snappy => {
                let encoder = Box::new(snap::raw::Encoder::new());
                Self::Snappy { sink, encoder, block: Vec::new() }
            }
        }
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(sink) => sink.write_all(bytes),
            Self::Gzip(gzip) => gzip.write_all(bytes),
            Self::Snappy { sink, encoder, block } => {
                while !bytes.is_empty() {
                    let room = snappy_frame::MAX_BLOCK_INPUT.saturating_sub(block.len());
                    let (head, rest) = bytes.split_at(room.min(bytes.len()));
                    block.extend_from_slice(head);
                    bytes = rest;
                    if block.len() == snappy_frame::MAX_BLOCK_INPUT {
                        write_block(sink, encoder, block)?;
                    }
                }
                Ok(())
            }
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(sink) => sink.finish(),
            Self::Gzip(gzip) => gzip.finish()?.finish(),
            Self::Snappy { mut sink, mut encoder, mut block } => {
                write_block(&mut sink, &mut encoder, &mut block)?;
                sink.finish()
            }
        }
    }
}

/// Compresses a block and writes it as a chunk; before the first one, the stream's header.
fn write_block(
    sink: &mut Sink,
    encoder: &mut snap::raw::Encoder,
    block: &mut Vec<u8>,
) -> io::Result<()> {
    let mut out = Vec::new();
    if sink.end == 0 {
        snappy_frame::write_header(&mut out);
    }
    if !block.is_empty() {
        let compressed = encoder.compress_vec(block).map_err(io::Error::other)?;
        snappy_frame::write_chunk(&compressed, &mut out);
        block.clear();
    }
    sink.write_all(&out)
}

/// The end of a file, as a stream.
struct Sink {
    file: Box<dyn DiskFile>,
    end: u64,
    /// Where the part begins that the system may still keep to itself.
    kept: u64,
}

impl Sink {
    fn finish(mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(bytes, self.end)?;
        self.end = self.end.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        // All at once at the end would hold up the log's syncs behind it.
        let len = self.end.saturating_sub(self.kept);
        if len >= WRITE_SOON {
            self.file.write_soon(self.kept, len);
            self.kept = self.end;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Apache takes no name for a snapshot whose first part is another word.
pub(crate) const TEMPORARY_PREFIX: &str = "tmp.";
/// Chunks between the walk and the thread.
const QUEUE: usize = 4;
/// Bytes after which the system is asked to begin writing.
const WRITE_SOON: u64 = 256 << 10;
/// A snapshot thread's pause per byte: 8 ns make 125 MB/s.
const PAUSE_NS: u64 = 8;
/// However large a chunk is.
const MAX_PAUSE: Duration = Duration::from_millis(50);
