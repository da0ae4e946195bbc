//! What the operator changed for one tenant: networks opened and closed to it, and the ports it may use.

use ipnet::IpNet;

use crate::input::InputError;

/// The most networks in one list of a tenant.
const MAX_NETWORKS: usize = 100;
/// The most ports in a tenant's list.
const MAX_PORTS: usize = 100;

/// A tenant's own rules, beside those of the installation. Empty lists change nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TenantRules {
    /// Networks that this tenant may reach although the installation's rules forbid them.
    pub allow: Vec<IpNet>,
    /// Networks that this tenant may not reach.
    pub deny: Vec<IpNet>,
    /// The only ports this tenant may use, in place of the installation's list.
    pub ports: Vec<u16>,
}

impl TenantRules {
    /// Whether they change nothing.
    pub fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty() && self.ports.is_empty()
    }

    /// Reads networks (`10.1.0.0/16`, or an address alone) and ports.
    ///
    /// Codes: `egress.count`, `egress.network`, `egress.port`, `egress.contradiction`.
    pub fn parse<A: AsRef<str>, D: AsRef<str>>(
        allow: &[A],
        deny: &[D],
        ports: &[i32],
    ) -> Result<Self, InputError> {
        let rules = Self {
            allow: networks("allow_cidrs", allow)?,
            deny: networks("deny_cidrs", deny)?,
            ports: port_list(ports)?,
        };
        if let Some(both) = rules.deny.iter().find(|network| rules.allow.contains(network)) {
            let detail = format!("{both} is also in allow_cidrs");
            return Err(InputError::new("deny_cidrs", "egress.contradiction", detail));
        }
        Ok(rules)
    }
}

fn networks(field: &'static str, texts: &[impl AsRef<str>]) -> Result<Vec<IpNet>, InputError> {
    if texts.len() > MAX_NETWORKS {
        let detail = format!("has {} networks; at most {MAX_NETWORKS} are accepted", texts.len());
        return Err(InputError::new(field, "egress.count", detail));
    }
    let network = |text: &_| {
        super::parse_network(AsRef::<str>::as_ref(text))
            .map_err(|detail| InputError::new(field, "egress.network", detail))
    };
    texts.iter().map(network).collect()
}

fn port_list(ports: &[i32]) -> Result<Vec<u16>, InputError> {
    if ports.len() > MAX_PORTS {
        let detail = format!("has {} ports; at most {MAX_PORTS} are accepted", ports.len());
        return Err(InputError::new("ports", "egress.count", detail));
    }
    let port = |number: &i32| {
        let port = u16::try_from(*number).ok();
        port.filter(|port| super::judge_port(*port).is_ok()).ok_or_else(|| {
            InputError::new(
                "ports",
                "egress.port",
                format!("{number} is no port that is permitted"),
            )
        })
    };
    ports.iter().map(port).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [&str; 0] = [];

    #[test]
    fn networks_and_ports_are_read_and_mistakes_named() {
        let rules = TenantRules::parse(&["10.1.2.3/16", "fd00::1"], &["10.1.9.0/24"], &[8443]);
        let rules = rules.unwrap();
        assert_eq!(rules.allow, ["10.1.0.0/16".parse().unwrap(), "fd00::1/128".parse().unwrap()]);
        assert_eq!(rules.ports, [8443]);
        let many = vec!["10.0.0.0/8"; MAX_NETWORKS + 1];
        for (parsed, field, code) in [
            (TenantRules::parse(&["10.1"], &NONE, &[]), "allow_cidrs", "egress.network"),
            (TenantRules::parse(&NONE, &["10.0.0.0/33"], &[]), "deny_cidrs", "egress.network"),
            (
                TenantRules::parse(&NONE, &["::ffff:9.9.9.9/95"], &[]),
                "deny_cidrs",
                "egress.network",
            ),
            (
                TenantRules::parse(&["::ffff:10.0.0.0/104"], &["10.0.0.0/8"], &[]),
                "deny_cidrs",
                "egress.contradiction",
            ),
            (TenantRules::parse(&NONE, &NONE, &[22]), "ports", "egress.port"),
            (TenantRules::parse(&NONE, &NONE, &[65_536]), "ports", "egress.port"),
            (TenantRules::parse(&many, &NONE, &[]), "allow_cidrs", "egress.count"),
            (
                TenantRules::parse(&["10.0.0.1/8"], &["10.0.0.0/8"], &[]),
                "deny_cidrs",
                "egress.contradiction",
            ),
        ] {
            let error = parsed.unwrap_err();
            assert_eq!((error.field.as_str(), error.code), (field, code));
        }
        assert!(TenantRules::parse(&NONE, &NONE, &[]).unwrap().is_empty());
    }
}
