//! What can be wrong with certificates, keys and handshakes.
//!
//! Every message names the file, or says that the text came from the program, and what to do. The
//! types of rustls do not show. Made by `load` and [`Tls`](super::Tls).

use std::io;
use std::path::PathBuf;

use rustls::{AlertDescription, CertificateError, Error as RustlsError};
use thiserror::Error;

/// TLS that cannot be set up, or a handshake that failed.
///
/// ```
/// use quorate::client::tls::TlsOptions;
///
/// let error = TlsOptions::new().roots_pem("no certificate").build().unwrap_err();
/// assert!(!error.to_string().is_empty());
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// No trust roots were given.
    #[error(
        "TLS needs trust roots; give the certificate of the authority that signed the servers' \
         certificates with `roots_file` or `roots_pem`"
    )]
    NoRoots,
    /// A file cannot be read.
    #[error("{}: cannot read it: {source}; check the path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A text is not PEM.
    #[error("{origin}: this is no PEM: {reason}")]
    Pem {
        /// The file, or which text.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A text has no certificate.
    #[error(
        "{origin}: no certificate in it; it must have `-----BEGIN CERTIFICATE-----` (JKS and \
         PKCS#12 stores are converted with `keytool` and `openssl pkcs12`)"
    )]
    NoCertificate {
        /// The file, or which text.
        origin: String,
    },
    /// A text has no private key.
    #[error("{origin}: no private key in it; it must have `-----BEGIN PRIVATE KEY-----`")]
    NoKey {
        /// The file, or which text.
        origin: String,
    },
    /// The private key is encrypted.
    #[error("{origin}: the private key is encrypted; decrypt it with `openssl pkey -in … -out …`")]
    EncryptedKey {
        /// The file, or which text.
        origin: String,
    },
    /// A certificate cannot be a trust root.
    #[error("{origin}: certificate {number} in it cannot be a trust root: {reason}")]
    Root {
        /// The file, or which text.
        origin: String,
        /// Which of the certificates, from 1.
        number: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The client's certificate and key cannot be used, or do not belong together.
    #[error("{chain} with the key of {key}: not usable as client certificate: {reason}")]
    ClientCertificate {
        /// The file of the chain, or which text.
        chain: String,
        /// The file of the key, or which text.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// The name to check is neither a DNS name nor an IP address.
    #[error(
        "`{name}` is no name that a certificate can have; set the one to expect with `server_name`"
    )]
    ServerName {
        /// The name.
        name: String,
    },
    /// Nothing that the server said was understood, or it was not who it should be.
    #[error("TLS handshake with {host}: {source}{}", and(.advice))]
    Handshake {
        /// The server, as the connection string has it.
        host: String,
        /// What happened.
        source: io::Error,
        /// What to do about it, if that is known.
        advice: Option<&'static str>,
    },
    /// The TLS library refused a setting.
    #[error("TLS cannot be set up: {reason}")]
    Setup {
        /// What it said.
        reason: String,
    },
}

impl TlsError {
    pub(super) fn handshake(host: &str, source: io::Error) -> Self {
        let advice = advice(&source);
        Self::Handshake { host: host.to_owned(), source, advice }
    }
}

/// What to do about an error of reading, writing or a handshake, if it comes from TLS and there is
/// something to do.
///
/// ```
/// use quorate::client::tls::advice;
/// use std::io;
///
/// // What has nothing to do with TLS needs no advice about it.
/// assert_eq!(advice(&io::Error::from(io::ErrorKind::ConnectionRefused)), None);
/// ```
#[must_use]
pub fn advice(error: &io::Error) -> Option<&'static str> {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return Some(NOT_TLS);
    }
    match error.get_ref()?.downcast_ref::<RustlsError>()? {
        RustlsError::InvalidCertificate(problem) => match problem {
            CertificateError::UnknownIssuer => Some(UNKNOWN_ISSUER),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Some(OTHER_NAME)
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Some(NOT_NOW),
            _ => None,
        },
        RustlsError::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired => Some(CLIENT_CERTIFICATE),
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied => Some(REFUSED_CERTIFICATE),
            AlertDescription::HandshakeFailure => Some(NOTHING_IN_COMMON),
            AlertDescription::ProtocolVersion => Some(VERSION),
            _ => None,
        },
        RustlsError::PeerIncompatible(_) => Some(VERSION),
        RustlsError::InvalidMessage(_) => Some(NOT_TLS),
        _ => None,
    }
}

fn and(advice: &Option<&'static str>) -> String {
    advice.map_or_else(String::new, |advice| format!("; {advice}"))
}

const NOT_TLS: &str = "is this the server's TLS port (`secureClientPort`)?";
const UNKNOWN_ISSUER: &str =
    "if the server is the right one, add the certificate of its issuer to the trust roots";
const OTHER_NAME: &str = "if the server is the right one, connect to a name that its certificate \
                          has, or say which one to expect with `server_name`";
const NOT_NOW: &str = "renew the server's certificate, or set the clock of this machine";
const CLIENT_CERTIFICATE: &str = "the server wants a client certificate; give one with \
                                  `client_files`";
const REFUSED_CERTIFICATE: &str = "the server does not accept the client certificate; give one \
                                   with `client_files` that its trust store knows";
const NOTHING_IN_COMMON: &str = "the server wants a client certificate (`client_files`), or \
                                 another version or cipher of TLS";
const VERSION: &str = "client and server have no version or cipher of TLS in common; see \
                       `versions`, and `ssl.enabledProtocols` of the server";
