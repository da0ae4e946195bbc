//! An endpoint's own TLS identity: the certificate that we show it, and the authorities that it is believed by.

use std::sync::Arc;

use postrider_core::auth::TlsIdentity;
use postrider_core::status::ErrorClass;
use postrider_destinations::{Client, EndpointTls, IdentityError, OutgoingRequest};

use crate::support::authority::Authority;
use crate::support::name_server::NameServer;
use crate::support::{ATTEMPT, asking, request};
use crate::tls::answering;

fn identity(certificate: Option<&(String, String)>, ca: Option<String>) -> TlsIdentity {
    TlsIdentity {
        certificate: certificate.map(|(certificate, _)| certificate.clone()),
        key: certificate.map(|(_, key)| key.clone()),
        ca,
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_its_endpoint_alone_and_its_authority_believed_there_alone()
 {
    let (servers, clients) = (Authority::new(), Authority::new());
    let sink = answering(servers.demanding("h.test", &clients)).await;
    let names = NameServer::pointing_to([127, 0, 0, 1].into()).await;
    let client = Client::new(asking(names.address)).unwrap();
    let url = format!("https://h.test:{}/hook", sink.address.port());
    let certificate = clients.client("us");
    let send = async |identity: Option<TlsIdentity>| {
        let tls = identity.map(|identity| Arc::new(EndpointTls::new(&identity).unwrap()));
        client.send(OutgoingRequest { tls, ..request(&url, "{}") }, ATTEMPT).await
    };
    let both = send(Some(identity(Some(&certificate), Some(servers.pem())))).await;
    assert_eq!(both.status, Some(200), "{both:?}");
    let usual = send(None).await;
    assert_eq!(usual.error, Some(ErrorClass::TlsUnknownIssuer), "{usual:?}");
    let believed = send(Some(identity(None, Some(servers.pem())))).await;
    assert_eq!(believed.status, None, "without a certificate it is not let in: {believed:?}");
    let unbelieved = send(Some(identity(Some(&certificate), None))).await;
    assert_eq!(unbelieved.error, Some(ErrorClass::TlsUnknownIssuer), "{unbelieved:?}");
}

#[test]
fn what_cannot_be_used_is_refused_without_being_repeated() {
    let authority = Authority::new();
    let (one, other) = (authority.client("one"), authority.client("other"));
    let refused = |identity: &TlsIdentity| EndpointTls::new(identity).unwrap_err();
    let crossed = (one.0.clone(), other.1);
    assert_eq!(refused(&identity(Some(&crossed), None)), IdentityError::Mismatch);
    let no_key = (one.0.clone(), "canary".to_owned());
    assert_eq!(refused(&identity(Some(&no_key), None)), IdentityError::Key);
    let no_certificate = ("canary".to_owned(), one.1.clone());
    assert_eq!(refused(&identity(Some(&no_certificate), None)), IdentityError::Certificate);
    assert_eq!(refused(&identity(None, Some("canary".to_owned()))), IdentityError::Authorities);
    let good = EndpointTls::new(&identity(Some(&one), Some(authority.pem()))).unwrap();
    assert_eq!(format!("{good:?}"), "EndpointTls { client: true, roots: true, .. }");
}
