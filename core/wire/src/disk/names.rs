//! What the files of a data directory are called.
//!
//! Hex is lower case and not padded. Names that are not exactly of these forms belong to somebody else and
//! are left alone. Beware that Apache is laxer: it takes anything whose first two dot-separated parts
//! are `log` and hex for a log, which is why our own files begin with another word. Source:
//! `org.apache.zookeeper.server.persistence.Util`, `SnapStream`.

use crate::zxid::Zxid;
use std::fmt;

/// The directory below `dataDir` and `dataLogDir` that holds the files.
pub const VERSION_DIR: &str = "version-2";
/// The suffix of a file that is being written and becomes valid by a rename.
pub const TEMPORARY_SUFFIX: &str = ".tmp";

/// How a snapshot file is compressed; its extension says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Compression {
    /// Not at all.
    #[default]
    Plain,
    /// gzip of the whole stream.
    Gzip,
    /// Raw snappy blocks in [snappy-java's framing](super::snappy_frame).
    Snappy,
}

impl Compression {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Gzip, Self::Snappy];

    /// The file extension with its dot; empty for plain.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Gzip => ".gz",
            Self::Snappy => ".snappy",
        }
    }
}

/// A file that means something to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileName {
    /// `log.<zxid of its first record>`
    Log(Zxid),
    /// `snapshot.<last zxid before it was begun>` and the extension of its compression.
    Snapshot(Zxid, Compression),
    /// `sum.<zxid>`: the sidecar of the log of that zxid.
    Sums(Zxid),
    /// `acceptedEpoch`
    AcceptedEpoch,
    /// `currentEpoch`
    CurrentEpoch,
}

impl FileName {
    /// The file of this name, if it is one of ours.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "acceptedEpoch" => return Some(Self::AcceptedEpoch),
            "currentEpoch" => return Some(Self::CurrentEpoch),
            _ => {}
        }
        let (kind, rest) = name.split_once('.')?;
        match kind {
            "log" => zxid(rest).map(Self::Log),
            "sum" => zxid(rest).map(Self::Sums),
            "snapshot" => {
                let (hex, extension) = rest.find('.').map_or((rest, ""), |dot| rest.split_at(dot));
                let compression =
                    Compression::ALL.into_iter().find(|c| c.extension() == extension)?;
                zxid(hex).map(|zxid| Self::Snapshot(zxid, compression))
            }
            _ => None,
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(zxid) => write!(f, "log.{zxid:x}"),
            Self::Snapshot(zxid, compression) => {
                write!(f, "snapshot.{zxid:x}{}", compression.extension())
            }
            Self::Sums(zxid) => write!(f, "sum.{zxid:x}"),
            Self::AcceptedEpoch => f.write_str("acceptedEpoch"),
            Self::CurrentEpoch => f.write_str("currentEpoch"),
        }
    }
}

/// Reads hex as [`fmt::LowerHex`] writes it.
fn zxid(hex: &str) -> Option<Zxid> {
    let canonical = hex == "0" || !hex.starts_with('0');
    let digits = hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !canonical || !digits {
        return None;
    }
    i64::from_str_radix(hex, 16).ok().map(Zxid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_they_are_read() {
        for (name, file) in [
            ("log.100000001", FileName::Log(Zxid(0x1_0000_0001))),
            ("log.0", FileName::Log(Zxid::ZERO)),
            ("snapshot.0", FileName::Snapshot(Zxid::ZERO, Compression::Plain)),
            ("snapshot.a.gz", FileName::Snapshot(Zxid(10), Compression::Gzip)),
            ("snapshot.2f.snappy", FileName::Snapshot(Zxid(0x2F), Compression::Snappy)),
            ("sum.7fffffffffffffff", FileName::Sums(Zxid(i64::MAX))),
            ("acceptedEpoch", FileName::AcceptedEpoch),
            ("currentEpoch", FileName::CurrentEpoch),
        ] {
            assert_eq!(FileName::parse(name), Some(file), "{name}");
            assert_eq!(file.to_string(), name);
        }
    }

    #[test]
    fn other_names_are_left_alone() {
        for name in [
            "",
            "log",
            "log.",
            "log.G",
            "log.A",
            "log.01",
            "log.-1",
            "log.+1",
            "log.1.bak",
            "sum.1.gz",
            "snapshot.1.tmp",
            "snapshot.1.gz.tmp",
            "snapshot.1.",
            "snapshot..gz",
            "log.8000000000000000",
            "currentEpoch.tmp",
            "LOG.1",
            "myid",
        ] {
            assert_eq!(FileName::parse(name), None, "{name:?}");
        }
    }
}
