//! One connection as bytes. Nothing else here reads from a socket or writes to one.

use crate::ensemble::tls::{Security, Stream};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::SockRef;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// A connection, made or in the making.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Stream,
}

impl Wire {
    /// Begins to connect to an address of this host.
    pub(super) fn connect(
        address: SocketAddr,
        host: &str,
        keep_alive: bool,
        security: &Security,
    ) -> io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        prepare(&socket, keep_alive);
        Ok(Self { stream: security.connect(socket, address, host)? })
    }

    /// Takes over a connection of somebody else's making.
    pub(super) fn over(
        socket: TcpStream,
        remote: SocketAddr,
        keep_alive: bool,
        security: &Arc<Security>,
    ) -> Self {
        prepare(&socket, keep_alive);
        Self { stream: security.accept(socket, remote) }
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(self.stream.socket(), token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Whether the connection is made by now, with all that belongs to it.
    ///
    /// # Errors
    /// It could not be made.
    pub(super) fn is_made(&mut self) -> io::Result<bool> {
        self.stream.is_made()
    }

    /// Reads what is there; nothing if it has to be waited for.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self.stream.read(buffer) {
            Ok(n) => Ok(Some(n)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes what fits; nothing if room has to be waited for.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        let written = self.stream.write(bytes)?;
        Ok((written.taken > 0 || !written.full).then_some(written.taken))
    }

    /// Whether something that was written waits for room all the same.
    pub(super) fn owes(&self) -> bool {
        self.stream.owes()
    }
}

fn prepare(socket: &TcpStream, keep_alive: bool) {
    // Options that cannot be set cost speed, not correctness.
    let _ = socket.set_nodelay(true);
    if keep_alive {
        let _ = SockRef::from(socket).set_keepalive(true);
    }
}
