//! Verifies a receiver's certificate as rustls does, and finds out one thing more: whether it vouches for itself, which is a
//! mistake of its owner's that deserves a name of its own. [`crate::tls`] hands it to rustls; [`crate::classify`] reads it.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};

use crate::classify::SelfSigned;

/// rustls' own verifier; only its refusals are looked at again.
#[derive(Debug)]
pub(crate) struct Verifier(Arc<WebPkiServerVerifier>);

impl Verifier {
    /// Believes these authorities. `None` if there are none, or the provider can verify nothing.
    pub(crate) fn new(roots: RootCertStore, provider: Arc<CryptoProvider>) -> Option<Self> {
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .ok()
            .map(Self)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.0
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .map_err(|refusal| named(refusal, end_entity))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// A refusal stays one; that nobody vouches for the certificate is said more exactly. (`Other`: an authority's own certificate
/// that is used as a receiver's, as `openssl req -x509` makes them. `BadSignature`: it bears the name of one that is believed.)
fn named(refusal: Error, certificate: &CertificateDer<'_>) -> Error {
    use CertificateError::{BadSignature, Other, UnknownIssuer};
    match refusal {
        Error::InvalidCertificate(UnknownIssuer | BadSignature | Other(_))
            if vouches_for_itself(certificate) =>
        {
            Error::InvalidCertificate(Other(OtherError(Arc::new(SelfSigned))))
        }
        refusal => refusal,
    }
}

fn vouches_for_itself(certificate: &CertificateDer<'_>) -> bool {
    webpki::EndEntityCert::try_from(certificate)
        .is_ok_and(|certificate| certificate.issuer() == certificate.subject())
}
