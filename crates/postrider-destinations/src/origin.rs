//! Scheme, host and port of a request, read from its URI and from nothing else.
//!
//! Stricter than `http::Uri`, which takes user names, empty hosts, `[127.0.0.1]` and port 65536 (and then reports that there
//! is no port, so that the request would go to port 80). [`crate::connector`] dials what comes out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::Uri;
use http::uri::Scheme;

/// Whom a connection goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin<'a> {
    pub(crate) secure: bool,
    pub(crate) host: OriginHost<'a>,
    pub(crate) port: u16,
}

/// A host is an address or a name that has to be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OriginHost<'a> {
    Address(IpAddr),
    Name(&'a str),
}

impl<'a> Origin<'a> {
    /// `None` if the URI is not an absolute `http` or `https` one with a plain host and a port that exists.
    pub(crate) fn of(uri: &'a Uri) -> Option<Self> {
        let secure = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return None,
        };
        let authority = uri.authority()?.as_str();
        let (host, rest) = match authority.strip_prefix('[') {
            Some(bracketed) => {
                let (address, rest) = bracketed.split_once(']')?;
                (OriginHost::Address(address.parse::<Ipv6Addr>().ok()?.into()), rest)
            }
            None => {
                let (host, rest) =
                    authority.split_at(authority.find(':').unwrap_or(authority.len()));
                (plain_host(host)?, rest)
            }
        };
        let port = match rest.strip_prefix(':') {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok()?
            }
            None if rest.is_empty() => {
                if secure {
                    443
                } else {
                    80
                }
            }
            _ => return None,
        };
        (port != 0).then_some(Origin { secure, host, port })
    }
}

fn plain_host(host: &str) -> Option<OriginHost<'_>> {
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Some(OriginHost::Address(address.into()));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (!host.is_empty() && host.bytes().all(plain)).then_some(OriginHost::Name(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port_of(text: &str) -> Option<u16> {
        Origin::of(&text.parse().unwrap()).map(|origin| origin.port)
    }

    #[test]
    fn the_port_is_the_one_that_is_written_or_the_scheme_s() {
        for (text, expected) in [
            ("http://h.test/", Some(80)),
            ("https://h.test", Some(443)),
            ("https://h.test:8443/a?b", Some(8443)),
            ("https://[2001:db8::1]:444/", Some(444)),
            ("https://h.test:65536/", None),
            ("https://h.test:0/", None),
            ("https://h.test:/", None),
            ("https://user@h.test/", None),
            ("https://user:1@h.test/", None),
            ("https://[127.0.0.1]/", None),
            ("https://[v1.x]/", None),
            ("https://[fe80::1%25eth0]/", None),
            ("ftp://h.test/", None),
            ("/only/a/path", None),
            ("h.test:443", None),
        ] {
            assert_eq!(port_of(text), expected, "{text}");
        }
    }

    #[test]
    fn addresses_are_told_from_names() {
        let address = |text: &str| OriginHost::Address(text.parse().unwrap());
        for (text, expected) in [
            ("http://192.0.2.1/", address("192.0.2.1")),
            ("http://[::ffff:127.0.0.1]/", address("::ffff:127.0.0.1")),
            ("http://0x7f.1/", OriginHost::Name("0x7f.1")),
            ("http://2130706433/", OriginHost::Name("2130706433")),
            ("http://h.test./", OriginHost::Name("h.test.")),
        ] {
            assert_eq!(Origin::of(&text.parse().unwrap()).unwrap().host, expected, "{text}");
        }
    }
}
