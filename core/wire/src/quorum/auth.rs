//! What comes before everything else where servers prove to each other who they are.
//!
//! ```text
//! i64 magic  i32 status  buffer token
//! ```
//! Tokens are SASL's. On the channel to the leader these packets are the first bytes, on the election's they follow
//! the initial message. Source: `QuorumAuth`, `QuorumAuthPacket` in `zookeeper.jute`.

use crate::jute::{DecodeError, Jute, Reader};
use crate::prefix::{Extent, Prefix};

/// What such a packet begins with. Apache's sources call the number negative; it is not.
pub const MAGIC: [u8; 8] = [0x5F, 0x24, 0x35, 0x01, 0x35, 0x01, 0xED, 0xCC];

/// How far the proof has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthStatus {
    /// The token is one of several.
    InProgress,
    /// The learner is who it says; the token is the last one.
    Success,
    /// It is not.
    Error,
}

/// A step of the proof. Borrows from the bytes it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuorumAuthPacket<'a> {
    /// How far the proof has come.
    pub status: AuthStatus,
    /// What the mechanism has to say; null and empty differ.
    pub token: Option<&'a [u8]>,
}

impl<'a> QuorumAuthPacket<'a> {
    /// Whether a connection that begins like this begins with such a packet; `None` when that cannot be told yet. Fewer than
    /// eight bytes tell as soon as one of them differs.
    #[must_use]
    pub fn is_next(bytes: &[u8]) -> Option<bool> {
        match bytes.get(..MAGIC.len()) {
            Some(head) => Some(head == MAGIC),
            None => (!MAGIC.starts_with(bytes)).then_some(false),
        }
    }

    /// Reads the packet at the start of what has arrived and says how many bytes it takes; `None` when it is not all there yet.
    /// `limit` is the most that the token may take, bytes.
    ///
    /// # Errors
    /// As soon as the bytes can be no such packet.
    pub fn read_prefix(
        bytes: &'a [u8],
        limit: usize,
    ) -> Result<Option<(Self, usize)>, DecodeError> {
        let extent = Prefix::extent(bytes, limit, |prefix| {
            check_magic(prefix.array()?)?;
            AuthStatus::from_code(prefix.int()?)?;
            prefix.buffer().map(drop)
        });
        match extent? {
            Extent::Whole(len) => Ok(Some((Self::from_bytes(bytes)?, len))),
            Extent::AtLeast(_) => Ok(None),
        }
    }
}

impl AuthStatus {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::InProgress => 0,
            Self::Success => 1,
            Self::Error => -1,
        }
    }

    fn from_code(code: i32) -> Result<Self, DecodeError> {
        match code {
            0 => Ok(Self::InProgress),
            1 => Ok(Self::Success),
            -1 => Ok(Self::Error),
            _ => {
                let what = "status of a quorum authentication";
                Err(DecodeError::Unknown { what, value: code.into() })
            }
        }
    }
}

impl<'a> Jute<'a> for QuorumAuthPacket<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        check_magic(r.array()?)?;
        Ok(Self { status: AuthStatus::from_code(r.get()?)?, token: r.get()? })
    }
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&MAGIC);
        self.status.code().write(out);
        self.token.write(out);
    }
}

fn check_magic(found: [u8; 8]) -> Result<(), DecodeError> {
    if found == MAGIC {
        return Ok(());
    }
    let what = "magic of a quorum authentication";
    Err(DecodeError::Unknown { what, value: i64::from_be_bytes(found) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_found_one_after_the_other_when_their_last_byte_is_there() {
        let packets = [
            QuorumAuthPacket { status: AuthStatus::InProgress, token: Some(b"challenge") },
            QuorumAuthPacket { status: AuthStatus::Success, token: Some(b"") },
            QuorumAuthPacket { status: AuthStatus::Error, token: None },
        ];
        let mut stream = Vec::new();
        packets.iter().for_each(|packet| packet.write(&mut stream));
        let mut rest = &stream[..];
        for packet in packets {
            let len = packet.to_bytes().len();
            for cut in 0..len {
                assert_eq!(QuorumAuthPacket::read_prefix(&rest[..cut], 9), Ok(None));
            }
            assert_eq!(QuorumAuthPacket::read_prefix(rest, 9), Ok(Some((packet, len))));
            rest = &rest[len..];
        }
        let too_long = QuorumAuthPacket::read_prefix(&stream[..16], 8);
        assert_eq!(too_long, Err(DecodeError::Length(9)));
    }

    #[test]
    fn other_magics_and_states_are_refused_by_their_number() {
        let mut bytes = MAGIC.to_vec();
        2i32.write(&mut bytes);
        let error = QuorumAuthPacket::read_prefix(&bytes, 9).unwrap_err();
        assert_eq!(error.to_string(), "2 is not a known status of a quorum authentication");
        bytes[7] ^= 1;
        assert!(QuorumAuthPacket::read_prefix(&bytes[..8], 9).is_err());
        assert!(QuorumAuthPacket::from_bytes(&bytes).is_err());
    }

    #[test]
    fn the_beginning_tells_whether_there_is_a_proof() {
        for len in 0..8 {
            assert_eq!(QuorumAuthPacket::is_next(&MAGIC[..len]), None);
        }
        assert_eq!(QuorumAuthPacket::is_next(&[&MAGIC[..], b"more"].concat()), Some(true));
        assert_eq!(QuorumAuthPacket::is_next(&[0]), Some(false), "a packet of a learner");
        assert_eq!(QuorumAuthPacket::is_next(&[0x5F, 0x24, 0]), Some(false));
        assert_eq!(
            QuorumAuthPacket::is_next(&[0x5F, 0x24, 0x35, 1, 0x35, 1, 0xED, 0]),
            Some(false)
        );
    }
}
