//! Servers that say anything at all: no panic, no hang, and no more memory than what was received.

use super::*;
use crate::client::random::Random;
use quorate_wire::frame::SET_WATCHES_XID;
use quorate_wire::op::get_children::GetChildren2Response;

/// What a good server says to [`prepared`].
fn stream() -> Vec<u8> {
    let children =
        GetChildren2Response { children: vec!["one".into(), "two".into()], stat: Stat::default() };
    let mut bytes = welcome(SESSION, 9_000, false);
    write_notification(EventType::Deleted, "/a", 7, &mut bytes);
    bytes.extend(reply(-4, 0, 0, &[]));
    bytes.extend(reply(1, 5, 0, &data(b"data")));
    bytes.extend(reply(2, 6, -101, &[]));
    bytes.extend(reply(3, 7, 0, &children.to_bytes()));
    write_notification(EventType::ChildrenChanged, "/a", -1, &mut bytes);
    bytes.extend(reply(4, 8, 0, &stat()));
    bytes
}

fn prepared() -> Rig {
    let mut rig = Rig::new(settings());
    rig.session.authenticate("digest", b"a:b", 9).unwrap();
    rig.submit(&Request::Get { path: "/a", watch: Some(1) }, 1);
    rig.submit(&Request::Exists { path: "/a", watch: Some(2) }, 2);
    rig.submit(&Request::Children { path: "/a", watch: Some(3) }, 3);
    rig.set("/a", 4);
    rig.greet();
    rig.take_effects();
    rig
}

/// Gives the bytes to the session, and looks that it behaves from then on.
fn feed(bytes: &[u8], chunk: usize) -> Rig {
    let mut rig = prepared();
    // The answers come when there is something to answer.
    let greeting = welcome(SESSION, 9_000, false).len().min(bytes.len());
    rig.receive(&bytes[..greeting]);
    rig.raw_output();
    for piece in bytes[greeting..].chunks(chunk) {
        rig.receive(piece);
        rig.raw_output();
    }
    assert!(rig.session.memory() < 100_000 + 4 * bytes.len(), "{}", rig.session.memory());
    let completed = |effects: &[Effect], token: Token| {
        let of = |e: &&Effect| matches!(e, Effect::Complete { token: t, .. } if *t == token);
        effects.iter().filter(of).count()
    };
    for token in [1, 2, 3, 4, 9] {
        assert!(completed(&rig.effects, token) <= 1, "{:?}", rig.effects);
    }
    rig.session.abandon();
    rig.collect();
    for token in [1, 2, 3, 4, 9] {
        assert_eq!(completed(&rig.effects, token), 1, "{token}: {:?}", rig.effects);
    }
    rig
}

#[test]
fn the_good_stream_is_good() {
    let mut rig = feed(&stream(), usize::MAX);
    let ended = rig.ended();
    assert_eq!(ended.iter().filter(|(_, code, _)| code.is_none()).count(), 5, "{ended:?}");
}

#[test]
fn a_stream_may_end_anywhere() {
    let stream = stream();
    for cut in 0..stream.len() {
        feed(&stream[..cut], 1 + cut % 50);
    }
}

#[test]
fn any_byte_may_be_wrong() {
    let stream = stream();
    for at in 0..stream.len() {
        for flip in [0x01, 0x10, 0x80, 0xFF] {
            let mut bytes = stream.clone();
            bytes[at] ^= flip;
            feed(&bytes, usize::MAX);
        }
    }
}

#[test]
fn chance_is_no_server() {
    let mut random = Random::new(5);
    for _ in 0..300 {
        let mut bytes = if random.below(2) == 0 { welcome(1, 9_000, false) } else { Vec::new() };
        for _ in 0..random.below(20) {
            let len = usize::try_from(random.below(60)).unwrap();
            if random.below(4) > 0 {
                bytes.extend(u32::try_from(len).unwrap().to_be_bytes());
                let xids = [-1, -2, -4, SET_WATCHES_XID, 1, 2, 3, 4];
                let at = usize::try_from(random.below(8)).unwrap();
                bytes.extend(xids[at].to_be_bytes());
            }
            bytes.extend((0..len).map(|_| random.below(256).to_be_bytes()[7]));
        }
        feed(&bytes, 1 + usize::try_from(random.below(40)).unwrap());
    }
}

#[test]
fn a_frame_that_is_too_long_is_not_waited_for() {
    for length in [i32::MAX, -1, (64 << 20) + 1] {
        let mut rig = Rig::up();
        rig.receive(&length.to_be_bytes());
        assert_eq!(rig.session.state(), State::Suspended, "{length}");
        let mut rig = Rig::new(settings());
        rig.greet();
        rig.receive(&length.to_be_bytes());
        assert_eq!(rig.session.state(), State::Connecting, "{length}");
        rig.until_attempt();
    }
}

#[test]
fn a_list_that_claims_to_be_endless_costs_nothing() {
    let mut rig = Rig::up();
    rig.submit(&Request::Children { path: "/a", watch: None }, 1);
    let xid = rig.sent()[0].xid;
    rig.reply(xid, 5, 0, &i32::MAX.to_be_bytes());
    assert_eq!(rig.session.state(), State::Suspended);
}

#[test]
fn answers_to_nothing_end_the_connection() {
    for xid in [-2, -4, SET_WATCHES_XID, -3, 0, 1, i32::MAX, i32::MIN] {
        let mut rig = Rig::up();
        rig.reply(xid, 5, 0, &[]);
        assert_eq!(rig.session.state(), State::Suspended, "{xid}");
    }
    // Events of kinds that are not known do no harm.
    let mut rig = Rig::up();
    let body = quorate_wire::event::WatcherEvent { kind: 99, state: 3, path: "/a".into() };
    rig.reply(-1, -1, 0, &body.to_bytes());
    assert_eq!(rig.session.state(), State::Connected);
}
