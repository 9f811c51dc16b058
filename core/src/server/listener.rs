//! The client port.

use super::admission::{Admission, Ticket};
use crate::config::{ListenAddress, ServerConfig};
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

/// The poll token of the listener.
pub(super) const LISTENER: Token = Token(0);
/// The poll token of the waker.
pub(super) const WAKER: Token = Token(1);

/// A listening socket that lets in no more than the limits allow.
#[derive(Debug)]
pub(super) struct Listener {
    socket: TcpListener,
    admission: Arc<Admission>,
    keep_alive: bool,
}

impl Listener {
    /// Opens the port of the configuration.
    pub(super) fn open(config: &ServerConfig, port: u16) -> io::Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in candidates(&config.client_port_address, port)? {
            match bind(address, config) {
                Ok(socket) => {
                    return Ok(Self {
                        socket,
                        admission: Admission::new(config.max_client_cnxns, config.max_cnxns),
                        keep_alive: config.client_tcp_keep_alive,
                    });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Where it listens.
    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(super) fn register(&mut self, registry: &Registry) -> io::Result<()> {
        registry.register(&mut self.socket, LISTENER, Interest::READABLE)
    }

    /// The next connection that may come in; those beyond the limits are closed on the way.
    pub(super) fn accept(&mut self) -> Option<(TcpStream, SocketAddr, Ticket)> {
        loop {
            match self.socket.accept() {
                Ok((socket, remote)) => {
                    let remote = canonical(remote);
                    let Some(ticket) = self.admission.admit(remote.ip()) else {
                        tracing::warn!(
                            "too many connections from {}: one more is closed",
                            remote.ip()
                        );
                        continue;
                    };
                    // Options that cannot be set cost speed, not correctness.
                    let _ = socket.set_nodelay(true);
                    if self.keep_alive {
                        let _ = SockRef::from(&socket).set_keepalive(true);
                    }
                    return Some((socket, remote, ticket));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return None,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::warn!("cannot accept a connection: {error}");
                    return None;
                }
            }
        }
    }
}

fn candidates(address: &ListenAddress, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok(match address {
        ListenAddress::Any => vec![
            SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port),
            SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port),
        ],
        ListenAddress::Ip(ip) => vec![SocketAddr::new(*ip, port)],
        ListenAddress::Name(name) => (name.as_str(), port).to_socket_addrs()?.collect(),
    })
}

fn bind(address: SocketAddr, config: &ServerConfig) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    let backlog = config.client_port_listen_backlog.max(MIN_BACKLOG);
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// An IPv4 client of an IPv6 socket is known by its IPv4 address, as ACLs have it.
fn canonical(remote: SocketAddr) -> SocketAddr {
    SocketAddr::new(remote.ip().to_canonical(), remote.port())
}

/// A short queue only turns a burst of clients into seconds of waiting.
const MIN_BACKLOG: u32 = 1024;
