//! The bytes in a node of Curator's queues: `00 01 00 01`, per item `01`, a 32-bit length and the
//! bytes, at the end `02`. Big endian. As `ItemSerializer` writes and reads them.
//!
//! One node carries any number of items. Bytes behind the end are ignored, as Curator does.
//! [`queue`](super::queue) names the nodes; its simple and kazoo queues keep raw bytes instead.

use thiserror::Error;

/// The bytes are no frame. Such a node is not ours to consume.
///
/// ```
/// use quorate::recipes::layout::frame::{FrameError, decode};
///
/// assert!(matches!(decode(b"raw bytes"), Err(FrameError::Version { .. })));
/// ```
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum FrameError {
    /// The data stops in the middle of the frame.
    #[error("queue item ends after {at} bytes, in the middle of its frame")]
    Truncated {
        /// Length of the data.
        at: usize,
    },
    /// The first four bytes are not the version that Curator writes.
    #[error("queue item begins with version {found:#010x} instead of {VERSION:#010x}")]
    Version {
        /// What stands there.
        found: u32,
    },
    /// Neither an item nor the end.
    #[error("byte {at} of the queue item is {found:#04x}, neither an item nor the end")]
    Opcode {
        /// Offset in the data.
        at: usize,
        /// What stands there.
        found: u8,
    },
    /// A negative length.
    #[error("length {found} of the item at byte {at} is negative")]
    Length {
        /// Offset in the data.
        at: usize,
        /// What stands there.
        found: i32,
    },
    /// An item to be written is longer than a length can say.
    #[error("an item of {length} bytes does not fit in a frame")]
    TooLong {
        /// Length of the item.
        length: usize,
    },
}

/// Writes a frame with the given items.
///
/// ```
/// use quorate::recipes::layout::frame::encode;
///
/// assert_eq!(encode([&b"x"[..]]).unwrap(), [0, 1, 0, 1, 1, 0, 0, 0, 1, b'x', 2]);
/// ```
///
/// # Errors
/// [`FrameError::TooLong`] for an item of 2 GiB or more.
pub fn encode<'a>(items: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, FrameError> {
    let mut frame = VERSION.to_be_bytes().to_vec();
    for item in items {
        let length =
            i32::try_from(item.len()).map_err(|_| FrameError::TooLong { length: item.len() })?;
        frame.push(ITEM);
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(item);
    }
    frame.push(END);
    Ok(frame)
}

/// The items of a frame, in order.
///
/// ```
/// use quorate::recipes::layout::frame::{decode, encode};
///
/// let frame = encode([&b"one"[..], b"two"]).unwrap();
/// assert_eq!(decode(&frame).unwrap(), [&b"one"[..], b"two"]);
/// ```
///
/// # Errors
/// Any of [`FrameError`] but `TooLong`.
pub fn decode(frame: &[u8]) -> Result<Vec<&[u8]>, FrameError> {
    let mut reader = Reader { frame, at: 0 };
    let found = u32::from_be_bytes(reader.array()?);
    if found != VERSION {
        return Err(FrameError::Version { found });
    }
    let mut items = Vec::new();
    loop {
        let at = reader.at;
        match reader.array()? {
            [END] => return Ok(items),
            [ITEM] => items.push(reader.item(at)?),
            [found] => return Err(FrameError::Opcode { at, found }),
        }
    }
}

struct Reader<'a> {
    frame: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn item(&mut self, at: usize) -> Result<&'a [u8], FrameError> {
        let found = i32::from_be_bytes(self.array()?);
        let length = usize::try_from(found).map_err(|_| FrameError::Length { at, found })?;
        let rest = self.frame.get(self.at..).unwrap_or_default();
        let (item, _) = rest.split_at_checked(length).ok_or(self.truncated())?;
        self.at += length;
        Ok(item)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let rest = self.frame.get(self.at..).unwrap_or_default();
        let bytes = rest.first_chunk().ok_or(self.truncated())?;
        self.at += N;
        Ok(*bytes)
    }

    fn truncated(&self) -> FrameError {
        FrameError::Truncated { at: self.frame.len() }
    }
}

const VERSION: u32 = 0x0001_0001;
const ITEM: u8 = 1;
const END: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipes::layout::testing::Random;

    #[test]
    fn frames_as_curator_writes_them() {
        let hello = b"\x00\x01\x00\x01\x01\x00\x00\x00\x05hello\x02";
        for (items, frame) in [
            (&[&b"hello"[..]][..], &hello[..]),
            (&[], b"\x00\x01\x00\x01\x02"),
            (&[b"", b"x"], b"\x00\x01\x00\x01\x01\0\0\0\0\x01\0\0\0\x01x\x02"),
        ] {
            assert_eq!(encode(items.iter().copied()).unwrap(), frame);
            assert_eq!(decode(frame).unwrap(), items);
        }
        assert_eq!(decode(b"\x00\x01\x00\x01\x02rest").unwrap(), [&b""[..]; 0]);
    }

    #[test]
    fn says_what_is_wrong() {
        for (frame, error) in [
            (&b""[..], FrameError::Truncated { at: 0 }),
            (b"\x00\x01\x00", FrameError::Truncated { at: 3 }),
            (b"\x00\x01\x00\x01", FrameError::Truncated { at: 4 }),
            (b"\x00\x01\x00\x01\x01\0\0\0\x02x", FrameError::Truncated { at: 10 }),
            (b"\x00\x01\x00\x01\x01\0\0\0\0", FrameError::Truncated { at: 9 }),
            (b"\x00\x01\x00\x02\x02", FrameError::Version { found: 0x0001_0002 }),
            (b"\x00\x01\x00\x01\x03", FrameError::Opcode { at: 4, found: 3 }),
            (b"\x00\x01\x00\x01\x01\xff\xff\xff\xff", FrameError::Length { at: 4, found: -1 }),
        ] {
            assert_eq!(decode(frame), Err(error));
        }
    }

    #[test]
    fn any_bytes_are_decoded_without_a_panic() {
        let mut random = Random::new(7);
        let mut decoded = 0;
        for _ in 0..20_000 {
            let mut frame = VERSION.to_be_bytes().to_vec();
            frame.extend(random.bytes());
            if let Ok(items) = decode(&frame) {
                decoded += 1;
                assert!(frame.starts_with(&encode(items).unwrap()));
            }
            let _ = decode(&random.bytes());
        }
        assert!(decoded > 100, "{decoded}");
    }
}
