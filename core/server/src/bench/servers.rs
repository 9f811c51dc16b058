//! Where the service is: one server, or the members of an ensemble, over which the sessions are spread in turn.

use anyhow::{Context, Result};
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};

/// One server at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Servers {
    first: SocketAddr,
    others: Vec<SocketAddr>,
}

impl Servers {
    /// Addresses of the form host:port with `separator` between them; of each host the first address.
    ///
    /// # Errors
    /// When one is not host:port or the host has no address.
    pub(super) fn parse(text: &str, separator: char) -> Result<Self> {
        let mut addresses = text.split(separator).map(resolve);
        let first = addresses.next().with_context(|| format!("{text:?} names no server"))??;
        Ok(Self { first, others: addresses.collect::<Result<_>>()? })
    }

    /// The one that sets the stage.
    pub(super) const fn first(&self) -> SocketAddr {
        self.first
    }

    /// The one that a session with this number goes to.
    pub(super) fn of(&self, session: usize) -> SocketAddr {
        let turn = session % self.others.len().saturating_add(1);
        turn.checked_sub(1).and_then(|other| self.others.get(other)).map_or(self.first, |at| *at)
    }

    /// All of them, each once.
    pub(super) fn all(&self) -> impl Iterator<Item = SocketAddr> + Clone + '_ {
        std::iter::once(self.first).chain(self.others.iter().copied())
    }
}

impl From<SocketAddr> for Servers {
    fn from(first: SocketAddr) -> Self {
        Self { first, others: Vec::new() }
    }
}

impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        self.others.iter().try_for_each(|other| write!(f, ",{other}"))
    }
}

fn resolve(text: &str) -> Result<SocketAddr> {
    text.to_socket_addrs()
        .with_context(|| format!("{text} is not an address of the form host:port"))?
        .next()
        .with_context(|| format!("{text} has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_a_port() {
        assert!(Servers::parse("127.0.0.1:2181", ',').is_ok());
        for wrong in ["127.0.0.1", "", "127.0.0.1:1,", "127.0.0.1:1,127.0.0.1"] {
            assert!(Servers::parse(wrong, ',').is_err(), "{wrong}");
        }
    }

    #[test]
    fn members_stand_in_the_order_in_which_they_were_named() {
        let servers = Servers::parse("127.0.0.1:3+127.0.0.1:1+127.0.0.1:2", '+').unwrap();
        let ports: Vec<_> = servers.all().map(|server| server.port()).collect();
        assert_eq!((servers.first().port(), ports.as_slice()), (3, &[3, 1, 2][..]));
        assert_eq!([0, 1, 2, 3, 4].map(|n| servers.of(n).port()), [3, 1, 2, 3, 1]);
        assert_eq!(servers.to_string(), "127.0.0.1:3,127.0.0.1:1,127.0.0.1:2");
    }
}
