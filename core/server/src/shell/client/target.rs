//! The connect string: `host:port,host:port/chroot`.
//!
//! Only text is handled here; names are resolved when a connection is attempted, so that a name whose
//! address changes is looked up again. Source: `org.apache.zookeeper.client.ConnectStringParser`.

use quorate_wire::path;
use std::fmt;

/// Where to connect, and which node the shell takes for its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// `host:port` each, in the order given; never empty.
    pub(crate) hosts: Vec<String>,
    /// Empty, or a path without a final slash that goes before every path.
    pub(crate) chroot: String,
    /// The text as it was given, for the prompt.
    text: String,
}

/// Why a connect string is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetError {
    /// There is no host in it.
    #[error("{0:?} names no server; write host:port[,host:port][/chroot]")]
    NoHost(String),
    /// The port is not a number below 65536.
    #[error("{0:?} has no valid port; write host:port")]
    Port(String),
    /// The part from the first slash on is no path.
    #[error("the chroot {0:?} is not a valid path")]
    Chroot(String),
}

impl Target {
    /// Reads a connect string.
    pub(crate) fn parse(text: &str) -> Result<Self, TargetError> {
        let (hosts, chroot) = match text.find('/') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let chroot = if chroot == "/" { "" } else { chroot };
        if !chroot.is_empty() && !path::is_valid(chroot) {
            return Err(TargetError::Chroot(chroot.to_owned()));
        }
        let hosts = hosts
            .split(',')
            .map(str::trim)
            .filter(|host| !host.is_empty())
            .map(with_port)
            .collect::<Result<Vec<_>, _>>()?;
        if hosts.is_empty() {
            return Err(TargetError::NoHost(text.to_owned()));
        }
        Ok(Self { hosts, chroot: chroot.to_owned(), text: text.to_owned() })
    }

    /// The path as the server knows it.
    pub(crate) fn to_server(&self, path: &str) -> String {
        match (self.chroot.as_str(), path) {
            ("", path) => path.to_owned(),
            (chroot, "/") => chroot.to_owned(),
            (chroot, path) => format!("{chroot}{path}"),
        }
    }

    /// The path as the user knows it; paths outside the chroot stay as they are.
    pub(crate) fn to_user(&self, path: &str) -> String {
        match path.strip_prefix(self.chroot.as_str()) {
            Some("") => "/".to_owned(),
            Some(rest) if rest.starts_with('/') => rest.to_owned(),
            _ => path.to_owned(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Adds the default port where none is given. An IPv6 address with a port stands in brackets.
fn with_port(host: &str) -> Result<String, TargetError> {
    let bare_v6 = host.matches(':').count() > 1 && !host.starts_with('[');
    let port = match host.rsplit_once(':') {
        _ if bare_v6 => return Ok(format!("[{host}]:{DEFAULT_PORT}")),
        Some((_, port)) if !host.ends_with(']') => port,
        _ => return Ok(format!("{host}:{DEFAULT_PORT}")),
    };
    match port.parse::<u16>() {
        Ok(_) => Ok(host.to_owned()),
        Err(_) => Err(TargetError::Port(host.to_owned())),
    }
}

const DEFAULT_PORT: u16 = 2181;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_ports_and_chroot_are_told_apart() {
        for (text, hosts, chroot) in [
            ("h:1", &["h:1"][..], ""),
            ("h", &["h:2181"], ""),
            ("a:1, b:2/x/y", &["a:1", "b:2"], "/x/y"),
            ("[::1]:5/", &["[::1]:5"], ""),
            ("::1", &["[::1]:2181"], ""),
            ("[::1]", &["[::1]:2181"], ""),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!(
                (&target.hosts[..], target.chroot.as_str()),
                (&hosts.map_owned()[..], chroot)
            );
        }
        assert_eq!(Target::parse("h:x"), Err(TargetError::Port("h:x".into())));
        assert_eq!(Target::parse("/x"), Err(TargetError::NoHost("/x".into())));
        assert_eq!(Target::parse("h/x/"), Err(TargetError::Chroot("/x/".into())));
    }

    #[test]
    fn the_chroot_goes_on_and_comes_off() {
        let target = Target::parse("h/app").unwrap();
        assert_eq!(
            (target.to_server("/"), target.to_server("/a")),
            ("/app".into(), "/app/a".into())
        );
        assert_eq!((target.to_user("/app"), target.to_user("/app/a")), ("/".into(), "/a".into()));
        assert_eq!(target.to_user("/apple"), "/apple");
        let plain = Target::parse("h").unwrap();
        assert_eq!((plain.to_server("/"), plain.to_user("/a")), ("/".into(), "/a".into()));
        assert_eq!(plain.to_user("/"), "/");
    }

    trait MapOwned {
        fn map_owned(&self) -> Vec<String>;
    }

    impl MapOwned for &[&str] {
        fn map_owned(&self) -> Vec<String> {
            self.iter().map(|&s| s.to_owned()).collect()
        }
    }
}
