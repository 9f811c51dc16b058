//! Identities and ACLs: who a connection is, and what that allows.
//!
//! A connection starts as `ip:<address>` and gains identities by auth packets ([`authenticate`]); they end
//! with it. [`check`] decides one permission on one ACL, [`fix_up`] turns the ACL of a request into the one
//! that is stored. Called by request preparation, by reads and by the connection layer. SASL and TLS
//! are not negotiated here: their layers add what they found with [`Identities::with`].
//! Source: `org.apache.zookeeper.server.ZooKeeperServer#checkACL` and `server.auth.*`.

mod digest;
mod fix_up;
mod ip;
mod scheme;

pub use digest::DigestAlgorithm;
pub use fix_up::{fix_up, fix_up_borrowed};
pub use scheme::{Scheme, Schemes};

use quorate_wire::acl::{Acl, Id};
use quorate_wire::error::ErrorCode;
use quorate_wire::op::who_am_i::ClientInfo;
use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

/// The identities of one connection: a set that only grows. Cheap to clone; a clone is what a request
/// carries, so that it is judged by the identities at the moment it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identities(Arc<Set>);

/// What an administrator decides about authentication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessConfig {
    /// `DigestAuthenticationProvider.superDigest`: a whole `user:hash`; whoever has it is super.
    pub super_digest: Option<String>,
    /// `DigestAuthenticationProvider.digestAlg`.
    pub digest_alg: DigestAlgorithm,
    /// Which schemes have a provider.
    pub schemes: Schemes,
}

#[derive(Debug, PartialEq, Eq)]
struct Set {
    ids: Box<[Id<'static>]>,
    is_super: bool,
}

impl Identities {
    /// No identity at all: what only `world:anyone` lets pass. For requests of the server itself.
    #[must_use]
    pub fn none() -> Self {
        Self::of(Box::default())
    }

    /// What a new connection from `address` is.
    #[must_use]
    pub fn from_address(address: IpAddr) -> Self {
        Self::of(Box::new([Id::new("ip", address_text(address))]))
    }

    /// These and one more; the same set if it is in it already.
    #[must_use]
    pub fn with(&self, id: Id<'static>) -> Self {
        if self.0.ids.contains(&id) {
            return self.clone();
        }
        Self::of(self.iter().cloned().chain([id]).collect())
    }

    /// What another server of the ensemble says of its client, which is believed.
    #[must_use]
    pub fn believed(ids: &[Id<'static>]) -> Self {
        Self::of(ids.into())
    }

    /// Whether every check passes.
    #[must_use]
    pub fn is_super(&self) -> bool {
        self.0.is_super
    }

    /// The identities, in the order they were gained.
    pub fn iter(&self) -> impl Iterator<Item = &Id<'static>> {
        self.0.ids.iter()
    }

    /// Whether one more, proven by that many bytes, would be more than anybody needs. Apache has no limit.
    fn are_too_many(&self, more: usize) -> bool {
        let bytes = self.iter().map(|id| id.id().len()).fold(more, usize::saturating_add);
        self.0.ids.len() >= MOST_IDENTITIES || bytes > MOST_BYTES
    }

    fn of(ids: Box<[Id<'static>]>) -> Self {
        let is_super = ids.iter().any(|id| id.scheme() == "super");
        Self(Arc::new(Set { ids, is_super }))
    }
}

/// Whether `identities` have one of the permissions `needed` on a node with this ACL.
///
/// An empty list allows everything, as does `skip_acl` (`zookeeper.skipACL`). Otherwise an entry with a
/// needed permission must match an identity of its own scheme, or be `world:anyone`.
#[must_use]
pub fn check(identities: &Identities, acl: &[Acl<'_>], needed: i32, skip_acl: bool) -> bool {
    skip_acl
        || acl.is_empty()
        || identities.is_super()
        || acl.iter().any(|entry| entry.perms & needed != 0 && matches(identities, &entry.id))
}

/// Answers an auth packet: the identities afterwards.
///
/// # Errors
/// [`ErrorCode::AuthFailed`] when the scheme has no provider or its provider refuses, or when the
/// connection has a thousand identities already; it must be closed after the reply.
pub fn authenticate(
    config: &AccessConfig,
    scheme: Option<&str>,
    auth: Option<&[u8]>,
    identities: &Identities,
) -> Result<Identities, ErrorCode> {
    let scheme = scheme.and_then(|name| config.schemes.find(name));
    match (scheme, auth) {
        // The provider adds the peer's address, which every connection has from the start.
        (Some(Scheme::Ip), _) => Ok(identities.clone()),
        (Some(Scheme::Digest), Some(auth)) => {
            if identities.are_too_many(auth.len()) {
                return Err(ErrorCode::AuthFailed);
            }
            let text = String::from_utf8_lossy(auth);
            let digest = config.digest_alg.identity(&text);
            let is_super = config.super_digest.as_deref() == Some(digest.as_str());
            let gained = if is_super { &identities.with(Id::new("super", "")) } else { identities };
            Ok(gained.with(Id::new("digest", digest)))
        }
        // SASL has its own exchange, and a certificate comes with the TLS handshake.
        _ => Err(ErrorCode::AuthFailed),
    }
}

/// What getACL answers to a reader without ADMIN: digest ids as `user:x`.
///
/// Everything from a colon to the end of its line is replaced, as Apache's regular expression does.
#[must_use]
pub fn masked_for_reader<'a>(acl: &'a [Acl<'_>]) -> Vec<Acl<'a>> {
    acl.iter()
        .map(|entry| {
            let scheme = entry.id.scheme.as_deref().map(Cow::Borrowed);
            let id = entry.id.id.as_deref().map(|id| match entry.id.scheme() {
                "digest" if id.contains(':') => Cow::Owned(masked(id)),
                _ => Cow::Borrowed(id),
            });
            Acl { perms: entry.perms, id: Id { scheme, id } }
        })
        .collect()
}

/// What whoAmI answers: every identity; of digest ids only the user, of super nothing.
#[must_use]
pub fn who_am_i(identities: &Identities) -> Vec<ClientInfo<'_>> {
    identities
        .iter()
        .map(|id| {
            let user = match id.scheme() {
                "super" => "",
                "digest" => id.id().split(':').next().unwrap_or(""),
                _ => id.id(),
            };
            ClientInfo { scheme: Some(id.scheme().into()), user: Some(user.into()) }
        })
        .collect()
}

fn matches(identities: &Identities, wanted: &Id<'_>) -> bool {
    if wanted.scheme() == "world" && wanted.id() == "anyone" {
        return true;
    }
    let Some(scheme) = Scheme::of(wanted.scheme()) else { return false };
    identities
        .iter()
        .any(|id| id.scheme() == wanted.scheme() && scheme.matches(id.id(), wanted.id()))
}

/// `InetAddress#getHostAddress`: no zone, IPv6 in eight groups without compression, mapped IPv4 as IPv4.
fn address_text(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => uncompressed(v6),
    }
}

fn uncompressed(address: Ipv6Addr) -> String {
    address.segments().map(|group| format!("{group:x}")).join(":")
}

/// `replaceAll(":.*", ":x")`: the dot stops at Java's line terminators.
fn masked(id: &str) -> String {
    let mut out = String::with_capacity(id.len());
    let mut hidden = false;
    for c in id.chars() {
        hidden &= !matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
        if !hidden {
            out.push(c);
            if c == ':' {
                hidden = true;
                out.push('x');
            }
        }
    }
    out
}

/// Identities of one connection, and the bytes of their names. Each `auth` entry of an ACL stands for all of them.
const MOST_IDENTITIES: usize = 1000;
const MOST_BYTES: usize = 2 << 20;

#[cfg(test)]
mod tests;
