//! The shape of one row of the key table: what a key is called, what it takes, what we do with it.
//!
//! A key is data; the rows are in `keys`. Reading, checking, warning, refusing and the page
//! `docs/config.md` all come from the same row, so that none can forget a key.

use super::ensemble_config::EnsembleConfig;
use super::slot::Slot;
use super::types::{INTERVAL, interval_ms};

/// One key of `zoo.cfg`, or a family of keys whose name ends in `*`.
///
/// ```
/// use quorate::config::keys;
///
/// let key = keys::find("tickTime").unwrap();
/// assert_eq!((key.name, key.default), ("tickTime", "3000"));
/// ```
#[derive(Debug)]
pub struct Key {
    /// The name in the administrator's guide, without a `zookeeper.` prefix.
    pub name: &'static str,
    /// Further names of the same key, without a `zookeeper.` prefix.
    pub aliases: &'static [&'static str],
    /// Part of the guide that describes it.
    pub section: Section,
    /// How Apache's server takes it.
    pub source: Source,
    /// What values it takes.
    pub kind: Kind,
    /// The value in force when it is not given, in the key's own notation; empty if there is none.
    pub default: &'static str,
    /// What we do with it.
    pub disposition: Disposition,
    /// Values that ask for what happens anyway, so that there is nothing to warn of or refuse.
    pub inert: &'static [&'static str],
    /// What it means: one sentence without a full stop.
    pub doc: &'static str,
}

/// What the server does with a key it knows.
///
/// ```
/// use quorate::config::{Disposition, keys};
///
/// assert!(matches!(keys::find("tickTime").unwrap().disposition, Disposition::Honoured(_)));
/// assert!(matches!(keys::find("initLimit").unwrap().disposition, Disposition::Ensemble(_)));
/// ```
#[derive(Debug)]
pub enum Disposition {
    /// The value is followed; it is written to a field.
    Honoured(Slot),
    /// The value has no effect, for the reason given; the server starts.
    Warned(&'static str),
    /// The server does not start, for the reason given with what to do about it.
    Refused(&'static str),
    /// The value is followed by a member of an ensemble; on a standalone server it has no effect, as in Apache.
    Ensemble(Slot<EnsembleConfig>),
    /// The value decides about the membership.
    Members(MemberKey),
    /// The key concerns ensembles and has no effect there either, for the reason given.
    EnsembleOnly(&'static str),
    /// A member of an ensemble does not start, for the reason given with what to do about it; on a
    /// standalone server the key has no effect, as in Apache.
    EnsembleRefused(&'static str),
}

/// A key that says who the members of the ensemble are, or what this server is among them. All of them are
/// looked at together, when it is known which there are.
///
/// ```
/// use quorate::config::{Disposition, MemberKey, keys};
///
/// let disposition = &keys::find("server.1").unwrap().disposition;
/// assert!(matches!(disposition, Disposition::Members(MemberKey::Line)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberKey {
    /// A line of the membership: `server.N`, `group.N`, `weight.N` or `version`.
    Line,
    /// The file that has these lines.
    File,
    /// Whether one voter alone is a standalone server.
    Standalone,
    /// What this server believes to be.
    PeerType,
    /// Whether a member may have several addresses.
    SeveralAddresses,
}

/// Where Apache's server reads a key.
///
/// ```
/// use quorate::config::{Source, keys};
///
/// assert_eq!(keys::find("tickTime").unwrap().source, Source::File);
/// assert_eq!(keys::find("quorate.io").unwrap().source, Source::Ours);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// From the file (`QuorumPeerConfig#parseProperties`).
    File,
    /// From the Java system property `zookeeper.` and the key's name. `QuorumPeerConfig` turns
    /// every key that it does not know into one.
    Property,
    /// From the Java system property of this name; a line in Apache's file may not reach it.
    PropertyNamed(&'static str),
    /// Apache does not know the key; it is ours.
    Ours,
}

/// Part of the administrator's guide.
///
/// ```
/// use quorate::config::{Section, keys};
///
/// assert_eq!(keys::find("clientPort").unwrap().section, Section::Minimum);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the titles are the documentation")]
pub enum Section {
    Minimum,
    Storage,
    Advanced,
    Throttling,
    Cluster,
    Access,
    Encryption,
    Unsafe,
    Performance,
    Debug,
    Admin,
    Metrics,
    Client,
    Ours,
}

impl Section {
    /// Title in `docs/config.md`.
    ///
    /// ```
    /// use quorate::config::Section;
    ///
    /// assert!(!Section::Minimum.title().is_empty());
    /// assert_ne!(Section::Storage.title(), Section::Access.title());
    /// ```
    pub fn title(self) -> &'static str {
        match self {
            Self::Minimum => "Minimum configuration",
            Self::Storage => "Storage",
            Self::Advanced => "Advanced configuration",
            Self::Throttling => "Throttling",
            Self::Cluster => "Cluster options",
            Self::Access => "Authentication and authorization",
            Self::Encryption => "Encryption",
            Self::Unsafe => "Unsafe options",
            Self::Performance => "Performance tuning",
            Self::Debug => "Debugging and observability",
            Self::Admin => "AdminServer",
            Self::Metrics => "Metrics providers",
            Self::Client => "Properties of clients",
            Self::Ours => "Keys of quorate",
        }
    }
}

/// What values a key takes.
///
/// ```
/// use quorate::config::{Kind, keys};
///
/// assert!(matches!(keys::find("tickTime").unwrap().kind, Kind::Int { .. }));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// `true` or `false` in any case.
    Bool,
    /// `yes` or `no`. The safe answer may also be written `true` or `false`; the other one must
    /// be the exact word, because Apache takes anything else for the safe answer.
    YesNo {
        /// The answer that gives up nothing.
        safe: bool,
    },
    /// A whole number.
    Int {
        /// Lowest value that is not an error.
        min: i64,
        /// Lower values than this are raised to it, as Apache does.
        floor: i64,
        /// Highest value.
        max: i64,
        /// What is counted.
        unit: &'static str,
    },
    /// A number from 0 to 1.
    Fraction,
    /// A length of time: hours, or a number with a unit.
    Interval,
    /// A directory or file.
    Path,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Text, described.
    Text(&'static str),
    /// Text that must not be shown.
    Secret(&'static str),
}

/// A value after [`Kind::read`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Bool(bool),
    /// The number, and the number as written if it was raised.
    Int(i64, Option<i64>),
    Fraction(f64),
    Text(&'a str),
}

impl Key {
    /// A row without further names and inert values.
    pub(super) const fn new(
        (name, section, source): (&'static str, Section, Source),
        kind: Kind,
        default: &'static str,
        disposition: Disposition,
        doc: &'static str,
    ) -> Self {
        Self { name, aliases: &[], section, source, kind, default, disposition, inert: &[], doc }
    }

    /// Adds further names.
    pub(super) const fn also(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// Adds values that ask for what happens anyway.
    pub(super) const fn inert(mut self, values: &'static [&'static str]) -> Self {
        self.inert = values;
        self
    }

    /// Every name of the key, without a `zookeeper.` prefix.
    ///
    /// ```
    /// use quorate::config::keys;
    ///
    /// let key = keys::find("tickTime").unwrap();
    /// assert_eq!(key.names().next(), Some("tickTime"));
    /// ```
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        let property = match self.source {
            Source::PropertyNamed(name) => Some(bare(name)),
            Source::File | Source::Property | Source::Ours => None,
        };
        let property = property.filter(|&name| name != self.name);
        [self.name].into_iter().chain(property).chain(self.aliases.iter().copied())
    }

    /// Whether `value` asks for what happens anyway.
    pub(super) fn is_inert(&self, value: &str) -> bool {
        self.inert.iter().any(|inert| inert.eq_ignore_ascii_case(value))
    }

    /// Whether values must not be shown.
    pub(super) fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret(_))
    }
}

impl Kind {
    /// Any number of Java's `int` range; below `floor` it is raised.
    pub(super) const fn int(floor: i64, unit: &'static str) -> Self {
        Self::Int { min: i32::MIN as i64, floor, max: i32::MAX as i64, unit }
    }

    /// A number of Java's `int` range, not lower than `min`.
    pub(super) const fn int_from(min: i64, unit: &'static str) -> Self {
        Self::Int { min, floor: min, max: i32::MAX as i64, unit }
    }

    /// Any number of Java's `long` range; below `floor` it is raised.
    pub(super) const fn long(floor: i64, unit: &'static str) -> Self {
        Self::Int { min: i64::MIN, floor, max: i64::MAX, unit }
    }

    /// A TCP port.
    pub(super) const fn port() -> Self {
        Self::Int { min: 0, floor: 0, max: 65_535, unit: "port" }
    }

    /// What the key takes, in words.
    ///
    /// ```
    /// use quorate::config::{Kind, keys};
    ///
    /// assert_eq!(Kind::Bool.expected(), "`true` or `false`");
    /// assert!(keys::find("quorate.io").unwrap().kind.expected().contains("fused"));
    /// ```
    pub fn expected(&self) -> String {
        match *self {
            Self::Bool => "`true` or `false`".to_owned(),
            Self::YesNo { safe: true } => "`yes`, or exactly `no` to give it up".to_owned(),
            Self::YesNo { safe: false } => "`no`, or exactly `yes` to give up checks".to_owned(),
            Self::Int { min, max, unit, .. } if min == i64::MIN && max == i64::MAX => {
                format!("a whole number of {unit}")
            }
            Self::Int { min, max, unit: "port", .. } => format!("a port, {min} to {max}"),
            Self::Int { min, max, unit, .. } if min == i64::from(i32::MIN) => {
                format!("a whole number of {unit}, at most {max}")
            }
            Self::Int { min, max, unit, .. } => {
                format!("a whole number of {unit}, {min} to {max}")
            }
            Self::Fraction => "a number from 0 to 1".to_owned(),
            Self::Interval => INTERVAL.to_owned(),
            Self::Path => "a path that is not empty".to_owned(),
            Self::Choice(words) => {
                words.iter().map(|word| format!("`{word}`")).fold(String::new(), |all, word| {
                    if all.is_empty() { word } else { format!("{all} or {word}") }
                })
            }
            Self::Text(what) | Self::Secret(what) => what.to_owned(),
        }
    }

    /// Reads a trimmed value, or says what was expected.
    pub(super) fn read<'a>(&self, text: &'a str, source: Source) -> Result<Value<'a>, String> {
        let read = match *self {
            Self::Bool => read_bool(text).map(Value::Bool),
            Self::YesNo { safe } => read_yes_no(text, safe).map(Value::Bool),
            Self::Int { min, floor, max, .. } => read_int(text, source)
                .filter(|number| (min..=max).contains(number))
                .map(|n| Value::Int(n.max(floor), (n < floor).then_some(n))),
            Self::Fraction => text
                .parse::<f64>()
                .ok()
                .filter(|number| (0.0..=1.0).contains(number))
                .map(Value::Fraction),
            Self::Interval => return interval_ms(text).map(|_| Value::Text(text)),
            Self::Path => (!text.is_empty() && !text.contains('\0')).then_some(Value::Text(text)),
            Self::Choice(words) => words
                .iter()
                .any(|word| word.eq_ignore_ascii_case(text))
                .then_some(Value::Text(text)),
            Self::Text(_) | Self::Secret(_) => Some(Value::Text(text)),
        };
        read.ok_or_else(|| self.expected())
    }
}

/// A key's name without the prefix that the command line of a Java server would need.
pub(super) fn bare(name: &str) -> &str {
    name.strip_prefix("zookeeper.").unwrap_or(name)
}

fn read_bool(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

fn read_yes_no(text: &str, safe: bool) -> Option<bool> {
    match text {
        "yes" => Some(true),
        "no" => Some(false),
        "true" if safe => Some(true),
        "false" if !safe => Some(false),
        _ => None,
    }
}

/// Java's `Integer#parseInt` for keys of the file, `Integer#decode` for system properties: the
/// latter also knows `0x`, `#` and a leading 0 for octal. We take hexadecimal for both.
fn read_int(text: &str, source: Source) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let hex = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
        .or_else(|| digits.strip_prefix('#'));
    let (digits, radix) = match hex {
        Some(digits) => (digits, 16),
        None if !matches!(source, Source::File) && digits.len() > 1 => {
            digits.strip_prefix('0').map_or((digits, 10), |octal| (octal, 8))
        }
        None => (digits, 10),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let magnitude = i128::from_str_radix(digits, radix).ok()?;
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const JAVA: Source = Source::Property;

    #[test]
    fn numbers_as_java_reads_them() {
        for (text, file, property) in [
            ("0", Some(0), Some(0)),
            ("+5", Some(5), Some(5)),
            ("-1", Some(-1), Some(-1)),
            ("0xfffff", Some(0xf_ffff), Some(0xf_ffff)),
            ("-#10", Some(-16), Some(-16)),
            ("010", Some(10), Some(8)),
            ("9223372036854775807", Some(i64::MAX), Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN), Some(i64::MIN)),
            ("9223372036854775808", None, None),
            ("08", Some(8), None),
            ("", None, None),
            ("-", None, None),
            ("--1", None, None),
            ("1 ", None, None),
            ("1k", None, None),
            ("0x", None, None),
            ("é", None, None),
        ] {
            assert_eq!(read_int(text, Source::File), file, "{text:?} in a file");
            assert_eq!(read_int(text, JAVA), property, "{text:?} as a property");
        }
    }

    #[test]
    fn only_the_exact_word_gives_up_safety() {
        let force_sync = Kind::YesNo { safe: true };
        assert_eq!(force_sync.read("no", JAVA), Ok(Value::Bool(false)));
        assert_eq!(force_sync.read("true", JAVA), Ok(Value::Bool(true)));
        for text in ["false", "NO", "No", "0", ""] {
            assert!(force_sync.read(text, JAVA).is_err(), "{text:?}");
        }
        let skip_acl = Kind::YesNo { safe: false };
        assert_eq!(skip_acl.read("yes", JAVA), Ok(Value::Bool(true)));
        assert_eq!(skip_acl.read("false", JAVA), Ok(Value::Bool(false)));
        assert!(skip_acl.read("true", JAVA).is_err());
    }

    #[test]
    fn bounds_and_floors() {
        assert_eq!(Kind::int(2, "x").read("1", JAVA), Ok(Value::Int(2, Some(1))));
        assert_eq!(Kind::int(2, "x").read("3", JAVA), Ok(Value::Int(3, None)));
        assert!(Kind::int(0, "x").read("2147483648", JAVA).is_err());
        assert!(Kind::int_from(1, "x").read("0", JAVA).is_err());
        assert!(Kind::port().read("65536", Source::File).is_err());
        assert!(Kind::port().read("-1", Source::File).is_err());
        assert!(Kind::Fraction.read("NaN", JAVA).is_err());
        assert!(Kind::Fraction.read("1.5", JAVA).is_err());
    }
}
