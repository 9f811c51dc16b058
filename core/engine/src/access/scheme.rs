//! The authentication schemes: which ids they accept in an ACL and which identities match them.
//!
//! Adding a scheme means a variant here and a layer that adds identities of its name to connections.
//! Source: `org.apache.zookeeper.server.auth.ProviderRegistry` and the providers.

use super::ip;

/// A scheme with a provider. `world`, `auth` and `super` have none: they are known to the rules themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// The peer's address.
    Ip,
    /// User and password, hashed.
    Digest,
    /// The subject of a TLS client certificate.
    X509,
    /// The authorization id of a SASL exchange.
    Sasl,
}

/// Which schemes a server has a provider for. Without one, an ACL id of the scheme is invalid.
///
/// Apache has `ip` always, `digest` unless it is switched off, `x509` and `sasl` only when
/// `authProvider.*` settings or a TLS port bring them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schemes {
    /// `DigestAuthenticationProvider.enabled`.
    pub digest: bool,
    /// Whether TLS client certificates are identities.
    pub x509: bool,
    /// Whether SASL users are identities.
    pub sasl: bool,
}

impl Default for Schemes {
    fn default() -> Self {
        Self { digest: true, x509: false, sasl: false }
    }
}

impl Schemes {
    /// The provider of a scheme's name, if the server has it.
    #[must_use]
    pub fn find(self, name: &str) -> Option<Scheme> {
        Scheme::of(name).filter(|scheme| match scheme {
            Scheme::Ip => true,
            Scheme::Digest => self.digest,
            Scheme::X509 => self.x509,
            Scheme::Sasl => self.sasl,
        })
    }
}

impl Scheme {
    /// The scheme of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "ip" => Self::Ip,
            "digest" => Self::Digest,
            "x509" => Self::X509,
            "sasl" => Self::Sasl,
            _ => return None,
        })
    }

    /// Whether an identity of this scheme proves who somebody is, so that `auth` entries expand to it.
    #[must_use]
    pub const fn is_authenticated(self) -> bool {
        !matches!(self, Self::Ip)
    }

    /// Whether `id` may stand in an ACL.
    #[must_use]
    pub fn is_valid(self, id: &str) -> bool {
        match self {
            Self::Ip => ip::is_valid(id),
            Self::Digest => has_two_parts(id),
            Self::X509 => is_distinguished_name(id),
            Self::Sasl => is_kerberos_name(id),
        }
    }

    /// Whether the identity `own` is what an ACL's `wanted` means.
    #[must_use]
    pub fn matches(self, own: &str, wanted: &str) -> bool {
        match self {
            Self::Ip => ip::matches(own, wanted),
            Self::Digest | Self::X509 => own == wanted,
            Self::Sasl => own == "super" || own == wanted,
        }
    }
}

/// Whether Java's `split(":")` gives two parts: it drops empty ones at the end, not elsewhere.
fn has_two_parts(id: &str) -> bool {
    let id = id.trim_end_matches(':');
    !id.is_empty() && id.bytes().filter(|&b| b == b':').count() == 1
}

/// `KerberosName`: `service[/host]@realm`, or any text without an at sign.
fn is_kerberos_name(id: &str) -> bool {
    let Some((name, realm)) = id.split_once('@') else { return true };
    !realm.contains(['/', '@']) && name.bytes().filter(|&b| b == b'/').count() <= 1
}

/// Whether `id` has the shape of an RFC 2253 name: `TYPE=value` pairs between commas, semicolons or plus
/// signs, where a backslash or quotes protect a character. Empty is a name.
fn is_distinguished_name(id: &str) -> bool {
    let (mut pairs, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for c in id.chars() {
        let separates = matches!(c, ',' | ';' | '+') && !quoted && !escaped;
        if separates {
            pairs.push(String::new());
        } else if let Some(pair) = pairs.last_mut() {
            pair.push(c);
        }
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
    }
    let is_pair = |pair: &String| {
        pair.split_once('=').is_some_and(|(kind, _)| {
            let kind = kind.trim();
            !kind.is_empty() && kind.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
        })
    };
    !quoted && !escaped && (id.trim().is_empty() || pairs.iter().all(is_pair))
}
