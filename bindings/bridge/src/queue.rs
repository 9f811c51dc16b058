//! [`Queue`]: completions on their way to the host, in batches.

use crate::panics::guarded;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Called when a queue stops being empty: from a library thread, or from within the call that put something in. It must not block: a
/// write to an eventfd, a `call_soon_threadsafe`, a thread-safe function.
pub type Wake = Box<dyn Fn() + Send + Sync>;

/// Completions in the order in which they came. Its owner is woken once when it stops being empty and takes everything.
pub struct Queue<T> {
    items: Mutex<Vec<T>>,
    filled: Condvar,
    wake: Option<Wake>,
}

impl<T> Queue<T> {
    /// A queue whose owner is woken by `wake`; without, it [waits](Self::wait).
    #[must_use]
    pub fn new(wake: Option<Wake>) -> Self {
        Self { items: Mutex::default(), filled: Condvar::new(), wake }
    }

    /// Adds one, and wakes the owner if it was the first. A `wake` that panics is told to the log and forgotten.
    pub fn push(&self, item: T) {
        let mut items = self.lock();
        items.push(item);
        let first = items.len() == 1;
        drop(items);
        if first {
            self.filled.notify_all();
            if let Some(wake) = &self.wake {
                let _told = guarded(wake);
            }
        }
    }

    /// Takes everything.
    #[must_use]
    pub fn take(&self) -> Vec<T> {
        std::mem::take(&mut *self.lock())
    }

    /// Takes at most `limit`. What is left does not wake the owner again: it has to come back by itself.
    #[must_use]
    pub fn take_some(&self, limit: usize) -> Vec<T> {
        let mut items = self.lock();
        let count = limit.min(items.len());
        items.drain(..count).collect()
    }

    /// Waits until there is something, and takes it all; empty when the time ran out first.
    #[must_use]
    pub fn wait(&self, limit: Duration) -> Vec<T> {
        let (mut items, _) = self
            .filled
            .wait_timeout_while(self.lock(), limit, |items| items.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *items)
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::Queue;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[test]
    fn the_owner_is_woken_once_per_batch() {
        let woken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&woken);
        let queue = Queue::new(Some(Box::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
        })));
        for round in 1..=3 {
            queue.push('a');
            queue.push('b');
            assert_eq!(woken.load(Ordering::Relaxed), round);
            assert_eq!(queue.take(), ['a', 'b']);
        }
    }

    #[test]
    fn a_wake_that_panics_loses_nothing() {
        let queue = Queue::new(Some(Box::new(|| std::panic::panic_any("no"))));
        queue.push(1);
        queue.push(2);
        assert_eq!(queue.take_some(1), [1]);
        assert_eq!(queue.wait(Duration::ZERO), [2]);
        assert!(queue.is_empty());
    }
}
