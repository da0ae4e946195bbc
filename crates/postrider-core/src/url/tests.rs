use std::net::IpAddr;

use super::*;

fn parse(
    text: &str,
    allow_http: bool,
    addresses: &AddressPolicy,
) -> Result<EndpointUrl, InputError> {
    EndpointUrl::parse(text, UrlPolicy { allow_http, addresses })
}

fn strict(text: &str) -> Result<EndpointUrl, InputError> {
    parse(text, false, &AddressPolicy::default())
}

fn dev(text: &str) -> Result<EndpointUrl, InputError> {
    parse(text, true, &AddressPolicy::with_loopback())
}

fn code(parsed: Result<EndpointUrl, InputError>) -> &'static str {
    parsed.map_or_else(|error| error.code, |_| "ok")
}

#[test]
fn the_parts_of_a_url_are_told_apart() {
    let url = strict("HTTPS://Hooks.Example.com:8443/A/../b?x=1&y[]=%20").unwrap();
    assert_eq!(url.as_str(), "https://hooks.example.com:8443/A/../b?x=1&y[]=%20");
    assert_eq!(url.scheme(), Scheme::Https);
    assert_eq!(*url.host(), Host::Name("hooks.example.com".into()));
    assert_eq!(url.port(), 8443);
    assert_eq!(url.path_and_query(), "/A/../b?x=1&y[]=%20");
}

#[test]
fn one_url_has_one_spelling() {
    for (text, expected) in [
        ("https://example.com", "https://example.com/"),
        ("https://example.com?x", "https://example.com/?x"),
        ("https://example.com:443", "https://example.com/"),
        ("https://EXAMPLE.com:443?X", "https://example.com/?X"),
        ("https://example.com:80/", "https://example.com:80/"),
        ("https://[2606:4700:0:0::1111]/", "https://[2606:4700::1111]/"),
        ("https://xn--mnchen-3ya.example/", "https://xn--mnchen-3ya.example/"),
        ("https://a_b.-c-.example/", "https://a_b.-c-.example/"),
        ("https://example.com/a@b:c", "https://example.com/a@b:c"),
        ("https://example.com//x", "https://example.com//x"),
    ] {
        let url = strict(text).unwrap();
        assert_eq!(url.as_str(), expected);
        assert_eq!(strict(expected).unwrap(), url);
    }
    assert_eq!(dev("http://example.com:80/h").unwrap().as_str(), "http://example.com/h");
    assert_eq!(dev("http://example.com:443/h").unwrap().as_str(), "http://example.com:443/h");
}

#[test]
fn what_parsers_disagree_about_is_refused() {
    for (text, expected) in [
        ("https:/example.com/h", "url.scheme"),
        ("https:example.com/h", "url.scheme"),
        ("javascript://example.com/h", "url.scheme"),
        ("https://?x", "url.host"),
        ("https://:443/h", "url.host"),
        ("https://./h", "url.host"),
        ("https://../h", "url.host"),
        ("https://example.com./h", "url.host"),
        ("https://exa*mple.com/h", "url.host"),
        ("https://exam%70le.com/h", "url.host"),
        ("https://[2606::1/h", "url.host"),
        ("https://2606::1]/h", "url.port"),
        ("https://2606::1/h", "url.port"),
        ("https://[2606::1]x/h", "url.host"),
        ("https://[2606::1]:/h", "url.port"),
        ("https://[8.8.8.8]/h", "url.host"),
        ("https://[]/h", "url.host"),
        ("https://[[::1]]/h", "url.host"),
        ("https://example.com:0/h", "url.port"),
        ("https://example.com:0443/h", "url.port"),
        ("https://example.com:+443/h", "url.port"),
        ("https://example.com:443 /h", "url.character"),
        ("https://example.com:6000/h", "url.port"),
        ("https://@example.com/h", "url.userinfo"),
        ("https://user:pass@example.com/h", "url.userinfo"),
        ("https://example.com/%", "url.character"),
        ("https://example.com/%2", "url.character"),
        ("https://example.com/?%zz", "url.character"),
        ("https://example.com/[x]", "url.character"),
        ("https://example.com/{id}", "url.character"),
        ("https://example.com/\u{7f}", "url.character"),
        ("https://example.com?x#y", "url.fragment"),
    ] {
        assert_eq!(code(strict(text)), expected, "{text:?}");
    }
}

#[test]
fn every_spelling_of_a_number_is_an_address_or_refused() {
    for (text, expected) in [
        ("0", "url.address_blocked"),
        ("0x", "url.address_blocked"),
        ("127.0.0.1.", "url.address_blocked"),
        ("0x7f.1", "url.address_blocked"),
        ("0X7F.1", "url.address_blocked"),
        ("0x7f.0x0.0x0.0x1", "url.address_blocked"),
        ("10.1", "url.address_blocked"),
        ("192.168.257", "url.address_blocked"),
        ("017700000001", "url.address_blocked"),
        ("8.8.8.8.", "url.host"),
        ("8.8", "url.host"),
        ("134744072", "url.host"),
        ("08.8.8.8", "url.host"),
        ("010.8.8.8", "url.host"),
        ("4294967296", "url.host"),
        ("99999999999999999999999999", "url.host"),
        ("1.2.3.4.5", "url.host"),
        ("256.1.1.1", "url.host"),
        ("example.1", "url.host"),
        ("example.0x1f", "url.host"),
        ("1.example", "ok"),
        ("127.0.0.1.example.com", "ok"),
        ("example.0xyz", "ok"),
        ("8.8.8.8", "ok"),
    ] {
        assert_eq!(code(strict(&format!("https://{text}/h"))), expected, "{text:?}");
    }
    // A permitted address is still accepted in its one spelling only.
    assert_eq!(code(dev("http://127.1/h")), "url.host");
    assert_eq!(code(dev("http://127.0.0.1/h")), "ok");
}

#[test]
fn local_names_need_a_policy_that_opens_something_inside() {
    let inside =
        AddressPolicy { allow: vec!["10.0.0.0/8".parse().unwrap()], ..AddressPolicy::default() };
    for (host, closed, with_private, with_loopback) in [
        ("localhost", "url.host_blocked", "url.host_blocked", "ok"),
        ("LOCALHOST", "url.host_blocked", "url.host_blocked", "ok"),
        ("api.localhost", "url.host_blocked", "url.host_blocked", "ok"),
        ("localhost.", "url.host_blocked", "url.host_blocked", "url.host"),
        ("receiver", "url.host_blocked", "ok", "ok"),
        ("printer.local", "url.host_blocked", "ok", "ok"),
        ("nas.home.arpa", "url.host_blocked", "ok", "ok"),
        ("home.arpa", "url.host_blocked", "ok", "ok"),
        ("db.internal", "url.host_blocked", "ok", "ok"),
        ("notlocalhost.com", "ok", "ok", "ok"),
        ("internal.example.com", "ok", "ok", "ok"),
        ("mylocal", "url.host_blocked", "ok", "ok"),
        ("h.test", "ok", "ok", "ok"),
    ] {
        let text = format!("https://{host}/h");
        assert_eq!(code(strict(&text)), closed, "{host} with no allowance");
        assert_eq!(code(parse(&text, false, &inside)), with_private, "{host} with 10/8 allowed");
        assert_eq!(code(dev(&text)), with_loopback, "{host} with loopback allowed");
    }
}

#[test]
fn development_opens_loopback_http_and_says_how_when_it_does_not() {
    let url = dev("http://127.0.0.1:9000/h").unwrap();
    assert_eq!(*url.host(), Host::Ip(IpAddr::from([127, 0, 0, 1])));
    assert_eq!(url.port(), 9000);
    assert_eq!(dev("http://[::1]:9000/h").unwrap().as_str(), "http://[::1]:9000/h");
    assert_eq!(code(dev("http://10.0.0.1/h")), "url.address_blocked");
    let error = strict("https://127.0.0.1/h").unwrap_err();
    assert_eq!(
        error.to_string(),
        "url: the address is in a forbidden range (loopback); egress.allow_cidrs permits more, postrider run --dev this machine (url.address_blocked)"
    );
    assert!(strict("http://example.com/h").unwrap_err().detail.contains("--dev"));
}

#[test]
fn an_allowed_port_counts_when_the_url_is_judged() {
    let policy = AddressPolicy { allow_ports: vec![9000], ..AddressPolicy::with_loopback() };
    assert_eq!(code(parse("https://127.0.0.1:9000/h", false, &policy)), "ok");
    assert_eq!(code(parse("https://127.0.0.1:9001/h", false, &policy)), "url.port");
}

#[test]
fn debug_hides_the_query() {
    let url = strict("https://example.com/h?token=canary").unwrap();
    assert_eq!(format!("{url:?}"), "EndpointUrl(https://example.com/h?…)");
    assert_eq!(url.to_string(), "https://example.com/h?token=canary");
}

#[test]
fn errors_do_not_repeat_the_url() {
    for text in [
        "https://user:canary@example.com/",
        "https://example.com/#canary",
        "https://x.com/canary%z",
    ] {
        assert!(!strict(text).unwrap_err().to_string().contains("canary"));
    }
}
