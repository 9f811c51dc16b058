//! Why a member cannot speak TLS with the others.

use crate::client::tls::TlsError;
use std::path::PathBuf;

/// What is wrong with the settings `ssl.quorum.…` of a member, or with the files that they name.
///
/// ```
/// use quorate::server::QuorumTlsError;
///
/// let error = QuorumTlsError::NotPem { key: "ssl.quorum.keyStore.location", path: "/etc/zk.jks".into(), format: "JKS" };
/// assert!(error.to_string().contains("keytool -importkeystore"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuorumTlsError {
    /// A file that must be there is not named.
    #[error("TLS between members needs `{key}`; add it, with a PEM file")]
    NotNamed {
        /// The key.
        key: &'static str,
    },
    /// A store of Java's.
    #[error("`{key}`: {} is a {format} store, and PEM is read here; {}", path.display(), conversion(path, format))]
    NotPem {
        /// The key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What it is.
        format: &'static str,
    },
    /// A file that cannot be read, or has not what it must have.
    #[error("`{key}`: {source}")]
    File {
        /// The key that names it.
        key: &'static str,
        /// What is wrong.
        source: TlsError,
    },
    /// A certificate and a key that do not belong together, or of a kind that is not known.
    #[error(
        "`ssl.quorum.keyStore.location`: {}: its certificate and its key cannot be used: {reason}; both must belong together, the member's own \
         certificate before those between it and the authority",
        path.display()
    )]
    Identity {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// No cipher suite that can be used.
    #[error(
        "`ssl.quorum.ciphersuites` names none that can be used here; name one of {known}, or remove the key"
    )]
    Ciphers {
        /// All that there are.
        known: String,
    },
    /// The TLS library refuses a setting.
    #[error("TLS between members cannot be set up: {reason}")]
    Setup {
        /// What it says.
        reason: String,
    },
}

fn conversion(path: &std::path::Path, format: &str) -> String {
    let store = path.display();
    let pem = path.with_extension("pem");
    let (first, store) = match format {
        "JKS" => (
            format!(
                "`keytool -importkeystore -srckeystore {store} -destkeystore {store}.p12 -deststoretype PKCS12`, then "
            ),
            format!("{store}.p12"),
        ),
        _ => (String::new(), store.to_string()),
    };
    format!("convert it with {first}`openssl pkcs12 -in {store} -nodes -out {}`", pem.display())
}
