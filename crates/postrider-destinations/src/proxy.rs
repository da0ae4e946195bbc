//! An egress proxy: the only address that is dialled when the operator names one.
//!
//! Speaks HTTP CONNECT or SOCKS5 over a connection that [`crate::connector`] opened, and hands it back as a tunnel to the target.
//! The target was judged before. No proxy is ever taken from the environment: only from the configuration.

mod http_connect;
mod socks5;

use std::fmt;
use std::net::IpAddr;

use postrider_core::status::ErrorClass;
use tokio::net::TcpStream;

use crate::classify::ConnectFailure;

/// The longest user name and the longest password (SOCKS5 has a byte for each length).
const MAX_CREDENTIAL: usize = 255;

/// A proxy, as `http://user:password@host:port` or `socks5://…` names it.
#[derive(Clone, PartialEq, Eq)]
pub struct EgressProxy {
    protocol: Protocol,
    // An address or a name; not judged, for the operator chose it.
    host: String,
    port: u16,
    credentials: Option<(String, String)>,
    // Whether names go to the proxy unresolved. Then it alone can judge where they lead.
    resolves: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    HttpConnect,
    Socks5,
}

/// Why a text names no proxy. Never holds a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// Neither of the two protocols.
    #[error("must begin with http:// or socks5://")]
    Scheme,
    /// No host, or no port from 1 to 65535.
    #[error("must name a host and a port, such as http://proxy.internal:3128")]
    Host,
    /// The user name or password cannot be sent.
    #[error("user name and password must have 1 to 255 visible characters of ASCII each")]
    Credentials,
}

/// Whom the proxy is asked to connect to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal<'a> {
    Address(IpAddr),
    Name(&'a str),
}

impl EgressProxy {
    /// Reads a proxy's URL. What follows the port but a slash is refused.
    pub fn parse(text: &str) -> Result<Self, ProxyError> {
        let (scheme, rest) = text.split_once("://").ok_or(ProxyError::Scheme)?;
        let protocol = match scheme.to_ascii_lowercase().as_str() {
            "http" => Protocol::HttpConnect,
            "socks5" | "socks5h" => Protocol::Socks5,
            _ => return Err(ProxyError::Scheme),
        };
        let (credentials, authority) = match rest.rsplit_once('@') {
            Some((credentials, authority)) => (Some(read_credentials(credentials)?), authority),
            None => (None, rest),
        };
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (host, port) = authority.rsplit_once(':').ok_or(ProxyError::Host)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(ProxyError::Host)?;
        if host.is_empty() || !host.bytes().all(plain) {
            return Err(ProxyError::Host);
        }
        if host.contains(':') && host.parse::<IpAddr>().is_err() {
            return Err(ProxyError::Host);
        }
        Ok(Self { protocol, host: host.to_owned(), port, credentials, resolves: false })
    }

    /// The same with names left to it, or not: where it looks them up, it alone can judge where they lead.
    #[must_use]
    pub fn resolving(self, resolves: bool) -> Self {
        Self { resolves, ..self }
    }

    /// Whether names go to it unresolved.
    pub fn resolves(&self) -> bool {
        self.resolves
    }

    /// Its address or name.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Makes a connection to the proxy one to the goal. The caller bounds the time.
    pub(crate) async fn tunnel(
        &self,
        mut tcp: TcpStream,
        goal: Goal<'_>,
        port: u16,
    ) -> Result<TcpStream, ConnectFailure> {
        let credentials =
            self.credentials.as_ref().map(|(user, password)| (user.as_str(), password.as_str()));
        match self.protocol {
            Protocol::HttpConnect => http_connect::ask(&mut tcp, goal, port, credentials).await,
            Protocol::Socks5 => socks5::ask(&mut tcp, goal, port, credentials).await,
        }
        .map_err(ConnectFailure::of)?;
        Ok(tcp)
    }
}

/// `user:password`, both percent-decoded.
fn read_credentials(text: &str) -> Result<(String, String), ProxyError> {
    let (user, password) = text.split_once(':').ok_or(ProxyError::Credentials)?;
    let read = |text: &str| {
        let decoded = decode(text)?;
        let fits = (1..=MAX_CREDENTIAL).contains(&decoded.len())
            && decoded.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then_some(decoded)
    };
    let user = read(user).filter(|user| !user.contains(':')).ok_or(ProxyError::Credentials)?;
    Ok((user, read(password).ok_or(ProxyError::Credentials)?))
}

fn decode(text: &str) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        decoded.push_str(before);
        decoded.push(char::from(u8::from_str_radix(after.get(..2)?, 16).ok()?));
        rest = &after[2..];
    }
    decoded.push_str(rest);
    Some(decoded)
}

/// What is reported when the connection to the proxy breaks, or it does not keep to its protocol.
fn broken<T>(_: T) -> ErrorClass {
    ErrorClass::Proxy
}

/// Shows where it is and not with what password.
impl fmt::Debug for EgressProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EgressProxy")
            .field("protocol", &self.protocol)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("resolves", &self.resolves)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_read_from_its_url() {
        for (text, protocol, host, port, credentials) in [
            ("http://10.0.0.1:3128", Protocol::HttpConnect, "10.0.0.1", 3128, None),
            ("HTTP://proxy.internal:80/", Protocol::HttpConnect, "proxy.internal", 80, None),
            ("socks5://[::1]:1080", Protocol::Socks5, "::1", 1080, None),
            ("socks5://u:p%40ss@h:1", Protocol::Socks5, "h", 1, Some(("u", "p@ss"))),
            ("http://u:a@b@h:1", Protocol::HttpConnect, "h", 1, Some(("u", "a@b"))),
        ] {
            let proxy = EgressProxy::parse(text).unwrap();
            assert_eq!((proxy.protocol, proxy.host(), proxy.port()), (protocol, host, port));
            let found = proxy.credentials.as_ref().map(|(u, p)| (u.as_str(), p.as_str()));
            assert_eq!(found, credentials, "{text}");
        }
    }

    #[test]
    fn what_names_no_proxy_is_refused_without_repeating_it() {
        for (text, expected) in [
            ("proxy:3128", ProxyError::Scheme),
            ("https://proxy:3128", ProxyError::Scheme),
            ("socks4://proxy:1080", ProxyError::Scheme),
            ("http://proxy", ProxyError::Host),
            ("http://proxy:0", ProxyError::Host),
            ("http://proxy:65536", ProxyError::Host),
            ("http://:80", ProxyError::Host),
            ("http://a b:80", ProxyError::Host),
            ("http://::1:80:80x", ProxyError::Host),
            ("http://proxy:80/path", ProxyError::Host),
            ("http://user@proxy:80", ProxyError::Credentials),
            ("http://user:@proxy:80", ProxyError::Credentials),
            ("http://u:p%0d@proxy:80", ProxyError::Credentials),
        ] {
            assert_eq!(EgressProxy::parse(text), Err(expected), "{text}");
        }
        let proxy = EgressProxy::parse("http://user:canary@proxy:80").unwrap();
        assert!(!format!("{proxy:?}").contains("canary"));
    }
}
