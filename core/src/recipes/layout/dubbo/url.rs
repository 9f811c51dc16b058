//! Dubbo's URL (`org.apache.dubbo.common.URL`): `protocol://user:password@host:port/path?k=v&…`.
//!
//! Nothing in it is percent-encoded by itself; a node's name is the encoding of the whole, see
//! [`Url::to_node_name`]. Parameters print in the order of their names, so printing what was read
//! gives one form of many: to delete a node, keep the name it was found under.

use std::collections::BTreeMap;
use std::fmt;

use thiserror::Error;

use super::codec::{self, BadEscape};

/// A parsed URL. Missing parts are `None`; port 0 means none, as in Dubbo.
///
/// ```
/// use quorate::recipes::layout::dubbo::Url;
///
/// let url = Url::parse("dubbo://10.0.0.1:20880/org.shop.Orders?version=1.0").unwrap();
/// assert_eq!((url.port, url.parameter("version")), (20880, Some("1.0")));
/// assert_eq!(Url::from_node_name(&url.to_node_name()).unwrap(), url);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Url {
    /// `dubbo`, `consumer`, `empty`, …
    pub protocol: Option<String>,
    /// For digest authentication in registry addresses.
    pub username: Option<String>,
    /// Belongs to the user name.
    pub password: Option<String>,
    /// Host name or address; IPv6 as it was written.
    pub host: Option<String>,
    /// 0 if there is none.
    pub port: u16,
    /// Without a slash at the front. Usually the interface.
    pub path: Option<String>,
    /// In the order in which they print.
    pub parameters: BTreeMap<String, String>,
}

/// A text that Dubbo refuses, too.
///
/// ```
/// use quorate::recipes::layout::dubbo::Url;
///
/// assert!(Url::parse("dubbo://host:port/x").is_err());
/// ```
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum UrlError {
    /// Begins with `://` or `:/`.
    #[error("the URL begins with a colon instead of a protocol")]
    MissingProtocol,
    /// What follows the last colon of the address is no number up to 65535.
    #[error("the URL has {0:?} in the place of a port")]
    Port(String),
    /// `:password@host`
    #[error("the URL has a password without a user name")]
    PasswordWithoutUser,
    /// The node's name is not encoded properly.
    #[error(transparent)]
    Escape(#[from] BadEscape),
}

impl Url {
    /// Reads the plain form, every part of which may be missing. What follows `#` in the part
    /// before the parameters is ignored.
    ///
    /// ```
    /// use quorate::recipes::layout::dubbo::Url;
    ///
    /// let url = Url::parse("consumer://10.0.0.2/org.shop.Orders").unwrap();
    /// assert_eq!((url.protocol.as_deref(), url.port), (Some("consumer"), 0));
    /// assert_eq!(url.to_string(), "consumer://10.0.0.2/org.shop.Orders");
    /// ```
    ///
    /// # Errors
    /// See [`UrlError`].
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (body, query) = text.split_once('?').unwrap_or((text, ""));
        let mut url = Self { parameters: parse_parameters(query), ..Self::default() };
        let (protocol, rest) = split_protocol(body)?;
        url.protocol = protocol.map(str::to_owned);
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, Some(path)),
            None => (rest, None),
        };
        url.path = path.map(|path| path.trim_start_matches('/').to_owned());
        url.read_authority(authority, path.is_none())?;
        Ok(url)
    }

    /// Reads the name of a node.
    ///
    /// ```
    /// use quorate::recipes::layout::dubbo::Url;
    ///
    /// let url = Url::from_node_name("dubbo%3A%2F%2F10.0.0.1%3A20880%2Forg.shop.Orders").unwrap();
    /// assert_eq!(url.path.as_deref(), Some("org.shop.Orders"));
    /// ```
    ///
    /// # Errors
    /// See [`UrlError`].
    pub fn from_node_name(name: &str) -> Result<Self, UrlError> {
        Self::parse(&codec::decode(name)?)
    }

    /// The name of the node that holds this URL: all of it, encoded.
    ///
    /// ```
    /// use quorate::recipes::layout::dubbo::Url;
    ///
    /// let url = Url::parse("dubbo://10.0.0.1:20880/org.shop.Orders").unwrap();
    /// assert_eq!(url.to_node_name(), "dubbo%3A%2F%2F10.0.0.1%3A20880%2Forg.shop.Orders");
    /// ```
    pub fn to_node_name(&self) -> String {
        codec::encode(&self.to_string())
    }

    /// A parameter that is present, and not empty.
    ///
    /// ```
    /// use quorate::recipes::layout::dubbo::Url;
    ///
    /// let url = Url::parse("dubbo://10.0.0.1/x?version=1&group=").unwrap();
    /// assert_eq!((url.parameter("version"), url.parameter("group")), (Some("1"), None));
    /// ```
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A truth value: `true` in any case of letters, or the default if missing or empty.
    ///
    /// ```
    /// use quorate::recipes::layout::dubbo::Url;
    ///
    /// let url = Url::parse("dubbo://10.0.0.1/x?dynamic=FALSE&enabled=True").unwrap();
    /// assert!(!url.flag("dynamic", true) && url.flag("enabled", false) && url.flag("check", true));
    /// ```
    pub fn flag(&self, name: &str, default: bool) -> bool {
        self.parameter(name).map_or(default, |value| value.eq_ignore_ascii_case("true"))
    }

    /// The same URL with one parameter more, or changed.
    ///
    /// ```
    /// use quorate::recipes::layout::dubbo::Url;
    ///
    /// let url = Url::parse("dubbo://10.0.0.1/x?version=1").unwrap().with_parameter("version", "2");
    /// assert_eq!(url.to_string(), "dubbo://10.0.0.1/x?version=2");
    /// ```
    #[must_use]
    pub fn with_parameter(mut self, name: &str, value: &str) -> Self {
        self.parameters.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The service's interface: the parameter `interface`, or else the path.
    ///
    /// ```
    /// use quorate::recipes::layout::dubbo::Url;
    ///
    /// let by_path = Url::parse("dubbo://10.0.0.1/org.shop.Orders").unwrap();
    /// let by_parameter = Url::parse("dubbo://10.0.0.1/o?interface=org.shop.Orders").unwrap();
    /// assert_eq!(by_path.interface(), by_parameter.interface());
    /// ```
    pub fn interface(&self) -> Option<&str> {
        self.parameter("interface").or(self.path.as_deref())
    }

    /// `host:port`, or the host alone.
    ///
    /// ```
    /// use quorate::recipes::layout::dubbo::Url;
    ///
    /// assert_eq!(Url::parse("dubbo://10.0.0.1:20880/x").unwrap().address(), "10.0.0.1:20880");
    /// assert_eq!(Url::parse("dubbo://10.0.0.1/x").unwrap().address(), "10.0.0.1");
    /// ```
    pub fn address(&self) -> String {
        let host = self.host.as_deref().unwrap_or_default();
        if self.port == 0 { host.to_owned() } else { format!("{host}:{}", self.port) }
    }

    /// A registry's servers: the address and those of the parameter `backup`, joined by commas,
    /// which is the connection string of a ZooKeeper client.
    ///
    /// ```
    /// use quorate::recipes::layout::dubbo::Url;
    ///
    /// let registry = Url::parse("zookeeper://zoo1:2181?backup=zoo2:2181,zoo3:2181").unwrap();
    /// assert_eq!(registry.servers(), "zoo1:2181,zoo2:2181,zoo3:2181");
    /// ```
    pub fn servers(&self) -> String {
        let backups = self.parameter("backup").unwrap_or_default().split(',');
        let backups = backups.map(str::trim).filter(|backup| !backup.is_empty());
        backups.fold(self.address(), |servers, backup| servers + "," + backup)
    }

    /// The root of a registry: the parameter `group`, `/dubbo` by default.
    ///
    /// ```
    /// use quorate::recipes::layout::dubbo::Url;
    ///
    /// assert_eq!(Url::parse("zookeeper://zoo1:2181").unwrap().root(), "/dubbo");
    /// assert_eq!(Url::parse("zookeeper://zoo1:2181?group=shop").unwrap().root(), "/shop");
    /// ```
    pub fn root(&self) -> String {
        let group = self.parameter("group").unwrap_or("dubbo");
        if group.starts_with('/') { group.to_owned() } else { format!("/{group}") }
    }

    /// `user:password@host:port`. A colon in the last place of a URL without a path is part of
    /// the host, and so is one before the zone of an IPv6 address.
    fn read_authority(&mut self, text: &str, is_last: bool) -> Result<(), UrlError> {
        let (user, address) = match text.rsplit_once('@') {
            Some((user, address)) => (Some(user), address),
            None => (None, text),
        };
        if let Some(user) = user {
            let (name, password) = match user.split_once(':') {
                Some((name, password)) => (name, Some(password)),
                None => (user, None),
            };
            if name.is_empty() && password.is_some_and(|password| !password.is_empty()) {
                return Err(UrlError::PasswordWithoutUser);
            }
            self.username = Some(name.to_owned());
            self.password = password.map(str::to_owned);
        }
        let mut host = address;
        if let Some((before, port)) = address.rsplit_once(':')
            && !(port.is_empty() && is_last)
            && !port.contains('%')
        {
            self.port = port.parse().map_err(|_| UrlError::Port(port.to_owned()))?;
            host = before;
        }
        self.host = Some(host.to_owned()).filter(|host| !host.is_empty());
        Ok(())
    }
}

impl fmt::Display for Url {
    /// Dubbo's `toFullString`: with user and password. Do not print it in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let present = |part: &'_ Option<String>| part.clone().filter(|text| !text.is_empty());
        if let Some(protocol) = present(&self.protocol) {
            write!(f, "{protocol}://")?;
        }
        if let Some(username) = present(&self.username) {
            f.write_str(&username)?;
            if let Some(password) = present(&self.password) {
                write!(f, ":{password}")?;
            }
            f.write_str("@")?;
        }
        if present(&self.host).is_some() {
            f.write_str(&self.address())?;
        }
        if let Some(path) = present(&self.path) {
            write!(f, "/{path}")?;
        }
        let named = self.parameters.iter().filter(|(name, _)| !name.is_empty());
        for (index, (name, value)) in named.enumerate() {
            let separator = if index == 0 { '?' } else { '&' };
            // Java's `trim`.
            write!(f, "{separator}{name}={}", value.trim_matches(|c| c <= ' '))?;
        }
        Ok(())
    }
}

/// The protocol of `protocol://…` or `protocol:/…`, and what follows (the slash of the second).
fn split_protocol(body: &str) -> Result<(Option<&str>, &str), UrlError> {
    let found = match body.find("://") {
        Some(at) => Some((at, at + 3)),
        None => body.find(":/").map(|at| (at, at + 1)),
    };
    let Some((end, rest)) = found else { return Ok((None, body)) };
    if end == 0 {
        return Err(UrlError::MissingProtocol);
    }
    Ok((body.get(..end), body.get(rest..).unwrap_or_default()))
}

/// `k=v` joined by `&` or `;`. A name with `default.` at the front also sets the name without it,
/// unless that is set already.
fn parse_parameters(query: &str) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::new();
    for pair in query.split(['&', ';']) {
        let pair = pair.trim_start_matches('=');
        if pair.is_empty() {
            continue;
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        parameters.insert(name.to_owned(), value.to_owned());
        if let Some(name) = name.strip_prefix("default.") {
            parameters.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
    }
    parameters
}

#[cfg(test)]
#[path = "url_tests.rs"]
mod tests;
