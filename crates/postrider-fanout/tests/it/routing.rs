//! The endpoints that fan-out keeps compiled are never stale.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::stage::{DELIVERIES, Meddler, Stage, TENANT, at_once, options};

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

#[tokio::test]
async fn filters_see_attributes_labels_and_data_as_they_were_published() {
    let stage = Stage::new().await;
    let mut wanted = Vec::new();
    for (filter, owed) in [
        (r#"{"data": {"total": [{"numeric": [">", 100]}]}}"#, &["e1", "e2"][..]),
        (r#"{"data": {"items": {"sku": [{"suffix": "-x"}], "n": [2]}}}"#, &["e2"]),
        (r#"{"data": [{"exists": false}]}"#, &["e4"]),
        (
            r#"{"attributes": {"plan": [{"anything-but": "free"}]}, "labels": [{"prefix": "v"}]}"#,
            &["e3"],
        ),
        (r#"{"$or": [{"labels": ["vip"]}, {"data": {"odd": ["\ufffd"]}}]}"#, &["e1", "e3"]),
    ] {
        let endpoint = stage.endpoint(&["order.*"]).await;
        let set = "UPDATE postrider.webhook_endpoints SET filter = $2::text::jsonb WHERE id = $1";
        stage.client.execute(set, &[&endpoint.0, &filter]).await.unwrap();
        wanted.push((endpoint, filter, owed));
    }
    for (id, data, attributes, labels) in [
        // A number and half a pair that PostgreSQL accepts as JSON.
        ("e1", r#"{"data":{"total":0}, "total":1e400, "odd":"\ud800"}"#, None, &[][..]),
        ("e2", r#"{"total":100.5,"items":[{"sku":"a-x","n":1},{"sku":"b-x","n":2}]}"#, None, &[]),
        ("e3", r#"{"total":100}"#, Some(r#"{"plan":"pro"}"#), &["vip"]),
        ("e4", "null", Some(r#"{"plan":"free"}"#), &["v"]),
    ] {
        let publish = "SELECT postrider.publish('order.paid', $1, data => $3::text, id => $2, attributes => $4::text::jsonb, labels => $5)";
        stage.client.execute(publish, &[&TENANT, &id, &data, &attributes, &labels]).await.unwrap();
    }
    assert_eq!(stage.fan_out(options()).drain().await.unwrap(), 4);
    for (endpoint, filter, owed) in wanted {
        assert_eq!(stage.owed(endpoint).await, owed, "{filter}");
    }
}
