//! The list of servers, changed while a client runs: by its owner, and by following the ensemble's configuration.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode, ErrorCode};
use quorate::config::Secret;
use quorate::server::Server;
use std::time::{Duration, Instant};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Long enough for anything that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "in time: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A server with a node that tells it from others, and its port. It has made some transactions: a server that is behind what a
/// client has seen elsewhere sends it away.
fn server(name: &str, transactions: usize) -> (Server, u16) {
    let server = Server::builder()
        .volatile()
        .free_port()
        // `super:secret`
        .configure(|config| {
            config.super_digest = Some(Secret::new("super:lK75jTNcA+U9vtVEw5vB51mj/w4="));
        })
        .start()
        .unwrap();
    let port = server.address().unwrap().port();
    let client = wait(Client::builder().in_process(&server).connect()).unwrap();
    let path = format!("/{name}");
    wait(client.create(&path, b"", CreateMode::Persistent)).unwrap();
    for _ in 0..transactions {
        wait(client.set(&path, b"", None)).unwrap();
    }
    (server, port)
}

fn sees(client: &Client, name: &str) -> bool {
    matches!(wait(client.exists(&format!("/{name}"))), Ok(Some(_)))
}

#[test]
fn a_client_goes_to_the_servers_it_is_given() -> Outcome {
    let ((_a, a), (_b, b)) = (server("a", 0), server("b", 200));
    let client = wait(Client::connect(&format!("127.0.0.1:{a}")))?;
    assert!(sees(&client, "a"));
    // The servers know nothing of each other, so the session ends on the way; the client goes on with a new one.
    client.set_servers(&format!("127.0.0.1:{b}"))?;
    eventually("at b", || sees(&client, "b"));
    // The same list again moves nobody.
    let connections = client.counters().session.connections;
    client.set_servers(&format!("127.0.0.1:{b}"))?;
    assert!(sees(&client, "b"));
    assert_eq!(client.counters().session.connections, connections);
    for bad in ["", "h:x", "127.0.0.1:1/root", "zookeeper://u:p@h:1", "dns+srv://h"] {
        let error = client.set_servers(bad).unwrap_err();
        assert_eq!(error.code(), ErrorCode::BadArguments, "{bad}");
    }
    assert!(sees(&client, "b"));
    Ok(())
}

#[test]
fn clients_spread_over_a_longer_list() -> Outcome {
    let ((_a, a), (_b, b)) = (server("a", 0), server("b", 200));
    let clients: Vec<Client> =
        (0..40).map(|_| wait(Client::connect(&format!("127.0.0.1:{a}"))).unwrap()).collect();
    for client in &clients {
        client.set_servers(&format!("127.0.0.1:{a},127.0.0.1:{b}"))?;
    }
    // By chance, one half; all or none with a probability of 2 in 2^40. The other server does not know their sessions, so whoever
    // went there has lost one.
    let moved = || clients.iter().filter(|client| client.counters().session.lost > 0).count();
    eventually("some have moved", || moved() > 0);
    eventually("all are somewhere", || {
        clients.iter().all(|client| sees(client, "a") || sees(client, "b"))
    });
    assert!(moved() < 40, "not all");
    Ok(())
}

#[test]
fn a_client_follows_the_configuration() -> Outcome {
    let ((_a, a), (_b, b)) = (server("a", 0), server("b", 200));
    let start = format!("127.0.0.1:{a}");
    let client = wait(Client::builder().servers(&start).follow_config(true).root("/x").connect())?;
    let (view, _) = (client.clone(), client.sync("/"));
    let admin = Client::builder().servers(&start).auth("digest", b"super:secret");
    let admin = wait(admin.connect())?;
    let config = format!("server.1=127.0.0.1:2888:3888:participant;0.0.0.0:{b}\nversion=100000000");
    wait(admin.set("/zookeeper/config", config.as_bytes(), None))?;
    let at_b = |client: &Client| wait(client.config()).is_ok_and(|(data, _)| data.is_empty());
    eventually("at b, whose configuration is empty", || {
        client.counters().session.connections > 1 && at_b(&view)
    });
    // Following does not keep the session.
    drop((client, view));
    Ok(())
}
