//! Certificates are verified, always, and before a byte of the request leaves.

use postrider_core::status::ErrorClass;
use postrider_destinations::{Client, ClientConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::support::authority::{self, Authority};
use crate::support::name_server::NameServer;
use crate::support::sink::Sink;
use crate::support::{asking, loopback, post};

/// A TLS 1.1 server's first words: version 3.2, no session, an old cipher suite.
pub(crate) const TLS_1_1_SERVER_HELLO: &[u8] = b"\x16\x03\x02\x00\x2a\x02\x00\x00\x26\x03\x02\
    01234567890123456789012345678901\x00\x00\x2f\x00";

/// A receiver whose handshake must fail; notes down whatever arrives if it does not.
pub(crate) async fn handshake_only(acceptor: TlsAcceptor) -> Sink {
    Sink::start(move |mut conversation| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut tls) = acceptor.accept(&mut conversation.socket).await else { return };
            let mut byte = [0];
            if matches!(tls.read(&mut byte).await, Ok(1)) {
                conversation.note("a byte of the request");
            }
        }
    })
    .await
}

pub(crate) async fn answering(acceptor: TlsAcceptor) -> Sink {
    Sink::start(move |conversation| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut tls) = acceptor.accept(conversation.socket).await else { return };
            let mut request = vec![0; 4096];
            let read = tls.read(&mut request).await.unwrap();
            assert!(request[..read].starts_with(b"POST /hook HTTP/1.1\r\n"));
            tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            tls.shutdown().await.unwrap();
        }
    })
    .await
}

#[tokio::test]
async fn a_certificate_of_the_ca_file_is_believed() {
    let authority = Authority::new();
    let sink = answering(authority.acceptor("h.test", &["http/1.1"])).await;
    let name_server = NameServer::pointing_to([127, 0, 0, 1].into()).await;
    let url = format!("https://h.test:{}/hook", sink.address.port());

    let ca_file = authority.file();
    let config =
        ClientConfig { ca_file: Some(ca_file.path().to_owned()), ..asking(name_server.address) };
    let answer = post(&Client::new(config).unwrap(), &url).await;
    assert_eq!((answer.status, answer.error), (Some(200), None));

    let answer = post(&Client::new(asking(name_server.address)).unwrap(), &url).await;
    assert_eq!(
        (answer.status, answer.error),
        (None, Some(ErrorClass::TlsUnknownIssuer)),
        "without the file nobody is believed"
    );
}

#[tokio::test]
async fn a_literal_address_needs_a_certificate_for_that_address() {
    let authority = Authority::new();
    let ca_file = authority.file();
    let config = ClientConfig { ca_file: Some(ca_file.path().to_owned()), ..loopback() };
    let client = Client::new(config).unwrap();

    let right = answering(authority.acceptor("127.0.0.1", &[])).await;
    assert_eq!(post(&client, &format!("https://{}/hook", right.address)).await.status, Some(200));

    let wrong = handshake_only(authority.acceptor("h.test", &[])).await;
    let answer = post(&client, &format!("https://{}/hook", wrong.address)).await;
    assert_eq!(answer.error, Some(ErrorClass::TlsWrongName));
    assert_eq!(wrong.requests(), [""; 0]);
}

/// A receiver that says these bytes to whatever arrives.
async fn saying(bytes: &'static [u8]) -> Sink {
    Sink::start(move |mut conversation| async move {
        let mut hello = vec![0; 4096];
        if conversation.socket.read(&mut hello).await.is_ok() {
            conversation.say(bytes).await;
            // Closed only when the client has: a reset would hide what was said.
            while matches!(conversation.socket.read(&mut hello).await, Ok(1..)) {}
        }
    })
    .await
}

#[tokio::test]
async fn every_failure_of_tls_has_a_class_of_its_own() {
    /// A server's alert: fatal, no common protocol version.
    const NO_COMMON_VERSION: &[u8] = b"\x15\x03\x01\x00\x02\x02\x46";
    let authority = Authority::new();
    let name_server = NameServer::pointing_to([127, 0, 0, 1].into()).await;
    let ca_file = authority.file();
    let config =
        ClientConfig { ca_file: Some(ca_file.path().to_owned()), ..asking(name_server.address) };
    let client = Client::new(config).unwrap();
    for (kind, sink, expected) in [
        ("expired", handshake_only(authority.expired("h.test")).await, ErrorClass::TlsExpired),
        (
            "another name",
            handshake_only(authority.acceptor("x.test", &[])).await,
            ErrorClass::TlsWrongName,
        ),
        (
            "self-signed",
            handshake_only(authority::self_signed("h.test", false)).await,
            ErrorClass::TlsSelfSigned,
        ),
        (
            "self-signed authority",
            handshake_only(authority::self_signed("h.test", true)).await,
            ErrorClass::TlsSelfSigned,
        ),
        (
            "unknown authority",
            handshake_only(Authority::new().acceptor("h.test", &[])).await,
            ErrorClass::TlsUnknownIssuer,
        ),
        ("TLS 1.1", saying(TLS_1_1_SERVER_HELLO).await, ErrorClass::TlsVersion),
        ("an alert", saying(NO_COMMON_VERSION).await, ErrorClass::TlsVersion),
        ("not TLS", saying(b"220 mail.example ESMTP ready\r\n").await, ErrorClass::TlsInvalid),
        (
            "a closed connection",
            Sink::start(|talk| async move { drop(talk) }).await,
            ErrorClass::Reset,
        ),
    ] {
        let url = format!("https://h.test:{}/hook", sink.address.port());
        let answer = post(&client, &url).await;
        assert_eq!((answer.status, answer.error), (None, Some(expected)), "{kind}");
        assert_eq!(sink.requests(), [""; 0], "{kind}: something was sent");
    }
}

#[test]
fn a_ca_file_without_certificates_is_a_mistake_that_names_the_file() {
    let empty = tempfile::NamedTempFile::new().unwrap();
    for path in [empty.path().to_owned(), "/nonexistent/ca.pem".into()] {
        let config = ClientConfig { ca_file: Some(path.clone()), ..ClientConfig::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let error = runtime.block_on(async { Client::new(config).err().unwrap() });
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        assert!(text.contains(path.to_str().unwrap()), "{text}");
    }
}
