use postrider_core::address::AddressPolicy;
use postrider_core::signing::{Profile, Secret, SecretKind, SigningSecret};
use postrider_core::url::UrlPolicy;

use super::*;

fn target(url: &str, custom: &[(&str, &str)]) -> EndpointTarget {
    let policy = UrlPolicy { allow_http: true, addresses: &AddressPolicy::with_loopback() };
    let url = EndpointUrl::parse(url, policy).unwrap();
    EndpointTarget::new(&url, &CustomHeaders::parse(custom).unwrap(), Capture::Failures).unwrap()
}

fn webhook<'a>(event_id: &'a str, traceparent: Option<&'a str>) -> Webhook<'a> {
    Webhook {
        event_id,
        timestamp: 1_700_000_000,
        attempt: 3,
        traceparent,
        envelope: Bytes::from_static(b"{}"),
    }
}

fn text<'a>(request: &'a OutgoingRequest, name: &str) -> &'a str {
    request.headers[name].to_str().unwrap()
}

#[test]
fn a_request_carries_the_standard_headers_and_its_signature() {
    let secret = Secret::generate(&[7; 32]);
    let signer = Signer::new(&[secret]);
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let target = target("https://h.test/hook?a=1", &[("X-Team", "blue")]);
    let request = webhook_request(&target, &signer, webhook("evt_1", Some(trace))).unwrap();

    assert_eq!(request.uri, "https://h.test/hook?a=1");
    assert_eq!(request.headers.len(), 7);
    for (name, expected) in [
        ("x-team", "blue"),
        ("content-type", "application/json"),
        ("webhook-id", "evt_1"),
        ("webhook-timestamp", "1700000000"),
        ("webhook-attempt", "3"),
        ("traceparent", trace),
    ] {
        assert_eq!(text(&request, name), expected, "{name}");
    }
    assert_eq!(text(&request, "webhook-signature"), signer.sign("evt_1", 1_700_000_000, b"{}"));
}

#[test]
fn a_trace_that_is_no_header_is_left_out_and_an_id_that_is_none_is_refused() {
    let signer = Signer::new(&[Secret::generate(&[7; 32])]);
    let target = target("https://h.test/", &[]);
    let request = webhook_request(&target, &signer, webhook("evt_1", Some("a\r\nb"))).unwrap();
    assert!(!request.headers.contains_key("traceparent"));
    let refused = webhook_request(&target, &signer, webhook("evt_1\r\nx: y", None));
    assert_eq!(refused.map(|_| ()), Err(ErrorClass::Internal));
}

#[test]
fn a_profiles_header_replaces_an_own_one_of_that_name() {
    let secret =
        SigningSecret::parse(SecretKind::Standard, "whsec_bm90IGEgcmVhbCBzZWNyZXQgYXQgYWxs")
            .unwrap();
    let profiles = [Profile::parse("shared-secret=X-Token").unwrap()];
    let signer = Signer::with_profiles(&[secret], &profiles);
    let target = target("https://h.test/", &[("x-token", "old"), ("x-other", "kept")]);
    let request = webhook_request(&target, &signer, webhook("evt_1", None)).unwrap();
    let sent: Vec<_> = request.headers.get_all("x-token").iter().collect();
    assert_eq!(sent, ["whsec_bm90IGEgcmVhbCBzZWNyZXQgYXQgYWxs"]);
    assert_eq!(text(&request, "x-other"), "kept");
}

#[test]
fn every_accepted_url_means_the_same_to_the_http_library() {
    for url in [
        "https://h.test",
        "https://H.TEST:443/a/../b",
        "https://h.test:8443/?q=[1]",
        "https://[2606:4700::1111]:8443/x",
        "http://127.0.0.1:8080/hook",
        "https://h_h.test/%41;a=b,c!$&'()*+~",
        "https://h.test?a=b",
    ] {
        let target = target(url, &[]);
        assert!(target.uri.host().is_some(), "{url}");
    }
}

#[test]
fn debug_shows_no_path_and_no_header() {
    let target = target("https://h.test/hook/canary?token=canary", &[("authorization", "canary")]);
    let signer = Signer::new(&[Secret::generate(&[7; 32])]);
    let request = webhook_request(&target, &signer, webhook("evt_canary", None)).unwrap();
    let text = format!("{target:?} {request:?}");
    assert!(text.contains("h.test") && !text.contains("canary"), "{text}");
}
