//! What a server says of itself, read from the text of its four-letter words.
//!
//! Apache's answers of 3.4 to 3.9 have the same lines, and so have ours. What is not there is not known; nothing is made up.

use quorate::config::membership::Membership;
use quorate_wire::Zxid;

/// What a server does in its ensemble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Leader,
    Follower,
    Observer,
    /// It belongs to no ensemble.
    Standalone,
    /// It has lost its ensemble, and serves reads.
    ReadOnly,
    /// It answers, and serves nobody: it looks for a leader, or gets its history.
    Looking,
    /// It serves, and says what we do not know.
    Unknown,
}

impl Role {
    /// As people and machines read it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Observer => "observer",
            Self::Standalone => "standalone",
            Self::ReadOnly => "read-only",
            Self::Looking => "looking",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it has a vote and a leader, or leads: one of those of whom a quorum is made.
    pub(crate) const fn is_serving_voter(self) -> bool {
        matches!(self, Self::Leader | Self::Follower)
    }

    /// Whether its clients are served, as far as it is up to this server.
    pub(crate) const fn serves(self) -> bool {
        matches!(self, Self::Leader | Self::Follower | Self::Observer | Self::Standalone)
    }

    fn of(mode: &str) -> Self {
        let known =
            [Self::Leader, Self::Follower, Self::Observer, Self::Standalone, Self::ReadOnly];
        known.into_iter().find(|role| role.name() == mode).unwrap_or(Self::Unknown)
    }
}

/// What `srvr` says, or the same lines of `stat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Brief {
    pub(crate) role: Role,
    pub(crate) version: Option<String>,
    /// The last transaction that it shows.
    pub(crate) zxid: Option<Zxid>,
    pub(crate) connections: Option<u64>,
}

impl Brief {
    /// Reads an answer; nothing if it is none.
    pub(crate) fn read(text: &str) -> Option<Self> {
        if text.starts_with(IDLE) {
            let role = Role::Looking;
            return Some(Self { role, version: None, zxid: None, connections: None });
        }
        let line =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let version = line("Zookeeper version").and_then(|text| text.split(',').next());
        let zxid = line("Zxid").and_then(|text| text.strip_prefix("0x"));
        // Java prints the bits of a signed number.
        let zxid = zxid.and_then(|hex| u64::from_str_radix(hex, 16).ok());
        Some(Self {
            role: Role::of(line("Mode")?),
            version: version.map(str::to_owned),
            zxid: zxid.map(|bits| Zxid(bits.cast_signed())),
            connections: line("Connections").and_then(|text| text.parse().ok()),
        })
    }

    /// The epoch of the last transaction. In ZooKeeper a new leader's epoch shows with its first one.
    pub(crate) fn epoch(&self) -> Option<i64> {
        self.zxid.map(Zxid::epoch)
    }
}

/// What `mntr` adds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Of the whole ensemble.
    pub(crate) sessions: Option<u64>,
    /// Of this server's clients.
    pub(crate) watches: Option<u64>,
    /// How many voters the ensemble has.
    pub(crate) voters: Option<usize>,
}

impl Figures {
    pub(crate) fn read(text: &str) -> Self {
        let figure = |key: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('\t'));
            value.and_then(|value| value.trim().parse::<u64>().ok())
        };
        Self {
            sessions: figure("zk_global_sessions"),
            watches: figure("zk_watch_count"),
            voters: figure("zk_quorum_size").and_then(|voters| usize::try_from(voters).ok()),
        }
    }
}

/// What a member's `conf` says of its ensemble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The number of this server.
    pub(crate) id: i64,
    pub(crate) membership: Membership,
}

impl Place {
    /// Reads an answer; nothing if it is that of a server without an ensemble.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let id = text.lines().find_map(|line| line.strip_prefix("serverId="))?;
        let (_, members) = text.split_once("membership:")?;
        let membership = Membership::parse(members).ok()?;
        Some(Self { id: id.trim().parse().ok()?, membership })
    }
}

/// Whether a server refuses a word because its configuration does not list it.
pub(crate) fn is_unlisted(text: &str) -> bool {
    text.contains("is not executed because it is not in the whitelist")
}

/// How the answer begins of a server that serves nobody.
const IDLE: &str = "This ZooKeeper instance is not currently serving requests";

#[cfg(test)]
mod tests {
    use super::*;

    const LEADER: &str = "Zookeeper version: 3.8.0-${mvngit.commit.id}, built on 2023-02-06 22:02 UTC\n\
        Latency min/avg/max: 0/0.0/0\nReceived: 1\nSent: 0\nConnections: 3\nOutstanding: 0\n\
        Zxid: 0x200000005\nMode: leader\nNode count: 5\nProposal sizes last/min/max: -1/-1/-1\n";

    #[test]
    fn a_serving_server_says_what_it_is_and_how_far() {
        let brief = Brief::read(LEADER).unwrap();
        assert_eq!((brief.role, brief.zxid), (Role::Leader, Some(Zxid(0x2_0000_0005))));
        assert_eq!((brief.epoch(), brief.connections), (Some(2), Some(3)));
        assert_eq!(brief.version.as_deref(), Some("3.8.0-${mvngit.commit.id}"));
        for (mode, role) in [
            ("follower", Role::Follower),
            ("observer", Role::Observer),
            ("standalone", Role::Standalone),
            ("read-only", Role::ReadOnly),
            ("dancing", Role::Unknown),
        ] {
            let brief = Brief::read(&LEADER.replace("leader", mode)).unwrap();
            assert_eq!(brief.role, role);
        }
        let negative = LEADER.replace("0x200000005", "0xffffffff00000000");
        assert_eq!(Brief::read(&negative).unwrap().epoch(), Some(-1));
    }

    #[test]
    fn a_server_that_serves_nobody_looks_for_a_leader() {
        let text = "This ZooKeeper instance is not currently serving requests\n";
        assert_eq!(Brief::read(text).unwrap().role, Role::Looking);
    }

    #[test]
    fn anything_else_is_no_answer() {
        let unlisted = "srvr is not executed because it is not in the whitelist.\n";
        assert!(is_unlisted(unlisted) && !is_unlisted(LEADER));
        for text in [unlisted, "", "HTTP/1.1 400 Bad Request\r\n\r\n", "Mode:leader"] {
            assert_eq!(Brief::read(text), None, "{text}");
        }
    }

    #[test]
    fn figures_that_are_not_there_are_not_known() {
        let text = "zk_version\t3.9\nzk_watch_count\t7\nzk_watch_counts\t9\nzk_quorum_size\t3\n";
        let expected = Figures { sessions: None, watches: Some(7), voters: Some(3) };
        assert_eq!(Figures::read(text), expected);
    }

    #[test]
    fn a_member_s_configuration_names_the_others() {
        let members =
            "server.1=127.0.0.1:1:2:participant\nserver.2=127.0.0.1:3:4:observer\nversion=0";
        let text = format!("clientPort=1\nserverId=2\ninitLimit=10\nmembership: \n{members}");
        let place = Place::read(&text).unwrap();
        assert_eq!((place.id, place.membership.to_string()), (2, members.to_owned()));
        assert_eq!(Place::read("clientPort=1\nserverId=0\n"), None);
    }
}
