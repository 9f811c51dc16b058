//! One TCP connection to a server: frames out, frames in, with deadlines.
//!
//! No protocol knowledge beyond the length before each frame.

use quorate_wire::frame::{Split, split, write_frame};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// What the peer did next.
#[derive(Debug)]
pub(super) enum Next {
    /// It sent a frame; this is its payload.
    Frame(Vec<u8>),
    /// It closed the connection, properly or not.
    Closed,
    /// Nothing, until the deadline.
    Nothing,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// Those of the socket.
    pub(super) fn open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, CONNECT_LIMIT)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(CONNECT_LIMIT))?;
        Ok(Self { stream, input: Vec::new() })
    }

    /// Sends frames in one write. A connection that the peer has closed is noticed by the next read.
    pub(super) fn send<'a>(&mut self, payloads: impl IntoIterator<Item = &'a [u8]>) {
        let mut out = Vec::new();
        for payload in payloads {
            write_frame(&mut out, |frame| frame.extend_from_slice(payload));
        }
        self.send_raw(&out);
    }

    /// Sends bytes as they are.
    pub(super) fn send_raw(&mut self, bytes: &[u8]) {
        // The reason of a failure shows as a close when the answer is read.
        let _ = self.stream.write_all(bytes);
    }

    /// Awaits the next frame.
    pub(super) fn next(&mut self, limit: Duration) -> Next {
        let end = Instant::now() + limit;
        loop {
            match split(&self.input, MAX_FRAME) {
                Split::Frame { payload, consumed } => {
                    let payload = payload.to_vec();
                    self.input.drain(..consumed);
                    return Next::Frame(payload);
                }
                Split::Incomplete(_) => {}
                Split::Illegal(_) => return Next::Closed,
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Next::Nothing;
            }
            if !self.fill(left) {
                return Next::Closed;
            }
        }
    }

    /// Everything until the peer closes, as bytes.
    pub(super) fn read_to_end(mut self, limit: Duration) -> Vec<u8> {
        let end = Instant::now() + limit;
        while self.fill(end.saturating_duration_since(Instant::now()).max(SHORTEST)) {
            if Instant::now() > end {
                break;
            }
        }
        self.input
    }

    /// Reads what there is; false when the connection has ended.
    fn fill(&mut self, left: Duration) -> bool {
        let mut chunk = [0; 16384];
        if self.stream.set_read_timeout(Some(left.max(SHORTEST))).is_err() {
            return false;
        }
        match self.stream.read(&mut chunk) {
            Ok(0) => false,
            Ok(n) => {
                self.input.extend_from_slice(chunk.get(..n).unwrap_or_default());
                true
            }
            Err(e) => {
                matches!(
                    e.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                )
            }
        }
    }
}

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
const SHORTEST: Duration = Duration::from_millis(1);
/// Longer than anything a server sends here.
const MAX_FRAME: usize = 64 << 20;
