//! The host of a URL: an address in its one spelling, or a name that public DNS could hold.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{HOW_TO_PERMIT, address_blocked, refused};
use crate::address::{AddressPolicy, Blocked};
use crate::input::InputError;

/// Endings of names that never belong to the public internet (RFC 6761, 6762, 8375, ICANN's reserved ones and those that
/// internal networks use by custom).
const LOCAL_SUFFIXES: [&str; 9] =
    ["corp", "home", "home.arpa", "internal", "intranet", "lan", "local", "localdomain", "private"];

/// Whom to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// An address; it needs no resolving.
    Ip(IpAddr),
    /// A name in lower case.
    Name(String),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl Host {
    /// Reads the host as it stands in the URL. The port counts because an address may be permitted on some ports only.
    pub(super) fn parse(
        text: &str,
        port: u16,
        addresses: &AddressPolicy,
    ) -> Result<Self, InputError> {
        if let Some(inner) = text.strip_prefix('[') {
            let address = inner.strip_suffix(']').and_then(|inner| inner.parse::<Ipv6Addr>().ok());
            let address =
                address.ok_or_else(|| refused("url.host", "is not an IPv6 address in brackets"))?;
            return Self::address(IpAddr::V6(address), port, addresses);
        }
        let name = text.to_ascii_lowercase();
        check_name(&name)?;
        if ends_in_number(&name) {
            return Self::numeric(&name, port, addresses);
        }
        check_reach(&name, addresses)?;
        if name.ends_with('.') {
            return Err(refused("url.host", "write the name without the dot at its end"));
        }
        Ok(Self::Name(name))
    }

    fn address(address: IpAddr, port: u16, addresses: &AddressPolicy) -> Result<Self, InputError> {
        addresses.judge(address, port).map_err(address_blocked)?;
        Ok(Self::Ip(address))
    }

    /// Only four decimal numbers are an address here. The other spellings that resolvers understand are refused, and called
    /// what they are where they point to a forbidden place.
    fn numeric(name: &str, port: u16, addresses: &AddressPolicy) -> Result<Self, InputError> {
        if let Ok(address) = name.parse::<Ipv4Addr>() {
            return Self::address(IpAddr::V4(address), port, addresses);
        }
        if let Some(address) = resolver_address(name) {
            let judged = addresses.judge(IpAddr::V4(address), port);
            if let Err(
                blocked @ (Blocked::Range { .. } | Blocked::Denied | Blocked::DeniedToTenant),
            ) = judged
            {
                return Err(address_blocked(blocked));
            }
        }
        Err(refused(
            "url.host",
            "ends in a number but is not an address; write four decimal numbers",
        ))
    }
}

/// Labels of letters, digits, hyphens and underscores; one dot at the end is left to the caller.
fn check_name(name: &str) -> Result<(), InputError> {
    let labels = name.strip_suffix('.').unwrap_or(name);
    if labels.is_empty() {
        return Err(refused("url.host", "the host is missing"));
    }
    if labels.len() > 253 {
        return Err(refused("url.host", "the host has more than 253 bytes"));
    }
    for label in labels.split('.') {
        if label.is_empty() || label.len() > 63 {
            return Err(refused("url.host", "each part of the host must have 1 to 63 bytes"));
        }
        if !label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
            return Err(refused(
                "url.host",
                "the host may hold letters, digits, hyphens and underscores only",
            ));
        }
    }
    Ok(())
}

/// Names that can only lead inside are refused unless the operator opened something inside; what they resolve to is judged
/// anyway when a request connects.
fn check_reach(name: &str, addresses: &AddressPolicy) -> Result<(), InputError> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let under = |suffix: &str| {
        name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let permitted = if under("localhost") {
        addresses.permits_loopback()
    } else if !name.contains('.') || LOCAL_SUFFIXES.iter().any(|suffix| under(suffix)) {
        addresses.opens_something()
    } else {
        true
    };
    if permitted {
        return Ok(());
    }
    Err(refused(
        "url.host_blocked",
        format!("the name is not one of the public internet; {HOW_TO_PERMIT}"),
    ))
}

/// Whether resolvers would take the last label for a number (the URL standard's rule).
fn ends_in_number(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or(name);
    last.bytes().all(|byte| byte.is_ascii_digit()) || parse_part(last).is_some()
}

/// The address that `inet_aton`, and with it getaddrinfo, reads from one to four decimal, octal or hex numbers.
fn resolver_address(name: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u64> =
        name.strip_suffix('.').unwrap_or(name).split('.').map(parse_part).collect::<Option<_>>()?;
    let (last, head) = parts.split_last()?;
    if head.len() > 3 || head.iter().any(|part| *part > 255) {
        return None;
    }
    let mut address = 0;
    for part in head {
        address = address << 8 | part;
    }
    let free_bits = 8 * (4 - head.len());
    if *last >> free_bits != 0 {
        return None;
    }
    u32::try_from(address << free_bits | last).ok().map(Ipv4Addr::from_bits)
}

fn parse_part(part: &str) -> Option<u64> {
    if part == "0x" {
        return Some(0);
    }
    let (digits, radix) = match part.strip_prefix("0x") {
        Some(hex) => (hex, 16),
        None if part.len() > 1 && part.starts_with('0') => (&part[1..], 8),
        None => (part, 10),
    };
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if all_digits { u64::from_str_radix(digits, radix).ok() } else { None }
}
