//! The schema, by our hand and by somebody else's.

use postrider_store::migrations::{self, SchemaState};
use postrider_testkit::TestDb;

use crate::support::Cli;

#[tokio::test]
async fn an_empty_database_is_migrated_once() {
    let db = TestDb::empty().await;
    let cli = Cli::at(&db);
    let before = cli.run(&["migrate", "status", "--json"]).await.exits(3).json();
    assert_eq!(before["current"], false);
    assert!(before["data"][0]["applied_on"].is_null());

    let first = cli.run(&["migrate", "up", "--json"]).await.exits(0).json();
    assert_eq!(first["version"], migrations::wanted());
    assert_eq!(
        first["applied"].as_array().unwrap().len(),
        before["data"].as_array().unwrap().len()
    );
    let again = cli.run(&["migrate", "up"]).await.exits(0);
    assert!(again.out.contains("up to date"), "{}", again.out);
    assert_eq!(cli.run(&["migrate", "status", "--json"]).await.exits(0).json()["current"], true);
}

#[tokio::test]
async fn two_migrations_at_once_wait_for_each_other() {
    let db = TestDb::empty().await;
    let cli = Cli::at(&db);
    let up = ["migrate", "up", "--json"];
    let (one, other) = tokio::join!(cli.run(&up), cli.run(&up));
    let applied =
        |ran: crate::support::Ran| ran.exits(0).json()["applied"].as_array().unwrap().len();
    let (one, other) = (applied(one), applied(other));
    assert!(one == 0 || other == 0, "{one} and {other}");
    assert!(one + other > 0);
}

#[tokio::test]
async fn the_printed_script_makes_the_same_schema() {
    let db = TestDb::empty().await;
    let script = Cli::new().run(&["migrate", "print"]).await.exits(0).out;
    db.execute(&script).await;
    let client = db.client().await;
    let state = migrations::state(&client).await.unwrap();
    assert_eq!(state, SchemaState::Current { version: migrations::wanted() });
    Cli::at(&db).run(&["status"]).await.exits(0);
    let up = Cli::at(&db).run(&["migrate", "up"]).await.exits(0);
    assert!(up.out.contains("up to date"), "{}", up.out);
}

#[tokio::test]
async fn a_schema_that_is_missing_old_or_new_is_refused_with_the_remedy() {
    let missing = TestDb::empty().await;
    for args in [&["status"][..], &["run", "--once"], &["run"], &["endpoints", "list"]] {
        Cli::at(&missing)
            .run(args)
            .await
            .exits(78)
            .says("no postrider schema")
            .says("postrider migrate up");
    }

    let old = TestDb::new().await;
    old.execute("DELETE FROM postrider.schema_history WHERE version > 1").await;
    for args in [&["status"][..], &["run", "--once"]] {
        Cli::at(&old)
            .run(args)
            .await
            .exits(78)
            .says("version 1, this binary needs")
            .says("postrider migrate up");
    }

    let new = TestDb::new().await;
    new.execute(
        "INSERT INTO postrider.schema_history (version, name, applied_on) VALUES (9999, 'of_tomorrow', 'tomorrow')",
    )
    .await;
    for args in [&["status"][..], &["run", "--once", "--migrate"], &["migrate", "up"]] {
        Cli::at(&new).run(args).await.exits(78).says("version 9999").says("newer postrider binary");
    }
    let status = Cli::at(&new).run(&["migrate", "status"]).await.exits(3);
    assert!(status.out.contains("of_tomorrow"));
}

#[tokio::test]
async fn run_migrates_another_database_only_when_told() {
    let db = TestDb::empty().await;
    let cli = Cli::at(&db);
    cli.run(&["run", "--once", "--admin-listen", "off"]).await.exits(78);
    cli.run(&["run", "--once", "--migrate", "--admin-listen", "off"]).await.exits(0);
    cli.run(&["migrate", "status"]).await.exits(0);
}
