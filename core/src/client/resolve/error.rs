//! Why there are no SRV records.
//!
//! [`SrvError`] is the end of a lookup, [`SrvFailure`] what one name server did; the lookup goes on
//! to the next then. Made by `resolve`.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use thiserror::Error;

/// A lookup of SRV records that gave no server.
///
/// ```
/// use quorate::client::resolve::{Resolver, SrvError};
///
/// # quorate::client::blocking::wait(async {
/// let nobody = Resolver::new(Vec::new());
/// let error = nobody.servers("_zookeeper._tcp.example.org").await.unwrap_err();
/// assert!(matches!(error, SrvError::NoAnswer { last: None, .. }));
/// # });
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SrvError {
    /// The list of name servers cannot be read.
    #[error("cannot read the name servers from {path}: {source}")]
    Settings {
        /// The file.
        path: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The text is no name of DNS.
    #[error("`{0}` is no DNS name: labels have 1 to 63 characters, and all of it at most 253")]
    Name(String),
    /// DNS says that there is no such name.
    #[error("DNS knows no `{0}`; write it in full, such as `_zookeeper._tcp.example.org`")]
    NoSuchName(String),
    /// The name exists, but has no SRV records.
    #[error("`{0}` has no SRV records; if it is a host, write `host:port` without `dns+srv://`")]
    NoRecords(String),
    /// The records say that there is no server, as RFC 2782 allows, or have neither host nor port.
    #[error("the SRV records of `{0}` name no server: the service is not provided there")]
    NotProvided(String),
    /// No name server gave an answer that counts.
    #[error("no name server answered for the SRV records of `{name}`{}", told(.last.as_deref()))]
    NoAnswer {
        /// The name asked for.
        name: String,
        /// The name server asked last, and what it did; `None` if there is none to ask.
        last: Option<Box<(SocketAddr, SrvFailure)>>,
    },
}

/// What a name server did instead of answering.
///
/// ```
/// let failure = quorate::client::resolve::SrvFailure::Code(5);
/// assert_eq!(failure.to_string(), "it answered with the error code 5");
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SrvFailure {
    /// Nothing came in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// It cannot be reached.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It answered with an error code of RFC 1035 section 4.1.1, such as 2 (it failed itself) or
    /// 5 (it does not serve us).
    #[error("it answered with the error code {0}")]
    Code(u8),
    /// It answered with something that is no message of DNS.
    #[error("its answer is damaged")]
    Malformed,
}

fn told(last: Option<&(SocketAddr, SrvFailure)>) -> String {
    match last {
        Some((server, failure)) => format!("; the last one asked, {server}: {failure}"),
        None => "; there is none to ask".to_owned(),
    }
}
