//! TLS at a server of somebody else's: names, authorities, certificates of clients, files that are replaced.
//!
//! `QUORATE_TLS_SERVER` says `host:port` of a server that speaks TLS 1.2 and 1.3, stands for 127.0.0.1 and `zoo.test` and wants
//! certificates from its clients; `QUORATE_TLS_FILES` is a directory with `authority.pem`, which signed `server.pem` and `client.pem`, and
//! `stranger.pem`, which signed `intruder.pem`; the keys are in `….key`. `tests/peers/interop/secure.py` makes all that.
//! What TLS does beyond that, without a server of ZooKeeper's, is tested beside its code.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use quorate::client::blocking::wait;
use quorate::client::tls::{Tls, TlsError, TlsOptions, TlsVersions};
use quorate::client::{
    Acl, Builder, Client, CreateMode, CreateOptions, ErrorCode, Id, State, WatchEvent, WatchMode,
    within,
};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Long enough for anything that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);
/// Long enough for some attempts that must not succeed.
const ATTEMPTS: Duration = Duration::from_millis(700);

fn server() -> String {
    std::env::var("QUORATE_TLS_SERVER").unwrap()
}

fn port() -> String {
    server().rsplit(':').next().unwrap().to_owned()
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(std::env::var("QUORATE_TLS_FILES").unwrap()).join(name)
}

/// Trusts the server's authority, and is one of its clients.
fn known() -> TlsOptions {
    trusting("authority").client_files(file("client.pem"), file("client.key"))
}

fn trusting(authority: &str) -> TlsOptions {
    TlsOptions::new().roots_file(file(&format!("{authority}.pem")))
}

fn client(host: &str, tls: &Tls) -> Builder {
    let servers = format!("{host}:{}", port());
    Client::builder().servers(&servers).session_timeout(Duration::from_secs(10)).tls(tls.clone())
}

fn works(builder: Builder) -> Outcome {
    let client = wait(builder.connect())?;
    assert!(wait(client.exists("/"))?.is_some());
    Ok(wait(client.close())?)
}

fn fails(builder: Builder) {
    let connected = wait(builder.patience(ATTEMPTS).connect());
    let error = connected.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ConnectionLoss, "{error}");
}

/// Why there is no handshake with the server under the name of `host`.
fn refusal(host: &str, tls: &Tls) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(server()).await.unwrap();
        match tls.connect(host, stream).await {
            Err(error @ TlsError::Handshake { .. }) => error.to_string(),
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("{host} was accepted"),
        }
    })
}

#[test]
#[ignore = "needs a server with TLS: tests/run-peers servers"]
fn everything_works_encrypted_in_both_versions() -> Outcome {
    for versions in [TlsVersions::Tls12, TlsVersions::Tls13, TlsVersions::Both] {
        let tls = known().versions(versions).build()?;
        let client = wait(client("127.0.0.1", &tls).connect())?;
        let mut watch = wait(client.watch("/large", WatchMode::Node))?;
        // Many records of TLS each way.
        let data: Vec<u8> = (0..900_000_u32).map(|n| n.to_be_bytes()[3]).collect();
        let creating = client.create("/large", &data, CreateMode::Ephemeral);
        let gets: Vec<_> = (0..5).map(|_| client.get("/large")).collect();
        wait(creating)?;
        for get in gets {
            assert!(wait(get)?.0 == data, "what was read is what was written");
        }
        assert!(matches!(wait(watch.next())?, WatchEvent::Changed(_)));
        wait(client.close())?;
    }
    Ok(())
}

#[test]
#[ignore = "needs a server with TLS: tests/run-peers servers"]
fn the_name_of_the_server_is_checked() -> Outcome {
    let tls = known().build()?;
    works(client("127.0.0.1", &tls))?;
    // The same server, by a name that its certificate does not have.
    fails(client("localhost", &tls));
    let told = refusal("localhost", &tls);
    assert!(told.contains("localhost") && told.contains("`server_name`"), "{told}");
    works(client("localhost", &known().server_name("zoo.test").build()?))?;
    works(client("localhost", &known().without_name_check().build()?))?;
    fails(client("127.0.0.1", &known().server_name("other.test").build()?));
    Ok(())
}

#[test]
#[ignore = "needs a server with TLS: tests/run-peers servers"]
fn a_server_of_another_authority_is_refused() -> Outcome {
    let options = || trusting("stranger").client_files(file("client.pem"), file("client.key"));
    for tls in [options().build()?, options().without_name_check().build()?] {
        fails(client("127.0.0.1", &tls));
        let told = refusal("127.0.0.1", &tls);
        assert!(told.contains("trust roots"), "{told}");
    }
    Ok(())
}

#[test]
#[ignore = "needs a server with TLS: tests/run-peers servers"]
fn a_client_is_who_its_certificate_says() -> Outcome {
    let tls = known().build()?;
    let known = wait(client("127.0.0.1", &tls).connect())?;
    let identities = wait(known.who_am_i())?;
    let own = ("x509".to_owned(), "CN=client".to_owned());
    assert!(identities.contains(&own), "{identities:?}");
    // What is allowed to this certificate only.
    let only =
        Acl { perms: 31, id: Id { scheme: Some("x509".into()), id: Some("CN=client".into()) } };
    let options = CreateOptions::new(CreateMode::Ephemeral).acl([only]);
    wait(known.create("/own", b"", options))?;
    wait(known.set("/own", b"mine", None))?;
    wait(known.close())?;
    // Without a certificate, and with one of another authority, nobody comes in, whatever the version.
    for versions in [TlsVersions::Tls12, TlsVersions::Tls13] {
        fails(client("127.0.0.1", &trusting("authority").versions(versions).build()?));
        let intruder = trusting("authority").versions(versions);
        let intruder = intruder.client_files(file("intruder.pem"), file("intruder.key"));
        fails(client("127.0.0.1", &intruder.build()?));
    }
    Ok(())
}

/// The files are read at each attempt: a client that runs gets in when its certificate is replaced.
#[test]
#[ignore = "needs a server with TLS: tests/run-peers servers"]
fn files_that_are_replaced_are_used() -> Outcome {
    let directory = tempfile::tempdir()?;
    let (chain, key) = (directory.path().join("own.pem"), directory.path().join("own.key"));
    let roots = directory.path().join("roots.pem");
    let put = |name: &str| -> Outcome {
        fs::copy(file(&format!("{name}.key")), &key)?;
        fs::copy(file(&format!("{name}.pem")), &chain)?;
        Ok(())
    };
    put("intruder")?;
    fs::copy(file("authority.pem"), &roots)?;
    let options = TlsOptions::new().roots_file(&roots).client_files(&chain, &key);
    let tls = options.build()?;
    let client = client("127.0.0.1", &tls).open()?;
    let waiting = client.exists("/");
    std::thread::sleep(ATTEMPTS);
    assert_eq!(client.counters().session.connections, 0);
    put("client")?;
    let environment = client.environment().clone();
    let answer =
        wait(within(&*environment, PATIENCE, waiting)).expect("it should have been let in");
    assert!(answer?.is_some());
    let session = client.session_id();

    // Roots that do not know the server any more: what is connected stays so, who connects anew is refused.
    fs::copy(file("stranger.pem"), &roots)?;
    assert!(wait(client.exists("/"))?.is_some());
    refusal("127.0.0.1", &tls);
    // And back.
    fs::copy(file("authority.pem"), &roots)?;
    let identity = client.identity().unwrap();
    client.abandon();
    let servers = server();
    let heir = wait(Client::builder().servers(&servers).tls(tls).resume(identity).connect())?;
    assert_eq!(heir.session_id(), session);
    wait(heir.close())?;
    assert_eq!(client.state(), State::Closed);
    Ok(())
}

/// It gets no session, and is told so in time.
#[test]
#[ignore = "needs a server with TLS: tests/run-peers servers"]
fn who_does_not_encrypt_has_no_session() -> Outcome {
    let began = Instant::now();
    fails(Client::builder().servers(&server()));
    assert!(began.elapsed() < PATIENCE);
    Ok(())
}
