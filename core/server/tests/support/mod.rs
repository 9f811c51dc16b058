//! A server for the shell's tests: the one that the environment names, or one in this process.

/// A server to talk to.
pub(crate) struct Peer {
    address: String,
}

impl Peer {
    /// `host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

/// The server that `QUORATE_SHELL_SERVER` names.
pub(crate) fn server() -> Peer {
    Peer { address: std::env::var("QUORATE_SHELL_SERVER").expect("QUORATE_SHELL_SERVER=host:port") }
}
