//! What can be sent once more: one delivery, one event, all that an endpoint did not get.

use serde_json::json;

use super::{Stage, is_problem};

#[tokio::test]
async fn a_closed_delivery_is_sent_once_more_and_an_open_one_is_made_due_or_cancelled() {
    let stage = Stage::set().await;
    let closed = stage.sent("a", "evt_1", "delivered").await;
    let again = stage.with_key(&stage.a, "POST", &format!("/deliveries/{closed}/retry"), "").await;
    assert_eq!((again.status, &again.body["redelivered"]), (200, &json!(true)), "{}", again.body);
    assert_eq!(again.body["replay"], 1);
    let new = again.body["delivery_id"].as_str().expect("an id").to_owned();
    let shown = stage.get(&stage.a, &format!("/deliveries/{new}")).await.body;
    assert_eq!(
        (&shown["status"], &shown["replay"], &shown["event_id"]),
        (&json!("pending"), &json!(1), &json!("evt_1"))
    );
    // It is owed now, so another is refused.
    let twice = stage.with_key(&stage.a, "POST", "/events/evt_1/redeliver", "").await;
    assert_eq!(twice.body["data"][0]["reason"], "still_owed");
    let cancelled =
        stage.with_key(&stage.a, "POST", &format!("/deliveries/{new}/cancel"), "").await;
    assert_eq!(
        (cancelled.status, &cancelled.body["status"], &cancelled.body["reason"]),
        (200, &json!("cancelled"), &json!("by_hand"))
    );
    is_problem(
        &stage.with_key(&stage.a, "POST", &format!("/deliveries/{new}/cancel"), "").await,
        409,
        "delivery.closed",
    );

    let open = stage.sent("a", "evt_2", "pending").await;
    let due = stage.with_key(&stage.a, "POST", &format!("/deliveries/{open}/retry"), "").await;
    assert_eq!((due.status, &due.body["changed"]), (200, &json!(true)));
    stage.client.execute("UPDATE postrider.webhook_deliveries_open SET lease_owner = 1, next_attempt_at = clock_timestamp() + interval '1 min'", &[]).await.expect("leased");
    is_problem(
        &stage.with_key(&stage.a, "POST", &format!("/deliveries/{open}/cancel"), "").await,
        409,
        "delivery.in_flight",
    );

    stage
        .client
        .batch_execute(
            "UPDATE postrider.webhook_endpoints SET enabled = false, disabled_reason = 'x'",
        )
        .await
        .expect("disabled");
    is_problem(
        &stage.with_key(&stage.a, "POST", &format!("/deliveries/{closed}/retry"), "").await,
        409,
        "endpoint.disabled",
    );
}

#[tokio::test]
async fn a_tenant_recovers_its_own_endpoint_in_the_background() {
    let stage = Stage::set().await;
    stage.sent("a", "evt_1", "exhausted").await;
    stage.sent("a", "evt_2", "delivered").await;
    let path = format!("/endpoints/{}/recover", stage.endpoint("a").await);
    let since = r#""since":"2020-01-01T00:00:00Z""#;
    let dry =
        stage.with_key(&stage.a, "POST", &path, &format!("{{{since},\"dry_run\":true}}")).await;
    assert_eq!(dry.body, json!({ "dry_run": true, "expected": 1, "complete": true }));
    let made =
        stage.with_key(&stage.a, "POST", &path, &format!("{{{since},\"reason\":\"x\"}}")).await;
    assert_eq!(
        (made.status, &made.body["state"], &made.body["expected"]),
        (202, &json!("queued"), &json!(1)),
        "{}",
        made.body
    );
    let job = format!("/jobs/{}", made.body["id"].as_str().expect("an id"));
    for (method, path) in [("GET", job.clone()), ("POST", format!("{job}/stop"))] {
        is_problem(&stage.with_key(&stage.b, method, &path, "").await, 404, "job.not_found");
    }
    is_problem(
        &stage.with_key(&stage.b, "POST", &path, &format!("{{{since}}}")).await,
        404,
        "endpoint.not_found",
    );
    assert_eq!(stage.get(&stage.b, "/jobs").await.body["data"], json!([]));
    assert_eq!(stage.get(&stage.a, "/jobs").await.body["data"][0]["id"], made.body["id"]);
    is_problem(
        &stage.with_key(&stage.a, "POST", &path, &format!("{{{since}}}")).await,
        409,
        "job.under_way",
    );
    let stopped = stage.with_key(&stage.a, "POST", &format!("{job}/stop"), "").await;
    assert_eq!((stopped.status, &stopped.body["stop"]), (200, &json!(true)), "{}", stopped.body);
    for (body, pointer) in [
        (r#"{}"#.to_owned(), "/since"),
        (r#"{"since":"yesterday"}"#.to_owned(), "/since"),
        (format!(r#"{{{since},"rate":0}}"#), "/rate"),
        (format!(r#"{{{since},"statuses":["dead"]}}"#), "/statuses"),
        (format!(r#"{{{since},"statuses":["pending"]}}"#), "/statuses"),
        (format!(r#"{{{since},"event_types":["a b"]}}"#), "/event_types/0"),
        (format!(r#"{{{since},"until":"2019-01-01T00:00:00Z"}}"#), "/until"),
    ] {
        let answer = stage.with_key(&stage.a, "POST", &path, &body).await;
        assert_eq!(
            (answer.status, &answer.body["errors"][0]["pointer"]),
            (422, &json!(pointer)),
            "{body}: {}",
            answer.body
        );
    }
}

#[tokio::test]
async fn an_event_that_is_not_fanned_out_yet_is_left_to_fan_out() {
    let stage = Stage::set().await;
    let event = r#"{"type":"email.sent","data":{},"id":"early"}"#;
    assert_eq!(stage.with_key(&stage.a, "POST", "/events", event).await.status, 201);
    let endpoint = stage.endpoint("a").await;
    let body = format!(r#"{{"endpoint_id":"{endpoint}"}}"#);
    let answer = stage.with_key(&stage.a, "POST", "/events/early/redeliver", &body).await;
    assert_eq!(answer.body["data"][0]["redelivered"], false, "{}", answer.body);
    assert_eq!(stage.text("SELECT count(*)::text FROM postrider.webhook_deliveries").await, "0");
}
