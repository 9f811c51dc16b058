//! TLS between members: on the election port and on the quorum port, at both ends.
//!
//! [`Security`] is what a member is told about it, [`Stream`] a connection with or without it. Both ports have their sockets in polls, so a handshake
//! is bytes that come and go like all others: one that is slow or silent waits for its deadline, and nobody waits for it. Apache's members do the
//! same on the wire (`X509Util`, `UnifiedServerSocket`): who connects begins with a handshake, and who is connected to sees by the first byte
//! whether it is one.
//!
//! **Architecture Invariant:** no byte of a connection reaches an engine before its certificate has been judged. So what the engines know of
//! other servers holds with TLS as it does without.

mod error;
mod load;
mod refusal;
mod renewal;
mod stream;
#[cfg(test)]
pub(crate) mod tests;
mod verify;

pub use error::QuorumTlsError;
pub(crate) use refusal::Refusal;
pub(crate) use renewal::Renewal;
pub(crate) use stream::{Stream, Written};

use crate::config::QuorumTls;
use load::{Means, Texts};
use mio::net::TcpStream;
use quorate_wire::quorum::Membership;
use rustls::client::{ClientConnection, Resumption};
use rustls::pki_types::ServerName;
use rustls::server::{NoServerSessionStorage, ServerConnection};
use rustls::{ClientConfig, ServerConfig};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use verify::{Incoming, Outgoing};

/// How a member talks to the others, on both ports and for as long as it runs.
#[derive(Debug)]
pub(crate) struct Security {
    options: QuorumTls,
    /// Of the members, as they are known: what a certificate of one that connects may stand for.
    hosts: Mutex<Arc<[ServerName<'static>]>>,
    current: Mutex<Option<Arc<Means>>>,
}

impl Security {
    /// Plain text.
    #[cfg(test)]
    pub(crate) fn none() -> Arc<Self> {
        Arc::new(Self {
            options: QuorumTls::default(),
            hosts: Mutex::new(Arc::from([])),
            current: Mutex::new(None),
        })
    }

    /// What the settings say, with the files that they name.
    ///
    /// # Errors
    /// A file that is of no use, and what to do about it.
    pub(crate) fn open(options: &QuorumTls) -> Result<Arc<Self>, QuorumTlsError> {
        let current = match options.is_used() {
            true => Some(Arc::new(Texts::read(options)?.means(options)?)),
            false => None,
        };
        Ok(Arc::new(Self {
            options: options.clone(),
            hosts: Mutex::new(Arc::from([])),
            current: Mutex::new(current),
        }))
    }

    /// Says what an administrator should know of these settings.
    pub(crate) fn announce(&self) {
        let QuorumTls { ssl_quorum, port_unification, .. } = self.options;
        match (ssl_quorum, port_unification) {
            (false, false) => {}
            (true, false) => tracing::info!("members talk to each other with TLS"),
            (true, true) => tracing::warn!(
                "members talk to each other with TLS, and plain text is still let in, from whoever connects: set portUnification=false as soon as \
                 all of them have sslQuorum=true"
            ),
            (false, true) => tracing::warn!(
                "members still connect to each other in plain text, and TLS is let in: set sslQuorum=true as soon as all of them have \
                 portUnification=true"
            ),
        }
    }

    /// Takes the hosts of these members for those that may connect.
    pub(crate) fn set_members<'a>(&self, configs: impl IntoIterator<Item = &'a Membership>) {
        let servers = configs.into_iter().flat_map(|config| config.servers.values());
        let addresses = servers.flat_map(|server| &server.addresses);
        let mut hosts: Vec<&str> = addresses.map(|address| address.host.as_str()).collect();
        hosts.sort_unstable();
        hosts.dedup();
        let names = hosts.into_iter().filter_map(|host| name(host).ok()).collect();
        *lock(&self.hosts) = names;
    }

    /// Takes over a connection that somebody else has made. What it is shows with its first byte.
    pub(crate) fn accept(self: &Arc<Self>, socket: TcpStream, remote: SocketAddr) -> Stream {
        Stream::unknown(socket, Arc::clone(self), remote.ip().to_canonical())
    }

    /// Takes over a connection that is being made, to an address of this host.
    ///
    /// # Errors
    /// A defect of the settings that shows with no other connection.
    pub(crate) fn connect(
        &self,
        socket: TcpStream,
        remote: SocketAddr,
        host: &str,
    ) -> io::Result<Stream> {
        let Some(means) = self.means().filter(|_| self.options.ssl_quorum) else {
            return Ok(Stream::plain(socket));
        };
        let remote = remote.ip().to_canonical();
        let name = name(host).unwrap_or_else(|_| remote.into());
        let connection = self.client(&means, remote, name).map_err(io::Error::other)?;
        Ok(Stream::tls(socket, connection.into()))
    }

    /// The server's end of a handshake with somebody at this address.
    fn server(&self, remote: IpAddr) -> io::Result<ServerConnection> {
        let means = self.means().ok_or(Refusal::NotHere)?;
        let checks_name = self.options.verifies_clients();
        let hosts = checks_name.then(|| Arc::clone(&lock(&self.hosts)));
        let builder = ServerConfig::builder_with_provider(Arc::clone(&means.provider))
            .with_protocol_versions(means.versions)
            .map_err(io::Error::other)?;
        let builder = match &means.clients {
            Some(chain) => builder.with_client_cert_verifier(Arc::new(Incoming::new(
                Arc::clone(chain),
                hosts.map(|hosts| (remote, hosts)),
            ))),
            None => builder.with_no_client_auth(),
        };
        let identity = Arc::clone(&means.identity);
        let mut config = builder.with_cert_resolver(identity);
        // Each connection is judged anew: who resumed another one would be judged as that was.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        ServerConnection::new(Arc::new(config)).map_err(io::Error::other)
    }

    fn client(
        &self,
        means: &Means,
        remote: IpAddr,
        name: ServerName<'static>,
    ) -> Result<ClientConnection, rustls::Error> {
        let remote = self.options.hostname_verification.then_some(remote);
        let verifier = Outgoing::new(Arc::clone(&means.roots), &means.provider, remote);
        let identity = Arc::clone(&means.identity);
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&means.provider))
            .with_protocol_versions(means.versions)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(identity);
        config.resumption = Resumption::disabled();
        ClientConnection::new(Arc::new(config), name)
    }

    /// Whether a connection that begins without a handshake is let in.
    const fn lets_in_plain(&self) -> bool {
        !self.options.ssl_quorum || self.options.port_unification
    }

    fn means(&self) -> Option<Arc<Means>> {
        lock(&self.current).clone()
    }
}

/// A host as certificates name it: without the dot of a complete name.
fn name(host: &str) -> Result<ServerName<'static>, rustls::pki_types::InvalidDnsNameError> {
    ServerName::try_from(host.strip_suffix('.').unwrap_or(host).to_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is in there is replaced in one assignment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
