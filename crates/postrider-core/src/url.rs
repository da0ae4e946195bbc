//! The URL of an endpoint, read by one strict grammar.
//!
//! Two lenient parsers that disagree about one text are how requests reach hosts that nobody checked. So a text that any
//! common parser repairs, decodes or guesses about is refused here, what is stored is what is sent, and only the case of
//! scheme and host, the default port and an empty path are put into one spelling. Names are judged by what they may
//! reach ([`crate::address`]); the addresses behind them are judged again when a request connects.

mod host;

use std::fmt;

use crate::address::{AddressPolicy, Blocked, judge_port};
use crate::input::InputError;

pub use host::Host;

/// The longest URL.
pub const MAX_BYTES: usize = 2048;

/// What an installation permits beyond `https` to the public internet.
#[derive(Clone, Copy, Debug)]
pub struct UrlPolicy<'a> {
    /// Whether plain `http` is accepted.
    pub allow_http: bool,
    /// Which addresses are.
    pub addresses: &'a AddressPolicy,
}

/// The scheme of an endpoint's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Without encryption; only where the installation permits it.
    Http,
    /// With TLS.
    Https,
}

/// A URL that was accepted: normalised, and safe to be sent as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointUrl {
    // All agree with `text`, which is at most MAX_BYTES and one byte of ASCII.
    text: String,
    scheme: Scheme,
    host: Host,
    port: u16,
    path_at: usize,
}

impl Scheme {
    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that is meant when none is written.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl EndpointUrl {
    /// Reads, checks and normalises.
    ///
    /// Codes: `url.empty`, `url.length`, `url.not_ascii`, `url.character`, `url.scheme`, `url.fragment`, `url.userinfo`, `url.host`,
    /// `url.port`, `url.address_blocked`, `url.host_blocked`.
    pub fn parse(text: &str, policy: UrlPolicy<'_>) -> Result<Self, InputError> {
        check_text(text)?;
        let (scheme, rest) = split_scheme(text, policy.allow_http)?;
        if rest.contains('#') {
            return Err(refused(
                "url.fragment",
                "a fragment is never sent; remove what begins at #",
            ));
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(refused(
                "url.userinfo",
                "a user name or password is not accepted; use a header or a secret",
            ));
        }
        check_path(path)?;
        let (host, port) = split_port(authority)?;
        let port = match port {
            None => scheme.default_port(),
            Some(digits) => parse_port(digits)?,
        };
        policy.addresses.judge_port(port).map_err(port_refused)?;
        let host = Host::parse(host, port, policy.addresses)?;
        Ok(Self::compose(scheme, host, port, path))
    }

    fn compose(scheme: Scheme, host: Host, port: u16, path: &str) -> Self {
        let mut text = format!("{}://{host}", scheme.as_str());
        if port != scheme.default_port() {
            text.push_str(&format!(":{port}"));
        }
        let path_at = text.len();
        if !path.starts_with('/') {
            text.push('/');
        }
        text.push_str(path);
        Self { text, scheme, host, port, path_at }
    }

    /// The whole URL, as it is stored and sent.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host, a name or an address.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port to connect to, whether it is written or not.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path, never empty, with the query if there is one.
    pub fn path_and_query(&self) -> &str {
        &self.text[self.path_at..]
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Ends where a query begins: people put tokens there.
impl fmt::Debug for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text.split_once('?') {
            None => write!(f, "EndpointUrl({})", self.text),
            Some((shown, _)) => write!(f, "EndpointUrl({shown}?…)"),
        }
    }
}

fn check_text(text: &str) -> Result<(), InputError> {
    if text.is_empty() {
        return Err(refused("url.empty", "is empty"));
    }
    if text.len() > MAX_BYTES {
        let detail = format!("has {} bytes; at most {MAX_BYTES} are accepted", text.len());
        return Err(refused("url.length", detail));
    }
    if !text.is_ascii() {
        return Err(refused(
            "url.not_ascii",
            "holds a character outside ASCII; write the host in punycode and the path percent-encoded",
        ));
    }
    if text.bytes().any(|byte| !byte.is_ascii_graphic() || b"\"<>\\^`{|}".contains(&byte)) {
        return Err(refused(
            "url.character",
            "holds white space, a control character or one of \"<>\\^`{|}; write it percent-encoded",
        ));
    }
    Ok(())
}

fn split_scheme(text: &str, allow_http: bool) -> Result<(Scheme, &str), InputError> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(refused("url.scheme", "must begin with https://"));
    };
    if scheme.eq_ignore_ascii_case("https") {
        Ok((Scheme::Https, rest))
    } else if !scheme.eq_ignore_ascii_case("http") {
        Err(refused("url.scheme", "must begin with https://"))
    } else if allow_http {
        Ok((Scheme::Http, rest))
    } else {
        Err(refused(
            "url.scheme",
            "must begin with https://; http is accepted only with allow_http or postrider run --dev",
        ))
    }
}

/// Every percent sign begins an escape, and brackets, which no path may hold, are left to queries.
fn check_path(path: &str) -> Result<(), InputError> {
    let bytes = path.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'%'
            && !matches!(bytes.get(at + 1..at + 3), Some(hex) if hex.iter().all(u8::is_ascii_hexdigit))
        {
            return Err(refused("url.character", "holds a % that two hex digits do not follow"));
        }
    }
    let path_only = path.split_once('?').map_or(path, |(path, _)| path);
    if path_only.contains(['[', ']']) {
        return Err(refused(
            "url.character",
            "holds a bracket in its path; write it percent-encoded",
        ));
    }
    Ok(())
}

/// The host as written, brackets included, and what follows the colon.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), InputError> {
    let host_end = if authority.starts_with('[') {
        let bracket = authority.find(']');
        bracket.ok_or_else(|| refused("url.host", "the bracket of the address is not closed"))? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, rest) = authority.split_at(host_end);
    if rest.is_empty() {
        return Ok((host, None));
    }
    match rest.strip_prefix(':') {
        Some(port) => Ok((host, Some(port))),
        None => Err(refused("url.host", "something follows the bracket of the address")),
    }
}

fn parse_port(digits: &str) -> Result<u16, InputError> {
    let canonical = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    let port = digits.parse::<u16>().ok().filter(|_| canonical);
    let port =
        port.ok_or_else(|| refused("url.port", "the port must be a number from 1 to 65535"))?;
    judge_port(port).map(|()| port).map_err(port_refused)
}

fn port_refused(blocked: Blocked) -> InputError {
    refused("url.port", blocked.to_string())
}

fn address_blocked(blocked: Blocked) -> InputError {
    let code =
        if matches!(blocked, Blocked::Port { .. }) { "url.port" } else { "url.address_blocked" };
    refused(code, format!("{blocked}; {HOW_TO_PERMIT}"))
}

const HOW_TO_PERMIT: &str = "egress.allow_cidrs permits more, postrider run --dev this machine";

fn refused(code: &'static str, detail: impl Into<String>) -> InputError {
    InputError::new("url", code, detail)
}

#[cfg(test)]
mod tests;
