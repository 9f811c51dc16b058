//! One TCP connection to the server under test: whole frames with a deadline.

use quorate_wire::frame::{Split, split};
use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// What came from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// A frame with its length.
    Frame(Vec<u8>),
    /// The end of the connection; a reset counts as one.
    Closed,
    /// Nothing in time.
    Silence,
}

pub(super) struct Link {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Link {
    pub(super) fn open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The next frame, waiting no longer than `wait`.
    pub(super) fn read(&mut self, wait: Duration) -> Incoming {
        let deadline = Instant::now() + wait;
        let mut chunk = [0; 4096];
        loop {
            if let Split::Frame { consumed, .. } = split(&self.buffer, usize::MAX) {
                return Incoming::Frame(self.buffer.drain(..consumed).collect());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.stream.set_read_timeout(Some(left)).is_err() {
                return Incoming::Silence;
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => return Incoming::Closed,
                Ok(n) => self.buffer.extend_from_slice(chunk.get(..n).unwrap_or_default()),
                Err(e) => match e.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => return Incoming::Silence,
                    ErrorKind::Interrupted => {}
                    _ => return Incoming::Closed,
                },
            }
        }
    }
}

impl fmt::Display for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(bytes) => write!(f, "a frame of {} bytes: {bytes:02x?}", bytes.len()),
            Self::Closed => f.write_str("the end of the connection"),
            Self::Silence => f.write_str("nothing in time"),
        }
    }
}
