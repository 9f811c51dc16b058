//! Tests of TLS against a server on loopback whose certificates are made here.

pub(crate) mod peer;

use std::fs;
use std::path::Path;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ProtocolVersion, ServerConfig};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;
use peer::{Authority, Failed, Identity, refusal, run, server, visit};

fn trusting(authority: &Authority) -> TlsOptions {
    TlsOptions::new().roots_pem(authority.pem.as_bytes())
}

#[test]
fn checks_the_name_of_the_connection_string() {
    let authority = Authority::new("one");
    let identity = authority.issue(&["zoo1.example.org", "*.zoo.org", "127.0.0.1", "fe80::1"]);
    let server = server(&identity, None, TlsVersions::Both);
    let tls = trusting(&authority).build().unwrap();
    let seen = visit(&tls, "zoo1.example.org", &server).unwrap();
    assert_eq!(seen.version, ProtocolVersion::TLSv1_3);
    assert_eq!(seen.server_name.as_deref(), Some("zoo1.example.org"));
    for host in ["ZOO1.example.org.", "a.zoo.org", "127.0.0.1", "fe80::1%eth0"] {
        visit(&tls, host, &server).unwrap_or_else(|error| panic!("{host}: {error:?}"));
    }
    for host in ["zoo2.example.org", "127.0.0.2", "zoo.org", "localhost"] {
        let message = refusal(visit(&tls, host, &server));
        assert!(message.contains(host) && message.contains("`server_name`"), "{message}");
    }
    let unnamed = visit(&tls, "zoo 1", &server).unwrap_err();
    assert!(matches!(unnamed, Failed::Connect(TlsError::ServerName { .. })), "{unnamed:?}");
}

#[test]
fn a_fixed_name_replaces_that_of_the_connection_string() {
    let authority = Authority::new("one");
    let server = server(&authority.issue(&["ensemble"]), None, TlsVersions::Both);
    let tls = trusting(&authority).server_name("ensemble").build().unwrap();
    visit(&tls, "zoo1", &server).unwrap();
    let tls = trusting(&authority).server_name("other").build().unwrap();
    refusal(visit(&tls, "ensemble", &server));
}

#[test]
fn without_the_name_check_the_rest_is_still_checked() {
    let (authority, stranger) = (Authority::new("one"), Authority::new("two"));
    let tls = trusting(&authority).without_name_check().build().unwrap();
    for versions in [TlsVersions::Tls12, TlsVersions::Tls13] {
        let good = server(&authority.issue(&["other"]), None, versions);
        visit(&tls, "zoo1", &good).unwrap();
        visit(&tls, "zoo 1", &good).unwrap();
        let foreign = server(&stranger.issue(&["zoo1"]), None, versions);
        assert!(refusal(visit(&tls, "zoo1", &foreign)).contains("trust roots"));
        let expired = server(&authority.issue_until(&["zoo1"], 2001), None, versions);
        assert!(refusal(visit(&tls, "zoo1", &expired)).contains("expired"));
    }
    // A certificate of the right authority, but without the key that belongs to it.
    let (real, fake) = (authority.issue(&["zoo1"]), authority.issue(&["zoo1"]));
    let thief = Identity { chain: real.chain, key: fake.key };
    let provider = ring::default_provider();
    let key = PrivateKeyDer::from_pem_slice(thief.key.as_bytes()).unwrap();
    let key = provider.key_provider.load_private_key(key).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(thief.chain.as_bytes()).unwrap()];
    let stolen = SingleCertAndKey::from(CertifiedKey::new(chain, key));
    let stolen = Arc::new(stolen);
    for versions in [TlsVersions::Tls12, TlsVersions::Tls13] {
        let config = ServerConfig::builder_with_provider(Arc::new(provider.clone()))
            .with_protocol_versions(load::versions(versions))
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&stolen) as _);
        let message = refusal(visit(&tls, "zoo1", &TlsAcceptor::from(Arc::new(config))));
        assert!(message.contains("BadSignature"), "{message}");
    }
}

#[test]
fn refuses_servers_that_the_roots_did_not_sign() {
    let (authority, stranger) = (Authority::new("same"), Authority::new("same"));
    let tls = trusting(&authority).build().unwrap();
    let foreign = server(&stranger.issue(&["zoo1"]), None, TlsVersions::Both);
    let message = refusal(visit(&tls, "zoo1", &foreign));
    assert!(message.contains("zoo1"), "{message}");
    let expired = server(&authority.issue_until(&["zoo1"], 2001), None, TlsVersions::Both);
    assert!(refusal(visit(&tls, "zoo1", &expired)).contains("renew"));
    // Several roots may be in one text.
    let both = format!("{}\nA comment.\n{}", authority.pem, stranger.pem);
    let tls = TlsOptions::new().roots_pem(both).build().unwrap();
    visit(&tls, "zoo1", &foreign).unwrap();
}

#[test]
fn presents_the_client_certificate_to_servers_that_want_one() {
    let authority = Authority::new("one");
    let client = authority.issue(&["client"]);
    for versions in [TlsVersions::Tls12, TlsVersions::Tls13] {
        let server = server(&authority.issue(&["zoo1"]), Some(&authority), versions);
        let with = trusting(&authority)
            .client_pem(client.chain.as_bytes(), client.key.as_bytes())
            .build()
            .unwrap();
        let seen = visit(&with, "zoo1", &server).unwrap();
        let sent = CertificateDer::from_pem_slice(client.chain.as_bytes()).unwrap();
        assert_eq!(seen.client, Some(sent), "{versions:?}");
        let without = trusting(&authority).build().unwrap();
        match visit(&without, "zoo1", &server).unwrap_err() {
            Failed::Connect(error) => {
                assert_eq!(versions, TlsVersions::Tls12);
                assert!(error.to_string().contains("`client_files`"), "{error}");
            }
            Failed::Read(error) => {
                assert_eq!(versions, TlsVersions::Tls13);
                assert!(advice(&error).unwrap().contains("`client_files`"), "{error}");
            }
        }
    }
}

#[test]
fn offers_only_the_versions_asked_for() {
    let authority = Authority::new("one");
    let identity = authority.issue(&["zoo1"]);
    let old = server(&identity, None, TlsVersions::Tls12);
    let new = server(&identity, None, TlsVersions::Tls13);
    let tls = |versions| trusting(&authority).versions(versions).build().unwrap();
    let version = |versions, server| visit(&tls(versions), "zoo1", server).unwrap().version;
    assert_eq!(version(TlsVersions::Both, &old), ProtocolVersion::TLSv1_2);
    assert_eq!(version(TlsVersions::Both, &new), ProtocolVersion::TLSv1_3);
    assert_eq!(version(TlsVersions::Tls12, &old), ProtocolVersion::TLSv1_2);
    assert_eq!(version(TlsVersions::Tls13, &new), ProtocolVersion::TLSv1_3);
    for (versions, server) in [(TlsVersions::Tls12, &new), (TlsVersions::Tls13, &old)] {
        let message = refusal(visit(&tls(versions), "zoo1", server));
        assert!(message.contains("version"), "{message}");
    }
}

/// The files of a client in a directory of their own.
struct Files(TempDir);

impl Files {
    fn new(authority: &Authority, client: &Identity) -> Self {
        let files = Self(TempDir::new().unwrap());
        files.write("roots.pem", &authority.pem);
        files.write("chain.pem", &client.chain);
        files.write("key.pem", &client.key);
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn options(&self) -> TlsOptions {
        TlsOptions::new()
            .roots_file(self.path("roots.pem"))
            .client_files(self.path("chain.pem"), self.path("key.pem"))
    }
}

#[test]
fn reads_replaced_files_at_the_next_connection() {
    let (first, second) = (Authority::new("one"), Authority::new("two"));
    let (old, new) = (first.issue(&["client"]), second.issue(&["client"]));
    let files = Files::new(&first, &old);
    let tls = files.options().build().unwrap();
    let before = server(&first.issue(&["zoo1"]), Some(&first), TlsVersions::Both);
    let after = server(&second.issue(&["zoo1"]), Some(&second), TlsVersions::Both);
    visit(&tls, "zoo1", &before).unwrap();
    refusal(visit(&tls, "zoo1", &after));
    files.write("roots.pem", &second.pem);
    files.write("chain.pem", &new.chain);
    files.write("key.pem", &new.key);
    let seen = visit(&tls.clone(), "zoo1", &after).unwrap();
    assert_eq!(seen.client, CertificateDer::from_pem_slice(new.chain.as_bytes()).ok());
    refusal(visit(&tls, "zoo1", &before));
}

#[test]
fn keeps_what_works_when_new_files_do_not() {
    let authority = Authority::new("one");
    let (client, other) = (authority.issue(&["client"]), authority.issue(&["client"]));
    let files = Files::new(&authority, &client);
    let tls = files.options().build().unwrap();
    let server = server(&authority.issue(&["zoo1"]), Some(&authority), TlsVersions::Both);
    let half = &authority.pem[..authority.pem.len() / 2];
    for (name, text) in [
        ("roots.pem", ""),
        ("roots.pem", half),
        // Half of a renewal: the chain is new, the key is not yet.
        ("chain.pem", &other.chain),
        ("key.pem", "nonsense"),
    ] {
        let good = fs::read_to_string(files.path(name)).unwrap();
        files.write(name, text);
        let error = tls.reload().unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
        visit(&tls, "zoo1", &server).unwrap();
        assert_eq!(tls.shared.current().warned, Some(error));
        fs::remove_file(files.path(name)).unwrap();
        visit(&tls, "zoo1", &server).unwrap();
        files.write(name, &good);
        visit(&tls, "zoo1", &server).unwrap();
        assert_eq!(tls.shared.current().warned, None);
    }
    files.write("chain.pem", &other.chain);
    files.write("key.pem", &other.key);
    let seen = visit(&tls, "zoo1", &server).unwrap();
    assert_eq!(seen.client, CertificateDer::from_pem_slice(other.chain.as_bytes()).ok());
}

#[test]
fn says_which_file_is_wrong_and_how() {
    let authority = Authority::new("one");
    let (client, other) = (authority.issue(&["client"]), authority.issue(&["client"]));
    let garbled = client.key.replacen("\nM", "\n!", 1);
    let encrypted = client.key.replace("PRIVATE", "ENCRYPTED PRIVATE");
    let not_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let bad_second = format!("{}{not_der}", authority.pem);
    for (name, text, expected) in [
        ("roots.pem", "", "no certificate"),
        ("roots.pem", &*client.key, "no certificate"),
        ("roots.pem", &authority.pem[..authority.pem.len() - 9], "is no PEM"),
        ("roots.pem", &bad_second, "certificate 2"),
        ("chain.pem", &client.key, "no certificate"),
        ("chain.pem", &other.chain, "not usable"),
        ("chain.pem", not_der, "not usable"),
        ("key.pem", &client.chain, "no private key"),
        ("key.pem", &other.key, "not usable"),
        ("key.pem", &garbled, "is no PEM"),
        ("key.pem", &encrypted, "encrypted"),
    ] {
        let files = Files::new(&authority, &client);
        files.write(name, text);
        let error = files.options().build().unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(expected), "{name}, {expected}: {error}");
    }
    let files = Files::new(&authority, &client);
    fs::remove_file(files.path("key.pem")).unwrap();
    let error = files.options().build().unwrap_err();
    assert!(matches!(&error, TlsError::Read { path, .. } if *path == files.path("key.pem")));
    let endless = TlsOptions::new().roots_file(Path::new("/dev/zero")).build().unwrap_err();
    assert!(endless.to_string().contains("/dev/zero"), "{endless}");
    let error = TlsOptions::new().build().unwrap_err();
    assert!(matches!(error, TlsError::NoRoots), "{error}");
    let error = TlsOptions::new().roots_pem("x").build().unwrap_err();
    assert!(error.to_string().starts_with("the trust roots given as text: no cert"), "{error}");
    let error = trusting(&authority).server_name("a b").build().unwrap_err();
    assert!(matches!(error, TlsError::ServerName { .. }), "{error}");
}

#[test]
fn tells_a_port_without_tls() {
    let authority = Authority::new("one");
    let tls = trusting(&authority).build().unwrap();
    for answer in [&b""[..], b"this is no TLS at all"] {
        let error = run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (mut peer, _) = listener.accept().await.unwrap();
            let served = tokio::spawn(async move {
                let mut hello = [0; 5];
                peer.read_exact(&mut hello).await.unwrap();
                peer.write_all(answer).await.unwrap();
                peer.shutdown().await.unwrap();
                let mut rest = Vec::new();
                let _ended = peer.read_to_end(&mut rest).await;
            });
            let error = tls.connect("zoo1", stream).await.unwrap_err();
            served.await.unwrap();
            error
        });
        assert!(error.to_string().contains("`secureClientPort`"), "{error}");
    }
}

#[test]
fn never_shows_a_key() {
    let authority = Authority::new("one");
    let client = authority.issue(&["client"]);
    let options = trusting(&authority).client_pem(client.chain, client.key.clone());
    let line = client.key.lines().nth(1).unwrap();
    let bytes = format!("{:?}", line.as_bytes());
    let shown = format!("{options:?} {:?}", options.clone().build().unwrap());
    assert!(!shown.contains(line) && !shown.contains(&bytes[1..bytes.len() - 1]), "{shown}");
}
