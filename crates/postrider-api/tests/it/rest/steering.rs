//! Steering: endpoints paused and going on, tenants, filters tried out, what a tenant sees of the audit log.

use serde_json::{Value, json};

use super::{Stage, is_problem};

#[tokio::test]
async fn an_endpoint_is_paused_shown_so_and_goes_on() {
    let stage = Stage::set().await;
    let path = format!("/endpoints/{}", stage.endpoint("a").await);
    let owed = stage.sent("a", "evt_1", "pending").await;
    let post = async |of: &str, body: &str| {
        stage.with_key(&stage.a, "POST", &format!("{path}/{of}"), body).await
    };
    let paused = post("pause", r#"{"reason":"maintenance"}"#).await;
    assert_eq!((paused.status, &paused.body["paused_reason"]), (200, &json!("maintenance")));
    assert!(paused.body["paused_at"].is_string() && paused.body["enabled"] == true);
    let again = post("pause", "").await;
    assert_eq!(again.body["paused_reason"], "maintenance", "it was so already");
    assert_eq!(stage.get(&stage.a, &path).await.body["paused_at"], paused.body["paused_at"]);
    is_problem(&post("test", "").await, 409, "endpoint.paused");
    let delivery = stage.get(&stage.a, &format!("/deliveries/{owed}")).await.body;
    assert_eq!(delivery["status"], "pending", "nothing is cancelled");
    let resumed = post("resume", "").await;
    assert_eq!((resumed.status, &resumed.body["paused_at"]), (200, &Value::Null));
    assert_eq!(resumed.body["paused_reason"], Value::Null);
    let audit = stage.get(&stage.a, "/audit?action=endpoint.updated").await.body;
    assert_eq!(audit["data"][1]["changes"]["paused_reason"], json!({ "to": "maintenance" }));

    let long = format!(r#"{{"reason":"{}"}}"#, "x".repeat(201));
    is_problem(&post("pause", &long).await, 422, "reason.length");
    for of in ["pause", "resume"] {
        let theirs = stage.with_key(&stage.b, "POST", &format!("{path}/{of}"), "").await;
        is_problem(&theirs, 404, "endpoint.not_found");
    }
}

#[tokio::test]
async fn a_tenant_sees_and_changes_what_is_its_own_business() {
    let stage = Stage::set().await;
    let unset = stage.get(&stage.a, "/tenants/a").await;
    let expected = json!({
        "id": "a", "max_in_flight": null, "rate_limit": null, "updated_at": null,
        "workflows_config": { "capture_messaging_engagement_events": false },
    });
    assert_eq!((unset.status, unset.body), (200, expected));
    let patch =
        async |key: &str, body: &str| stage.with_key(key, "PATCH", "/tenants/a", body).await;
    let limited = patch(&stage.admin, r#"{"max_in_flight":7,"rate_limit":null}"#).await;
    assert_eq!((limited.status, &limited.body["max_in_flight"]), (200, &json!(7)));
    // The tenant's own, with something of somebody else's beside it; what is not named stays.
    let own = patch(
        &stage.a,
        r#"{"workflows_config":{"capture_messaging_engagement_events":true,"theme":"dark"}}"#,
    )
    .await;
    assert_eq!(own.status, 200, "{}", own.body);
    assert_eq!(
        own.body["workflows_config"],
        json!({ "capture_messaging_engagement_events": true })
    );
    assert_eq!(own.body["max_in_flight"], 7);
    let same = patch(&stage.a, r#"{"workflows_config":{}}"#).await;
    assert_eq!(same.body["workflows_config"]["capture_messaging_engagement_events"], true);
    let cleared = patch(&stage.admin, r#"{"max_in_flight":null}"#).await;
    assert_eq!(cleared.body["max_in_flight"], Value::Null);
    assert_eq!(cleared.body["workflows_config"]["capture_messaging_engagement_events"], true);

    is_problem(&patch(&stage.a, r#"{"rate_limit":9}"#).await, 403, "forbidden");
    is_problem(&patch(&stage.b, r#"{"workflows_config":{}}"#).await, 404, "tenant.not_found");
    is_problem(&stage.get(&stage.b, "/tenants/a").await, 404, "tenant.not_found");
    is_problem(&stage.get(&stage.admin, "/tenants/a%20b").await, 404, "tenant.not_found");
    for (body, code, pointer) in [
        (r#"{"max_in_flight":0}"#, "max_in_flight.range", "/max_in_flight"),
        (r#"{"rate_limit":1000001}"#, "rate_limit.range", "/rate_limit"),
        (r#"{"limit":1}"#, "unknown_field", "/limit"),
        (r#"{"workflows_config":7}"#, "type", "/workflows_config"),
    ] {
        let refused = patch(&stage.admin, body).await;
        is_problem(&refused, 422, code);
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{}", refused.body);
    }
    for value in ["\"yes\"", "1", "null", "[]"] {
        let body =
            format!(r#"{{"workflows_config":{{"capture_messaging_engagement_events":{value}}}}}"#);
        let refused = patch(&stage.a, &body).await;
        is_problem(&refused, 422, "type");
        let pointer = "/workflows_config/capture_messaging_engagement_events";
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{}", refused.body);
    }
}

#[tokio::test]
async fn an_admin_lists_every_tenant_that_is_known() {
    let stage = Stage::set().await;
    stage.sent("a", "evt_1", "delivered").await;
    let limits = r#"{"rate_limit":5}"#;
    stage.with_key(&stage.admin, "PATCH", "/tenants/zeta", limits).await;
    let publish = "SELECT postrider.publish_v1('only-events', 'e', 'a.b', '{}', NULL, NULL, NULL, NULL, NULL, false)";
    stage.client.query_one(publish, &[]).await.expect("published");
    let mut found = Vec::new();
    let mut next = "/tenants?limit=1".to_owned();
    loop {
        let page = stage.get(&stage.admin, &next).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let ids = page.body["data"].as_array().expect("data").iter();
        found.extend(ids.map(|tenant| tenant["id"].as_str().expect("an id").to_owned()));
        let Some(cursor) = page.body["next_cursor"].as_str() else { break };
        next = format!("/tenants?limit=1&cursor={cursor}");
    }
    assert_eq!(found, ["a", "b", "only-events", "zeta"]);
    is_problem(&stage.get(&stage.a, "/tenants").await, 403, "forbidden");
}

#[tokio::test]
async fn a_filter_is_tried_on_an_event_that_need_not_exist_and_on_one_that_does() {
    let stage = Stage::set().await;
    stage.sent("a", "evt_1", "delivered").await;
    let test = async |key: &str, body: Value| {
        stage.with_key(key, "POST", "/filters/test", &body.to_string()).await
    };
    let filter = json!({ "attributes": { "plan": ["pro"] }, "data": { "total": [{ "numeric": [">", 10] }] } });
    let event = |total: u8| json!({ "type": "order.paid", "attributes": { "plan": "pro" }, "labels": ["x"], "data": { "total": total } });
    let hit =
        test(&stage.a, json!({ "event_types": ["order.*"], "filter": filter, "event": event(11) }))
            .await;
    assert_eq!((hit.status, &hit.body["matched"]), (200, &json!(true)), "{}", hit.body);
    let miss =
        test(&stage.a, json!({ "event_types": ["order.*"], "filter": filter, "event": event(9) }))
            .await;
    assert_eq!(miss.body["matched"], false);
    let clauses = miss.body["clauses"].as_array().expect("clauses");
    let failed: Vec<&Value> = clauses.iter().filter(|clause| clause["matched"] == false).collect();
    assert_eq!(failed.len(), 1, "{}", miss.body);
    assert_eq!(failed[0]["pointer"], "/filter/data");
    assert_eq!(
        failed[0]["within"][0]["detail"],
        "key total is 9, which nothing in the list allows"
    );

    let kept =
        test(&stage.a, json!({ "filter": { "data": { "n": [1] } }, "event_id": "evt_1" })).await;
    assert_eq!((kept.status, &kept.body["matched"]), (200, &json!(true)), "{}", kept.body);
    let theirs = test(&stage.b, json!({ "event_id": "evt_1" })).await;
    is_problem(&theirs, 404, "event.not_found");
    for none in ["\0", "", "evt_", "e%"] {
        let refused = test(&stage.a, json!({ "event_id": none })).await;
        is_problem(&refused, 404, "event.not_found");
    }
    for (body, code, pointer) in [
        (json!({}), "required", "/event"),
        (json!({ "event_id": "evt_1", "last": 1 }), "required", "/event"),
        (json!({ "last": 1001 }), "last.range", "/last"),
        (json!({ "event": { "type": "a b" } }), "type.syntax", "/event/type"),
        (
            json!({ "event": { "type": "a", "attributes": { "x": [1] } } }),
            "type",
            "/event/attributes",
        ),
        (json!({ "tenant_id": "b", "last": 1 }), "unknown_field", "/tenant_id"),
    ] {
        let refused = test(&stage.a, body.clone()).await;
        assert_eq!(
            (refused.status, &refused.body["errors"][0]["pointer"]),
            (422, &json!(pointer)),
            "{body}: {}",
            refused.body
        );
        if code != "type.syntax" {
            is_problem(&refused, 422, code);
        }
    }
    let broken =
        test(&stage.a, json!({ "filter": { "data": { "n": [{ "near": 1 }] } }, "last": 1 })).await;
    assert_eq!(broken.status, 422, "{}", broken.body);
}

#[tokio::test]
async fn a_filter_is_tried_on_a_tenants_last_events() {
    let stage = Stage::set().await;
    let publish = "SELECT postrider.publish_v1($1, 'e' || i, CASE WHEN i % 4 = 0 THEN 'order.refunded' ELSE 'order.paid' END,
        json_build_object('n', i), jsonb_build_object('plan', CASE WHEN i % 2 = 0 THEN 'pro' ELSE 'free' END), NULL, NULL, NULL, NULL, false)
        FROM generate_series(1, 130) i";
    for tenant in ["a", "b"] {
        stage.client.query(publish, &[&tenant]).await.expect("published");
    }
    let body = |last: u16| {
        json!({ "event_types": ["order.paid"], "filter": { "attributes": { "plan": ["pro"] } }, "last": last }).to_string()
    };
    let tried = stage.with_key(&stage.a, "POST", "/filters/test", &body(120)).await;
    assert_eq!(tried.status, 200, "{}", tried.body);
    // Of 11 … 130 every second is of the plan, and every fourth of another type.
    assert_eq!((&tried.body["looked_at"], &tried.body["matched"]), (&json!(120), &json!(30)));
    assert_eq!((&tried.body["missed"], &tried.body["unreadable"]), (&json!(90), &json!(0)));
    assert_eq!(tried.body["event_ids"][0], "e130");
    assert_eq!(tried.body["event_ids"][29], "e14");
    let failed = json!({ "/event_types": 30, "/filter/attributes/plan": 60 });
    assert_eq!(tried.body["failed_clauses"], failed, "{}", tried.body);
    let all = stage.with_key(&stage.a, "POST", "/filters/test", &body(1000)).await;
    assert_eq!(all.body["looked_at"], 130, "not those of b");
}

#[tokio::test]
async fn a_tenant_sees_no_address_but_those_of_its_own_keys() {
    let stage = Stage::set().await;
    let path = format!("/endpoints/{}", stage.endpoint("a").await);
    for (key, description) in [(&stage.admin, "by the admin"), (&stage.a, "by the tenant")] {
        let body = json!({ "description": description }).to_string();
        assert_eq!(stage.with_key(key, "PATCH", &path, &body).await.status, 200);
    }
    let addresses = async |key: &str| {
        let list = stage.get(key, "/audit?action=endpoint.updated&tenant_id=a").await;
        let entries = list.body["data"].as_array().expect("entries").clone();
        entries.iter().map(|entry| entry["address"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(addresses(&stage.admin).await, [json!("127.0.0.1"), json!("127.0.0.1")]);
    assert_eq!(addresses(&stage.a).await, [json!("127.0.0.1"), Value::Null]);
}

#[tokio::test]
async fn a_profile_never_comes_to_write_a_header_that_is_there() {
    let stage = Stage::set().await;
    let made =
        stage.with_key(&stage.a, "POST", "/endpoints", r#"{"url":"https://example.com/s"}"#).await;
    let path = format!("/endpoints/{}", made.body["id"].as_str().expect("an id"));
    let patch = async |body: &str| stage.with_key(&stage.a, "PATCH", &path, body).await;
    assert_eq!(patch(r#"{"headers":{"X-Signature":"mine"}}"#).await.status, 200);
    is_problem(&patch(r#"{"signing":["stripe=X-Signature"]}"#).await, 422, "signing.duplicate");
    assert_eq!(patch(r#"{"signing":["stripe=X-Other"]}"#).await.status, 200);
    is_problem(&patch(r#"{"headers":{"X-Other":"mine"}}"#).await, 422, "signing.duplicate");
    let both = r#"{"headers":null,"signing":["stripe=X-Signature"]}"#;
    assert_eq!(patch(both).await.status, 200);
}

#[tokio::test]
async fn a_tls_identity_is_checked_kept_by_halves_and_never_shown() {
    let stage = Stage::set().await;
    let path = format!("/endpoints/{}", stage.endpoint("a").await);
    let patch =
        async |body: Value| stage.with_key(&stage.a, "PATCH", &path, &body.to_string()).await;
    for (tls, code) in [
        (json!({ "key": "x" }), "tls.pair"),
        (json!({ "certificate": "x", "key": "y" }), "tls.pem"),
        (json!({ "ca": "no PEM at all" }), "tls.pem"),
        (json!({}), "required"),
        (json!({ "ca": "x".repeat(65_537) }), "tls.length"),
        (json!({ "password": "canary" }), "unknown_field"),
    ] {
        let refused = patch(json!({ "tls": tls })).await;
        is_problem(&refused, 422, code);
        assert!(!refused.body.to_string().contains("canary\""), "{}", refused.body);
    }
    let made =
        rcgen::generate_simple_self_signed(["client.test".to_owned()]).expect("a certificate");
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let set = patch(json!({ "tls": { "certificate": certificate, "key": key } })).await;
    assert_eq!((set.status, &set.body["has_tls"]), (200, &json!(true)), "{}", set.body);
    assert!(!set.body.to_string().contains("BEGIN"), "{}", set.body);
    let authority = patch(json!({ "tls": { "ca": certificate } })).await;
    assert_eq!(authority.status, 200, "{}", authority.body);
    let kept = stage
        .text("SELECT octet_length(tls_sealed)::text FROM postrider.webhook_endpoints WHERE tenant_id = 'a'")
        .await;
    let length: usize = kept.parse().expect("a number");
    assert!(length > certificate.len() * 2 + key.len(), "one half stays when the other comes");
    assert_eq!(patch(json!({ "tls": null })).await.body["has_tls"], false);
    let made = stage
        .with_key(
            &stage.a,
            "POST",
            "/endpoints",
            &json!({ "url": "https://example.com/tls", "tls": { "ca": certificate } }).to_string(),
        )
        .await;
    assert_eq!((made.status, &made.body["has_tls"]), (201, &json!(true)), "{}", made.body);
}
