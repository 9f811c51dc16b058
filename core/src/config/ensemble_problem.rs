//! What can be wrong with a server's place in an ensemble.

use quorate_wire::quorum::membership::HostPort;
use thiserror::Error;

/// Why an [`EnsembleConfig`](super::EnsembleConfig) cannot work, and what to do.
///
/// ```
/// use quorate::config::{EnsembleConfig, EnsembleProblem};
///
/// let members = "server.1=zoo1:2888:3888\nserver.2=zoo1:2888:3888".parse()?;
/// let problem = EnsembleConfig::new(1, members).check().unwrap_err();
/// assert!(matches!(&problem, EnsembleProblem::SameAddress { sid: 2, other: 1, .. }));
/// assert!(problem.to_string().starts_with("server.1 and server.2 both have zoo1:2888"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EnsembleProblem {
    /// Nobody votes.
    #[error(
        "no server has a vote; add `server.N` lines that do not end in `:observer`, best three of them"
    )]
    NoVoters,
    /// A number that session ids have no room for.
    #[error(
        "server.{sid} cannot have this number: session ids have one byte for it; choose one from 0 to 254"
    )]
    Id {
        /// The number.
        sid: i64,
    },
    /// This server is no member.
    #[error(
        "this server is number {me}, and the members are {}; correct the number, or add `server.{me}` on every member",
        numbers(listed)
    )]
    NotListed {
        /// Its number.
        me: i64,
        /// The members.
        listed: Vec<i64>,
    },
    /// Two servers would listen on one address, or one server twice on it.
    #[error("{} {address}; each needs an address of its own, so change one of them", both(*other, *sid))]
    SameAddress {
        /// The second server.
        sid: i64,
        /// The first server, which may be the same one.
        other: i64,
        /// The address.
        address: HostPort,
    },
    /// A port that nobody can find.
    #[error(
        "server.{sid} has the port 0, which the others cannot find; give it ports such as 2888 and 3888"
    )]
    PortZero {
        /// The server.
        sid: i64,
    },
    /// Several addresses, which must be asked for.
    #[error(
        "server.{sid} has several addresses; add the line `multiAddress.enabled=true`, or remove all but one"
    )]
    SeveralAddresses {
        /// The server.
        sid: i64,
    },
    /// This server should serve clients with TLS.
    #[error(
        "server.{sid}, this server, has a second address for clients, with TLS, which comes with a later version; \
         remove it"
    )]
    SecureClient {
        /// Its number.
        sid: i64,
    },
    /// A limit of 0 ticks.
    #[error("`{key}` is 0; give a member some time, such as `{key}=10`")]
    NoTime {
        /// The key.
        key: &'static str,
    },
    /// TLS without what it needs.
    #[error(
        "with TLS between members (sslQuorum, portUnification) `{key}` must name a PEM file; add it"
    )]
    NoStore {
        /// The key.
        key: &'static str,
    },
    /// The shortest pause is the longer one.
    #[error(
        "fastleader.minNotificationInterval ({min} ms) must not be larger than \
         fastleader.maxNotificationInterval ({max} ms); change one of them"
    )]
    Intervals {
        /// The shortest pause.
        min: u32,
        /// The longest pause.
        max: u32,
    },
}

impl EnsembleProblem {
    /// The server whose line is to blame.
    pub(super) fn server(&self) -> Option<i64> {
        match *self {
            Self::Id { sid }
            | Self::SameAddress { sid, .. }
            | Self::PortZero { sid }
            | Self::SeveralAddresses { sid }
            | Self::SecureClient { sid } => Some(sid),
            Self::NoVoters
            | Self::NotListed { .. }
            | Self::NoTime { .. }
            | Self::NoStore { .. }
            | Self::Intervals { .. } => None,
        }
    }
}

fn both(other: i64, sid: i64) -> String {
    if other == sid {
        format!("server.{sid} twice has")
    } else {
        format!("server.{other} and server.{sid} both have")
    }
}

/// The numbers of some servers, cut if there are too many to read.
pub(super) fn numbers(sids: &[i64]) -> String {
    let mut shown: Vec<String> = sids.iter().take(SHOWN).map(i64::to_string).collect();
    if sids.len() > SHOWN {
        shown.push(String::from("…"));
    }
    shown.join(", ")
}

const SHOWN: usize = 16;
