//! What keeps servers from starting with a configuration that can be read. A reconfiguration must not bring it about, or the ensemble would
//! go on until its members are restarted, and not come back.

use quorate_wire::quorum::Membership;
use quorate_wire::quorum::membership::{HostPort, Server};
use std::collections::{BTreeMap, BTreeSet};

/// Why servers cannot be started with a configuration.
///
/// ```
/// use quorate_engine::quorum::Misfit;
/// use quorate_wire::quorum::Membership;
///
/// let one_host = Membership::parse("server.1=a:1:2;2181\nserver.2=a:3:4;2181").unwrap();
/// assert!(matches!(Misfit::of(&one_host), Some(Misfit::SameAddress { sid: 2, other: 1, .. })));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// Session ids begin with the number of their server in one byte, and 255 there marks nodes with a time to live.
    Id {
        /// The number that a server cannot have.
        sid: i64,
    },
    /// Two servers would listen at one place, or one server twice.
    SameAddress {
        /// A server.
        sid: i64,
        /// The other one.
        other: i64,
        /// Where.
        address: HostPort,
    },
    /// Other servers could not find it.
    PortZero {
        /// The server.
        sid: i64,
    },
}

impl Misfit {
    /// What is wrong with a configuration, if something is.
    ///
    /// ```
    /// use quorate_engine::quorum::Misfit;
    ///
    /// let two_hosts = "server.1=a:1:2;2181\nserver.2=b:1:2;2181".parse()?;
    /// assert_eq!(Misfit::of(&two_hosts), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn of(membership: &Membership) -> Option<Self> {
        let servers = &membership.servers;
        if let Some(&sid) = servers.keys().find(|sid| !IDS.contains(sid)) {
            return Some(Self::Id { sid });
        }
        let mut taken: BTreeMap<HostPort, i64> = BTreeMap::new();
        for (&sid, server) in servers {
            for address in places(server) {
                if let Some(other) = taken.insert(address.clone(), sid) {
                    return Some(Self::SameAddress { sid, other, address });
                }
            }
            let mut addresses = server.addresses.iter();
            if addresses.any(|a| a.quorum_port == 0 || a.election_port == 0) {
                return Some(Self::PortZero { sid });
            }
        }
        None
    }
}

/// Every address that a server says it listens on; hosts in lower case. Where it serves clients on every interface, the host is
/// that of its peers.
fn places(server: &Server) -> Vec<HostPort> {
    let peers = server.addresses.iter().flat_map(|address| [address.quorum(), address.election()]);
    let hosts: BTreeSet<&String> = server.addresses.iter().map(|address| &address.host).collect();
    let clients = server.client.iter().chain(&server.secure_client).flat_map(|client| {
        if client.is_wildcard() {
            hosts.iter().map(|&host| HostPort::new(host.clone(), client.port)).collect()
        } else {
            vec![client.clone()]
        }
    });
    let all = peers.chain(clients).filter(|address| address.port != 0);
    all.map(|address| HostPort::new(address.host.to_ascii_lowercase(), address.port)).collect()
}

const IDS: std::ops::RangeInclusive<i64> = 0..=254;
