//! The server that the tests of client and recipes run against: one in this process, or, if `QUORATE_TEST_SERVERS` says
//! `host:port`, one elsewhere, ours or Apache's.
//!
//! Elsewhere, each [`Server::start`] empties the tree, so the tests must run one after another (`--test-threads=1`). Several
//! members are no use here: the tests compare what different clients see at once. Name one of them. Included through `tasks.rs`
//! and `recipes.rs`, or by itself.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "each test binary uses its part")]

use quorate::client::blocking::wait;
use quorate::client::{Builder, Client, ErrorCode, Result};
use quorate::server;
use std::net::SocketAddr;

/// A server for one test.
#[derive(Debug)]
pub(crate) enum Server {
    /// In this process, in memory, on a port as well.
    Here(server::Server),
    /// In another process.
    Elsewhere(SocketAddr),
}

impl Server {
    /// A server with nothing in it, which ends sessions quickly when their clients are silent.
    pub(crate) fn start() -> Self {
        if let Ok(address) = std::env::var("QUORATE_TEST_SERVERS") {
            let client = wait(Client::builder().servers(&address).connect()).unwrap();
            wait(clear(&client, "/")).unwrap();
            wait(client.close()).unwrap();
            return Self::Elsewhere(address.parse().unwrap());
        }
        let builder = server::Server::builder().volatile().free_port().configure(|config| {
            config.tick_time_ms = 100;
            config.min_session_timeout_ms = Some(100);
            config.max_session_timeout_ms = Some(60_000);
            config.max_client_cnxns = 0;
            config.four_letter_words = quorate::config::FourLetterWords::all();
        });
        Self::Here(builder.start().unwrap())
    }

    /// A client of it, inside the process if it is here.
    pub(crate) fn client(&self) -> Builder {
        match self {
            Self::Here(server) => Client::builder().in_process(server),
            Self::Elsewhere(address) => Client::builder().servers(&address.to_string()),
        }
    }

    /// Clients of it by all ways that there are: inside the process if it is here, and over TCP.
    pub(crate) fn ways(&self) -> Vec<Builder> {
        let address = self.address().unwrap().to_string();
        let mut ways = vec![Client::builder().servers(&address)];
        if let Self::Here(server) = self {
            ways.insert(0, Client::builder().in_process(server));
        }
        ways
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Here(server) => server.address(),
            Self::Elsewhere(address) => Some(*address),
        }
    }

    /// Ends it, unless others need it too.
    pub(crate) fn stop(self) -> std::result::Result<(), Box<dyn std::error::Error>> {
        match self {
            Self::Here(server) => Ok(server.stop()?),
            Self::Elsewhere(_) => Ok(()),
        }
    }
}

/// Deletes everything below a node, whatever sessions that have not ended yet put there meanwhile.
async fn clear(client: &Client, path: &str) -> Result<()> {
    let children = match client.children(path).await {
        Ok((children, _)) => children,
        Err(error) if error.code() == ErrorCode::NoNode => return Ok(()),
        Err(error) => return Err(error),
    };
    for name in children.iter().filter(|name| path != "/" || *name != "zookeeper") {
        let child = format!("{}/{name}", path.trim_end_matches('/'));
        loop {
            Box::pin(clear(client, &child)).await?;
            match client.delete(&child, None).await {
                Err(error) if error.code() == ErrorCode::NotEmpty => {}
                Err(error) if error.code() != ErrorCode::NoNode => return Err(error),
                _ => break,
            }
        }
    }
    Ok(())
}
