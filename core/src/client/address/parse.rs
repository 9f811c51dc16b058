//! Reading a connection string.
//!
//! All pieces are slices of the one text, so that an error can say where it is. What Apache's or
//! Dubbo's parser accepts by accident (a port that is no number, an empty list) is refused; what
//! people write on purpose (spaces, a slash or a comma at the end) is accepted. Called by
//! [`Address::from_str`].

use std::net::Ipv6Addr;
use std::time::Duration;

use quorate_wire::path;

use super::{Address, AddressError, AddressProblem, Auth, Server, Servers};

type Result<T> = std::result::Result<T, AddressError>;

/// Reads any form.
pub(super) fn address(text: &str) -> Result<Address> {
    let parser = Parser { text };
    if text.len() > MAX_BYTES {
        return Err(parser.error(AddressProblem::TooLong, text));
    }
    match parser.scheme() {
        None => parser.plain(text.trim()),
        Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
            "zookeeper" | "zk" => parser.url(rest, Form::List),
            "dns+srv" | "dns-srv" => parser.url(rest, Form::Srv),
            _ => Err(parser.error(AddressProblem::UnknownScheme, scheme)),
        },
    }
}

/// What stands where a URL has its authority.
#[derive(Clone, Copy)]
enum Form {
    List,
    Srv,
}

/// The text, kept to tell where a piece of it is.
struct Parser<'a> {
    text: &'a str,
}

impl<'a> Parser<'a> {
    /// The scheme and what follows it, if the text starts with one.
    fn scheme(&self) -> Option<(&'a str, &'a str)> {
        let (scheme, rest) = self.text.trim().split_once("://")?;
        let named = !scheme.is_empty() && !scheme.contains(['/', ',', '@', ':']);
        named.then_some((scheme, rest))
    }

    /// `h1:2181,h2:2181/chroot`. The chroot is taken as it is: no escapes, and `?` is a character.
    fn plain(&self, text: &'a str) -> Result<Address> {
        let (servers, chroot) = split_before(text, '/');
        if servers.contains('@') {
            return Err(self.error(AddressProblem::Credentials, servers));
        }
        let mut address = Address::new(Servers::List(self.servers(servers, servers)?));
        address.chroot = self.chroot(chroot, chroot)?;
        Ok(address)
    }

    /// What follows `zookeeper://` or `dns+srv://`: `[user[:password]@]servers[/chroot][?a=b&…]`.
    fn url(&self, text: &'a str, form: Form) -> Result<Address> {
        let (body, query) = split_before(text, '?');
        let (authority, chroot) = split_before(body, '/');
        let (user, servers) = match authority.rsplit_once('@') {
            Some((user, servers)) => (Some(user), servers),
            None => (None, authority),
        };
        let parameters = self.parameters(query.get(1..).unwrap_or_default())?;
        let servers = match form {
            Form::Srv => Servers::Srv(self.srv_name(servers)?),
            Form::List => {
                let mut list = self.server_list(servers, servers)?;
                if let Some((backup, at)) = &parameters.backup {
                    list.extend(self.server_list(backup, at)?);
                }
                if list.is_empty() {
                    return Err(self.error(AddressProblem::NoServers, servers));
                }
                Servers::List(list)
            }
        };
        let mut address = Address::new(servers);
        if !matches!(form, Form::List) || !is_dubbo_class(chroot) {
            address.chroot = self.chroot(&self.decode(chroot, chroot)?, chroot)?;
        }
        address.auth = self.auth(user, parameters.username, parameters.password)?;
        address.group = parameters.group;
        address.connect_timeout = parameters.timeout;
        address.session_timeout = parameters.session;
        address.tls = parameters.tls;
        Ok(address)
    }

    /// At least one server. `at` is the piece of the text that `servers` was written as.
    fn servers(&self, servers: &str, at: &str) -> Result<Vec<Server>> {
        let list = self.server_list(servers, at)?;
        if list.is_empty() {
            return Err(self.error(AddressProblem::NoServers, at));
        }
        Ok(list)
    }

    /// Any number of servers; empty items do not count, as in `StringUtils.split`.
    fn server_list(&self, servers: &str, at: &str) -> Result<Vec<Server>> {
        let items = servers.split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(|item| server(item).map_err(|problem| self.error_in(problem, item, at))).collect()
    }

    fn srv_name(&self, name: &str) -> Result<String> {
        let name = name.trim();
        let bare = name.strip_suffix('.').unwrap_or(name);
        let fits = is_name(bare) && bare.split('.').all(|label| (1..=63).contains(&label.len()));
        if !fits {
            return Err(self.error(AddressProblem::SrvName, name));
        }
        Ok(name.to_owned())
    }

    /// A path with its slash, or nothing.
    fn chroot(&self, chroot: &str, at: &str) -> Result<String> {
        let bare = chroot.strip_suffix('/').unwrap_or(chroot);
        if bare.is_empty() {
            return Ok(String::new());
        }
        // It could be the name of a node, and Apache's client takes it for one. Nobody means that.
        if let Some(server) = bare.split(',').skip(1).find(|item| names_a_port(item)) {
            return Err(self.error_in(AddressProblem::ServerAfterChroot, server, at));
        }
        if bare == "/" || !path::is_valid(bare) {
            return Err(self.error_in(AddressProblem::Chroot, chroot, at));
        }
        Ok(bare.to_owned())
    }

    /// The credentials: what stands before `@`, and what is missing there from the parameters, as
    /// Dubbo fills it up from the settings of the same names (`UrlUtils.parseURL`).
    fn auth(
        &self,
        user: Option<&'a str>,
        username: Option<String>,
        password: Option<String>,
    ) -> Result<Vec<Auth>> {
        let (user, pass) = user.map_or(("", ""), |user| user.split_once(':').unwrap_or((user, "")));
        let or = |written: &str, parameter: Option<String>| match parameter {
            Some(parameter) if written.is_empty() => Ok(parameter),
            _ => self.decode(written, written),
        };
        let (user, pass) = (or(user, username)?, or(pass, password)?);
        if user.is_empty() && pass.is_empty() {
            return Ok(Vec::new());
        }
        let data = format!("{user}:{pass}").into_bytes();
        Ok(vec![Auth { scheme: "digest".to_owned(), data }])
    }

    /// The parameters that concern us. The last of several of one name counts; an empty value does
    /// not count; others are ignored unread, for a registry's URL carries many.
    fn parameters(&self, query: &'a str) -> Result<Parameters<'a>> {
        let mut found = Parameters::default();
        for pair in query.split(['&', ';']) {
            let Some((name, at)) = pair.split_once('=') else { continue };
            if at.is_empty() || !KNOWN.contains(&name) {
                continue;
            }
            let value = self.decode(at, at)?;
            match name {
                BACKUP => found.backup = Some((value, at)),
                GROUP => found.group = Some(self.group(&value, at)?),
                TIMEOUT => found.timeout = Some(self.duration(&value, at)?),
                SESSION | OLD_SESSION => found.session = Some(self.duration(&value, at)?),
                USERNAME => found.username = Some(value),
                PASSWORD => found.password = Some(value),
                _ => found.tls = Some(self.switch(&value, at)?),
            }
        }
        Ok(found)
    }

    /// A path whose leading slash may be missing.
    fn group(&self, value: &str, at: &str) -> Result<String> {
        let group = format!("/{}", value.strip_prefix('/').unwrap_or(value));
        if !path::is_valid(&group) {
            return Err(self.error_in(AddressProblem::Group, value, at));
        }
        Ok(group)
    }

    fn duration(&self, value: &str, at: &str) -> Result<Duration> {
        match value.parse::<i32>().ok().and_then(|ms| u64::try_from(ms).ok()) {
            Some(ms @ 1..) => Ok(Duration::from_millis(ms)),
            _ => Err(self.error_in(AddressProblem::Duration, value, at)),
        }
    }

    fn switch(&self, value: &str, at: &str) -> Result<bool> {
        value.parse().map_err(|_| self.error_in(AddressProblem::Switch, value, at))
    }

    /// Undoes percent-encoding. `+` stays `+`, as in Dubbo's reading of a plain URL.
    fn decode(&self, text: &str, at: &str) -> Result<String> {
        // Without the text that is wrong: it may be a password.
        let wrong = || self.error_at(AddressProblem::Escape, "", at);
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            if byte == b'%' {
                let (digits, after) = rest.split_at_checked(2).ok_or_else(wrong)?;
                rest = after;
                bytes.push(hex(digits).ok_or_else(wrong)?);
            } else {
                bytes.push(byte);
            }
        }
        String::from_utf8(bytes).map_err(|_| wrong())
    }

    /// An error about a slice of the text.
    fn error(&self, problem: AddressProblem, piece: &str) -> AddressError {
        self.error_in(problem, piece, piece)
    }

    /// An error about `piece`, which is a slice of the text, or decoded from the slice `at`.
    fn error_in(&self, problem: AddressProblem, piece: &str, at: &str) -> AddressError {
        let is_slice = offset_in(self.text, piece).is_some();
        self.error_at(problem, piece, if is_slice { piece } else { at })
    }

    /// An error that shows `found`, about the slice `at`.
    fn error_at(&self, problem: AddressProblem, found: &str, at: &str) -> AddressError {
        AddressError::new(problem, self.text, offset_in(self.text, at).unwrap_or(0), found)
    }
}

#[derive(Default)]
struct Parameters<'a> {
    /// Decoded, and as written.
    backup: Option<(String, &'a str)>,
    group: Option<String>,
    timeout: Option<Duration>,
    session: Option<Duration>,
    username: Option<String>,
    password: Option<String>,
    tls: Option<bool>,
}

/// Reads `host`, `host:port`, `[ipv6]` or `[ipv6]:port`.
fn server(text: &str) -> std::result::Result<Server, AddressProblem> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or(AddressProblem::Brackets)?;
            if !is_ipv6(host) || !(after.is_empty() || after.starts_with(':')) {
                return Err(AddressProblem::Brackets);
            }
            (host, after.strip_prefix(':'))
        }
        None => {
            let (host, port) = match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            };
            if port.is_some_and(|port| port.contains(':')) {
                return Err(AddressProblem::BareIpv6);
            }
            if host.is_empty() {
                return Err(AddressProblem::NoHost);
            }
            if !is_name(host) {
                return Err(AddressProblem::Host);
            }
            (host, port)
        }
    };
    let port = port.map_or(Ok(DEFAULT_PORT), |port| number(port).ok_or(AddressProblem::Port))?;
    Ok(Server { host: host.to_owned(), port })
}

/// Whether this begins like `host:port`, perhaps with a chroot of its own behind it.
fn names_a_port(text: &str) -> bool {
    let (server, _) = split_before(text.trim(), '/');
    server.contains(':') && self::server(server).is_ok()
}

/// A port; digits only, unlike `str::parse`, which takes a sign.
fn number(port: &str) -> Option<u16> {
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    if digits { port.parse().ok().filter(|port| *port != 0) } else { None }
}

/// An IPv6 address, perhaps with a zone.
fn is_ipv6(text: &str) -> bool {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (text, None),
    };
    address.parse::<Ipv6Addr>().is_ok() && zone.is_none_or(is_name)
}

/// What may stand for a host: the longest name of DNS, and an underscore, which containers use.
fn is_name(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Dubbo puts the class name of its registry service where a URL has its path, and ignores it.
fn is_dubbo_class(path: &str) -> bool {
    path.starts_with("/org.apache.dubbo.") || path.starts_with("/com.alibaba.dubbo.")
}

/// Splits before the first `mark`, which stays with the second part.
fn split_before(text: &str, mark: char) -> (&str, &str) {
    text.find(mark).and_then(|at| text.split_at_checked(at)).unwrap_or((text, ""))
}

fn hex(digits: &[u8]) -> Option<u8> {
    digits.iter().try_fold(0_u8, |value, digit| {
        let digit = u8::try_from(char::from(*digit).to_digit(16)?).ok()?;
        Some(value << 4 | digit)
    })
}

/// Where `piece` begins in `text`, if it is a slice of it.
fn offset_in(text: &str, piece: &str) -> Option<usize> {
    let offset = piece.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    (offset + piece.len() <= text.len()).then_some(offset)
}

pub(super) const BACKUP: &str = "backup";
pub(super) const GROUP: &str = "group";
pub(super) const TIMEOUT: &str = "timeout";
pub(super) const SESSION: &str = "session";
pub(super) const TLS: &str = "tls";
const OLD_SESSION: &str = "zk.session.expire";
const USERNAME: &str = "username";
const PASSWORD: &str = "password";
const KNOWN: [&str; 8] = [BACKUP, GROUP, TIMEOUT, SESSION, OLD_SESSION, USERNAME, PASSWORD, TLS];

const DEFAULT_PORT: u16 = 2181;
const MAX_BYTES: usize = 64 * 1024;
