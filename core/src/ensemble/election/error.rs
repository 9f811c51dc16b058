//! Why there is no election port.

use quorate_wire::quorum::membership::HostPort;
use std::io;
use std::net::SocketAddr;

/// What makes it impossible for a member of an ensemble to take part in elections.
///
/// ```
/// use quorate::server::ElectionError;
///
/// let message = ElectionError::NotAMember(4).to_string();
/// assert!(message.contains("myid"), "{message}");
/// ```
#[derive(Debug, thiserror::Error)]
pub enum ElectionError {
    /// The configuration does not know this server.
    #[error(
        "this server has the id {0}, and no server.{0} is in the configuration: correct myid, or add the line"
    )]
    NotAMember(i64),
    /// The own address has no numbers.
    #[error(
        "the election address {place} of this server (server.{me}) cannot be looked up: {cause}; write a name or an address \
         that this machine knows, or set quorumListenOnAllIPs=true"
    )]
    Lookup {
        /// This server.
        me: i64,
        /// What the configuration says.
        place: HostPort,
        /// What the system says.
        cause: io::Error,
    },
    /// The own address cannot be used.
    #[error(
        "cannot listen on the election address {address} of this server (server.{me}): {cause}; {}",
        advice(cause)
    )]
    Bind {
        /// This server.
        me: i64,
        /// Where.
        address: SocketAddr,
        /// What the system says.
        cause: io::Error,
    },
    /// The system refuses what is needed.
    #[error("the election port cannot have {what}: {cause}")]
    System {
        /// What.
        what: &'static str,
        /// What the system says.
        cause: io::Error,
    },
    /// A defect.
    #[error("the thread of the election port has crashed; the log says where")]
    Panic,
}

fn advice(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::AddrInUse => "another process listens there: end it, or choose another port",
        io::ErrorKind::AddrNotAvailable => {
            "it is no address of this machine: correct it, or set quorumListenOnAllIPs=true"
        }
        io::ErrorKind::PermissionDenied => "this user may not: choose a port above 1023",
        _ => "correct the address, or set quorumListenOnAllIPs=true",
    }
}
