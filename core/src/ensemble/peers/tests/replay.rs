//! What Apache's servers have said to each other, once more over a socket, in pieces of all sizes.

use super::super::{LeaderLink, LeaderReport, LeaderSettings, LearnerLinks, LearnerReport};
use super::party::CHIEF;
use super::stage::{Stage, raw, until};
use super::{LIMITS, TREE};
use crate::ensemble::tls::Security;
use quorate_engine::tree::Tree;
use quorate_wire::quorum::address::HostPort;
use serde_json::Value;
use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};

/// The bytes of one direction of every connection between a learner and its leader, and the names of what is in them.
fn recorded(direction: &str) -> Vec<(Vec<u8>, Vec<String>)> {
    let streams = |vectors: &str| {
        let vectors: Value = serde_json::from_str(vectors).unwrap();
        let connections = vectors["connections"].as_array().unwrap().iter();
        let quorum = connections.filter(|connection| connection["kind"] == "quorum");
        quorum.map(|connection| stream(&connection[direction])).collect::<Vec<_>>()
    };
    [FRAMES, MORE_FRAMES].into_iter().flat_map(streams).collect()
}

fn stream(direction: &Value) -> (Vec<u8>, Vec<String>) {
    let hex = direction["hex"].as_str().unwrap().as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let frames = direction["frames"].as_array().unwrap().iter();
    let names = frames.map(|frame| frame["name"].as_str().unwrap_or("tree").to_owned());
    (hex.map(byte).collect(), names.collect())
}

/// Everything, if the connection did not begin with SASL, of which nothing is understood.
fn assert_heard(heard: Vec<String>, end: Option<String>, names: Vec<String>) {
    if names[0] == "tree" {
        assert_eq!(heard, [""; 0]);
        assert!(end.unwrap().starts_with("it wants to prove who it is"));
    } else {
        assert_eq!(heard, names);
        assert_eq!(end.as_deref(), Some("it has closed the connection"));
    }
}

/// Sends the next piece.
fn feed(socket: &mut TcpStream, rest: &mut &[u8], size: usize) {
    let (piece, more) = rest.split_at(size.min(rest.len()));
    // The connection may be gone already: everything that is wanted was read.
    let _ = socket.write_all(piece);
    *rest = more;
    if rest.is_empty() {
        let _ = socket.shutdown(Shutdown::Write);
    }
}

#[test]
fn what_learners_of_apache_say_is_understood() {
    for (n, (bytes, names)) in recorded("initiator_to_acceptor").into_iter().enumerate() {
        let (mut stage, mut tree) = (Stage::new(), Tree::new(TREE));
        let address = ["127.0.0.1:0".parse().unwrap()];
        let mut links =
            LearnerLinks::open(&address, CHIEF, LIMITS, &Security::none(), stage.registry())
                .unwrap();
        let mut socket = raw(links.addresses().next().unwrap());
        let (mut rest, mut heard, mut end) = (&bytes[..], Vec::new(), None);
        until("the learner is heard", || {
            feed(&mut socket, &mut rest, 1 + 7 * n);
            for event in stage.events(true) {
                assert!(links.ready(&event));
            }
            while let Some(report) = links.next(false) {
                match report {
                    LearnerReport::Connected(..) => {}
                    LearnerReport::Message(_, message) => {
                        heard.push(message.packet(&mut Vec::new()).kind.name().to_owned());
                    }
                    LearnerReport::Gone(_, loss) => end = Some(loss.to_string()),
                }
            }
            links.flush(&mut tree);
            end.is_some()
        });
        assert_heard(heard, end, names);
    }
}

#[test]
fn what_leaders_of_apache_say_is_understood_with_their_trees() {
    let mut trees = 0;
    for (n, (bytes, names)) in recorded("acceptor_to_initiator").into_iter().enumerate() {
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
        let mut link =
            LeaderLink::new(settings, stage.registry(), &stage.waker, stage.now()).unwrap();
        let (mut socket, _) = port.accept().unwrap();
        let (mut rest, mut heard, mut end) = (&bytes[..], Vec::new(), None);
        until("the leader is heard", || {
            feed(&mut socket, &mut rest, 1 + 11 * n);
            for event in stage.events(true) {
                assert!(link.ready(&event));
            }
            while let Some(report) = link.next(stage.now(), false) {
                match report {
                    LeaderReport::Connected(_) => {}
                    LeaderReport::Message(message) => {
                        heard.push(message.packet(&mut Vec::new()).kind.name().to_owned());
                    }
                    LeaderReport::Tree(receiver) => {
                        heard.push("tree".to_owned());
                        let tree = receiver.finish(quorate_wire::Zxid(1)).unwrap();
                        assert!(tree.find("/zookeeper/config").is_some());
                        trees += 1;
                    }
                    LeaderReport::Gone(loss) => end = Some(loss.to_string()),
                }
            }
            link.flush();
            end.is_some()
        });
        assert_heard(heard, end, names);
    }
    assert!(trees >= 3, "{trees}");
}

const FRAMES: &str = include_str!("../../../../../tests/vectors/quorum-frames.json");
const MORE_FRAMES: &str = include_str!("../../../../../tests/vectors/quorum-frames-extra.json");
