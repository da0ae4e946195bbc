//! Both ways against the `standardwebhooks` crate: it verifies what we sign, and we verify what it signs.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use postrider_core::signing::{Secret, Signer, VerifyError, verify};
use proptest::prelude::*;
use standardwebhooks::Webhook;

const TOLERANCE: Duration = Duration::from_secs(300);

fn headers(id: &str, timestamp: i64, signature: &str) -> HeaderMap {
    let value = |text: &str| HeaderValue::from_str(text).expect("a header value");
    HeaderMap::from_iter([
        (http::HeaderName::from_static("webhook-id"), value(id)),
        (http::HeaderName::from_static("webhook-timestamp"), value(&timestamp.to_string())),
        (http::HeaderName::from_static("webhook-signature"), value(signature)),
    ])
}

#[expect(clippy::disallowed_methods, reason = "the published crate compares with this clock")]
fn now() -> Timestamp {
    Timestamp::now()
}

proptest! {
    #[test]
    fn the_published_crate_and_ours_accept_each_other(
        key in prop::collection::vec(any::<u8>(), 24..=64),
        other in prop::collection::vec(any::<u8>(), 24..=64),
        id in "[A-Za-z0-9_-]{1,64}",
        offset in -200_i64..=200,
        body: String,
    ) {
        let now = now();
        let timestamp = now.as_second() + offset;
        let secret = Secret::from_bytes(&key).expect("a length within bounds");
        let theirs = Webhook::new(&secret.expose()).expect("the same text");
        let ours = Signer::new(std::slice::from_ref(&secret)).sign(&id, timestamp, body.as_bytes());
        prop_assert_eq!(&ours, &theirs.sign(&id, timestamp, body.as_bytes()).expect("signs"));
        prop_assert!(
            theirs.verify(body.as_bytes(), &headers(&id, timestamp, &ours)).is_ok()
        );

        // While two secrets overlap, a receiver with either accepts.
        let other = Secret::from_bytes(&other).expect("a length within bounds");
        let both = Signer::new(&[other.clone(), secret.clone()]).sign(&id, timestamp, body.as_bytes());
        let headers = headers(&id, timestamp, &both);
        for secret in [&secret, &other] {
            let receiver = Webhook::new(&secret.expose()).expect("the same text");
            prop_assert!(receiver.verify(body.as_bytes(), &headers).is_ok());
        }

        let text = timestamp.to_string();
        let signed = theirs.sign(&id, timestamp, body.as_bytes()).expect("signs");
        let check = |secrets: &[Secret], body: &[u8]| {
            verify(secrets, &id, &text, &signed, body, now, TOLERANCE)
        };
        prop_assert_eq!(check(std::slice::from_ref(&secret), body.as_bytes()), Ok(()));
        prop_assert_eq!(check(&[other, secret.clone()], body.as_bytes()), Ok(()));
        let changed = format!("{body} ");
        prop_assert_eq!(check(&[secret], changed.as_bytes()), Err(VerifyError::Mismatch));
    }
}
