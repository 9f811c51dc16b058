//! Where the fuzzers begin: the golden vectors, cut to the input of each target.

use super::disk::CORPUS_LOG;
use crate::vectors;
use quorate_wire::OpCode;
use quorate_wire::disk::log::{DEFAULT_MAX_PAYLOAD, LogScan, file_header, write_record};
use quorate_wire::disk::sidecar::{self, SumEntry};
use quorate_wire::frame::{RequestHeader, Split, split};
use quorate_wire::jute::Jute;
use quorate_wire::quorum::address::HostPort;
use quorate_wire::quorum::election::{
    Ballot, InitialForm, InitialMessage, Notification, NotificationForm, ServerState, Vote,
};
use quorate_wire::quorum::packet::{Packet, PacketKind};
use quorate_wire::quorum::snap::SnapReader;
use quorate_wire::zxid::Zxid;
use std::collections::BTreeMap;

/// Payloads of handshakes, both ways.
#[must_use]
pub fn connects() -> Vec<Vec<u8>> {
    let handshakes = vectors::exchanges().into_iter().filter(|e| e.name.contains("connect"));
    handshakes
        .flat_map(|e| [first_payload(&e.request), e.response.as_deref().and_then(first_payload)])
        .flatten()
        .collect()
}

/// Payloads of requests, and whole streams of frames.
#[must_use]
pub fn requests() -> Vec<Vec<u8>> {
    let sent = || vectors::exchanges().into_iter().map(|e| e.request);
    let payloads = sent().filter_map(|bytes| first_payload(&bytes));
    payloads.chain(sent().filter(|bytes| bytes.len() > 64)).collect()
}

/// Payloads of replies and notifications behind the byte that names the operation.
#[must_use]
pub fn replies() -> Vec<Vec<u8>> {
    let choice = |op: Option<OpCode>| {
        let at = op.and_then(|op| OpCode::ALL.iter().position(|&other| other == op));
        u8::try_from(at.unwrap_or_default()).unwrap_or_default()
    };
    let mut out = Vec::new();
    for exchange in vectors::exchanges() {
        let header = first_payload(&exchange.request)
            .and_then(|payload| RequestHeader::from_bytes(&payload).ok());
        let op = header.and_then(|header| OpCode::from_code(header.op));
        if let Some(payload) = exchange.response.as_deref().and_then(first_payload) {
            out.push([&[choice(op)], &payload[..]].concat());
        }
    }
    out
}

/// Payloads of log records.
#[must_use]
pub fn txns() -> Vec<Vec<u8>> {
    let payloads = |file: Vec<u8>| {
        LogScan::new(&file, DEFAULT_MAX_PAYLOAD).map(|r| r.payload.to_vec()).collect::<Vec<_>>()
    };
    LOGS.iter().flat_map(|name| payloads(vectors::data_file(name))).collect()
}

/// Logs: short ones with little padding, and the recorded ones without most of theirs.
#[must_use]
pub fn logs() -> Vec<Vec<u8>> {
    let mut out: Vec<_> = txns()
        .chunks(4)
        .map(|payloads| {
            let mut file = file_header().to_vec();
            payloads.iter().for_each(|payload| write_record(payload, &mut file));
            file.resize(file.len() + 40, 0);
            file
        })
        .collect();
    for name in LOGS {
        let mut file = vectors::data_file(name);
        let used = file.iter().rposition(|&byte| byte != 0).unwrap_or_default();
        file.truncate(used + 200);
        out.push(file);
    }
    out
}

/// Plain snapshots.
#[must_use]
pub fn snapshots() -> Vec<Vec<u8>> {
    ["version-2/snapshot.0", "version-2/snapshot.10000002e"].map(vectors::data_file).to_vec()
}

/// A snappy snapshot.
#[must_use]
pub fn snappy_streams() -> Vec<Vec<u8>> {
    vec![vectors::data_file("compressed/snapshot.200000011.snappy")]
}

/// The sidecar that one of the recorded logs would have.
#[must_use]
pub fn sidecars() -> Vec<Vec<u8>> {
    let log = vectors::data_file("version-2/log.100000001");
    let mut file = sidecar::file_header(CORPUS_LOG);
    let mut zxid = CORPUS_LOG;
    for record in LogScan::new(&log, DEFAULT_MAX_PAYLOAD) {
        SumEntry::of(&record, zxid).write(&mut file);
        zxid = zxid.next();
    }
    vec![file]
}

/// Configuration files with everything that the syntax has.
#[must_use]
pub fn configs() -> Vec<Vec<u8>> {
    CONFIGS.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// What servers send on the election port, and payloads of notifications.
#[must_use]
pub fn elections() -> Vec<Vec<u8>> {
    let address = HostPort::new("127.0.0.1", 3888);
    let one = InitialMessage::v1(2, address.clone());
    let addresses = vec![address, HostPort::new("::1", 3889)];
    let many = InitialMessage { form: InitialForm::V2, sid: 2, addresses };
    let bare = InitialMessage { form: InitialForm::Bare, sid: 2, addresses: Vec::new() };
    let vote = Vote { leader: 2, zxid: Zxid(0x1_0000_0006), epoch: 1 };
    let ballot = Ballot { state: ServerState::Looking, vote, round: 3, version: 0 };
    let full = Notification::new(ballot, MEMBERSHIPS[0]);
    let older = [NotificationForm::Short, NotificationForm::Plain, NotificationForm::Full(None)];
    let older = older.map(|form| Notification { ballot, form });
    let notifications: Vec<&Notification<'_>> = older.iter().chain([&full]).collect();
    let streams = [one, many, bare].map(|message| {
        let mut bytes = Vec::new();
        message.write(&mut bytes);
        notifications.iter().for_each(|notification| notification.write_frame(&mut bytes));
        bytes
    });
    let payloads = notifications.iter().map(|notification| {
        let mut bytes = Vec::new();
        notification.write(&mut bytes);
        bytes
    });
    payloads.chain(streams).collect()
}

/// What leaders and learners send each other, and the data of packets: of each kind and length the first.
#[must_use]
pub fn learners() -> Vec<Vec<u8>> {
    let streams = learner_streams();
    let mut payloads: BTreeMap<(i32, usize), Vec<u8>> = BTreeMap::new();
    for packet in streams.iter().flat_map(|stream| packets(stream)) {
        let data = packet.data.unwrap_or_default();
        payloads.entry((packet.kind.code(), data.len())).or_insert_with(|| data.to_vec());
    }
    payloads.into_values().chain(streams.iter().cloned()).collect()
}

/// Streams behind SNAP packets, behind the byte that says in what pieces they arrive.
#[must_use]
pub fn snap_streams() -> Vec<Vec<u8>> {
    let streams = learner_streams();
    let snaps = streams.iter().filter_map(|stream| snap_within(stream));
    snaps.zip([1, 20, 255]).map(|(snap, size)| [&[size], snap].concat()).collect()
}

fn learner_streams() -> Vec<Vec<u8>> {
    let connections = vectors::server_connections().into_iter().filter(|it| !it.election);
    connections.flat_map(|it| [it.initiator.bytes, it.acceptor.bytes]).collect()
}

/// The packets up to a snapshot.
fn packets(mut stream: &[u8]) -> Vec<Packet<'_>> {
    let mut packets = Vec::new();
    while let Ok(Some((packet, len))) = Packet::read_prefix(stream, usize::MAX) {
        packets.push(packet);
        stream = stream.get(len..).unwrap_or_default();
    }
    packets
}

/// The snapshot in a stream, up to its end.
fn snap_within(mut stream: &[u8]) -> Option<&[u8]> {
    while let Ok(Some((packet, len))) = Packet::read_prefix(stream, usize::MAX) {
        stream = stream.get(len..)?;
        if packet.kind == PacketKind::Snap {
            let (mut reader, mut rest) = (SnapReader::new(usize::MAX), stream);
            while let Ok(Some(_)) = reader.next(&mut rest) {}
            return stream.get(..stream.len().checked_sub(rest.len())?);
        }
    }
    None
}

/// Configurations of ensembles with everything that they can have.
#[must_use]
pub fn memberships() -> Vec<Vec<u8>> {
    MEMBERSHIPS.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn first_payload(bytes: &[u8]) -> Option<Vec<u8>> {
    match split(bytes, usize::MAX) {
        Split::Frame { payload, .. } => Some(payload.to_vec()),
        _ => None,
    }
}

const LOGS: &[&str] = &["version-2/log.100000001", "version-2/log.200000001"];

const CONFIGS: &[&str] = &[
    "tickTime=2000\ndataDir=/var/lib/zookeeper\nclientPort=2181\n",
    "# comment\n! another\ntickTime : 2000\r\ndataDir = ./d\\\n   ata\nclientPort 0\ninitLimit\\u003d=5\n",
    "dataDir=./d\nclientPort=2181\nclientPortAddress=127.0.0.1\nmaxClientCnxns=60\n\
     4lw.commands.whitelist=stat, ruok, conf\nautopurge.snapRetainCount=3\nautopurge.purgeInterval=1\n\
     minSessionTimeout=4000\nmaxSessionTimeout=40000\nsnapshot.compression.method=gz\n\
     zookeeper.extendedTypesEnabled=true\nenforceQuota=true\npreAllocSize=64\nsnapCount=1000\n",
    "dataDir=./d\nclientPort=2181\nserver.1=127.0.0.1:2888:3888;2181\nserver.2=a:1:2:observer\n\
     group.1=1:2\nweight.1=3\nauthProvider.1=x.Y\nssl.clientAuth=need\njute.maxbuffer=0x9fffff\n",
];

const MEMBERSHIPS: [&str; 3] = [
    "server.1=127.0.0.1:23211:23221:participant;127.0.0.1:23201\n\
     server.2=127.0.0.1:23212:23222:participant;127.0.0.1:23202\n\
     server.4=127.0.0.1:23214:23224:observer\nversion=100000010",
    "# three\r\n version = 1\r\nserver.1=a:1:2|[::1]:3:4;2181\nserver.2=b:1:2:Observer;;c:4\nserver.3=c:1:2;d:1;e:2",
    "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nserver.4=d:1:2\ngroup.1=1:2\ngroup.2=3:4\nweight.1=0\nweight.2=3",
];
