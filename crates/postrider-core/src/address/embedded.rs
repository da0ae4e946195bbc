//! IPv4 addresses that IPv6 addresses carry within: where a translator, a relay or the kernel sends the packets on to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Prefix, its length, and where the IPv4 address begins, counted in bits from the left.
const CARRIERS: [(Ipv6Addr, u8, u32); 5] = [
    (Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96, 96), // IPv4-translated (RFC 2765)
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96, 96), // NAT64
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, 96), // local NAT64, in its /96 form
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, 16), // 6to4
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 0), 96, 96),      // IPv4-compatible
];

/// Teredo, which writes the client's address with every bit turned.
const TEREDO: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32);

/// The IPv4 address within, if the address is of a form that carries one.
pub(super) fn ipv4_in(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else { return None };
    // `::` and `::1` look like IPv4-compatible ones and are none.
    if address.is_unspecified() || address.is_loopback() {
        return None;
    }
    let low = |bits: u128| u32::try_from(bits & u128::from(u32::MAX)).unwrap_or_default();
    if super::within_v6(address, TEREDO.0, TEREDO.1) {
        return Some(Ipv4Addr::from_bits(!low(address.to_bits())));
    }
    let (_, _, at) =
        CARRIERS.iter().find(|(prefix, length, _)| super::within_v6(address, *prefix, *length))?;
    Some(Ipv4Addr::from_bits(low(address.to_bits() >> (96 - at))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_carried_is_found() {
        for (text, expected) in [
            ("::127.0.0.1", Some("127.0.0.1")),
            ("::ffff:0:10.0.0.1", Some("10.0.0.1")),
            ("64:ff9b::169.254.169.254", Some("169.254.169.254")),
            ("64:ff9b:1::10.0.0.1", Some("10.0.0.1")),
            ("2002:7f00:1::", Some("127.0.0.1")),
            ("2002:a00:1:ffff::1", Some("10.0.0.1")),
            ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Some("192.0.2.45")),
            ("::", None),
            ("::1", None),
            ("2606:4700::1111", None),
            ("fd00::1", None),
            ("10.0.0.1", None),
        ] {
            let found = ipv4_in(text.parse().unwrap());
            assert_eq!(found, expected.map(|text| text.parse().unwrap()), "{text}");
        }
    }
}
