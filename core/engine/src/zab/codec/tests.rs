//! Random messages there and back, and packets that are none.

use super::*;
use crate::zab::message::Features;
use quorate_wire::txn::{Txn, TxnHeader};
use std::collections::BTreeSet;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.number() % n as u64).unwrap()
    }

    fn chance(&mut self) -> bool {
        self.below(2) == 0
    }

    /// Edges as often as any.
    fn long(&mut self) -> i64 {
        match self.below(3) {
            0 => [0, 1, -1, i64::MAX, i64::MIN][self.below(5)],
            1 => self.number().cast_signed() >> self.below(63),
            _ => self.number().cast_signed(),
        }
    }

    fn int(&mut self) -> i32 {
        i32::try_from(self.long() >> 32).unwrap()
    }

    fn epoch(&mut self) -> Epoch {
        match self.below(3) {
            0 => [0, 1, LAST_EPOCH][self.below(3)],
            _ => self.long() & LAST_EPOCH,
        }
    }

    fn zxid(&mut self) -> Zxid {
        Zxid(self.long())
    }

    fn bytes(&mut self) -> Vec<u8> {
        (0..self.below(40)).map(|_| self.number().to_be_bytes()[0]).collect()
    }

    fn text(&mut self) -> String {
        let letters = ['a', '/', ':', '\n', 'é', '\u{1F600}'];
        (0..self.below(12)).map(|_| letters[self.below(6)]).collect()
    }

    fn entry(&mut self) -> Entry {
        let zxid = self.zxid();
        let (client_id, cxid) = (self.long(), self.int());
        let txn = Txn::CreateSession(self.int());
        let header = TxnHeader { client_id, cxid, zxid, time: self.long(), kind: txn.kind() };
        Entry::from_payload(zxid, &TxnRecord { header, txn, digest: None }.to_bytes())
    }

    fn said_down(&mut self) -> ToLearner {
        match self.below(15) {
            0 => {
                let beat = self.chance().then(|| self.int() & 0xFFFF | 1);
                ToLearner::LeaderInfo(self.epoch(), beat)
            }
            1 => ToLearner::Diff(self.zxid()),
            2 => ToLearner::Trunc(self.zxid()),
            3 => ToLearner::Snap(self.zxid()),
            4 => ToLearner::Proposal(self.entry()),
            5 => ToLearner::Commit(self.zxid()),
            6 => ToLearner::CommitAndActivate(self.zxid(), self.long()),
            7 => ToLearner::Inform(self.entry()),
            8 => ToLearner::InformAndActivate(self.entry(), self.long()),
            9 => {
                let config = self.chance().then(|| Arc::from(self.text()));
                ToLearner::NewLeader(self.epoch(), config)
            }
            10 => ToLearner::UpToDate,
            11 => ToLearner::Ping(self.zxid()),
            12 => ToLearner::Sync,
            13 => ToLearner::Beat,
            _ => ToLearner::Revalidate { session: self.long(), valid: self.chance() },
        }
    }

    fn said_up(&mut self) -> ToLeader {
        match self.below(7) {
            kind @ 0..2 => ToLeader::Info {
                sid: self.long(),
                kind: if kind == 0 { LearnerKind::Follower } else { LearnerKind::Observer },
                accepted: self.epoch(),
                config: self.long(),
                features: Features { truncates: self.chance(), beats: self.chance() },
            },
            2 => {
                let current = self.chance().then(|| self.epoch());
                ToLeader::AckEpoch { current, last: self.zxid() }
            }
            3 => ToLeader::Ack(self.zxid()),
            4 => {
                let touched = (0..self.below(4)).map(|_| (self.long(), self.int())).collect();
                ToLeader::Ping(self.zxid(), touched)
            }
            5 => ToLeader::Request(Request {
                session: self.long(),
                cxid: self.int(),
                op: self.int(),
                body: self.bytes().into(),
                identities: self.chance().then(|| (0..self.below(4)).map(|_| self.id()).collect()),
            }),
            _ => ToLeader::Revalidate { session: self.long(), timeout: self.int() },
        }
    }

    fn id(&mut self) -> Id<'static> {
        let mut text = || self.chance().then(|| self.text().into());
        Id { scheme: text(), id: text() }
    }
}

/// Through the bytes: what a message borrows must be in them.
fn through<T>(packet: &Packet<'_>, read: impl FnOnce(&Packet<'_>) -> T) -> T {
    let bytes = packet.to_bytes();
    let (again, len) = Packet::read_prefix(&bytes, 10_000).unwrap().unwrap();
    assert_eq!((&again, len), (packet, bytes.len()));
    read(&again)
}

#[test]
fn every_message_comes_back_from_its_packet() {
    let (mut random, mut room) = (Random(1), vec![1, 2, 3]);
    let (mut down, mut up) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..20_000 {
        let message = random.said_down();
        let packet = message.packet(&mut room);
        down.insert(packet.kind.code());
        assert_eq!(through(&packet, ToLearner::from_packet), Ok(message.clone()));
        let message = random.said_up();
        let packet = message.packet(&mut room);
        up.insert(packet.kind.code());
        assert_eq!(through(&packet, ToLeader::from_packet), Ok(message.clone()));
    }
    let both: BTreeSet<i32> = [PacketKind::Ping.code(), PacketKind::Revalidate.code()].into();
    assert_eq!(down.intersection(&up).copied().collect::<BTreeSet<_>>(), both);
    assert_eq!(down.union(&up).count(), PacketKind::ALL.len());
}

#[test]
fn nobody_says_what_is_the_other_sides() {
    let (mut random, mut room) = (Random(2), Vec::new());
    for _ in 0..2_000 {
        let message = random.said_down();
        let packet = message.packet(&mut room);
        if !matches!(packet.kind, PacketKind::Ping | PacketKind::Revalidate) {
            let error = ToLeader::from_packet(&packet).unwrap_err();
            assert_eq!(error.why, Malformed::FromLearner, "{error}");
        }
        let message = random.said_up();
        let packet = message.packet(&mut room);
        if !matches!(packet.kind, PacketKind::Ping | PacketKind::Revalidate) {
            let error = ToLearner::from_packet(&packet).unwrap_err();
            assert_eq!(error.why, Malformed::FromLeader, "{error}");
        }
    }
}

#[test]
fn any_packet_is_a_message_or_an_error_that_names_it() {
    let mut random = Random(3);
    for _ in 0..20_000 {
        let kind = PacketKind::ALL[random.below(19)];
        let (zxid, data) = (random.zxid(), random.bytes());
        let packet = Packet::new(kind, zxid, random.chance().then_some(&data[..]));
        for error in [ToLearner::from_packet(&packet).err(), ToLeader::from_packet(&packet).err()] {
            assert!(error.is_none_or(|error| (error.kind, error.zxid) == (kind, zxid)));
        }
    }
}

fn down(kind: PacketKind, zxid: Zxid, data: Option<&[u8]>) -> String {
    ToLearner::from_packet(&Packet::new(kind, zxid, data)).unwrap_err().to_string()
}

fn up(kind: PacketKind, zxid: Zxid, data: Option<&[u8]>) -> String {
    ToLeader::from_packet(&Packet::new(kind, zxid, data)).unwrap_err().to_string()
}

#[test]
fn errors_say_what_came_where() {
    use PacketKind::{AckEpoch, Commit, FollowerInfo, LeaderInfo, NewLeader, Ping, Proposal};
    let (start, version) = (start_of(5), PROTOCOL_VERSION.to_bytes());
    let txn = Txn::CreateSession(9);
    let header = TxnHeader { client_id: 1, cxid: 2, zxid: Zxid(7), time: 3, kind: txn.kind() };
    let odd = TxnHeader { kind: 4711, ..header }.to_bytes();
    let header = TxnRecord { header, txn, digest: None }.to_bytes();
    let old = LearnerInfo { protocol_version: 1, ..LearnerInfo::new(3, 0) }.to_bytes();
    let info = LearnerInfo::new(3, 0).to_bytes();
    let rows = [
        (up(Commit, Zxid(1), None), "COMMIT of 0x1: no learner says this"),
        (down(AckEpoch, Zxid(1), None), "ACKEPOCH of 0x1: no leader says this"),
        (down(Proposal, Zxid(8), Some(&header)), "PROPOSAL of 0x8: its transaction is 0x7"),
        (
            down(Proposal, Zxid(7), Some(&header[..31])),
            "PROPOSAL of 0x7: its data are something else: the record ends early: 4 more bytes are needed, 3 are left",
        ),
        (
            down(Proposal, Zxid(7), Some(&header[..34])),
            "PROPOSAL of 0x7: its data are something else: the record ends early: 4 more bytes are needed, 2 are left",
        ),
        (
            down(Proposal, Zxid(7), Some(&odd)),
            "PROPOSAL of 0x7: its data are something else: 4711 is not a known transaction type",
        ),
        (down(Proposal, Zxid(7), None), "PROPOSAL of 0x7: it has no data"),
        (down(LeaderInfo, Zxid(9), Some(&version)), "LEADERINFO of 0x9: no epoch begins there"),
        (
            down(LeaderInfo, start, Some(&1_i32.to_bytes())),
            "LEADERINFO of 0x500000000: version 0x1 of the protocol is too old",
        ),
        (
            down(NewLeader, Zxid(-1 << 32), None),
            "NEWLEADER of 0xffffffff00000000: no epoch begins there",
        ),
        (
            up(FollowerInfo, start, Some(&old)),
            "FOLLOWERINFO of 0x500000000: version 0x1 of the protocol is too old",
        ),
        (up(FollowerInfo, start, None), "FOLLOWERINFO of 0x500000000: it has no data"),
        (
            up(FollowerInfo, start.next(), Some(&info)),
            "FOLLOWERINFO of 0x500000001: no epoch begins there",
        ),
        (up(AckEpoch, Zxid(1), Some(&(-2_i32).to_bytes())), "ACKEPOCH of 0x1: -2 is no epoch"),
        (
            up(Ping, Zxid(1), Some(&[0; 13])),
            "PING of 0x1: its data are something else: the record ends early: 12 more bytes are needed, 1 are left",
        ),
    ];
    for (error, expected) in rows {
        assert_eq!(error, expected);
    }
}
