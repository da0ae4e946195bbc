//! Tokens by OAuth2 client credentials, against a token server and a receiver on real sockets.

use std::sync::Arc;
use std::time::Duration;

use postrider_core::address::AddressPolicy;
use postrider_core::auth::{Auth, OAuth2};
use postrider_core::headers::CustomHeaders;
use postrider_core::status::ErrorClass;
use postrider_core::url::{EndpointUrl, UrlPolicy};
use postrider_destinations::{Capture, Client, EndpointTarget, TokenSource};
use serde_json::json;

use crate::support::sink::Sink;
use crate::support::{ATTEMPT, loopback, request};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
/// Lives for a second, and is renewed after a fifth of it.
const SHORT: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-length: 38\r\n\r\n{\"access_token\":\"abc\",\"expires_in\":1}  ";
const REFUSED: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 6\r\n\r\ncanary";

fn source(token_url: &str) -> TokenSource {
    let text = json!({ "type": "oauth2", "token_url": token_url, "client_id": "id", "client_secret": "canary" });
    let auth = Auth::parse_json(&text.to_string()).unwrap();
    let Auth::OAuth2(oauth) = &auth else { panic!("it is") };
    let oauth: OAuth2 = oauth.clone();
    let policy = UrlPolicy { allow_http: true, addresses: &AddressPolicy::with_loopback() };
    let url = EndpointUrl::parse(token_url, policy).unwrap();
    let none = CustomHeaders::default();
    TokenSource::new(oauth, &EndpointTarget::new(&url, &none, Capture::Failures).unwrap())
}

#[tokio::test]
async fn a_token_is_asked_for_once_by_many_and_renewed_before_its_end() {
    let (tokens, receiver) = (Sink::answering(SHORT).await, Sink::answering(OK).await);
    let client = Arc::new(Client::new(loopback()).unwrap());
    let source = source(&tokens.url());
    let send = || source.send(&client, request(&receiver.url(), "{}"), ATTEMPT);
    let (a, b, c, d) = tokio::join!(send(), send(), send(), send());
    assert!([a, b, c, d].iter().all(|answer| answer.status == Some(200)));
    assert_eq!(tokens.requests().len(), 1);
    // Its fifth of a second has passed, its second has not.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(send().await.status, Some(200));
    assert_eq!(tokens.requests().len(), 2);
    assert!(receiver.requests().iter().all(|text| text.contains("authorization: Bearer abc\r\n")));
}

#[tokio::test]
async fn a_token_server_that_refuses_fails_the_attempt_and_is_repeated_nowhere() {
    let (tokens, receiver) = (Sink::answering(REFUSED).await, Sink::answering(OK).await);
    let client = Client::new(loopback()).unwrap();
    let source = source(&tokens.url());
    for _ in 0..2 {
        let answer = source.send(&client, request(&receiver.url(), "{}"), ATTEMPT).await;
        assert_eq!((answer.error, answer.detail), (Some(ErrorClass::Auth), Some("oauth_token")));
        assert!(answer.body.is_empty() && answer.headers.is_empty());
    }
    assert_eq!(tokens.requests().len(), 1, "left in peace for a second");
    assert!(receiver.requests().is_empty(), "nothing is sent without a login");
    assert!(!format!("{source:?}").contains("canary"));
}

#[tokio::test]
async fn a_token_server_at_a_forbidden_address_is_never_asked() {
    let tokens = Sink::answering(SHORT).await;
    let client = Client::new(Default::default()).unwrap();
    let answer =
        source(&tokens.url()).send(&client, request("https://example.com/", "{}"), ATTEMPT).await;
    assert_eq!((answer.error, answer.detail), (Some(ErrorClass::BlockedAddress), Some("loopback")));
    assert_eq!(tokens.connections(), 0);
}
