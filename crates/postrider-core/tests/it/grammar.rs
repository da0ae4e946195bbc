//! The URL grammar against the parser that will read the same text when a request is made.

use http::Uri;
use postrider_core::address::AddressPolicy;
use postrider_core::url::{EndpointUrl, UrlPolicy};
use proptest::prelude::*;

fn parse(text: &str) -> Option<EndpointUrl> {
    let addresses = AddressPolicy::with_loopback();
    EndpointUrl::parse(text, UrlPolicy { allow_http: true, addresses: &addresses }).ok()
}

/// Pieces that parsers trip over, strung together at random.
fn hostile_url() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "example.com",
        "EXAMPLE",
        ".",
        "..",
        "/",
        "//",
        "?",
        "#",
        "@",
        ":",
        "[",
        "]",
        "%",
        "%41",
        "%zz",
        "\\",
        "a",
        "-",
        "_",
        "0x7f",
        "127.0.0.1",
        "8.8.8.8",
        "017",
        "1",
        "[2606:4700::1]",
        "[::1]",
        "[::ffff:8.8.8.8]",
        ":443",
        ":80",
        ":8080",
        ":65535",
        ":65536",
        ":0",
        "localhost",
        "x=1",
        "&",
        "=",
        "+",
        "~",
        "!",
        "$",
        "'",
        "(",
        ")",
        "*",
        ",",
        ";",
        "|",
        "{",
        " ",
        "\t",
        "\n",
        "é",
        "ｅ",
        "。",
    ]);
    let scheme =
        prop::sample::select(vec!["https://", "http://", "HTTPS://", "https:/", "ftp://", ""]);
    (scheme, prop::collection::vec(piece, 0..7))
        .prop_map(|(scheme, pieces)| scheme.to_owned() + &pieces.concat())
}

/// URLs that are mostly acceptable, so that acceptance is tried too and not only refusal.
fn plausible_url() -> impl Strategy<Value = String> {
    "https?://[a-zA-Z0-9_-]{1,9}(\\.[a-zA-Z0-9_-]{1,9}){0,3}(:[0-9]{1,5})?(/[a-zA-Z0-9._~!$&'()*+,;=:@%-]{0,9}){0,3}(\\?[a-z0-9=&/?\\[\\]%-]{0,9})?"
}

fn http_reads_the_same(url: &EndpointUrl) -> Result<(), TestCaseError> {
    let uri: Uri =
        url.as_str().parse().map_err(|error| TestCaseError::fail(format!("{url}: {error}")))?;
    prop_assert_eq!(uri.scheme_str(), Some(url.scheme().as_str()));
    let host = url.host().to_string();
    prop_assert_eq!(uri.host(), Some(host.as_str()));
    prop_assert_eq!(uri.port_u16().unwrap_or(url.scheme().default_port()), url.port());
    prop_assert_eq!(uri.path_and_query().map(|path| path.as_str()), Some(url.path_and_query()));
    prop_assert_eq!(uri.to_string(), url.as_str());
    let again = parse(url.as_str());
    prop_assert_eq!(again.as_ref(), Some(url));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_accepted_is_read_the_same_by_the_http_library(
        hostile in hostile_url(),
        plausible in plausible_url(),
        anything: String,
    ) {
        for text in [hostile, plausible, anything] {
            if let Some(url) = parse(&text) {
                http_reads_the_same(&url)?;
            }
        }
    }
}

#[test]
fn the_plausible_urls_are_mostly_accepted() {
    let accepted = std::cell::Cell::new(0_u32);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    runner
        .run(&plausible_url(), |text| {
            accepted.set(accepted.get() + u32::from(parse(&text).is_some()));
            Ok(())
        })
        .expect("nothing fails here");
    assert!(
        accepted.get() > 64,
        "only {} of 256 accepted: the property above proves little",
        accepted.get()
    );
}
