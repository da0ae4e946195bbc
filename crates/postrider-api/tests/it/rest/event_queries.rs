//! Events by what they are, whether there is one, and how many: against rows that are counted by hand.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Stage, is_problem};

/// Publishes for tenant a what the tests below count, an hour ago and further back in steps of a day.
///
/// | id | type | user | plan | country | days ago |
/// | e1 | user_signed_up | u1 (attribute) | pro | de | 0 |
/// | e2 | user_signed_up | u2 (data) | free | at | 1 |
/// | e3 | user_signed_up | u1 (attribute) | pro | de | 2 |
/// | e4 | order.paid | u1 (attribute; the data names u9) | free | none | 3 |
/// | e5 | order.paid | nobody | none | none, and a `\u0000` | 4 |
async fn publish(stage: &Stage) {
    for (id, event_type, data, attributes) in [
        ("e5", "order.paid", r#"{"note":"a\u0000b","amount":1}"#, None),
        ("e4", "order.paid", r#"{"distinct_id":"u9"}"#, Some(r#"{"user_id":"u1","plan":"free"}"#)),
        ("e3", "user_signed_up", r#"{"country":"de"}"#, Some(r#"{"user_id":"u1","plan":"pro"}"#)),
        (
            "e2",
            "user_signed_up",
            r#"{"distinct_id":"u2","country":"at"}"#,
            Some(r#"{"plan":"free"}"#),
        ),
        ("e1", "user_signed_up", r#"{"country":"de"}"#, Some(r#"{"user_id":"u1","plan":"pro"}"#)),
    ] {
        let label = if id == "e3" { Some(vec!["vip"]) } else { None };
        let sql = "SELECT postrider.publish_v1('a', $1, $2, $3::text::json, $4::text::jsonb, $5, NULL, NULL, NULL, false)";
        stage
            .client
            .query_one(sql, &[&id, &event_type, &data, &attributes, &label])
            .await
            .expect("published");
    }
    let other = "SELECT postrider.publish_v1('b', 'x1', 'user_signed_up', '{}', '{\"user_id\":\"u1\"}', NULL, NULL, NULL, NULL, false)";
    stage.client.query_one(other, &[]).await.expect("published");
    let earlier = "UPDATE postrider.webhook_events SET created_at = created_at - interval '1 hour' - (right(id, 1)::int - 1) * interval '1 day'";
    stage.client.batch_execute(earlier).await.expect("moved");
}

fn ids(answer: &Value) -> Vec<&str> {
    let rows = answer["data"].as_array().unwrap_or_else(|| panic!("{answer}"));
    rows.iter().filter_map(|event| event["id"].as_str()).collect()
}

#[tokio::test]
async fn events_are_found_by_what_they_are_in_either_order() {
    let stage = Stage::set().await;
    publish(&stage).await;
    for (query, expected) in [
        ("within=30d", vec!["e1", "e2", "e3", "e4", "e5"]),
        ("", vec!["e1"]),
        ("type=user_signed_up&limit=10&order=desc&within=30d", vec!["e1", "e2", "e3"]),
        ("type=user_signed_up&order=asc&within=30d", vec!["e3", "e2", "e1"]),
        ("type=order.*&within=30d", vec!["e4", "e5"]),
        ("type=*&within=2d", vec!["e1", "e2"]),
        ("distinct_id=u1&within=30d", vec!["e1", "e3", "e4"]),
        ("distinct_id=u2&within=30d", vec!["e2"]),
        ("distinct_id=u9&within=30d", vec![]),
        ("distinct_id=u1&type=user_signed_up&within=30d&order=asc", vec!["e3", "e1"]),
        ("attribute.plan=pro&within=30d", vec!["e1", "e3"]),
        ("attribute.plan=free&attribute.user_id=u1&within=30d", vec!["e4"]),
        ("label=vip&within=30d", vec!["e3"]),
        ("state=failed&within=30d", vec![]),
        ("state=pending&type=order.paid&within=30d", vec!["e4", "e5"]),
    ] {
        let answer = stage.get(&stage.a, &format!("/events?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        assert_eq!(ids(&answer.body), expected, "{query}");
        assert_eq!(answer.body["cut"], false, "{query}");
    }
    // An admin who names nobody finds those of all tenants.
    let all = stage.get(&stage.admin, "/events?type=user_signed_up&within=30d").await.body;
    assert_eq!(ids(&all), ["x1", "e1", "e2", "e3"]);
    let of_user = stage.get(&stage.admin, "/events?distinct_id=u1&within=30d&order=asc").await.body;
    assert_eq!(ids(&of_user), ["e4", "e3", "e1", "x1"]);
}

#[tokio::test]
async fn a_time_has_a_beginning_and_an_end_and_pages_lead_from_one_to_the_other() {
    let stage = Stage::set().await;
    publish(&stage).await;
    let time = async |ago: &str| {
        let sql = format!(
            "SELECT to_char((clock_timestamp() - interval '{ago}') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
        );
        stage.text(&sql).await
    };
    let (since, until) = (time("3 days 2 hours").await, time("1 day").await);
    let between = format!("/events?since={since}&until={until}");
    assert_eq!(ids(&stage.get(&stage.a, &between).await.body), ["e2", "e3", "e4"]);
    for (order, expected) in [("desc", ["e2", "e3", "e4"]), ("asc", ["e4", "e3", "e2"])] {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        for _ in 0..4 {
            let page =
                stage.get(&stage.a, &format!("{between}&order={order}&limit=1{cursor}")).await.body;
            found.extend(ids(&page).into_iter().map(str::to_owned));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(found, expected, "{order}");
    }
    let page = stage.get(&stage.a, &format!("{between}&limit=1")).await.body;
    let cursor = page["next_cursor"].as_str().expect("there is more");
    let other = format!("{between}&limit=1&order=asc&cursor={cursor}");
    is_problem(&stage.get(&stage.a, &other).await, 422, "cursor");
}

#[tokio::test]
async fn a_page_that_looked_at_enough_says_so_and_the_next_one_goes_on() {
    let stage = Stage::set().await;
    // So many tenants that nobody asks them one by one.
    stage
        .client
        .batch_execute(
            "SELECT count(postrider.publish_v1('t' || i, 'of_' || i, 'one.of', '{}', NULL, NULL, NULL, NULL, NULL, false)) FROM generate_series(1, 20) i;
             SELECT count(postrider.publish_v1('a', 'n' || i, 'many.of', '{}', CASE WHEN i = 5 THEN '{\"rare\":\"yes\",\"user_id\":\"u\"}' END::jsonb,
                                               CASE WHEN i = 5 THEN '{seldom}' END::text[], NULL, NULL, NULL, false))
             FROM generate_series(1, 9000) i",
        )
        .await
        .expect("published");
    for (key, query) in [
        (&stage.a, "attribute.rare=yes"),
        (&stage.a, "label=seldom"),
        (&stage.admin, "distinct_id=u"),
        (&stage.admin, "label=seldom&type=many.*"),
    ] {
        let (mut found, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = stage.get(key, &format!("/events?{query}{cursor}")).await.body;
            pages += 1;
            found.extend(ids(&page).into_iter().map(str::to_owned));
            let Some(next) = page["next_cursor"].as_str() else {
                assert_eq!(page["cut"], false, "{query}");
                break;
            };
            assert_eq!(page["cut"], true, "{query}");
            cursor = format!("&cursor={next}");
        }
        assert_eq!(
            (found, pages),
            (vec!["n5".to_owned()], 3),
            "{query}: 4,000 are looked at for a page"
        );
    }
    // Whoever asks for one of few is told at once.
    let of_user = stage.get(&stage.a, "/events?distinct_id=u").await.body;
    assert_eq!((ids(&of_user), &of_user["cut"]), (vec!["n5"], &json!(false)));
}

#[tokio::test]
async fn whether_there_is_one_is_told_with_the_newest() {
    let stage = Stage::set().await;
    publish(&stage).await;
    let yes = stage
        .get(&stage.a, "/events/exists?type=user_signed_up&distinct_id=u1&within=7d")
        .await
        .body;
    assert_eq!((&yes["exists"], &yes["event_id"]), (&json!(true), &json!("e1")));
    let at = stage
        .text("SELECT to_json(created_at)::text FROM postrider.webhook_events WHERE id = 'e1'")
        .await;
    let at: jiff::Timestamp = at.trim_matches('"').parse().expect("a time");
    assert_eq!(yes["at"], json!(at));
    for none in [
        "type=user_signed_up&distinct_id=u3&within=7d",
        "type=order.paid&within=24h",
        "attribute.plan=none&within=7d",
    ] {
        let no = stage.get(&stage.a, &format!("/events/exists?{none}")).await.body;
        assert_eq!(
            no,
            json!({ "exists": false, "event_id": null, "tenant_id": null, "at": null }),
            "{none}"
        );
    }
    // What only another tenant has is not there.
    assert_eq!(
        stage.get(&stage.b, "/events/exists?attribute.plan=pro&within=7d").await.body["exists"],
        false
    );
}

#[tokio::test]
async fn counts_are_those_of_the_rows_and_of_sql() {
    let stage = Stage::set().await;
    publish(&stage).await;
    let since = stage.text("SELECT to_char((clock_timestamp() - interval '30 days') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')").await;
    let groups = async |key: &str, query: &str| {
        let answer = stage.get(key, &format!("/events/stats?since={since}&{query}")).await;
        assert_eq!(
            (answer.status, &answer.body["cut"]),
            (200, &json!(false)),
            "{query}: {}",
            answer.body
        );
        let rows = answer.body["data"].as_array().expect("groups").clone();
        rows.into_iter()
            .map(|row| {
                (
                    row["key"].as_str().unwrap_or("-").to_owned(),
                    row["count"].as_i64().unwrap_or(-1),
                    row["unique"].as_i64(),
                )
            })
            .collect::<Vec<_>>()
    };
    let row = |key: &str, count, unique| (key.to_owned(), count, unique);
    let types = groups(&stage.a, "group_by=type&unique=distinct_id").await;
    assert_eq!(types, [row("user_signed_up", 3, Some(2)), row("order.paid", 2, Some(1))]);
    let plans =
        groups(&stage.a, "group_by=attribute.plan&unique=distinct_id&type=user_signed_up").await;
    assert_eq!(plans, [row("pro", 2, Some(1)), row("free", 1, Some(1))]);
    let countries = groups(&stage.a, "group_by=data.country&unique=attribute.user_id").await;
    assert_eq!(countries, [row("de", 2, Some(1)), row("-", 2, Some(1)), row("at", 1, Some(0))]);
    assert_eq!(groups(&stage.a, "group_by=template").await, [row("-", 5, None)]);
    // Of the event with \u0000 what can be read is read.
    assert_eq!(
        groups(&stage.a, "group_by=data.amount&type=order.paid").await,
        [row("-", 1, None), row("1", 1, None)].into_iter().rev().collect::<Vec<_>>()
    );
    let days = groups(&stage.a, "group_by=day").await;
    assert!(days.len() == 5 && days.is_sorted(), "{days:?}");
    assert_eq!(groups(&stage.b, "group_by=type").await, [row("user_signed_up", 1, None)]);
    assert_eq!(groups(&stage.admin, "group_by=type").await[0], row("user_signed_up", 4, None));
    assert_eq!(
        groups(&stage.admin, "group_by=type&tenant_id=a&type=order.*").await,
        [row("order.paid", 2, None)]
    );

    let sql = "SELECT data ->> 'country', count(*), count(DISTINCT distinct_id) FROM postrider.v_events
               WHERE tenant_id = 'a' AND created_at >= clock_timestamp() - interval '30 days' GROUP BY 1";
    let by_sql: BTreeMap<Option<String>, (i64, Option<i64>)> = stage
        .client
        .query(sql, &[])
        .await
        .expect("rows")
        .iter()
        .map(|row| (row.get(0), (row.get(1), Some(row.get(2)))))
        .collect();
    let by_api = groups(&stage.a, "group_by=data.country&unique=distinct_id").await;
    let by_api: BTreeMap<Option<String>, (i64, Option<i64>)> = by_api
        .into_iter()
        .map(|(key, count, unique)| (Some(key).filter(|key| key != "-"), (count, unique)))
        .collect();
    assert_eq!(by_api, by_sql);
}

#[tokio::test]
async fn what_is_asked_for_wrongly_is_named() {
    let stage = Stage::set().await;
    let since = "since=2026-01-01T00:00:00Z&until=2026-02-01T00:00:00Z";
    for (path, code) in [
        ("/events?order=up".to_owned(), "query.syntax"),
        ("/events?state=open".to_owned(), "query.syntax"),
        ("/events?within=soon".to_owned(), "time"),
        ("/events?within=401d".to_owned(), "time"),
        (format!("/events?within=1d&{since}"), "time"),
        ("/events?atribute.plan=pro".to_owned(), "query.unknown"),
        ("/events/stats?group_by=type".to_owned(), "time"),
        (format!("/events/stats?{since}"), "query.syntax"),
        (format!("/events/stats?{since}&group_by=distinct_id"), "query.syntax"),
        (format!("/events/stats?{since}&group_by=type&unique=type"), "query.syntax"),
        (
            "/events/stats?since=2020-01-01T00:00:00Z&until=2026-02-01T00:00:00Z&group_by=type"
                .to_owned(),
            "time",
        ),
        (
            "/events/stats?until=2020-01-01T00:00:00Z&since=2026-02-01T00:00:00Z&group_by=type"
                .to_owned(),
            "time",
        ),
    ] {
        is_problem(&stage.get(&stage.a, &path).await, 422, code);
    }
    assert_eq!(stage.get(&stage.a, "/events?tenant_id=b").await.status, 404);
    assert_eq!(
        stage
            .get(&stage.a, &format!("/events/stats?{since}&group_by=type&tenant_id=b"))
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn an_endpoints_deliveries_are_paged_and_counted_open_and_closed() {
    let stage = Stage::set().await;
    let mut sent = Vec::new();
    for (id, status) in
        [("m1", "delivered"), ("m2", "exhausted"), ("m3", "delivered"), ("m4", "pending")]
    {
        sent.push(stage.sent("a", id, status).await);
    }
    stage.sent("b", "other", "delivered").await;
    sent.reverse();
    let endpoint = stage.endpoint("a").await;
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = stage
            .get(&stage.a, &format!("/endpoints/{endpoint}/deliveries?limit=1{cursor}"))
            .await
            .body;
        found.extend(ids(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(found, sent);
    for (status, expected) in [("delivered", 2), ("exhausted", 1), ("pending", 1), ("rejected", 0)]
    {
        let page = stage
            .get(&stage.admin, &format!("/endpoints/{endpoint}/deliveries?status={status}"))
            .await
            .body;
        assert_eq!(ids(&page).len(), expected, "{status}");
        let all = stage.get(&stage.a, &format!("/deliveries?status={status}")).await.body;
        assert_eq!(ids(&all).len(), expected, "{status}");
    }
    let stats = stage.get(&stage.a, &format!("/endpoints/{endpoint}/stats")).await.body;
    let mut counts = BTreeMap::new();
    for period in stats["data"].as_array().expect("hours") {
        for (status, count) in period["deliveries"].as_object().expect("by status") {
            *counts.entry(status.clone()).or_insert(0) += count.as_i64().unwrap_or(0);
        }
    }
    assert_eq!(stats["bucket"], "hour");
    assert_eq!(
        counts,
        [("delivered".into(), 2), ("exhausted".into(), 1), ("pending".into(), 1)].into()
    );

    for path in ["deliveries?limit=1", "stats"] {
        let strange = stage.get(&stage.b, &format!("/endpoints/{endpoint}/{path}")).await;
        is_problem(&strange, 404, "endpoint.not_found");
    }
}
