//! The value types of [`ServerConfig`](super::ServerConfig) that are more than a number.
//!
//! Each reads itself from the text of its key and says in words what it expected otherwise.
//! Nothing here knows the name of a key, resolves a host name or touches a file.

use quorate_wire::quorum::membership::HostPort;
use std::fmt;
use std::net::IpAddr;

/// Where the client port listens.
///
/// ```
/// use quorate::config::{ListenAddress, ServerConfig};
///
/// let mut config = ServerConfig::default();
/// config.set("clientPortAddress", "10.0.0.1")?;
/// assert_eq!(config.client_port_address, ListenAddress::Ip([10, 0, 0, 1].into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// Every interface, as Apache does when `clientPortAddress` is not given.
    Any,
    /// One address.
    Ip(IpAddr),
    /// A host name, to be resolved when the socket is bound.
    Name(String),
}

impl ListenAddress {
    /// The address of a `server.N` line, whose wildcard is every interface.
    pub(crate) fn of(client: &HostPort) -> Self {
        if client.is_wildcard() {
            return Self::Any;
        }
        Self::parse(&client.host).unwrap_or_else(|_| Self::Name(client.host.clone()))
    }

    /// Reads an address or host name; brackets around an IPv6 address are optional.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Ok(if ip.is_unspecified() && ip.is_ipv6() { Self::Any } else { Self::Ip(ip) });
        }
        let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if text.is_empty() || !text.chars().all(name) {
            return Err("an IPv4 address, an IPv6 address or a host name".to_owned());
        }
        Ok(Self::Name(text.to_owned()))
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Ip(ip) => write!(f, "{ip}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// How threads share the work of connections and state (`quorate.io`).
///
/// ```
/// use quorate::config::{IoMode, ServerConfig};
///
/// let mut config = ServerConfig::default();
/// assert_eq!(config.io, IoMode::Auto);
/// config.set("quorate.io", "sharded")?;
/// assert_eq!(config.io, IoMode::Sharded);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IoMode {
    /// Fused on two usable cores or fewer, sharded otherwise.
    #[default]
    Auto,
    /// One thread for connections and state.
    Fused,
    /// I/O threads apart from the thread that owns the state.
    Sharded,
}

impl IoMode {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "fused" => Ok(Self::Fused),
            "sharded" => Ok(Self::Sharded),
            _ => Err("`auto`, `fused` or `sharded`".to_owned()),
        }
    }
}

/// Hash of `user:password` in the `digest` scheme
/// (`DigestAuthenticationProvider.digestAlg`, names of `java.security.MessageDigest`).
///
/// ```
/// use quorate::config::{DigestAlgorithm, ServerConfig};
///
/// assert_eq!(ServerConfig::default().digest_algorithm, DigestAlgorithm::Sha1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DigestAlgorithm {
    /// SHA-1, the default and the one every client tool assumes.
    #[default]
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl DigestAlgorithm {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_uppercase().as_str() {
            "SHA" | "SHA1" | "SHA-1" => Ok(Self::Sha1),
            "SHA224" | "SHA-224" => Ok(Self::Sha224),
            "SHA256" | "SHA-256" => Ok(Self::Sha256),
            "SHA384" | "SHA-384" => Ok(Self::Sha384),
            "SHA512" | "SHA-512" => Ok(Self::Sha512),
            _ => Err("`SHA1`, `SHA-224`, `SHA-256`, `SHA-384` or `SHA-512`".to_owned()),
        }
    }
}

/// Compression of snapshot files (`snapshot.compression.method`); selects the file's suffix.
///
/// ```
/// use quorate::config::{ServerConfig, SnapshotCompression};
///
/// assert_eq!(ServerConfig::default().snapshot_compression, SnapshotCompression::None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SnapshotCompression {
    /// No compression and no suffix.
    #[default]
    None,
    /// Gzip, suffix `.gz`.
    Gzip,
    /// Snappy framing, suffix `.snappy`.
    Snappy,
}

impl SnapshotCompression {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "" => Ok(Self::None),
            "gz" => Ok(Self::Gzip),
            "snappy" => Ok(Self::Snappy),
            _ => Err("`gz`, `snappy` or nothing".to_owned()),
        }
    }
}

/// Which four-letter words are answered (`4lw.commands.whitelist`).
///
/// Apache's rule (`FourLetterCommands#isEnabled`): the words listed, or all for `*`; `srvr` always.
///
/// ```
/// use quorate::config::FourLetterWords;
///
/// let some = FourLetterWords::only(["ruok", "mntr"]);
/// assert!(some.allows("ruok") && some.allows("srvr") && !some.allows("stat"));
/// assert!(FourLetterWords::all().allows("stat"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FourLetterWords {
    all: bool,
    /// Besides `srvr`: sorted, without duplicates.
    words: Vec<String>,
}

impl FourLetterWords {
    /// Every word.
    pub fn all() -> Self {
        Self { all: true, words: Vec::new() }
    }

    /// The words given, besides `srvr`.
    pub fn only<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let words = words.into_iter().filter(|&word| word != ALWAYS);
        let mut words: Vec<String> = words.map(str::to_owned).collect();
        words.sort_unstable();
        words.dedup();
        Self { all: false, words }
    }

    /// Whether `word` is answered. The server adds `isro` in read-only mode, see
    /// [`ServerConfig::answers_word`](super::ServerConfig::answers_word).
    ///
    /// ```
    /// use quorate::config::FourLetterWords;
    ///
    /// // This one is answered always.
    /// assert!(FourLetterWords::default().allows("srvr"));
    /// ```
    pub fn allows(&self, word: &str) -> bool {
        self.all || word == ALWAYS || self.words.iter().any(|known| known == word)
    }

    /// Listed words that no server knows.
    pub(super) fn unknown(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(String::as_str).filter(|word| !KNOWN_WORDS.contains(word))
    }

    pub(super) fn parse(text: &str) -> Self {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        let mut listed = Vec::new();
        for word in words {
            // Apache stops at the asterisk: it already means everything.
            if word == "*" {
                return Self::all();
            }
            listed.push(word);
        }
        Self::only(listed)
    }
}

/// A text that must not appear in logs; `Debug` hides it.
///
/// ```
/// use quorate::config::Secret;
///
/// let secret = Secret::new("super:abc");
/// assert!(!format!("{secret:?}").contains("abc"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    ///
    /// ```
    /// use quorate::config::Secret;
    ///
    /// assert_eq!(Secret::new("super:abc").reveal(), "super:abc");
    /// ```
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// Reads a length of time as ZooKeeper 3.10 does (`Time#parseTimeInterval`), in milliseconds.
/// A number without a unit counts in hours, as `autopurge.purgeInterval` always did.
pub(super) fn interval_ms(text: &str) -> Result<u64, String> {
    let expected =
        || "a whole number of hours, or a number with `ms`, `s`, `m`, `h` or `d`".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: i64 = number.parse().map_err(|_| expected())?;
    let scale: u64 = match unit.to_ascii_lowercase().as_str() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" | "" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(expected()),
    };
    // Zero and below mean "never" in Apache.
    Ok(u64::try_from(number).unwrap_or(0).saturating_mul(scale))
}

/// What [`interval_ms`] reads.
pub(super) const INTERVAL: &str =
    "a whole number of hours, or a number with `ms`, `s`, `m`, `h` or `d`";

/// The word that cannot be switched off, because `zkServer.sh` needs it.
const ALWAYS: &str = "srvr";

/// Every word of Apache's `FourLetterCommands`.
const KNOWN_WORDS: &[&str] = &[
    "conf", "cons", "crst", "dirs", "dump", "envi", "gtmk", "hash", "isro", "mntr", "ruok", "srst",
    "srvr", "stat", "stmk", "wchc", "wchp", "wchs",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_every_notation() {
        let ip = |text: &str| Ok(ListenAddress::Ip(text.parse().unwrap()));
        assert_eq!(ListenAddress::parse("127.0.0.1"), ip("127.0.0.1"));
        assert_eq!(ListenAddress::parse("0.0.0.0"), ip("0.0.0.0"));
        assert_eq!(ListenAddress::parse("::1"), ip("::1"));
        assert_eq!(ListenAddress::parse("[::1]"), ip("::1"));
        assert_eq!(ListenAddress::parse("::"), Ok(ListenAddress::Any));
        assert_eq!(
            ListenAddress::parse("zk-1.local"),
            Ok(ListenAddress::Name("zk-1.local".into()))
        );
        for bad in ["", "a b", "host:2181", "[::1", "/tmp"] {
            assert!(ListenAddress::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn intervals_follow_the_newer_syntax() {
        for (text, ms) in [
            ("0", 0),
            ("1", 3_600_000),
            ("-1", 0),
            ("90ms", 90),
            ("90MS", 90),
            ("5s", 5_000),
            ("5M", 300_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
        ] {
            assert_eq!(interval_ms(text), Ok(ms), "{text}");
        }
        for bad in ["", "h", "1 h", "1w", "1.5h", "1hh", "99999999999999999999", "--1"] {
            assert!(interval_ms(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn whitelist_as_apache_reads_it() {
        let words = FourLetterWords::parse(" stat, ruok ,,conf");
        assert!(["stat", "ruok", "conf", "srvr"].iter().all(|word| words.allows(word)));
        assert!(!words.allows("mntr"));
        assert!(FourLetterWords::parse("stat,*,zzzz").allows("mntr"));
        assert!(FourLetterWords::parse("").allows("srvr"));
        assert_eq!(FourLetterWords::parse("stta").unknown().collect::<Vec<_>>(), ["stta"]);
    }

    #[test]
    fn secrets_stay_out_of_logs() {
        assert_eq!(format!("{:?}", Secret::new("super:abc")), "(hidden)");
    }
}
