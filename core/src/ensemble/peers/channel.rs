//! One connection as a stream of bytes. Encryption has its place here: nothing else in this module reads or writes a socket.

use mio::net::TcpStream;
use std::io::{self, Read, Write};

/// A connection that is established.
#[derive(Debug)]
pub(super) struct Channel {
    socket: TcpStream,
}

impl Channel {
    /// Takes over a connected socket that is registered for reading and writing.
    pub(super) fn new(socket: TcpStream) -> Self {
        // An option that cannot be set costs speed, not correctness.
        let _ = socket.set_nodelay(true);
        Self { socket }
    }

    /// Reads what has arrived: 0 bytes at the end, `WouldBlock` when there is nothing now.
    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        uninterrupted(|| self.socket.read(into))
    }

    /// Writes what fits. Less than everything means that an event tells when there is room again.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match uninterrupted(|| self.socket.write(bytes)) {
            Ok(0) if !bytes.is_empty() => Err(io::ErrorKind::WriteZero.into()),
            result => result,
        }
    }
}

fn uninterrupted(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
