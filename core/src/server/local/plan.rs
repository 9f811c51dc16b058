//! [`LocalPlan`]: the members of a local ensemble before they run.

use super::home::Home;
use super::ports::Port;
use quorate_wire::quorum::membership::{Address, HostPort, Membership, Role, Server};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Who the members of a local ensemble are, where they listen and where their data is. Ports are held, and a temporary directory exists, until
/// this is dropped.
///
/// ```
/// use quorate::server::LocalPlan;
///
/// let plan = LocalPlan::new(3, 1, None)?;
/// assert_eq!(plan.membership().voters().collect::<Vec<_>>(), [1, 2, 3]);
/// assert_eq!(plan.membership().observers().collect::<Vec<_>>(), [4]);
/// assert_eq!(plan.servers().split(',').count(), 4);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct LocalPlan {
    membership: Membership,
    home: Home,
    _ports: Vec<Port>,
}

impl LocalPlan {
    /// Members with the numbers from 1 on, voters first, on free ports of 127.0.0.1. Their data is in `directory`, or in a temporary one that is
    /// removed with this.
    ///
    /// ```
    /// # use quorate::server::LocalPlan;
    /// let home = {
    ///     let plan = LocalPlan::new(3, 0, None)?;
    ///     assert!(plan.home().is_dir());
    ///     plan.home().to_owned()
    /// };
    /// assert!(!home.exists());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the directory cannot be made, so many ports are not free, or nobody would vote or have a number (there are 254).
    pub fn new(voters: u8, observers: u8, directory: Option<&Path>) -> io::Result<Self> {
        let count = usize::from(voters) + usize::from(observers);
        if voters == 0 || count > MOST {
            let reason = format!("an ensemble has a voter at least, and at most {MOST} members");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        let home = directory.map_or_else(Home::temporary, |path| Home::at(path.to_owned()))?;
        let ports = Port::take(PORTS * count)?;
        let mut membership = Membership::default();
        for (sid, ports) in (1_i64..).zip(ports.chunks(PORTS)) {
            let [quorum, election, client] = ports else { continue };
            let role = if sid > voters.into() { Role::Observer } else { Role::Participant };
            let address = Address::new(LOOPBACK.to_string(), quorum.number(), election.number());
            let client = Some(HostPort::new(LOOPBACK.to_string(), client.number()));
            membership.servers.insert(sid, Server { client, ..Server::new(address, role) });
        }
        Ok(Self { membership, home, _ports: ports })
    }

    /// The members, as each of them is told.
    #[must_use]
    pub const fn membership(&self) -> &Membership {
        &self.membership
    }

    /// Where a member serves clients.
    ///
    /// ```
    /// # use quorate::server::LocalPlan;
    /// let plan = LocalPlan::new(3, 0, None)?;
    /// assert!(plan.client(3).unwrap().ip().is_loopback());
    /// assert_eq!(plan.client(4), None);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn client(&self, sid: i64) -> Option<SocketAddr> {
        let client = self.membership.servers.get(&sid)?.client.as_ref()?;
        Some(SocketAddr::from((LOOPBACK, client.port)))
    }

    /// Where all members serve clients, as clients are told: `host:port,host:port`.
    #[must_use]
    pub fn servers(&self) -> String {
        let clients = self.membership.servers.values().filter_map(|server| server.client.as_ref());
        clients.map(ToString::to_string).collect::<Vec<_>>().join(",")
    }

    /// The directory of everything.
    ///
    /// ```
    /// # use quorate::server::LocalPlan;
    /// # let directory = tempfile::tempdir()?;
    /// let plan = LocalPlan::new(3, 0, Some(directory.path()))?;
    /// assert!(plan.data_dir(1).starts_with(plan.home()));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Where a member keeps its data.
    ///
    /// ```
    /// # use quorate::server::LocalPlan;
    /// let plan = LocalPlan::new(3, 0, None)?;
    /// assert_eq!(plan.data_dir(2), plan.home().join("2"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn data_dir(&self, sid: i64) -> PathBuf {
        self.home().join(sid.to_string())
    }
}

const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// Session ids begin with the number of their server in one byte.
const MOST: usize = 254;
/// Of each member: for learners, for elections, for clients.
const PORTS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ensemble_that_cannot_be_is_refused() {
        for (voters, observers) in [(0, 0), (0, 3), (255, 0), (200, 55)] {
            let error = LocalPlan::new(voters, observers, None).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{voters} and {observers}");
        }
        assert_eq!(LocalPlan::new(200, 54, None).unwrap().membership().servers.len(), 254);
    }
}
