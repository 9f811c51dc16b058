//! The port for learners: packets with what they carry, the proof who the servers are, and the tree behind a SNAP packet.

use quorate_engine::tree::{TreeConfig, TreeReceiver};
use quorate_engine::zab::{ToLeader, ToLearner};
use quorate_wire::Zxid;
use quorate_wire::image::{self, AclEntry, SessionEntry};
use quorate_wire::jute::Jute;
use quorate_wire::prefix::Extent;
use quorate_wire::quorum::auth::QuorumAuthPacket;
use quorate_wire::quorum::learner::{
    AckEpoch, InformAndActivate, LeaderInfo, LearnerInfo, Request, RevalidateReply,
    RevalidateRequest, SuggestedLeader, touches,
};
use quorate_wire::quorum::packet::Packet;
use quorate_wire::quorum::snap::{self, SnapItem, SnapReader};

/// Holds that the value, if the bytes are one, comes back as it was.
macro_rules! assert_round_trip {
    ($data:expr, $($value:ident)*) => {$(
        if let Ok(value) = $value::from_bytes($data) {
            let bytes = value.to_bytes();
            assert_eq!($value::from_bytes(&bytes).as_ref(), Ok(&value));
        }
    )*};
}

/// What comes in on the channel between a leader and a learner: steps of a proof, then packets; and the bytes as the data of any
/// packet.
pub fn learner(data: &[u8]) {
    let mut rest = data;
    while let Ok(Some((_, consumed))) = QuorumAuthPacket::read_prefix(rest, LIMIT) {
        assert!(QuorumAuthPacket::is_next(rest) == Some(true) && consumed <= LIMIT + 16);
        assert_round_trip!(rest, QuorumAuthPacket);
        rest = rest.get(consumed..).unwrap_or_default();
    }
    while let Ok(Some((packet, consumed))) = Packet::read_prefix(rest, LIMIT) {
        assert!(consumed <= LONGEST_PACKET);
        assert_round_trip!(rest, Packet);
        assert_cut(rest.get(..consumed).unwrap_or_default());
        payload(packet.data.unwrap_or_default());
        messages(&packet);
        rest = rest.get(consumed..).unwrap_or_default();
    }
    if let Ok(Extent::AtLeast(needed)) = Packet::extent(rest, LIMIT) {
        assert!(needed > rest.len() && needed <= LONGEST_PACKET, "{needed} bytes are waited for");
    }
    payload(data);
}

/// A packet that is a message of one side or the other is written as one that says the same.
fn messages(packet: &Packet<'_>) {
    let mut room = Vec::new();
    if let Ok(message) = ToLearner::from_packet(packet) {
        assert_eq!(ToLearner::from_packet(&message.packet(&mut room)).as_ref(), Ok(&message));
    }
    if let Ok(message) = ToLeader::from_packet(packet) {
        assert_eq!(ToLeader::from_packet(&message.packet(&mut room)).as_ref(), Ok(&message));
    }
}

/// A packet that lacks something is incomplete and no error, and is never thought to be longer than it is.
fn assert_cut(packet: &[u8]) {
    for cut in [0, 3, packet.len() / 2, packet.len().saturating_sub(1)] {
        let extent = Packet::extent(packet.get(..cut).unwrap_or_default(), LIMIT);
        assert!(
            matches!(extent, Ok(Extent::AtLeast(n)) if n > cut && n <= packet.len()),
            "{extent:?} of {}, cut at {cut}",
            packet.len()
        );
    }
}

fn payload(data: &[u8]) {
    assert_round_trip!(data, LearnerInfo LeaderInfo AckEpoch Request RevalidateRequest);
    assert_round_trip!(data, RevalidateReply SuggestedLeader InformAndActivate);
    if let Ok(touched) = touches(data) {
        let mut again = Vec::new();
        touched.for_each(|touch| touch.write(&mut again));
        assert_eq!(again, data);
    }
}

/// The stream behind a SNAP packet, in pieces of the size that the first byte says: the same items come as from the whole, they make
/// the same stream, and the tree that they make is sound.
pub fn snap_stream(data: &[u8]) {
    let Some((&size, stream)) = data.split_first() else { return };
    let size = usize::from(size).max(1);
    let (items, over) = read(stream, stream.len().max(1));
    assert_eq!(read(stream, size), (items.clone(), over));
    if over {
        assert_eq!(read(&write(&items), size), (items, true));
    }
    receive(stream, size, over);
}

/// The items in the stream, and whether its end was among them.
fn read(stream: &[u8], size: usize) -> (Vec<SnapItem<'_>>, bool) {
    let (mut reader, mut items) = (SnapReader::new(LIMIT), Vec::new());
    let (mut begin, mut end) = (0, 0);
    while end < stream.len() {
        end = end.saturating_add(size).min(stream.len());
        let arrived = stream.get(begin..end).unwrap_or_default();
        let mut input = arrived;
        loop {
            match reader.next(&mut input) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(_) => return (items, false),
            }
        }
        assert!(reader.is_over() || input.len() <= LONGEST_ITEM, "{} bytes wait", input.len());
        begin += arrived.len() - input.len();
    }
    (items, reader.is_over())
}

fn write(items: &[SnapItem<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    let sessions: Vec<SessionEntry> = items
        .iter()
        .filter_map(|item| if let SnapItem::Session(it) = item { Some(*it) } else { None })
        .collect();
    image::write_sessions(sessions.into_iter(), &mut out);
    let acls: Vec<&AclEntry<'_>> = items
        .iter()
        .filter_map(|item| if let SnapItem::Acl(it) = item { Some(it) } else { None })
        .collect();
    image::write_acls(acls.into_iter().map(|entry| (entry.id, &entry.acl[..])), &mut out);
    for item in items {
        if let SnapItem::Node(node) = item {
            image::write_node(&node.path, node.data, node.acl, &node.stat, &mut out);
        }
    }
    snap::write_end(&mut out);
    out
}

fn receive(stream: &[u8], size: usize, over: bool) {
    let mut receiver = TreeReceiver::new(TreeConfig { hash_seed: 1, digest: true }, LIMIT);
    let (mut begin, mut end) = (0, 0);
    while end < stream.len() {
        end = end.saturating_add(size).min(stream.len());
        let Ok(taken) = receiver.receive(stream.get(begin..end).unwrap_or_default()) else {
            return;
        };
        begin += taken;
    }
    assert_eq!(receiver.is_complete(), over);
    if let Ok(tree) = receiver.finish(Zxid(1)) {
        assert!(over);
        assert_eq!(tree.digest(), tree.computed_digest());
    }
}

/// Small, so that lengths above the limit are common.
const LIMIT: usize = 1 << 12;
const LONGEST_PACKET: usize = 2 * LIMIT + 20;
const LONGEST_ITEM: usize = 2 * LIMIT + 100;
