//! Names of servers, looked up again at each attempt: SRV records, and hosts with several addresses of which some are dead.
//!
//! The name server is the test's own. For SRV records the client is told of it; the system's resolver, which looks up hosts, is pointed at
//! it by a `/etc/resolv.conf` in a mount namespace of the test's own, which needs root and `unshare`. Where that is not to be had, the test
//! says so and fails if `QUORATE_REQUIRE_MOUNT` is set. `tests/run` sets it wherever it can be had, and always for CI.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "support/name_server.rs"]
mod name_server;

use name_server::{NameServer, Record};
use quorate::client::blocking::wait;
use quorate::client::resolve::Resolver;
use quorate::client::{Builder, Client, CreateMode, within};
use quorate::server::Server;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const NAME: &str = "_zookeeper._tcp.example.org";
/// Long enough for anything that has to happen, and shorter than the minute after which records are asked for in any case.
const PATIENCE: Duration = Duration::from_secs(40);
/// Longer than a server is away.
const SESSION: Duration = Duration::from_secs(20);

const LOCALHOST: SocketAddr = SocketAddr::V4(std::net::SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits, but not for ever.
fn soon<T>(client: &Client, future: impl Future<Output = T>) -> T {
    let environment = &**client.environment();
    wait(within(environment, PATIENCE, future)).expect("it happens in time")
}

/// A client of the servers that the records of the name list.
fn by_srv(names: &NameServer) -> Builder {
    let resolver = Resolver::new(vec![names.address()])
        .with_timeout(Duration::from_millis(500))
        .with_attempts(1);
    let servers = format!("dns+srv://{NAME}");
    Client::builder().servers(&servers).resolver(resolver).session_timeout(SESSION)
}

fn local(port: u16) -> Record {
    Record::Srv(port, "127.0.0.1".into())
}

fn server(directory: &Path, address: SocketAddr) -> Server {
    let builder = Server::builder().data_dir(directory).configure(|config| {
        config.max_session_timeout_ms = Some(120_000);
    });
    builder.listen(address).start().unwrap()
}

fn port(server: &Server) -> u16 {
    server.address().unwrap().port()
}

#[test]
fn a_server_that_moved_is_found_at_the_next_attempt() -> Outcome {
    let directory = tempfile::tempdir()?;
    let names = NameServer::start("127.0.0.1:0");
    let mut there = server(directory.path(), LOCALHOST);
    names.set(NAME, &[local(port(&there))]);
    let client = wait(by_srv(&names).connect())?;
    wait(client.create("/here", b"", CreateMode::Ephemeral))?;
    let session = client.session_id();
    for _ in 0..2 {
        there.stop()?;
        there = server(directory.path(), LOCALHOST);
        names.set(NAME, &[local(port(&there))]);
        let here = soon(&client, client.exists("/here"));
        // What was sent before the end was seen may be lost.
        let here = match here {
            Err(error) if error.is_connection_loss() => soon(&client, client.exists("/here")),
            here => here,
        };
        assert_eq!(here?.unwrap().ephemeral_owner, session);
    }
    there.stop()?;
    Ok(())
}

/// However many attempts there are: here all servers are dead, and each is tried again after a moment.
#[test]
fn records_are_asked_for_at_most_once_a_second() -> Outcome {
    let names = NameServer::start("127.0.0.1:0");
    names.set(NAME, &[local(1), local(2), local(3)]);
    let began = Instant::now();
    let client = by_srv(&names).session_timeout(Duration::from_secs(1)).open()?;
    for asked in 1..=4 {
        eventually("asked again", || names.asked(NAME) >= asked);
        let least = Duration::from_secs(u64::try_from(asked)? - 1);
        assert!(began.elapsed() >= least, "{asked} times after {:?}", began.elapsed());
    }
    let attempts = client.counters().session.attempts;
    assert!(attempts > 4, "{attempts} attempts");
    Ok(())
}

#[test]
fn who_is_connected_asks_nobody() -> Outcome {
    let directory = tempfile::tempdir()?;
    let names = NameServer::start("127.0.0.1:0");
    let server = server(directory.path(), LOCALHOST);
    names.set(NAME, &[local(port(&server))]);
    let client = wait(by_srv(&names).connect())?;
    wait(client.sleep(Duration::from_millis(2_500)));
    assert_eq!(names.asked(NAME), 1);
    server.stop()?;
    Ok(())
}

#[test]
fn what_was_known_holds_while_name_servers_are_silent() -> Outcome {
    let directory = tempfile::tempdir()?;
    let names = NameServer::start("127.0.0.1:0");
    let first = server(directory.path(), LOCALHOST);
    let address = first.address().unwrap();
    names.set(NAME, &[local(port(&first))]);
    let client = wait(by_srv(&names).connect())?;
    let session = client.session_id();
    names.silence(true);
    first.stop()?;
    // They are asked, in vain, more than once.
    let before = names.asked(NAME);
    eventually("asked again", || names.asked(NAME) >= before + 2);
    let second = server(directory.path(), address);
    soon(&client, client.connected())?;
    eventually("there again", || client.state().is_connected());
    assert!(soon(&client, client.exists("/"))?.is_some());
    assert_eq!(client.session_id(), session);
    second.stop()?;
    Ok(())
}

#[test]
fn servers_that_are_listed_later_are_found() -> Outcome {
    let directory = tempfile::tempdir()?;
    let names = NameServer::start("127.0.0.1:0");
    let client = by_srv(&names).open()?;
    eventually("asked, in vain", || names.asked(NAME) >= 1);
    let server = server(directory.path(), LOCALHOST);
    // First one that is dead.
    names.set(NAME, &[local(1)]);
    eventually("tried", || client.counters().session.attempts > 0);
    names.set(NAME, &[local(1), local(port(&server))]);
    assert!(soon(&client, client.exists("/"))?.is_some());
    server.stop()?;
    Ok(())
}

/// Not a minute later.
#[test]
fn nobody_asks_for_a_client_that_is_over() -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let directory = tempfile::tempdir()?;
    let names = NameServer::start("127.0.0.1:0");
    let server = server(directory.path(), LOCALHOST);
    names.set(NAME, &[local(port(&server))]);
    let alive = || runtime.metrics().num_alive_tasks();
    runtime.block_on(async {
        let client = by_srv(&names).runtime(runtime.handle().clone()).connect().await?;
        assert!(alive() > 0);
        client.close().await?;
        drop(client);
        let end = Instant::now() + PATIENCE;
        while alive() > 0 {
            assert!(Instant::now() < end, "{} tasks are left", alive());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        quorate::client::Result::Ok(())
    })?;
    server.stop()?;
    Ok(())
}

/// Gives the second argument a `resolv.conf` of its own, the first one.
const NAMESPACE: &str = r#"
mount --bind "$1" /etc/resolv.conf || exit 77
echo mounted
exec "$2" --ignored --exact --nocapture hosts_in_a_namespace
"#;

#[test]
fn hosts_are_looked_up_again_and_all_their_addresses_tried() -> Outcome {
    let directory = tempfile::tempdir()?;
    let resolv_conf = directory.path().join("resolv.conf");
    // An address of this process's own, because the port is everybody's.
    let [a, b, ..] = std::process::id().to_le_bytes();
    let address = format!("127.77.{b}.{a}");
    std::fs::write(&resolv_conf, format!("nameserver {address}\noptions timeout:2 attempts:5\n"))?;
    let ran = Command::new("unshare")
        .args(["--mount", "--", "sh", "-c", NAMESPACE, "sh"])
        .arg(&resolv_conf)
        .arg(std::env::current_exe()?)
        .env("QUORATE_TEST_NAME_SERVER", format!("{address}:53"))
        .stdin(Stdio::null())
        .output();
    let output = ran.map(|ran| (ran.status, String::from_utf8_lossy(&ran.stdout).into_owned()));
    match output {
        Ok((status, text)) if text.starts_with("mounted") => {
            assert!(status.success() && text.contains("1 passed"), "{text}");
        }
        _ => {
            assert!(std::env::var_os("QUORATE_REQUIRE_MOUNT").is_none(), "{output:?}");
            eprintln!("SKIPPED: no mount namespace to be had here");
        }
    }
    Ok(())
}

/// A port at which nothing is answered, not even a refusal: whoever waits to be accepted takes the last room.
struct Mute {
    _runtime: tokio::runtime::Runtime,
    _listener: tokio::net::TcpListener,
    _waiting: Vec<TcpStream>,
}

impl Mute {
    fn at(address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = {
            let _entered = runtime.enter();
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind(address).unwrap();
            socket.listen(1).unwrap()
        };
        let mut waiting = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            waiting.push(stream);
            assert!(waiting.len() < 100, "it takes anybody");
        }
        Self { _runtime: runtime, _listener: listener, _waiting: waiting }
    }
}

#[test]
#[ignore = "needs a resolv.conf of its own, and is run by the test above"]
fn hosts_in_a_namespace() -> Outcome {
    const HOST: &str = "zoo.example.org";
    let address = |last| Ipv4Addr::new(127, 0, 0, last);
    let directory = tempfile::tempdir()?;
    let names = NameServer::start(&std::env::var("QUORATE_TEST_NAME_SERVER")?);
    // The system likes addresses near its own, 127.0.0.1, best: so the dead ones come first, whatever the order of the records.
    let [refusing, mute, alive, later] = [1, 2, 200, 201].map(address);
    let first = server(directory.path(), (alive, 0).into());
    let port = port(&first);
    let _mute = Mute::at((mute, port).into());
    let builder = || {
        let servers = format!("{HOST}:{port}");
        Client::builder().servers(&servers).session_timeout(SESSION).patience(PATIENCE)
    };
    for order in 0..3 {
        let mut records = [refusing, mute, alive];
        records.rotate_left(order);
        names.set(HOST, &records.map(Record::A));
        // One attempt is enough.
        let client = wait(builder().connect())?;
        assert_eq!(client.counters().session.attempts, 1, "{records:?}");
        wait(client.close())?;
    }
    let client = wait(builder().connect())?;
    let session = client.session_id();
    // All of them die, and the host gets another address.
    first.stop()?;
    names.set(HOST, &[Record::A(refusing)]);
    let (attempts, asked) = (client.counters().session.attempts, names.asked(HOST));
    eventually("tried again", || client.counters().session.attempts > attempts);
    eventually("looked up again", || names.asked(HOST) > asked);
    let second = server(directory.path(), (later, port).into());
    names.set(HOST, &[mute, later].map(Record::A));
    eventually("there again", || client.state().is_connected());
    assert!(soon(&client, client.exists("/"))?.is_some());
    assert_eq!(client.session_id(), session);
    second.stop()?;
    Ok(())
}
