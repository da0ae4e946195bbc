//! Limits of tenants, from the command line to the requests that are made.

use std::time::{Duration, Instant};

use postrider_testkit::{Behaviour, Receiver, TestDb};
use serde_json::json;

use crate::support::Cli;

#[tokio::test]
async fn a_tenants_limits_are_set_shown_kept_to_and_taken_away() {
    let db = TestDb::new().await;
    let receiver = Receiver::start().await;
    receiver.behave_by_default(Behaviour::delay(Duration::from_millis(50)));
    let cli = Cli::at(&db);
    for path in ["/a", "/b"] {
        let url = receiver.url(path);
        cli.run(&["endpoints", "add", &url, "--tenant", "acme", "--dev"]).await.exits(0);
    }
    cli.run(&["tenants", "limits", "show"]).await.exits(0).says("no tenant has limits");
    let set = ["tenants", "limits", "set", "acme", "--max-in-flight", "3", "--rate-limit", "40"];
    cli.run(&set).await.exits(0);
    let shown = cli.run(&["tenants", "limits", "show", "acme", "--json"]).await.exits(0).json();
    assert_eq!(shown["data"][0]["max_in_flight"], 3);
    assert_eq!(shown["data"][0]["rate_limit"], 40);
    let client = db.client().await;
    let publish = "SELECT count(postrider.publish_v1('acme', $1 || i, 'order.paid', '{}', NULL, NULL, NULL, NULL, NULL, true)) FROM generate_series(1, 20) i";
    client.query_one(publish, &[&"a"]).await.unwrap();
    let begun = Instant::now();
    cli.run(&["run", "--once", "--dev", "--admin-listen", "off"]).await.exits(0);
    assert_eq!((receiver.count(), receiver.most_open()), (40, 3));
    assert!(begun.elapsed() > Duration::from_millis(900), "{:?} at 40 a second", begun.elapsed());

    let change = ["tenants", "limits", "set", "acme", "--rate-limit", "none"];
    let changed = cli.run(&change).await.exits(0);
    assert!(changed.out.contains("3 in flight"), "{}", changed.out);
    let shown = cli.run(&["tenants", "limits", "show", "--json"]).await.exits(0).json();
    assert_eq!(shown["data"][0]["max_in_flight"], 3, "what is not named stays");
    assert_eq!(shown["data"][0]["rate_limit"], json!(null));
    for said in ["has no limits any more", "had no limits"] {
        let cleared = cli.run(&["tenants", "limits", "clear", "acme"]).await.exits(0);
        assert!(cleared.out.contains(said), "{}", cleared.out);
    }
    client.query_one(publish, &[&"b"]).await.unwrap();
    let flags = ["run", "--once", "--dev", "--admin-listen", "off", "--limit-in-flight", "7"];
    cli.run(&flags).await.exits(0);
    assert_eq!((receiver.count(), receiver.most_open()), (80, 7), "the installation's own limit");
}

#[tokio::test]
async fn wrong_limits_are_refused_with_their_names() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    for (args, said) in [
        (&["set", "acme"][..], "nothing to set"),
        (&["set", "acme", "--max-in-flight", "0"], "max_in_flight.range"),
        (&["set", "acme", "--rate-limit", "1000001"], "rate_limit.range"),
        (&["set", "a b", "--rate-limit", "5"], "tenant.syntax"),
    ] {
        cli.run(&[&["tenants", "limits"], args].concat()).await.exits(2).says(said);
    }
    let cli = cli.with("POSTRIDER_LIMITS_RATE", "0");
    cli.run(&["config", "check"]).await.says("limits.rate");
}
