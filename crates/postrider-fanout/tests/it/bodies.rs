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

#[tokio::test]
async fn bodies_of_other_days_are_read_too_in_one_claim_with_todays() {
    let mut stage = Stage::new().await;
    let endpoint = stage.endpoint(&["*"]).await;
    let mut fan_out = stage.fan_out(options());
    stage.publish("today").await;
    assert_eq!(fan_out.drain().await.unwrap(), 1);
    for id in ["later", "between", "much_later", "hollow"] {
        stage.publish(id).await;
    }
    // As if they had been published on those days: ahead, where partitions are.
    for (id, days) in [("later", 3), ("much_later", 200), ("hollow", 40)] {
        for table in ["webhook_events", "webhook_events_pending"] {
            let sql = format!(
                "UPDATE postrider.{table} SET created_at = created_at + make_interval(days => $2)
                 WHERE seq = (SELECT seq FROM postrider.webhook_event_ids WHERE id = $1)"
            );
            assert_eq!(stage.client.execute(&sql, &[&id, &days]).await.unwrap(), 1, "{id}");
        }
    }
    let lose = "DELETE FROM postrider.webhook_events WHERE id = 'hollow'";
    stage.client.batch_execute(lose).await.unwrap();

    let pass = fan_out.pass().await.unwrap();
    assert_eq!((pass.claimed, pass.fanned_out, pass.bodiless), (4, 3, 1));
    assert_eq!(stage.failed("hollow").await, (0, "body_missing".to_owned()));
    // From where the last one lies, the next is far away again.
    stage.publish("back_again").await;
    assert_eq!(fan_out.drain().await.unwrap(), 1);
    let mut owed = stage.owed(endpoint).await;
    owed.sort();
    assert_eq!(owed, ["back_again", "between", "later", "much_later", "today"]);
}
