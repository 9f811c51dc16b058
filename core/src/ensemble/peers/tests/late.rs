//! Leaders that are not there yet, or nowhere.

use super::super::{LeaderLink, LeaderReport, LeaderSettings, LearnerLinks, LearnerReport, Loss};
use super::party::CHIEF;
use super::stage::{Stage, until};
use super::{LIMITS, TREE};
use crate::ensemble::tls::Security;
use quorate_engine::tree::Tree;
use quorate_wire::quorum::address::HostPort;
use socket2::{Domain, Socket, Type};
use std::net::SocketAddr;

/// A port that refuses connections, and that this process can open.
fn reserved() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

fn search(stage: &Stage, addresses: &[(&str, u16)], search_ends: i64) -> LeaderLink {
    let addresses = addresses.iter().map(|&(host, port)| HostPort::new(host, port)).collect();
    let settings = LeaderSettings {
        addresses,
        base: 1,
        search_ends: stage.now() + search_ends,
        limits: LIMITS,
        tree: TREE,
        security: Security::none(),
    };
    LeaderLink::new(settings, stage.registry(), &stage.waker, stage.now()).unwrap()
}

/// What the search has found.
fn found(stage: &mut Stage, link: &mut LeaderLink) -> LeaderReport {
    let mut report = None;
    until("the search ends", || {
        for event in stage.events(false) {
            link.ready(&event);
        }
        report = link.next(stage.now(), false);
        report.is_some()
    });
    report.unwrap()
}

#[test]
fn a_port_that_opens_late_is_found_soon() {
    let mut stage = Stage::new();
    let (_reservation, address) = reserved();
    let mut link = search(&stage, &[("127.0.0.1", address.port())], 60_000);
    until("a while has passed", || {
        for event in stage.events(false) {
            link.ready(&event);
        }
        assert!(link.next(stage.now(), false).is_none(), "nobody is there");
        stage.now() > 30
    });
    let mut links =
        LearnerLinks::open(&[address], CHIEF, LIMITS, &Security::none(), stage.registry()).unwrap();
    let mut report = None;
    let mut tree = Tree::new(TREE);
    until("they meet", || {
        for event in stage.events(links.has_work(false) || link.has_work(false)) {
            assert!(links.ready(&event) || link.ready(&event));
        }
        report = report.take().or_else(|| link.next(stage.now(), false));
        let connected = links.next(false);
        links.flush(&mut tree);
        matches!(connected, Some(LearnerReport::Connected(..)))
    });
    until("the learner knows", || {
        report = report.take().or_else(|| link.next(stage.now(), false));
        for event in stage.events(false) {
            assert!(links.ready(&event) || link.ready(&event));
        }
        report.is_some()
    });
    assert!(matches!(report, Some(LeaderReport::Connected(to)) if to == address), "{report:?}");
    links.shutdown(&mut tree);
}

#[test]
fn one_address_that_answers_is_enough() {
    let mut stage = Stage::new();
    let (_reservation, closed) = reserved();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let open = port.local_addr().unwrap();
    let addresses = [("127.0.0.1", closed.port()), ("localhost", open.port())];
    let mut link = search(&stage, &addresses, 60_000);
    let report = found(&mut stage, &mut link);
    assert!(matches!(report, LeaderReport::Connected(to) if to == open), "{report:?}");
}

#[test]
fn whoever_is_nowhere_is_given_up_with_the_reason() {
    let mut stage = Stage::new();
    let (_reservation, closed) = reserved();
    let mut link = search(&stage, &[("127.0.0.1", closed.port())], 50);
    let report = found(&mut stage, &mut link);
    let LeaderReport::Gone(loss @ Loss::Unreachable(_)) = report else { panic!("{report:?}") };
    assert!(loss.to_string().contains("refused"), "{loss}");
    assert!(stage.now() >= 50);
    assert!(link.next(stage.now(), false).is_none(), "once");
    assert!(!link.has_work(false) && link.deadline().is_none());

    // A port where nobody listens is no leader's, however long the search might take.
    let mut link = search(&stage, &[("127.0.0.1", closed.port())], i64::MAX / 2);
    let report = found(&mut stage, &mut link);
    assert!(matches!(report, LeaderReport::Gone(Loss::Unreachable(_))), "{report:?}");

    let mut link = search(&stage, &[("no such host", 1)], 50);
    let report = found(&mut stage, &mut link);
    assert!(matches!(report, LeaderReport::Gone(Loss::Unreachable(_))), "{report:?}");
}
