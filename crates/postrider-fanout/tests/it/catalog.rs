//! Types that nobody declared are listed in the catalog, and fan-out does not depend on it.

use crate::stage::{PENDING, Stage, options};

const LISTED: &str = "SELECT coalesce(string_agg(name || ' ' || declared, ', ' ORDER BY name), '') FROM postrider.webhook_event_types";

async fn publish(stage: &Stage, event_type: &str) {
    let sql = "SELECT outcome FROM postrider.publish($1, tenant => 'acme')";
    let row = stage.client.query_one(sql, &[&event_type]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), "inserted");
}

async fn listed(stage: &Stage) -> String {
    stage.client.query_one(LISTED, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_type_that_nobody_declared_is_listed_once_and_a_declared_one_left_alone() {
    let stage = Stage::new().await;
    let declare = "INSERT INTO postrider.webhook_event_types (name) VALUES ('known.one')";
    stage.client.batch_execute(declare).await.unwrap();
    let mut fan_out = stage.fan_out(options());
    for event_type in ["new.one", "known.one", "new.one", "new.two", "postrider.test"] {
        publish(&stage, event_type).await;
    }
    let told =
        "SELECT postrider.tell_of_endpoint_v1(gen_random_uuid(), 'acme', 'endpoint.failing', '{}')";
    stage.client.batch_execute(told).await.unwrap();
    assert_eq!(fan_out.drain().await.unwrap(), 6);
    assert_eq!(listed(&stage).await, "known.one true, new.one false, new.two false");
    // Whoever removes one is not contradicted by a worker that has told of it.
    let delete = "DELETE FROM postrider.webhook_event_types WHERE name = 'new.one'";
    stage.client.batch_execute(delete).await.unwrap();
    publish(&stage, "new.one").await;
    fan_out.drain().await.unwrap();
    assert_eq!(listed(&stage).await, "known.one true, new.two false");
}

#[tokio::test]
async fn what_cannot_be_listed_holds_up_no_event() {
    let stage = Stage::new().await;
    let refuse = "ALTER TABLE postrider.webhook_event_types ADD CONSTRAINT nothing CHECK (false)";
    stage.client.batch_execute(refuse).await.unwrap();
    let mut fan_out = stage.fan_out(options());
    publish(&stage, "new.one").await;
    assert_eq!(fan_out.drain().await.unwrap(), 1);
    publish(&stage, "new.two").await;
    assert_eq!(fan_out.drain().await.unwrap(), 1);
    assert_eq!(stage.client.query_one(PENDING, &[]).await.unwrap().get::<_, i64>(0), 0);
    assert_eq!(listed(&stage).await, "");
}
