//! Where requests may go: tenants' rules from the command line to the attempt, the proxy, and what the environment must not say.

use postrider_testkit::{Receiver, TestDb};
use serde_json::{Value, json};

use crate::support::Cli;

const RUN: [&str; 4] = ["run", "--once", "--admin-listen", "off"];

/// The attempts of the newest delivery of a tenant.
async fn newest_attempt(cli: &Cli, tenant: &str) -> Value {
    let listed = cli.run(&["deliveries", "list", "--tenant", tenant, "--json"]).await.json();
    let id = listed["data"][0]["id"].as_str().unwrap().to_owned();
    let shown = cli.run(&["deliveries", "show", &id, "--json"]).await.exits(0).json();
    shown["attempt_log"][0].clone()
}

#[tokio::test]
async fn a_tenants_rules_open_and_close_this_machine_to_it_alone() {
    let db = TestDb::new().await;
    let receiver = Receiver::start().await;
    let cli = Cli::at(&db)
        .with("POSTRIDER_EGRESS_ALLOW_HTTP", "true")
        .with("HTTP_PROXY", "http://127.0.0.1:1")
        .with("ALL_PROXY", "socks5://127.0.0.1:1");
    let url = receiver.url("/h");
    let add = async |tenant: &str| cli.run(&["endpoints", "add", &url, "--tenant", tenant]).await;
    add("acme").await.exits(2).says("egress set");
    cli.run(&["egress", "set", "acme", "--allow-cidrs", "127.0.0.0/8"]).await.exits(0);
    add("acme").await.exits(0);
    add("other").await.exits(2).says("loopback");
    cli.run(&["egress", "check", &url, "--tenant", "acme"]).await.exits(0);
    cli.run(&["egress", "check", &url, "--tenant", "other"]).await.exits(3);

    cli.run(&["events", "publish", "order.paid", "--tenant", "acme"]).await.exits(0);
    cli.run(&RUN).await.exits(0);
    assert_eq!(receiver.received_at("/h").len(), 1, "directly, whatever the environment says");

    cli.run(&["egress", "set", "acme", "--deny-cidrs", "127.0.0.0/8"]).await.exits(0);
    cli.run(&["events", "publish", "order.paid", "--tenant", "acme"]).await.exits(0);
    cli.run(&RUN).await.exits(0);
    let attempt = newest_attempt(&cli, "acme").await;
    assert_eq!(attempt["error"], "blocked_address");
    assert_eq!(attempt["detail"], "tenant_deny_cidrs");

    let listed = cli.run(&["egress", "list", "--json"]).await.exits(0).json();
    assert_eq!(listed["data"][0]["deny_cidrs"], json!(["127.0.0.0/8"]));
    cli.run(&["egress", "clear", "acme"]).await.exits(0);
    cli.run(&["events", "publish", "order.paid", "--tenant", "acme"]).await.exits(0);
    cli.run(&RUN).await.exits(0);
    assert_eq!(newest_attempt(&cli, "acme").await["detail"], "loopback");
    assert_eq!(receiver.received_at("/h").len(), 1);
}

#[tokio::test]
async fn a_verdict_on_a_url_is_data_whichever_it_is() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    let check = async |url: &str| cli.run(&["egress", "check", url, "--json"]).await;
    let accepted = check("https://example.com/h").await.exits(0).json();
    assert_eq!(accepted["accepted"], true);
    for (url, code) in [
        ("https://10.0.0.1/canary", "url.address_blocked"),
        ("http://example.com/", "url.scheme"),
        ("https://us:canary@example.com/", "url.userinfo"),
    ] {
        let ran = check(url).await.exits(3);
        assert!(!ran.out.contains("canary") && !ran.err.contains("canary"), "{ran:?}");
        let refused = ran.json();
        assert_eq!((&refused["accepted"], &refused["code"]), (&json!(false), &json!(code)));
        assert!(refused["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    }
    let table = cli.run(&["egress", "check", "https://10.0.0.1/"]).await.exits(3).out;
    assert!(table.contains("url.address_blocked"), "{table}");
}

#[tokio::test]
async fn a_network_of_mapped_addresses_is_the_ipv4_network() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    let deny = async |network| cli.run(&["egress", "set", "acme", "--deny-cidrs", network]).await;
    deny("::ffff:93.184.0.0/90").await.exits(2).says("egress.network");
    deny("::ffff:93.184.0.0/112").await.exits(0);
    let listed = cli.run(&["egress", "list", "--json"]).await.exits(0).json();
    assert_eq!(listed["data"][0]["deny_cidrs"], json!(["93.184.0.0/16"]));
    let check = ["egress", "check", "https://93.184.216.34/", "--tenant", "acme"];
    cli.run(&check).await.exits(3);
    // The installation's lists, and what is stored from before.
    let cli = cli.with("POSTRIDER_EGRESS_DENY_CIDRS", "::ffff:8.8.8.0/120");
    cli.run(&["egress", "check", "https://8.8.8.8/"]).await.exits(3);
    db.execute("UPDATE postrider.webhook_egress_rules SET deny_cidrs = '{::ffff:9.9.9.0/120}'")
        .await;
    cli.run(&["egress", "check", "https://9.9.9.9/", "--tenant", "acme"]).await.exits(3);
}

#[tokio::test]
async fn wrong_rules_and_settings_are_refused_with_their_names() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    for (args, said) in [
        (&["egress", "set", "acme"][..], "nothing to set"),
        (&["egress", "set", "acme", "--allow-cidrs", "10.1"], "egress.network"),
        (&["egress", "set", "acme", "--ports", "22"], "egress.port"),
        (&["egress", "set", "a b", "--ports", "443"], "tenant.syntax"),
        (
            &["egress", "set", "acme", "--allow-cidrs", "10.0.0.0/8", "--deny-cidrs", "10.0.0.0/8"],
            "egress.contradiction",
        ),
    ] {
        cli.run(args).await.exits(2).says(said);
    }
    for (name, value, said) in [
        ("POSTRIDER_EGRESS_PROXY", "https://u:canary@proxy:3128", "must begin with http://"),
        ("POSTRIDER_EGRESS_PROXY_RESOLVES", "true", "egress.proxy_resolves"),
        ("POSTRIDER_EGRESS_PORTS", "443,25", "egress.ports"),
    ] {
        let ran = Cli::new().with(name, value).run(&["config", "check"]).await;
        assert!(ran.code != 0 && !ran.err.contains("canary"), "{ran:?}");
        assert!(ran.err.contains(said) || ran.out.contains(said), "{ran:?}");
    }
}
