//! One non-blocking connection: frames in, bytes out, one system call per batch each way.
//!
//! Shared by the load generator and the canned server. It knows frames, not operations. Input goes into a
//! buffer that all connections of a thread share, so that thousands of them stay small and the
//! buffer stays in the cache; only an incomplete frame is kept per connection.

use super::clock::Clock;
use mio::Interest;
use quorate_wire::frame::{Split, split};
use std::io::{self, Read, Write};

/// A connection that never blocks.
#[derive(Debug)]
pub(super) struct Conn {
    stream: mio::net::TcpStream,
    partial: Vec<u8>,
    /// Bytes to send; [`flush`](Self::flush) takes them.
    pub(super) out: Vec<u8>,
    sent: usize,
}

/// What became of a connection while reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// Everything there was has been read.
    Drained,
    /// The other side has closed.
    Closed,
}

impl Conn {
    /// Takes over a connected stream.
    pub(super) const fn new(stream: mio::net::TcpStream) -> Self {
        Self { stream, partial: Vec::new(), out: Vec::new(), sent: 0 }
    }

    /// Reports readiness of this connection under `token`.
    pub(super) fn register(&mut self, poll: &mio::Poll, token: usize) -> io::Result<()> {
        let interest = Interest::READABLE.add(Interest::WRITABLE);
        poll.registry().register(&mut self.stream, mio::Token(token), interest)
    }

    /// Sends every batch at once instead of waiting for more (Nagle's algorithm off).
    pub(super) fn nodelay(&self) -> io::Result<()> {
        self.stream.set_nodelay(true)
    }

    /// The error of a failed connection attempt, if there is one.
    pub(super) fn connect_error(&self) -> io::Result<()> {
        self.stream.take_error()?.map_or(Ok(()), Err)
    }

    /// Reads what is there and hands out every whole frame with the time at which it was read.
    ///
    /// A short read is taken as the end of the input, which saves a system call per batch; when the
    /// other side is known to have closed (`closing`), it reads up to the end of the stream.
    ///
    /// # Errors
    /// Of the socket, of `each`, and `InvalidData` for an impossible frame length.
    pub(super) fn receive(
        &mut self,
        scratch: &mut Vec<u8>,
        clock: Clock,
        closing: bool,
        mut each: impl FnMut(&[u8], u64, &mut Vec<u8>) -> io::Result<()>,
    ) -> io::Result<Received> {
        loop {
            let kept = self.partial.len();
            if scratch.len() < kept.saturating_add(ROOM) {
                scratch.resize(kept.saturating_add(ROOM), 0);
            }
            let (head, room) = scratch.split_at_mut(kept);
            head.copy_from_slice(&self.partial);
            let got = match self.stream.read(room) {
                Ok(0) => return Ok(Received::Closed),
                Ok(got) => got,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(Received::Drained),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            let full = got == room.len();
            let now = clock.now();
            let mut rest = scratch.get(..kept.saturating_add(got)).unwrap_or_default();
            loop {
                match split(rest, MAX_FRAME) {
                    Split::Frame { payload, consumed } => {
                        each(payload, now, &mut self.out)?;
                        rest = rest.get(consumed..).unwrap_or_default();
                    }
                    Split::Incomplete(_) => break,
                    Split::Illegal(length) => {
                        let text = format!("a frame of {length} bytes: not the client protocol");
                        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
                    }
                }
            }
            self.partial.clear();
            self.partial.extend_from_slice(rest);
            if !full && !closing {
                return Ok(Received::Drained);
            }
        }
    }

    /// Sends what is in `out`, as far as the socket takes it now; the rest waits for writability.
    ///
    /// # Errors
    /// Of the socket.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while let Some(rest @ [_, ..]) = self.out.get(self.sent..) {
            match self.stream.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => self.sent = self.sent.saturating_add(sent),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.out.clear();
        self.sent = 0;
        Ok(())
    }
}

/// Free space offered to each read: a few dozen replies of usual size, and small enough for the cache.
const ROOM: usize = 64 * 1024;
/// The longest frame accepted: the list of a million children fits.
const MAX_FRAME: usize = 256 << 20;
