//! The calls of a process to its simulated disk: each change is a step at which the disk may die, in the middle or just
//! after.

use super::super::inode::{Inode, range};
use super::{NameOp, SimDisk, State, Step, broken, off, to_u64};
use quorate::storage::disk::{Disk, DiskFile, Entry, Locked, Space};
use std::io;
use std::path::{Path, PathBuf};

impl Disk for SimDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.alive()?;
        state.dirs.insert(dir.to_owned());
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let state = self.lock();
        state.alive()?;
        if !state.dirs.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = state.names.iter().filter(|(path, _)| path.parent() == Some(dir));
        let entry = |(path, id): (&PathBuf, &u64)| {
            let len = state.inodes.get(id).map_or(0, |inode| to_u64(inode.data.len()));
            Some(Entry { name: path.file_name()?.to_str()?.to_owned(), len })
        };
        Ok(inside.filter_map(entry).collect())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        Ok(self.lock().inode(path)?.data.clone())
    }

    fn read_at(&self, path: &Path, offset: u64, len: u64) -> io::Result<Vec<u8>> {
        let state = self.lock();
        let data = &state.inode(path)?.data;
        let range = range(offset, offset.saturating_add(len), data.len());
        Ok(data.get(range).unwrap_or_default().to_vec())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.lock();
        let life = state.life;
        if let Ok(id) = state.find(path) {
            let step = state.step()?;
            if step != Step::Dead
                && let Some(inode) = state.inodes.get_mut(&id)
            {
                inode.set_len(0);
            }
            step.result()?;
            return Ok(self.handle(id, life));
        }
        let id = state.next;
        state.next += 1;
        state.inodes.insert(id, Inode::default());
        state.change_name(NameOp::Set(path.to_owned(), id))?;
        Ok(self.handle(id, life))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let state = self.lock();
        Ok(self.handle(state.find(path)?, state.life))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock();
        let id = state.find(from)?;
        state.change_name(NameOp::Rename(from.to_owned(), to.to_owned(), id))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.find(path)?;
        state.change_name(NameOp::Remove(path.to_owned()))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let state = &mut *self.lock();
        let step = state.step()?;
        if state.failing {
            return Err(broken());
        }
        if step != Step::Dead {
            let (synced, rest): (Vec<_>, Vec<_>) =
                std::mem::take(&mut state.pending).into_iter().partition(|op| op.is_in(dir));
            synced.iter().for_each(|op| op.apply(&mut state.durable));
            state.pending = rest;
        }
        step.result()
    }

    fn lock(&self, path: &Path, _: &str) -> io::Result<Locked> {
        let mut state = self.lock();
        state.alive()?;
        if !state.locks.insert(path.to_owned()) {
            return Ok(Locked::Elsewhere("the process before".into()));
        }
        let (disk, life) = (self.clone(), state.life);
        Ok(Locked::Here(Box::new(Lock { disk, life, path: path.to_owned() })))
    }

    fn space(&self, _: &Path) -> io::Result<Space> {
        let state = self.lock();
        state.alive()?;
        let available = state.capacity.saturating_sub(state.used());
        Ok(Space { total: state.capacity, available })
    }
}

struct Lock {
    disk: SimDisk,
    life: u64,
    path: PathBuf,
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut state = self.disk.lock();
        if state.life == self.life {
            state.locks.remove(&self.path);
        }
    }
}

pub(super) struct SimFile {
    pub(super) disk: SimDisk,
    pub(super) inode: u64,
    pub(super) life: u64,
}

impl SimFile {
    /// Does `change` as a step of the disk.
    fn change(
        &self,
        change: impl FnOnce(&mut State, u64, Step) -> io::Result<()>,
    ) -> io::Result<()> {
        let state = &mut *self.disk.lock();
        if state.life != self.life {
            return Err(off());
        }
        let step = state.step()?;
        change(state, self.inode, step)?;
        step.result()
    }
}

impl DiskFile for SimFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.change(|state, id, step| {
            let end = offset.saturating_add(to_u64(bytes.len()));
            let room = state.fits(id, end).saturating_sub(offset);
            let room = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
            let taken = match step {
                Step::Done => room,
                Step::DoneThenDead | Step::Dead => state.random.index(room + 1),
            };
            let inode = state.inodes.entry(id).or_default();
            inode.write(bytes.get(..taken).unwrap_or_default(), offset);
            if room < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        })
    }

    fn allocate(&mut self, len: u64) -> io::Result<()> {
        self.change(|state, id, step| {
            if state.fits(id, len) < len {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let inode = state.inodes.entry(id).or_default();
            if step != Step::Dead && to_u64(inode.data.len()) < len {
                inode.set_len(usize::try_from(len).unwrap_or(usize::MAX));
            }
            Ok(())
        })
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.change(|state, id, step| {
            if step != Step::Dead {
                let len = usize::try_from(len).unwrap_or(usize::MAX);
                state.inodes.entry(id).or_default().set_len(len);
            }
            Ok(())
        })
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.change(|state, id, step| {
            let inode = state.inodes.entry(id).or_default();
            if state.failing {
                inode.fail();
                return Err(broken());
            }
            if step != Step::Dead {
                inode.sync();
            }
            Ok(())
        })
    }
}
