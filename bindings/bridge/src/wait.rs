//! Waiting for a future on the host's own thread.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// How a wait ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Waited<T> {
    /// The future is ready.
    Done(T),
    /// The time ran out; the future was dropped, which cancels what it did.
    TimedOut,
    /// The host wanted the thread back; the future was dropped.
    Interrupted,
}

/// Waits for `future` on this thread, not longer than `limit`. Every `interval` the host is asked by `interrupted` whether it wants
/// its thread back, for a signal perhaps.
///
/// What is ready at once is taken even when the limit is zero. The result is looked for once more when the time is over.
pub fn wait<F: Future>(
    future: F,
    limit: Option<Duration>,
    interval: Duration,
    mut interrupted: impl FnMut() -> bool,
) -> Waited<F::Output> {
    let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        let late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Waited::Done(value);
        }
        if late {
            return Waited::TimedOut;
        }
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        std::thread::park_timeout(left.map_or(interval, |left| left.min(interval)));
        if interrupted() {
            return Waited::Interrupted;
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::{Waited, wait};
    use std::future::{pending, ready};
    use std::time::Duration;

    const SOON: Duration = Duration::from_millis(1);

    #[test]
    fn what_is_ready_needs_no_time() {
        assert_eq!(wait(ready(7), Some(Duration::ZERO), SOON, || true), Waited::Done(7));
    }

    #[test]
    fn a_limit_ends_the_wait() {
        assert_eq!(wait(pending::<()>(), Some(SOON), SOON, || false), Waited::TimedOut);
    }

    #[test]
    fn the_host_can_have_its_thread_back() {
        let mut asked = 0;
        let host = || {
            asked += 1;
            asked == 3
        };
        assert_eq!(wait(pending::<()>(), None, SOON, host), Waited::Interrupted);
    }
}
