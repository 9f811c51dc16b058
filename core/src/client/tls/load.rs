//! From PEM texts to a configuration of rustls. Members of an ensemble read their files here, too.
//!
//! The texts are kept, to see whether a file has changed: its time alone does not tell, for one
//! written twice within its resolution, or swapped by a link, looks the same. Called by
//! [`Tls`](super::Tls).

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};

use super::verify::ChainOnly;
use super::{NameCheck, Source, TlsError, TlsOptions, TlsVersions};

/// All PEM texts that the options name.
#[derive(PartialEq, Eq)]
pub(super) struct Texts {
    roots: Text,
    client: Option<(Text, Text)>,
}

/// One text, and what to call it in messages.
#[derive(PartialEq, Eq)]
pub(crate) struct Text {
    origin: String,
    pem: Vec<u8>,
}

impl Texts {
    /// Reads all files.
    pub(super) fn read(options: &TlsOptions) -> Result<Self, TlsError> {
        let roots = options.roots.as_ref().ok_or(TlsError::NoRoots)?;
        let client = match &options.client {
            Some((chain, key)) => Some((
                Text::read(chain, "the client certificate given as text")?,
                Text::read(key, "the client key given as text")?,
            )),
            None => None,
        };
        Ok(Self { roots: Text::read(roots, "the trust roots given as text")?, client })
    }

    /// Makes a configuration of them.
    pub(super) fn config(&self, options: &TlsOptions) -> Result<ClientConfig, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let roots = Arc::new(self.roots.as_roots()?);
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions(options.versions))
            .map_err(|error| TlsError::Setup { reason: error.to_string() })?;
        let builder = match options.name {
            NameCheck::Host | NameCheck::Fixed(_) => builder.with_root_certificates(roots),
            NameCheck::None => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(ChainOnly::new(roots, &provider))),
        };
        let Some((chain, key)) = &self.client else { return Ok(builder.with_no_client_auth()) };
        builder.with_client_auth_cert(chain.certificates()?, key.key()?).map_err(|error| {
            TlsError::ClientCertificate {
                chain: chain.origin.clone(),
                key: key.origin.clone(),
                reason: error.to_string(),
            }
        })
    }
}

impl Text {
    fn read(source: &Source, name: &str) -> Result<Self, TlsError> {
        match source {
            Source::Text(pem) => Ok(Self { origin: name.to_owned(), pem: pem.clone() }),
            Source::File(path) => Self::of_file(path),
        }
    }

    /// What a file has.
    pub(crate) fn of_file(path: &Path) -> Result<Self, TlsError> {
        let failed = |source| TlsError::Read { path: path.to_owned(), source };
        let pem = read_file(path).map_err(failed)?;
        Ok(Self { origin: path.display().to_string(), pem })
    }

    /// As it is.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.pem
    }

    /// The certificates as trust roots. One that cannot be a root is an error: left out, it would
    /// be missed only when a server shows up with it.
    pub(crate) fn as_roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        for (index, certificate) in self.certificates()?.into_iter().enumerate() {
            roots.add(certificate).map_err(|error| TlsError::Root {
                origin: self.origin.clone(),
                number: index + 1,
                reason: error.to_string(),
            })?;
        }
        Ok(roots)
    }

    /// All certificates; at least one. Other sections are skipped.
    pub(crate) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.pem).collect();
        let found = found.map_err(|error| self.no_pem(&error))?;
        if found.is_empty() {
            return Err(TlsError::NoCertificate { origin: self.origin.clone() });
        }
        Ok(found)
    }

    /// The first private key. Other sections are skipped.
    pub(crate) fn key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        if self.pem.windows(ENCRYPTED.len()).any(|piece| piece == ENCRYPTED) {
            return Err(TlsError::EncryptedKey { origin: self.origin.clone() });
        }
        PrivateKeyDer::from_pem_slice(&self.pem).map_err(|error| match error {
            PemError::NoItemsFound => TlsError::NoKey { origin: self.origin.clone() },
            error => self.no_pem(&error),
        })
    }

    /// Some of these errors carry a line, which may be one of a private key: not shown.
    fn no_pem(&self, error: &PemError) -> TlsError {
        let reason = match error {
            PemError::MissingSectionEnd { .. } => "a section has no `-----END …-----` line",
            PemError::IllegalSectionStart { .. } => "a `-----BEGIN …-----` line is damaged",
            PemError::Base64Decode(_) => "a section has something in it that is no Base64",
            _ => "it cannot be read",
        };
        TlsError::Pem { origin: self.origin.clone(), reason: reason.to_owned() }
    }
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut pem = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut pem)?;
    if u64::try_from(pem.len()).is_ok_and(|size| size > MAX_FILE) {
        let text = format!("it has more than {MAX_FILE} bytes, which no certificates have");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    Ok(pem)
}

pub(crate) fn versions(versions: TlsVersions) -> &'static [&'static SupportedProtocolVersion] {
    match versions {
        TlsVersions::Both => BOTH,
        TlsVersions::Tls12 => TLS12,
        TlsVersions::Tls13 => TLS13,
    }
}

static BOTH: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];
static TLS12: &[&SupportedProtocolVersion] = &[&version::TLS12];
static TLS13: &[&SupportedProtocolVersion] = &[&version::TLS13];
const ENCRYPTED: &[u8] = b"ENCRYPTED";
const MAX_FILE: u64 = 4 * 1024 * 1024;
