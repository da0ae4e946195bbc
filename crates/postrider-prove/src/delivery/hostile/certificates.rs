//! Certificates for `localhost`: one that is believed, and those that must not be.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

/// A certificate authority.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new(name: &str) -> anyhow::Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    /// What makes a client believe it.
    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A server that shows a certificate for this name, long expired or not.
    pub(super) fn acceptor(&self, name: &str, expired: bool) -> anyhow::Result<TlsAcceptor> {
        self.speaking(name, expired, &[])
    }

    /// One that speaks HTTP/2 and nothing else.
    pub(super) fn http2(&self, name: &str) -> anyhow::Result<TlsAcceptor> {
        self.speaking(name, false, &[b"h2"])
    }

    fn speaking(&self, name: &str, expired: bool, alpn: &[&[u8]]) -> anyhow::Result<TlsAcceptor> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        if expired {
            params.not_before = rcgen::date_time_ymd(2001, 1, 1);
            params.not_after = rcgen::date_time_ymd(2002, 1, 1);
        }
        showing(&params.signed_by(&key, &self.0)?, &key, alpn)
    }
}

/// A server whose certificate nobody but itself signed.
pub(super) fn self_signed(name: &str) -> anyhow::Result<TlsAcceptor> {
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec![name.to_owned()])?.self_signed(&key)?;
    showing(&certificate, &key, &[])
}

fn showing(
    certificate: &Certificate,
    key: &KeyPair,
    alpn: &[&[u8]],
) -> anyhow::Result<TlsAcceptor> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(TlsAcceptor::from(Arc::new(config)))
}
