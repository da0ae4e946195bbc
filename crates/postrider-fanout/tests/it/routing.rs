//! The endpoints that fan-out keeps compiled are never stale.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::stage::{DELIVERIES, Meddler, Stage, at_once, options};

#[tokio::test]
async fn a_change_of_the_endpoints_between_two_passes_is_seen() {
    let mut stage = Stage::new().await;
    let mut fan_out = stage.fan_out(options());
    let first = stage.endpoint(&["order.*"]).await;
    stage.publish("e1").await;
    fan_out.drain().await.unwrap();

    let second = stage.endpoint(&["order.paid"]).await;
    stage.publish("e2").await;
    fan_out.drain().await.unwrap();

    let narrow = "UPDATE postrider.webhook_endpoints SET event_types = '{email.*}' WHERE id = $1";
    stage.client.execute(narrow, &[&first.0]).await.unwrap();
    stage.publish("e3").await;
    fan_out.drain().await.unwrap();

    let filter =
        "UPDATE postrider.webhook_endpoints SET filter = '{\"labels\": [\"vip\"]}' WHERE id = $1";
    stage.client.execute(filter, &[&second.0]).await.unwrap();
    stage.publish("e4").await;
    fan_out.drain().await.unwrap();

    assert_eq!(stage.owed(first).await, ["e1", "e2"]);
    assert_eq!(stage.owed(second).await, ["e2", "e3"]);
}

#[tokio::test]
async fn disabled_and_deleted_endpoints_get_nothing() {
    let mut stage = Stage::new().await;
    let mut fan_out = stage.fan_out(options());
    let [disabled, deleted, kept] =
        [stage.endpoint(&["*"]).await, stage.endpoint(&["*"]).await, stage.endpoint(&["*"]).await];
    stage.publish("before").await;
    fan_out.drain().await.unwrap();

    let disable = "UPDATE postrider.webhook_endpoints SET enabled = false WHERE id = $1";
    stage.client.execute(disable, &[&disabled.0]).await.unwrap();
    let delete = "DELETE FROM postrider.webhook_endpoints WHERE id = $1";
    stage.client.execute(delete, &[&deleted.0]).await.unwrap();
    stage.publish("after").await;
    fan_out.drain().await.unwrap();

    assert_eq!(stage.owed(disabled).await, ["before"]);
    assert_eq!(stage.owed(deleted).await, ["before"]);
    assert_eq!(stage.owed(kept).await, ["before", "after"]);

    let enable = "UPDATE postrider.webhook_endpoints SET enabled = true WHERE id = $1";
    stage.client.execute(enable, &[&disabled.0]).await.unwrap();
    stage.publish("again").await;
    fan_out.drain().await.unwrap();
    assert_eq!(stage.owed(disabled).await, ["before", "again"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_deleted_between_matching_and_inserting_gets_nothing() {
    let mut stage = Stage::new().await;
    let (gone, kept) = (stage.endpoint(&["*"]).await, stage.endpoint(&["*"]).await);
    let (session, once) = (stage.db.client().await, AtomicBool::new(true));
    let lanes = Meddler(move || {
        if once.swap(false, Ordering::SeqCst) {
            let delete = "DELETE FROM postrider.webhook_endpoints WHERE id = $1";
            assert_eq!(at_once(session.execute(delete, &[&gone.0])).unwrap(), 1);
        }
    });
    let mut fan_out = stage.fan_out_to(lanes, options());
    stage.publish("e1").await;
    let pass = fan_out.pass().await.unwrap();
    assert_eq!((pass.fanned_out, stage.count(DELIVERIES).await), (1, 1));
    assert_eq!(stage.owed(gone).await, [""; 0]);
    assert_eq!(stage.owed(kept).await, ["e1"]);
}

#[tokio::test]
async fn no_event_crosses_to_another_tenant() {
    let mut stage = Stage::new().await;
    let ours = stage.endpoint(&["*"]).await;
    stage.publish("ours").await;
    let others = "SELECT * FROM postrider.publish('order.paid', 'globex', id => 'theirs')";
    stage.client.batch_execute(others).await.unwrap();
    assert_eq!(stage.fan_out(options()).drain().await.unwrap(), 2);
    assert_eq!(stage.owed(ours).await, ["ours"]);
    assert_eq!(stage.count(DELIVERIES).await, 1);
}
