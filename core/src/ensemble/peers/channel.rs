//! One connection as a stream of bytes. Nothing else in this module reads or writes a socket.

use crate::ensemble::tls::{Stream, Written};
use std::io;

/// A connection that is established.
#[derive(Debug)]
pub(super) struct Channel {
    stream: Stream,
}

impl Channel {
    /// Takes over a connected socket that is registered for reading and writing.
    pub(super) fn new(mut stream: Stream) -> Self {
        // An option that cannot be set costs speed, not correctness.
        let _ = stream.socket().set_nodelay(true);
        Self { stream }
    }

    /// Reads what has arrived: 0 bytes at the end, `WouldBlock` when there is nothing now.
    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.stream.read(into)
    }

    /// Writes what fits, and tells whether that is all that does until an event says otherwise.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<Written> {
        self.stream.write(bytes)
    }

    /// Whether something that was written waits for room all the same.
    pub(super) fn owes(&self) -> bool {
        self.stream.owes()
    }

    /// Whether a read that brings less than there was room for has brought all that there was.
    pub(super) const fn reads_all(&self) -> bool {
        self.stream.reads_all()
    }
}
