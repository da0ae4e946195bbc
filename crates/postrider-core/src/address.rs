//! Which addresses and ports a request may go to.
//!
//! Asked twice: for an address literal when a URL is registered, and for every resolved address before it is connected to.
//! The second time is the one that protects; the first only tells early.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// IPv4 ranges that are not the public internet, after the IANA special-purpose registry.
const FORBIDDEN_V4: [(Ipv4Addr, u8, &str); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, "this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "carrier-grade NAT"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "protocol assignments"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "6to4 relay"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarking"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved or broadcast"),
];

/// The only IPv6 block that is global unicast today. An allow rule ages better than a list of refusals.
const GLOBAL_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What inside [`GLOBAL_V6`] is nevertheless not the public internet, or carries an IPv4 address within.
const FORBIDDEN_V6: [(Ipv6Addr, u8, &str); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "protocol assignments"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "6to4"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "documentation"),
];

/// The ports that browsers refuse too (the fetch standard's "bad ports"): mail, name, login, database and chat services that
/// could take a request for commands. Sorted.
const BAD_PORTS: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101,
    102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427,
    465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990,
    993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
    6668, 6669, 6679, 6697, 10080,
];

/// Where requests may go: the public internet, changed by the operator's lists.
///
/// Of the operator's networks the narrowest that holds the address decides; of two equal ones, `allow`. Only then do the
/// built-in rules speak.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    /// Networks that are permitted although the built-in rules or a wider network of `deny` forbid them.
    pub allow: Vec<IpNet>,
    /// Networks that are forbidden besides the built-in ones.
    pub deny: Vec<IpNet>,
    /// The only ports permitted on addresses that `allow` lets in; empty means every port that is permitted elsewhere.
    pub allow_ports: Vec<u16>,
}

/// Why a connection is refused. Names the kind of network, never the address: a name's owner must not learn what is inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Blocked {
    /// The address is not on the public internet.
    #[error("the address is in a forbidden range ({range})")]
    Range {
        /// What the range is for, such as `loopback`.
        range: &'static str,
    },
    /// The operator forbids the network.
    #[error("the address is in a network that the operator forbids")]
    Denied,
    /// Nothing that speaks HTTP listens on this port.
    #[error("port {port} is not permitted")]
    Port {
        /// The port.
        port: u16,
    },
}

impl AddressPolicy {
    /// The public internet and this machine's loopback: what `postrider run --dev` permits.
    pub fn with_loopback() -> Self {
        let v4 = IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8);
        let v6 = IpNet::new_assert(IpAddr::V6(Ipv6Addr::LOCALHOST), 128);
        Self { allow: vec![v4, v6], ..Self::default() }
    }

    /// Judges one address and port. An IPv4 address inside an IPv6 one (`::ffff:…`) is judged as the former.
    pub fn judge(&self, address: IpAddr, port: u16) -> Result<(), Blocked> {
        let address = address.to_canonical();
        judge_port(port)?;
        let allow = narrowest(&self.allow, address);
        let deny = narrowest(&self.deny, address);
        match (allow, deny) {
            (Some(allow), deny) if deny.is_none_or(|deny| deny <= allow) => {
                if self.allow_ports.is_empty() || self.allow_ports.contains(&port) {
                    Ok(())
                } else {
                    Err(Blocked::Port { port })
                }
            }
            (_, Some(_)) => Err(Blocked::Denied),
            _ => built_in(address),
        }
    }

    /// Whether connections to this machine itself are permitted at all.
    pub fn permits_loopback(&self) -> bool {
        const HTTP: u16 = 80;
        let port = self.allow_ports.first().copied().unwrap_or(HTTP);
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        loopback.into_iter().any(|address| self.judge(address, port).is_ok())
    }
}

/// Judges a port alone: 0 and the fetch standard's bad ports are refused.
pub fn judge_port(port: u16) -> Result<(), Blocked> {
    match BAD_PORTS.binary_search(&port) {
        Ok(_) => Err(Blocked::Port { port }),
        Err(_) => Ok(()),
    }
}

/// The prefix length of the narrowest network that holds the address.
fn narrowest(networks: &[IpNet], address: IpAddr) -> Option<u8> {
    networks.iter().filter(|network| network.contains(&address)).map(IpNet::prefix_len).max()
}

fn built_in(address: IpAddr) -> Result<(), Blocked> {
    let range = match address {
        IpAddr::V4(address) => FORBIDDEN_V4
            .iter()
            .find(|(base, length, _)| within_v4(address, *base, *length))
            .map(|(_, _, range)| *range),
        IpAddr::V6(address) => forbidden_v6(address),
    };
    match range {
        Some(range) => Err(Blocked::Range { range }),
        None => Ok(()),
    }
}

fn forbidden_v6(address: Ipv6Addr) -> Option<&'static str> {
    if address == Ipv6Addr::LOCALHOST {
        return Some("loopback");
    }
    if !within_v6(address, GLOBAL_V6.0, GLOBAL_V6.1) {
        return Some("not global unicast");
    }
    FORBIDDEN_V6
        .iter()
        .find(|(base, length, _)| within_v6(address, *base, *length))
        .map(|(_, _, range)| *range)
}

fn within_v4(address: Ipv4Addr, base: Ipv4Addr, length: u8) -> bool {
    (address.to_bits() ^ base.to_bits()).leading_zeros() >= u32::from(length)
}

fn within_v6(address: Ipv6Addr, base: Ipv6Addr, length: u8) -> bool {
    (address.to_bits() ^ base.to_bits()).leading_zeros() >= u32::from(length)
}

#[cfg(test)]
mod tests;
