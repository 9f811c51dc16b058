//! Who may be at the other end.
//!
//! The chain up to a root, the times, the purposes and the signature over the handshake are rustls's own. The name is Apache's way
//! (`ZKTrustManager`): the address of the other end, or the name that it was reached by. Of one that connects only the address is known, and Apache may
//! ask who has it. Here a certificate that stands for the host of any member will do: the members are known, and a name server does
//! not decide who may be one.

use crate::client::tls::ChainOnly;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use std::net::IpAddr;
use std::sync::Arc;

/// Judges a member that was connected to.
#[derive(Debug)]
pub(super) struct Outgoing {
    chain: ChainOnly,
    /// Its address; nothing if names do not matter.
    remote: Option<IpAddr>,
}

impl Outgoing {
    pub(super) fn new(
        roots: Arc<RootCertStore>,
        provider: &CryptoProvider,
        remote: Option<IpAddr>,
    ) -> Self {
        Self { chain: ChainOnly::new(roots, provider), remote }
    }
}

impl ServerCertVerifier for Outgoing {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.chain.verify_server_cert(end_entity, intermediates, name, ocsp_response, now)?;
        if let Some(remote) = self.remote {
            let certificate = ParsedCertificate::try_from(end_entity)?;
            verify_server_name(&certificate, name).or_else(|error| {
                verify_server_name(&certificate, &remote.into()).map_err(|_| error)
            })?;
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// Judges a member that has connected.
#[derive(Debug)]
pub(super) struct Incoming {
    chain: Arc<dyn ClientCertVerifier>,
    /// Where it connects from, and the hosts of all members; nothing if names do not matter.
    places: Option<(IpAddr, Arc<[ServerName<'static>]>)>,
}

impl Incoming {
    pub(super) fn new(
        chain: Arc<dyn ClientCertVerifier>,
        places: Option<(IpAddr, Arc<[ServerName<'static>]>)>,
    ) -> Self {
        Self { chain, places }
    }
}

impl ClientCertVerifier for Incoming {
    fn offer_client_auth(&self) -> bool {
        self.chain.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.chain.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(end_entity, intermediates, now)?;
        if let Some((remote, hosts)) = &self.places {
            let certificate = ParsedCertificate::try_from(end_entity)?;
            let is_for = |name: &ServerName<'_>| verify_server_name(&certificate, name).is_ok();
            if !hosts.iter().any(is_for) {
                verify_server_name(&certificate, &(*remote).into())?;
            }
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
