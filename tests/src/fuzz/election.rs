//! The election port and the configuration of an ensemble.

use quorate_engine::election::links::{Command, LinkOptions, Links};
use quorate_wire::frame::Split;
use quorate_wire::quorum::address::HostPort;
use quorate_wire::quorum::election::{
    InitialMessage, MAX_NOTIFICATION, Notification, split_notification,
};
use quorate_wire::quorum::membership::Membership;

/// What comes in on the election port: an initial message, then notifications; and the bytes as the payload of one.
pub fn election(data: &[u8]) {
    let mut rest = data;
    if let Ok(Some((message, consumed))) = InitialMessage::split(data) {
        let mut bytes = Vec::new();
        message.write(&mut bytes);
        assert_eq!(InitialMessage::split(&bytes), Ok(Some((message, bytes.len()))));
        rest = data.get(consumed..).unwrap_or_default();
    }
    while let Split::Frame { payload, consumed } = split_notification(rest) {
        assert!((1..=MAX_NOTIFICATION).contains(&payload.len()) && consumed <= rest.len());
        rest = rest.get(consumed..).unwrap_or_default();
        notification(payload);
    }
    notification(data);
    connection(data);
}

/// The bytes as one connection, in pieces: it stays in use or is closed, and what is kept of it is less than one message.
fn connection(data: &[u8]) {
    let greeting = InitialMessage::v1(1, HostPort::new("localhost", 3888));
    let options = LinkOptions { connect_timeout: 1000, greeting_timeout: 1000, strangers: 8 };
    let mut links = Links::new(1, &greeting, options);
    let link = links.accepted(0);
    let (mut closed, mut heard) = (false, 0);
    for piece in data.chunks(7) {
        links.received(0, link, piece);
        while let Some(command) = links.next_command() {
            assert!(!closed || !matches!(command, Command::Heard { .. }), "nothing of it counts");
            match command {
                Command::Close { link: which } if which == link => closed = true,
                Command::Heard { payload, .. } => heard += payload.len() + 4,
                _ => {}
            }
        }
    }
    assert!(heard <= data.len());
    links.tick(2000);
    assert_eq!(links.next_deadline(), None, "it is closed, or has said who it is");
}

fn notification(payload: &[u8]) {
    let Ok(read) = Notification::read(payload) else { return };
    let mut bytes = Vec::new();
    read.write(&mut bytes);
    assert_eq!(Notification::read(&bytes).as_ref(), Ok(&read));
}

/// The text of a configuration: any bytes give one, which is written as Apache would, or an error that can be shown.
pub fn membership(data: &[u8]) {
    match Membership::parse(&String::from_utf8_lossy(data)) {
        Ok(membership) => {
            assert!(membership.voters().next().is_some());
            let text = membership.to_string();
            assert_eq!(Membership::parse(&text).as_ref(), Ok(&membership), "{text}");
        }
        Err(error) => assert!(error.to_string().len() < 2000, "{error}"),
    }
}
