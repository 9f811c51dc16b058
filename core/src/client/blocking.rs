//! The same client for threads that wait.
//!
//! There is no second implementation: every call waits for the future of the asynchronous client. It must not be used on
//! the threads of an executor, which it would block.

use super::{Builder, CreateOptions, Created, Result};
use quorate_wire::Stat;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

/// Waits for a future on this thread.
///
/// ```
/// use quorate::client::blocking::wait;
///
/// assert_eq!(wait(async { 1 + 1 }), 2);
/// ```
pub fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(result) => return result,
            Poll::Pending => std::thread::park(),
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

/// A [`Client`](super::Client) whose calls wait.
///
/// ```
/// use quorate::client::{CreateMode, blocking};
/// # use quorate::{client::Client, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// let client = blocking::Client::connect_with(Client::builder().in_process(&server))?;
/// client.create("/greeting", b"hello", CreateMode::Persistent)?;
/// assert_eq!(client.get("/greeting")?.0, b"hello");
/// client.close()?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    inner: super::Client,
}

impl Client {
    /// Connects to the servers of a connection string.
    ///
    /// ```
    /// use quorate::client::blocking::Client;
    /// use quorate::server::Server;
    ///
    /// let server = Server::builder().volatile().free_port().start()?;
    /// let client = Client::connect(&server.address().unwrap().to_string())?;
    /// assert!(client.exists("/")?.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`super::Client::connect`].
    pub fn connect(servers: &str) -> Result<Self> {
        Self::connect_with(super::Client::builder().servers(servers))
    }

    /// Connects as the builder says.
    ///
    /// ```
    /// # let server = quorate::server::Server::builder().volatile().no_port().start()?;
    /// use quorate::client::{Client, blocking};
    /// use std::time::Duration;
    ///
    /// let builder = Client::builder().in_process(&server).session_timeout(Duration::from_secs(20));
    /// let client = blocking::Client::connect_with(builder)?;
    /// assert_eq!(client.asynchronous().session_timeout(), Duration::from_secs(20));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Builder::connect`].
    pub fn connect_with(builder: Builder) -> Result<Self> {
        wait(builder.connect()).map(|inner| Self { inner })
    }

    /// The asynchronous client, for everything that has no method here; [`wait`] waits for it.
    ///
    /// ```
    /// # let server = quorate::server::Server::builder().volatile().no_port().start()?;
    /// # let client = quorate::client::Client::builder().in_process(&server).connect_blocking()?;
    /// use quorate::client::blocking::wait;
    ///
    /// let client = client.asynchronous();
    /// // Two requests on their way at once, on a thread that waits.
    /// let (first, second) = (client.get("/"), client.children("/"));
    /// assert_eq!(wait(first)?.0, b"");
    /// assert_eq!(wait(second)?.0, ["zookeeper"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn asynchronous(&self) -> &super::Client {
        &self.inner
    }

    /// Runs asynchronous code to its end.
    ///
    /// ```
    /// # let server = quorate::server::Server::builder().volatile().no_port().start()?;
    /// # let client = quorate::client::Client::builder().in_process(&server).connect_blocking()?;
    /// let children = client.run(async |client| {
    ///     let (names, _) = client.children("/").await?;
    ///     Ok::<_, quorate::client::Error>(names.len())
    /// })?;
    /// assert_eq!(children, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn run<T>(&self, work: impl AsyncFnOnce(&super::Client) -> T) -> T {
        wait(work(&self.inner))
    }

    /// As [`super::Client::create`].
    ///
    /// ```
    /// # let server = quorate::server::Server::builder().volatile().no_port().start()?;
    /// # let client = quorate::client::Client::builder().in_process(&server).connect_blocking()?;
    /// use quorate::client::CreateMode;
    ///
    /// let job = client.create("/job-", b"", CreateMode::PersistentSequential)?;
    /// assert_eq!(job.path, "/job-0000000000");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The same.
    pub fn create(
        &self,
        path: &str,
        data: &[u8],
        options: impl Into<CreateOptions>,
    ) -> Result<Created> {
        wait(self.inner.create(path, data, options))
    }

    /// As [`super::Client::delete`].
    ///
    /// ```
    /// # let server = quorate::server::Server::builder().volatile().no_port().start()?;
    /// # let client = quorate::client::Client::builder().in_process(&server).connect_blocking()?;
    /// use quorate::client::CreateMode;
    ///
    /// client.create("/job", b"", CreateMode::Persistent)?;
    /// assert!(client.delete("/job", Some(1)).is_err());
    /// client.delete("/job", Some(0))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The same.
    pub fn delete(&self, path: &str, version: Option<i32>) -> Result<()> {
        wait(self.inner.delete(path, version))
    }

    /// As [`super::Client::exists`].
    ///
    /// ```
    /// # let server = quorate::server::Server::builder().volatile().no_port().start()?;
    /// # let client = quorate::client::Client::builder().in_process(&server).connect_blocking()?;
    /// assert!(client.exists("/nowhere")?.is_none());
    /// assert_eq!(client.exists("/")?.unwrap().num_children, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The same.
    pub fn exists(&self, path: &str) -> Result<Option<Stat>> {
        wait(self.inner.exists(path))
    }

    /// As [`super::Client::get`].
    ///
    /// ```
    /// # let server = quorate::server::Server::builder().volatile().no_port().start()?;
    /// # let client = quorate::client::Client::builder().in_process(&server).connect_blocking()?;
    /// let (data, stat) = client.get("/")?;
    /// assert_eq!((data.len(), stat.version), (0, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The same.
    pub fn get(&self, path: &str) -> Result<(Vec<u8>, Stat)> {
        wait(self.inner.get(path))
    }

    /// As [`super::Client::children`].
    ///
    /// ```
    /// # let server = quorate::server::Server::builder().volatile().no_port().start()?;
    /// # let client = quorate::client::Client::builder().in_process(&server).connect_blocking()?;
    /// let (names, _) = client.children("/")?;
    /// assert_eq!(names, ["zookeeper"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The same.
    pub fn children(&self, path: &str) -> Result<(Vec<String>, Stat)> {
        wait(self.inner.children(path))
    }

    /// As [`super::Client::set`].
    ///
    /// ```
    /// # let server = quorate::server::Server::builder().volatile().no_port().start()?;
    /// # let client = quorate::client::Client::builder().in_process(&server).connect_blocking()?;
    /// let stat = client.set("/", b"x", Some(0))?;
    /// assert_eq!(stat.version, 1);
    /// assert!(client.set("/", b"y", Some(0)).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The same.
    pub fn set(&self, path: &str, data: &[u8], version: Option<i32>) -> Result<Stat> {
        wait(self.inner.set(path, data, version))
    }

    /// As [`super::Client::sync`].
    ///
    /// ```
    /// # let server = quorate::server::Server::builder().volatile().no_port().start()?;
    /// # let client = quorate::client::Client::builder().in_process(&server).connect_blocking()?;
    /// client.sync("/")?;
    /// // This sees what anybody wrote before.
    /// assert_eq!(client.get("/")?.0, b"");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The same.
    pub fn sync(&self, path: &str) -> Result<()> {
        wait(self.inner.sync(path))
    }

    /// As [`super::Client::close`].
    ///
    /// ```
    /// # let server = quorate::server::Server::builder().volatile().no_port().start()?;
    /// # let client = quorate::client::Client::builder().in_process(&server).connect_blocking()?;
    /// client.close()?;
    /// assert!(client.get("/").unwrap_err().is_session_end());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The same.
    pub fn close(&self) -> Result<()> {
        wait(self.inner.close())
    }
}
