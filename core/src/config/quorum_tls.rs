//! [`QuorumTls`]: what `sslQuorum`, `portUnification` and the keys `ssl.quorum.…` say.

use std::path::PathBuf;

use super::ensemble_problem::EnsembleProblem;
use crate::client::tls::TlsVersions;

/// TLS between the members of an ensemble, on their election ports and their quorum ports.
///
/// Both stores are PEM files: of the member's own certificate, those between it and the authority, and its private key, unencrypted; and of the
/// authorities.
///
/// ```
/// use quorate::config::{EnsembleConfig, EnsembleProblem, QuorumTls};
///
/// let mut ensemble = EnsembleConfig::new(1, "server.1=zoo1:2888:3888".parse()?);
/// assert!(!ensemble.tls.is_used());
/// ensemble.tls = QuorumTls { ssl_quorum: true, ..QuorumTls::default() };
/// assert!(matches!(ensemble.check(), Err(EnsembleProblem::NoStore { .. })));
/// ensemble.tls = QuorumTls {
///     key_store: Some("/etc/quorate/member.pem".into()),
///     trust_store: Some("/etc/quorate/ca.pem".into()),
///     ..ensemble.tls
/// };
/// assert!(ensemble.check().is_ok() && ensemble.tls.is_used());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumTls {
    /// Whether this member connects with TLS, and lets in nothing else (`sslQuorum`).
    pub ssl_quorum: bool,
    /// Whether it lets in TLS as well as plain text (`portUnification`), while an ensemble is changed over.
    pub port_unification: bool,
    /// Whether renewed files are read under the running member (`sslQuorumReloadCertFiles`).
    pub reload_cert_files: bool,
    /// Who this member is (`ssl.quorum.keyStore.location`).
    pub key_store: Option<PathBuf>,
    /// Whom it trusts (`ssl.quorum.trustStore.location`).
    pub trust_store: Option<PathBuf>,
    /// Whether a certificate must be for the member's host or address (`ssl.quorum.hostnameVerification`).
    pub hostname_verification: bool,
    /// The same for those that connect; nothing without `hostname_verification` (`ssl.quorum.clientHostnameVerification`).
    pub client_hostname_verification: bool,
    /// Whether those that connect need a certificate (`ssl.quorum.clientAuth`).
    pub client_auth: ClientAuth,
    /// What `ssl.quorum.protocol` says, if anything.
    pub protocol: Option<TlsVersions>,
    /// What `ssl.quorum.enabledProtocols` says, if anything. It counts more.
    pub enabled_protocols: Option<TlsVersions>,
    /// Java's names of the cipher suites that may be used; all if there are none (`ssl.quorum.ciphersuites`).
    pub cipher_suites: Vec<String>,
}

/// Whether members that connect need a certificate.
///
/// ```
/// use quorate::config::{ClientAuth, QuorumTls};
///
/// assert_eq!(QuorumTls::default().client_auth, ClientAuth::Need);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAuth {
    /// One that is trusted.
    #[default]
    Need,
    /// One that is trusted, or none.
    Want,
    /// Nobody is asked for one.
    None,
}

impl Default for QuorumTls {
    /// Plain text; with TLS, everything is checked that can be.
    fn default() -> Self {
        Self {
            ssl_quorum: false,
            port_unification: false,
            reload_cert_files: false,
            key_store: None,
            trust_store: None,
            hostname_verification: true,
            client_hostname_verification: true,
            client_auth: ClientAuth::Need,
            protocol: None,
            enabled_protocols: None,
            cipher_suites: Vec::new(),
        }
    }
}

impl QuorumTls {
    /// Whether TLS is spoken at all.
    ///
    /// ```
    /// use quorate::config::QuorumTls;
    ///
    /// assert!(QuorumTls { port_unification: true, ..QuorumTls::default() }.is_used());
    /// ```
    pub const fn is_used(&self) -> bool {
        self.ssl_quorum || self.port_unification
    }

    /// Whether the name in the certificate of a member that connects is checked.
    ///
    /// ```
    /// use quorate::config::QuorumTls;
    ///
    /// assert!(QuorumTls::default().verifies_clients());
    /// assert!(!QuorumTls { hostname_verification: false, ..QuorumTls::default() }.verifies_clients());
    /// ```
    pub const fn verifies_clients(&self) -> bool {
        self.hostname_verification && self.client_hostname_verification
    }

    /// Versions of TLS: both, unless a key says otherwise.
    ///
    /// ```
    /// use quorate::client::tls::TlsVersions;
    /// use quorate::config::QuorumTls;
    ///
    /// let old = QuorumTls { protocol: Some(TlsVersions::Tls12), ..QuorumTls::default() };
    /// assert_eq!((QuorumTls::default().versions(), old.versions()), (TlsVersions::Both, TlsVersions::Tls12));
    /// ```
    pub fn versions(&self) -> TlsVersions {
        self.enabled_protocols.or(self.protocol).unwrap_or_default()
    }

    pub(super) fn check(&self) -> Result<(), EnsembleProblem> {
        let stores = [
            ("ssl.quorum.keyStore.location", &self.key_store),
            ("ssl.quorum.trustStore.location", &self.trust_store),
        ];
        match stores.into_iter().find(|(_, path)| path.is_none()) {
            Some((key, _)) if self.is_used() => Err(EnsembleProblem::NoStore { key }),
            _ => Ok(()),
        }
    }

    /// Reads `ssl.quorum.clientAuth`.
    pub(super) fn auth(text: &str) -> Result<ClientAuth, String> {
        match text.to_ascii_lowercase().as_str() {
            "need" => Ok(ClientAuth::Need),
            "want" => Ok(ClientAuth::Want),
            "none" => Ok(ClientAuth::None),
            _ => Err("`need`, `want` or `none`".to_owned()),
        }
    }

    /// Reads `ssl.quorum.protocol`. A Java server that is to speak 1.3 speaks 1.2 as well.
    pub(super) fn protocol(text: &str) -> Result<Option<TlsVersions>, String> {
        match text {
            "TLSv1.2" => Ok(Some(TlsVersions::Tls12)),
            "TLSv1.3" | "TLS" => Ok(Some(TlsVersions::Both)),
            _ => Err("`TLSv1.3` or `TLSv1.2`".to_owned()),
        }
    }

    /// Reads `ssl.quorum.enabledProtocols`. Older ones beside those that are known are left out: nobody needs them for a connection.
    pub(super) fn protocols(text: &str) -> Result<Option<TlsVersions>, String> {
        let has = |version| text.split(',').any(|name| name.trim() == version);
        match (has("TLSv1.2"), has("TLSv1.3")) {
            (true, true) => Ok(Some(TlsVersions::Both)),
            (true, false) => Ok(Some(TlsVersions::Tls12)),
            (false, true) => Ok(Some(TlsVersions::Tls13)),
            (false, false) => Err("`TLSv1.3`, `TLSv1.2`, or both with a comma between".to_owned()),
        }
    }

    /// Reads `ssl.quorum.ciphersuites`.
    pub(super) fn suites(text: &str) -> Vec<String> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(str::to_owned).collect()
    }
}
