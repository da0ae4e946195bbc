//! Only what was committed is fanned out, and all of it, in whatever order the commits come.

use crate::stage::{DELIVERIES, PENDING, Stage, options, publish};

#[tokio::test]
async fn an_event_that_was_rolled_back_is_never_fanned_out() {
    let mut stage = Stage::new().await;
    let endpoint = stage.endpoint(&["*"]).await;
    let mut fan_out = stage.fan_out(options());
    let mut session = stage.db.client().await;

    let tx = session.transaction().await.unwrap();
    publish(&tx, "undone").await;
    assert_eq!(fan_out.pass().await.unwrap().claimed, 0, "it is not committed yet");
    tx.rollback().await.unwrap();
    stage.publish("kept").await;

    assert_eq!(fan_out.drain().await.unwrap(), 1);
    assert_eq!(stage.owed(endpoint).await, ["kept"]);
    assert_eq!(stage.count(PENDING).await, 0);
    assert_eq!(stage.count("SELECT count(*) FROM postrider.webhook_events").await, 1);
}

#[tokio::test]
async fn a_late_committer_with_a_lower_seq_is_fanned_out() {
    let mut stage = Stage::new().await;
    let endpoint = stage.endpoint(&["*"]).await;
    let mut fan_out = stage.fan_out(options());
    let mut session = stage.db.client().await;

    let late = session.transaction().await.unwrap();
    publish(&late, "late").await;
    stage.publish("early").await;
    assert_eq!(fan_out.drain().await.unwrap(), 1);
    assert_eq!(stage.owed(endpoint).await, ["early"]);

    late.commit().await.unwrap();
    assert_eq!(fan_out.drain().await.unwrap(), 1);
    assert_eq!(stage.owed(endpoint).await, ["late", "early"], "in the order of their seq");
}

#[tokio::test]
async fn an_event_is_owed_once_however_often_it_is_published() {
    let mut stage = Stage::new().await;
    let endpoint = stage.endpoint(&["*"]).await;
    let mut fan_out = stage.fan_out(options());
    stage.publish("again").await;
    fan_out.drain().await.unwrap();
    stage.publish_many("again", 0, 10).await;
    stage
        .client
        .batch_execute(
            "SELECT * FROM postrider.publish('order.paid', 'acme', 'null', id => 'again')",
        )
        .await
        .unwrap();
    assert_eq!(fan_out.drain().await.unwrap(), 0);
    assert_eq!(stage.owed(endpoint).await, ["again"]);
}

#[tokio::test]
async fn an_event_that_nobody_wants_leaves_the_queue_without_a_delivery() {
    let mut stage = Stage::new().await;
    stage.endpoint(&["email.*"]).await;
    stage.publish("unwanted").await;
    let pass = stage.fan_out(options()).pass().await.unwrap();
    assert_eq!((pass.claimed, pass.fanned_out, pass.deliveries), (1, 1, 0));
    assert_eq!((stage.count(PENDING).await, stage.count(DELIVERIES).await), (0, 0));
}
