//! Everything that the servers of Apache's ensembles said to each other is read as an independent decoder read it, and written
//! back to the same bytes.
//!
//! A snapshot among it becomes a tree, to which what the leader sent afterwards is applied, digests compared.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the helpers of a test fail as the test does"
)]

use quorate_engine::tree::{Tree, TreeConfig, TreeReceiver};
use quorate_tests::vectors::{self, ServerConnection, ServerStream, describe};
use quorate_wire::frame::Split;
use quorate_wire::image;
use quorate_wire::jute::Jute;
use quorate_wire::prefix::Extent;
use quorate_wire::quorum::auth::QuorumAuthPacket;
use quorate_wire::quorum::election::{
    InitialForm, InitialMessage, Notification, ServerState, split_notification,
};
use quorate_wire::quorum::learner::{
    AckEpoch, InformAndActivate, LeaderInfo, LearnerInfo, Request, RevalidateReply,
    RevalidateRequest, SuggestedLeader, touches,
};
use quorate_wire::quorum::membership::Membership;
use quorate_wire::quorum::packet::{Packet, PacketKind, read_limit};
use quorate_wire::quorum::snap::{self, SnapItem, SnapReader};
use quorate_wire::txn::TxnRecord;
use quorate_wire::{Id, Zxid};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

#[test]
fn every_packet_between_leader_and_learners_is_read_and_written_back() {
    let mut frames = 0;
    for ServerConnection { name, initiator, acceptor, .. } in channels(false) {
        for (stream, from_leader) in [(initiator, false), (acceptor, true)] {
            let read = packets(&stream, from_leader);
            assert_frames(&read, &stream.frames, &name);
            frames += read.len();
        }
    }
    assert_eq!(frames, 560);
}

#[test]
fn every_election_message_is_read_and_written_back() {
    let mut frames = 0;
    for ServerConnection { name, initiator, acceptor, .. } in channels(true) {
        for (stream, first) in [(initiator, true), (acceptor, false)] {
            let read = messages(&stream, first);
            assert_frames(&read, &stream.frames, &name);
            frames += read.len();
        }
    }
    assert_eq!(frames, 91);
}

#[test]
fn every_configuration_is_read_and_written_back() {
    let mut texts = BTreeSet::new();
    for ServerConnection { initiator, acceptor, .. } in vectors::server_connections() {
        configurations(&initiator.frames, &mut texts);
        configurations(&acceptor.frames, &mut texts);
    }
    for text in &texts {
        assert_eq!(&Membership::parse(text).unwrap().to_string(), text);
    }
    assert_eq!(texts.len(), 10);
}

/// Whatever a notification, a NEWLEADER or a reconfiguration has brought.
fn configurations(frames: &Value, texts: &mut BTreeSet<String>) {
    match frames {
        Value::String(text) if text.starts_with("server.") => _ = texts.insert(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| configurations(item, texts)),
        Value::Object(fields) => fields.values().for_each(|field| configurations(field, texts)),
        _ => {}
    }
}

#[test]
fn what_is_cut_within_a_message_is_incomplete() {
    for connection in channels(false) {
        for stream in [connection.initiator, connection.acceptor] {
            for frame in stream.frames.as_array().unwrap() {
                let at = usize::try_from(frame["at"].as_u64().unwrap()).unwrap();
                let rest = &stream.bytes[at..];
                match frame["kind"].as_str() {
                    None => assert_cut_packet(rest),
                    Some("QuorumAuthPacket") => {
                        let (_, len) =
                            QuorumAuthPacket::read_prefix(rest, limit()).unwrap().unwrap();
                        for cut in 0..len {
                            let read = QuorumAuthPacket::read_prefix(&rest[..cut], limit());
                            assert_eq!(read, Ok(None), "cut at {cut}");
                        }
                    }
                    Some(_) => {}
                }
            }
        }
    }
}

fn assert_cut_packet(bytes: &[u8]) {
    let (_, len) = Packet::read_prefix(bytes, limit()).unwrap().unwrap();
    for cut in 0..len {
        let read = Packet::read_prefix(&bytes[..cut], limit());
        assert_eq!(read, Ok(None), "cut at {cut}");
        let extent = Packet::extent(&bytes[..cut], limit()).unwrap();
        assert!(matches!(extent, Extent::AtLeast(n) if n > cut && n <= len), "cut at {cut}");
    }
}

#[test]
fn a_learner_that_began_with_nothing_has_the_tree_of_every_digest() {
    let (mut compared, mut snaps) = (0, 0);
    for connection in channels(false) {
        let bytes = &connection.acceptor.bytes[..];
        let (mut at, mut tree) = (0, None);
        while at < bytes.len() {
            let rest = &bytes[at..];
            if let Ok(Some((_, len))) = QuorumAuthPacket::read_prefix(rest, limit()) {
                at += len;
                continue;
            }
            let (packet, len) = Packet::read_prefix(rest, limit()).unwrap().unwrap();
            at += len;
            match packet.kind {
                PacketKind::Diff if packet.zxid == Zxid::ZERO => tree = Some(Tree::new(CONFIG)),
                PacketKind::Snap => {
                    let (received, len) = receive(&bytes[at..], packet.zxid);
                    tree = Some(received);
                    at += len;
                    snaps += 1;
                }
                kind => {
                    if let (Some(tree), Some(txn)) = (&mut tree, txn_of(kind, packet.data)) {
                        compared += apply(tree, txn, &connection.name);
                    }
                }
            }
        }
    }
    assert_eq!((snaps, compared), (3, 37));
}

/// Receives a snapshot in small pieces; says how long it is, too.
fn receive(bytes: &[u8], zxid: Zxid) -> (Tree, usize) {
    let (mut receiver, mut buffer) = (TreeReceiver::new(CONFIG, limit()), Vec::new());
    for piece in bytes.chunks(7) {
        buffer.extend_from_slice(piece);
        let taken = receiver.receive(&buffer).unwrap();
        buffer.drain(..taken);
    }
    let len = usize::try_from(receiver.received()).unwrap();
    let tree = receiver.finish(zxid).unwrap();
    assert_eq!((tree.digest(), tree.missing_acl()), (tree.computed_digest(), None));
    (tree, len)
}

fn txn_of(kind: PacketKind, data: Option<&[u8]>) -> Option<&[u8]> {
    match kind {
        PacketKind::Proposal | PacketKind::Inform => data,
        PacketKind::InformAndActivate => {
            Some(InformAndActivate::from_bytes(data.unwrap()).unwrap().txn)
        }
        _ => None,
    }
}

/// Applies what the tree does not hold yet, and counts the digests compared.
fn apply(tree: &mut Tree, txn: &[u8], context: &str) -> usize {
    let record = TxnRecord::from_bytes(txn).unwrap();
    if record.header.zxid <= tree.last_zxid() {
        return 0;
    }
    tree.apply(&record, &mut ());
    let Some(digest) = record.digest else { return 0 };
    assert_eq!(tree.digest(), digest.tree, "{context}, after {record:?}");
    1
}

/// The packets of a stream as the independent decoder describes them.
fn packets(stream: &ServerStream, from_leader: bool) -> Vec<Value> {
    let (bytes, mut at, mut frames) = (&stream.bytes[..], 0, Vec::new());
    while at < bytes.len() {
        let rest = &bytes[at..];
        if QuorumAuthPacket::is_next(rest) == Some(true) {
            let (frame, len) = auth(at, rest);
            frames.push(frame);
            at += len;
            continue;
        }
        let (packet, len) = Packet::read_prefix(rest, limit()).unwrap().unwrap();
        assert_eq!(packet.to_bytes(), rest[..len]);
        frames.push(packet_json(at, len, &packet, from_leader));
        at += len;
        if packet.kind == PacketKind::Snap {
            let (frame, len) = snapshot(at, &bytes[at..]);
            frames.push(frame);
            at += len;
        }
    }
    frames
}

fn packet_json(at: usize, len: usize, packet: &Packet<'_>, from_leader: bool) -> Value {
    let mut frame = json!({
        "at": at,
        "len": len,
        "type": packet.kind.code(),
        "name": packet.kind.name(),
        "zxid": describe::hex(packet.zxid.0),
    });
    if let Some(ids) = &packet.authinfo {
        let pair = |id: &Id<'_>| json!([id.scheme, id.id]);
        frame["authinfo"] = ids.iter().map(pair).collect();
    }
    if let Some(data) = packet.data {
        frame["data"] = payload_json(packet.kind, data, from_leader);
    }
    frame
}

fn payload_json(kind: PacketKind, data: &[u8], from_leader: bool) -> Value {
    match kind {
        PacketKind::Proposal | PacketKind::Inform => describe::record(&exact(data)),
        PacketKind::InformAndActivate => {
            let InformAndActivate { suggested_leader, txn } = exact(data);
            json!({ "designatedLeader": suggested_leader, "txn": describe::record(&exact(txn)) })
        }
        PacketKind::CommitAndActivate => {
            json!({ "designatedLeader": exact::<SuggestedLeader>(data).sid })
        }
        PacketKind::FollowerInfo | PacketKind::ObserverInfo => {
            let info: LearnerInfo = exact(data);
            assert_eq!(LearnerInfo::from_data(Some(data)), Ok(Some(info)));
            json!({
                "serverid": info.server_id,
                "protocolVersion": describe::hex(info.protocol_version.into()),
                "configVersion": describe::hex(info.config_version),
            })
        }
        PacketKind::LeaderInfo => {
            let version = exact::<LeaderInfo>(data).protocol_version;
            json!({ "protocolVersion": describe::hex(version.into()) })
        }
        PacketKind::AckEpoch => {
            json!({ "currentEpoch": exact::<AckEpoch>(data).current_epoch.unwrap_or(-1) })
        }
        PacketKind::NewLeader => json!({ "config": describe::text(Some(data)) }),
        PacketKind::Request => {
            let Request { session, cxid, op, body } = exact(data);
            let payload = describe::bytes(body);
            json!({ "session": describe::hex(session), "cxid": cxid, "op": op, "payload": payload })
        }
        PacketKind::Revalidate if from_leader => {
            let reply: RevalidateReply = exact(data);
            json!({ "session": describe::hex(reply.session), "valid": reply.valid })
        }
        PacketKind::Revalidate => {
            let request: RevalidateRequest = exact(data);
            json!({ "session": describe::hex(request.session), "timeout": request.timeout })
        }
        PacketKind::Ping => {
            let mut again = Vec::new();
            let touched = touches(data).unwrap().map(|touch| {
                touch.write(&mut again);
                json!([describe::hex(touch.session), touch.timeout])
            });
            let touched: Value = touched.collect();
            assert_eq!(again, data);
            json!({ "touches": touched })
        }
        kind => json!(format!("{} has data", kind.name())),
    }
}

/// Reads a value that must be all of `data`, and come back as it was.
fn exact<'a, T: Jute<'a>>(data: &'a [u8]) -> T {
    let value = T::from_bytes(data).unwrap();
    assert_eq!(value.to_bytes(), data);
    value
}

/// A step of the proof who the servers are, and its length.
fn auth(at: usize, bytes: &[u8]) -> (Value, usize) {
    let (packet, len) = QuorumAuthPacket::read_prefix(bytes, limit()).unwrap().unwrap();
    assert_eq!(packet.to_bytes(), bytes[..len]);
    let (status, token) = (packet.status.code(), describe::text(packet.token));
    (json!({ "at": at, "kind": "QuorumAuthPacket", "status": status, "token": token }), len)
}

/// The snapshot at the start of `bytes`, and its length.
fn snapshot(at: usize, bytes: &[u8]) -> (Value, usize) {
    let (mut reader, mut rest) = (SnapReader::new(limit()), bytes);
    let (mut sessions, mut acls, mut nodes) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(item) = reader.next(&mut rest).unwrap() {
        match item {
            SnapItem::Session(session) => sessions.push(session),
            SnapItem::Acl(entry) => acls.push(entry),
            SnapItem::Node(node) => nodes.push(node),
            SnapItem::End => break,
        }
    }
    assert!(reader.is_over());
    let len = bytes.len() - rest.len();
    let mut again = Vec::new();
    image::write_sessions(sessions.iter().copied(), &mut again);
    image::write_acls(acls.iter().map(|entry| (entry.id, &entry.acl[..])), &mut again);
    for node in &nodes {
        image::write_node(&node.path, node.data, node.acl, &node.stat, &mut again);
    }
    snap::write_end(&mut again);
    assert_eq!(again, bytes[..len]);
    let sessions: Map<_, _> =
        sessions.iter().map(|s| (describe::hex(s.id), json!(s.timeout))).collect();
    let frame = json!({
        "at": at,
        "len": len,
        "kind": "snapshot stream",
        "sessions": sessions,
        "acl_entries": acls.len(),
        "nodes": nodes.iter().map(|node| &*node.path).collect::<Vec<_>>(),
        "signature": "BenWasHere",
    });
    (frame, len)
}

/// The messages of a stream on the election port as the independent decoder describes them.
fn messages(stream: &ServerStream, initiator: bool) -> Vec<Value> {
    let (bytes, mut at, mut frames) = (&stream.bytes[..], 0, Vec::new());
    if initiator {
        let (message, len) = InitialMessage::split(bytes).unwrap().unwrap();
        let mut again = Vec::new();
        message.write(&mut again);
        assert_eq!(again, bytes[..len]);
        let version = if message.form == InitialForm::V1 { -65_536 } else { -65_535 };
        let addresses: Vec<_> = message.addresses.iter().map(ToString::to_string).collect();
        frames.push(json!({
            "at": 0, "len": len, "kind": "initial", "protocolVersion": version,
            "sid": message.sid, "addr": addresses.join("|"),
        }));
        at = len;
    }
    while at < bytes.len() {
        let rest = &bytes[at..];
        let (frame, len) = match QuorumAuthPacket::is_next(rest) {
            Some(true) => auth(at, rest),
            _ => notification(at, rest),
        };
        frames.push(frame);
        at += len;
    }
    frames
}

fn notification(at: usize, bytes: &[u8]) -> (Value, usize) {
    let (payload, len) = match split_notification(bytes) {
        Split::Frame { payload, consumed } => (payload, consumed),
        other => unreachable!("{other:?} at {at}"),
    };
    let read = Notification::read(payload).unwrap();
    let mut again = Vec::new();
    read.write_frame(&mut again);
    assert_eq!(again, bytes[..len]);
    let state = match read.ballot.state {
        ServerState::Looking => "LOOKING",
        ServerState::Following => "FOLLOWING",
        ServerState::Leading => "LEADING",
        ServerState::Observing => "OBSERVING",
    };
    let frame = json!({
        "at": at, "len": len, "kind": "notification", "state": state,
        "leader": read.ballot.vote.leader, "zxid": describe::hex(read.ballot.vote.zxid.0),
        "electionEpoch": read.ballot.round, "peerEpoch": read.ballot.vote.epoch,
        "version": read.ballot.version, "config": read.config(),
    });
    (frame, len)
}

fn assert_frames(read: &[Value], expected: &Value, name: &str) {
    let expected = expected.as_array().unwrap();
    for (read, expected) in read.iter().zip(expected) {
        assert_eq!(read, expected, "{name}");
    }
    assert_eq!(read.len(), expected.len(), "{name}");
}

fn channels(election: bool) -> Vec<ServerConnection> {
    let all = vectors::server_connections();
    all.into_iter().filter(|connection| connection.election == election).collect()
}

fn limit() -> usize {
    read_limit(quorate_wire::frame::DEFAULT_MAX_FRAME, None)
}

const CONFIG: TreeConfig = TreeConfig { hash_seed: 5, digest: true };
