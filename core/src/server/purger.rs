//! Removes old snapshots and logs now and then (`autopurge.*`).

use crate::config::AutoPurge;
use crate::storage::Storage;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The thread that does it; dropping this ends it.
#[derive(Debug)]
pub(crate) struct Purger {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Purger {
    /// Starts it, unless the configuration asks for none. The first run is at once, as in Apache.
    pub(crate) fn start(storage: Arc<Storage>, config: &AutoPurge) -> io::Result<Option<Self>> {
        if config.interval_ms == 0 {
            return Ok(None);
        }
        let interval = Duration::from_millis(config.interval_ms);
        let (end, ended) = channel();
        let thread = thread::Builder::new().name("quorate-purge".into()).spawn(move || {
            loop {
                if let Err(error) = storage.purge() {
                    tracing::warn!("old files could not be purged: {error}");
                }
                if ended.recv_timeout(interval) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        })?;
        Ok(Some(Self { end: Some(end), thread: Some(thread) }))
    }
}

impl Drop for Purger {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by the panic hook and hurt nobody else.
            let _ = thread.join();
        }
    }
}
