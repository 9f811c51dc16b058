//! What can be wrong with a connection string.
//!
//! Every message names the place in the text, what is there, what is wrong and what to write.
//! Credentials never appear: a piece that could contain one is not quoted. Made by `parse`.

use thiserror::Error;

/// A text that is no connection string.
///
/// ```
/// use quorate::client::address::{Address, AddressProblem};
///
/// let error = "zoo1:2181,zoo2:port".parse::<Address>().unwrap_err();
/// assert_eq!((error.problem, error.found.as_str()), (AddressProblem::Port, "zoo2:port"));
/// assert!(error.to_string().contains("write `host:port`"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("connection string, at byte {offset}{}: {problem}", quoted(.found))]
pub struct AddressError {
    /// What is wrong.
    pub problem: AddressProblem,
    /// Where in the text, in bytes from its start.
    pub offset: usize,
    /// The piece of text that is wrong, shortened; empty if it may contain a secret.
    pub found: String,
}

/// What is wrong with a connection string, and what to write instead.
///
/// ```
/// use quorate::client::address::{Address, AddressProblem};
///
/// let error = "::1:2181".parse::<Address>().unwrap_err();
/// assert_eq!(error.problem, AddressProblem::BareIpv6);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AddressProblem {
    /// The text is longer than any connection string is.
    #[error("the text is too long; 64 KiB are the limit")]
    TooLong,
    /// `scheme://` is none of ours.
    #[error(
        "unknown scheme; write `host:port,host:port/chroot`, `zookeeper://host:port?backup=…` or \
         `dns+srv://name/chroot`"
    )]
    UnknownScheme,
    /// There is no server in it.
    #[error("no server is named; write at least one `host:port`, such as `zoo1:2181`")]
    NoServers,
    /// A port without a host.
    #[error("a host is missing before the port; write `host:port`, such as `zoo1:2181`")]
    NoHost,
    /// The host has characters that no name has.
    #[error(
        "this is no host name; write letters, digits, `-`, `_` and `.`, an IP address, or the \
         `xn--` form of an international name"
    )]
    Host,
    /// More than one colon outside brackets.
    #[error(
        "more than one colon; if this is an IPv6 address, write it in brackets, as in `[::1]:2181`"
    )]
    BareIpv6,
    /// Brackets without an IPv6 address in them.
    #[error("brackets go around an IPv6 address and nothing else; write `[::1]:2181`")]
    Brackets,
    /// The port is no port.
    #[error("the port is no number from 1 to 65535; write `host:port`, such as `zoo1:2181`")]
    Port,
    /// An `@` in a form without credentials.
    #[error(
        "`@` is only for credentials in the URL form; write `zookeeper://user:password@host:port`"
    )]
    Credentials,
    /// The chroot is no path.
    #[error(
        "the chroot is no valid path; write names between single slashes, without `.`, `..` and \
         control characters, such as `/app/one`"
    )]
    Chroot,
    /// A server stands behind the chroot.
    #[error("the chroot stands once, behind the last server; write `zoo1:2181,zoo2:2181/app`")]
    ServerAfterChroot,
    /// The value of `group` is no path.
    #[error("the group is no valid path; write names between single slashes, such as `dubbo`")]
    Group,
    /// The value of `timeout` or `session` is no time.
    #[error("this is no time; write whole milliseconds from 1 to 2147483647, such as `60000`")]
    Duration,
    /// The value of `tls` is neither.
    #[error("write `tls=true` or `tls=false`")]
    Switch,
    /// A `%` that starts no escape, or escapes that are no UTF-8.
    #[error(
        "`%` starts no valid UTF-8 escape; write `%` itself as `%25`, and other characters as \
         their UTF-8 bytes, such as `%40` for `@`"
    )]
    Escape,
    /// The SRV name is none, or has a port.
    #[error(
        "this is no name to look up; write one without a port, such as `dns+srv://_zk._tcp.org`"
    )]
    SrvName,
}

impl AddressError {
    /// An error at `offset` of `text`, about `found`, which is part of it or decoded from it.
    pub(super) fn new(problem: AddressProblem, text: &str, offset: usize, found: &str) -> Self {
        let before_credentials_end = text.rfind('@').is_some_and(|at| offset <= at);
        let secret = before_credentials_end || found.contains('@') || names_a_password(found);
        let found = if secret { String::new() } else { shorten(found) };
        Self { problem, offset, found }
    }
}

fn names_a_password(found: &str) -> bool {
    let found = found.to_ascii_lowercase();
    found.contains("passw") || found.contains("secret")
}

fn quoted(found: &str) -> String {
    if found.is_empty() { String::new() } else { format!(" (`{found}`)") }
}

fn shorten(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARS).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

const SHOWN_CHARS: usize = 60;
