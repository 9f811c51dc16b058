//! The captured connections, as the messages of our engines.

use quorate_engine::tree::{TreeConfig, TreeReceiver};
use quorate_engine::zab::message::Request;
use quorate_engine::zab::{Entry, Epoch, Sid, ToLeader, ToLearner};
use quorate_tests::vectors;
use quorate_wire::Zxid;
use quorate_wire::jute::Jute;
use quorate_wire::quorum::auth::QuorumAuthPacket;
use quorate_wire::quorum::packet::{Packet, read_limit};
use quorate_wire::txn::{TxnRecord, TxnType};
use std::collections::BTreeMap;

/// A connection of a learner to its leader.
pub(crate) struct Captured {
    /// For a person.
    pub(crate) name: String,
    /// What the learner said.
    pub(crate) up: Vec<ToLeader>,
    /// What the leader said.
    pub(crate) down: Vec<Down>,
    /// What was committed before, zxid by zxid, by this leader and those before it.
    pub(crate) before: BTreeMap<Zxid, Entry>,
    /// Whether the leader led before the learner came.
    pub(crate) late: bool,
}

/// Something of the leader's.
#[derive(Clone)]
pub(crate) enum Down {
    Message(ToLearner),
    /// Its tree, as bytes.
    Tree(Vec<u8>),
}

impl Captured {
    pub(crate) fn messages(&self) -> impl Iterator<Item = &ToLearner> {
        self.down.iter().filter_map(|down| match down {
            Down::Message(message) => Some(message),
            Down::Tree(_) => None,
        })
    }

    /// Who the learner was, as it said first.
    pub(crate) fn sid(&self) -> Sid {
        match self.up.first() {
            Some(ToLeader::Info { sid, .. }) => *sid,
            other => panic!("{}: {other:?} came first", self.name),
        }
    }

    /// What the learner had, as it said then: `currentEpoch`, and the end of its log.
    pub(crate) fn had(&self) -> (Option<Epoch>, Zxid) {
        match self.up.get(1) {
            Some(ToLeader::AckEpoch { current, last }) => (*current, *last),
            other => panic!("{}: {other:?} came second", self.name),
        }
    }

    /// The epoch of the leader.
    pub(crate) fn epoch(&self) -> Epoch {
        match self.messages().next() {
            Some(ToLearner::LeaderInfo(epoch, _)) => *epoch,
            other => panic!("{}: {other:?} came first", self.name),
        }
    }

    /// What was committed before the learner was told how to get it.
    pub(crate) fn committed_before(&self) -> Zxid {
        match self.messages().nth(1) {
            Some(ToLearner::Diff(zxid) | ToLearner::Snap(zxid) | ToLearner::Trunc(zxid)) => *zxid,
            other => panic!("{}: {other:?} came second", self.name),
        }
    }

    /// The learner's request that became this transaction, if it is of this learner.
    pub(crate) fn request_for(&self, entry: &Entry) -> Option<&Request> {
        let header = record(entry).header;
        self.up.iter().find_map(|message| match message {
            ToLeader::Request(request) if !request.is_sync() => {
                // The leader ends a session under the number of the request that has begun it.
                let kinds = [request.op, TxnType::ERROR];
                let same = (request.session, request.cxid) == (header.client_id, header.cxid)
                    && kinds.contains(&header.kind);
                same.then_some(request)
            }
            _ => None,
        })
    }
}

/// The transaction of a message of the leader.
pub(crate) const fn txn_of(message: &ToLearner) -> Option<&Entry> {
    match message {
        ToLearner::Proposal(entry)
        | ToLearner::Inform(entry)
        | ToLearner::InformAndActivate(entry, _) => Some(entry),
        _ => None,
    }
}

pub(crate) fn record(entry: &Entry) -> TxnRecord<'_> {
    TxnRecord::from_bytes(entry.payload()).expect("a transaction")
}

/// All captured connections of learners, in order. The first of an epoch is the one that has established it.
pub(crate) fn connections() -> Vec<Captured> {
    let (mut all, mut history, mut epoch) = (Vec::new(), BTreeMap::new(), 0);
    for connection in vectors::server_connections() {
        if connection.election {
            continue;
        }
        let mut captured = Captured {
            name: connection.name,
            up: up(&connection.initiator.bytes),
            down: down(&connection.acceptor.bytes),
            before: BTreeMap::new(),
            late: false,
        };
        if captured.committed_before() == Zxid::ZERO {
            // Another ensemble, which has nothing yet.
            (history, epoch) = (BTreeMap::new(), 0);
        }
        captured.late = captured.epoch() == epoch;
        epoch = captured.epoch();
        for entry in captured.messages().filter_map(txn_of) {
            let before = history.insert(entry.zxid(), entry.clone());
            assert!(before.is_none_or(|before| before == *entry), "one history");
        }
        let upto = ..=captured.committed_before();
        captured.before = history.range(upto).map(|(z, entry)| (*z, entry.clone())).collect();
        all.push(captured);
    }
    all
}

fn up(bytes: &[u8]) -> Vec<ToLeader> {
    let (mut at, mut all) = (0, Vec::new());
    while let Some((packet, len)) = next(&bytes[at..]) {
        at += len;
        let Some(packet) = packet else { continue };
        let message = ToLeader::from_packet(&packet).expect("a message");
        assert_eq!(message.packet(&mut Vec::new()), packet, "the same packet again");
        all.push(message);
    }
    all
}

fn down(bytes: &[u8]) -> Vec<Down> {
    let (mut at, mut all) = (0, Vec::new());
    while let Some((packet, len)) = next(&bytes[at..]) {
        at += len;
        let Some(packet) = packet else { continue };
        let message = ToLearner::from_packet(&packet).expect("a message");
        assert_eq!(message.packet(&mut Vec::new()), packet, "the same packet again");
        let is_snap = matches!(message, ToLearner::Snap(_));
        all.push(Down::Message(message));
        if is_snap {
            let (_, len) = receive(&bytes[at..]);
            all.push(Down::Tree(bytes[at..at + len].to_vec()));
            at += len;
        }
    }
    all
}

/// The next packet and its length; no packet if it is a step of the proof who the servers are.
fn next(bytes: &[u8]) -> Option<(Option<Packet<'_>>, usize)> {
    if bytes.is_empty() {
        return None;
    }
    if let Ok(Some((_, len))) = QuorumAuthPacket::read_prefix(bytes, limit()) {
        return Some((None, len));
    }
    let (packet, len) =
        Packet::read_prefix(bytes, limit()).expect("a packet").expect("a whole one");
    Some((Some(packet), len))
}

/// The tree at the start of the bytes, and how long it is there.
pub(crate) fn receive(bytes: &[u8]) -> (TreeReceiver, usize) {
    let mut receiver = TreeReceiver::new(TREE, limit());
    let len = receiver.receive(bytes).expect("a tree");
    (receiver, len)
}

fn limit() -> usize {
    read_limit(quorate_wire::frame::DEFAULT_MAX_FRAME, None)
}

/// How the trees of this test are made.
pub(crate) const TREE: TreeConfig = TreeConfig { hash_seed: 5, digest: true };
