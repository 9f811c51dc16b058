//! From the files of a member to what connections are made with.

use super::QuorumTlsError;
use crate::client::tls::load::{Text, versions};
use crate::config::{ClientAuth, QuorumTls};
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, SupportedCipherSuite, SupportedProtocolVersion};
use std::path::Path;
use std::sync::Arc;

/// The files, as they were read.
#[derive(PartialEq, Eq)]
pub(super) struct Texts {
    identity: Text,
    roots: Text,
}

/// All that connections have in common.
#[derive(Debug)]
pub(super) struct Means {
    pub(super) provider: Arc<CryptoProvider>,
    pub(super) versions: &'static [&'static SupportedProtocolVersion],
    pub(super) roots: Arc<RootCertStore>,
    pub(super) identity: Arc<SingleCertAndKey>,
    /// Judges whoever connects, but for the name; nothing if nobody is asked for a certificate.
    pub(super) clients: Option<Arc<dyn ClientCertVerifier>>,
}

impl Texts {
    pub(super) fn read(options: &QuorumTls) -> Result<Self, QuorumTlsError> {
        Ok(Self {
            identity: read(KEY_STORE, options.key_store.as_deref())?,
            roots: read(TRUST_STORE, options.trust_store.as_deref())?,
        })
    }

    pub(super) fn means(&self, options: &QuorumTls) -> Result<Means, QuorumTlsError> {
        let file = |key| move |source| QuorumTlsError::File { key, source };
        let setup = |reason: &dyn ToString| QuorumTlsError::Setup { reason: reason.to_string() };
        let provider = Arc::new(provider(&options.cipher_suites)?);
        let roots = Arc::new(self.roots.as_roots().map_err(file(TRUST_STORE))?);
        let chain = self.identity.certificates().map_err(file(KEY_STORE))?;
        let key = self.identity.key().map_err(file(KEY_STORE))?;
        let identity = CertifiedKey::from_der(chain, key, &provider).map_err(|error| {
            let path = options.key_store.clone().unwrap_or_default();
            QuorumTlsError::Identity { path, reason: error.to_string() }
        })?;
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider));
        let clients = match options.client_auth {
            ClientAuth::Need => Some(clients.build()),
            ClientAuth::Want => Some(clients.allow_unauthenticated().build()),
            ClientAuth::None => None,
        };
        Ok(Means {
            versions: versions(options.versions()),
            roots,
            identity: Arc::new(identity.into()),
            clients: clients.transpose().map_err(|error| setup(&error))?,
            provider,
        })
    }
}

fn read(key: &'static str, path: Option<&Path>) -> Result<Text, QuorumTlsError> {
    let path = path.ok_or(QuorumTlsError::NotNamed { key })?;
    let text = Text::of_file(path).map_err(|source| QuorumTlsError::File { key, source })?;
    match format(text.bytes()) {
        None => Ok(text),
        Some(format) => Err(QuorumTlsError::NotPem { key, path: path.to_owned(), format }),
    }
}

/// What a store is that is no PEM, by its first bytes: Java's magic number, or a sequence in DER.
fn format(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xFE, 0xED, 0xFE, 0xED, ..] => Some("JKS"),
        [0x30, 0x80..=0x84, ..] => Some("PKCS12"),
        _ => None,
    }
}

/// ring, with these cipher suites only, if any are named.
fn provider(suites: &[String]) -> Result<CryptoProvider, QuorumTlsError> {
    let all = ring::default_provider();
    if suites.is_empty() {
        return Ok(all);
    }
    let is_named = |suite: &SupportedCipherSuite| suites.contains(&java_name(*suite));
    let known: Vec<String> = all.cipher_suites.iter().copied().map(java_name).collect();
    let unknown: Vec<&str> =
        suites.iter().filter(|name| !known.contains(name)).map(String::as_str).collect();
    let named: Vec<SupportedCipherSuite> =
        all.cipher_suites.iter().copied().filter(is_named).collect();
    if named.is_empty() {
        return Err(QuorumTlsError::Ciphers { known: known.join(", ") });
    }
    if !unknown.is_empty() {
        tracing::warn!(
            "of ssl.quorum.ciphersuites these are not known here and never used: {}",
            unknown.join(", ")
        );
    }
    Ok(CryptoProvider { cipher_suites: named, ..all })
}

/// The registered name, which Java goes by. rustls marks those of TLS 1.3.
fn java_name(suite: SupportedCipherSuite) -> String {
    let name = format!("{:?}", suite.suite());
    match name.strip_prefix("TLS13_") {
        Some(rest) => format!("TLS_{rest}"),
        None => name,
    }
}

const KEY_STORE: &str = "ssl.quorum.keyStore.location";
const TRUST_STORE: &str = "ssl.quorum.trustStore.location";
