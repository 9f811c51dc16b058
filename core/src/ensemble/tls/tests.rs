//! Two ends of a connection, with certificates that are made here.

pub(crate) mod home;

use super::*;
use crate::client::tls::TlsVersions;
use crate::config::ClientAuth;
use home::{Ends, Home, membership, turned_away};
use std::fs;
use std::io::Write;
use std::time::{Duration, Instant};

#[test]
fn bytes_go_both_ways_whatever_the_sockets_take_at_once() {
    let home = Home::new();
    for versions in [TlsVersions::Tls12, TlsVersions::Tls13] {
        let options = home.options("member", |tls| tls.enabled_protocols = Some(versions));
        let mut ends = Ends::new(&options, &options);
        ends.shake().unwrap();
        let sent: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        assert!(ends.there_and_back(&sent) == sent, "{versions:?}");
    }
}

#[test]
fn both_ends_say_why_they_do_not_talk() {
    let home = Home::new();
    let tls = |name| home.options(name, |_| {});
    let without_names = |name| home.options(name, |tls| tls.hostname_verification = false);
    let plain = QuorumTls::default();
    let with = |version| home.options("member", |tls| tls.enabled_protocols = Some(version));
    // Who connects, to whom, and what at least one of both says.
    for (client, server, words) in [
        (tls("foreign"), tls("member"), "an authority that is not trusted"),
        (tls("member"), tls("foreign"), "an authority that is not trusted"),
        (tls("expired"), tls("member"), "has expired"),
        (tls("member"), tls("expired"), "has expired"),
        (tls("elsewhere"), tls("member"), "is not for 127.0.0.1 but for zoo9.example.org"),
        (tls("member"), tls("elsewhere"), "is not for localhost but for zoo9.example.org"),
        (tls("nameless"), tls("member"), "not for 127.0.0.1 but has no subjectAltName"),
        (tls("serving"), tls("member"), "both serverAuth and clientAuth"),
        (plain.clone(), tls("member"), "it does not speak TLS, and this server has sslQuorum=true"),
        (tls("member"), plain, "neither sslQuorum=true nor portUnification=true"),
        (with(TlsVersions::Tls12), with(TlsVersions::Tls13), "no version or cipher suite"),
    ] {
        let said = turned_away(&client, &server);
        assert!(said.iter().any(|said| said.contains(words)), "{words}: {said:?}");
    }
    // Names do not matter to those who do not look.
    for name in ["elsewhere", "nameless"] {
        Ends::new(&without_names(name), &without_names(name)).shake().unwrap();
    }
}

#[test]
fn who_has_no_certificate_is_let_in_only_where_none_is_needed() {
    let home = Home::new();
    for (auth, welcome) in
        [(ClientAuth::Need, false), (ClientAuth::Want, true), (ClientAuth::None, true)]
    {
        let server = home.options("member", |tls| tls.client_auth = auth);
        let mut ends = Ends::anonymous(&home.authority, &server);
        match ends.shake() {
            Ok(()) => assert!(welcome, "{auth:?}"),
            Err(error) => {
                assert!(
                    !welcome && error.to_string().contains("presents no certificate"),
                    "{error}"
                );
            }
        }
    }
}

/// Who connects may do so from any address, if its certificate is for a member's host.
#[test]
fn a_host_of_the_members_is_a_name_for_who_connects() {
    let home = Home::new();
    let tls = |name| home.options(name, |_| {});
    let mut ends = Ends::new(&tls("elsewhere"), &tls("member"));
    ends.server_security.set_members([&membership("zoo9.example.org")]);
    ends.shake().unwrap();
    let mut ends = Ends::new(&tls("elsewhere"), &tls("member"));
    ends.server_security.set_members([&membership("zoo8.example.org")]);
    assert!(ends.shake().unwrap_err().to_string().contains("zoo9.example.org"));
}

#[test]
fn with_unified_ports_both_kinds_are_let_in() {
    let home = Home::new();
    let unified = home.options("member", |tls| tls.port_unification = true);
    let ready = home.options("member", |tls| {
        (tls.ssl_quorum, tls.port_unification) = (false, true);
    });
    let strict = home.options("member", |_| {});
    let plain = QuorumTls::default();
    for (client, server) in [
        (&unified, &unified),
        (&unified, &ready),
        (&ready, &unified),
        (&strict, &unified),
        (&unified, &strict),
        (&plain, &ready),
        (&ready, &plain),
        (&plain, &unified),
    ] {
        let mut ends = Ends::new(client, server);
        ends.shake().unwrap();
        assert_eq!(ends.there_and_back(b"hello"), b"hello", "{client:?}, {server:?}");
    }
}

/// Whatever follows the first byte of a handshake: an end and no panic, and nothing is handed on.
#[test]
fn garbage_is_refused_and_never_handed_on() {
    let home = Home::new();
    let security = Security::open(&home.options("member", |_| {})).unwrap();
    let mut seed = 7_u32;
    for round in 0..400 {
        let mut byte = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        };
        let mut bytes: Vec<u8> = (0..round).map(|_| byte()).collect();
        // Some of them begin like a real one, more or less far.
        let length = u8::try_from(round % 256).unwrap();
        let head = [0x16, 3, 1, 0, length, 1, 0, 0, byte(), 3, 3];
        let real = home::hello();
        let begin =
            if round % 2 == 0 { &head[..1 + round % 11] } else { &real[..round % real.len()] };
        bytes.splice(0..0, begin.iter().copied());
        let (mut stream, mut far) = home::accepted(&security);
        far.write_all(&bytes).unwrap();
        drop(far);
        let end = home::until_end(&mut stream);
        assert!(matches!(&end, Ok(0)) || end.is_err(), "{round}: {end:?}");
    }
}

#[test]
fn a_silent_one_is_not_waited_for() {
    let home = Home::new();
    let security = Security::open(&home.options("member", |_| {})).unwrap();
    let (mut stream, mut far) = home::accepted(&security);
    for part in home::hello().chunks(50).take(2) {
        let error = stream.read(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(stream.write(b"x").unwrap(), Written { taken: 0, full: true });
        far.write_all(part).unwrap();
    }
}

#[test]
fn files_that_are_of_no_use_are_named_with_what_to_do() {
    let home = Home::new();
    let write = |name: &str, bytes: &[u8]| {
        fs::write(home.path(name), bytes).unwrap();
        home.path(name)
    };
    let member = fs::read(home.path("member.pem")).unwrap();
    let text = String::from_utf8(member.clone()).unwrap();
    let key = &text[text.find("-----BEGIN PRIVATE").unwrap()..];
    let chain = &text[..text.len() - key.len()];
    let other = fs::read_to_string(home.path("elsewhere.pem")).unwrap();
    let mixed = [chain, &other[other.find("-----BEGIN PRIVATE").unwrap()..]].concat();
    let encrypted = text.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    for (store, words) in [
        (write("store.jks", &[0xFE, 0xED, 0xFE, 0xED, 0, 0, 0, 2]), "keytool -importkeystore"),
        (write("store.p12", &[0x30, 0x82, 9, 9]), "is a PKCS12 store"),
        (write("no-key.pem", chain.as_bytes()), "no private key"),
        (write("no-chain.pem", key.as_bytes()), "no certificate"),
        (write("mixed.pem", mixed.as_bytes()), "must belong together"),
        (write("encrypted.pem", encrypted.as_bytes()), "the private key is encrypted"),
        (home.path("absent.pem"), "check the path"),
    ] {
        let path = store.display().to_string();
        let options = home.options("member", |tls| tls.key_store = Some(store));
        let said = Security::open(&options).unwrap_err().to_string();
        assert!(said.contains("`ssl.quorum.keyStore.location`: "), "{said}");
        assert!(said.contains(words) && said.contains(&path), "{said}");
    }
    let options = home.options("member", |tls| tls.trust_store = None);
    assert!(Security::open(&options).unwrap_err().to_string().contains("trustStore.location"));
    let options = home.options("member", |tls| tls.cipher_suites = vec!["TLS_NONE".into()]);
    let said = Security::open(&options).unwrap_err().to_string();
    assert!(said.contains("TLS_AES_128_GCM_SHA256") && said.contains("ECDHE"), "{said}");
}

#[test]
fn a_cipher_suite_by_its_name_in_java_is_the_one_that_is_used() {
    let home = Home::new();
    let only = |name: &str| home.options("member", |tls| tls.cipher_suites = vec![name.into()]);
    let one = only("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
    Ends::new(&one, &one).shake().unwrap();
    let said = turned_away(&one, &only("TLS_AES_256_GCM_SHA384"));
    assert!(said.iter().any(|said| said.contains("ssl.quorum.ciphersuites")), "{said:?}");
}

#[test]
fn renewed_files_are_used_and_broken_ones_are_not() {
    let home = Home::new();
    let options = home.options("member", |tls| tls.reload_cert_files = true);
    let peer = home.options("member", |tls| tls.key_store = Some(home.path("fixed.pem")));
    fs::copy(home.path("member.pem"), home.path("fixed.pem")).unwrap();
    let security = Security::open(&options).unwrap();
    let renewal = Renewal::begin(&security).unwrap();
    let talks = || Ends::between(&Security::open(&peer).unwrap(), &security).shake();
    let until = |what: &str, enough: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !enough() {
            assert!(begun.elapsed() < Duration::from_secs(20), "in vain: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    talks().unwrap();
    fs::copy(home.path("expired.pem"), home.path("member.pem")).unwrap();
    until("the other certificate", &|| talks().is_err());
    fs::write(home.path("member.pem"), "nothing").unwrap();
    fs::copy(home.path("fixed.pem"), home.path("member.pem")).unwrap();
    until("the first one again", &|| talks().is_ok());
    fs::write(home.path("member.pem"), "nothing").unwrap();
    // Behind a change that counts it must have been looked at.
    let authority = fs::read(home.path("authority.pem")).unwrap();
    fs::write(home.path("authority.pem"), [&authority[..], b"\n"].concat()).unwrap();
    talks().unwrap();
    drop(renewal);
}
