//! The driver: a task that carries out what the session wants, on a tokio runtime.
//!
//! It decides nothing. It polls the connection, feeds the session, sends what there is, and sleeps until it is woken or
//! the session's deadline has come.

use super::port::Port;
use super::runtime::{IoThread, RealWorld};
use super::shared::Command;
use super::shortcut::{Road, Way};
use super::spans;
use super::tls::Tls;
use super::transport::{Stream, Target, open, takes_writes};
use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch::Sender;
use tokio::time::{Instant, Sleep};
use tracing::Instrument as _;

/// The servers, by the index that the session uses.
pub(super) type Targets = Arc<Mutex<Vec<Target>>>;

pub(super) fn lock(targets: &Targets) -> MutexGuard<'_, Vec<Target>> {
    targets.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The task.
pub(super) struct Driver {
    port: Port,
    world: Arc<RealWorld>,
    targets: Targets,
    /// Told of each attempt.
    attempts: Sender<u64>,
    tls: Option<Tls>,
    link: Link,
    probe: Option<(usize, Opening<bool>)>,
    timer: Pin<Box<Sleep>>,
    /// Keeps the library's thread until the session is over: the last handle's goodbye has to be sent.
    _thread: Option<Arc<IoThread>>,
}

type Opening<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

enum Link {
    Down,
    Opening { attempt: u64, future: Opening<Stream> },
    Open(Open),
}

struct Open {
    attempt: u64,
    stream: Stream,
    out: Vec<u8>,
    written: usize,
    unflushed: bool,
}

impl Driver {
    /// A driver for `port`; to be spawned on the world's runtime.
    pub(super) fn new(
        port: Port,
        world: Arc<RealWorld>,
        targets: Targets,
        attempts: Sender<u64>,
        tls: Option<Tls>,
        thread: Option<Arc<IoThread>>,
    ) -> Self {
        let _entered = world.handle().enter();
        let timer = Box::pin(tokio::time::sleep(Duration::ZERO));
        let world = Arc::clone(&world);
        let (link, probe) = (Link::Down, None);
        Self { port, world, targets, attempts, tls, link, probe, timer, _thread: thread }
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Connect { attempt, server } => {
                self.attempts.send_replace(attempt);
                let Some(target) = self.target(server) else {
                    self.link = Link::Down;
                    self.port.disconnected(attempt);
                    return;
                };
                tracing::debug!(server = target.label(), attempt, "connecting");
                let span = spans::connect(&target.label(), attempt);
                let future = Box::pin(open(target, self.tls.clone()).instrument(span));
                self.link = Link::Opening { attempt, future };
            }
            Command::Disconnect { attempt } => {
                tracing::debug!(attempt, "the connection is dropped");
                self.link = Link::Down;
            }
            Command::Probe { server } => {
                if let Some(target) = self.target(server) {
                    self.probe = Some((server, Box::pin(takes_writes(target, self.tls.clone()))));
                }
            }
        }
    }

    fn target(&self, server: usize) -> Option<Target> {
        lock(&self.targets).get(server).cloned()
    }

    /// Does what can be done now; answers whether that changed anything.
    fn advance(&mut self, context: &mut Context<'_>) -> bool {
        let mut moved = false;
        if let Some((server, probe)) = &mut self.probe
            && let Poll::Ready(answer) = probe.as_mut().poll(context)
        {
            let server = *server;
            self.probe = None;
            self.port.probed(server, answer.unwrap_or(false));
            moved = true;
        }
        let ended = match &mut self.link {
            Link::Down => return moved,
            Link::Opening { attempt, future } => match future.as_mut().poll(context) {
                Poll::Pending => return moved,
                Poll::Ready(Ok(stream)) => {
                    let attempt = *attempt;
                    self.link = Link::Open(Open::new(attempt, stream));
                    self.port.connected(attempt);
                    return true;
                }
                Poll::Ready(Err(error)) => Some((*attempt, error)),
            },
            Link::Open(open) => match open.advance(&self.port, context) {
                Ok(progress) => return moved || progress,
                Err(error) => Some((open.attempt, error)),
            },
        };
        if let Some((attempt, error)) = ended {
            tracing::debug!(attempt, %error, "no connection");
            self.link = Link::Down;
            self.port.disconnected(attempt);
        }
        true
    }

    /// Sets the timer; answers whether the deadline has come already.
    fn arm(&mut self, deadline: i64, context: &mut Context<'_>) -> bool {
        use super::environment::Environment as _;
        let left = u64::try_from(deadline.saturating_sub(self.world.now())).unwrap_or(0);
        let at = Instant::now() + Duration::from_millis(left.min(MAX_SLEEP));
        self.timer.as_mut().reset(at);
        self.timer.as_mut().poll(context).is_ready()
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let world = Arc::clone(&this.world);
        world.set_driver(context.waker());
        let mut way = world.shortcut.close();
        this.take_over(&mut way);
        for _ in 0..MAX_ROUNDS {
            // First what has come, then the clock: after a sleep of the whole process an answer may lie ready.
            let moved = this.advance(context);
            let turn = this.port.turn();
            let commanded = !turn.commands.is_empty();
            for command in turn.commands {
                this.carry_out(command);
            }
            if turn.over {
                return Poll::Ready(());
            }
            if commanded || moved {
                continue;
            }
            let due = turn.deadline.is_some_and(|deadline| this.arm(deadline, context));
            if !due && this.port.rest(!this.is_blocked()) {
                way.connection = this.shortcut();
                return Poll::Pending;
            }
        }
        // Others want the thread too.
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Driver {
    /// Sends what a user's thread could not.
    fn take_over(&mut self, way: &mut Way) {
        let connection = way.connection.take();
        if let (Link::Open(open), Some((attempt, _))) = (&mut self.link, connection)
            && open.attempt == attempt
        {
            open.out.append(&mut way.rest);
        }
        way.rest.clear();
    }

    /// The connection, if users' threads may use it while the driver sleeps.
    fn shortcut(&self) -> Option<(u64, Road)> {
        let Link::Open(Open { attempt, stream, out, written, .. }) = &self.link else {
            return None;
        };
        let road = match stream {
            _ if *written < out.len() => return None,
            Stream::Tls(_) => return None,
            Stream::Local(stream) => Road::Local(stream.clone()),
            Stream::Tcp(_, stream) => Road::Tcp(Arc::clone(stream)),
        };
        Some((*attempt, road))
    }

    /// Whether bytes wait for the connection.
    const fn is_blocked(&self) -> bool {
        match &self.link {
            Link::Open(open) => open.written < open.out.len(),
            _ => false,
        }
    }
}

impl Drop for Driver {
    /// A runtime that ends takes the connection with it: nothing can be answered any more, and everybody is told.
    fn drop(&mut self) {
        if self.world.origin.is_elsewhere() {
            // A fork's copy. To close the connection would take it out of the poll, which is the parent's too.
            let link = std::mem::replace(&mut self.link, Link::Down);
            std::mem::forget((link, self.probe.take()));
            return;
        }
        self.world.shortcut.close().connection = None;
        self.port.abandon();
    }
}

impl Open {
    fn new(attempt: u64, stream: Stream) -> Self {
        Self { attempt, stream, out: Vec::new(), written: 0, unflushed: false }
    }

    /// Receives and sends what is possible; answers whether anything was received or sent.
    fn advance(&mut self, port: &Port, context: &mut Context<'_>) -> io::Result<bool> {
        let received = BUFFER.with_borrow_mut(|buffer| self.receive(port, buffer, context))?;
        let sent = self.send(port, context)?;
        Ok(sent || received)
    }

    fn send(&mut self, port: &Port, context: &mut Context<'_>) -> io::Result<bool> {
        let mut progress = false;
        loop {
            if self.written == self.out.len() {
                self.out.clear();
                self.written = 0;
                port.output(&mut self.out, WRITE_BATCH);
            }
            let rest = self.out.get(self.written..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            match Pin::new(&mut self.stream).poll_write(context, rest) {
                Poll::Pending => return Ok(progress),
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(n)) => {
                    self.written = self.written.saturating_add(n);
                    self.unflushed = true;
                    progress = true;
                }
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        if self.unflushed && self.flush(context)?.is_ready() {
            self.unflushed = false;
        }
        Ok(progress)
    }

    fn flush(&mut self, context: &mut Context<'_>) -> io::Result<Poll<()>> {
        match Pin::new(&mut self.stream).poll_flush(context) {
            Poll::Pending => Ok(Poll::Pending),
            Poll::Ready(result) => result.map(Poll::Ready),
        }
    }

    fn receive(
        &mut self,
        port: &Port,
        buffer: &mut [u8],
        context: &mut Context<'_>,
    ) -> io::Result<bool> {
        let mut progress = false;
        for _ in 0..READS_PER_ROUND {
            let mut into = ReadBuf::new(buffer);
            match Pin::new(&mut self.stream).poll_read(context, &mut into) {
                Poll::Pending => break,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Ready(Ok(())) if into.filled().is_empty() => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Poll::Ready(Ok(())) => {
                    port.received(self.attempt, into.filled());
                    progress = true;
                }
            }
        }
        Ok(progress)
    }
}

thread_local! {
    /// Where bytes are received: one buffer for all connections of a thread, so that an idle client costs none.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BUFFER].into_boxed_slice());
}

/// Bytes read at once.
const READ_BUFFER: usize = 64 * 1024;
/// Bytes taken from the session at once.
const WRITE_BATCH: usize = 64 * 1024;
const READS_PER_ROUND: usize = 4;
/// Rounds before other tasks of the thread have their turn.
const MAX_ROUNDS: usize = 64;
/// The longest sleep, ms: tokio's timers do not count while the machine sleeps, the session's clock does.
const MAX_SLEEP: u64 = 60_000;
