//! Looking up names, beside the thread that must not wait.

use mio::Waker;
use quorate_wire::quorum::address::HostPort;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;

/// A question about a name. The answer may come long after nobody wants it any more.
#[derive(Debug)]
pub(super) struct Question(Receiver<io::Result<Vec<SocketAddr>>>);

impl Question {
    /// Asks, and wakes whoever waits when there is an answer.
    pub(super) fn ask(address: &HostPort, waker: &Arc<Waker>) -> io::Result<Self> {
        let (sender, receiver) = channel();
        let (host, port, waker) = (address.host.clone(), address.port, Arc::clone(waker));
        thread::Builder::new().name("quorate-names".into()).spawn(move || {
            let found = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
            if sender.send(found).is_ok() {
                // A full eventfd means that the thread is being woken already.
                let _ = waker.wake();
            }
        })?;
        Ok(Self(receiver))
    }

    /// The answer, if there is one.
    pub(super) fn answer(&self) -> Option<io::Result<Vec<SocketAddr>>> {
        match self.0.try_recv() {
            Ok(found) => Some(found),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(io::ErrorKind::NotFound.into())),
        }
    }
}

/// The address, if it is a literal one, for which nobody has to be asked.
pub(super) fn literal(address: &HostPort) -> Option<SocketAddr> {
    let ip: IpAddr = address.host.parse().ok()?;
    Some(SocketAddr::new(ip, address.port))
}
