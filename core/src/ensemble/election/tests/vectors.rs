//! What Apache's servers have said to each other's election ports, said to ours.

use super::peer::Peer;
use super::*;
use quorate_wire::quorum::{InitialMessage, Notification};
use serde_json::Value;

/// The election connections of a recording: to whom, and what the initiator and the other one have sent.
fn recorded(file: &str) -> Vec<(i64, Vec<u8>, Vec<u8>)> {
    let path = format!("{}/../tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let recording: Value = serde_json::from_str(&text).unwrap();
    let connections = recording["connections"].as_array().unwrap().iter();
    let elections = connections
        .filter(|connection| connection["kind"] == "election" && connection["run"] != "sasl");
    let bytes = |side: &Value| hex(side["hex"].as_str().unwrap());
    elections
        .map(|connection| {
            let to = connection["to_sid"].as_i64().unwrap_or(1);
            let initiator = bytes(&connection["initiator_to_acceptor"]);
            (to, initiator, bytes(&connection["acceptor_to_initiator"]))
        })
        .collect()
}

fn hex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}

/// The payloads of some frames.
fn payloads(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap();
        payloads.push(rest[..length].to_vec());
        bytes = &rest[length..];
    }
    payloads
}

/// A recorded configuration, at an address of our own.
fn moved(payload: &[u8], home: &str) -> Membership {
    let notification = Notification::read(payload).unwrap();
    Membership::parse(&notification.config().unwrap().replace("127.0.0.1", home)).unwrap()
}

#[test]
fn every_recorded_connection_is_understood() {
    let all = [recorded("quorum-frames.json"), recorded("quorum-frames-extra.json")].concat();
    assert!(all.len() > 20);
    let config_of = |bytes: &[u8]| payloads(bytes).first().cloned();
    let any = all.iter().find_map(|(_, initiator, _)| {
        let (_, greeting) = InitialMessage::split(initiator).unwrap().unwrap();
        config_of(&initiator[greeting..])
    });
    for (to, initiator, _) in &all {
        let (greeting, length) = InitialMessage::split(initiator).unwrap().unwrap();
        let said = payloads(&initiator[length..]);
        let home = home();
        let membership = moved(said.first().or(any.as_ref()).unwrap(), &home);
        let port = membership.servers[to].addresses[0].election_port;
        let member = Member::start(config(*to, &membership));
        member.thread.look(history(0, 0));
        let mut peer = Peer::connect(&home, i64::from(port) - 3000);
        peer.send(initiator);
        if greeting.sid < *to {
            peer.is_closed();
        } else {
            // A vote is told to everybody who connects.
            peer.ballot();
        }
        assert_eq!(member.lines(), [""; 0], "{} to {to}", greeting.sid);
    }
}

/// Two servers with nothing elect the second: the first one answers as Apache's did, byte by byte, but for the addresses.
#[test]
fn the_first_election_goes_as_recorded() {
    let (to, initiator, answer) = recorded("quorum-frames.json").remove(0);
    let expected = payloads(&answer);
    let home = home();
    let membership = moved(&expected[0], &home);
    // What was said is not to be repeated before the other one, which may be slow, has answered.
    let options = Options { min_interval: 120_000, max_interval: 120_000, ..OPTIONS };
    let member = Member::start(ElectionConfig { options, ..config(to, &membership) });
    member.thread.look(history(0, 0));
    let mut peer =
        Peer::connect(&home, i64::from(membership.servers[&to].addresses[0].election_port) - 3000);
    let (_, length) = InitialMessage::split(&initiator).unwrap().unwrap();
    peer.send(&initiator[..length]);
    let first = peer.payload();
    peer.send(&initiator[length..]);
    let second = peer.payload();
    for (ours, theirs) in [first, second].iter().zip(&expected) {
        let (ours, theirs) =
            (Notification::read(ours).unwrap(), Notification::read(theirs).unwrap());
        assert_eq!(ours.ballot, theirs.ballot);
        let text = theirs.config().unwrap().replace("127.0.0.1", &home);
        assert_eq!(ours.config(), Some(text.as_str()));
    }
    assert_eq!(member.decided(), (ServerState::Following, 2));
}
