use super::*;

fn hex(text: &str) -> Vec<u8> {
    let text: String = text.split_whitespace().collect();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn written(message: &InitialMessage) -> Vec<u8> {
    let mut out = Vec::new();
    message.write(&mut out);
    out
}

/// `127.0.0.1:23222`, as server 2 of the captures sends it.
const ADDRESS: &str = "3132372e302e302e313a3233323232";

#[test]
fn initial_messages_of_all_forms_are_read_and_written() {
    let address = HostPort::new("127.0.0.1", 23222);
    let v1 = hex(&format!("ffffffffffff0000 0000000000000002 0000000f {ADDRESS}"));
    let v2 = hex(&format!("ffffffffffff0001 0000000000000002 0000001f {ADDRESS} 7c {ADDRESS}"));
    let bare = hex("0000000000000002");
    let message = |form, addresses| InitialMessage { form, sid: 2, addresses };
    let table = [
        (v1, message(InitialForm::V1, vec![address.clone()])),
        (v2, message(InitialForm::V2, vec![address.clone(), address])),
        (bare, message(InitialForm::Bare, vec![])),
    ];
    for (bytes, expected) in table {
        assert_eq!(written(&expected), bytes);
        for cut in 0..bytes.len() {
            assert_eq!(InitialMessage::split(&bytes[..cut]), Ok(None), "{cut} bytes");
        }
        let len = bytes.len();
        let followed = [&bytes[..], b"what follows"].concat();
        assert_eq!(InitialMessage::split(&followed), Ok(Some((expected, len))));
    }
}

#[test]
fn a_wildcard_and_ipv6_are_addresses_of_an_initial_message() {
    for text in ["0.0.0.0:1", "[::1]:2", "[::]:3"] {
        let message = InitialMessage::v1(7, HostPort::parse(text).unwrap());
        let bytes = written(&message);
        assert!(bytes.ends_with(text.as_bytes()));
        assert_eq!(InitialMessage::split(&bytes), Ok(Some((message, bytes.len()))));
    }
}

#[test]
fn what_is_no_initial_message_is_refused_early() {
    let split = |text: &str| InitialMessage::split(&hex(text)).unwrap_err();
    for version in [-1, -65_537, -65_534, i64::MIN] {
        let error = InitialMessage::split(&version.to_be_bytes()).unwrap_err();
        assert_eq!(error, InitialError::Version(version));
    }
    let head = "ffffffffffff0000 0000000000000005";
    for (length, announced) in [("00000000", 0), ("ffffffff", -1), ("00000801", 2049)] {
        assert_eq!(split(&format!("{head}{length}")), InitialError::Length(announced, 5));
    }
    for text in ["zoo", "zoo:x", "zoo:1|", "|zoo:1", "zoo:1:2", ":1", "::1:2"] {
        let mut bytes = hex(head);
        crate::jute::write_str(text, &mut bytes);
        let error = InitialMessage::split(&bytes).unwrap_err();
        assert!(matches!(error, InitialError::Address { sid: 5, .. }), "{text}: {error}");
    }
}

const VOTE: Vote = Vote { leader: 3, zxid: Zxid(0x1_0000_0006), epoch: 1 };

#[test]
fn notifications_of_all_forms_are_read_and_written() {
    let head = "00000002 0000000000000003 0000000100000006 0000000000000004";
    let config = "server.1=a:1:2:participant\nversion=1";
    let config_hex: String = config.bytes().map(|b| format!("{b:02x}")).collect();
    let ballot = |version| Ballot { state: ServerState::Leading, vote: VOTE, round: 4, version };
    let full = |text: &'static str| NotificationForm::Full(Some(text.into()));
    let table = [
        (head.to_owned(), 0, NotificationForm::Short),
        (format!("{head} 0000000000000001 00000001"), 0, NotificationForm::Plain),
        (format!("{head} 0000000000000001 00000001 00000000"), 1, NotificationForm::Full(None)),
        (format!("{head} 0000000000000001 00000002 00000000"), 2, full("")),
        (format!("{head} 0000000000000001 00000002 00000024 {config_hex}"), 2, full(config)),
    ];
    for (bytes, version, form) in table {
        let bytes = hex(&bytes);
        let notification = Notification { ballot: ballot(version), form };
        assert_eq!(Notification::read(&bytes).as_ref(), Ok(&notification));
        let mut out = Vec::new();
        notification.write(&mut out);
        assert_eq!(out, bytes);
    }
    assert_eq!(Notification::new(ballot(0), config).config(), Some(config));
    assert_eq!(Notification::new(ballot(0), config).ballot.version, 2);
}

#[test]
fn the_first_words_of_an_empty_ensemble() {
    // From the captures: server 2 votes for itself.
    let config = "server.1=127.0.0.1:23211:23221:participant;127.0.0.1:23201\n\
                  server.2=127.0.0.1:23212:23222:participant;127.0.0.1:23202\n\
                  server.3=127.0.0.1:23213:23223:participant;127.0.0.1:23203\nversion=0";
    let mut frame = hex(
        "000000e6 00000000 0000000000000002 0000000000000000 0000000000000001 0000000000000000 \
         00000002 000000ba",
    );
    frame.extend_from_slice(config.as_bytes());
    let Split::Frame { payload, consumed } = split_notification(&frame) else { panic!("no frame") };
    assert_eq!(consumed, frame.len());
    let read = Notification::read(payload).unwrap();
    let vote = Vote { leader: 2, zxid: Zxid::ZERO, epoch: 0 };
    let ballot = Ballot { state: ServerState::Looking, vote, round: 1, version: 2 };
    assert_eq!(read, Notification::new(ballot, config));
    let mut out = Vec::new();
    read.write_frame(&mut out);
    assert_eq!(out, frame);
}

#[test]
fn the_epoch_of_the_shortest_form_is_that_of_its_zxid() {
    let bytes = hex("00000000 0000000000000003 0000000500000006 0000000000000004");
    assert_eq!(Notification::read(&bytes).unwrap().ballot.vote.epoch, 5);
}

#[test]
fn what_is_no_notification_is_refused_with_the_reason() {
    let good = hex(
        "00000000 0000000000000003 0000000500000006 0000000000000004 0000000000000001 00000002 \
         00000002 6162",
    );
    for length in (0..44).filter(|length| ![28, 40].contains(length)) {
        let error = Notification::read(&good[..length]).unwrap_err();
        assert_eq!(error, NotificationError::Short(length));
    }
    for state in [-1, 4, i32::MAX] {
        let bytes = [&state.to_be_bytes()[..], &good[4..]].concat();
        assert_eq!(Notification::read(&bytes), Err(NotificationError::State(state)));
    }
    for announced in [-1, 3, i32::MAX, i32::MIN] {
        let bytes = [&good[..40], &announced.to_be_bytes()[..], b"ab"].concat();
        let error = NotificationError::ConfigLength { announced, left: 2 };
        assert_eq!(Notification::read(&bytes), Err(error));
    }
}

#[test]
fn a_frame_has_at_least_a_byte_and_at_most_half_a_megabyte() {
    assert_eq!(split_notification(&hex("00000000")), Split::Illegal(0));
    assert_eq!(split_notification(&hex("ffffffff")), Split::Illegal(-1));
    assert_eq!(split_notification(&hex("00080001")), Split::Illegal(0x8_0001));
    assert_eq!(split_notification(&hex("00080000")), Split::Incomplete(Some(0x8_0004)));
}

#[test]
fn states_are_found_by_their_number() {
    for code in 0..4 {
        assert_eq!(ServerState::from_code(code).unwrap().code(), code);
    }
    assert_eq!(ServerState::from_code(4), None);
}
