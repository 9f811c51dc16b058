//! [`Disk`] on the operating system.
//!
//! Linux first; where a call is missing (preallocation on macOS) the file is extended instead. `sync_data` is
//! `fdatasync` on Linux and `F_FULLFSYNC` on macOS, as the standard library has it.

use super::disk::{Disk, DiskFile, Entry, Locked, Space};
use crate::fork::Origin;
use rustix::fs::{FlockOperation, SeekFrom};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The operating system's file system.
///
/// ```
/// use quorate::storage::{RealDisk, disk::Disk};
///
/// # let directory = tempfile::tempdir()?;
/// RealDisk.create(&directory.path().join("file"))?.write_at(b"hello", 0)?;
/// assert_eq!(std::fs::read(directory.path().join("file"))?, b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            // A file may vanish between the listing and the look at it.
            let Ok(meta) = fs::metadata(entry.path()) else { continue };
            if let (true, Ok(name)) = (meta.is_file(), entry.file_name().into_string()) {
                entries.push(Entry { name, len: meta.len() });
            }
        }
        Ok(entries)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = File::open(path)?;
        let len = data_end(&file)?;
        read_range(&file, 0, len)
    }

    fn read_at(&self, path: &Path, offset: u64, len: u64) -> io::Result<Vec<u8>> {
        read_range(&File::open(path)?, offset, len)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RealFile(OpenOptions::new().write(true).open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        match File::open(dir)?.sync_all() {
            // Some network and overlay file systems cannot sync a directory.
            Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok(()),
            other => other,
        }
    }

    fn lock(&self, path: &Path, note: &str) -> io::Result<Locked> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                // The note is a courtesy; without it the refusal still stands.
                let _ = file.read_to_string(&mut holder);
                return Ok(Locked::Elsewhere(holder));
            }
            Err(e) => return Err(e.into()),
        }
        // The note is a courtesy: a full disk must not keep a server from starting.
        let _ = file.set_len(0).and_then(|()| file.write_all_at(note.as_bytes(), 0));
        Ok(Locked::Here(Box::new(Lock(file, Origin::here()))))
    }

    fn space(&self, dir: &Path) -> io::Result<Space> {
        let stat = rustix::fs::statvfs(dir)?;
        let block = stat.f_frsize;
        Ok(Space {
            total: stat.f_blocks.saturating_mul(block),
            available: stat.f_bavail.saturating_mul(block),
        })
    }
}

struct RealFile(File);

impl DiskFile for RealFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn allocate(&mut self, len: u64) -> io::Result<()> {
        let now = self.0.metadata()?.len();
        if now >= len {
            return Ok(());
        }
        match reserve(&self.0, now, len - now) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => self.0.set_len(len),
            other => Ok(other?),
        }
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    #[cfg(target_os = "linux")]
    fn write_soon(&mut self, offset: u64, len: u64) {
        // For dirty pages this advice begins to write them, and does not commit the file system's journal as a
        // sync would.
        let len = std::num::NonZeroU64::new(len);
        let _ = rustix::fs::fadvise(&self.0, offset, len, rustix::fs::Advice::DontNeed);
    }
}

#[cfg(target_os = "linux")]
fn reserve(file: &File, offset: u64, len: u64) -> Result<(), Errno> {
    rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), offset, len)
}

#[cfg(not(target_os = "linux"))]
fn reserve(_: &File, _: u64, _: u64) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// A held lock. Unlocked explicitly, because a forked child shares the descriptor and would keep it; and not by that child,
/// which would take it from its parent.
struct Lock(File, Origin);

impl Drop for Lock {
    fn drop(&mut self) {
        if self.1.is_elsewhere() {
            return;
        }
        let _ = self.0.set_len(0);
        let _ = rustix::fs::flock(&self.0, FlockOperation::Unlock);
    }
}

/// Where the last data of a file end and only zeros follow; its length where the file system does not tell holes.
///
/// Apache extends a log by a single zero byte at its new end, so small blank extents do not count as data.
fn data_end(file: &File) -> io::Result<u64> {
    let mut extents = extents(file)?;
    while let Some((start, end)) = extents.pop() {
        let len = end - start;
        if len > SMALL || read_range(file, start, len)?.iter().any(|&byte| byte != 0) {
            return Ok(end);
        }
    }
    Ok(0)
}

/// Where the data of a file are, between its holes.
fn extents(file: &File) -> io::Result<Vec<(u64, u64)>> {
    let len = file.metadata()?.len();
    let mut extents = Vec::new();
    let mut end = 0;
    while end < len {
        let data = match rustix::fs::seek(file, SeekFrom::Data(end)) {
            Ok(data) => data,
            Err(Errno::NXIO) => break,
            Err(_) => return Ok(vec![(0, len)]),
        };
        match rustix::fs::seek(file, SeekFrom::Hole(data)) {
            Ok(hole) if hole > data => end = hole,
            _ => return Ok(vec![(0, len)]),
        }
        extents.push((data, end.min(len)));
    }
    Ok(extents)
}

fn read_range(mut file: &File, offset: u64, len: u64) -> io::Result<Vec<u8>> {
    let capacity = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(capacity).map_err(|_| io::ErrorKind::OutOfMemory)?;
    if len >= LARGE {
        // Zeros that nobody has written take no time, unlike filling what is reserved now.
        drop(bytes);
        return read_halves(file, offset, vec![0; capacity]);
    }
    file.seek(io::SeekFrom::Start(offset))?;
    file.take(len).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Fills `bytes` from the file, from both halves at a time: most of the work is the kernel's, giving memory and copying.
/// What the file has no bytes for is cut off.
fn read_halves(file: &File, offset: u64, mut bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    let half = bytes.len() / 2;
    let (low, high) = bytes.split_at_mut(half);
    let middle = offset.saturating_add(u64::try_from(half).unwrap_or(u64::MAX));
    let (first, second) = std::thread::scope(|scope| {
        let other = std::thread::Builder::new().spawn_scoped(scope, || fill(file, middle, high));
        let first = fill(file, offset, low);
        (first, other.map(std::thread::ScopedJoinHandle::join))
    });
    let first = first?;
    let second = match second {
        Ok(Ok(filled)) => filled?,
        // No thread to be had.
        _ => fill(file, middle, bytes.get_mut(half..).unwrap_or_default())?,
    };
    bytes.truncate(if first < half { first } else { half.saturating_add(second) });
    Ok(bytes)
}

/// Reads until `bytes` is full or the file ends. Returns how many were read.
fn fill(file: &File, mut offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0_usize;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset) {
            Ok(0) => break,
            Ok(n) => {
                filled = filled.saturating_add(n);
                offset = offset.saturating_add(u64::try_from(n).unwrap_or(u64::MAX));
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

/// From this size on a file is read by two threads.
const LARGE: u64 = 16 << 20;
/// Extents up to this size are read to see whether they are blank, bytes.
const SMALL: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_make_the_same_as_one_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let content: Vec<u8> = (0..10_007_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
        fs::write(&path, &content).unwrap();
        let file = File::open(&path).unwrap();
        for (offset, len) in [(0, 10_007), (3, 10_004), (7, 1), (5, 2), (10_000, 100), (6000, 8000)]
        {
            let end = content.len().min(offset + len);
            let from = u64::try_from(offset).unwrap();
            let bytes = read_halves(&file, from, vec![0; len]).unwrap();
            assert_eq!(bytes, &content[offset..end], "{offset} {len}");
        }
        assert!(read_halves(&file, 20_000, vec![0; 9]).unwrap().is_empty());
    }
}
