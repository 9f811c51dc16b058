//! A connection within the process: the same bytes as over a socket, without the socket.
//!
//! Two bounded byte queues behind one lock. The client's end blocks; the server's end never does: it is told
//! through its waker that there is something to read or room to write.

use crate::fork::ForkMutex;
use mio::Waker;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

/// The server's end.
#[derive(Debug)]
pub(super) struct Pipe {
    state: ForkMutex<State>,
    changed: Condvar,
    /// Where the server's thread looks for pipes that need it.
    calls: Arc<Calls>,
}

/// Pipes that need their server's thread, by the number it gave them.
pub(super) struct Calls {
    pending: Mutex<Vec<usize>>,
    waker: Arc<Waker>,
    /// The server's state, if a client's thread may work on it.
    host: OnceLock<Weak<dyn Host>>,
}

/// A server that lets a client's thread do its work.
pub(super) trait Host: Send + Sync {
    /// Serves the pipe of this number on the calling thread; false when the server's own thread is at work.
    fn visit(&self, number: usize) -> bool;
}

impl std::fmt::Debug for Calls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Calls").finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct State {
    /// The number by which the server's thread knows this pipe.
    number: Option<usize>,
    called: bool,
    to_server: VecDeque<u8>,
    to_client: VecDeque<u8>,
    server_closed: bool,
    client_closed: bool,
    /// The task that waits at the client's end, if it is one.
    reader: Option<std::task::Waker>,
    writer: Option<std::task::Waker>,
}

impl State {
    /// What a forked process finds: the server is not in it.
    fn closed() -> Self {
        Self { server_closed: true, client_closed: true, ..Self::default() }
    }
}

impl Calls {
    pub(super) fn new(waker: Arc<Waker>) -> Arc<Self> {
        Arc::new(Self { pending: Mutex::default(), waker, host: OnceLock::new() })
    }

    pub(super) fn set_host(&self, host: Weak<dyn Host>) {
        // Set once, by the server that made these calls.
        let _ = self.host.set(host);
    }

    pub(super) fn wake(&self) {
        // A full eventfd means that the thread is being woken already.
        let _ = self.waker.wake();
    }

    pub(super) fn take(&self) -> Vec<usize> {
        std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn call(&self, number: usize) {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).push(number);
        self.wake();
    }
}

impl Pipe {
    /// A new pipe; the server's thread has to [`adopt`](Self::adopt) it.
    pub(super) fn new(calls: Arc<Calls>) -> (Arc<Self>, LocalStream) {
        let pipe = Arc::new(Self {
            state: ForkMutex::new(State::default(), State::closed),
            changed: Condvar::new(),
            calls,
        });
        (Arc::clone(&pipe), LocalStream { end: Arc::new(ClientEnd { pipe }), timeout: None })
    }

    /// Gives the pipe its number; what was written before counts as news.
    pub(super) fn adopt(&self, number: usize) {
        let mut state = self.lock();
        state.number = Some(number);
        state.called = true;
        self.calls.call(number);
    }

    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.lock();
        state.called = false;
        if state.to_server.is_empty() {
            return if state.client_closed { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
        }
        let n = state.to_server.read(buffer)?;
        self.changed.notify_all();
        let writer = state.writer.take();
        drop(state);
        writer.into_iter().for_each(std::task::Waker::wake);
        Ok(n)
    }

    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.lock();
        if state.client_closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let room = CAPACITY.saturating_sub(state.to_client.len()).min(bytes.len());
        if room == 0 {
            state.called = false;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.to_client.extend(bytes.get(..room).unwrap_or_default());
        self.changed.notify_all();
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(std::task::Waker::wake);
        Ok(room)
    }

    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.server_closed = true;
        let waiting = [state.reader.take(), state.writer.take()];
        drop(state);
        self.changed.notify_all();
        waiting.into_iter().flatten().for_each(std::task::Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Tells the server's thread, once until it has looked.
    fn call(&self, state: &mut State) {
        if let (Some(number), false) = (state.number, state.called) {
            state.called = true;
            self.calls.call(number);
        }
    }
}

/// The client's end of a connection within the process: a blocking byte stream that carries the client
/// protocol. Clones are the same connection; it closes when the last one is dropped.
///
/// ```
/// use quorate::server::Server;
/// use std::io::Write;
///
/// let server = Server::builder().volatile().no_port().start()?;
/// let mut stream = server.connect();
/// stream.write_all(b"any frame of the client protocol").unwrap();
/// stream.shutdown();
/// assert!(stream.write(b"more").is_err());
/// # Ok::<(), quorate::server::ServerError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LocalStream {
    end: Arc<ClientEnd>,
    timeout: Option<Duration>,
}

#[derive(Debug)]
struct ClientEnd {
    pipe: Arc<Pipe>,
}

impl LocalStream {
    /// How long a read may wait; `None` for ever.
    ///
    /// ```
    /// # let server = quorate::server::Server::builder().volatile().no_port().start()?;
    /// use std::io::{ErrorKind, Read};
    /// use std::time::Duration;
    ///
    /// let mut stream = server.connect();
    /// stream.set_read_timeout(Some(Duration::from_millis(5)));
    /// // The server says nothing before it is asked.
    /// let error = stream.read(&mut [0; 8]).unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        self.timeout = timeout;
    }

    /// Closes the connection for all clones, as when a client's process dies.
    ///
    /// ```
    /// # let server = quorate::server::Server::builder().volatile().no_port().start()?;
    /// use std::io::Read;
    ///
    /// let stream = server.connect();
    /// let mut other = stream.clone();
    /// stream.shutdown();
    /// assert_eq!(other.read(&mut [0; 8])?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shutdown(&self) {
        self.end.close();
    }
}

impl LocalStream {
    /// Reads what is there, for a task rather than a thread. 0 bytes mean that the server has closed the connection.
    ///
    /// ```
    /// # let server = quorate::server::Server::builder().volatile().no_port().start()?;
    /// use std::future::poll_fn;
    /// use std::io::Write;
    ///
    /// let mut stream = server.connect();
    /// stream.write_all(b"srvr")?;
    /// let mut answer = [0; 9];
    /// let read = poll_fn(|context| stream.poll_read(context, &mut answer));
    /// assert_eq!(quorate::client::blocking::wait(read)?, 9);
    /// assert_eq!(&answer, b"Zookeeper");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// None at present.
    pub fn poll_read(&self, context: &Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let pipe = &self.end.pipe;
        let mut state = pipe.lock();
        if state.to_client.is_empty() && !state.server_closed && !state.client_closed {
            state.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let was_full = state.to_client.len() >= CAPACITY;
        let n = state.to_client.read(buffer)?;
        if was_full {
            pipe.call(&mut state);
        }
        Poll::Ready(Ok(n))
    }

    /// Writes what there is room for, for a task rather than a thread.
    ///
    /// ```
    /// # let server = quorate::server::Server::builder().volatile().no_port().start()?;
    /// use std::future::poll_fn;
    /// use std::io::Read;
    ///
    /// let mut stream = server.connect();
    /// let written = poll_fn(|context| stream.poll_write(context, b"srvr"));
    /// assert_eq!(quorate::client::blocking::wait(written)?, 4);
    /// let mut answer = String::new();
    /// stream.read_to_string(&mut answer)?;
    /// assert!(answer.starts_with("Zookeeper version"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When either end is closed.
    pub fn poll_write(&self, context: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let pipe = &self.end.pipe;
        let mut state = pipe.lock();
        if state.server_closed || state.client_closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = CAPACITY.saturating_sub(state.to_server.len()).min(bytes.len());
        if room == 0 && !bytes.is_empty() {
            state.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        state.to_server.extend(bytes.get(..room).unwrap_or_default());
        pipe.call(&mut state);
        Poll::Ready(Ok(room))
    }
}

impl LocalStream {
    /// Sends `bytes`, lets the server answer them on this thread, and takes the answer. `None` when that cannot be: the server's
    /// thread is at work, there is no room, or this server works otherwise; then nothing has happened.
    ///
    /// The task that waits for reading is not woken by what is taken here, and is by everything else.
    pub(crate) fn exchange(&self, bytes: &[u8], answer: &mut Vec<u8>) -> Option<()> {
        let pipe = &self.end.pipe;
        let host = pipe.calls.host.get()?.upgrade()?;
        let mut state = pipe.lock();
        let number = state.number?;
        let room = CAPACITY.saturating_sub(state.to_server.len());
        if state.server_closed
            || state.client_closed
            || room < bytes.len()
            || !state.to_client.is_empty()
        {
            return None;
        }
        state.to_server.extend(bytes);
        let reader = state.reader.take();
        drop(state);
        let visited = host.visit(number);
        let mut state = pipe.lock();
        let was_full = state.to_client.len() >= CAPACITY;
        let (front, back) = state.to_client.as_slices();
        answer.extend_from_slice(front);
        answer.extend_from_slice(back);
        state.to_client.clear();
        state.reader = state.reader.take().or(reader);
        if !visited || was_full {
            pipe.call(&mut state);
        }
        if state.server_closed {
            let reader = state.reader.take();
            drop(state);
            reader.into_iter().for_each(std::task::Waker::wake);
        }
        Some(())
    }
}

impl ClientEnd {
    fn close(&self) {
        let mut state = self.pipe.lock();
        state.client_closed = true;
        self.pipe.call(&mut state);
        drop(state);
        self.pipe.changed.notify_all();
    }
}

impl Drop for ClientEnd {
    fn drop(&mut self) {
        self.close();
    }
}

impl Read for LocalStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let pipe = &self.end.pipe;
        let mut state = pipe.lock();
        while state.to_client.is_empty() && !state.server_closed && !state.client_closed {
            state = match self.timeout {
                None => pipe.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(timeout) => {
                    let (state, result) = pipe
                        .changed
                        .wait_timeout(state, timeout)
                        .unwrap_or_else(PoisonError::into_inner);
                    if result.timed_out() && state.to_client.is_empty() && !state.server_closed {
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                    state
                }
            };
        }
        let was_full = state.to_client.len() >= CAPACITY;
        let n = state.to_client.read(buffer)?;
        if was_full {
            pipe.call(&mut state);
        }
        Ok(n)
    }
}

impl Write for LocalStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let pipe = &self.end.pipe;
        let mut state = pipe.lock();
        loop {
            if state.server_closed || state.client_closed {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            let room = CAPACITY.saturating_sub(state.to_server.len()).min(bytes.len());
            if room > 0 || bytes.is_empty() {
                state.to_server.extend(bytes.get(..room).unwrap_or_default());
                pipe.call(&mut state);
                return Ok(room);
            }
            state = pipe.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes that may wait in each direction.
const CAPACITY: usize = 1 << 20;
