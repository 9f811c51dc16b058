//! Quorum ports with TLS.

use super::super::Loss;
use super::LIMITS;
use super::party::{Party, set};
use super::stage::{is_closed, raw};
use crate::ensemble::tls::Security;
use crate::ensemble::tls::tests::home::{Home, anonymous, caller, hello};
use rustls::client::ClientConnection;
use std::io::Write;
use std::sync::Arc;

fn at_home() -> (Home, Arc<Security>) {
    let home = Home::at("127.0.0.1");
    let security = home.security("member");
    (home, security)
}

/// Histories, and a tree that is larger than what sockets take, among proposals.
#[test]
fn learners_come_to_be_at_one_with_their_leader() {
    const NODES: usize = 20_000;
    let (_home, security) = at_home();
    let mut party = Party::with(NODES, 200, LIMITS, security);
    party.join(2);
    party.until("a follower by SNAP", |party| party.members[0].is_serving());
    party.join(3);
    party.join(4);
    let mut proposed = 0;
    while !party.members.iter().all(|member| member.is_serving()) {
        party.propose_each(3, |zxid| set(format!("/n{}", zxid.counter() % 20_000), b"changed"));
        party.propose(1, 50);
        party.round();
        proposed += 4;
    }
    for size in (0..60).map(|n| 1 << (n % 19)) {
        party.propose(2, size);
        party.round();
    }
    party.until("everything is applied", Party::is_even);
    assert!(proposed > 8 && party.chief.gone.is_empty(), "{proposed}, {:?}", party.chief.gone);
    party.assert_same_trees();
}

#[test]
fn strangers_are_turned_away_and_nobody_else_notices() {
    let (home, security) = at_home();
    let mut party = Party::with(0, 0, LIMITS, security);
    [2, 3].into_iter().for_each(|sid| party.join(sid));
    party.until("broadcast", |party| party.members.iter().all(|member| member.is_serving()));
    let address = party.chief.links.addresses().next().unwrap();
    let call = |name| caller(&home, name, "127.0.0.1");
    let strangers: [(Result<ClientConnection, Vec<u8>>, &str); 8] = [
        (Ok(call("foreign")), "an authority that is not trusted"),
        (Ok(call("expired")), "has expired"),
        (Ok(call("elsewhere")), "but for zoo9.example.org"),
        (Ok(anonymous(&home.authority)), "presents no certificate"),
        (Err(b"GET / HTTP/1.1\r\n".to_vec()), "does not speak TLS"),
        (Err(vec![0, 0, 0, 11, 0, 0, 0, 0]), "does not speak TLS"),
        (Err(vec![0x16; 50]), "is no TLS"),
        (Err([hello(), vec![0; 50]].concat()), "is no TLS"),
    ];
    for (n, (stranger, words)) in strangers.into_iter().enumerate() {
        let mut socket = raw(address);
        match stranger {
            Ok(mut tls) => {
                tls.writer().write_all(&[0, 0, 0, 11]).unwrap();
                socket.set_nonblocking(true).unwrap();
                party.until(words, |party| {
                    // It goes as far as it is let.
                    let _ = tls.complete_io(&mut socket);
                    party.chief.gone.len() > n
                });
            }
            Err(bytes) => {
                socket.write_all(&bytes).unwrap();
                party.until(words, |party| party.chief.gone.len() > n);
            }
        }
        let (_, loss) = party.chief.gone.last().unwrap();
        assert!(matches!(loss, Loss::Refused(_)) && loss.to_string().contains(words), "{loss}");
        party.until("it is closed", |_| is_closed(&mut socket));
    }
    // Who stops in the middle is there, and that is all.
    let mut silent = raw(address);
    silent.write_all(&hello()[..40]).unwrap();
    party.propose(10, 100);
    party.until("the others go on", Party::is_even);
    assert!(party.members.iter().all(|member| member.gone.is_none()));
    party.assert_same_trees();
}
