//! An event that the database refuses is found, counted and put off, and stops nobody else.

use crate::stage::{PENDING, Stage, options};

/// SQLSTATE of a violated CHECK, as one of ours or of somebody's own trigger would give it.
const CHECK_VIOLATION: &str = "23514";

#[tokio::test]
async fn a_poisonous_event_is_isolated_and_its_batch_mates_go_through() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint(&["*"]).await;
    stage.publish_many("e", 5, 10).await;
    stage.refuse("e3", CHECK_VIOLATION).await;
    let mut fan_out = stage.fan_out(options());

    assert_eq!(fan_out.drain().await.unwrap(), 4);
    assert_eq!(stage.owed(endpoint).await, ["e1", "e2", "e4", "e5"]);
    let (tries, error) = stage.tries("e3").await;
    assert_eq!(tries, 1, "one try, not one for the batch and one for itself");
    assert!(error.as_ref().is_some_and(|error| error.contains("not this one")), "{error:?}");
    let later = "SELECT count(*) FROM postrider.webhook_events_pending WHERE next_attempt_at > clock_timestamp() + interval '1 second'";
    assert_eq!(stage.count(later).await, 1, "it is put off");

    // Whatever was wrong is mended, and the event goes out.
    stage.refuse_nothing().await;
    stage.make_due().await;
    assert_eq!(fan_out.drain().await.unwrap(), 1);
    assert_eq!(stage.owed(endpoint).await, ["e1", "e2", "e3", "e4", "e5"]);
}

#[tokio::test]
async fn after_ten_tries_it_is_failed() {
    let mut stage = Stage::new().await;
    let endpoint = stage.endpoint(&["*"]).await;
    stage.publish("bad").await;
    stage.refuse("bad", CHECK_VIOLATION).await;
    let mut fan_out = stage.fan_out(options());
    for tries in 1..10 {
        fan_out.drain().await.unwrap();
        assert_eq!(stage.tries("bad").await.0, tries);
        // New ones pass it by.
        stage.publish(&format!("good{tries}")).await;
        assert_eq!(fan_out.drain().await.unwrap(), 1);
        stage.make_due().await;
    }
    fan_out.drain().await.unwrap();
    assert_eq!(stage.failed("bad").await, (10, "fanout_refused".to_owned()));
    assert_eq!(stage.count(PENDING).await, 0);
    assert_eq!(stage.owed(endpoint).await.len(), 9);
}

#[tokio::test]
async fn two_poisonous_events_in_one_batch_are_both_found() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint(&["*"]).await;
    stage.publish_many("e", 6, 10).await;
    stage.client
        .batch_execute(
            "ALTER TABLE postrider.webhook_deliveries_open ADD CONSTRAINT nothing_of_these CHECK (event_seq NOT IN (2, 5)) NOT VALID",
        )
        .await
        .unwrap();
    let mut fan_out = stage.fan_out(options());
    assert_eq!(fan_out.drain().await.unwrap(), 4);
    assert_eq!(stage.owed(endpoint).await, ["e1", "e3", "e4", "e6"]);
    assert_eq!((stage.tries("e2").await.0, stage.tries("e5").await.0), (1, 1));
}
