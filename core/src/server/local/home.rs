//! The directory of a local ensemble.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A directory, which goes when this is dropped if it was made for this.
#[derive(Debug)]
pub(super) struct Home {
    path: PathBuf,
    temporary: bool,
}

impl Home {
    /// A directory that stays.
    pub(super) fn at(path: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&path)?;
        // Members may run elsewhere.
        Ok(Self { path: fs::canonicalize(path)?, temporary: false })
    }

    /// A fresh one among temporary files, for nobody else to read.
    pub(super) fn temporary() -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let process = std::process::id();
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("quorate-ensemble-{process}-{number}"));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path, temporary: true }),
                // Of an earlier process with this number.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.temporary {
            // What is left is among temporary files.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
