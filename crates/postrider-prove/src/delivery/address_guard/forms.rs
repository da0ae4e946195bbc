//! The ways to write, to name and to resolve an address that nobody may reach.
//!
//! Names tell the lab's name server what to answer (`child/guard_lab/names.rs`): `4` and eight hex digits is an IPv4 address,
//! `6` and 32 an IPv6 one, `c` before them an alias, `r` the first address for odd questions and the second for even ones.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Of each forbidden IPv4 range an address, of the more tempting ones several.
pub(crate) const V4: [Ipv4Addr; 23] = [
    Ipv4Addr::new(0, 1, 2, 3),
    Ipv4Addr::new(10, 0, 0, 7),
    Ipv4Addr::new(10, 255, 255, 254),
    Ipv4Addr::new(100, 64, 0, 1),
    Ipv4Addr::new(100, 127, 255, 254),
    Ipv4Addr::new(127, 0, 0, 1),
    Ipv4Addr::new(127, 8, 9, 10),
    Ipv4Addr::new(169, 254, 1, 1),
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(172, 16, 0, 1),
    Ipv4Addr::new(172, 31, 255, 254),
    Ipv4Addr::new(192, 0, 0, 170),
    Ipv4Addr::new(192, 0, 2, 1),
    Ipv4Addr::new(192, 88, 99, 1),
    Ipv4Addr::new(192, 168, 0, 1),
    Ipv4Addr::new(192, 168, 255, 254),
    Ipv4Addr::new(198, 18, 0, 1),
    Ipv4Addr::new(198, 19, 255, 254),
    Ipv4Addr::new(198, 51, 100, 1),
    Ipv4Addr::new(203, 0, 113, 1),
    Ipv4Addr::new(224, 0, 0, 5),
    Ipv4Addr::new(240, 0, 0, 1),
    Ipv4Addr::new(255, 255, 255, 254),
];

/// The same of IPv6, and what carries an IPv4 address within.
pub(crate) const V6: [Ipv6Addr; 20] = [
    Ipv6Addr::LOCALHOST,
    Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0x7f00, 1), // IPv4-compatible
    Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0x7f00, 1), // IPv4-translated
    Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0x7f00, 1), // NAT64
    Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
    Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0xa00, 7), // local NAT64
    Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 7),         // discard
    Ipv6Addr::new(0x2001, 0, 0x4136, 0xe378, 0x8000, 0x63bf, 0x80ff, 0xfffe), // Teredo of 127.0.0.1
    Ipv6Addr::new(0x2001, 0x10, 0, 0, 0, 0, 0, 7),     // ORCHID
    Ipv6Addr::new(0x2001, 0x20, 0, 0, 0, 0, 0, 7),     // ORCHIDv2
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7),    // documentation
    Ipv6Addr::new(0x2002, 0x7f00, 1, 0, 0, 0, 0, 1),   // 6to4 of 127.0.0.1
    Ipv6Addr::new(0x2002, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1),
    Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 7), // documentation
    Ipv6Addr::new(0x4000, 0, 0, 0, 0, 0, 0, 7), // not assigned
    Ipv6Addr::new(0x5f00, 0, 0, 0, 0, 0, 0, 7), // segment routing
    Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 7), // unique local
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), // a cloud's metadata
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 7), // link-local
    Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 7), // site-local
];

/// Two addresses of the public internet, which the lab owns too: what is permitted.
pub(crate) const PUBLIC_V4: Ipv4Addr = Ipv4Addr::new(93, 184, 215, 14);
pub(crate) const PUBLIC_V6: Ipv6Addr = Ipv6Addr::new(0x2606, 0x2800, 0x21f, 0, 0, 0, 0, 0x14);

/// The first port of the lab's listeners; each form has one of its own.
pub(crate) const FIRST_PORT: u16 = 20_000;

/// Spellings of loopback, metadata and private addresses that some parser or resolver understands.
const SPELLINGS: [&str; 36] = [
    "127.1",
    "127.0.1",
    "0",
    "0.0.0.0",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0X7F.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "0177.1",
    "127.0.0.1.",
    "127.000.000.001",
    "0300.0250.0.1",
    "10.1",
    "167772167",
    "0xa9fea9fe",
    "2852039166",
    "0251.0376.0251.0376",
    "[::]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::1%25lo]",
    "[fe80::7%25lo]",
    "[::ffff:0:0]",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "a.localhost",
    "metadata.google.internal",
    "user@127.0.0.1",
    "127.0.0.1%2f",
    "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
    "127。0。0。1",
    "\u{2460}27.0.0.1",
    "%31%32%37.0.0.1",
];

/// One way to a forbidden place.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    pub(crate) url: String,
    pub(crate) port: u16,
}

/// Every form, each on a port of its own.
pub(crate) fn all() -> Vec<Form> {
    let mut hosts: Vec<(&str, String)> = Vec::new();
    let public = hex_v4(PUBLIC_V4);
    for address in V4 {
        let hex = hex_v4(address);
        let mapped = address.to_ipv6_mapped();
        hosts.push(("http", address.to_string()));
        hosts.push(("https", address.to_string()));
        hosts.push(("http", format!("[{mapped}]")));
        hosts.push(("http", format!("{hex}.guard.test")));
        hosts.push(("https", format!("{}.guard.test", hex_v6(mapped))));
        hosts.push(("http", format!("{public}-{hex}.guard.test")));
        hosts.push(("http", format!("c-{hex}.guard.test")));
        hosts.push(("http", format!("r-{public}-{hex}.guard.test")));
    }
    for address in V6 {
        let hex = hex_v6(address);
        hosts.push(("http", format!("[{address}]")));
        hosts.push(("http", format!("{hex}.guard.test")));
        hosts.push(("https", format!("{public}-{hex}.guard.test")));
        hosts.push(("http", format!("r-{public}-{hex}.guard.test")));
    }
    hosts.extend(SPELLINGS.map(|text| ("http", text.to_owned())));
    let ports = FIRST_PORT..;
    hosts
        .into_iter()
        .zip(ports)
        .map(|((scheme, host), port)| Form { url: format!("{scheme}://{host}:{port}/hook"), port })
        .collect()
}

/// Permitted places that answer with a redirect to a forbidden one.
pub(crate) fn redirects(first_port: u16) -> Vec<Form> {
    let codes = [301, 302, 303, 307, 308];
    let targets = [V4[1], V4[5], V4[8]];
    let pairs = codes.iter().flat_map(|code| targets.map(|target| (code, target)));
    pairs
        .zip(first_port..)
        .map(|((code, target), port)| Form {
            url: format!("http://{PUBLIC_V4}:{port}/redirect/{code}/{target}"),
            port,
        })
        .collect()
}

/// Permitted places whose tokens come from a forbidden one: the endpoint's URL, and the token's.
pub(crate) fn tokens(first_port: u16) -> Vec<(Form, String)> {
    let forbidden = [V4[1], V4[5], V4[8], V4[14]].map(hex_v4);
    let names = forbidden.into_iter().chain([V6[0], V6[3], V6[11], V6[16]].map(hex_v6));
    names
        .zip(first_port..)
        .map(|(hex, port)| {
            let form = Form { url: format!("http://{PUBLIC_V4}:{port}"), port };
            (form, format!("http://{hex}.guard.test:{port}/token"))
        })
        .collect()
}

fn hex_v4(address: Ipv4Addr) -> String {
    format!("4{:08x}", address.to_bits())
}

fn hex_v6(address: Ipv6Addr) -> String {
    format!("6{:032x}", address.to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_more_than_150_forms_and_each_has_its_port() {
        let forms = all();
        assert!(forms.len() >= 150, "{}", forms.len());
        let last = forms.last().unwrap().port;
        assert_eq!(usize::from(last - FIRST_PORT) + 1, forms.len());
        let named = forms.iter().filter(|form| form.url.contains(".guard.test"));
        let labels = named.filter_map(|form| form.url.split("//").nth(1)?.split('.').next());
        assert!(labels.max_by_key(|label| label.len()).unwrap().len() <= 63, "a label is too long");
    }
}
