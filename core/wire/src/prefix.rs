//! Where a value ends in bytes that may not all have arrived.
//!
//! A stream without outer lengths shows only by its fields where one value ends and the next begins. The cursor here steps over
//! fields without decoding them: nothing is allocated, and a length that may not be is refused as soon as it is read,
//! not when what it announces has come.

use crate::jute::DecodeError;

/// How far the value at the start of some bytes goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// It is all there, in this many bytes.
    Whole(usize),
    /// It takes this many bytes at least, which is more than there are. To look again before they are there is in vain.
    AtLeast(usize),
}

/// Why stepping over fields ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The value takes at least this many bytes in all.
    Short(usize),
    /// No value begins like this.
    Bad(DecodeError),
}

impl From<DecodeError> for Stop {
    fn from(error: DecodeError) -> Self {
        Self::Bad(error)
    }
}

/// A cursor that steps over fields.
#[derive(Debug)]
pub(crate) struct Prefix<'a> {
    bytes: &'a [u8],
    at: usize,
    limit: usize,
}

impl<'a> Prefix<'a> {
    /// How far a value goes whose fields `walk` steps over; buffers, strings and whole vectors of more than `limit` bytes are refused.
    pub(crate) fn extent(
        bytes: &'a [u8],
        limit: usize,
        walk: impl FnOnce(&mut Self) -> Result<(), Stop>,
    ) -> Result<Extent, DecodeError> {
        let mut prefix = Self { bytes, at: 0, limit };
        match walk(&mut prefix) {
            Ok(()) => Ok(Extent::Whole(prefix.at)),
            Err(Stop::Short(needed)) => Ok(Extent::AtLeast(needed)),
            Err(Stop::Bad(error)) => Err(error),
        }
    }

    /// Steps over `n` bytes and gives them.
    pub(crate) fn take(&mut self, n: usize) -> Result<&'a [u8], Stop> {
        let end = self.at.saturating_add(n);
        let taken = self.bytes.get(self.at..end).ok_or(Stop::Short(end))?;
        self.at = end;
        Ok(taken)
    }

    /// Steps over `N` bytes and gives them.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let end = self.at.saturating_add(N);
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.first_chunk().ok_or(Stop::Short(end))?;
        self.at = end;
        Ok(*taken)
    }

    /// Steps over an `int` and gives it.
    pub(crate) fn int(&mut self) -> Result<i32, Stop> {
        self.array().map(i32::from_be_bytes)
    }

    /// Steps over a buffer or a string and gives its bytes; null is `None`.
    pub(crate) fn buffer(&mut self) -> Result<Option<&'a [u8]>, Stop> {
        match self.int()? {
            -1 => Ok(None),
            n => self.length(n).and_then(|n| self.take(n)).map(Some),
        }
    }

    /// Steps over a vector whose items take `least` bytes or more each. A negative count is null.
    pub(crate) fn vector(
        &mut self,
        least: usize,
        mut item: impl FnMut(&mut Self) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let announced = self.int()?;
        let (start, limit) = (self.at, self.limit);
        let within = |end: usize| match end.saturating_sub(start) <= limit {
            true => Ok(end),
            false => Err(Stop::Bad(DecodeError::Length(announced))),
        };
        for left in (1..=usize::try_from(announced).unwrap_or(0)).rev() {
            let least_end = within(self.at.saturating_add(left.saturating_mul(least)))?;
            match item(self) {
                Ok(()) => within(self.at)?,
                Err(Stop::Short(needed)) => {
                    return Err(Stop::Short(within(needed.max(least_end))?));
                }
                Err(bad) => return Err(bad),
            };
        }
        Ok(())
    }

    fn length(&self, announced: i32) -> Result<usize, Stop> {
        match usize::try_from(announced) {
            Ok(n) if n <= self.limit => Ok(n),
            _ => Err(DecodeError::Length(announced).into()),
        }
    }
}
