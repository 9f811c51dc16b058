//! Between [messages](super::message) and the packets on the wire.
//!
//! Every message is some packet. A packet is a message unless the other side may not say it, or its data are not what
//! its kind demands: then a [`CodecError`] says what came where, and the connection is of no use any more. What is ignored is what
//! Apache ignores too: data behind the known fields, the zxids of REQUEST, REVALIDATE, SYNC and UPTODATE, identities outside of REQUEST.
//! A message takes no more memory than its packet; the bytes of a transaction are copied once, into its [`Entry`].
//!
//! COMMITANDACTIVATE and INFORMANDACTIVATE are messages of their own. A learner takes them as COMMIT and INFORM, and tells its driver
//! with [`Activate`](super::LearnerEffect::Activate).

#[cfg(test)]
mod tests;

use super::message::{LearnerKind, Request};
use super::{Entry, Epoch, LAST_EPOCH, ToLeader, ToLearner, start_of};
use quorate_wire::Zxid;
use quorate_wire::acl::Id;
use quorate_wire::jute::{self, DecodeError, Jute};
use quorate_wire::quorum::learner::{
    self, AckEpoch, BEAT, InformAndActivate, LeaderInfo, LearnerInfo, PROTOCOL_VERSION,
    RevalidateReply, RevalidateRequest, SuggestedLeader, Touch, touches,
};
use quorate_wire::quorum::packet::{NO_ZXID, Packet, PacketKind};
use quorate_wire::txn::TxnRecord;
use std::sync::Arc;

/// A packet that is no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} of {zxid}: {why}", kind.name())]
pub struct CodecError {
    /// What came.
    pub kind: PacketKind,
    /// The zxid it came with.
    pub zxid: Zxid,
    /// What is wrong with it.
    pub why: Malformed,
}

/// What is wrong with a packet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Only a leader says this.
    #[error("no learner says this")]
    FromLearner,
    /// Only a learner says this.
    #[error("no leader says this")]
    FromLeader,
    /// It must have data.
    #[error("it has no data")]
    NoData,
    /// The data are something else.
    #[error("its data are something else: {0}")]
    Data(#[from] DecodeError),
    /// The zxid is not where an epoch begins.
    #[error("no epoch begins there")]
    NoEpoch,
    /// There is no such epoch.
    #[error("{0} is no epoch")]
    Epoch(i32),
    /// It speaks a protocol without LEADERINFO and ACKEPOCH, as before ZooKeeper 3.4.
    #[error("version {0:#x} of the protocol is too old")]
    Version(i32),
    /// The transaction is another one than the packet says.
    #[error("its transaction is {0}")]
    OtherTxn(Zxid),
}

/// Appends the packets of a committed transaction, as they are sent to a learner that lacks it: PROPOSAL and COMMIT.
pub fn write_committed(zxid: Zxid, payload: &[u8], out: &mut Vec<u8>) {
    let proposal = (PacketKind::Proposal, Some(payload));
    for (kind, data) in [proposal, (PacketKind::Commit, None)] {
        Packet { kind, zxid, data, authinfo: None }.write(out);
    }
}

impl ToLearner {
    /// The message that a packet of a leader is. After SNAP, the tree follows on the connection.
    ///
    /// # Errors
    /// When it is none; the connection is of no use then.
    pub fn from_packet(packet: &Packet<'_>) -> Result<Self, CodecError> {
        Self::read(packet).map_err(|why| error(packet, why))
    }

    fn read(packet: &Packet<'_>) -> Result<Self, Malformed> {
        let zxid = packet.zxid;
        Ok(match packet.kind {
            PacketKind::LeaderInfo => {
                let LeaderInfo { protocol_version, beat } = data(packet)?;
                spoken(protocol_version)?;
                Self::LeaderInfo(epoch(zxid)?, beat)
            }
            PacketKind::Diff => Self::Diff(zxid),
            PacketKind::Trunc => Self::Trunc(zxid),
            PacketKind::Snap => Self::Snap(zxid),
            PacketKind::Proposal => Self::Proposal(entry(zxid, bytes(packet)?)?),
            PacketKind::Commit => Self::Commit(zxid),
            PacketKind::CommitAndActivate => {
                Self::CommitAndActivate(zxid, data::<SuggestedLeader>(packet)?.sid)
            }
            PacketKind::Inform => Self::Inform(entry(zxid, bytes(packet)?)?),
            PacketKind::InformAndActivate => {
                let InformAndActivate { suggested_leader, txn } = data(packet)?;
                Self::InformAndActivate(entry(zxid, txn)?, suggested_leader)
            }
            PacketKind::NewLeader => {
                let config = packet.data.map(|config| Arc::from(&*jute::text(config)));
                Self::NewLeader(epoch(zxid)?, config)
            }
            PacketKind::UpToDate => Self::UpToDate,
            PacketKind::Ping if packet.data == Some(BEAT) => Self::Beat,
            PacketKind::Ping => Self::Ping(zxid),
            PacketKind::Sync => Self::Sync,
            PacketKind::Revalidate => {
                let RevalidateReply { session, valid } = data(packet)?;
                Self::Revalidate { session, valid }
            }
            PacketKind::Request
            | PacketKind::Ack
            | PacketKind::FollowerInfo
            | PacketKind::ObserverInfo
            | PacketKind::AckEpoch => return Err(Malformed::FromLeader),
        })
    }

    /// Its packet. `room` is for data that no message holds as bytes; what it held is lost.
    #[must_use]
    pub fn packet<'a>(&'a self, room: &'a mut Vec<u8>) -> Packet<'a> {
        room.clear();
        let (kind, zxid, data) = match self {
            Self::LeaderInfo(epoch, beat) => {
                let info = LeaderInfo { protocol_version: PROTOCOL_VERSION, beat: *beat };
                (PacketKind::LeaderInfo, start_of(*epoch), Some(encoded(&info, room)))
            }
            Self::Diff(zxid) => (PacketKind::Diff, *zxid, None),
            Self::Trunc(zxid) => (PacketKind::Trunc, *zxid, None),
            Self::Snap(zxid) => (PacketKind::Snap, *zxid, None),
            Self::Proposal(entry) => (PacketKind::Proposal, entry.zxid(), Some(entry.payload())),
            Self::Commit(zxid) => (PacketKind::Commit, *zxid, None),
            Self::CommitAndActivate(zxid, sid) => {
                let leader = SuggestedLeader { sid: *sid };
                (PacketKind::CommitAndActivate, *zxid, Some(encoded(&leader, room)))
            }
            Self::Inform(entry) => (PacketKind::Inform, entry.zxid(), Some(entry.payload())),
            Self::InformAndActivate(entry, sid) => {
                let inform = InformAndActivate { suggested_leader: *sid, txn: entry.payload() };
                (PacketKind::InformAndActivate, entry.zxid(), Some(encoded(&inform, room)))
            }
            Self::NewLeader(epoch, config) => {
                (PacketKind::NewLeader, start_of(*epoch), config.as_deref().map(str::as_bytes))
            }
            Self::UpToDate => (PacketKind::UpToDate, NO_ZXID, None),
            Self::Ping(zxid) => (PacketKind::Ping, *zxid, None),
            Self::Beat => (PacketKind::Ping, NO_ZXID, Some(BEAT)),
            Self::Sync => (PacketKind::Sync, Zxid::ZERO, None),
            Self::Revalidate { session, valid } => {
                let reply = RevalidateReply { session: *session, valid: *valid };
                (PacketKind::Revalidate, NO_ZXID, Some(encoded(&reply, room)))
            }
        };
        Packet::new(kind, zxid, data)
    }
}

impl ToLeader {
    /// The message that a packet of a learner is.
    ///
    /// # Errors
    /// When it is none; the connection is of no use then.
    pub fn from_packet(packet: &Packet<'_>) -> Result<Self, CodecError> {
        Self::read(packet).map_err(|why| error(packet, why))
    }

    fn read(packet: &Packet<'_>) -> Result<Self, Malformed> {
        let zxid = packet.zxid;
        Ok(match packet.kind {
            PacketKind::FollowerInfo => info(LearnerKind::Follower, packet)?,
            PacketKind::ObserverInfo => info(LearnerKind::Observer, packet)?,
            PacketKind::AckEpoch => {
                let current = data::<AckEpoch>(packet)?.current_epoch;
                if let Some(negative) = current.filter(|current| *current < 0) {
                    return Err(Malformed::Epoch(negative));
                }
                Self::AckEpoch { current: current.map(Epoch::from), last: zxid }
            }
            PacketKind::Ack => Self::Ack(zxid),
            PacketKind::Ping => {
                let touched = touches(bytes(packet)?)?;
                Self::Ping(zxid, touched.map(|touch| (touch.session, touch.timeout)).collect())
            }
            PacketKind::Request => Self::Request(request(packet)?),
            PacketKind::Revalidate => {
                let RevalidateRequest { session, timeout } = data(packet)?;
                Self::Revalidate { session, timeout }
            }
            PacketKind::Proposal
            | PacketKind::Commit
            | PacketKind::Sync
            | PacketKind::Inform
            | PacketKind::CommitAndActivate
            | PacketKind::NewLeader
            | PacketKind::UpToDate
            | PacketKind::Diff
            | PacketKind::Trunc
            | PacketKind::Snap
            | PacketKind::LeaderInfo
            | PacketKind::InformAndActivate => return Err(Malformed::FromLearner),
        })
    }

    /// Its packet. `room` is for the packet's data; what it held is lost.
    #[must_use]
    pub fn packet<'a>(&'a self, room: &'a mut Vec<u8>) -> Packet<'a> {
        room.clear();
        match self {
            Self::Info { sid, kind, accepted, config, features } => {
                let kind = match kind {
                    LearnerKind::Follower => PacketKind::FollowerInfo,
                    LearnerKind::Observer => PacketKind::ObserverInfo,
                };
                let info = LearnerInfo { features: *features, ..LearnerInfo::new(*sid, *config) };
                Packet::new(kind, start_of(*accepted), Some(encoded(&info, room)))
            }
            Self::AckEpoch { current, last } => {
                let ack = AckEpoch { current_epoch: current.map(on_the_wire) };
                Packet::new(PacketKind::AckEpoch, *last, Some(encoded(&ack, room)))
            }
            Self::Ack(zxid) => Packet::new(PacketKind::Ack, *zxid, None),
            Self::Ping(zxid, touched) => {
                for &(session, timeout) in touched {
                    Touch { session, timeout }.write(room);
                }
                Packet::new(PacketKind::Ping, *zxid, Some(room))
            }
            Self::Request(request) => {
                let Request { session, cxid, op, body, identities } = request;
                let data = learner::Request { session: *session, cxid: *cxid, op: *op, body };
                let packet = Packet::new(PacketKind::Request, NO_ZXID, Some(encoded(&data, room)));
                let identities = identities.as_ref();
                let authinfo = identities.map(|ids| ids.iter().map(borrowed).collect());
                Packet { authinfo, ..packet }
            }
            Self::Revalidate { session, timeout } => {
                let request = RevalidateRequest { session: *session, timeout: *timeout };
                Packet::new(PacketKind::Revalidate, NO_ZXID, Some(encoded(&request, room)))
            }
        }
    }
}

fn error(packet: &Packet<'_>, why: Malformed) -> CodecError {
    CodecError { kind: packet.kind, zxid: packet.zxid, why }
}

fn bytes<'a>(packet: &Packet<'a>) -> Result<&'a [u8], Malformed> {
    packet.data.ok_or(Malformed::NoData)
}

fn data<'a, T: Jute<'a>>(packet: &Packet<'a>) -> Result<T, Malformed> {
    Ok(T::from_bytes(bytes(packet)?)?)
}

fn encoded<'a, 'b>(value: &impl Jute<'b>, room: &'a mut Vec<u8>) -> &'a [u8] {
    value.write(room);
    room
}

/// The epoch that begins at this zxid.
fn epoch(zxid: Zxid) -> Result<Epoch, Malformed> {
    let begins = zxid.counter() == 0 && (0..=LAST_EPOCH).contains(&zxid.epoch());
    begins.then(|| zxid.epoch()).ok_or(Malformed::NoEpoch)
}

fn spoken(version: i32) -> Result<(), Malformed> {
    if version >= PROTOCOL_VERSION { Ok(()) } else { Err(Malformed::Version(version)) }
}

/// A transaction, whole. A log that holds what is none, or one under another zxid than its own, could not be read again: so this is
/// found out before it is in the log, and not when it is to be applied.
fn entry(zxid: Zxid, payload: &[u8]) -> Result<Entry, Malformed> {
    let inside = TxnRecord::from_bytes(payload)?.header.zxid;
    if inside != zxid {
        return Err(Malformed::OtherTxn(inside));
    }
    Ok(Entry::from_payload(zxid, payload))
}

fn info(kind: LearnerKind, packet: &Packet<'_>) -> Result<ToLeader, Malformed> {
    let info: LearnerInfo = data(packet)?;
    spoken(info.protocol_version)?;
    Ok(ToLeader::Info {
        sid: info.server_id,
        kind,
        accepted: epoch(packet.zxid)?,
        config: info.config_version,
        features: info.features,
    })
}

fn request(packet: &Packet<'_>) -> Result<Request, Malformed> {
    let learner::Request { session, cxid, op, body } = data(packet)?;
    let identities = packet.authinfo.as_ref();
    let identities = identities.map(|ids| ids.iter().cloned().map(Id::into_owned).collect());
    Ok(Request { session, cxid, op, body: Arc::from(body), identities })
}

/// No epoch is beyond [`LAST_EPOCH`], which fits.
fn on_the_wire(epoch: Epoch) -> i32 {
    i32::try_from(epoch.clamp(0, LAST_EPOCH)).unwrap_or(i32::MAX)
}

fn borrowed<'a>(id: &'a Id<'static>) -> Id<'a> {
    let text = |text: &'a Option<std::borrow::Cow<'static, str>>| text.as_deref().map(Into::into);
    Id { scheme: text(&id.scheme), id: text(&id.id) }
}
