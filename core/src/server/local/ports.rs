//! Loopback ports for servers that must come back on the same port.
//!
//! Port 0 is no use: a member is stopped and started again, and the others know its ports from the beginning. Ports are taken below those that the kernel
//! gives to outgoing connections, and each is held by a UDP socket of the same number, so that ensembles in all processes of a machine never share one.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

/// A TCP port of the loopback address that is nobody else's until this is dropped.
#[derive(Debug)]
pub(super) struct Port {
    number: u16,
    _held: UdpSocket,
}

impl Port {
    pub(super) const fn number(&self) -> u16 {
        self.number
    }

    /// Takes so many ports, beginning at a place that is different each time.
    pub(super) fn take(count: usize) -> io::Result<Vec<Self>> {
        let chance = RandomState::new().build_hasher().finish();
        let begin = FIRST + u16::try_from(chance % u64::from(END - FIRST)).unwrap_or_default();
        let ports: Vec<Self> =
            (begin..END).chain(FIRST..begin).filter_map(Self::hold).take(count).collect();
        if ports.len() < count {
            let reason = format!("{count} free ports between {FIRST} and {END} are not to be had");
            return Err(io::Error::new(io::ErrorKind::AddrInUse, reason));
        }
        Ok(ports)
    }

    fn hold(number: u16) -> Option<Self> {
        let held = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        Some(Self { number, _held: held })
    }
}

/// Below are ports that well-known services have, from here on what Linux gives to outgoing connections (32768), with room for others who
/// choose in the same way.
const FIRST: u16 = 12_000;
const END: u16 = 20_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_held_until_it_is_dropped() {
        let ports = Port::take(50).unwrap();
        for port in &ports {
            assert!(Port::hold(port.number()).is_none());
            // It is free for the server that it is for.
            TcpListener::bind((Ipv4Addr::LOCALHOST, port.number())).unwrap();
        }
    }

    #[test]
    fn a_port_where_somebody_listens_is_not_taken() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(Port::hold(taken.local_addr().unwrap().port()).is_none());
    }

    #[test]
    fn more_than_there_are_is_an_error() {
        let error = Port::take(usize::from(END - FIRST) + 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
