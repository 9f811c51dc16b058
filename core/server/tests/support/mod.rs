//! A server for the shell's tests: one in this process, or the one that the environment names.

use quorate::server::Server;

/// A server to talk to, until it is dropped.
pub(crate) struct Peer {
    address: String,
    _own: Option<Server>,
}

impl Peer {
    /// `host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

/// The server that `QUORATE_SHELL_SERVER` names, else a fresh one in memory.
pub(crate) fn server() -> Peer {
    if let Ok(address) = std::env::var("QUORATE_SHELL_SERVER") {
        return Peer { address, _own: None };
    }
    let server = Server::builder().volatile().free_port().start().expect("a server");
    let address = server.address().expect("a port").to_string();
    Peer { address, _own: Some(server) }
}
