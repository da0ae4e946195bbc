//! A pending row without an event behind it is an alarm, never a silence.

use crate::stage::{PENDING, Stage, options};

#[tokio::test]
async fn an_event_without_a_body_goes_to_the_failed_and_its_batch_mates_go_through() {
    let mut stage = Stage::new().await;
    let endpoint = stage.endpoint(&["*"]).await;
    for id in ["e1", "hollow", "e3"] {
        stage.publish(id).await;
    }
    let lose = "DELETE FROM postrider.webhook_events WHERE id = 'hollow'";
    stage.client.batch_execute(lose).await.unwrap();

    let pass = stage.fan_out(options()).pass().await.unwrap();
    assert_eq!((pass.claimed, pass.fanned_out, pass.bodiless), (3, 2, 1));
    assert_eq!(stage.failed("hollow").await, (0, "body_missing".to_owned()));
    assert_eq!(stage.owed(endpoint).await, ["e1", "e3"]);
    assert_eq!(stage.count(PENDING).await, 0);
}

#[tokio::test]
async fn a_batch_of_nothing_but_missing_bodies_leaves_the_queue_too() {
    let stage = Stage::new().await;
    stage.publish_many("e", 4, 10).await;
    stage.client.batch_execute("DELETE FROM postrider.webhook_events").await.unwrap();
    let mut fan_out = stage.fan_out(options());
    assert_eq!(fan_out.drain().await.unwrap(), 0);
    let failed =
        "SELECT count(*) FROM postrider.webhook_events_failed WHERE reason = 'body_missing'";
    assert_eq!((stage.count(PENDING).await, stage.count(failed).await), (0, 4));
}
