//! [`Server`]: a handle to the threads of a running server.

use super::builder::Builder;
use super::pipe::{Calls, LocalStream, Pipe};
use super::purger::Purger;
use crate::ensemble::election::ElectionError;
use crate::ensemble::roster::RosterError;
use crate::ensemble::tls::QuorumTlsError;
use crate::fork::ForkMutex;
use crate::storage::{LogFailure, StorageError};
use mio::Waker;
use quorate_engine::replica::ApplyError;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, PoisonError};
use std::thread::JoinHandle;

/// Why a server did not start, or why it stopped by itself.
///
/// ```
/// use quorate::server::{Server, ServerError};
///
/// let first = Server::builder().volatile().free_port().start()?;
/// let second = Server::builder().volatile().listen(first.address().unwrap()).start();
/// assert!(matches!(second, Err(ServerError::Listen { .. })));
/// # Ok::<(), ServerError>(())
/// ```
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The client port cannot be opened.
    #[error("cannot listen on {address}: {cause}; choose another clientPort or stop what uses it")]
    Listen {
        /// Where it should have listened.
        address: String,
        /// What the system says.
        cause: io::Error,
    },
    /// A member of an ensemble was to be [volatile](Builder::volatile).
    #[error("a member of an ensemble must keep what it has acknowledged: give it a data directory")]
    NeedsDirectory,
    /// A member of an ensemble cannot take part in elections.
    #[error(transparent)]
    Election(#[from] ElectionError),
    /// A member of an ensemble cannot speak TLS with the others.
    #[error(transparent)]
    Tls(#[from] QuorumTlsError),
    /// A member of an ensemble cannot keep the configuration of the ensemble, or read what it has kept.
    #[error(transparent)]
    Roster(#[from] RosterError),
    /// The system refuses a thread, a poll or a waker.
    #[error("the system refuses a {what}: {cause}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// What the system says.
        cause: io::Error,
    },
    /// The transaction log failed; what was not acknowledged may be lost, nothing else.
    #[error("the server has stopped: {0}")]
    Log(#[from] LogFailure),
    /// A defect of this program.
    #[error("the server has stopped: {0}")]
    Apply(#[from] ApplyError),
    /// The server runs in the process that this one was forked from, and goes on there.
    #[error("the server runs in the process that this one was forked from")]
    AfterFork,
    /// A thread of the server panicked: a defect of this program.
    #[error("the server has stopped: its thread {0} panicked")]
    Panic(&'static str),
}

/// A server running in this process. Dropping it stops it.
///
/// In a forked process the handle is of no use and does no harm: dropping it does nothing, [`stop`](Self::stop) fails with
/// [`AfterFork`](ServerError::AfterFork), connections are closed at once, and the server goes on in the process that started it.
///
/// ```
/// use quorate::server::Server;
///
/// let server = Server::builder().volatile().free_port().start()?;
/// println!("ZooKeeper clients can connect to {}", server.address().unwrap());
/// server.stop()?;
/// # Ok::<(), quorate::server::ServerError>(())
/// ```
#[derive(Debug)]
pub struct Server {
    pub(super) address: Option<SocketAddr>,
    pub(super) control: Arc<Control>,
    pub(super) threads: Threads,
    pub(super) purger: Option<Purger>,
}

/// The threads of a server, by name.
pub(super) type Threads = Vec<(&'static str, JoinHandle<Result<(), ServerError>>)>;

/// What a handle and the server's threads share.
#[derive(Debug)]
pub(super) struct Control {
    stop: AtomicBool,
    ended: ForkMutex<bool>,
    end: Condvar,
    /// Where clients come in since a reconfiguration.
    moved: ForkMutex<Option<SocketAddr>>,
    /// Wakes each thread that waits in a poll.
    wakers: Vec<Arc<Waker>>,
    /// New in-process connections, for the first I/O thread; `None` when nobody will take them up any more.
    visitors: ForkMutex<Option<Vec<Arc<Pipe>>>>,
    /// Where in-process connections call.
    calls: Arc<Calls>,
}

impl Control {
    pub(super) fn new(wakers: Vec<Arc<Waker>>, calls: Arc<Calls>) -> Arc<Self> {
        Arc::new(Self {
            stop: AtomicBool::new(false),
            ended: ForkMutex::new(false, || true),
            end: Condvar::new(),
            moved: ForkMutex::new(None, || None),
            wakers,
            visitors: ForkMutex::new(Some(Vec::new()), || None),
            calls,
        })
    }

    /// Clients come in elsewhere.
    pub(super) fn listens_on(&self, address: Option<SocketAddr>) {
        *self.moved.lock() = address;
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Asks all threads to end.
    pub(super) fn stop(&self) {
        if self.is_after_fork() {
            return;
        }
        self.stop.store(true, Ordering::Release);
        for waker in &self.wakers {
            // A waker that cannot be written to has a wake-up pending.
            let _ = waker.wake();
        }
    }

    pub(super) fn visitors(&self) -> Vec<Arc<Pipe>> {
        let mut visitors = self.visitors.lock();
        visitors.as_mut().map_or_else(Vec::new, std::mem::take)
    }

    /// Whether the server runs in the process that this one was forked from.
    pub(super) fn is_after_fork(&self) -> bool {
        self.ended.is_elsewhere()
    }

    fn connect(&self) -> LocalStream {
        let (pipe, stream) = Pipe::new(Arc::clone(&self.calls));
        self.visit(pipe);
        // The waker of a forked process is its parent's.
        if let Some(waker) = self.wakers.first().filter(|_| !self.is_after_fork()) {
            let _ = waker.wake();
        }
        stream
    }

    fn visit(&self, pipe: Arc<Pipe>) {
        match &mut *self.visitors.lock() {
            Some(visitors) => visitors.push(pipe),
            None => pipe.close(),
        }
    }

    /// A thread of the server has ended, for whatever reason: so do the others.
    fn ended(&self) {
        self.stop();
        let visitors = self.visitors.lock().take();
        for pipe in visitors.into_iter().flatten() {
            pipe.close();
        }
        *self.ended.lock() = true;
        self.end.notify_all();
    }
}

/// Held by each thread of a server: when it ends, be it by a panic, the whole server does.
pub(super) struct EndGuard(pub(super) Arc<Control>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.0.ended();
    }
}

impl Server {
    /// How to start a server.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The address it listens on; `None` when it has no port. A reconfiguration of its ensemble may change it.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.control.moved.lock().or(self.address)
    }

    /// Opens a connection within the process: the client protocol, without a socket.
    ///
    /// ```
    /// # let server = quorate::server::Server::builder().volatile().no_port().start()?;
    /// use std::io::{Read, Write};
    ///
    /// let mut stream = server.connect();
    /// // What a socket speaks: the client protocol, and four-letter words.
    /// stream.write_all(b"srvr")?;
    /// let mut answer = String::new();
    /// stream.read_to_string(&mut answer)?;
    /// assert!(answer.starts_with("Zookeeper version"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn connect(&self) -> LocalStream {
        self.control.connect()
    }

    /// Opens connections within the process, for who does not hold the server itself.
    ///
    /// ```
    /// # let server = quorate::server::Server::builder().volatile().no_port().start()?;
    /// use std::io::Read;
    ///
    /// let connector = server.connector();
    /// let mut first = connector.connect();
    /// // A connector does not keep the server: it ends with its handle.
    /// drop(server);
    /// assert_eq!(first.read(&mut [0; 8])?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn connector(&self) -> Connector {
        Connector(Arc::clone(&self.control))
    }

    /// Waits until the server ends by itself.
    ///
    /// ```
    /// use quorate::server::Server;
    /// use std::time::Duration;
    ///
    /// let server = Server::builder().volatile().no_port().start()?;
    /// let stopper = server.stopper();
    /// let thread = std::thread::spawn(move || {
    ///     std::thread::sleep(Duration::from_millis(10));
    ///     stopper.stop();
    /// });
    /// server.wait();
    /// server.stop()?;
    /// # thread.join().unwrap();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait(&self) {
        let mut ended = self.control.ended.lock();
        while !*ended {
            ended = self.control.end.wait(ended).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Makes another thread's [`wait`](Self::wait) return and the server stop.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.control))
    }

    /// Stops the server: connections are closed, sessions live on in the data directory, threads are joined. What was
    /// acknowledged is durable; a request that was still in flight may have happened or not.
    ///
    /// ```
    /// use quorate::client::{Client, CreateMode};
    /// use quorate::server::Server;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let server = Server::builder().data_dir(directory.path()).no_port().start()?;
    /// let client = Client::builder().in_process(&server).connect_blocking()?;
    /// client.create("/kept", b"x", CreateMode::Persistent)?;
    /// client.close()?;
    /// server.stop()?;
    ///
    /// let again = Server::builder().data_dir(directory.path()).no_port().start()?;
    /// let client = Client::builder().in_process(&again).connect_blocking()?;
    /// assert_eq!(client.get("/kept")?.0, b"x");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Why it had stopped by itself before, or what went wrong with the log now.
    pub fn stop(mut self) -> Result<(), ServerError> {
        self.join()
    }

    fn join(&mut self) -> Result<(), ServerError> {
        if self.control.is_after_fork() {
            // The threads are not here, and what they own is not this process's to close.
            std::mem::forget((self.purger.take(), std::mem::take(&mut self.threads)));
            return Err(ServerError::AfterFork);
        }
        self.control.stop();
        drop(self.purger.take());
        let mut result = Ok(());
        for (name, thread) in self.threads.drain(..) {
            let ended = thread.join().unwrap_or(Err(ServerError::Panic(name)));
            result = result.and(ended);
        }
        result
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.join()
            && !matches!(error, ServerError::AfterFork)
        {
            tracing::error!("{error}");
        }
    }
}

/// Opens connections to a server in this process. When the server has stopped, they are closed at once.
///
/// ```
/// use quorate::server::Server;
/// use std::io::{Read, Write};
///
/// let server = Server::builder().volatile().no_port().start()?;
/// let connector = server.connector();
/// connector.connect().write_all(b"any frame of the client protocol").unwrap();
/// server.stop()?;
/// // Nobody is there any more.
/// assert_eq!(connector.connect().read(&mut [0; 8]).unwrap(), 0);
/// # Ok::<(), quorate::server::ServerError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Connector(Arc<Control>);

impl Connector {
    /// As [`Server::connect`].
    #[must_use]
    pub fn connect(&self) -> LocalStream {
        self.0.connect()
    }
}

/// Stops a server from anywhere, for example from a signal handler's thread.
///
/// ```
/// use quorate::server::Server;
///
/// let server = Server::builder().volatile().no_port().start()?;
/// let stopper = server.stopper();
/// std::thread::spawn(move || stopper.stop());
/// server.wait();
/// server.stop()?;
/// # Ok::<(), quorate::server::ServerError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Stopper(Arc<Control>);

impl Stopper {
    /// Asks the server to stop and returns at once.
    ///
    /// ```
    /// # let server = quorate::server::Server::builder().volatile().no_port().start()?;
    /// let stopper = server.stopper();
    /// stopper.stop();
    /// // Once more does no harm.
    /// stopper.stop();
    /// server.wait();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stop(&self) {
        self.0.stop();
    }
}
