//! Certificates in files, and two ends of a connection.

use super::super::{Security, Stream};
use crate::client::tls::tests::peer::{Authority, Identity};
use crate::config::QuorumTls;
use mio::net::TcpStream;
use quorate_wire::quorum::Membership;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose};
use rustls::client::ClientConnection;
use rustls::crypto::ring;
use rustls::{ClientConfig, Connection};
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A directory with the stores of some members, each named after what it is like, and of their authority.
pub(crate) struct Home {
    directory: TempDir,
    pub(crate) authority: Authority,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self::at("zoo.example.org")
    }

    /// Of members at this host, or at 127.0.0.1.
    pub(crate) fn at(host: &str) -> Self {
        let here = &[host, "127.0.0.1", "localhost"];
        let (authority, stranger) = (Authority::new("ours"), Authority::new("theirs"));
        let home = Self { directory: tempfile::tempdir().unwrap(), authority };
        let ours = &home.authority;
        fs::write(home.path("authority.pem"), &ours.pem).unwrap();
        home.store("member", &ours.issue(here));
        home.store("foreign", &stranger.issue(here));
        home.store("expired", &ours.issue_until(here, 2020));
        home.store("elsewhere", &ours.issue(&["zoo9.example.org"]));
        home.store("nameless", &ours.issue(&[]));
        home.store(
            "serving",
            &ours.issue_with(here, |params: &mut CertificateParams| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            }),
        );
        home
    }

    fn store(&self, name: &str, identity: &Identity) {
        let Identity { chain, key } = identity;
        fs::write(self.path(&format!("{name}.pem")), format!("{chain}{key}")).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What a member with this certificate may be told, changed in some way.
    pub(crate) fn options(&self, name: &str, change: impl FnOnce(&mut QuorumTls)) -> QuorumTls {
        let mut tls = QuorumTls {
            ssl_quorum: true,
            key_store: Some(self.path(&format!("{name}.pem"))),
            trust_store: Some(self.path("authority.pem")),
            ..QuorumTls::default()
        };
        change(&mut tls);
        tls
    }

    /// A member that talks like that, among others at this host.
    pub(crate) fn security(&self, name: &str) -> Arc<Security> {
        Security::open(&self.options(name, |_| {})).unwrap()
    }
}

/// An ensemble of one at this host.
pub(super) fn membership(host: &str) -> Membership {
    Membership::parse(&format!("server.1={host}:2888:3888")).unwrap()
}

/// A connection, both ends of which are here.
pub(super) struct Ends {
    client: Stream,
    server: Stream,
    pub(super) server_security: Arc<Security>,
}

impl Ends {
    pub(super) fn new(client: &QuorumTls, server: &QuorumTls) -> Self {
        Self::between(&Security::open(client).unwrap(), &Security::open(server).unwrap())
    }

    pub(super) fn between(client: &Security, server: &Arc<Security>) -> Self {
        let (near, far, address) = sockets();
        Self {
            client: client.connect(near, address, "localhost").unwrap(),
            server: server.accept(far, address),
            server_security: Arc::clone(server),
        }
    }

    /// Somebody connects who speaks TLS and has no certificate.
    pub(super) fn anonymous(authority: &Authority, server: &QuorumTls) -> Self {
        let server = Security::open(server).unwrap();
        let (near, far, address) = sockets();
        Self {
            client: Stream::tls(near, Connection::from(anonymous(authority))),
            server: server.accept(far, address),
            server_security: server,
        }
    }

    /// Shakes hands, and sees that a byte arrives at each end: what either end says first of what is wrong.
    pub(super) fn shake(&mut self) -> io::Result<()> {
        let begun = Instant::now();
        while !self.client.is_made()? {
            if let Err(error) = self.server.read(&mut [0]) {
                wait(error)?;
            }
            assert!(begun.elapsed() < LONG, "no handshake");
        }
        // A server with 1.3 judges its client when that believes to be done.
        let mut byte = [0];
        for client_speaks in [true, false] {
            let Self { client, server, .. } = &mut *self;
            let (from, to) = if client_speaks { (client, server) } else { (server, client) };
            from.write(b"!")?;
            loop {
                match to.read(&mut byte) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(_) => break,
                    Err(error) => wait(error)?,
                }
                assert!(begun.elapsed() < LONG, "no byte");
            }
        }
        Ok(())
    }

    /// Sends this to the server, which sends it back as soon as it has some of it.
    pub(super) fn there_and_back(&mut self, bytes: &[u8]) -> Vec<u8> {
        let begun = Instant::now();
        let (mut sent, mut echo, mut echoed) = (0, Vec::new(), 0);
        let mut back = Vec::new();
        let mut room = vec![0; 1 << 14];
        while back.len() < bytes.len() {
            sent += self.client.write(&bytes[sent..]).unwrap().taken;
            if let Some(n) = some(self.server.read(&mut room)) {
                echo.extend_from_slice(&room[..n]);
            }
            echoed += self.server.write(&echo[echoed..]).unwrap().taken;
            if let Some(n) = some(self.client.read(&mut room)) {
                back.extend_from_slice(&room[..n]);
            }
            assert!(begun.elapsed() < LONG, "{} bytes came back", back.len());
        }
        assert!(!self.client.owes() && !self.server.owes());
        back
    }
}

/// What both ends say of a connection that comes to nothing.
pub(super) fn turned_away(client: &QuorumTls, server: &QuorumTls) -> Vec<String> {
    let mut ends = Ends::new(client, server);
    let mut said = vec![ends.shake().expect_err("they talk").to_string()];
    let begun = Instant::now();
    let mut rest = [true, true];
    while rest != [false, false] && begun.elapsed() < LONG {
        for (end, rest) in [&mut ends.client, &mut ends.server].into_iter().zip(&mut rest) {
            match end.read(&mut [0; 64]) {
                Ok(0) => *rest = false,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // The other one may have nothing more to say, and its socket is still open.
                    *rest &= begun.elapsed() < Duration::from_millis(200);
                }
                Err(error) => {
                    said.push(error.to_string());
                    *rest = false;
                }
            }
        }
    }
    said
}

/// A connection that somebody has made who speaks by himself.
pub(super) fn accepted(security: &Arc<Security>) -> (Stream, std::net::TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let far = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (near, remote) = listener.accept().unwrap();
    near.set_nonblocking(true).unwrap();
    (security.accept(TcpStream::from_std(near), remote), far)
}

/// Reads until there is an end: the byte that should not be there, or that end.
pub(super) fn until_end(stream: &mut Stream) -> io::Result<usize> {
    let begun = Instant::now();
    loop {
        match stream.read(&mut [0; 64]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
        assert!(begun.elapsed() < LONG, "no end");
    }
}

/// How a handshake begins.
pub(crate) fn hello() -> Vec<u8> {
    let mut connection = anonymous(&Authority::new("any"));
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).unwrap();
    bytes
}

/// One who trusts this authority and has no certificate.
pub(crate) fn anonymous(authority: &Authority) -> ClientConnection {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(authority.roots())
        .with_no_client_auth();
    ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap()
}

/// One who has the certificate of this name, and connects to this host.
pub(crate) fn caller(home: &Home, name: &str, host: &str) -> ClientConnection {
    let options = home.options(name, |tls| tls.hostname_verification = false);
    let security = Security::open(&options).unwrap();
    let means = security.means().unwrap();
    let host = host.to_owned().try_into().unwrap();
    security.client(&means, [127, 0, 0, 1].into(), host).unwrap()
}

fn sockets() -> (TcpStream, TcpStream, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let near = std::net::TcpStream::connect(address).unwrap();
    let (far, _) = listener.accept().unwrap();
    let unblocked = |socket: std::net::TcpStream| {
        socket.set_nonblocking(true).unwrap();
        TcpStream::from_std(socket)
    };
    (unblocked(near), unblocked(far), address)
}

fn some(read: io::Result<usize>) -> Option<usize> {
    match read {
        Ok(n) => Some(n),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        Err(error) => panic!("{error}"),
    }
}

fn wait(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::WouldBlock { Ok(()) } else { Err(error) }
}

const LONG: Duration = Duration::from_secs(20);
