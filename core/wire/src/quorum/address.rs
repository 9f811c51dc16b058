//! `host:port`, as servers name each other. IPv6 addresses stand in brackets.
//!
//! Hosts are names or literal addresses and are not looked up here: whoever connects does that, each time anew.
//! Compare `org.apache.zookeeper.server.util.ConfigUtils#getHostAndPort` and `common.NetUtils#formatInetAddr`.

use std::fmt;

/// A host and a port. Ordered by host first, as text.
///
/// ```
/// use quorate_wire::quorum::membership::HostPort;
///
/// assert_eq!(HostPort::new("::1", 2181).to_string(), "[::1]:2181");
/// assert!(HostPort::new("0.0.0.0", 2181).is_wildcard());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    /// A name or a literal address, without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl HostPort {
    /// Puts both together; nothing is checked.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// Reads `host:port` or `[v6]:port`. Space around it is ignored.
    ///
    /// ```
    /// use quorate_wire::quorum::membership::HostPort;
    ///
    /// assert_eq!(HostPort::parse("zoo1:2181"), Some(HostPort::new("zoo1", 2181)));
    /// assert_eq!(HostPort::parse("zoo1"), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = split_host(text.trim())?;
        Some(Self::new(host, port.parse().ok()?))
    }

    /// Whether the host means all addresses of a machine, so that nobody else can connect to it.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        is_wildcard(&self.host)
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", Bracketed(&self.host), self.port)
    }
}

/// Whether a host means all addresses of a machine: `0.0.0.0` or `::`, in any spelling.
#[must_use]
pub fn is_wildcard(host: &str) -> bool {
    host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_unspecified())
}

/// A host as it stands before a colon.
pub(super) struct Bracketed<'a>(pub(super) &'a str);

impl fmt::Display for Bracketed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains(':') { write!(f, "[{}]", self.0) } else { f.write_str(self.0) }
    }
}

/// Splits after the host, which must be there: the host without brackets, and what follows its colon.
pub(super) fn split_host(text: &str) -> Option<(&str, &str)> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once("]:")?,
        None => text.split_once(':')?,
    };
    let fits = |c: char| !c.is_whitespace() && !c.is_control() && !"[]|;,=#".contains(c);
    (!host.is_empty() && host.chars().all(fits)).then_some((host, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_read_and_written() {
        for text in ["zoo1:2888", "127.0.0.1:0", "[::1]:65535", "[fe80::1%eth0]:1", "a_b.c-d:7"] {
            let address = HostPort::parse(text).unwrap();
            assert_eq!(address.to_string(), text);
        }
        assert_eq!(HostPort::parse(" h:1 "), Some(HostPort::new("h", 1)));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "", ":1", "h", "h:", "h:x", "h:65536", "h:-1", "::1:1", "[::1]", "[::1:1", "[]:1",
            "a b:1",
        ] {
            assert_eq!(HostPort::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn wildcards_are_known_in_every_spelling() {
        for host in ["0.0.0.0", "::", "0:0:0:0:0:0:0:0", "0:0::0"] {
            assert!(is_wildcard(host), "{host}");
        }
        for host in ["localhost", "0.0.0.1", "::1", "zoo", ""] {
            assert!(!is_wildcard(host), "{host}");
        }
    }
}
