//! The digest scheme: `user:password` becomes `user:BASE64(hash(user:password))`.
//!
//! Source: `org.apache.zookeeper.server.auth.DigestAuthenticationProvider`. Not a secure way to store
//! passwords; it is what every ZooKeeper client computes too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::Digest as _;

/// The hash of digest identities; all servers and all ACLs of an ensemble must agree on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DigestAlgorithm {
    /// `SHA1`, the default.
    #[default]
    Sha1,
    /// `SHA-224`.
    Sha224,
    /// `SHA-256`.
    Sha256,
    /// `SHA-384`.
    Sha384,
    /// `SHA-512`.
    Sha512,
}

impl DigestAlgorithm {
    /// The algorithm of a `digestAlg` setting, by Java's names, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "SHA" | "SHA1" | "SHA-1" => Self::Sha1,
            "SHA-224" | "SHA224" => Self::Sha224,
            "SHA-256" | "SHA256" => Self::Sha256,
            "SHA-384" | "SHA384" => Self::Sha384,
            "SHA-512" | "SHA512" => Self::Sha512,
            _ => return None,
        })
    }

    /// The identity that `user:password` proves. The user is what stands before the first colon, the
    /// hash covers everything; a text without a colon is taken whole as both.
    #[must_use]
    pub fn identity(self, user_password: &str) -> String {
        let user = user_password.split(':').next().unwrap_or("");
        format!("{user}:{}", STANDARD.encode(self.hash(user_password.as_bytes())))
    }

    fn hash(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => sha1::Sha1::digest(bytes).to_vec(),
            Self::Sha224 => sha2::Sha224::digest(bytes).to_vec(),
            Self::Sha256 => sha2::Sha256::digest(bytes).to_vec(),
            Self::Sha384 => sha2::Sha384::digest(bytes).to_vec(),
            Self::Sha512 => sha2::Sha512::digest(bytes).to_vec(),
        }
    }
}
