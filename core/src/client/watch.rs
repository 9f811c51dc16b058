//! Watches as values: one-shot ones are futures, persistent ones streams.

use super::error::{Error, Result};
use super::operation::WatchGuard;
use futures_core::Stream;
use quorate_engine::client::Notice;
use quorate_wire::ErrorCode;
use quorate_wire::event::EventType;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

/// What happened to a watched node.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::{CreateMode, EventType};
///
/// let (_, watch) = client.exists_and_watch("/soon").await?;
/// let created = client.create("/soon", b"", CreateMode::Persistent).await?;
/// let event = watch.await?;
/// assert_eq!((event.kind, event.path.as_str()), (EventType::Created, "/soon"));
/// assert_eq!(event.zxid, Some(created.stat.czxid));
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// How it changed.
    pub kind: EventType,
    /// The node, without the root of the client's view.
    pub path: String,
    /// The transaction that changed it, where the server says so (ZooKeeper 3.9 and newer, quorate).
    pub zxid: Option<i64>,
}

/// A one-shot watch. Awaiting it waits for the event, or for the end of the session, which is an error. It survives reconnects.
/// Dropping it removes it, on the server too.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::EventType;
///
/// let (_, _, watch) = client.get_and_watch("/").await?;
/// assert_eq!(watch.path(), "/");
/// client.set("/", b"x", None).await?;
/// assert_eq!(watch.await?.kind, EventType::DataChanged);
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "a dropped watch is removed"]
pub struct Watch {
    guard: WatchGuard,
}

impl Watch {
    pub(super) const fn new(guard: WatchGuard) -> Self {
        Self { guard }
    }

    /// The watched path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.guard.path
    }
}

impl Future for Watch {
    type Output = Result<Event>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            return match self.guard.shared.poll_watch(self.guard.key, context.waker()) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Notice::Changed { kind, path, zxid }) => {
                    Poll::Ready(Ok(Event { kind, path, zxid }))
                }
                // Nothing can be missed by one who waits for a single event.
                Poll::Ready(Notice::Missed) => continue,
                Poll::Ready(Notice::Ended(code)) => Poll::Ready(Err(ended(code, &self.guard.path))),
            };
        }
    }
}

/// What a persistent watch sees.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::{WatchEvent, WatchMode};
///
/// let mut watcher = client.watch("/", WatchMode::Node).await?;
/// client.set("/", b"x", None).await?;
/// match watcher.next().await? {
///     WatchEvent::Changed(event) => assert_eq!(event.path, "/"),
///     WatchEvent::Missed => println!("read everything again"),
/// }
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchEvent {
    /// A node changed.
    Changed(Event),
    /// Events may be missing here, because the connection was away or because this stream was not read fast enough: read the
    /// state again.
    Missed,
}

/// A persistent watch, on one node or on a subtree. It survives reconnects and ends with the session. Dropping it
/// removes it, on the server too.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::WatchMode;
///
/// let mut watcher = client.watch("/", WatchMode::Node).await?;
/// for round in 0..3 {
///     client.set("/", &[round], None).await?;
///     watcher.next().await?;
/// }
/// // The end of the session is told once.
/// client.close().await?;
/// assert!(watcher.next().await.unwrap_err().is_session_end());
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "a dropped watch is removed"]
pub struct Watcher {
    guard: WatchGuard,
    ended: bool,
}

impl Watcher {
    pub(super) const fn new(guard: WatchGuard) -> Self {
        Self { guard, ended: false }
    }

    /// The watched path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.guard.path
    }

    /// Waits for the next event.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{EventType, WatchEvent, WatchMode};
    ///
    /// let mut watcher = client.watch("/", WatchMode::Node).await?;
    /// assert_eq!(watcher.path(), "/");
    /// client.set("/", b"x", None).await?;
    /// let event = watcher.next().await?;
    /// assert!(matches!(event, WatchEvent::Changed(event) if event.kind == EventType::DataChanged));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// Once, when the session has ended; nothing follows.
    pub async fn next(&mut self) -> Result<WatchEvent> {
        poll_fn(|context| self.poll_event(context)).await
    }

    fn poll_event(&mut self, context: &Context<'_>) -> Poll<Result<WatchEvent>> {
        if self.ended {
            return Poll::Ready(Err(ended(ErrorCode::NoWatcher, &self.guard.path)));
        }
        match self.guard.shared.poll_watch(self.guard.key, context.waker()) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Notice::Changed { kind, path, zxid }) => {
                Poll::Ready(Ok(WatchEvent::Changed(Event { kind, path, zxid })))
            }
            Poll::Ready(Notice::Missed) => Poll::Ready(Ok(WatchEvent::Missed)),
            Poll::Ready(Notice::Ended(code)) => {
                self.ended = true;
                Poll::Ready(Err(ended(code, &self.guard.path)))
            }
        }
    }
}

impl Stream for Watcher {
    type Item = Result<WatchEvent>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended { Poll::Ready(None) } else { self.poll_event(context).map(Some) }
    }
}

fn ended(code: ErrorCode, path: &str) -> Error {
    Error::new(code, "watch", path)
}
