//! How an operator writes a network.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// How many bits of an IPv4-mapped address (`::ffff:a.b.c.d`) come before the IPv4 address.
const MAPPED_BITS: u8 = 96;

/// Reads a network such as `10.1.0.0/16`, or an address alone. Host bits are cleared, so that a network has one spelling; one of
/// IPv4-mapped addresses becomes the IPv4 network, since such addresses are judged as IPv4.
///
/// # Errors
/// A clause that says what it must be.
pub fn parse_network(text: &str) -> Result<IpNet, &'static str> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    let network = text.parse::<IpNet>().or_else(|_| address());
    let network = network.map_err(|_| "must be a network such as 10.1.0.0/16")?;
    match network {
        IpNet::V6(v6) => match v6.addr().to_ipv4_mapped() {
            Some(v4) => {
                let bits = v6.prefix_len().checked_sub(MAPPED_BITS);
                let v4 = bits.and_then(|bits| Ipv4Net::new(v4, bits).ok());
                let v4 = v4.ok_or("must be written as an IPv4 network such as 10.1.0.0/16")?;
                Ok(IpNet::V4(v4.trunc()))
            }
            None => Ok(network.trunc()),
        },
        IpNet::V4(_) => Ok(network.trunc()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::{AddressPolicy, Blocked};

    #[test]
    fn mapped_networks_are_those_that_they_map() {
        for (text, is) in [
            ("10.1.2.3/16", "10.1.0.0/16"),
            ("::ffff:93.184.0.0/112", "93.184.0.0/16"),
            ("::ffff:93.184.216.34", "93.184.216.34/32"),
            ("::ffff:0.0.0.0/96", "0.0.0.0/0"),
            ("fd00::1/8", "fd00::/8"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(parse_network(text).unwrap().to_string(), is, "{text}");
        }
        for text in ["::ffff:93.184.0.0/95", "::ffff:0:0/64", "10.1", "10.0.0.0/33", ""] {
            assert!(parse_network(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_mapped_network_that_is_denied_is_denied() {
        let deny = vec![parse_network("::ffff:93.184.0.0/112").unwrap()];
        let policy = AddressPolicy { deny, ..AddressPolicy::default() };
        for address in ["93.184.216.34", "::ffff:93.184.216.34"] {
            assert_eq!(policy.judge(address.parse().unwrap(), 443), Err(Blocked::Denied));
        }
    }
}
