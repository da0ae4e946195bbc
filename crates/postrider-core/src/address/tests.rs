use proptest::prelude::*;

use super::*;

fn judged(policy: &AddressPolicy, text: &str) -> Result<(), Blocked> {
    policy.judge(text.parse().expect("an address"), 443)
}

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().expect("a network")).collect()
}

#[test]
fn the_edges_of_every_forbidden_range_are_where_the_registry_says() {
    let policy = AddressPolicy::default();
    for (outside_below, first, last, outside_above) in [
        (None, "0.0.0.0", "0.255.255.255", Some("1.0.0.0")),
        (Some("9.255.255.255"), "10.0.0.0", "10.255.255.255", Some("11.0.0.0")),
        (Some("100.63.255.255"), "100.64.0.0", "100.127.255.255", Some("100.128.0.0")),
        (Some("126.255.255.255"), "127.0.0.0", "127.255.255.255", Some("128.0.0.0")),
        (Some("169.253.255.255"), "169.254.0.0", "169.254.255.255", Some("169.255.0.0")),
        (Some("172.15.255.255"), "172.16.0.0", "172.31.255.255", Some("172.32.0.0")),
        (Some("191.255.255.255"), "192.0.0.0", "192.0.0.255", Some("192.0.1.0")),
        (Some("192.0.1.255"), "192.0.2.0", "192.0.2.255", Some("192.0.3.0")),
        (Some("192.88.98.255"), "192.88.99.0", "192.88.99.255", Some("192.88.100.0")),
        (Some("192.167.255.255"), "192.168.0.0", "192.168.255.255", Some("192.169.0.0")),
        (Some("198.17.255.255"), "198.18.0.0", "198.19.255.255", Some("198.20.0.0")),
        (Some("198.51.99.255"), "198.51.100.0", "198.51.100.255", Some("198.51.101.0")),
        (Some("203.0.112.255"), "203.0.113.0", "203.0.113.255", Some("203.0.114.0")),
        (Some("223.255.255.255"), "224.0.0.0", "255.255.255.255", None),
        (None, "::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("2000::")),
        (Some("2000:ffff::"), "2001::", "2001:1ff:ffff::", Some("2001:200::")),
        (Some("2001:db7:ffff::"), "2001:db8::", "2001:db8:ffff::", Some("2001:db9::")),
        (Some("2001:ffff::"), "2002::", "2002:ffff::", Some("2003::")),
        (Some("3ffe:ffff::"), "3fff::", "3fff:fff:ffff::", Some("3fff:1000::")),
        (Some("3fff:ffff::"), "4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None),
    ] {
        for text in [first, last] {
            assert!(matches!(judged(&policy, text), Err(Blocked::Range { .. })), "{text}");
        }
        for text in [outside_below, outside_above].into_iter().flatten() {
            assert_eq!(judged(&policy, text), Ok(()), "{text}");
        }
    }
}

#[test]
fn an_embedded_ipv4_address_is_judged_as_one() {
    let policy = AddressPolicy::default();
    assert_eq!(judged(&policy, "::ffff:127.0.0.1"), Err(Blocked::Range { range: "loopback" }));
    assert_eq!(judged(&policy, "::ffff:8.8.8.8"), Ok(()));
    for text in
        ["::127.0.0.1", "::8.8.8.8", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "2002:0808:0808::1"]
    {
        assert!(judged(&policy, text).is_err(), "{text}");
    }
    let dev = AddressPolicy::with_loopback();
    assert_eq!(judged(&dev, "::ffff:127.0.0.1"), Ok(()));
}

#[test]
fn an_allowed_network_opens_itself_and_nothing_else() {
    let policy =
        AddressPolicy { allow: nets(&["10.1.0.0/16", "fd00:1::/32"]), ..Default::default() };
    for text in ["10.1.0.0", "10.1.255.255", "fd00:1::9", "8.8.8.8"] {
        assert_eq!(judged(&policy, text), Ok(()), "{text}");
    }
    for text in ["10.0.255.255", "10.2.0.0", "fd00:2::9", "127.0.0.1", "::1", "169.254.169.254"] {
        assert!(judged(&policy, text).is_err(), "{text}");
    }
}

#[test]
fn the_narrowest_network_of_the_operator_decides() {
    let policy = AddressPolicy {
        allow: nets(&["10.0.0.0/8", "8.8.8.0/24", "9.9.9.9/32"]),
        deny: nets(&["10.1.2.0/24", "8.8.0.0/16", "9.9.9.9/32", "2606::/16"]),
        ..Default::default()
    };
    for (text, expected) in [
        ("10.1.1.1", Ok(())),
        ("10.1.2.1", Err(Blocked::Denied)),
        ("8.8.8.8", Ok(())),
        ("8.8.4.4", Err(Blocked::Denied)),
        ("9.9.9.9", Ok(())),
        ("2606:4700::1", Err(Blocked::Denied)),
        ("::ffff:8.8.4.4", Err(Blocked::Denied)),
        ("1.1.1.1", Ok(())),
    ] {
        assert_eq!(judged(&policy, text), expected, "{text}");
    }
}

#[test]
fn an_allowed_network_can_be_limited_to_ports() {
    let policy = AddressPolicy {
        allow: nets(&["10.0.0.0/8"]),
        allow_ports: vec![8443],
        ..Default::default()
    };
    let inside = "10.0.0.1".parse().unwrap();
    let outside = "8.8.8.8".parse().unwrap();
    assert_eq!(policy.judge(inside, 8443), Ok(()));
    assert_eq!(policy.judge(inside, 443), Err(Blocked::Port { port: 443 }));
    assert_eq!(policy.judge(outside, 443), Ok(()));
}

#[test]
fn loopback_is_permitted_only_where_it_was_opened() {
    assert!(!AddressPolicy::default().permits_loopback());
    assert!(AddressPolicy::with_loopback().permits_loopback());
    let v6_only =
        AddressPolicy { allow: nets(&["::1/128"]), allow_ports: vec![8080], ..Default::default() };
    assert!(v6_only.permits_loopback());
    let other = AddressPolicy { allow: nets(&["10.0.0.0/8"]), ..Default::default() };
    assert!(!other.permits_loopback());
}

#[test]
fn bad_ports_are_refused_everywhere() {
    assert!(BAD_PORTS.is_sorted());
    let policy = AddressPolicy::with_loopback();
    for port in [0, 22, 25, 53, 6667, 10080] {
        assert_eq!(judge_port(port), Err(Blocked::Port { port }));
        assert!(policy.judge("127.0.0.1".parse().unwrap(), port).is_err());
    }
    for port in [80, 443, 5432, 8080, 8443, 65535] {
        assert_eq!(judge_port(port), Ok(()));
    }
}

#[test]
fn a_refusal_does_not_tell_the_address() {
    let error = judged(&AddressPolicy::default(), "10.20.30.40").unwrap_err();
    assert_eq!(error.to_string(), "the address is in a forbidden range (private)");
}

proptest! {
    #[test]
    fn nothing_special_of_the_standard_library_passes(bits: u32) {
        let address = Ipv4Addr::from_bits(bits);
        if AddressPolicy::default().judge(address.into(), 443).is_ok() {
            prop_assert!(
                !(address.is_loopback() || address.is_private() || address.is_link_local()
                    || address.is_broadcast() || address.is_documentation() || address.is_multicast()
                    || address.is_unspecified()),
                "{address}"
            );
        }
        let mapped = AddressPolicy::default().judge(address.to_ipv6_mapped().into(), 443);
        prop_assert_eq!(mapped, AddressPolicy::default().judge(address.into(), 443));
    }

    #[test]
    fn only_global_unicast_passes(bits: u128) {
        let address = Ipv6Addr::from_bits(bits);
        let judged = AddressPolicy::default().judge(address.into(), 443);
        if address.to_ipv4_mapped().is_none() && judged.is_ok() {
            prop_assert_eq!(bits >> 125, 1);
            prop_assert!(!address.is_multicast() && !address.is_loopback());
        }
    }
}

#[test]
fn a_tenants_rules_stand_beside_those_of_the_installation() {
    let rules = |allow: &[&str], deny: &[&str], ports: &[i32]| {
        TenantRules::parse(allow, deny, ports).unwrap()
    };
    let installation = AddressPolicy {
        allow: nets(&["10.0.0.0/8"]),
        deny: nets(&["10.0.0.5/32", "9.9.0.0/16"]),
        ..AddressPolicy::default()
    };
    let tenant = installation.for_tenant(rules(
        &["192.168.0.0/16", "9.9.0.0/16"],
        &["10.0.0.0/8", "8.8.8.8"],
        &[],
    ));
    for (text, expected) in [
        ("192.168.1.1", Ok(())),
        ("9.9.9.9", Ok(())),                        // equal: the tenant's decides
        ("10.1.1.1", Err(Blocked::DeniedToTenant)), // equal: the tenant's decides
        ("10.0.0.5", Err(Blocked::Denied)),         // the installation's is narrower
        ("8.8.8.8", Err(Blocked::DeniedToTenant)),
        ("8.8.4.4", Ok(())),
        ("127.0.0.1", Err(Blocked::Range { range: "loopback" })),
    ] {
        assert_eq!(judged(&tenant, text), expected, "{text}");
    }
    let opened = installation.for_tenant(rules(&["10.0.0.0/8"], &[], &[]));
    assert_eq!(
        judged(&opened, "10.0.0.5"),
        Err(Blocked::Denied),
        "a wider allowance opens nothing"
    );
    assert_eq!(judged(&installation, "192.168.1.1").unwrap_err().rule(), "private");
    assert_eq!(judged(&tenant, "8.8.8.8").unwrap_err().rule(), "tenant_deny_cidrs");
    assert_eq!(judged(&installation, "9.9.9.9").unwrap_err().rule(), "deny_cidrs");
}

#[test]
fn ports_are_those_of_the_installation_or_in_their_place_the_tenants() {
    let installation = AddressPolicy { ports: vec![443, 8443], ..AddressPolicy::default() };
    let tenant =
        installation.for_tenant(TenantRules { ports: vec![9443], ..TenantRules::default() });
    let public = "8.8.8.8".parse().unwrap();
    for (policy, port, permitted) in [
        (&installation, 443, true),
        (&installation, 8443, true),
        (&installation, 80, false),
        (&tenant, 9443, true),
        (&tenant, 443, false),
        (&tenant, 25, false),
    ] {
        assert_eq!(policy.judge(public, port).is_ok(), permitted, "{port}");
    }
    assert_eq!(installation.judge(public, 80).unwrap_err().rule(), "port");
}

#[test]
fn an_allowed_network_of_translators_opens_nothing_behind_them() {
    let policy = AddressPolicy {
        allow: nets(&["64:ff9b::/96", "2002::/16", "2001::/32", "::/96", "64:ff9b:1::/48"]),
        ..AddressPolicy::default()
    };
    for text in ["64:ff9b::8.8.8.8", "2002:808:808::1", "64:ff9b:1::8.8.8.8", "::8.8.8.8"] {
        assert_eq!(judged(&policy, text), Ok(()), "{text}");
    }
    for text in [
        "64:ff9b::127.0.0.1",
        "64:ff9b::169.254.169.254",
        "2002:a00:1::",
        "2001:0:4136:e378:8000:63bf:f5ff:fffe", // 10.0.0.1 with its bits turned
        "64:ff9b:1::10.0.0.1",
        "::127.0.0.1",
    ] {
        assert!(matches!(judged(&policy, text), Err(Blocked::Range { .. })), "{text}");
    }
}
