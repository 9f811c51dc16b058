//! The members of an ensemble: who they are, where they listen, who votes and with what weight.
//!
//! The text form is the content of `/zookeeper/config`, of dynamic configuration files, of NEWLEADER, of notifications
//! and of reconfig transactions:
//!
//! ```text
//! server.1=host:2888:3888[|host:2888:3888...]:participant;clienthost:2181
//! server.4=host:2888:3888:observer;clienthost:2181
//! group.1=1:2:3
//! weight.1=1
//! version=100000010
//! ```
//! [`Membership`] is written exactly as Apache writes it; `parse` reads more leniently. Whether a set of servers
//! is a quorum is decided in the engine. Source: `org.apache.zookeeper.server.quorum.QuorumPeer.QuorumServer`
//! and `flexible.QuorumHierarchical`.

mod error;
mod parse;
#[cfg(test)]
mod tests;

pub use super::address::HostPort;
pub use error::{MembershipError, MembershipProblem};

use super::address::Bracketed;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A configuration of an ensemble.
///
/// ```
/// use quorate_wire::quorum::membership::{Membership, Role};
///
/// let text = "server.1=a:2888:3888\nserver.2=b:2888:3888\nserver.4=d:2888:3888:observer";
/// let members: Membership = text.parse()?;
/// assert_eq!(members.voters().collect::<Vec<_>>(), [1, 2]);
/// assert_eq!(members.observers().collect::<Vec<_>>(), [4]);
/// assert_eq!((members.role(4), members.role(9)), (Some(Role::Observer), None));
/// assert!(members.is_voter(1) && !members.is_hierarchical());
///
/// let later = Membership { version: 7, ..members.clone() };
/// assert!(later.same_members(&members));
/// assert_eq!(members.to_string().lines().next(), Some("server.1=a:2888:3888:participant"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// The servers by id.
    pub servers: BTreeMap<i64, Server>,
    /// The ids of voters in each group. Empty: the majority of all voters decides.
    pub groups: BTreeMap<i64, BTreeSet<i64>>,
    /// Weights within the groups. A configuration with groups that was read has one for every voter at least.
    pub weights: BTreeMap<i64, i64>,
    /// The zxid of the reconfiguration that made it, `epoch << 32` for the first established one, or 0.
    pub version: i64,
}

/// One server of a configuration.
///
/// ```
/// use quorate_wire::quorum::membership::{Address, Role, Server};
///
/// let server: Server = "a:2888:3888:observer".parse()?;
/// assert_eq!(server, Server::new(Address::new("a", 2888, 3888), Role::Observer));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where it listens; sorted, and never empty in one that was read.
    pub addresses: Vec<Address>,
    /// Whether it votes.
    pub role: Role,
    /// Where it serves clients. Apache leaves it out if it comes from a server's static file.
    pub client: Option<HostPort>,
    /// Where it serves clients with TLS. Only 3.10 and later read a configuration with such an address.
    pub secure_client: Option<HostPort>,
}

/// One address of a server, as its peers see it. Ordered by host first.
///
/// ```
/// use quorate_wire::quorum::membership::Address;
///
/// let address = Address::new("::1", 2888, 3888);
/// assert_eq!(address.to_string(), "[::1]:2888:3888");
/// assert_eq!((address.quorum().port, address.election().port), (2888, 3888));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// A name or a literal address, without brackets.
    pub host: String,
    /// Where it listens for learners while it leads.
    pub quorum_port: u16,
    /// Where it listens for notifications at all times.
    pub election_port: u16,
}

/// Whether a server votes.
///
/// ```
/// use quorate_wire::quorum::membership::Role;
///
/// assert_eq!((Role::default(), Role::Observer.to_string()), (Role::Participant, "observer".into()));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// A voter.
    #[default]
    Participant,
    /// Gets what is committed and has no say in it.
    Observer,
}

impl Membership {
    /// The ids of all voters, in ascending order.
    ///
    /// ```
    /// use quorate_wire::quorum::membership::Membership;
    ///
    /// let text = "server.1=a:2888:3888\nserver.4=d:2888:3888:observer";
    /// let members: Membership = text.parse()?;
    /// assert_eq!(members.voters().collect::<Vec<_>>(), [1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn voters(&self) -> impl Iterator<Item = i64> + '_ {
        self.with_role(Role::Participant)
    }

    /// The ids of all observers, in ascending order.
    ///
    /// ```
    /// use quorate_wire::quorum::membership::Membership;
    ///
    /// let text = "server.1=a:2888:3888\nserver.4=d:2888:3888:observer";
    /// let members: Membership = text.parse()?;
    /// assert_eq!(members.observers().collect::<Vec<_>>(), [4]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn observers(&self) -> impl Iterator<Item = i64> + '_ {
        self.with_role(Role::Observer)
    }

    /// Whether a server is a voter.
    ///
    /// ```
    /// use quorate_wire::quorum::membership::Membership;
    ///
    /// let text = "server.1=a:2888:3888\nserver.4=d:2888:3888:observer";
    /// let members: Membership = text.parse()?;
    /// assert!(members.is_voter(1) && !members.is_voter(4) && !members.is_voter(5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_voter(&self, sid: i64) -> bool {
        self.role(sid) == Some(Role::Participant)
    }

    /// The role of a server; nothing for one that is no member.
    ///
    /// ```
    /// use quorate_wire::quorum::membership::{Membership, Role};
    ///
    /// let text = "server.1=a:2888:3888\nserver.4=d:2888:3888:observer";
    /// let members: Membership = text.parse()?;
    /// assert_eq!((members.role(4), members.role(5)), (Some(Role::Observer), None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn role(&self, sid: i64) -> Option<Role> {
        self.servers.get(&sid).map(|server| server.role)
    }

    /// Whether groups decide instead of the majority.
    #[must_use]
    pub fn is_hierarchical(&self) -> bool {
        !self.groups.is_empty()
    }

    /// Whether the other one has the same servers, groups and weights; versions may differ.
    ///
    /// ```
    /// use quorate_wire::quorum::membership::Membership;
    ///
    /// let text = "server.1=a:2888:3888\nserver.4=d:2888:3888:observer";
    /// let members: Membership = text.parse()?;
    /// let later = Membership { version: 7, ..members.clone() };
    /// assert!(later.same_members(&members) && later != members);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn same_members(&self, other: &Self) -> bool {
        self.servers == other.servers
            && self.groups == other.groups
            && self.weights == other.weights
    }

    fn with_role(&self, role: Role) -> impl Iterator<Item = i64> + '_ {
        let has = move |(&sid, server): (&i64, &Server)| (server.role == role).then_some(sid);
        self.servers.iter().filter_map(has)
    }
}

impl Server {
    /// A server with one address and none for clients.
    #[must_use]
    pub fn new(address: Address, role: Role) -> Self {
        Self { addresses: vec![address], role, client: None, secure_client: None }
    }
}

impl Address {
    /// Puts the parts together; nothing is checked.
    pub fn new(host: impl Into<String>, quorum_port: u16, election_port: u16) -> Self {
        Self { host: host.into(), quorum_port, election_port }
    }

    /// Where learners connect to.
    #[must_use]
    pub fn quorum(&self) -> HostPort {
        HostPort::new(self.host.clone(), self.quorum_port)
    }

    /// Where notifications go to.
    #[must_use]
    pub fn election(&self) -> HostPort {
        HostPort::new(self.host.clone(), self.election_port)
    }
}

/// The text that every member shares, without a newline at its end.
impl fmt::Display for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (sid, server) in &self.servers {
            writeln!(f, "server.{sid}={server}")?;
        }
        for (group, sids) in &self.groups {
            write!(f, "group.{group}=")?;
            for (at, sid) in sids.iter().enumerate() {
                write!(f, "{}{sid}", if at == 0 { "" } else { ":" })?;
            }
            writeln!(f)?;
        }
        if self.is_hierarchical() {
            for (sid, weight) in &self.weights {
                writeln!(f, "weight.{sid}={weight}")?;
            }
        }
        write!(f, "version={:x}", self.version)
    }
}

/// What follows the `=` of a `server.N` line.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted: Vec<&Address> = self.addresses.iter().collect();
        sorted.sort();
        for (at, address) in sorted.into_iter().enumerate() {
            write!(f, "{}{address}", if at == 0 { "" } else { "|" })?;
        }
        write!(f, ":{}", self.role)?;
        match (&self.client, &self.secure_client) {
            (None, None) => Ok(()),
            (Some(client), None) => write!(f, ";{client}"),
            (None, Some(secure)) => write!(f, ";;{secure}"),
            (Some(client), Some(secure)) => write!(f, ";{client};{secure}"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", Bracketed(&self.host), self.quorum_port, self.election_port)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Participant => "participant",
            Self::Observer => "observer",
        })
    }
}
