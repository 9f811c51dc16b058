//! From text to [`Membership`]: any order, space around the parts, comments and empty lines; the role and the client's host
//! may be missing. What could be understood in two ways is refused, as is a key that is not known.

use super::super::address::split_host;
use super::error::{MembershipError, MembershipProblem as Problem};
use super::{Address, HostPort, Membership, Role, Server};
use std::collections::BTreeMap;
use std::str::FromStr;

impl Membership {
    /// Reads the text of a configuration. Without a `version` line the version is 0.
    ///
    /// ```
    /// use quorate_wire::quorum::membership::Membership;
    ///
    /// let members = Membership::parse("server.1=a:2888:3888;2181\nversion=100000000").unwrap();
    /// assert_eq!(members.version, 1 << 32);
    /// assert!(Membership::parse("server.1=a").is_err());
    /// ```
    ///
    /// # Errors
    /// The first line that cannot be right, or what is wrong with the whole.
    pub fn parse(text: &str) -> Result<Self, MembershipError> {
        let mut lines = Lines::default();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with(['#', '!']) {
                let number = at.saturating_add(1);
                lines
                    .read(number, line)
                    .map_err(|problem| MembershipError { line: Some(number), problem })?;
            }
        }
        lines.finish()
    }
}

impl FromStr for Membership {
    type Err = MembershipError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// What follows the `=` of a `server.N` line.
impl FromStr for Server {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split(';');
        let (addresses, role) = addresses(parts.next().unwrap_or_default())?;
        let (client, secure) = (parts.next(), parts.next());
        if parts.next().is_some() {
            return Err(Problem::Client(quoted(text)));
        }
        // `;;host:port` has an address with TLS only.
        let client = match client {
            Some(text) if secure.is_some() && text.trim().is_empty() => None,
            text => text.map(client_address).transpose()?,
        };
        let secure_client = secure.map(client_address).transpose()?;
        Ok(Self { addresses, role, client, secure_client })
    }
}

/// The lines so far, each with its number.
#[derive(Default)]
struct Lines {
    membership: Membership,
    servers: BTreeMap<i64, usize>,
    groups: BTreeMap<i64, usize>,
    grouped: BTreeMap<i64, i64>,
    version: bool,
}

impl Lines {
    fn read(&mut self, number: usize, line: &str) -> Result<(), Problem> {
        let (key, value) = line.split_once('=').ok_or_else(|| Problem::NoValue(quoted(line)))?;
        let (key, value) = (key.trim(), value.trim());
        let duplicate = || Problem::Duplicate(quoted(key));
        match key.split_once('.') {
            Some(("server", sid)) => {
                let sid = id(sid)?;
                let server = value.parse()?;
                self.servers.insert(sid, number);
                if self.membership.servers.insert(sid, server).is_some() {
                    return Err(duplicate());
                }
            }
            Some(("group", group)) => {
                let group = id(group)?;
                if self.groups.insert(group, number).is_some() {
                    return Err(duplicate());
                }
                self.group(group, value)?;
            }
            Some(("weight", sid)) => {
                let weight = value.parse().ok().filter(|&weight: &i64| weight >= 0);
                let weight = weight.ok_or_else(|| Problem::Weight(quoted(value)))?;
                if self.membership.weights.insert(id(sid)?, weight).is_some() {
                    return Err(duplicate());
                }
            }
            None if key == "version" => {
                if std::mem::replace(&mut self.version, true) {
                    return Err(duplicate());
                }
                let version = i64::from_str_radix(value, 16).ok().filter(|&version| version >= 0);
                self.membership.version = version.ok_or_else(|| Problem::Version(quoted(value)))?;
            }
            _ => return Err(Problem::UnknownKey(quoted(key))),
        }
        Ok(())
    }

    fn group(&mut self, group: i64, value: &str) -> Result<(), Problem> {
        let members = self.membership.groups.entry(group).or_default();
        for sid in value.split(':') {
            let sid = id(sid.trim())?;
            if self.grouped.insert(sid, group).is_some() {
                return Err(Problem::InTwoGroups { sid });
            }
            members.insert(sid);
        }
        Ok(())
    }

    /// Checks what no single line can decide.
    fn finish(mut self) -> Result<Membership, MembershipError> {
        let whole = |problem| MembershipError { line: None, problem };
        if self.membership.voters().next().is_none() {
            return Err(whole(Problem::NoVoters));
        }
        // As in Apache a weight alone calls for groups.
        if !self.membership.groups.is_empty() || !self.membership.weights.is_empty() {
            self.check_groups()?;
            self.complete_weights();
            self.check_weights()?;
        }
        Ok(self.membership)
    }

    fn check_groups(&self) -> Result<(), MembershipError> {
        for (&sid, &group) in &self.grouped {
            if !self.membership.is_voter(sid) {
                let problem = Problem::NotAVoter { sid, group };
                return Err(MembershipError { line: self.groups.get(&group).copied(), problem });
            }
        }
        for sid in self.membership.voters() {
            if !self.grouped.contains_key(&sid) {
                let problem = Problem::InNoGroup { sid };
                return Err(MembershipError { line: self.servers.get(&sid).copied(), problem });
            }
        }
        Ok(())
    }

    fn complete_weights(&mut self) {
        let voters: Vec<i64> = self.membership.voters().collect();
        for sid in voters {
            self.membership.weights.entry(sid).or_insert(1);
        }
    }

    fn check_weights(&self) -> Result<(), MembershipError> {
        let mut heaviest = 0;
        for (&group, sids) in &self.membership.groups {
            let weights = sids.iter().filter_map(|sid| self.membership.weights.get(sid));
            let sum = weights.copied().try_fold(0_i64, i64::checked_add);
            let line = self.groups.get(&group).copied();
            let sum = sum.ok_or(MembershipError { line, problem: Problem::TooHeavy { group } })?;
            heaviest = heaviest.max(sum);
        }
        if heaviest == 0 {
            return Err(MembershipError { line: None, problem: Problem::NoWeight });
        }
        Ok(())
    }
}

/// Reads `host:port:port[:role]`, more of them behind `|`.
fn addresses(text: &str) -> Result<(Vec<Address>, Role), Problem> {
    let wrong = || Problem::Address(quoted(text));
    let mut addresses = Vec::new();
    let mut role = None;
    for item in text.split('|') {
        let (host, rest) = split_host(item.trim()).ok_or_else(wrong)?;
        let mut fields = rest.split(':');
        let mut port = || fields.next()?.trim().parse::<u16>().ok();
        let (quorum, election) = port().zip(port()).ok_or_else(wrong)?;
        if quorum == election {
            return Err(Problem::SamePorts(quoted(item)));
        }
        if let Some(named) = fields.next() {
            let named = role_of(named).ok_or_else(wrong)?;
            if role.replace(named).is_some_and(|before| before != named) {
                return Err(Problem::Roles(quoted(text)));
            }
        }
        if fields.next().is_some() {
            return Err(wrong());
        }
        addresses.push(Address::new(host, quorum, election));
    }
    addresses.sort();
    if addresses.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
        return Err(Problem::SameAddress(quoted(text)));
    }
    Ok((addresses, role.unwrap_or_default()))
}

fn role_of(text: &str) -> Option<Role> {
    match text.trim().to_ascii_lowercase().as_str() {
        "participant" => Some(Role::Participant),
        "observer" => Some(Role::Observer),
        _ => None,
    }
}

/// Reads `port`, which is at all of the machine's addresses, or `host:port`.
fn client_address(text: &str) -> Result<HostPort, Problem> {
    let alone = text.trim().parse().ok().map(|port| HostPort::new("0.0.0.0", port));
    alone.or_else(|| HostPort::parse(text)).ok_or_else(|| Problem::Client(quoted(text)))
}

fn id(text: &str) -> Result<i64, Problem> {
    let number = text.parse().ok().filter(|&id: &i64| id >= 0);
    number.ok_or_else(|| Problem::Id(quoted(text)))
}

/// The beginning of a text, for a message.
fn quoted(text: &str) -> String {
    text.chars().take(80).collect()
}
