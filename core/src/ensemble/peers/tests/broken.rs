//! What is no message, from either side: the connection is closed, it is said why, and nobody else notices.

use super::super::{LeaderLink, LeaderReport, LeaderSettings, LearnerLinks, LearnerReport, Loss};
use super::party::{CHIEF, info};
use super::stage::{Stage, is_closed, raw, until};
use super::{LIMITS, TREE};
use crate::ensemble::tls::Security;
use quorate_engine::tree::{Tree, WalkState};
use quorate_engine::zab::{ToLeader, ToLearner};
use quorate_wire::Zxid;
use quorate_wire::jute::Jute;
use quorate_wire::quorum::address::HostPort;
use quorate_wire::quorum::{Packet, PacketKind};
use quorate_wire::txn::TxnHeader;
use std::io::Write;
use std::net::{Shutdown, TcpListener};

fn from_learner(message: &ToLeader) -> Vec<u8> {
    message.packet(&mut Vec::new()).to_bytes()
}

fn from_leader(message: &ToLearner) -> Vec<u8> {
    message.packet(&mut Vec::new()).to_bytes()
}

fn head(kind: i32, len: i32) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &[0; 8], &len.to_be_bytes()].concat()
}

/// What a leader says of a learner that sends this and then, perhaps, closes. Another learner talks before and after.
fn of_learner(bytes: &[u8], closes: bool) -> Loss {
    let (mut stage, mut tree) = (Stage::new(), Tree::new(TREE));
    let address = ["127.0.0.1:0".parse().unwrap()];
    let mut links =
        LearnerLinks::open(&address, CHIEF, LIMITS, &Security::none(), stage.registry()).unwrap();
    let address = links.addresses().next().unwrap();
    let mut good = raw(address);
    good.write_all(&from_learner(&info(2))).unwrap();
    let mut keys = Vec::new();
    let (mut said, mut gone) = (0, None);
    let mut round = |enough: &mut dyn FnMut(&[_], usize, &Option<Loss>) -> bool| {
        until("the learners are heard", || {
            for event in stage.events(links.has_work(false)) {
                assert!(links.ready(&event));
            }
            while let Some(report) = links.next(false) {
                match report {
                    LearnerReport::Connected(key, _) => keys.push(key),
                    LearnerReport::Message(key, _) => said += usize::from(key == keys[0]),
                    LearnerReport::Gone(key, loss) => {
                        assert_eq!(key, keys[1]);
                        assert!(gone.replace(loss).is_none(), "once");
                    }
                }
            }
            links.flush(&mut tree);
            enough(&keys, said, &gone)
        });
    };
    round(&mut |_, said, _| said == 1);
    let mut bad = raw(address);
    bad.write_all(bytes).unwrap();
    if closes {
        bad.shutdown(Shutdown::Write).unwrap();
    }
    round(&mut |_, _, gone| gone.is_some() && is_closed(&mut bad));
    good.write_all(&from_learner(&ToLeader::Ack(Zxid(1)))).unwrap();
    round(&mut |_, said, _| said == 2);
    gone.unwrap()
}

#[test]
fn a_learner_that_talks_nonsense_is_closed_with_the_reason() {
    let hello = from_learner(&info(3));
    let len = hello.len();
    let after = |bytes: &[u8]| [&hello[..], bytes].concat();
    let proposal = Packet::new(PacketKind::Proposal, Zxid(7), Some(b"x")).to_bytes();
    let auth = [&quorate_wire::quorum::auth::MAGIC[..], &[0, 0, 0, 0, 0, 0, 0, 1, 9]].concat();
    let rows = [
        (vec![], true, "it has closed the connection".to_owned()),
        (hello.clone(), true, "it has closed the connection".to_owned()),
        (
            hello[..len - 1].to_vec(),
            true,
            format!(
                "it has closed the connection within the packet at byte 0, after {} bytes of it",
                len - 1
            ),
        ),
        (
            after(&hello[..3]),
            true,
            format!(
                "it has closed the connection within the packet at byte {len}, after 3 bytes of it"
            ),
        ),
        (
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            false,
            "no packet begins at byte 0: 1195725856 is not a known packet type".to_owned(),
        ),
        (
            auth,
            false,
            "it wants to prove who it is (quorum.auth), which is not asked for here".to_owned(),
        ),
        (
            head(11, 5000),
            false,
            "no packet begins at byte 0: a length of 5000 is not possible here".to_owned(),
        ),
        (
            after(&head(1, (1 << 20) + 1)),
            false,
            format!("no packet begins at byte {len}: a length of 1048577 is not possible here"),
        ),
        (
            after(&head(1, -2)),
            false,
            format!("no packet begins at byte {len}: a length of -2 is not possible here"),
        ),
        (after(&proposal), false, format!("at byte {len}: PROPOSAL of 0x7: no learner says this")),
    ];
    for (bytes, closes, expected) in rows {
        assert_eq!(of_learner(&bytes, closes).to_string(), expected);
    }
}

/// What a learner says of a leader that sends this and then, perhaps, closes; and how many messages came before.
fn of_leader(bytes: &[u8], closes: bool) -> (Loss, usize) {
    let mut stage = Stage::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = LeaderSettings {
        addresses: vec![HostPort::new("127.0.0.1", port.local_addr().unwrap().port())],
        base: 1,
        search_ends: stage.now() + 60_000,
        limits: LIMITS,
        tree: TREE,
        security: Security::none(),
    };
    let mut link = LeaderLink::new(settings, stage.registry(), &stage.waker, stage.now()).unwrap();
    let (mut socket, _) = port.accept().unwrap();
    socket.write_all(bytes).unwrap();
    if closes {
        socket.shutdown(Shutdown::Write).unwrap();
    }
    let (mut messages, mut gone) = (0, None);
    until("the leader is lost", || {
        for event in stage.events(link.has_work(false)) {
            assert!(link.ready(&event));
        }
        while let Some(report) = link.next(stage.now(), false) {
            match report {
                LeaderReport::Connected(_) => {}
                LeaderReport::Message(_) => messages += 1,
                LeaderReport::Tree(_) => panic!("no tree is whole here"),
                LeaderReport::Gone(loss) => gone = Some(loss),
            }
        }
        link.flush();
        gone.is_some() && is_closed(&mut socket)
    });
    assert!(!link.has_work(false), "nothing follows");
    (gone.unwrap(), messages)
}

#[test]
fn a_leader_that_talks_nonsense_is_left_with_the_reason() {
    let mut tree = Tree::new(TREE);
    let (id, _) = tree.freeze_stream();
    let mut stream = Vec::new();
    while tree.walk_stream(id, 1, &mut stream) == WalkState::More {}
    let snap = from_leader(&ToLearner::Snap(Zxid(9)));
    let half = [&snap[..], &stream[..stream.len() / 2]].concat();
    let mut forged = [&snap[..], &stream[..]].concat();
    *forged.last_mut().unwrap() ^= 1;
    let ack = Packet::new(PacketKind::Ack, Zxid(7), None).to_bytes();
    let txn = TxnHeader { client_id: 1, cxid: 2, zxid: Zxid(7), time: 3, kind: 4711 }.to_bytes();
    let odd = Packet::new(PacketKind::Proposal, Zxid(7), Some(&txn)).to_bytes();
    let rows = [
        (vec![], true, 0, "it has closed the connection".to_owned()),
        (
            snap[..10].to_vec(),
            true,
            0,
            "it has closed the connection within the packet at byte 0, after 10 bytes of it"
                .to_owned(),
        ),
        (half, true, 1, "it has closed the connection within its tree, after ".to_owned()),
        (snap, true, 1, "it has closed the connection within its tree, after 0 bytes".to_owned()),
        (
            forged,
            false,
            1,
            format!(
                "its tree is of no use: at byte {} of the snapshot: the signature is another one",
                stream.len() - 14
            ),
        ),
        (
            b"SSH-2.0-x\r\n".to_vec(),
            false,
            0,
            "no packet begins at byte 0: 1397966893 is not a known packet type".to_owned(),
        ),
        (
            head(2, i32::MAX),
            false,
            0,
            "no packet begins at byte 0: a length of 2147483647 is not possible here".to_owned(),
        ),
        (
            odd,
            false,
            0,
            "at byte 0: PROPOSAL of 0x7: its data are something else: 4711 is not a known transaction type".to_owned(),
        ),
        (ack, false, 0, "at byte 0: ACK of 0x7: no leader says this".to_owned()),
    ];
    for (bytes, closes, before, expected) in rows {
        let (loss, messages) = of_leader(&bytes, closes);
        let loss = loss.to_string();
        assert!(loss.starts_with(&expected), "{loss:?} instead of {expected:?}");
        assert_eq!(messages, before, "{expected}");
    }
}
