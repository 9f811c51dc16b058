//! A disk in memory, for tests that open a directory thousands of times.

use quorate::storage::disk::{Disk, DiskFile, Entry, Locked, Space};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

type Files = BTreeMap<PathBuf, Vec<u8>>;

#[derive(Clone, Default)]
pub(crate) struct MemoryDisk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    files: Files,
    /// What a power failure leaves. Names are durable at once.
    synced: Files,
    /// Changes until the process dies.
    fuse: Option<usize>,
}

impl MemoryDisk {
    pub(crate) fn files(&self) -> Files {
        self.0.lock().unwrap().files.clone()
    }

    /// Puts other files in place of all, durably.
    pub(crate) fn set(&self, files: Files) {
        let state = &mut *self.0.lock().unwrap();
        state.synced.clone_from(&files);
        state.files = files;
    }

    /// Writes a file that is not synced.
    pub(crate) fn write(&self, path: PathBuf, bytes: Vec<u8>) {
        self.0.lock().unwrap().files.insert(path, bytes);
    }

    /// Takes away what was not synced.
    pub(crate) fn lose_power(&self) {
        let state = &mut *self.0.lock().unwrap();
        state.files.clone_from(&state.synced);
    }

    /// The process dies after so many changes, in the middle of the next one if that is a write; or never.
    pub(crate) fn die_after(&self, changes: Option<usize>) {
        self.0.lock().unwrap().fuse = changes;
    }

    fn get(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.lock().unwrap().files.get(path).cloned().ok_or(io::ErrorKind::NotFound.into())
    }
}

impl State {
    /// Counts a change. An error when the process is dead, which it is from then on.
    fn step(&mut self) -> io::Result<()> {
        match &mut self.fuse {
            None => Ok(()),
            Some(0) => Err(io::Error::other("the process is dead")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

struct MemoryFile(Arc<Mutex<State>>, PathBuf);

impl MemoryFile {
    fn change(&self, change: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.step()?;
        change(state.files.entry(self.1.clone()).or_default());
        Ok(())
    }
}

impl DiskFile for MemoryFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        let (first, second) = bytes.split_at(bytes.len() / 2);
        [(start, first), (start + first.len(), second)].into_iter().try_for_each(
            |(start, bytes)| {
                self.change(|file| {
                    let end = start + bytes.len();
                    file.resize(file.len().max(end), 0);
                    file[start..end].copy_from_slice(bytes);
                })
            },
        )
    }
    fn allocate(&mut self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).unwrap();
        self.change(|file| file.resize(file.len().max(len), 0))
    }
    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.change(|file| file.resize(usize::try_from(len).unwrap(), 0))
    }
    fn sync_data(&mut self) -> io::Result<()> {
        let state = &mut *self.0.lock().unwrap();
        state.step()?;
        let bytes = state.files.get(&self.1).cloned().unwrap_or_default();
        state.synced.insert(self.1.clone(), bytes);
        Ok(())
    }
}

impl Disk for MemoryDisk {
    fn create_dir_all(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let state = self.0.lock().unwrap();
        let inside = state.files.iter().filter(|(path, _)| path.parent() == Some(dir));
        let entry = |(path, bytes): (&PathBuf, &Vec<u8>)| Entry {
            name: path.file_name().unwrap().to_str().unwrap().to_owned(),
            len: u64::try_from(bytes.len()).unwrap(),
        };
        Ok(inside.map(entry).collect())
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.get(path)
    }
    fn read_at(&self, path: &Path, offset: u64, len: u64) -> io::Result<Vec<u8>> {
        let (offset, len) = (usize::try_from(offset).unwrap(), usize::try_from(len).unwrap());
        Ok(self.get(path)?.into_iter().skip(offset).take(len).collect())
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = MemoryFile(Arc::clone(&self.0), path.to_owned());
        file.change(Vec::clear)?;
        Ok(Box::new(file))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.get(path)?;
        Ok(Box::new(MemoryFile(Arc::clone(&self.0), path.to_owned())))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let bytes = self.get(from)?;
        let state = &mut *self.0.lock().unwrap();
        state.step()?;
        state.files.remove(from);
        state.files.insert(to.to_owned(), bytes);
        if let Some(bytes) = state.synced.remove(from) {
            state.synced.insert(to.to_owned(), bytes);
        }
        Ok(())
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.step()?;
        state.synced.remove(path);
        let removed = state.files.remove(path);
        removed.map(|_| ()).ok_or(io::ErrorKind::NotFound.into())
    }
    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn lock(&self, _: &Path, _: &str) -> io::Result<Locked> {
        Ok(Locked::Here(Box::new(())))
    }
    fn space(&self, _: &Path) -> io::Result<Space> {
        Ok(Space { total: 1 << 40, available: 1 << 40 })
    }
}
