//! Credentials, and the seam for SASL.

use super::*;
use quorate_wire::frame::AUTH_XID;
use quorate_wire::op::auth::{AuthPacket, SaslToken};

fn auth(rig: &mut Rig, secret: &str, token: Token) {
    rig.session.authenticate("digest", secret.as_bytes(), token).unwrap();
    rig.collect();
}

fn secrets(sent: &[Sent]) -> Vec<String> {
    let auths = sent.iter().filter(|sent| sent.op == OpCode::Auth);
    auths
        .map(|sent| {
            assert_eq!(sent.xid, AUTH_XID);
            let packet = AuthPacket::from_bytes(&sent.body).unwrap();
            String::from_utf8(packet.auth.unwrap().to_vec()).unwrap()
        })
        .collect()
}

#[test]
fn credentials_go_first_on_every_connection() {
    let mut rig = Rig::new(settings());
    auth(&mut rig, "a:1", 1);
    rig.get("/x", 2);
    rig.connect();
    let sent = rig.sent();
    assert_eq!(secrets(&sent[..1]), ["a:1"]);
    assert_eq!(sent[1].op, OpCode::GetData);
    auth(&mut rig, "b:2", 3);
    assert_eq!(secrets(&rig.sent()), ["b:2"]);
    // Answers to auth overtake others.
    rig.reply(AUTH_XID, 0, 0, &[]);
    rig.reply(AUTH_XID, 0, 0, &[]);
    rig.reply(sent[1].xid, 5, 0, &data(b""));
    assert_eq!(rig.ended(), [(1, None, false), (3, None, false), (2, None, false)]);
    rig.hang_up();
    rig.connect();
    assert_eq!(secrets(&rig.sent()), ["a:1", "b:2"]);
    rig.take_effects();
    rig.reply(AUTH_XID, 0, 0, &[]);
    rig.reply(AUTH_XID, 0, 0, &[]);
    assert_eq!(rig.take_effects(), []);
    // An answer to nothing.
    rig.reply(AUTH_XID, 0, 0, &[]);
    assert_eq!(rig.session.state(), State::Suspended);
}

#[test]
fn an_answer_that_was_lost_comes_from_the_next_connection() {
    let mut rig = Rig::up();
    auth(&mut rig, "a:1", 1);
    rig.sent();
    rig.hang_up();
    assert_eq!(rig.ended(), []);
    rig.connect();
    rig.sent();
    rig.reply(AUTH_XID, 0, 0, &[]);
    assert_eq!(rig.ended(), [(1, None, false)]);
}

#[test]
fn the_same_credentials_are_kept_once() {
    let mut rig = Rig::up();
    auth(&mut rig, "a:1", 1);
    auth(&mut rig, "a:1", 2);
    assert_eq!(secrets(&rig.sent()), ["a:1"]);
    rig.reply(AUTH_XID, 0, 0, &[]);
    auth(&mut rig, "a:1", 3);
    assert_eq!(rig.sent(), []);
    assert_eq!(rig.ended(), [(1, None, false), (2, None, false), (3, None, false)]);
}

#[test]
fn credentials_are_bounded() {
    let mut rig = Rig::up();
    let mut refused = None;
    for token in 0..2_000 {
        let secret = format!("user:{token}");
        refused = refused.or(rig.session.authenticate("digest", secret.as_bytes(), token).err());
    }
    assert_eq!(refused, Some(Refused::Full));
    let long = vec![0; 2 << 20];
    assert_eq!(rig.session.authenticate("digest", &long, 1), Err(Refused::TooLong));
}

#[test]
fn refused_credentials_end_everything() {
    let mut rig = Rig::up();
    rig.ask(&Request::Get { path: "/a", watch: Some(1) }, 1, 0, &data(b""));
    auth(&mut rig, "a:1", 2);
    rig.set("/a", 3);
    rig.sent();
    auth(&mut rig, "b:2", 4);
    rig.take_effects();
    rig.reply(AUTH_XID, 0, ErrorCode::AuthFailed.code(), &[]);
    let effects = rig.take_effects();
    assert_eq!(effects.last(), Some(&Effect::State(State::AuthFailed)));
    rig.effects.clone_from(&effects);
    let failed = Some(ErrorCode::AuthFailed);
    assert_eq!(rig.ended(), [(3, failed, true), (2, failed, false), (4, failed, false)]);
    rig.effects = effects;
    assert_eq!(rig.events(), [(1, Notice::Ended(ErrorCode::AuthFailed))]);
    assert_eq!(rig.session.submit("", &Request::WhoAmI, 5), Err(Refused::AuthFailed));
    assert_eq!(rig.session.authenticate("digest", b"", 5), Err(Refused::AuthFailed));
    assert_eq!(rig.session.deadline(), None);
}

#[test]
fn secrets_are_not_printed() {
    let mut rig = Rig::up();
    rig.session.authenticate("digest", b"joe:SeSaMe", 1).unwrap();
    let identity = Identity { id: 1, password: [77; 16] };
    let text = format!("{:?} {identity:?}", rig.session);
    let secret = format!("{:?}", b"SeSaMe");
    assert!(!text.contains(secret.trim_matches(['[', ']'])), "{text}");
    assert!(!text.contains("77, 77"), "{text}");
    assert!(!text.contains("7, 7, 7, 7, 7, 7, 7, 7"), "{text}");
}

/// Wants the server to say "ask" and then "welcome".
#[derive(Debug, Default)]
struct Toy {
    steps: usize,
    silent: bool,
}

impl Mechanism for Toy {
    fn begin(&mut self) -> Result<Vec<u8>, SaslError> {
        self.steps = 0;
        if self.silent { Err(SaslError("no ticket".into())) } else { Ok(b"hello".to_vec()) }
    }

    fn step(&mut self, challenge: &[u8]) -> Result<Option<Vec<u8>>, SaslError> {
        self.steps += 1;
        match (self.steps, challenge) {
            (1, b"ask") => Ok(Some(b"answer".to_vec())),
            (2, b"welcome") => Ok(None),
            _ => Err(SaslError("not the server".into())),
        }
    }
}

fn with_toy(silent: bool) -> Rig {
    let mut rig = Rig::with_sasl(settings(), Some(Box::new(Toy { steps: 0, silent })));
    auth(&mut rig, "a:1", 1);
    rig.get("/x", 2);
    rig.connect();
    rig
}

fn token(sent: &[Sent]) -> (i32, Vec<u8>) {
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(sent[0].op, OpCode::Sasl);
    (sent[0].xid, SaslToken::from_bytes(&sent[0].body).unwrap().token.unwrap().to_vec())
}

fn say(rig: &mut Rig, xid: i32, text: &[u8]) {
    rig.reply(xid, 0, 0, &SaslToken { token: Some(text) }.to_bytes());
}

#[test]
fn nothing_but_sasl_is_sent_before_its_end() {
    let mut rig = with_toy(false);
    for round in 0..2 {
        rig.take_effects();
        let (xid, first) = token(&rig.sent());
        assert_eq!(first, b"hello");
        rig.tick_at(rig.now + TIMEOUT / 3);
        assert_eq!(rig.sent(), [], "a server that demands SASL refuses pings");
        say(&mut rig, xid, b"ask");
        let (xid, second) = token(&rig.sent());
        assert_eq!(second, b"answer");
        assert_eq!(rig.states(), []);
        say(&mut rig, xid, b"welcome");
        assert_eq!(rig.states(), [State::Connected]);
        let expected = [OpCode::Auth, OpCode::GetData];
        assert_eq!(rig.sent_ops(), expected[..2 - round]);
        rig.hang_up();
        rig.connect();
    }
}

#[test]
fn a_sasl_exchange_that_fails_ends_everything() {
    let rig = with_toy(true);
    assert_eq!(rig.session.state(), State::AuthFailed);
    for (text, err) in [(b"nonsense".as_slice(), 0), (b"ask", ErrorCode::AuthFailed.code())] {
        let mut rig = with_toy(false);
        let (xid, _) = token(&rig.sent());
        rig.reply(xid, 0, err, &SaslToken { token: Some(text) }.to_bytes());
        assert_eq!(rig.session.state(), State::AuthFailed);
        let failed = Some(ErrorCode::AuthFailed);
        assert_eq!(rig.ended(), [(2, failed, false), (1, failed, false)]);
    }
}
