//! [`Loading`]: how far the opening of a directory is, and the wish to give it up.

use super::error::StorageError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Shared by whoever opens a directory and whoever watches that: how much has been read into the tree, and whether anybody still
/// wants it.
///
/// ```
/// use quorate::server::{Server, ServerError};
/// use quorate::storage::{Loading, StorageError};
/// use std::sync::Arc;
///
/// let directory = std::env::temp_dir().join(format!("quorate-loading-{}", std::process::id()));
/// let loading = Arc::new(Loading::default());
/// // Usually from another thread, while the server starts.
/// loading.give_up();
/// let started = Server::builder().data_dir(&directory).no_port().loading(loading).start();
/// assert!(matches!(started, Err(ServerError::Storage(StorageError::GivenUp))));
/// std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Loading {
    /// Bytes of the files before the present one.
    before: AtomicU64,
    done: AtomicU64,
    total: AtomicU64,
    given_up: AtomicBool,
}

impl Loading {
    /// Bytes that are in the tree, and bytes of all files that were met so far.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }

    /// Ends the loading soon, with [`StorageError::GivenUp`] and nothing changed on the disk. Too late is harmless: what is
    /// loaded stays open.
    ///
    /// ```
    /// use quorate::storage::Loading;
    ///
    /// let loading = Loading::default();
    /// loading.give_up();
    /// // Nothing was read yet.
    /// assert_eq!(loading.progress(), (0, 0));
    /// ```
    pub fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// Goes on with a file of this many bytes.
    pub(super) fn begin(&self, len: usize) {
        // Only one thread loads, so nothing is lost between load and store.
        let total = self.total.load(Ordering::Relaxed);
        self.before.store(total, Ordering::Relaxed);
        self.done.store(total, Ordering::Relaxed);
        self.total.store(total.saturating_add(bytes(len)), Ordering::Relaxed);
    }

    /// The present file is in the tree up to `position`.
    pub(super) fn reach(&self, position: u64) -> Result<(), StorageError> {
        let done = self.before.load(Ordering::Relaxed).saturating_add(position);
        self.done.store(done, Ordering::Relaxed);
        self.go_on()
    }

    /// Fails if nobody wants the rest.
    pub(super) fn go_on(&self) -> Result<(), StorageError> {
        if self.given_up.load(Ordering::Relaxed) { Err(StorageError::GivenUp) } else { Ok(()) }
    }
}

/// A length in memory.
pub(super) fn bytes(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
