//! Election ports with TLS: who elects there, and who is turned away with one line.

use super::peer::{Peer, frame, greeting, looking};
use super::*;
use crate::client::tls::TlsVersions;
use crate::config::QuorumTls;
use crate::ensemble::tls::tests::home::{Home, anonymous, caller, hello};
use rustls::client::ClientConnection;
use std::io::{Read, Write};

/// Voters at an address of their own, with certificates for it.
struct Secured {
    home: String,
    files: Home,
    membership: Membership,
}

impl Secured {
    fn new(n: i64) -> Self {
        let home = home();
        let files = Home::at(&home);
        let membership = membership(&home, n, "");
        Self { home, files, membership }
    }

    /// Starts one of them.
    fn start(&self, sid: i64, change: impl FnOnce(&mut QuorumTls)) -> Member {
        let security = Security::open(&self.files.options("member", change)).unwrap();
        let links = LinkOptions { greeting_timeout: 3_000, ..LINKS };
        Member::start(ElectionConfig { security, links, ..config(sid, &self.membership) })
    }

    fn start_all(&self) -> Vec<Member> {
        self.membership.voters().map(|sid| self.start(sid, |_| {})).collect()
    }

    /// Connects to the first one, as somebody who speaks TLS like that, and says something: whatever comes of it.
    fn visit(&self, mut tls: ClientConnection, say: &[u8]) -> String {
        let mut peer = Peer::connect(&self.home, 1);
        let from = peer.socket.local_addr().unwrap().to_string();
        tls.writer().write_all(say).unwrap();
        let mut stream = rustls::Stream::new(&mut tls, &mut peer.socket);
        // The other end hangs up at some time.
        let _ = stream.flush();
        let _ = stream.read(&mut [0; 64]);
        from
    }
}

/// All look, and elect the last.
fn elect(members: &[Member]) {
    members.iter().for_each(|member| member.thread.look(history(5, 1)));
    let last = i64::try_from(members.len()).unwrap();
    for member in members {
        assert_eq!(member.decided().1, last);
    }
}

#[test]
fn members_with_certificates_elect_without_a_word() {
    for versions in [TlsVersions::Tls12, TlsVersions::Tls13] {
        let secured = Secured::new(3);
        let start = |sid| secured.start(sid, |tls| tls.protocol = Some(versions));
        let members: Vec<Member> = (1..=3).map(start).collect();
        elect(&members);
        // By the others' own connections, and by those that they knock for.
        members.iter().for_each(|member| assert_eq!(member.lines(), [""; 0]));
    }
}

#[test]
fn strangers_are_turned_away_with_one_line_each() {
    let message =
        |home: &str| [greeting(home, 2), frame(looking(9, history(99, 9), 1), None)].concat();
    for (name, words) in [
        ("foreign", "an authority that is not trusted"),
        ("expired", "has expired"),
        ("elsewhere", "is not for 127.0.0.1 but for zoo9.example.org"),
        ("", "presents no certificate"),
    ] {
        let secured = Secured::new(3);
        let members = secured.start_all();
        let tls = match name {
            "" => anonymous(&secured.files.authority),
            name => caller(&secured.files, name, &secured.home),
        };
        let from = secured.visit(tls, &message(&secured.home));
        let line = members[0].says(words);
        assert!(line.contains(&from), "{line}");
        elect(&members);
        assert_eq!(members[0].lines(), [line], "{name}");
    }
}

#[test]
fn plain_text_and_garbage_are_turned_away_with_one_line_each() {
    let secured = Secured::new(3);
    let real = greeting(&secured.home, 2);
    let begun = hello();
    for (bytes, words) in [
        (&real[..], "it does not speak TLS, and this server has sslQuorum=true"),
        (b"GET / HTTP/1.1\r\n\r\n", "it does not speak TLS"),
        (&[0x16; 90], "what it says is no TLS"),
        (&begun[..begun.len() / 2], "nothing was said in time"),
        (&[], "nothing was said in time"),
    ] {
        let secured = Secured::new(3);
        let members = secured.start_all();
        let mut peer = Peer::connect(&secured.home, 1);
        peer.send(bytes);
        // They go on meanwhile.
        elect(&members);
        let line = members[0].says(words);
        assert!(line.contains(&peer.socket.local_addr().unwrap().to_string()), "{line}");
        assert_eq!(members[0].lines(), [line]);
    }
}

/// A flood costs descriptors for as long as a greeting may take, and one line.
#[test]
fn many_who_say_nothing_keep_nobody_out() {
    let secured = Secured::new(3);
    let members = secured.start_all();
    let peers: Vec<Peer> = (0..100).map(|_| Peer::connect(&secured.home, 1)).collect();
    elect(&members);
    members[0].says("there are 16 of strangers");
    let others = |line: &String| !line.contains("strangers") && !line.contains("nothing was said");
    assert_eq!(members[0].lines().into_iter().filter(others).count(), 0);
    drop(peers);
}

#[test]
fn a_member_without_tls_is_told_so_at_both_ends() {
    let secured = Secured::new(2);
    let one = secured.start(1, |tls| tls.ssl_quorum = false);
    let two = secured.start(2, |_| {});
    one.thread.look(history(5, 1));
    two.thread.look(history(5, 1));
    one.says("it speaks TLS, and this server has neither");
    two.says("it does not speak TLS, and this server has");
    let away = two.lines.lock().unwrap().clone();
    assert!(
        away.iter().any(|line| line.contains("it has hung up during the TLS handshake")),
        "{away:?}"
    );
}

/// Each step of a change-over, with members of the step before and after.
#[test]
fn an_ensemble_is_changed_over_without_a_break() {
    let steps = [(false, false), (false, true), (true, true), (true, false)];
    for pair in steps.windows(2) {
        let secured = Secured::new(3);
        let start = |sid, (ssl, unified)| {
            secured.start(sid, |tls| (tls.ssl_quorum, tls.port_unification) = (ssl, unified))
        };
        let members = [start(1, pair[1]), start(2, pair[0]), start(3, pair[1])];
        elect(&members);
        members.iter().for_each(|member| assert_eq!(member.lines(), [""; 0]));
    }
}
