//! Keys of authentication and authorization.

use crate::config::key::Disposition::{EnsembleOnly, EnsembleRefused, Honoured, Refused, Warned};
use crate::config::key::{Key, Kind, Section};
use crate::config::slot::Slot;
use crate::config::types::{DigestAlgorithm, FourLetterWords, Secret};

use super::{file, property};

pub(super) const ACCESS: &[Key] = &[
    Key::new(
        property("4lw.commands.whitelist", Section::Access),
        Kind::Text("four-letter words with commas between them, or `*`"),
        "srvr",
        Honoured(Slot::Text(|config, text| {
            config.four_letter_words = FourLetterWords::parse(text);
            Ok(())
        })),
        "Four-letter words answered on the client port; `srvr` always is, `*` means all",
    ),
    Key::new(
        property("DigestAuthenticationProvider.enabled", Section::Access),
        Kind::Bool,
        "true",
        Honoured(Slot::Bool(|config| &mut config.digest_auth_enabled)),
        "Whether the `digest` scheme exists",
    ),
    Key::new(
        property("DigestAuthenticationProvider.superDigest", Section::Access),
        Kind::Secret("`super:` and the Base64 digest of `super:` and the password"),
        "",
        Honoured(Slot::Text(|config, text| {
            let digest = text.split_once(':').is_some_and(|(user, digest)| {
                !user.is_empty() && !digest.is_empty() && digest.bytes().all(is_base64)
            });
            if !digest {
                return Err("`super:` and the Base64 digest of `super:` and the password".into());
            }
            config.super_digest = Some(Secret::new(text));
            Ok(())
        })),
        "Identity in the `digest` scheme that is exempt from ACLs; without it nobody is",
    ),
    Key::new(
        property("DigestAuthenticationProvider.digestAlg", Section::Access),
        Kind::Text("`SHA1`, `SHA-224`, `SHA-256`, `SHA-384` or `SHA-512`"),
        "SHA1",
        Honoured(Slot::Text(|config, text| {
            config.digest_algorithm = DigestAlgorithm::parse(text)?;
            Ok(())
        })),
        "Hash of the `digest` scheme",
    ),
    Key::new(
        property("enforce.auth.enabled", Section::Access),
        Kind::Bool,
        "false",
        Honoured(Slot::Bool(|config| &mut config.enforce_auth_enabled)),
        "Whether a client must authenticate before anything else",
    ),
    Key::new(
        property("enforce.auth.schemes", Section::Access),
        Kind::Text("names of schemes with commas between them"),
        "",
        Honoured(Slot::Text(|config, text| {
            let schemes = text.split(',').map(str::trim).filter(|scheme| !scheme.is_empty());
            config.enforce_auth_schemes = schemes.map(str::to_owned).collect();
            Ok(())
        })),
        "Schemes of which a client must have passed one when enforce.auth.enabled is true: \
         `digest`, `ip`",
    ),
    Key::new(
        property("sessionRequireClientSASLAuth", Section::Access),
        Kind::Bool,
        "false",
        Refused(
            "SASL comes with a later version, so that no client could connect; remove the key, or \
             use enforce.auth.enabled with the scheme `digest`",
        ),
        "Whether a client must authenticate with SASL before anything else",
    )
    .inert(&["false"]),
    Key::new(
        property("allowSaslFailedClients", Section::Access),
        Kind::Bool,
        "false",
        Warned("has no effect: SASL comes with a later version"),
        "Whether a client that failed SASL may go on without it",
    ),
    Key::new(
        property("authProvider.*", Section::Access),
        Kind::Text("the name of a Java class"),
        "",
        Refused(
            "Java classes cannot be loaded, and SASL and x509 come with a later version; remove \
             the key if the schemes world, ip, digest and auth suffice",
        ),
        "Further authentication provider",
    )
    .also(&["authProvider"])
    .inert(&[
        "org.apache.zookeeper.server.auth.DigestAuthenticationProvider",
        "org.apache.zookeeper.server.auth.IPAuthenticationProvider",
    ]),
    Key::new(
        property("ensembleAuthName", Section::Access),
        Kind::Text("names with commas between them"),
        "",
        Warned("has no effect: the scheme `ensemble` comes with a later version"),
        "Names by which clients may demand to reach this ensemble",
    ),
    Key::new(
        property("X509AuthenticationProvider.superUser", Section::Access),
        Kind::Text("an X500 principal"),
        "",
        Warned("has no effect: x509 comes with a later version, nobody becomes superuser by it"),
        "Principal of the scheme x509 that is exempt from ACLs",
    ),
    Key::new(
        property("superUser", Section::Access),
        Kind::Text("a SASL user"),
        "",
        Warned("has no effect: SASL comes with a later version, nobody becomes superuser by it"),
        "SASL user that is exempt from ACLs",
    )
    .also(&["superUser.*", "letAnySaslUserDoX"]),
    Key::new(
        property("SASLAuthenticationProvider.superPassword", Section::Access),
        Kind::Secret("a password"),
        "",
        Warned("has no effect: SASL comes with a later version"),
        "Password of the superuser with SASL",
    ),
    Key::new(
        property("IPAuthenticationProvider.usexforwardedfor", Section::Access),
        Kind::Bool,
        "false",
        Warned("has no effect: it concerns the AdminServer, which comes with a later version"),
        "Whether the AdminServer takes a client's address from X-Forwarded-For",
    )
    .inert(&["false"]),
    kerberos("kerberos.removeHostFromPrincipal", "Whether a principal loses its host"),
    kerberos("kerberos.removeRealmFromPrincipal", "Whether a principal loses its realm"),
    kerberos("kerberos.canonicalizeHostNames", "Whether server names are resolved first"),
    kerberos("kerberos.*", "Any other setting of Kerberos").also(&[
        "security.auth_to_local",
        "requireKerberosConfig",
        "kinit",
        "server.realm",
    ]),
    Key::new(
        property("sasl.serverconfig", Section::Access),
        Kind::Text("a JAAS section"),
        "",
        Warned("has no effect: SASL comes with a later version"),
        "JAAS section of the server",
    ),
    Key::new(
        property("enableEagerACLCheck", Section::Access),
        Kind::Bool,
        "false",
        EnsembleOnly("has no effect: ACLs are checked by the leader alone"),
        "Whether a follower checks ACLs before it forwards a write",
    )
    .inert(&["false"]),
    quorum_sasl("quorum.auth.enableSasl", "Whether servers authenticate each other with SASL"),
    quorum_sasl("quorum.auth.serverRequireSasl", "Whether servers demand it of who connects"),
    quorum_sasl(
        "quorum.auth.learnerRequireSasl",
        "Whether servers demand it of whom they connect to",
    ),
    Key::new(
        file("quorum.auth.*", Section::Access),
        Kind::Text("a setting of SASL between servers"),
        "",
        EnsembleOnly("has no effect: SASL between servers comes with a later version"),
        "Any other setting of SASL between servers: login contexts, service principal",
    ),
];

/// A server that asks for authentication must not talk to whoever comes.
const fn quorum_sasl(name: &'static str, doc: &'static str) -> Key {
    let reason = EnsembleRefused(
        "SASL between servers comes with a later version, and anybody could join; remove the key if the network between \
         the servers is trusted",
    );
    Key::new(file(name, Section::Access), Kind::Bool, "false", reason, doc).inert(&["false"])
}

const fn kerberos(name: &'static str, doc: &'static str) -> Key {
    let reason = Warned("has no effect: Kerberos comes with a later version");
    Key::new(property(name, Section::Access), Kind::Text("text"), "", reason, doc)
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}
