//! A disk that asks before each of its operations: whoever hooks in may refuse it, or hold it up.

use quorate::storage::disk::{Disk, DiskFile, Entry, Locked, Space};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is about to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    List,
    ReadAt,
    Create,
    Open,
    Rename,
    Remove,
    SyncDir,
    Write,
    Shorten,
    Sync,
}

type Hook = Arc<dyn Fn(Op, &Path) -> io::Result<()> + Send + Sync>;

#[derive(Clone)]
pub(crate) struct HookedDisk {
    disk: Arc<dyn Disk>,
    hook: Hook,
}

impl HookedDisk {
    /// Before another disk. `hook` is called from whichever thread does something.
    pub(crate) fn new(
        disk: impl Disk + 'static,
        hook: impl Fn(Op, &Path) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self { disk: Arc::new(disk), hook: Arc::new(hook) }
    }

    fn wrap(&self, path: &Path, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(HookedFile { file, path: path.to_owned(), hook: Arc::clone(&self.hook) })
    }
}

struct HookedFile {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    hook: Hook,
}

impl DiskFile for HookedFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        (self.hook)(Op::Write, &self.path)?;
        self.file.write_at(bytes, offset)
    }
    fn allocate(&mut self, len: u64) -> io::Result<()> {
        self.file.allocate(len)
    }
    fn set_len(&mut self, len: u64) -> io::Result<()> {
        (self.hook)(Op::Shorten, &self.path)?;
        self.file.set_len(len)
    }
    fn sync_data(&mut self) -> io::Result<()> {
        (self.hook)(Op::Sync, &self.path)?;
        self.file.sync_data()
    }
}

impl Disk for HookedDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.disk.create_dir_all(dir)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        (self.hook)(Op::List, dir)?;
        self.disk.list(dir)
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.disk.read(path)
    }
    fn read_at(&self, path: &Path, offset: u64, len: u64) -> io::Result<Vec<u8>> {
        (self.hook)(Op::ReadAt, path)?;
        self.disk.read_at(path, offset, len)
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        (self.hook)(Op::Create, path)?;
        Ok(self.wrap(path, self.disk.create(path)?))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        (self.hook)(Op::Open, path)?;
        Ok(self.wrap(path, self.disk.open(path)?))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        (self.hook)(Op::Rename, to)?;
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        (self.hook)(Op::Remove, path)?;
        self.disk.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        (self.hook)(Op::SyncDir, dir)?;
        self.disk.sync_dir(dir)
    }
    fn lock(&self, path: &Path, note: &str) -> io::Result<Locked> {
        self.disk.lock(path, note)
    }
    fn space(&self, dir: &Path) -> io::Result<Space> {
        self.disk.space(dir)
    }
}
