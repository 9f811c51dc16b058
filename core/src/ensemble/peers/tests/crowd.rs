//! A leader with too many requests, and a learner that can take nothing now.

use super::super::{
    LeaderLink, LeaderReport, LeaderSettings, LearnerLinks, LearnerReport, Limits, Loss,
};
use super::party::{CHIEF, info};
use super::stage::{Stage, push, raw, until};
use super::{LIMITS, TREE};
use crate::ensemble::tls::Security;
use quorate_engine::tree::Tree;
use quorate_engine::zab::message::Request;
use quorate_engine::zab::{ToLeader, ToLearner};
use quorate_wire::quorum::address::HostPort;
use quorate_wire::{Jute, Zxid};
use std::io::Write;

fn request(n: i32) -> ToLeader {
    let body = vec![0; 1000].into();
    ToLeader::Request(Request { session: 1, cxid: n, op: 5, body, identities: None })
}

fn bytes(messages: &[ToLeader]) -> Vec<u8> {
    messages.iter().flat_map(|message| message.packet(&mut Vec::new()).to_bytes()).collect()
}

#[test]
fn in_a_crowd_requests_wait_and_acknowledgements_do_not() {
    const ASIDE: usize = 100_000;
    let (mut stage, mut tree) = (Stage::new(), Tree::new(TREE));
    let limits = Limits { aside: ASIDE, ..LIMITS };
    let address = ["127.0.0.1:0".parse().unwrap()];
    let mut links =
        LearnerLinks::open(&address, CHIEF, limits, &Security::none(), stage.registry()).unwrap();
    let mut socket = raw(links.addresses().next().unwrap());
    let ack = ToLeader::Ack(Zxid(5));
    let all = (0..20_000).map(request);
    let first = [info(3), request(-2), ack.clone(), request(-1), ToLeader::Ping(Zxid(6), vec![])];
    let sent = bytes(&first.iter().cloned().chain(all).collect::<Vec<_>>());
    let mut unsent = &sent[..];
    let mut heard = Vec::new();
    let mut still = 0;
    until("nothing more is taken", || {
        let before = unsent.len();
        push(&mut socket, &mut unsent);
        still = if before == unsent.len() && !links.has_work(true) { still + 1 } else { 0 };
        for event in stage.events(links.has_work(true)) {
            assert!(links.ready(&event));
        }
        while let Some(report) = links.next(true) {
            heard.push(report);
        }
        links.flush(&mut tree);
        still > 20
    });
    let said: Vec<_> = heard
        .iter()
        .filter_map(|report| match report {
            LearnerReport::Message(_, message) => Some(message),
            _ => None,
        })
        .collect();
    assert_eq!(said, [&info(3), &ack, &ToLeader::Ping(Zxid(6), vec![])]);
    assert!(!unsent.is_empty(), "20 MB are held in memory");
    let mut next = -2;
    until("the crowd is gone", || {
        push(&mut socket, &mut unsent);
        for event in stage.events(links.has_work(false)) {
            assert!(links.ready(&event));
        }
        while let Some(report) = links.next(false) {
            let LearnerReport::Message(_, ToLeader::Request(request)) = report else {
                panic!("{report:?}")
            };
            assert_eq!(request.cxid, next, "in order");
            next += 1;
        }
        links.flush(&mut tree);
        next == 20_000
    });
}

#[test]
fn strangers_keep_no_learner_out() {
    let (mut stage, mut tree) = (Stage::new(), Tree::new(TREE));
    let address = ["127.0.0.1:0".parse().unwrap()];
    let mut links =
        LearnerLinks::open(&address, CHIEF, LIMITS, &Security::none(), stage.registry()).unwrap();
    let address = links.addresses().next().unwrap();
    let mut heard = Vec::new();
    let mut gone = 0;
    let mut round = |what: &str, enough: &dyn Fn(&[ToLeader], i32) -> bool| {
        until(what, || {
            for event in stage.events(links.has_work(false)) {
                assert!(links.ready(&event));
            }
            while let Some(report) = links.next(false) {
                match report {
                    LearnerReport::Connected(..) => {}
                    LearnerReport::Message(_, message) => heard.push(message),
                    LearnerReport::Gone(_, loss) => {
                        assert!(matches!(loss, Loss::Crowd(64)), "{loss}");
                        gone += 1;
                    }
                }
            }
            links.flush(&mut tree);
            enough(&heard, gone)
        });
    };
    let silent: Vec<_> = (0..100).map(|_| raw(address)).collect();
    round("only so many stay", &|_, gone| gone == 36);
    let mut learner = raw(address);
    learner.write_all(&bytes(&[info(3)])).unwrap();
    round("a learner is let in", &|heard, gone| heard == [info(3)] && gone == 37);
    let more: Vec<_> = (0..100).map(|_| raw(address)).collect();
    round("it is none of them any more", &|_, gone| gone == 36 + 100);
    learner.write_all(&bytes(&[ToLeader::Ack(Zxid(1))])).unwrap();
    round("it is heard", &|heard, _| heard.len() == 2);
    drop((silent, more));
}

#[test]
fn whoever_is_busy_is_given_nothing_and_holds_little() {
    let mut stage = Stage::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
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
    let packet = |n| ToLearner::Commit(Zxid(n)).packet(&mut Vec::new()).to_bytes();
    let sent: Vec<u8> = (0..1_000_000).flat_map(packet).collect();
    let mut unsent = &sent[..];
    let (mut heard, mut still) = (0, 0);
    until("nothing more is taken", || {
        let before = unsent.len();
        push(&mut socket, &mut unsent);
        let busy = heard > 0;
        still = if before == unsent.len() && !link.has_work(busy) { still + 1 } else { 0 };
        for event in stage.events(link.has_work(busy)) {
            assert!(link.ready(&event));
        }
        if let Some(LeaderReport::Message(message)) = link.next(stage.now(), busy) {
            assert_eq!(message, ToLearner::Commit(Zxid(0)));
            heard += 1;
        }
        link.flush();
        still > 20
    });
    assert!(!unsent.is_empty(), "20 MB are held in memory");
    until("it is not busy any more", || {
        push(&mut socket, &mut unsent);
        for event in stage.events(link.has_work(false)) {
            assert!(link.ready(&event));
        }
        while let Some(report) = link.next(stage.now(), false) {
            let LeaderReport::Message(message) = report else { panic!("{report:?}") };
            assert_eq!(message, ToLearner::Commit(Zxid(heard)), "in order");
            heard += 1;
        }
        link.flush();
        heard == 1_000_000
    });
}
