//! What the client needs from the outside world besides a connection: time, chance, and someone to run its tasks.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

/// A task of the client, for whoever runs them.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::Task;
/// use std::sync::mpsc;
///
/// let (done, end) = mpsc::channel();
/// let task: Task = Box::pin(async move { done.send(()).unwrap() });
/// client.environment().spawn(task);
/// end.recv().unwrap();
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
pub type Task = Pin<Box<dyn Future<Output = ()> + Send + 'static>>;

/// The outside world. The library's own runs on a tokio runtime in a thread of its own; a simulator brings another.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::{Environment, Task};
/// use std::sync::atomic::{AtomicI64, Ordering};
/// use std::time::Duration;
///
/// /// A world for tests: time passes only while somebody sleeps, and chance always gives the same.
/// #[derive(Debug, Default)]
/// struct Quick(AtomicI64);
///
/// impl Environment for Quick {
///     fn now(&self) -> i64 { self.0.load(Ordering::Relaxed) }
///     fn wake(&self) {}
///     fn sleep(&self, duration: Duration) -> Task {
///         self.0.fetch_add(duration.as_millis().try_into().unwrap_or(i64::MAX), Ordering::Relaxed);
///         Box::pin(async {})
///     }
///     fn spawn(&self, task: Task) { quorate::client::blocking::wait(task); }
///     fn random(&self) -> u64 { 4 }
/// }
///
/// let world = Quick::default();
/// world.sleep(Duration::from_secs(3600)).await;
/// assert_eq!(world.now(), 3_600_000);
/// # Ok::<(), quorate::client::Error>(()) }).unwrap();
/// ```
pub trait Environment: fmt::Debug + Send + Sync + 'static {
    /// Monotonic time, ms. It must go on while the machine sleeps: sessions end meanwhile.
    fn now(&self) -> i64;

    /// Called when the driver should look at its [`Port`](super::Port) again. Never blocks.
    fn wake(&self);

    /// A task that ends after a while, for use on any executor.
    fn sleep(&self, duration: Duration) -> Task;

    /// Runs a task to its end, beside the caller.
    fn spawn(&self, task: Task);

    /// A random number.
    fn random(&self) -> u64;
}

/// Waits for `future`, but not longer than `limit`; `None` when the time is over. What is ready at once is taken even when
/// the limit is zero.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::within;
/// use std::time::Duration;
///
/// let environment = &**client.environment();
/// assert_eq!(within(environment, Duration::from_millis(1), std::future::pending::<()>()).await, None);
/// assert_eq!(within(environment, Duration::ZERO, std::future::ready(7)).await, Some(7));
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
pub async fn within<T>(
    environment: &dyn Environment,
    limit: Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = pin!(future);
    let mut timer = environment.sleep(limit);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => timer.as_mut().poll(context).map(|()| None),
    })
    .await
}
