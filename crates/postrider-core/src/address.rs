//! Which addresses and ports a request may go to.
//!
//! Asked twice: for an address literal when a URL is registered, and for every resolved address before it is connected to.
//! The second time is the one that protects; the first only tells early.

mod embedded;
mod network;
mod tenant;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

pub use network::parse_network;
pub use tenant::TenantRules;

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
/// Of the operator's networks the narrowest that holds the address decides; of two equal ones that of the tenant's rules, then
/// `allow`. Only then do the built-in rules speak. An allowed IPv6 address that carries an IPv4 address within (NAT64, 6to4,
/// Teredo and their kin) is allowed only if that one is too: its packets end there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    /// Networks that are permitted although the built-in rules or a wider network of `deny` forbid them.
    pub allow: Vec<IpNet>,
    /// Networks that are forbidden besides the built-in ones.
    pub deny: Vec<IpNet>,
    /// The only ports permitted on addresses that `allow` lets in; empty means every port that is permitted elsewhere.
    pub allow_ports: Vec<u16>,
    /// The only ports permitted at all; empty means every port but those that browsers refuse.
    pub ports: Vec<u16>,
    /// What the operator changed for the tenant in question.
    pub tenant: TenantRules,
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
    /// The operator forbids the network to this tenant.
    #[error("the address is in a network that the operator forbids to this tenant")]
    DeniedToTenant,
    /// Nothing that speaks HTTP listens on this port, or the operator permits others only.
    #[error("port {port} is not permitted")]
    Port {
        /// The port.
        port: u16,
    },
}

impl Blocked {
    /// The rule that refused, as it is recorded on the attempt: the range, `deny_cidrs`, `tenant_deny_cidrs` or `port`.
    pub fn rule(self) -> &'static str {
        match self {
            Self::Range { range } => range,
            Self::Denied => "deny_cidrs",
            Self::DeniedToTenant => "tenant_deny_cidrs",
            Self::Port { .. } => "port",
        }
    }
}

impl AddressPolicy {
    /// The public internet and this machine's loopback: what `postrider run --dev` permits.
    pub fn with_loopback() -> Self {
        let v4 = IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8);
        let v6 = IpNet::new_assert(IpAddr::V6(Ipv6Addr::LOCALHOST), 128);
        Self { allow: vec![v4, v6], ..Self::default() }
    }

    /// The same for one tenant.
    pub fn for_tenant(&self, tenant: TenantRules) -> Self {
        Self { tenant, ..self.clone() }
    }

    /// Judges one address and port. An IPv4 address inside an IPv6 one (`::ffff:…`) is judged as the former.
    pub fn judge(&self, address: IpAddr, port: u16) -> Result<(), Blocked> {
        let address = address.to_canonical();
        self.judge_port(port)?;
        match self.word_of_operator(address) {
            Some(Word::Allow { tenant }) => {
                if !tenant && !self.allow_ports.is_empty() && !self.allow_ports.contains(&port) {
                    return Err(Blocked::Port { port });
                }
                match embedded::ipv4_in(address) {
                    Some(inner) => self.judge(IpAddr::V4(inner), port),
                    None => Ok(()),
                }
            }
            Some(Word::Deny { tenant: true }) => Err(Blocked::DeniedToTenant),
            Some(Word::Deny { tenant: false }) => Err(Blocked::Denied),
            None => built_in(address),
        }
    }

    /// Judges a port alone: the bad ports are refused, and where ports are listed every other one.
    pub fn judge_port(&self, port: u16) -> Result<(), Blocked> {
        judge_port(port)?;
        let listed = if self.tenant.ports.is_empty() { &self.ports } else { &self.tenant.ports };
        if listed.is_empty() || listed.contains(&port) {
            Ok(())
        } else {
            Err(Blocked::Port { port })
        }
    }

    /// Whether connections to this machine itself are permitted at all.
    pub fn permits_loopback(&self) -> bool {
        const HTTP: u16 = 80;
        let ports = [&self.tenant.ports, &self.ports, &self.allow_ports];
        let ports = ports.into_iter().flatten().copied().chain([HTTP]);
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        ports
            .flat_map(|port| loopback.map(|address| (address, port)))
            .any(|(address, port)| self.judge(address, port).is_ok())
    }

    /// Whether something inside is opened, so that names that public DNS cannot hold may be used.
    pub fn opens_something(&self) -> bool {
        !self.allow.is_empty() || !self.tenant.allow.is_empty()
    }

    /// What the narrowest of the operator's networks that hold the address says.
    fn word_of_operator(&self, address: IpAddr) -> Option<Word> {
        [
            (narrowest(&self.tenant.allow, address), Word::Allow { tenant: true }),
            (narrowest(&self.tenant.deny, address), Word::Deny { tenant: true }),
            (narrowest(&self.allow, address), Word::Allow { tenant: false }),
            (narrowest(&self.deny, address), Word::Deny { tenant: false }),
        ]
        .into_iter()
        .filter_map(|(length, word)| Some((length?, word)))
        // Of equal ones the first: `max_by_key` would take the last.
        .rev()
        .max_by_key(|(length, _)| *length)
        .map(|(_, word)| word)
    }
}

/// What a network of the operator says about the addresses in it, and whether it is among a tenant's rules.
#[derive(Clone, Copy)]
enum Word {
    Allow { tenant: bool },
    Deny { tenant: bool },
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
