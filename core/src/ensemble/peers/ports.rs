//! The quorum port of a server, which may be open at several addresses.

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;

/// Listening sockets.
#[derive(Debug)]
pub(super) struct Ports {
    sockets: Vec<TcpListener>,
}

impl Ports {
    /// Listens at every address where that is possible. Tokens count up from `base`, one for each address.
    pub(super) fn open(
        addresses: &[SocketAddr],
        base: usize,
        registry: &Registry,
    ) -> io::Result<Self> {
        let mut sockets = Vec::new();
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for (n, &address) in addresses.iter().take(MOST_PORTS).enumerate() {
            let token = Token(base.saturating_add(n));
            match bind(address).and_then(|mut socket| {
                registry.register(&mut socket, token, Interest::READABLE)?;
                Ok(socket)
            }) {
                Ok(socket) => sockets.push(socket),
                Err(error) => {
                    tracing::warn!("cannot listen for learners at {address}: {error}");
                    last = error;
                }
            }
        }
        if sockets.is_empty() { Err(last) } else { Ok(Self { sockets }) }
    }

    /// Where it listens.
    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.iter().filter_map(|socket| socket.local_addr().ok())
    }

    /// The next connection.
    pub(super) fn accept(&self) -> Option<(TcpStream, SocketAddr)> {
        self.sockets.iter().find_map(accept)
    }
}

fn accept(socket: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    loop {
        match socket.accept() {
            Ok((stream, remote)) => {
                let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
                return Some((stream, remote));
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return None,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!("cannot accept a learner: {error}");
                return None;
            }
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // The last leadership of this server has left connections behind.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// Addresses of one server.
pub(super) const MOST_PORTS: usize = 16;
const BACKLOG: i32 = 1024;
