//! The catalog over HTTP, and what it does to publishing.

use serde_json::json;

use super::{Stage, is_problem};

const USER: &str = r##"{"description":"somebody signed up","example":{"user": {"id":1}},"schema":{"type":"object","required":["user"],"additionalProperties":false,
    "properties":{"user":{"$ref":"#/$defs/user"},"plan":{"enum":["free"]}},"$defs":{"user":{"type":"object","required":["id"],"properties":{"id":{"type":"integer"}}}}},
    "schema_check":"enforce"}"##;

#[tokio::test]
async fn a_type_is_declared_shown_changed_and_removed() {
    let stage = Stage::set().await;
    let put = async |body: &str| {
        stage.with_key(&stage.admin, "PUT", "/event-types/user.made", body).await
    };
    is_problem(
        &stage.get(&stage.admin, "/event-types/user.made").await,
        404,
        "event_type.not_found",
    );
    let made = put(USER).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(
        (&made.body["declared"], &made.body["schema_check"]),
        (&json!(true), &json!("enforce"))
    );
    let again = put(USER).await;
    assert_eq!((again.status, &again.body["version"]), (200, &made.body["version"]));
    let changed = put(r#"{"description":"x"}"#).await;
    assert!(changed.body["version"].as_i64() > made.body["version"].as_i64(), "{}", changed.body);
    assert_eq!((&changed.body["schema"], &changed.body["example"]), (&json!(null), &json!(null)));
    // A tenant's key reads, and changes nothing.
    assert_eq!(stage.get(&stage.a, "/event-types/user.made").await.status, 200);
    is_problem(
        &stage.with_key(&stage.a, "PUT", "/event-types/user.made", "{}").await,
        403,
        "forbidden",
    );
    is_problem(
        &stage.with_key(&stage.a, "PUT", "/event-types", r#"{"event_types":[]}"#).await,
        403,
        "forbidden",
    );
    is_problem(
        &stage.with_key(&stage.a, "DELETE", "/event-types/user.made", "").await,
        403,
        "forbidden",
    );
    let gone = stage.with_key(&stage.admin, "DELETE", "/event-types/user.made", "").await;
    assert_eq!((gone.status, &gone.body["deleted"]), (200, &json!(true)));
    is_problem(
        &stage.with_key(&stage.admin, "DELETE", "/event-types/user.made", "").await,
        404,
        "event_type.not_found",
    );
    let actors = "SELECT string_agg(DISTINCT split_part(actor, ':', 1), ',') FROM postrider.audit_log WHERE action LIKE 'event\\_type.%'";
    assert_eq!(stage.text(actors).await, "key");
}

#[tokio::test]
async fn what_is_wrong_with_a_type_is_said_with_its_pointer() {
    let stage = Stage::set().await;
    for (path, body, code, pointer) in [
        ("/event-types/a..b", "{}", "event_type.syntax", "/name"),
        ("/event-types/a.b", r#"{"schemas":1}"#, "", ""),
        (
            "/event-types/a.b",
            r#"{"schema":{"properties":{"x":{"type":"y"}}}}"#,
            "schema.invalid",
            "/schema/properties/x/type",
        ),
        (
            "/event-types/a.b",
            r#"{"schema":{"$ref":"http://127.0.0.1/x"}}"#,
            "schema.reference",
            "/schema/$ref",
        ),
        ("/event-types/a.b", r#"{"schema_check":"enforce"}"#, "schema_check", "/schema_check"),
        (
            "/event-types/a.b",
            r#"{"schema":{"required":["x"]},"example":{}}"#,
            "payload.schema",
            "/example/x",
        ),
        (
            "/event-types",
            r#"{"event_types":[{"name":"a"},{"name":"a"}]}"#,
            "event_type.twice",
            "/event_types/1/name",
        ),
    ] {
        let answer = stage.with_key(&stage.admin, "PUT", path, body).await;
        assert_eq!(answer.status, 422, "{body}: {}", answer.body);
        if !code.is_empty() {
            let error = &answer.body["errors"][0];
            assert_eq!(
                (&error["code"], &error["pointer"]),
                (&json!(code), &json!(pointer)),
                "{body}"
            );
        }
    }
    assert_eq!(stage.text("SELECT count(*)::text FROM postrider.webhook_event_types").await, "0");
}

#[tokio::test]
async fn many_types_are_planned_imported_and_listed_by_pages() {
    let stage = Stage::set().await;
    let body =
        r#"{"event_types":[{"name":"a.c"},{"name":"a.a","description":"x"},{"name":"a.b"}]}"#;
    let put = async |query: &str| {
        stage.with_key(&stage.admin, "PUT", &format!("/event-types{query}"), body).await.body
    };
    assert_eq!(put("?dry_run=true").await["added"], 3);
    assert_eq!(stage.get(&stage.admin, "/event-types").await.body["data"], json!([]));
    let done = put("").await;
    assert_eq!(done["data"][0], json!({ "name": "a.c", "change": "added" }));
    assert_eq!((&put("").await["unchanged"], &done["dry_run"]), (&json!(3), &json!(false)));
    stage
        .client
        .batch_execute(
            "INSERT INTO postrider.webhook_event_types (name, declared) VALUES ('b.a', false)",
        )
        .await
        .unwrap();
    let names = async |query: &str| {
        let page = stage.get(&stage.a, &format!("/event-types{query}")).await.body;
        let names: Vec<String> = page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|t| t["name"].as_str().unwrap().to_owned())
            .collect();
        (names, page["next_cursor"].as_str().map(str::to_owned))
    };
    let (first, next) = names("?limit=3").await;
    assert_eq!(first, ["a.a", "a.b", "a.c"]);
    assert_eq!(
        names(&format!("?limit=3&cursor={}", next.unwrap())).await,
        (vec!["b.a".to_owned()], None)
    );
    assert_eq!(names("?declared=false").await.0, ["b.a"]);
    is_problem(&stage.get(&stage.a, "/event-types?declared=maybe").await, 422, "query.syntax");
}

#[tokio::test]
async fn an_enforced_schema_refuses_an_event_and_names_every_place() {
    let stage = Stage::set().await;
    let put = async |body: &str| {
        assert!(
            stage.with_key(&stage.admin, "PUT", "/event-types/user.made", body).await.status < 300
        )
    };
    let publish = async |data: &str| {
        let body = format!(r#"{{"type":"user.made","id":"u1","data":{data}}}"#);
        stage.with_key(&stage.a, "POST", "/events", &body).await
    };
    put(USER).await;
    let refused = publish(r#"{"user":{"id":"s3cret"},"plan":"s3cret","x/y":1}"#).await;
    is_problem(&refused, 422, "payload.schema");
    let mut pointers: Vec<&str> = refused.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["pointer"].as_str().unwrap())
        .collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/data/plan", "/data/user/id", "/data/x~1y"]);
    assert!(!refused.body.to_string().contains("s3cret"), "{}", refused.body);
    assert_eq!(stage.text("SELECT count(*)::text FROM postrider.webhook_event_ids").await, "0");
    let many: Vec<String> = (0..50).map(|n| format!("\"x{n}\":1")).collect();
    let refused = publish(&format!("{{\"user\":{{\"id\":1}},{}}}", many.join(","))).await;
    assert_eq!(refused.body["errors"].as_array().unwrap().len(), 20);
    assert_eq!(publish(r#"{"user":{"id":1}}"#).await.status, 201);
    // From the next event on, what is reported passes, and what is changed counts.
    put(&USER.replace("enforce", "report")).await;
    let body = r#"{"type":"user.made","data":{}}"#;
    assert_eq!(stage.with_key(&stage.a, "POST", "/events", body).await.status, 201);
    put(&USER.replace("enforce", "off")).await;
    assert_eq!(stage.with_key(&stage.a, "POST", "/events", body).await.status, 201);
    put(r#"{"schema":false,"schema_check":"enforce"}"#).await;
    is_problem(&stage.with_key(&stage.a, "POST", "/events", body).await, 422, "payload.schema");
}

#[tokio::test]
async fn a_strict_catalog_refuses_what_is_not_declared() {
    let stage = Stage::set().await;
    stage
        .client
        .batch_execute("UPDATE postrider.installation SET catalog_strict = true")
        .await
        .unwrap();
    let body = r#"{"type":"user.made","data":{}}"#;
    let refused = stage.with_key(&stage.a, "POST", "/events", body).await;
    assert_eq!((refused.status, &refused.body["errors"][0]["pointer"]), (422, &json!("/type")));
    assert!(
        refused.body["detail"].as_str().unwrap().contains("event_type.undeclared"),
        "{}",
        refused.body
    );
    assert!(stage.with_key(&stage.admin, "PUT", "/event-types/user.made", "{}").await.status < 300);
    assert_eq!(stage.with_key(&stage.a, "POST", "/events", body).await.status, 201);
    // The test of an endpoint is Postrider's own.
    let test = format!("/endpoints/{}/test", stage.endpoint("a").await);
    assert!(stage.with_key(&stage.a, "POST", &test, "").await.status < 300);
}
