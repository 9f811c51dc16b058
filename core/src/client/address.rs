//! Connection strings: one parser for every form in use, and the [`Address`] it yields.
//!
//! - `h1:2181,h2:2181/chroot`, as every ZooKeeper client reads it (`client.ConnectStringParser`);
//! - `zookeeper://user:password@h1:2181?backup=h2:2181&group=dubbo`, as Dubbo writes it
//!   (`common.URLStrParser`, `Curator5ZookeeperClient`), and `zk://`, as Mesos wrote it;
//! - `dns+srv://name/chroot`, or `dns-srv://` as Java 3.10 spells it (`client.HostProviderFactory`).
//!
//! Nothing is looked up here: that is the business of [`resolve`](super::resolve). Read by whoever
//! builds a client.

mod error;
mod parse;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

pub use error::{AddressError, AddressProblem};

/// What a connection string says.
///
/// ```
/// # use quorate::client::address::{Address, Servers};
/// let address: Address = "zoo1:2181, zoo2/app/".parse()?;
/// assert_eq!(address.chroot, "/app");
/// assert_eq!(address.to_string(), "zoo1:2181,zoo2:2181/app");
///
/// let dubbo: Address = "zookeeper://me:secret@zoo1?backup=zoo2:2182&timeout=3000".parse()?;
/// assert_eq!(dubbo.auth[0].data, b"me:secret");
/// let Servers::List(servers) = dubbo.servers else { panic!("a list was given") };
/// assert_eq!(servers[1].port, 2182);
///
/// let error = "zoo1:2181,zoo2:x".parse::<Address>().unwrap_err();
/// assert_eq!(error.offset, 10);
/// # Ok::<(), quorate::client::address::AddressError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Where the servers are.
    pub servers: Servers,
    /// Path under which all paths of the client lie: valid, without a slash at the end; `""` for
    /// none.
    pub chroot: String,
    /// Root of Dubbo's tree, with its leading slash (parameter `group`; Dubbo's default is
    /// `/dubbo`). Not a chroot: only what follows Dubbo's layout looks at it.
    pub group: Option<String>,
    /// How long to wait for a connection (parameter `timeout`, ms).
    pub connect_timeout: Option<Duration>,
    /// The session timeout to ask for (parameter `session`, or `zk.session.expire` as Dubbo spelt
    /// it before 3.0; ms).
    pub session_timeout: Option<Duration>,
    /// What to present to the server, in this order.
    pub auth: Vec<Auth>,
    /// Whether to use TLS (parameter `tls`, not Dubbo's); `None` if the text does not say.
    pub tls: Option<bool>,
}

/// Where the servers of an [`Address`] are.
///
/// ```
/// use quorate::client::address::{Address, Servers};
///
/// let address: Address = "dns+srv://_zookeeper._tcp.example.org/app".parse()?;
/// assert_eq!(address.servers, Servers::Srv("_zookeeper._tcp.example.org".into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Servers {
    /// These; at least one, in the order given.
    List(Vec<Server>),
    /// Those that the SRV records of this name list.
    Srv(String),
}

/// One server: a name or an IP address, and a port.
///
/// ```
/// use quorate::client::address::{Address, Server, Servers};
///
/// let address: Address = "[::1]:2182".parse()?;
/// let server = Server { host: "::1".into(), port: 2182 };
/// assert_eq!(server.to_string(), "[::1]:2182");
/// assert_eq!(address.servers, Servers::List(vec![server]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Server {
    /// Name, IPv4 address, or IPv6 address without brackets (with its zone, such as `%eth0`).
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// An authentication packet to send. Its [`Debug`] hides the data.
///
/// ```
/// use quorate::client::address::Address;
///
/// let address: Address = "zookeeper://me:secret@zoo1".parse()?;
/// let auth = &address.auth[0];
/// assert_eq!((auth.scheme.as_str(), auth.data.as_slice()), ("digest", &b"me:secret"[..]));
/// assert!(!format!("{auth:?}").contains("secret"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Auth {
    /// Scheme, such as `digest`.
    pub scheme: String,
    /// What the scheme wants; for `digest`, `user:password`.
    pub data: Vec<u8>,
}

impl Address {
    /// An address of these servers and nothing else said.
    ///
    /// ```
    /// use quorate::client::address::{Address, Servers};
    ///
    /// let written = Address::new(Servers::Srv("zoo.example.org".into()));
    /// assert_eq!(written, "dns+srv://zoo.example.org".parse()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn new(servers: Servers) -> Self {
        Self {
            servers,
            chroot: String::new(),
            group: None,
            connect_timeout: None,
            session_timeout: None,
            auth: Vec::new(),
            tls: None,
        }
    }

    /// The parameters of the URL form, in a fixed order.
    fn parameters(&self) -> Vec<(&'static str, String)> {
        let ms = |duration: Duration| duration.as_millis().to_string();
        let backup = match &self.servers {
            Servers::List(list) => list.get(1..).unwrap_or_default(),
            Servers::Srv(_) => &[],
        };
        let backup = (!backup.is_empty()).then(|| join(backup));
        let parameters = [
            (parse::BACKUP, backup),
            (parse::GROUP, self.group.clone()),
            (parse::TIMEOUT, self.connect_timeout.map(ms)),
            (parse::SESSION, self.session_timeout.map(ms)),
            (parse::TLS, self.tls.map(|tls| tls.to_string())),
        ];
        parameters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

impl FromStr for Address {
    type Err = AddressError;

    /// Reads any of the forms.
    ///
    /// # Errors
    ///
    /// What is wrong, where, and what to write instead; never a password.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        parse::address(text)
    }
}

/// Writes the shortest form that says the same, **without credentials**: parsed again, it gives
/// this address with `auth` empty.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters = self.parameters();
        // The plain form has no parameters, and spaces at its end do not count.
        let extras = parameters.iter().any(|(name, _)| *name != parse::BACKUP)
            || self.chroot.ends_with(char::is_whitespace);
        match &self.servers {
            Servers::List(list) if !extras => {
                return write!(f, "{}{}", join(list), self.chroot);
            }
            Servers::List(list) => {
                write!(f, "zookeeper://{}", join(list.get(..1).unwrap_or_default()))?;
            }
            Servers::Srv(name) => write!(f, "dns+srv://{name}")?,
        }
        write!(f, "{}", Escaped(&self.chroot))?;
        for (index, (name, value)) in parameters.iter().enumerate() {
            let mark = if index == 0 { '?' } else { '&' };
            write!(f, "{mark}{name}={}", Escaped(value))?;
        }
        Ok(())
    }
}

/// Writes `host:port`, with brackets around an IPv6 address.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Auth {{ scheme: {:?}, data: <hidden> }}", self.scheme)
    }
}

/// A text with everything percent-encoded that could end it, or start an escape, in a URL.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => write!(f, "{}", char::from(byte))?,
                b'/' | b'-' | b'_' | b'.' | b':' | b',' | b'[' | b']' => {
                    write!(f, "{}", char::from(byte))?;
                }
                _ => write!(f, "%{byte:02X}")?,
            }
        }
        Ok(())
    }
}

fn join(servers: &[Server]) -> String {
    let texts: Vec<String> = servers.iter().map(ToString::to_string).collect();
    texts.join(",")
}
