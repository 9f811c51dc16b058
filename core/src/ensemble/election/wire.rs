//! One connection as bytes. Nothing else here reads from a socket or writes to one, so that encryption has a place to come in.

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::SockRef;
use std::io::{self, Read, Write};
use std::net::SocketAddr;

/// A connection, made or in the making.
#[derive(Debug)]
pub(super) struct Wire {
    socket: TcpStream,
}

impl Wire {
    /// Begins to connect.
    pub(super) fn connect(address: SocketAddr, keep_alive: bool) -> io::Result<Self> {
        Ok(Self::over(TcpStream::connect(address)?, keep_alive))
    }

    /// Takes over a connection of somebody else's making.
    pub(super) fn over(socket: TcpStream, keep_alive: bool) -> Self {
        // Options that cannot be set cost speed, not correctness.
        let _ = socket.set_nodelay(true);
        if keep_alive {
            let _ = SockRef::from(&socket).set_keepalive(true);
        }
        Self { socket }
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.socket, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Whether the connection is made by now.
    ///
    /// # Errors
    /// It could not be made.
    pub(super) fn is_made(&self) -> io::Result<bool> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        match (self.socket.peer_addr(), self.socket.local_addr()) {
            // A port that nobody listens on can connect to itself, when the system picks it for the other end.
            (Ok(peer), Ok(local)) if peer == local => Err(io::ErrorKind::ConnectionRefused.into()),
            (Ok(_), _) => Ok(true),
            (Err(error), _) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            (Err(error), _) => Err(error),
        }
    }

    /// Reads what is there; nothing if it has to be waited for.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        now_or_later(|| self.socket.read(buffer))
    }

    /// Writes what fits; nothing if room has to be waited for.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        now_or_later(|| self.socket.write(bytes))
    }
}

fn now_or_later(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        match call() {
            Ok(n) => return Ok(Some(n)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
