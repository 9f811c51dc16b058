//! The watchers of `watch`: thousands of sessions in one event loop.
//!
//! They set their watches, report when all are set, read notifications, report when the last has come, and
//! begin again when told to.

use crate::bench::client::next_xid;
use crate::bench::clock::Clock;
use crate::bench::conn::{Conn, Received};
use crate::bench::request::Template;
use crate::stop::Stop;
use anyhow::{Context, Result, ensure};
use quorate_wire::Reader;
use quorate_wire::frame::{NOTIFICATION_XID, ReplyHeader};
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// What the watchers tell the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// Every session watches the node.
    AllWatch,
    /// Every session has been notified, the last one at this time.
    AllNotified(u64),
}

/// Lets another thread talk to the event loop.
#[derive(Clone, Debug)]
pub(super) struct Waker {
    waker: Arc<mio::Waker>,
    again: Arc<AtomicBool>,
}

impl Waker {
    /// All shall watch again.
    pub(super) fn again(&self) -> io::Result<()> {
        self.again.store(true, Ordering::Release);
        self.wake()
    }

    /// Look at the flags.
    pub(super) fn wake(&self) -> io::Result<()> {
        self.waker.wake()
    }
}

/// The event loop with its sessions.
#[derive(Debug)]
pub(super) struct Watchers {
    poll: mio::Poll,
    waker: Waker,
    conns: Vec<Conn>,
    request: Template,
    clock: Clock,
    stop: Stop,
    reports: Sender<Report>,
    xid: i32,
}

impl Watchers {
    /// Takes over open sessions; `request` sets a watch.
    pub(super) fn new(
        streams: Vec<TcpStream>,
        request: Template,
        clock: Clock,
        stop: Stop,
    ) -> Result<(Self, Receiver<Report>)> {
        let poll = mio::Poll::new()?;
        let waker = Waker {
            waker: Arc::new(mio::Waker::new(poll.registry(), WAKER)?),
            again: Arc::new(AtomicBool::new(true)),
        };
        let mut conns = Vec::with_capacity(streams.len());
        for (token, stream) in streams.into_iter().enumerate() {
            stream.set_nonblocking(true)?;
            let mut conn = Conn::new(mio::net::TcpStream::from_std(stream));
            conn.register(&poll, token)?;
            conns.push(conn);
        }
        let (reports, receiver) = channel();
        Ok((Self { poll, waker, conns, request, clock, stop, reports, xid: 0 }, receiver))
    }

    /// For the writer.
    pub(super) fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Runs until `over`; then closes the sessions.
    ///
    /// # Errors
    /// When the server closes a session or does not speak the protocol.
    pub(super) fn run(mut self, over: &AtomicBool) -> Result<()> {
        let mut events = mio::Events::with_capacity(1024);
        let mut scratch = Vec::new();
        let mut asked = self.conns.len();
        let (mut watching, mut notified) = (0_usize, 0_usize);
        let mut reported = false;
        let mut last = 0;
        while !over.load(Ordering::Relaxed) && !self.stop.requested() {
            if self.waker.again.swap(false, Ordering::Acquire) {
                (asked, watching, notified) = (0, 0, 0);
                reported = false;
                self.xid = next_xid(self.xid);
            }
            // A few at a time: setting the watches is not what is measured and must not flood the server.
            let limit = self.conns.len().min(watching.saturating_add(WINDOW));
            while asked < limit {
                self.watch(asked)?;
                asked = asked.saturating_add(1);
            }
            match self.poll.poll(&mut events, Some(NAP)) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                other => other.context("cannot wait for events")?,
            }
            for event in &events {
                let Some(conn) = self.conns.get_mut(event.token().0) else { continue };
                let closing = event.is_read_closed();
                let received =
                    conn.receive(&mut scratch, self.clock, closing, |frame, now, _| {
                        let header: ReplyHeader = Reader::new(frame).get().map_err(invalid)?;
                        if header.xid == NOTIFICATION_XID {
                            notified = notified.saturating_add(1);
                            last = now;
                        } else {
                            if header.err != 0 {
                                let text = format!("a watch was refused with {}", header.err);
                                return Err(io::Error::other(text));
                            }
                            watching = watching.saturating_add(1);
                        }
                        Ok(())
                    })?;
                conn.flush()?;
                ensure!(received == Received::Drained, "the server closed a watcher's session");
            }
            if watching >= self.conns.len() && !reported {
                reported = true;
                self.report(Report::AllWatch);
            }
            if notified >= self.conns.len() {
                notified = 0;
                self.report(Report::AllNotified(last));
            }
        }
        self.close()
    }

    fn watch(&mut self, index: usize) -> Result<()> {
        let Some(conn) = self.conns.get_mut(index) else { return Ok(()) };
        self.request.push(self.xid, &mut conn.out);
        conn.flush().context("cannot set a watch")
    }

    fn report(&self, report: Report) {
        // The writer is gone when the run is over.
        let _ = self.reports.send(report);
    }

    fn close(mut self) -> Result<()> {
        let close = crate::bench::request::close();
        let mut scratch = Vec::new();
        for conn in &mut self.conns {
            close.push(next_xid(self.xid), &mut conn.out);
            conn.flush()?;
            // What has come in must be read, or the kernel resets the connection before the request
            // is seen at the other end.
            conn.receive(&mut scratch, self.clock, false, |_, _, _| Ok(()))?;
        }
        std::thread::sleep(NAP);
        Ok(())
    }
}

fn invalid(error: quorate_wire::DecodeError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

const WAKER: mio::Token = mio::Token(usize::MAX >> 1);
/// Watches being set at the same time.
const WINDOW: usize = 64;
const NAP: Duration = Duration::from_millis(100);
