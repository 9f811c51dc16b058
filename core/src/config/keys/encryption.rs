//! Keys of TLS. It comes with a later version, and until then every one of them is refused: a
//! server that was told to encrypt must not start without encryption.

use crate::config::key::Disposition::{Refused, Warned};
use crate::config::key::{Disposition, Key, Kind, Section, Source};

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
    tls("ssl.quorum.keyStore.location", PATH, "As ssl.keyStore.location, between servers"),
    tls("ssl.quorum.keyStore.password", SECRET, "As ssl.keyStore.password, between servers"),
    tls("ssl.quorum.keyStore.passwordPath", PATH, "As ssl.keyStore.passwordPath, between servers"),
    tls("ssl.quorum.keyStore.type", TEXT, "As ssl.keyStore.type, between servers"),
    tls("ssl.quorum.trustStore.location", PATH, "As ssl.trustStore.location, between servers"),
    tls("ssl.quorum.trustStore.password", SECRET, "As ssl.trustStore.password, between servers"),
    tls(
        "ssl.quorum.trustStore.passwordPath",
        PATH,
        "As ssl.trustStore.passwordPath, between servers",
    ),
    tls("ssl.quorum.trustStore.type", TEXT, "As ssl.trustStore.type, between servers"),
    tls("ssl.quorum.protocol", TEXT, "As ssl.protocol, between servers"),
    tls("ssl.quorum.enabledProtocols", TEXT, "As ssl.enabledProtocols, between servers"),
    tls("ssl.quorum.ciphersuites", TEXT, "As ssl.ciphersuites, between servers"),
    tls(
        "ssl.quorum.context.supplier.class",
        TEXT,
        "As ssl.context.supplier.class, between servers",
    ),
    tls("ssl.quorum.hostnameVerification", TEXT, "As ssl.hostnameVerification, between servers"),
    tls(
        "ssl.quorum.clientHostnameVerification",
        TEXT,
        "As ssl.clientHostnameVerification, between servers",
    ),
    tls("ssl.quorum.allowReverseDnsLookup", TEXT, "As ssl.allowReverseDnsLookup, between servers"),
    tls("ssl.quorum.crl", TEXT, "As ssl.crl, between servers"),
    tls("ssl.quorum.ocsp", TEXT, "As ssl.ocsp, between servers"),
    tls("ssl.quorum.clientAuth", TEXT, "As ssl.clientAuth, between servers"),
    tls(
        "ssl.quorum.handshakeDetectionTimeoutMillis",
        TEXT,
        "As ssl.handshakeDetectionTimeoutMillis, between servers",
    ),
    Key::new(
        file("sslQuorum", Section::Encryption),
        Kind::Bool,
        "false",
        TLS,
        "Whether servers encrypt among themselves",
    )
    .inert(&["false"]),
    Key::new(
        file("portUnification", Section::Encryption),
        Kind::Bool,
        "false",
        TLS,
        "Whether the quorum port accepts TLS and plain text",
    )
    .inert(&["false"]),
    Key::new(
        file("sslQuorumReloadCertFiles", Section::Encryption),
        Kind::Bool,
        "false",
        TLS,
        "Whether certificates for the quorum are read again when they change",
    )
    .inert(&["false"]),
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
        Warned("has no effect: there is neither TLS nor SASL yet to restrict"),
        "Whether TLS and SASL keep to what FIPS allows",
    ),
];

/// Declares a setting of TLS that names no switch that could be off.
const fn tls(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key::new(property(name, Section::Encryption), kind, "", TLS, doc)
}

const TLS: Disposition = Refused(
    "TLS comes with a later version and this server would talk in plain text; remove the key, and \
     put a TLS proxy before the server if the network is not trusted",
);

const PATH: Kind = Kind::Path;
const SECRET: Kind = Kind::Secret("a password");
const TEXT: Kind = Kind::Text("text");
