//! The packet between a leader and its learners.
//!
//! ```text
//! i32 type  i64 zxid  buffer data  vector<Id> authinfo
//! ```
//! Nothing says how long a packet is, so [`Packet::read_prefix`] finds its end field by field in what has arrived. What the
//! data of each kind holds is in [`learner`](super::learner). Source: `QuorumPacket` in `zookeeper.jute`, `Leader`.

use crate::acl::Id;
use crate::jute::{DecodeError, Jute, Reader};
use crate::prefix::{Extent, Prefix, Stop};
use crate::zxid::Zxid;

macro_rules! kinds {
    ($($name:ident = $code:literal, $text:literal, $doc:literal;)*) => {
        /// What a packet says.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum PacketKind { $(#[doc = $doc] $name,)* }

        impl PacketKind {
            /// Every kind, in the order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The number on the wire.
            #[must_use]
            pub const fn code(self) -> i32 {
                match self { $(Self::$name => $code,)* }
            }

            /// The kind of a number on the wire, if there is one.
            #[must_use]
            pub const fn from_code(code: i32) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }

            /// The name that ZooKeeper gives it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

kinds! {
    Request = 1, "REQUEST", "To the leader: a write of a learner's client; data is a [`Request`](super::learner::Request).";
    Proposal = 2, "PROPOSAL", "To followers: a transaction to log; data is a [`TxnRecord`](crate::txn::TxnRecord).";
    Ack = 3, "ACK", "To the leader: everything up to the zxid is on disk; with counter 0 the answer to NEWLEADER and UPTODATE.";
    Commit = 4, "COMMIT", "To followers: the proposal of the zxid is committed.";
    Ping = 5, "PING", "To learners with the last proposed zxid; the answer echoes it, its data are [`touches`](super::learner::touches).";
    Revalidate = 6, "REVALIDATE", "To the leader a [`RevalidateRequest`](super::learner::RevalidateRequest), back a [`RevalidateReply`](super::learner::RevalidateReply).";
    Sync = 7, "SYNC", "To learners: everything that was proposed before their oldest pending sync is committed.";
    Inform = 8, "INFORM", "To observers: a committed transaction; data as of PROPOSAL.";
    CommitAndActivate = 9, "COMMITANDACTIVATE", "To followers: COMMIT of a reconfig; data is the sid of the [`SuggestedLeader`](super::learner::SuggestedLeader).";
    NewLeader = 10, "NEWLEADER", "To learners: everything before is the history of the epoch; data is the text of the last seen configuration.";
    FollowerInfo = 11, "FOLLOWERINFO", "To the leader, first: the zxid holds the accepted epoch, data is a [`LearnerInfo`](super::learner::LearnerInfo).";
    UpToDate = 12, "UPTODATE", "To learners: serve.";
    Diff = 13, "DIFF", "To learners: what is missing follows as proposals.";
    Trunc = 14, "TRUNC", "To learners: cut the log after the zxid.";
    Snap = 15, "SNAP", "To learners: forget everything; the bytes that follow are a [`snap`](super::snap) stream and no packets.";
    ObserverInfo = 16, "OBSERVERINFO", "To the leader, first: FOLLOWERINFO of one that does not vote.";
    LeaderInfo = 17, "LEADERINFO", "To learners: the zxid holds the new epoch, data is a [`LeaderInfo`](super::learner::LeaderInfo).";
    AckEpoch = 18, "ACKEPOCH", "To the leader: the zxid is the last one in the log, data is an [`AckEpoch`](super::learner::AckEpoch).";
    InformAndActivate = 19, "INFORMANDACTIVATE", "To observers: INFORM of a reconfig; data is an [`InformAndActivate`](super::learner::InformAndActivate).";
}

/// The zxid of packets where it means nothing: REQUEST, REVALIDATE, UPTODATE.
pub const NO_ZXID: Zxid = Zxid(-1);

/// The longest buffer or string that a server with this `jute.maxbuffer` reads, bytes: there is a slack of
/// `zookeeper.jute.maxbuffer.extrasize`, which is another `max_buffer` where it is not set, and never below 1024.
#[must_use]
pub fn read_limit(max_buffer: usize, extra: Option<usize>) -> usize {
    max_buffer.saturating_add(extra.unwrap_or(max_buffer).max(1024))
}

/// A packet. Borrows from the bytes it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What it says.
    pub kind: PacketKind,
    /// Which place in the history it says it of.
    pub zxid: Zxid,
    /// What belongs to it; null and empty differ.
    pub data: Option<&'a [u8]>,
    /// Who the client is, in a REQUEST.
    pub authinfo: Option<Vec<Id<'a>>>,
}

impl<'a> Packet<'a> {
    /// A packet without identities.
    #[must_use]
    pub const fn new(kind: PacketKind, zxid: Zxid, data: Option<&'a [u8]>) -> Self {
        Self { kind, zxid, data, authinfo: None }
    }

    /// Reads the packet at the start of what has arrived and says how many bytes it takes; `None` when it is not all there yet.
    ///
    /// `limit` is the most that the data, each text, and all identities together may take: [`read_limit`]. A packet is never longer
    /// than twice that and 20 bytes, and so much buffer is enough. Nothing is allocated before the packet is whole.
    ///
    /// # Errors
    /// As soon as the bytes can be no packet: an unknown kind, a length that is negative or above the limit. The
    /// connection is of no use then.
    pub fn read_prefix(
        bytes: &'a [u8],
        limit: usize,
    ) -> Result<Option<(Self, usize)>, DecodeError> {
        match Self::extent(bytes, limit)? {
            Extent::Whole(len) => Ok(Some((Self::from_bytes(bytes)?, len))),
            Extent::AtLeast(_) => Ok(None),
        }
    }

    /// How many bytes the packet at the start of `bytes` takes, as far as they tell. With [`Extent::AtLeast`] a reader knows how much to
    /// wait for.
    ///
    /// # Errors
    /// As [`read_prefix`](Self::read_prefix).
    pub fn extent(bytes: &[u8], limit: usize) -> Result<Extent, DecodeError> {
        Prefix::extent(bytes, limit, |prefix| {
            kind_of(prefix.int()?)?;
            prefix.take(8)?;
            prefix.buffer()?;
            prefix.vector(SHORTEST_ID, step_over_id)
        })
    }
}

fn step_over_id(prefix: &mut Prefix<'_>) -> Result<(), Stop> {
    prefix.buffer()?;
    prefix.buffer()?;
    Ok(())
}

fn kind_of(code: i32) -> Result<PacketKind, DecodeError> {
    PacketKind::from_code(code)
        .ok_or(DecodeError::Unknown { what: "packet type", value: code.into() })
}

impl<'a> Jute<'a> for PacketKind {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        kind_of(r.get()?)
    }
    fn write(&self, out: &mut Vec<u8>) {
        self.code().write(out);
    }
}

impl<'a> Jute<'a> for Packet<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { kind: r.get()?, zxid: r.get()?, data: r.get()?, authinfo: r.get()? })
    }
    fn write(&self, out: &mut Vec<u8>) {
        self.kind.write(out);
        self.zxid.write(out);
        self.data.write(out);
        self.authinfo.write(out);
    }
}

/// Bytes of an identity of two nulls.
const SHORTEST_ID: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 100;

    fn packets() -> Vec<Packet<'static>> {
        let ids = vec![
            Id::new("ip", "127.0.0.1"),
            Id { scheme: None, id: None },
            Id::new("digest", "user:hash"),
        ];
        let request = Packet {
            authinfo: Some(ids),
            ..Packet::new(PacketKind::Request, NO_ZXID, Some(b"write"))
        };
        let ping =
            Packet { authinfo: Some(vec![]), ..Packet::new(PacketKind::Ping, Zxid(7), Some(b"")) };
        vec![request, Packet::new(PacketKind::Ack, Zxid(1 << 32), None), ping]
    }

    #[test]
    fn every_kind_is_found_by_its_number() {
        assert_eq!(PacketKind::ALL.len(), 19);
        for (&kind, code) in PacketKind::ALL.iter().zip(1..) {
            assert_eq!((kind.code(), PacketKind::from_code(code)), (code, Some(kind)));
        }
        for code in [0, 20, -1, i32::MAX] {
            assert_eq!(PacketKind::from_code(code), None);
        }
    }

    #[test]
    fn packets_are_found_one_after_the_other_when_their_last_byte_is_there() {
        let mut stream = Vec::new();
        packets().iter().for_each(|packet| packet.write(&mut stream));
        let mut rest = &stream[..];
        for packet in packets() {
            let len = packet.to_bytes().len();
            for cut in 0..len {
                assert_eq!(Packet::read_prefix(&rest[..cut], LIMIT), Ok(None), "cut at {cut}");
                let extent = Packet::extent(&rest[..cut], LIMIT);
                assert!(
                    matches!(extent, Ok(Extent::AtLeast(n)) if n > cut && n <= len),
                    "{extent:?}"
                );
            }
            assert_eq!(Packet::read_prefix(rest, LIMIT), Ok(Some((packet, len))));
            rest = &rest[len..];
        }
        assert_eq!(Packet::new(PacketKind::Ack, Zxid(5), None).to_bytes().len(), 20);
    }

    #[test]
    fn an_unknown_kind_is_refused_by_its_number_at_once() {
        let error = Packet::read_prefix(&[0, 0, 0, 20], LIMIT).unwrap_err();
        assert_eq!(error.to_string(), "20 is not a known packet type");
    }

    /// The beginning of a packet whose data has this length.
    fn announce(len: i32) -> Vec<u8> {
        let mut bytes = Packet::new(PacketKind::Proposal, Zxid(1), None).to_bytes();
        bytes.truncate(12);
        len.write(&mut bytes);
        bytes
    }

    #[test]
    fn a_length_is_judged_before_what_it_announces_comes() {
        assert_eq!(Packet::read_prefix(&announce(100), LIMIT), Ok(None));
        for len in [101, i32::MAX, -2, i32::MIN] {
            let refused = Err(DecodeError::Length(len));
            assert_eq!(Packet::read_prefix(&announce(len), LIMIT), refused);
        }
    }

    #[test]
    fn identities_are_limited_one_by_one_and_together() {
        let with = |count: i32, rest: &[u8]| {
            let mut bytes = announce(-1);
            count.write(&mut bytes);
            bytes.extend_from_slice(rest);
            Packet::read_prefix(&bytes, LIMIT).map(|read| read.map(|(_, len)| len))
        };
        assert_eq!(with(12, &[]), Ok(None));
        assert_eq!(with(13, &[]), Err(DecodeError::Length(13)), "13 of 8 bytes are more than 100");
        assert_eq!(with(i32::MAX, &[]), Err(DecodeError::Length(i32::MAX)));
        assert_eq!(with(1, &[0, 0, 0, 101]), Err(DecodeError::Length(101)));
        let id = Id::new("x".repeat(43), "y".repeat(50)).to_bytes();
        assert_eq!(with(1, &id), Err(DecodeError::Length(1)), "101 bytes of identities");
        assert_eq!(with(1, &Id::new("x".repeat(42), "y".repeat(50)).to_bytes()), Ok(Some(120)));
        assert_eq!(with(1, &id[..60]), Err(DecodeError::Length(1)), "known before it is there");
        assert_eq!(with(1, &id[..45]), Ok(None));
    }

    #[test]
    fn the_limit_has_a_slack() {
        assert_eq!(read_limit(0xF_FFFF, None), 0x1F_FFFE);
        assert_eq!(read_limit(0xF_FFFF, Some(0)), 0xF_FFFF + 1024);
        assert_eq!(read_limit(100, None), 1124);
    }
}
