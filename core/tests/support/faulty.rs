//! The operating system's disk, except where a test wants it to fail.

use quorate::storage::RealDisk;
use quorate::storage::disk::{Disk, DiskFile, Entry, Locked, Space};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// What is to go wrong from now on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    /// Bytes that may still be written or reserved; a write beyond that is done in part.
    pub(crate) room: Option<u64>,
    /// Whether reserving ahead has no effect on room (a file system without fallocate).
    pub(crate) no_reserve: bool,
    /// Every sync fails.
    pub(crate) sync: bool,
    /// Every sync of a directory fails.
    pub(crate) sync_dir: bool,
    /// Every write fails, and not for want of room.
    pub(crate) write: bool,
    /// How many syncs there were, of files and of directories.
    pub(crate) syncs: usize,
    pub(crate) dir_syncs: usize,
    /// How many writes there were, and of which length.
    pub(crate) writes: Vec<usize>,
}

#[derive(Clone, Default)]
pub(crate) struct FaultyDisk {
    pub(crate) faults: Arc<Mutex<Faults>>,
}

impl FaultyDisk {
    pub(crate) fn set(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.faults.lock().unwrap());
    }

    pub(crate) fn get(&self) -> Faults {
        self.faults.lock().unwrap().clone()
    }

    fn wrap(&self, file: Box<dyn DiskFile>, len: u64) -> Box<dyn DiskFile> {
        Box::new(FaultyFile { file, len, faults: Arc::clone(&self.faults) })
    }
}

struct FaultyFile {
    file: Box<dyn DiskFile>,
    len: u64,
    faults: Arc<Mutex<Faults>>,
}

impl FaultyFile {
    /// How much of a growth to `len` there is room for; the rest is refused.
    fn grow(&mut self, len: u64) -> u64 {
        let mut faults = self.faults.lock().unwrap();
        let wanted = len.saturating_sub(self.len);
        let given = faults.room.map_or(wanted, |room| room.min(wanted));
        if let Some(room) = &mut faults.room {
            *room -= given;
        }
        self.len += given;
        self.len
    }
}

impl DiskFile for FaultyFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.faults.lock().unwrap().write {
            return Err(io::Error::other("the device is broken"));
        }
        self.faults.lock().unwrap().writes.push(bytes.len());
        let end = offset + u64::try_from(bytes.len()).unwrap();
        let len = self.grow(end);
        let fits = usize::try_from(len.min(end).saturating_sub(offset)).unwrap();
        self.file.write_at(&bytes[..fits], offset)?;
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn allocate(&mut self, len: u64) -> io::Result<()> {
        if self.faults.lock().unwrap().no_reserve {
            return self.file.set_len(len);
        }
        if self.grow(len) < len {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.allocate(len)
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        let freed = self.len.saturating_sub(len);
        if let Some(room) = &mut self.faults.lock().unwrap().room {
            *room += freed;
        }
        self.len = self.len.min(len);
        self.file.set_len(len)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        let mut faults = self.faults.lock().unwrap();
        faults.syncs += 1;
        if faults.sync { Err(io::Error::other("the device is broken")) } else { Ok(()) }
    }
}

impl Disk for FaultyDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        RealDisk.create_dir_all(dir)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        RealDisk.list(dir)
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        RealDisk.read(path)
    }
    fn read_at(&self, path: &Path, offset: u64, len: u64) -> io::Result<Vec<u8>> {
        RealDisk.read_at(path, offset, len)
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.wrap(RealDisk.create(path)?, 0))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.wrap(RealDisk.open(path)?, std::fs::metadata(path)?.len()))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }
    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        let mut faults = self.faults.lock().unwrap();
        faults.dir_syncs += 1;
        if faults.sync_dir { Err(io::Error::other("the device is broken")) } else { Ok(()) }
    }
    fn lock(&self, path: &Path, note: &str) -> io::Result<Locked> {
        RealDisk.lock(path, note)
    }
    fn space(&self, dir: &Path) -> io::Result<Space> {
        let available = self.faults.lock().unwrap().room;
        let real = RealDisk.space(dir)?;
        Ok(Space { available: available.unwrap_or(real.available), ..real })
    }
}
