//! Tokens by OAuth2 client credentials, against a token server and a receiver on real sockets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
/// Lives for five.
const FIVE: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-length: 38\r\n\r\n{\"access_token\":\"abc\",\"expires_in\":5}  ";
const UNAUTHORIZED: &[u8] = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";
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
    let mut details = Vec::new();
    for _ in 0..2 {
        let answer = source.send(&client, request(&receiver.url(), "{}"), ATTEMPT).await;
        details.push(answer.detail);
        assert_eq!(answer.error, Some(ErrorClass::Auth));
        assert!(answer.body.is_empty() && answer.headers.is_empty());
    }
    assert_eq!(details, [Some("oauth_token"), Some("oauth_token_paused")]);
    assert_eq!(tokens.requests().len(), 1, "left in peace for a second");
    assert!(receiver.requests().is_empty(), "nothing is sent without a login");
    assert!(!format!("{source:?}").contains("canary"));
}

/// A token of five seconds, and from then on `after`, or silence.
async fn once(after: Option<&'static [u8]>) -> Sink {
    let first = AtomicBool::new(true);
    let first = Arc::new(first);
    Sink::start(move |mut conversation| {
        let first = Arc::clone(&first);
        async move {
            while conversation.request().await.is_some() {
                match first.swap(false, Ordering::SeqCst).then_some(FIVE).or(after) {
                    Some(answer) => conversation.say(answer).await,
                    None => std::future::pending().await,
                };
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_token_is_used_until_its_end_however_its_renewal_goes() {
    for after in [Some(REFUSED), None] {
        let (tokens, receiver) = (once(after).await, Sink::answering(OK).await);
        let client = Client::new(loopback()).unwrap();
        let source = source(&tokens.url());
        let send = || source.send(&client, request(&receiver.url(), "{}"), ATTEMPT);
        assert_eq!(send().await.status, Some(200));
        // Four fifths of it are left when its server has stopped giving any.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        for _ in 0..5 {
            let answer = send().await;
            assert_eq!((answer.status, answer.error), (Some(200), None), "{after:?}");
            assert!(answer.duration < ATTEMPT / 2, "{:?}", answer.duration);
        }
        assert_eq!(tokens.requests().len(), 2, "asked once more, and then left in peace");
        tokio::time::sleep(Duration::from_secs(4)).await;
        let ended = send().await;
        assert_eq!((ended.status, ended.error.is_some()), (None, true));
    }
}

#[tokio::test]
async fn a_token_that_is_refused_is_not_used_although_no_other_is_given() {
    let (tokens, receiver) = (once(Some(REFUSED)).await, Sink::answering(UNAUTHORIZED).await);
    let client = Client::new(loopback()).unwrap();
    let answer = source(&tokens.url()).send(&client, request(&receiver.url(), "{}"), ATTEMPT).await;
    assert_eq!((answer.error, answer.detail), (Some(ErrorClass::Auth), Some("oauth_token")));
    assert_eq!((receiver.requests().len(), tokens.requests().len()), (1, 2));
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
