//! The configuration as a user meets it.

use crate::support::Cli;

#[tokio::test]
async fn check_says_everything_that_is_wrong_at_once() {
    let cli = Cli::new()
        .with("POSTRIDER_DATABASE_URL", "postgres://u:hush@h:x/db")
        .with("POSTRIDER_WORKER_LEASE", "1s")
        .with("POSTRIDER_WORKER_ROLE", "fanout");
    cli.file("postrider.toml", "[retention]\nevnts = \"1d\"\n");
    let ran = cli.run(&["config", "check"]).await.exits(3).says("4 mistakes");
    for said in [
        "database.url (POSTRIDER_DATABASE_URL)",
        "worker.lease (POSTRIDER_WORKER_LEASE)",
        "did you mean POSTRIDER_WORKER_ROLES?",
        "did you mean retention.events?",
    ] {
        assert!(ran.err.contains(said), "{said} is not in:\n{}", ran.err);
    }
    assert!(!ran.err.contains("hush"));
    let json = cli.run(&["config", "check", "--json"]).await.exits(3).json();
    assert_eq!(json["mistakes"].as_array().unwrap().len(), 4);
    // The daemon names the same mistakes, and does not start.
    cli.run(&["run"]).await.exits(78).says("4 mistakes");
    cli.run(&["status"]).await.exits(78).says("4 mistakes");
}

#[tokio::test]
async fn show_prints_each_value_with_its_origin_and_no_secret() {
    let cli = Cli::new()
        .with("POSTRIDER_WORKER_LANE", "99")
        .with("POSTRIDER_MASTER_KEY", crate::support::MASTER_KEY);
    let file = cli.file("other.toml", "[database]\nurl = \"postgres://u:hush@h/db\"\n");
    let json = cli.run(&["config", "show", "--json", "-c", &file]).await.exits(0).json();
    let of = |key: &str| {
        json["data"].as_array().unwrap().iter().find(|row| row["key"] == key).unwrap().clone()
    };
    assert_eq!(of("worker.lane")["value"], "99");
    assert_eq!(of("worker.lane")["origin"], "POSTRIDER_WORKER_LANE");
    assert_eq!(of("worker.lease")["origin"], "default");
    assert!(of("data_dir")["value"].as_str().unwrap().contains("postrider"));
    assert_eq!(of("database.url")["value"], "postgres://u:***@h/db");
    assert_eq!(of("database.url")["origin"], file.as_str());
    assert_eq!(of("master_key")["value"], "***");
    let text = cli.run(&["config", "show", "-d", "postgres://u:hush@h/db"]).await.exits(0);
    assert!(text.out.contains("flag --database-url") && !text.out.contains("hush"), "{}", text.out);
    let sound = cli.run(&["config", "check"]).await.exits(0);
    assert!(sound.out.contains("sound"));
}
