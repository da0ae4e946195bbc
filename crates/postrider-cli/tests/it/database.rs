//! Databases that cannot be used: one clear message each, the right code, and no password anywhere.

use std::time::Duration;

use postrider_testkit::TestDb;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{Cli, finished, terminate};

#[tokio::test]
async fn an_unreachable_database_is_69_and_its_password_is_hidden() {
    // Port 9 on loopback: nobody listens there.
    let cli = Cli::at(&TestDb::new().await)
        .with("POSTRIDER_DATABASE_URL", "postgres://u:hush-hush@127.0.0.1:9/db");
    for args in [&["status"][..], &["run", "--once"], &["migrate", "up"], &["status", "--json"]] {
        let ran = cli.run(args).await.exits(69).says("cannot be reached").says("u@127.0.0.1:9/db");
        assert!(!ran.err.contains("hush") && !ran.out.contains("hush"), "{}", ran.err);
    }
    let error: serde_json::Value =
        serde_json::from_str(&cli.run(&["status", "--json"]).await.err).unwrap();
    assert_eq!(error["error"]["exit"], 69);
}

#[tokio::test]
async fn a_daemon_waits_for_its_database() {
    let cli = Cli::new()
        .with("POSTRIDER_DATABASE_URL", "postgres://u:hush-hush@127.0.0.1:9/db")
        .with("POSTRIDER_MASTER_KEY", crate::support::MASTER_KEY);
    let args = ["run", "--admin-listen", "off"];
    let mut child = cli.start(&args);
    let early = tokio::time::timeout(Duration::from_millis(1500), child.wait()).await;
    assert!(early.is_err(), "it gave up: {early:?}");
    terminate(&child);
    let ran = finished(child, &args).await.exits(0).says("cannot be used yet");
    assert!(ran.err.lines().count() >= 4, "it tries again and again: {}", ran.err);
    assert!(!ran.err.contains("hush"));
}

#[tokio::test]
async fn a_wrong_url_is_78_and_never_repeated() {
    for url in ["http://u:hush@h/db", "postgres://u:hush@h:port/db", "host", "mysql://u:hush@h/db"]
    {
        let ran = Cli::new()
            .run(&["status", "-d", url])
            .await
            .exits(78)
            .says("database.url")
            .says("flag --database-url");
        assert!(!ran.err.contains("hush"), "{url}: {}", ran.err);
    }
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_78() {
    let db = TestDb::new().await;
    let url = db.url().replace(db.name(), "pr_test_nowhere");
    Cli::at(&db)
        .with("POSTRIDER_DATABASE_URL", &url)
        .run(&["status"])
        .await
        .exits(78)
        .says("no such database");
}

#[tokio::test]
async fn a_database_that_takes_no_writes_says_so() {
    let db = TestDb::new().await;
    let name = db.name().to_owned();
    db.execute(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
    let cli = Cli::at(&db);
    cli.run(&["switch", "off"]).await.exits(69).says("takes no writes");
    cli.run(&["events", "publish", "order.paid"]).await.exits(69);
    cli.run(&["endpoints", "add", "https://example.com/h"]).await.exits(69).says("takes no writes");
    cli.run(&["endpoints", "list"]).await.exits(0);
}

#[tokio::test]
async fn a_user_without_rights_is_4() {
    let db = TestDb::new().await;
    let role = format!("{}_guest", db.name());
    db.execute(&format!("CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA postrider TO {role}; GRANT SELECT ON postrider.schema_history TO {role}")).await;
    let ran = Cli::at(&db).run(&["switch", "off"]).await.exits(0);
    assert!(ran.out.contains("off"));
    let url = format!("{}{}user={role}", db.url(), if db.url().contains('?') { "&" } else { "?" });
    Cli::at(&db)
        .with("POSTRIDER_DATABASE_URL", &url)
        .run(&["switch", "off"])
        .await
        .exits(4)
        .says("may not do this");
    db.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[tokio::test]
async fn secrets_need_a_master_key() {
    let db = TestDb::new().await;
    let cli = Cli::new().with("POSTRIDER_DATABASE_URL", db.url());
    for args in [&["endpoints", "add", "https://example.com/h"][..], &["run", "--once"]] {
        cli.run(args).await.exits(78).says("there is no master key").says("POSTRIDER_MASTER_KEY");
    }
    cli.run(&["endpoints", "list"]).await.exits(0);
    cli.run(&["status"]).await.exits(0);
}

#[tokio::test]
async fn a_server_without_tls_is_78_and_names_the_setting() {
    // What a PostgreSQL server without TLS answers to the request for it: the one letter N.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut server = tokio::task::JoinSet::new();
    server.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 8];
            stream.read_exact(&mut request).await.unwrap();
            stream.write_all(b"N").await.unwrap();
        }
    });
    let url = format!("postgres://u:hush@127.0.0.1:{port}/db?sslmode=require");
    let cli = Cli::new()
        .with("POSTRIDER_DATABASE_URL", &url)
        .with("POSTRIDER_MASTER_KEY", crate::support::MASTER_KEY);
    for args in [&["status"][..], &["run"]] {
        let ran = cli.run(args).await.exits(78).says("sslmode=disable");
        assert!(!ran.err.contains("hush"));
    }
}
