//! The intake against a real PostgreSQL, and the program `mail-intake` as a user starts it.

mod program;

use postrider_examples::{Ending, IntakeError, Outcome, create_table, intake, samples};
use postrider_testkit::TestDb;
use tokio::task::JoinSet;
use tokio_postgres::Client;

const PLAIN: &[u8] = b"From: ada@engine.example\r\nTo: Support@Inbox.example\r\nSubject: Hello\r\nMessage-ID: <m1>\r\n\r\nHello there";

async fn stage() -> (TestDb, Client) {
    let db = TestDb::new().await;
    let client = db.client().await;
    create_table(&client).await.expect("the table can be made");
    (db, client)
}

async fn count(client: &Client, table: &str) -> i64 {
    client
        .query_one(&format!("SELECT count(*) FROM {table}"), &[])
        .await
        .expect("it can be counted")
        .get(0)
}

async fn take(client: &mut Client, raw: &[u8], ending: Ending) -> Outcome {
    intake(client, "acme", raw, ending).await.expect("it is taken in").outcome
}

#[tokio::test]
async fn a_message_becomes_a_row_and_an_event() {
    let (_db, mut client) = stage().await;
    let taken = intake(&mut client, "acme", PLAIN, Ending::Commit).await.expect("it is taken in");
    assert_eq!(taken.outcome, Outcome::Published);
    assert!(taken.event_id.starts_with("evt_"));

    let row = client
        .query_one(
            "SELECT tenant_id, message_id, sender, recipients, subject, raw FROM mail_messages",
            &[],
        )
        .await
        .expect("one row");
    assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1)), ("acme", "m1"));
    assert_eq!(row.get::<_, &str>(2), "ada@engine.example");
    assert_eq!(row.get::<_, Vec<String>>(3), ["Support@Inbox.example"]);
    assert_eq!((row.get::<_, &str>(4), row.get::<_, &[u8]>(5)), ("Hello", PLAIN));

    let sql = "SELECT id, type, attributes ->> 'agent_id', envelope::json -> 'data' ->> 'text_preview' FROM postrider.webhook_events";
    let event = client.query_one(sql, &[]).await.expect("one event");
    assert_eq!(
        (event.get::<_, &str>(0), event.get::<_, &str>(1)),
        (taken.event_id.as_str(), "email.received")
    );
    assert_eq!(
        (event.get::<_, &str>(2), event.get::<_, &str>(3)),
        ("support@inbox.example", "Hello there")
    );
}

#[tokio::test]
async fn twenty_samples_are_nineteen_messages() {
    let (_db, mut client) = stage().await;
    for (name, raw) in samples() {
        let expected = if *name == "11-same-message-again.eml" {
            Outcome::Duplicate
        } else {
            Outcome::Published
        };
        assert_eq!(take(&mut client, raw, Ending::Commit).await, expected, "{name}");
    }
    for table in ["mail_messages", "postrider.webhook_events"] {
        assert_eq!(count(&client, table).await, 19, "{table}");
    }
    for (name, raw) in samples() {
        assert_eq!(take(&mut client, raw, Ending::Commit).await, Outcome::Duplicate, "{name}");
    }
    assert_eq!(count(&client, "postrider.webhook_events_pending").await, 19);
}

#[tokio::test]
async fn a_rollback_leaves_neither_row_nor_event() {
    let (_db, mut client) = stage().await;
    assert_eq!(take(&mut client, PLAIN, Ending::RollBack).await, Outcome::RolledBack);
    for table in [
        "mail_messages",
        "postrider.webhook_event_ids",
        "postrider.webhook_events",
        "postrider.webhook_events_pending",
    ] {
        assert_eq!(count(&client, table).await, 0, "{table}");
    }
    assert_eq!(take(&mut client, PLAIN, Ending::Commit).await, Outcome::Published);
}

#[tokio::test]
async fn another_message_with_the_same_id_changes_nothing() {
    let (_db, mut client) = stage().await;
    take(&mut client, PLAIN, Ending::Commit).await;
    let other = String::from_utf8_lossy(PLAIN).replace("Hello there", "Something else");
    assert_eq!(take(&mut client, other.as_bytes(), Ending::Commit).await, Outcome::Conflict);
    let row = client.query_one("SELECT raw FROM mail_messages", &[]).await.expect("one row");
    assert_eq!(row.get::<_, &[u8]>(0), PLAIN);
    assert_eq!(count(&client, "postrider.webhook_events").await, 1);
}

#[tokio::test]
async fn mail_is_stored_while_publishing_is_switched_off() {
    let (db, mut client) = stage().await;
    db.execute("INSERT INTO postrider.webhook_switches (scope, name) VALUES ('tenant', 'acme')")
        .await;
    assert_eq!(take(&mut client, PLAIN, Ending::Commit).await, Outcome::Disabled);
    assert_eq!(
        (count(&client, "mail_messages").await, count(&client, "postrider.webhook_events").await),
        (1, 0)
    );
}

#[tokio::test]
async fn the_same_message_for_two_tenants_is_two_messages() {
    let (_db, mut client) = stage().await;
    for tenant in ["acme", "hooli"] {
        let taken =
            intake(&mut client, tenant, PLAIN, Ending::Commit).await.expect("it is taken in");
        assert_eq!(taken.outcome, Outcome::Published, "{tenant}");
    }
    assert_eq!(count(&client, "mail_messages").await, 2);
}

#[tokio::test]
async fn what_is_refused_leaves_nothing() {
    let (_db, mut client) = stage().await;
    let refused =
        intake(&mut client, "acme", b"\x89PNG", Ending::Commit).await.expect_err("no mail");
    assert!(matches!(refused, IntakeError::NotMail(_)), "{refused}");
    let refused =
        intake(&mut client, "no tenant", PLAIN, Ending::Commit).await.expect_err("no tenant");
    assert!(matches!(refused, IntakeError::Publish(_)), "{refused}");
    assert_eq!(count(&client, "mail_messages").await, 0);
    assert_eq!(take(&mut client, PLAIN, Ending::Commit).await, Outcome::Published);
}

#[tokio::test]
async fn the_table_is_made_once_by_many() {
    let db = TestDb::new().await;
    let mut programs = JoinSet::new();
    for _ in 0..8 {
        let client = db.client().await;
        programs.spawn(async move { create_table(&client).await });
    }
    for made in programs.join_all().await {
        made.expect("none of them fails");
    }
}
