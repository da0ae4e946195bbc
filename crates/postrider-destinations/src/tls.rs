//! What we believe about a receiver's certificate, and what we offer it.
//!
//! Reads the system's certificate store once, or the compiled-in list where there is none, and a further file if the
//! operator names one. [`crate::connector`] uses the result for every https connection.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::{ClientConfig, RootCertStore};

use crate::certificate::Verifier;
use crate::identity::EndpointTls;

/// Why TLS could not be set up. All of these are mistakes of installation, found at start.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file of further certificate authorities cannot be read or is not PEM.
    #[error("read the certificate authorities in {}", path.display())]
    CaFile {
        /// The file as it was configured.
        path: PathBuf,
        /// What went wrong with it.
        #[source]
        source: pem::Error,
    },
    /// The file holds no certificate at all.
    #[error("{} holds no certificate", path.display())]
    CaFileEmpty {
        /// The file as it was configured.
        path: PathBuf,
    },
    /// A certificate in the file cannot be used as an authority.
    #[error("use a certificate authority from {}", path.display())]
    CaFileCertificate {
        /// The file as it was configured.
        path: PathBuf,
        /// What rustls says about it.
        #[source]
        source: rustls::Error,
    },
    /// The cryptography that was compiled in supports no protocol version.
    #[error("set up the TLS provider")]
    Provider(#[source] rustls::Error),
}

/// The authorities that are believed. `ca_file` adds some to the usual ones and replaces none.
pub(crate) fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = usual_roots();
    if let Some(path) = ca_file {
        add_file(&mut roots, path)?;
    }
    Ok(roots)
}

/// TLS 1.2 and 1.3, HTTP/2 preferred over HTTP/1.1. An endpoint's identity shows its certificate, and may believe authorities of
/// its own instead of these.
pub(crate) fn client_config(
    roots: &RootCertStore,
    identity: Option<&EndpointTls>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let roots = identity.and_then(EndpointTls::roots).unwrap_or(roots).clone();
    // Named here and not installed as the process's default, so that no other library in the binary can change it.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Provider)?;
    let builder = match Verifier::new(roots.clone(), provider) {
        // Not dangerous: it refuses whatever rustls' own verifier refuses.
        Some(verifier) => builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)),
        None => builder.with_root_certificates(roots),
    };
    let mut config = match identity.and_then(EndpointTls::client) {
        Some((chain, key)) => {
            builder.with_client_auth_cert(chain, key).map_err(TlsError::Provider)?
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The system's authorities, or Mozilla's list as of the build where the system has none (a scratch image).
fn usual_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::warn!(%error, "could not read a part of the system's certificate store");
    }
    // A store may hold a few certificates that are too old or odd to be an authority; the others still count.
    let (usable, unusable) = roots.add_parsable_certificates(native.certs);
    tracing::debug!(usable, unusable, "loaded the system's certificate authorities");
    if roots.is_empty() {
        tracing::warn!("the system has no certificate authorities; using those compiled in");
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), TlsError> {
    let unreadable = |source| TlsError::CaFile { path: path.to_owned(), source };
    let mut found = false;
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        let certificate = certificate.map_err(unreadable)?;
        roots
            .add(certificate)
            .map_err(|source| TlsError::CaFileCertificate { path: path.to_owned(), source })?;
        found = true;
    }
    if found { Ok(()) } else { Err(TlsError::CaFileEmpty { path: path.to_owned() }) }
}
