//! The other end of the tests: an authority, and a server on loopback that uses its certificates.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ProtocolVersion, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::super::{Tls, TlsError, TlsVersions, load};

/// An authority that signs certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

/// A certificate with its key, as PEM.
pub(crate) struct Identity {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    pub(crate) fn issue(&self, names: &[&str]) -> Identity {
        self.issue_until(names, 2100)
    }

    pub(crate) fn issue_until(&self, names: &[&str], year: i32) -> Identity {
        self.issue_with(names, |params| params.not_after = rcgen::date_time_ymd(year, 1, 1))
    }

    pub(crate) fn issue_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Identity {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let chain = params.signed_by(&key, &self.issuer).unwrap().pem();
        Identity { chain, key: key.serialize_pem() }
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        roots
    }
}

/// A server with this identity, which demands a client certificate of `clients`.
pub(super) fn server(
    identity: &Identity,
    clients: Option<&Authority>,
    versions: TlsVersions,
) -> TlsAcceptor {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(load::versions(versions))
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(Arc::new(authority.roots()), provider)
                .build()
                .unwrap(),
        ),
    };
    let chain = CertificateDer::from_pem_slice(identity.chain.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    TlsAcceptor::from(Arc::new(builder.with_single_cert(vec![chain], key).unwrap()))
}

/// What the server saw of a connection that worked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) version: ProtocolVersion,
    pub(super) server_name: Option<String>,
    pub(super) client: Option<CertificateDer<'static>>,
}

/// Why a connection did not work.
#[derive(Debug)]
pub(super) enum Failed {
    Connect(TlsError),
    Read(io::Error),
}

/// Connects to `host`, which really is the server here, and sends a word there and back.
pub(super) fn visit(tls: &Tls, host: &str, server: &TlsAcceptor) -> Result<Seen, Failed> {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = server.clone();
        let served = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = match server.accept(stream).into_fallible().await {
                Ok(stream) => stream,
                Err((_, mut stream)) => {
                    // Closed with something unread, the system would take back what was sent.
                    let _ended = stream.read_to_end(&mut Vec::new()).await;
                    return None;
                }
            };
            let mut word = [0; 4];
            stream.read_exact(&mut word).await.ok()?;
            stream.write_all(&word).await.ok()?;
            let (_, session) = stream.get_ref();
            Some(Seen {
                version: session.protocol_version().unwrap(),
                server_name: session.server_name().map(str::to_owned),
                client: session.peer_certificates().map(|chain| chain[0].clone().into_owned()),
            })
        });
        let call = async {
            let stream = TcpStream::connect(address).await.unwrap();
            let mut stream = tls.connect(host, stream).await.map_err(Failed::Connect)?;
            // The server may have hung up already, and the answer tells why.
            let _sent = stream.write_all(b"ruok").await;
            let mut word = [0; 4];
            stream.read_exact(&mut word).await.map_err(Failed::Read)?;
            assert_eq!(&word, b"ruok");
            Ok(())
        };
        let called = call.await;
        let seen = served.await.unwrap();
        called.map(|()| seen.unwrap())
    })
}

pub(super) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(20), test).await.expect("no answer in 20 s")
    })
}

/// The message of a handshake that failed.
pub(super) fn refusal(outcome: Result<Seen, Failed>) -> String {
    match outcome {
        Err(Failed::Connect(error @ TlsError::Handshake { .. })) => error.to_string(),
        other => panic!("no handshake that failed: {other:?}"),
    }
}
