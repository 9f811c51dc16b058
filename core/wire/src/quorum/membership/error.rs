//! What can be wrong with the text of a configuration. Every message names the line and what stands there.

use std::fmt;

/// A text that is no configuration.
///
/// ```
/// use quorate_wire::quorum::membership::Membership;
///
/// let error = Membership::parse("server.1=a:2888:3888\nserver.2=b").unwrap_err();
/// assert_eq!(error.line, Some(2));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembershipError {
    /// The line, counted from 1; nothing if no single line is to blame.
    pub line: Option<usize>,
    /// What is wrong with it.
    pub problem: MembershipProblem,
}

impl std::error::Error for MembershipError {}

impl fmt::Display for MembershipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line} of the configuration: {}", self.problem),
            None => write!(f, "the configuration: {}", self.problem),
        }
    }
}

/// What is wrong with a line. Texts are quoted up to a length.
///
/// ```
/// use quorate_wire::quorum::membership::{Membership, MembershipProblem};
///
/// let error = Membership::parse("version=1").unwrap_err();
/// assert_eq!(error.problem, MembershipProblem::NoVoters);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MembershipProblem {
    /// The line has no `=`.
    #[error("{0:?} is not `key=value`")]
    NoValue(String),
    /// The key is none of `server.N`, `group.N`, `weight.N` and `version`. What it means could be important.
    #[error("{0:?} is not known here; there are server.N, group.N, weight.N and version")]
    UnknownKey(String),
    /// What follows the dot of a key, or stands in a group, is no id.
    #[error("{0:?} is not the number of a server or group (0 or more)")]
    Id(String),
    /// The key was there before.
    #[error("{0:?} is set a second time")]
    Duplicate(String),
    /// The addresses are not in the right form.
    #[error(
        "{0:?} is not `host:quorum-port:election-port`, with `:participant` or `:observer` at the end of the list"
    )]
    Address(String),
    /// The address uses one port twice.
    #[error("{0:?} uses one port for the quorum and for elections; they must differ")]
    SamePorts(String),
    /// The same host and ports stand there twice.
    #[error("{0:?} has one address twice")]
    SameAddress(String),
    /// The addresses of a server name different roles.
    #[error("{0:?} has different roles for one server")]
    Roles(String),
    /// What follows the semicolon is no address for clients.
    #[error("{0:?} is not the address for clients: `port` or `host:port`")]
    Client(String),
    /// A weight is no number.
    #[error("{0:?} is not a weight (0 or more)")]
    Weight(String),
    /// The version is no number.
    #[error("{0:?} is not a version (hexadecimal digits)")]
    Version(String),
    /// A group names a server that does not vote, or does not exist.
    #[error("server {sid} is in group {group} and is no voter of this configuration")]
    NotAVoter {
        /// The server.
        sid: i64,
        /// The group.
        group: i64,
    },
    /// A server is in two groups.
    #[error("server {sid} is in more than one group")]
    InTwoGroups {
        /// The server.
        sid: i64,
    },
    /// There are groups or weights, and a voter is in no group.
    #[error("server {sid} votes and is in no group")]
    InNoGroup {
        /// The server.
        sid: i64,
    },
    /// Nobody votes.
    #[error("there is no voter")]
    NoVoters,
    /// All voters have the weight 0.
    #[error("every voter has the weight 0, so that there can never be a leader")]
    NoWeight,
    /// The weights of a group are too large to be added up.
    #[error("the weights of group {group} are too large")]
    TooHeavy {
        /// The group.
        group: i64,
    },
}
