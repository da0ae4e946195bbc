//! What one endpoint's TLS connections need besides the usual: a client certificate, and authorities of its own.
//!
//! Read from PEM by the command line, which refuses what cannot be used, and by delivery. [`crate::client`] opens connections of
//! their own with it, so that no other endpoint is ever shown the certificate.

use std::fmt;

use postrider_core::auth::TlsIdentity;
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// An endpoint's TLS identity, ready for connections.
pub struct EndpointTls {
    /// The chain and its key.
    client: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    roots: Option<RootCertStore>,
    fingerprint: [u8; 32],
}

/// Why a certificate, key or authority cannot be used. Repeats nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    #[error("the client certificate is no PEM certificate")]
    Certificate,
    #[error("the client key is no PEM private key that can sign")]
    Key,
    #[error("the client key does not belong to the client certificate")]
    Mismatch,
    #[error("the authorities are no PEM certificates")]
    Authorities,
}

impl EndpointTls {
    /// Reads the PEM texts.
    ///
    /// # Errors
    /// When one of them cannot be used, or certificate and key do not belong together.
    pub fn new(identity: &TlsIdentity) -> Result<Self, IdentityError> {
        let client = match (&identity.certificate, &identity.key) {
            (Some(certificate), Some(key)) => Some(client(certificate, key)?),
            _ => None,
        };
        let roots = identity.ca.as_deref().map(authorities).transpose()?;
        Ok(Self { client, roots, fingerprint: identity.fingerprint() })
    }

    /// Tells apart what must not share connections.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// The authorities that are believed, if not the usual ones.
    pub(crate) fn roots(&self) -> Option<&RootCertStore> {
        self.roots.as_ref()
    }

    /// The certificate chain and its key.
    pub(crate) fn client(&self) -> Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        self.client.as_ref().map(|(chain, key)| (chain.clone(), key.clone_key()))
    }
}

/// Shows what there is, and nothing of it.
impl fmt::Debug for EndpointTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointTls")
            .field("client", &self.client.is_some())
            .field("roots", &self.roots.is_some())
            .finish_non_exhaustive()
    }
}

fn client(
    certificate: &str,
    key: &str,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), IdentityError> {
    let chain = certificates(certificate).ok_or(IdentityError::Certificate)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| IdentityError::Key)?;
    let pair = CertifiedKey::from_der(chain.clone(), key.clone_key(), &default_provider());
    match pair {
        Ok(_) => Ok((chain, key)),
        Err(rustls::Error::InconsistentKeys(_)) => Err(IdentityError::Mismatch),
        Err(rustls::Error::InvalidCertificate(_)) => Err(IdentityError::Certificate),
        Err(_) => Err(IdentityError::Key),
    }
}

fn authorities(pem: &str) -> Result<RootCertStore, IdentityError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem).ok_or(IdentityError::Authorities)? {
        roots.add(certificate).map_err(|_| IdentityError::Authorities)?;
    }
    Ok(roots)
}

/// The certificates of a PEM text; none if it holds none, or something that is none.
fn certificates(pem: &str) -> Option<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    found.ok().filter(|certificates| !certificates.is_empty())
}
