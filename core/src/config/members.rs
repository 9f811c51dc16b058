//! `server.N` lines, one by one: what can be said of each before it is known whether there is an ensemble.
//!
//! Apache runs standalone with exactly one voting member while `standaloneEnabled` is true
//! (`QuorumPeerConfig#parseDynamicConfig`), and so do we; then this is all that is made of its line. A member of an ensemble
//! has all lines read together, and more strictly, by `Membership`.

use super::types::ListenAddress;

/// One `server.N=host:port:port[:role][;[host:]client-port]` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) observer: bool,
    /// Address and port for clients, if the line gives them.
    pub(super) client: Option<(ListenAddress, u16)>,
}

impl Member {
    /// Reads a line, or says what was expected. `key` is bare.
    pub(super) fn parse(key: &str, text: &str) -> Result<Self, String> {
        let id = key.strip_prefix("server.").unwrap_or(key);
        if id.parse::<i64>().is_err() {
            return Err("a key `server.` and the number of the server, with its address".to_owned());
        }
        let (servers, client) = match text.split_once(';') {
            Some((servers, clients)) => (servers, client_of(clients)?),
            None => (text, None),
        };
        let mut observer = false;
        for address in servers.split('|') {
            observer |= is_observer(address)?;
        }
        Ok(Self { observer, client })
    }
}

/// Checks `host:quorum-port[:election-port][:role]` and tells whether the role is observer.
fn is_observer(address: &str) -> Result<bool, String> {
    let expected = || EXPECTED.to_owned();
    let (host, ports) = split_host(address.trim()).ok_or_else(expected)?;
    ListenAddress::parse(host).map_err(|_| expected())?;
    let mut fields: Vec<&str> = ports.split(':').collect();
    let role = fields.pop_if(|field| field.parse::<u16>().is_err());
    let numbers = fields.iter().all(|field| field.parse::<u16>().is_ok());
    if !numbers || !(1..=2).contains(&fields.len()) {
        return Err(expected());
    }
    match role.map(str::to_ascii_lowercase).as_deref() {
        None | Some("participant") => Ok(false),
        Some("observer") => Ok(true),
        Some(_) => Err(expected()),
    }
}

/// Reads `[host:]port`, or what stands before a second semicolon, behind which is an address with TLS.
fn client_of(text: &str) -> Result<Option<(ListenAddress, u16)>, String> {
    match text.split_once(';') {
        None => client_address(text).map(Some),
        Some((client, secure)) => {
            client_address(secure)?;
            if client.trim().is_empty() { Ok(None) } else { client_address(client).map(Some) }
        }
    }
}

/// Reads `[host:]port`.
fn client_address(text: &str) -> Result<(ListenAddress, u16), String> {
    let expected = || EXPECTED.to_owned();
    let text = text.trim();
    let (host, port) = match split_host(text) {
        Some((host, port)) => (ListenAddress::parse(host).map_err(|_| expected())?, port),
        None => (ListenAddress::Any, text),
    };
    Ok((host, port.parse().map_err(|_| expected())?))
}

/// Splits after the host, which may be an IPv6 address in brackets.
fn split_host(text: &str) -> Option<(&str, &str)> {
    match text.strip_prefix('[') {
        Some(rest) => rest.split_once("]:"),
        None => text.split_once(':'),
    }
}

const EXPECTED: &str = "`host:quorum-port:election-port`, then `:participant` or `:observer` and \
                        `;client-port` if needed";

#[cfg(test)]
mod tests {
    use super::*;

    fn member(text: &str) -> Result<Member, String> {
        Member::parse("server.1", text)
    }

    #[test]
    fn reads_every_form() {
        for (text, observer, client) in [
            ("zoo1:2888:3888", false, None),
            ("zoo1:2888", false, None),
            ("zoo1:2888:3888:participant", false, None),
            ("zoo1:2888:3888:observer", true, None),
            ("zoo1:2888:3888:Observer;2181", true, Some((ListenAddress::Any, 2181))),
            ("[::1]:2888:3888", false, None),
            ("a:2888:3888|b:2889:3889", false, None),
            (
                "10.0.0.1:2888:3888;zoo1:2181",
                false,
                Some((ListenAddress::Name("zoo1".into()), 2181)),
            ),
            (
                "zoo1:2888:3888;[::1]:2181",
                false,
                Some((ListenAddress::Ip("::1".parse().unwrap()), 2181)),
            ),
        ] {
            let member = member(text).unwrap();
            assert_eq!((member.observer, member.client), (observer, client), "{text}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "zoo1",
            "zoo1:",
            "zoo1:x:y",
            "zoo1:2888:3888:leader",
            "zoo1:2888:99999",
            "zoo1:1:2:3",
            "zoo1:2888:3888;",
            "zoo1:2888:3888;x",
            ":2888:3888",
            "[::1:2888",
            "|",
        ] {
            assert!(member(text).is_err(), "{text:?}");
        }
        assert!(Member::parse("server.x", "zoo1:2888:3888").is_err());
    }
}
