//! Why a connection is refused, in words for the log.

use rustls::{AlertDescription, CertificateError, Error};
use std::fmt;
use std::io;

/// Why there is no connection, or no longer one, as far as TLS is concerned.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It begins without a handshake, which is not let in.
    Plain,
    /// It begins with a handshake, which is not known here.
    NotHere,
    /// It has hung up before the end of the handshake.
    HungUp,
    /// The handshake has failed, or what came afterwards was wrong.
    Tls(Error),
}

impl Refusal {
    /// The refusal in an error of a connection, if it is one.
    pub(crate) fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> Self {
        Self::new(io::ErrorKind::InvalidData, refusal)
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => f.write_str(
                "it does not speak TLS, and this server has sslQuorum=true; set that there as well, or portUnification=true here until it is set",
            ),
            Self::NotHere => f.write_str(
                "it speaks TLS, and this server has neither sslQuorum=true nor portUnification=true; all members need the same, or \
                 portUnification=true until they have it",
            ),
            Self::HungUp => f.write_str(
                "it has hung up during the TLS handshake; if its log does not say why, see whether it has sslQuorum=true or portUnification=true",
            ),
            Self::Tls(error) => tell(error, f),
        }
    }
}

fn tell(error: &Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        Error::NoCertificatesPresented => f.write_str(
            "it presents no certificate; if it is a member, give it ssl.quorum.keyStore.location",
        ),
        Error::InvalidCertificate(problem) => judge(problem, f),
        Error::AlertReceived(alert) => match alert {
            AlertDescription::HandshakeFailure | AlertDescription::ProtocolVersion => {
                f.write_str(NOTHING_IN_COMMON)
            }
            AlertDescription::UserCanceled | AlertDescription::InternalError => {
                write!(f, "it has given up the TLS handshake ({alert:?}); its log says why")
            }
            _ => write!(
                f,
                "it refuses this server's certificate ({alert:?}), for a reason that its log says; compare ssl.quorum.keyStore.location here with \
                 ssl.quorum.trustStore.location there"
            ),
        },
        Error::PeerIncompatible(_) => f.write_str(NOTHING_IN_COMMON),
        Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => write!(
            f,
            "what it says is no TLS ({error}); see whether it has sslQuorum=true or portUnification=true"
        ),
        error => write!(f, "TLS with it has failed: {error}"),
    }
}

fn judge(problem: &CertificateError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match problem {
        CertificateError::UnknownIssuer => f.write_str(
            "its certificate is from an authority that is not trusted; if it is a member, add the authority to ssl.quorum.trustStore.location",
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => f.write_str(
            "its certificate has expired; renew it, or correct the clock of this machine",
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => f.write_str(
            "its certificate is not valid yet; correct the clock of one of both machines",
        ),
        CertificateError::NotValidForNameContext { expected, presented } => write!(
            f,
            "its certificate is not for {} but {}; give it one whose subjectAltName has its host as server.N says it, or its address, or set \
             ssl.quorum.hostnameVerification=false if names do not matter",
            expected.to_str(),
            names(presented)
        ),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => f
            .write_str(
                "its certificate is not for this purpose; with an extendedKeyUsage it needs both serverAuth and clientAuth",
            ),
        problem => write!(f, "its certificate is of no use: {problem}"),
    }
}

/// What a certificate stands for, cut if it is too much to read.
fn names(presented: &[String]) -> String {
    if presented.is_empty() {
        return "has no subjectAltName".to_owned();
    }
    let shown: Vec<&str> = presented.iter().take(SHOWN).map(|name| bare(name)).collect();
    let more = if presented.len() > SHOWN { ", …" } else { "" };
    let names: String = format!("for {}{more}", shown.join(", "));
    names.chars().take(LONGEST).filter(|c| !c.is_control()).collect()
}

/// A name without its kind, `DnsName("…")` or `IpAddress(…)`.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.map_or(name, |inner| inner.trim_matches('"'))
}

const NOTHING_IN_COMMON: &str = "it has no version or cipher suite of TLS in common with this server; compare ssl.quorum.protocol, \
                                 ssl.quorum.enabledProtocols and ssl.quorum.ciphersuites";
const SHOWN: usize = 4;
const LONGEST: usize = 300;
