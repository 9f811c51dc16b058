//! The transaction id: 32 bits of epoch above 32 bits of counter.
//!
//! Order of zxids is the order of the history. Counter 0 marks the start of an epoch and is never a
//! transaction.

use crate::jute::{DecodeError, Jute, Reader};
use std::fmt;

/// A position in the history. Compares as Apache's signed 64-bit value does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zxid(pub i64);

impl Zxid {
    /// The state before any transaction.
    pub const ZERO: Self = Self(0);

    /// The epoch: which leadership wrote it.
    #[must_use]
    pub const fn epoch(self) -> i64 {
        self.0 >> 32
    }

    /// The place within the epoch.
    #[must_use]
    pub const fn counter(self) -> i64 {
        self.0 & 0xFFFF_FFFF
    }

    /// The next zxid of the same epoch.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// Lower-case hex without padding, as in file names and logs.
impl fmt::LowerHex for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, f)
    }
}

/// `0x` and hex, as operators know it.
impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl<'a> Jute<'a> for Zxid {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        i64::read(r).map(Self)
    }
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }
}
