//! Configurations that change.

use super::peer::{Peer, frame, looking};
use super::*;
use std::net::{TcpListener, TcpStream};

#[test]
fn a_newer_configuration_is_reported_and_gone_by() {
    let home = home();
    let one = Member::start(config(1, &membership(&home, 3, "")));
    one.thread.look(history(5, 1));
    let newer = membership(&home, 4, "version=100000002\n");
    let mut peer = Peer::greet(&home, 1, 2);
    peer.send(&frame(looking(2, history(9, 1), 1), Some(&newer.to_string())));
    match one.report() {
        ElectionReport::SawConfig { from: 2, membership } => assert_eq!(membership, newer),
        other => panic!("{other:?}"),
    }
    let fourth = TcpListener::bind((home.as_str(), port(4))).unwrap();
    one.thread.commit(newer.clone());
    // The smaller id says who it is, and hangs up.
    let mut knock = Peer::accept(&fourth);
    assert_eq!(knock.greeted().sid, 1);
    knock.is_closed();
    let mut peer = Peer::greet(&home, 1, 4);
    let payload = peer.payload();
    let heard = quorate_wire::quorum::Notification::read(&payload).unwrap();
    assert_eq!(heard.config(), Some(newer.to_string().as_str()));
}

#[test]
fn members_that_are_gone_are_hung_up_on_and_new_addresses_are_used() {
    let home = home();
    let two = Member::start(config(2, &membership(&home, 3, "")));
    two.thread.look(history(5, 1));
    let mut three = Peer::greet(&home, 2, 3);
    three.ballot();
    // The third is removed, and the first is elsewhere.
    let text = format!("server.1={home}:1:4001\nserver.2={home}:2002:3002\nversion=1\n");
    let listener = TcpListener::bind((home.as_str(), 4001)).unwrap();
    two.thread.commit(Membership::parse(&text).unwrap());
    three.is_closed();
    let mut first = Peer::accept(&listener);
    assert_eq!(first.greeted().sid, 2);
    assert_eq!(first.ballot().vote.leader, 2);
}

#[test]
fn a_proposed_configuration_has_voters_too() {
    let home = home();
    let two = Member::start(config(2, &membership(&home, 3, "")));
    two.thread.see(membership(&home, 4, "version=1\n"));
    let fourth = TcpListener::bind((home.as_str(), port(4))).unwrap();
    two.thread.look(history(5, 1));
    assert_eq!(Peer::accept(&fourth).greeted().sid, 2);
}

#[test]
fn the_own_address_moves_with_the_configuration() {
    let home = home();
    let two = Member::start(config(2, &membership(&home, 2, "")));
    let moved = |port: u16, version: i64| {
        let text =
            format!("server.1={home}:2001:3001\nserver.2={home}:2002:{port}\nversion={version}\n");
        Membership::parse(&text).unwrap()
    };
    let taken = TcpListener::bind((home.as_str(), 4002)).unwrap();
    two.thread.commit(moved(4002, 1));
    let line = two.says("another process listens there");
    assert!(line.contains(&format!("{home}:4002")), "{line}");
    assert!(TcpStream::connect((home.as_str(), 3002)).is_err(), "it is not there any more");
    // It is tried until it can be had.
    drop(taken);
    eventually("its new port", || TcpStream::connect((home.as_str(), 4002)).ok());
    // Others are told the new one.
    let first = TcpListener::bind((home.as_str(), 3001)).unwrap();
    two.thread.look(history(5, 1));
    let greeting = Peer::accept(&first).greeted();
    assert_eq!(greeting.addresses, [HostPort::new(home.as_str(), 4002)]);
    two.thread.commit(moved(3002, 2));
    eventually("its old port", || TcpStream::connect((home.as_str(), 3002)).ok());
}
