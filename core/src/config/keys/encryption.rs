//! Keys of TLS: between members, where it is spoken, and towards clients, where it comes with a later version. Until then every key of
//! that is refused: a server that was told to encrypt must not start without encryption.

use crate::config::ensemble_config::EnsembleConfig;
use crate::config::key::Disposition::{Ensemble, Refused, Warned};
use crate::config::key::{Disposition, Key, Kind, Section, Source};
use crate::config::quorum_tls::QuorumTls;
use crate::config::slot::Slot;

use super::{file, property};

pub(super) const ENCRYPTION: &[Key] = &[
    tls("ssl.keyStore.location", PATH, "File with the server's key and certificate"),
    tls("ssl.keyStore.password", SECRET, "Password of the key store"),
    tls("ssl.keyStore.passwordPath", PATH, "File with the password of the key store"),
    tls("ssl.keyStore.type", TEXT, "Format of the key store: JKS, PEM, PKCS12, BCFKS"),
    tls("ssl.trustStore.location", PATH, "File with the certificates trusted"),
    tls("ssl.trustStore.password", SECRET, "Password of the trust store"),
    tls("ssl.trustStore.passwordPath", PATH, "File with the password of the trust store"),
    tls("ssl.trustStore.type", TEXT, "Format of the trust store: JKS, PEM, PKCS12, BCFKS"),
    tls("ssl.protocol", TEXT, "Protocol version offered"),
    tls("ssl.enabledProtocols", TEXT, "Protocol versions accepted"),
    tls("ssl.ciphersuites", TEXT, "Cipher suites accepted"),
    tls("ssl.context.supplier.class", TEXT, "Class that makes the TLS context"),
    tls("ssl.hostnameVerification", TEXT, "Whether the name in a server's certificate is checked"),
    tls(
        "ssl.clientHostnameVerification",
        TEXT,
        "Whether the name in a client's certificate is checked",
    ),
    tls(
        "ssl.allowReverseDnsLookup",
        TEXT,
        "Whether an address may be turned into a name to check it",
    ),
    tls("ssl.crl", TEXT, "Whether revocation lists are consulted"),
    tls("ssl.ocsp", TEXT, "Whether revocation is asked about online"),
    tls("ssl.clientAuth", TEXT, "Whether clients need a certificate: none, want, need"),
    tls("ssl.handshakeDetectionTimeoutMillis", TEXT, "Time to tell TLS from plain text"),
    tls("ssl.sslProvider", TEXT, "Library that does TLS"),
    tls("ssl.authProvider", TEXT, "Scheme by which certificates are judged"),
    tls("ssl.*", TEXT, "Any other setting of TLS"),
    between(
        "ssl.quorum.keyStore.location",
        PATH,
        "",
        Slot::Text(|ensemble, text| {
            ensemble.tls.key_store = Some(text.into());
            Ok(())
        }),
        "PEM file with this member's certificate, those between it and the authority, and its private key, unencrypted",
    ),
    stored("ssl.quorum.keyStore.password", SECRET, "Password of the key store"),
    stored("ssl.quorum.keyStore.passwordPath", PATH, "File with the password of the key store"),
    pem("ssl.quorum.keyStore.type", "Format of the key store"),
    between(
        "ssl.quorum.trustStore.location",
        PATH,
        "",
        Slot::Text(|ensemble, text| {
            ensemble.tls.trust_store = Some(text.into());
            Ok(())
        }),
        "PEM file with the certificates of the authorities by which members know each other",
    ),
    stored("ssl.quorum.trustStore.password", SECRET, "Password of the trust store"),
    stored("ssl.quorum.trustStore.passwordPath", PATH, "File with the password of the trust store"),
    pem("ssl.quorum.trustStore.type", "Format of the trust store"),
    between(
        "ssl.quorum.protocol",
        TEXT,
        "",
        Slot::Text(|ensemble, text| {
            ensemble.tls.protocol = QuorumTls::protocol(text)?;
            Ok(())
        }),
        "Newest version of TLS between members: `TLSv1.3`, with which 1.2 is spoken too and which is the default, or `TLSv1.2`",
    ),
    between(
        "ssl.quorum.enabledProtocols",
        TEXT,
        "",
        Slot::Text(|ensemble, text| {
            ensemble.tls.enabled_protocols = QuorumTls::protocols(text)?;
            Ok(())
        }),
        "Versions of TLS between members, with commas between; older ones than 1.2 are left out",
    ),
    between(
        "ssl.quorum.ciphersuites",
        TEXT,
        "",
        Slot::Text(|ensemble, text| {
            ensemble.tls.cipher_suites = QuorumTls::suites(text);
            Ok(())
        }),
        "Cipher suites between members, by Java's names, with commas between; by default all that are known",
    ),
    Key::new(
        property("ssl.quorum.context.supplier.class", Section::Encryption),
        TEXT,
        "",
        Refused("a Java class cannot be used here; remove the key, and name PEM files with ssl.quorum.keyStore.location and \
                 ssl.quorum.trustStore.location"),
        "Class that makes the TLS context between members",
    ),
    between(
        "ssl.quorum.hostnameVerification",
        Kind::Bool,
        "true",
        Slot::Bool(|ensemble| &mut ensemble.tls.hostname_verification),
        "Whether the certificate of a member must be for its host or its address",
    ),
    between(
        "ssl.quorum.clientHostnameVerification",
        Kind::Bool,
        "true",
        Slot::Bool(|ensemble| &mut ensemble.tls.client_hostname_verification),
        "Whether the certificate of a member that connects must be for the host of a member or for the address it comes from; nothing without \
         ssl.quorum.hostnameVerification",
    ),
    Key::new(
        property("ssl.quorum.allowReverseDnsLookup", Section::Encryption),
        Kind::Bool,
        "false",
        Warned("has no effect: the hosts of all members are known, and no name server is asked who may be one"),
        "Whether an address may be turned into a name to check it",
    )
    .inert(&["false"]),
    revoked("ssl.quorum.crl", "Whether revocation lists are consulted between members"),
    revoked("ssl.quorum.ocsp", "Whether revocation is asked about online between members"),
    between(
        "ssl.quorum.clientAuth",
        Kind::Choice(&["need", "want", "none"]),
        "need",
        Slot::Text(|ensemble, text| {
            ensemble.tls.client_auth = QuorumTls::auth(text)?;
            Ok(())
        }),
        "Whether members that connect need a certificate",
    ),
    Key::new(
        property("ssl.quorum.handshakeDetectionTimeoutMillis", Section::Encryption),
        Kind::int(1, "milliseconds"),
        "5000",
        Warned("has no effect: nobody waits for a handshake, and who connects must have said who it is within quorumCnxnTimeoutMs"),
        "Time to tell TLS from plain text",
    )
    .inert(&["5000"]),
    Key::new(
        property("ssl.quorum.*", Section::Encryption),
        TEXT,
        "",
        Refused("it is no setting of TLS between members that is known; correct or remove it"),
        "Any other setting of TLS between members",
    ),
    switch(
        "sslQuorum",
        Slot::Bool(|ensemble| &mut ensemble.tls.ssl_quorum),
        "Whether members connect to each other with TLS, and let in nothing else",
    ),
    switch(
        "portUnification",
        Slot::Bool(|ensemble| &mut ensemble.tls.port_unification),
        "Whether members let in TLS as well as plain text, while an ensemble is changed over",
    ),
    switch(
        "sslQuorumReloadCertFiles",
        Slot::Bool(|ensemble| &mut ensemble.tls.reload_cert_files),
        "Whether certificates for TLS between members are read again when they change",
    ),
    Key::new(
        property("client.certReload", Section::Encryption),
        Kind::Bool,
        "false",
        TLS,
        "Whether certificates for clients are read again when they change",
    )
    .inert(&["false"]),
    Key::new(
        property("client.portUnification", Section::Encryption),
        Kind::Bool,
        "false",
        TLS,
        "Whether the client port accepts TLS and plain text",
    )
    .inert(&["false"]),
    Key::new(
        (
            "outstandingHandshake.limit",
            Section::Encryption,
            Source::PropertyNamed("zookeeper.netty.server.outstandingHandshake.limit"),
        ),
        Kind::int(-1, "handshakes"),
        "-1",
        Warned("has no effect: TLS comes with a later version"),
        "TLS handshakes in progress, at most",
    )
    .inert(&["-1"]),
    Key::new(
        property("netty.server.earlyDropSecureConnectionHandshakes", Section::Encryption),
        Kind::Bool,
        "false",
        Warned("has no effect: TLS comes with a later version"),
        "Whether connections are dropped before the handshake while the server starts",
    )
    .inert(&["false"]),
    Key::new(
        property("fips-mode", Section::Encryption),
        Kind::Bool,
        "true",
        Warned("has no effect: TLS between members is not restricted by it, and its names are checked either way"),
        "Whether TLS and SASL keep to what FIPS allows",
    ),
];

/// Declares a setting of TLS between members.
const fn between(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    slot: Slot<EnsembleConfig>,
    doc: &'static str,
) -> Key {
    Key::new(property(name, Section::Encryption), kind, default, Ensemble(slot), doc)
}

/// Declares a switch of TLS between members.
const fn switch(name: &'static str, slot: Slot<EnsembleConfig>, doc: &'static str) -> Key {
    Key::new(file(name, Section::Encryption), Kind::Bool, "false", Ensemble(slot), doc)
}

/// Declares the password of a store.
const fn stored(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    let reason =
        "has no effect: certificates in PEM have no password, and a key that has one is refused";
    Key::new(property(name, Section::Encryption), kind, "", Warned(reason), doc)
}

/// Declares the format of a store.
const fn pem(name: &'static str, doc: &'static str) -> Key {
    let reason = "PEM is read here; convert the store with `openssl pkcs12 -in store.p12 -nodes -out store.pem`, before that with `keytool \
                  -importkeystore -srckeystore store.jks -destkeystore store.p12 -deststoretype PKCS12` if it is JKS, and name store.pem";
    Key::new(property(name, Section::Encryption), TEXT, "PEM", Refused(reason), doc).inert(&["PEM"])
}

/// Declares a check for revoked certificates.
const fn revoked(name: &'static str, doc: &'static str) -> Key {
    let reason = "revoked certificates are not known here; remove the key, and give certificates short lives";
    Key::new(property(name, Section::Encryption), Kind::Bool, "false", Refused(reason), doc)
        .inert(&["false"])
}

/// Declares a setting of TLS that names no switch that could be off.
const fn tls(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key::new(property(name, Section::Encryption), kind, "", TLS, doc)
}

const TLS: Disposition = Refused(
    "TLS towards clients comes with a later version and this server would talk in plain text; remove the key, and \
     put a TLS proxy before the server if the network is not trusted",
);

const PATH: Kind = Kind::Path;
const SECRET: Kind = Kind::Secret("a password");
const TEXT: Kind = Kind::Text("text");
