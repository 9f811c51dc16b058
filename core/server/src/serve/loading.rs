//! Shows how far the loading of the data is, on a terminal, when it takes its time.

use crate::progress::Progress;
use quorate::storage::Loading;
use std::io::IsTerminal as _;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Does the work, whose progress `loading` knows.
pub(super) fn shown<T>(loading: &Loading, work: impl FnOnce() -> T) -> T {
    if !std::io::stderr().is_terminal() {
        return work();
    }
    thread::scope(|scope| {
        let (over, ended) = channel::<()>();
        let watch = move || {
            let progress = Progress::with("loading", Some(0), PATIENCE);
            while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                let (done, total) = loading.progress();
                progress.set_total(total);
                progress.set(done, format!("of {} MB", total >> 20));
            }
        };
        // Without a thread for it nothing is shown.
        let watcher =
            thread::Builder::new().name("quorate-progress".into()).spawn_scoped(scope, watch);
        let result = work();
        drop(over);
        if let Ok(watcher) = watcher {
            // The line is cleared before anything else is written.
            let _ = watcher.join();
        }
        result
    })
}

/// What is loaded faster than this shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(100);
