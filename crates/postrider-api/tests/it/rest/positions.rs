//! Events read on from a cursor: in lists, by pulling, as a stream. What commits late is never passed over.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio_postgres::Client;

use super::{Stage, is_problem};
use crate::LONG;

async fn publish(client: &Client, tenant: &str, id: &str, event_type: &str) {
    let publish = "SELECT postrider.publish_v1($1, $2, $3, '{\"n\":1.10}', NULL, NULL, NULL, NULL, NULL, false)";
    client.query_one(publish, &[&tenant, &id, &event_type]).await.expect("published");
}

fn ids(page: &Value) -> Vec<String> {
    let data = page["data"].as_array().unwrap_or_else(|| panic!("no page: {page}"));
    data.iter().map(|event| event["id"].as_str().expect("an id").to_owned()).collect()
}

fn next(page: &Value) -> String {
    page["next_cursor"].as_str().expect("a cursor").to_owned()
}

#[tokio::test]
async fn a_list_read_on_from_a_cursor_waits_for_what_commits_late() {
    let stage = Stage::set().await;
    let late = stage.another().await;
    publish(&stage.client, "a", "a1", "email.sent").await;
    publish(&stage.client, "b", "b1", "email.sent").await;
    // What is decided is known from here on.
    assert_eq!(ids(&stage.get(&stage.admin, "/events?after=start").await.body), ["a1", "b1"]);
    late.batch_execute("BEGIN").await.expect("begins");
    publish(&late, "a", "late", "email.sent").await;
    publish(&stage.client, "a", "a2", "email.sent").await;
    let first = stage.get(&stage.a, "/events?after=").await;
    assert_eq!((first.status, ids(&first.body)), (200, vec!["a1".to_owned()]), "{}", first.body);
    assert_eq!(first.body["data"][0]["envelope"]["data"], json!({ "n": 1.10 }));
    let path = format!("/events?after={}", next(&first.body));
    let waits = stage.get(&stage.a, &path).await.body;
    assert_eq!((ids(&waits).len(), &waits["has_more"]), (0, &json!(false)));
    late.batch_execute("COMMIT").await.expect("commits");
    let second = stage.get(&stage.a, &format!("/events?after={}", next(&waits))).await.body;
    assert_eq!(ids(&second), ["late", "a2"]);
    // An admin sees both tenants, and pages go on.
    let mut path = "/events?after=start&limit=1".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = stage.get(&stage.admin, &path).await.body;
        seen.extend(ids(&page));
        if page["has_more"] == false {
            break;
        }
        path = format!("/events?limit=1&after={}", next(&page));
    }
    assert_eq!(seen, ["a1", "b1", "late", "a2"]);
}

#[tokio::test]
async fn a_cursor_belongs_to_its_filters_and_to_what_is_still_there() {
    let stage = Stage::set().await;
    for n in 0..3 {
        publish(&stage.client, "a", &format!("e{n}"), "email.sent").await;
    }
    publish(&stage.client, "a", "other", "order.paid").await;
    let typed = stage.get(&stage.a, "/events?after=start&type=order.*").await.body;
    assert_eq!((ids(&typed), &typed["has_more"]), (vec!["other".to_owned()], &json!(false)));
    let first = stage.get(&stage.a, "/events?after=start&limit=1").await.body;
    let path = format!("/events?after={}", next(&first));
    is_problem(&stage.get(&stage.a, &format!("{path}&type=email.sent")).await, 422, "cursor");
    for wrong in ["cursor=x", "order=desc", "wait=1"] {
        assert_eq!(stage.get(&stage.a, &format!("{path}&{wrong}")).await.status, 422, "{wrong}");
    }
    // Retention takes what lies behind the cursor.
    stage
        .client
        .batch_execute("UPDATE postrider.webhook_horizon SET removed_to = (SELECT max(seq) FROM postrider.webhook_events WHERE type = 'email.sent')")
        .await
        .expect("noted");
    is_problem(&stage.get(&stage.a, &path).await, 410, "cursor.gone");
    let again = stage.get(&stage.a, "/events?after=start&limit=1").await.body;
    let on = stage.get(&stage.a, &format!("/events?after={}", next(&again))).await;
    assert_eq!(on.status, 200, "who begins anew goes on: {}", on.body);
}

#[tokio::test]
async fn what_is_pulled_comes_once_over_restarts_of_its_reader_and_late_committers() {
    let stage = Stage::set().await;
    let body = r#"{"kind":"pull","event_types":["email.*"],"filter":{"data":{"n":[{"numeric":[">",1]}]}}}"#;
    publish(&stage.client, "a", "before", "email.sent").await;
    let made = stage.with_key(&stage.a, "POST", "/endpoints", body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(
        (&made.body["kind"], &made.body["url"], &made.body["secret"]),
        (&json!("pull"), &Value::Null, &Value::Null)
    );
    let path = format!("/endpoints/{}/events", made.body["id"].as_str().expect("an id"));
    is_problem(&stage.get(&stage.b, &path).await, 404, "endpoint.not_found");
    let mut late = Vec::new();
    for n in 0..4 {
        let client = stage.another().await;
        client.batch_execute("BEGIN").await.expect("begins");
        publish(&client, "a", &format!("late{n}"), "email.sent").await;
        for m in 0..5 {
            publish(&stage.client, "a", &format!("e{n}-{m}"), "email.sent").await;
            publish(&stage.client, "a", &format!("x{n}-{m}"), "order.paid").await;
        }
        late.push(client);
    }
    let (mut read, mut cursor, mut quiet) = (Vec::new(), None::<String>, 0);
    while quiet < 2 {
        let ask = match &cursor {
            Some(cursor) => format!("{path}?limit=3&after={cursor}"),
            None => format!("{path}?limit=3"),
        };
        let page = stage.get(&stage.a, &ask).await.body;
        let came = ids(&page);
        quiet = if came.is_empty() && late.is_empty() { quiet + 1 } else { 0 };
        // A reader that dies before it has said so gets the same again; one that comes back without a cursor goes on.
        if read.len() % 2 == 0 {
            assert_eq!(ids(&stage.get(&stage.a, &ask).await.body), came);
        }
        read.extend(came);
        let acknowledged = format!("{path}?limit=1&after={}", next(&page));
        let peeked = stage.get(&stage.a, &acknowledged).await.body;
        cursor = (read.len() % 3 == 0).then(|| next(&page));
        if cursor.is_none() {
            let by_place = stage.get(&stage.a, &format!("{path}?limit=1")).await.body;
            assert_eq!(ids(&by_place), ids(&peeked));
        }
        if let Some(client) = late.pop() {
            let end = if late.len() == 1 { "ROLLBACK" } else { "COMMIT" };
            client.batch_execute(end).await.expect("ends");
        }
    }
    let expected = "SELECT string_agg(id, ',' ORDER BY seq) FROM postrider.webhook_events WHERE type = 'email.sent' AND id <> 'before'";
    assert_eq!(read.join(","), stage.text(expected).await);
    let all = stage.get(&stage.a, &format!("{path}?after=start&limit=100")).await.body;
    assert_eq!(ids(&all)[0], "before");
    // Nothing is sent there.
    for (method, way) in [("POST", "test"), ("POST", "rotate-secret")] {
        let path = path.replace("/events", &format!("/{way}"));
        is_problem(&stage.with_key(&stage.a, method, &path, "").await, 409, "endpoint.kind");
    }
    let one = path.trim_end_matches("/events");
    let changed = stage.with_key(&stage.a, "PATCH", one, r#"{"timeout_ms":1000}"#).await;
    assert_eq!(changed.body["errors"][0]["pointer"], "/timeout_ms", "{}", changed.body);
    assert_eq!(stage.with_key(&stage.a, "POST", &format!("{one}/disable"), "").await.status, 200);
    is_problem(&stage.get(&stage.a, &path).await, 409, "endpoint.disabled");
}

#[tokio::test]
async fn pulling_waits_for_what_comes_and_no_longer() {
    let stage = Stage::set().await;
    let path = format!("/endpoints/{}/events?wait=20", stage.endpoint("a").await);
    let (page, ()) = tokio::join!(stage.get(&stage.a, &path), async {
        // It asks whether something is decided, again and again.
        while stage.text("SELECT count(*)::text FROM pg_stat_activity WHERE query LIKE '%webhook_event_ids_seq_seq%' AND application_name = 'postrider-api-test' AND datname = current_database()").await == "0" {}
        publish(&stage.client, "a", "e1", "email.sent").await;
    });
    assert_eq!(ids(&page.body), ["e1"]);
    for wrong in ["wait=31", "wait=-1", "wait=x", "limit=0"] {
        let path = path.replace("wait=20", wrong);
        assert_eq!(stage.get(&stage.a, &path).await.status, 422, "{wrong}");
    }
}

#[tokio::test]
async fn an_endpoint_is_added_with_what_it_would_have_wanted_before() {
    let stage = Stage::set().await;
    let body =
        r#"{"url":"https://example.com/new","backfill":{"since":"2026-01-01T00:00:00Z","rate":7}}"#;
    let made = stage.with_key(&stage.a, "POST", "/endpoints", body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let job = made.body["backfill_job_id"].as_str().expect("a job");
    let job = stage.get(&stage.a, &format!("/jobs/{job}")).await.body;
    assert_eq!(
        (&job["kind"], &job["state"], &job["rate"], &job["endpoint_id"]),
        (&json!("backfill"), &json!("queued"), &json!(7), &made.body["id"])
    );
    for (body, pointer) in [
        (
            r#"{"url":"https://example.com/n","backfill":{"since":"2026-01-01T00:00:00Z","rate":0}}"#,
            "/backfill/rate",
        ),
        (
            r#"{"url":"https://example.com/n","backfill":{"since":"2026-01-01T00:00:00Z"},"enabled":false}"#,
            "/backfill",
        ),
        (r#"{"url":"https://example.com/n","backfill":{}}"#, "/backfill/since"),
        (r#"{"kind":"pull","backfill":{"since":"2026-01-01T00:00:00Z"}}"#, "/backfill"),
        (r#"{"kind":"pull","url":"https://example.com/n"}"#, "/url"),
        (r#"{"kind":"fax","url":"https://example.com/n"}"#, "/kind"),
        (r#"{"event_types":["*"]}"#, "/url"),
    ] {
        let answer = stage.with_key(&stage.a, "POST", "/endpoints", body).await;
        let error = &answer.body["errors"][0];
        assert_eq!(
            (answer.status, &error["pointer"]),
            (422, &json!(pointer)),
            "{body}: {}",
            answer.body
        );
    }
}

/// An open stream, line by line.
struct Stream(Lines<BufReader<TcpStream>>);

impl Stream {
    async fn open(stage: &Stage, key: &str, query: &str, more: &str) -> Self {
        Self::try_open(stage, key, query, more).await.expect("it is open")
    }

    /// `None`: there is no place.
    async fn try_open(stage: &Stage, key: &str, query: &str, more: &str) -> Option<Self> {
        let mut stream = TcpStream::connect(stage.address).await.expect("connects");
        let request = format!(
            "GET /api/v1/events/stream{query} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n{more}\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("sends");
        let mut stream = Self(BufReader::new(stream).lines());
        let head = stream.line().await;
        assert!(head.contains(" 200 ") || head.contains(" 503 "), "{head}");
        head.contains(" 200 ").then_some(stream)
    }

    async fn line(&mut self) -> String {
        let line = tokio::time::timeout(LONG, self.0.next_line()).await;
        line.expect("in time").expect("reads").expect("it goes on")
    }

    /// The id of the next event, and the cursor that comes with it.
    async fn event(&mut self) -> (String, String) {
        let (mut cursor, mut line) = (String::new(), String::new());
        while !line.starts_with("data: ") {
            line = self.line().await;
            cursor = line.strip_prefix("id: ").map_or(cursor, str::to_owned);
        }
        let event: Value = serde_json::from_str(&line[6..]).expect("JSON");
        (event["id"].as_str().expect("an id").to_owned(), cursor)
    }
}

#[tokio::test]
async fn a_stream_shows_what_is_committed_at_once_and_its_cursor_misses_nothing() {
    let stage = Stage::set().await;
    let late = stage.another().await;
    publish(&stage.client, "a", "before", "email.sent").await;
    let mut stream = Stream::open(&stage, &stage.a, "", "").await;
    late.batch_execute("BEGIN").await.expect("begins");
    publish(&late, "a", "late", "email.sent").await;
    publish(&stage.client, "b", "foreign", "email.sent").await;
    publish(&stage.client, "a", "e1", "email.sent").await;
    assert_eq!(stream.event().await.0, "e1", "an open publisher holds nobody up");
    publish(&stage.client, "a", "e2", "order.paid").await;
    let (id, cursor) = stream.event().await;
    assert_eq!(id, "e2");
    // Who is cut off here gets again what lies above the horizon, and the late one.
    let more = format!("last-event-id: {cursor}\r\n");
    late.batch_execute("COMMIT").await.expect("commits");
    assert_eq!(stream.event().await.0, "late", "and nothing twice");
    let mut again = Stream::open(&stage, &stage.a, "", &more).await;
    let seen = [again.event().await.0, again.event().await.0, again.event().await.0];
    assert_eq!(seen, ["late", "e1", "e2"]);
    let mut typed = Stream::open(&stage, &stage.a, "?types=order.*,x&after=start", "").await;
    assert_eq!(typed.event().await.0, "e2");
    publish(&stage.client, "a", "e3", "order.paid").await;
    assert_eq!(typed.event().await.0, "e3");
    assert_eq!(stream.event().await.0, "e3");
    drop((stream, again, typed));
}

#[tokio::test]
async fn streams_are_counted_and_end_with_the_listener() {
    let stage = Stage::set().await;
    let mut streams = Vec::new();
    for _ in 0..32 {
        streams.push(Stream::open(&stage, &stage.a, "", "").await);
    }
    let refused = stage.get(&stage.a, "/events/stream").await;
    is_problem(&refused, 503, "streams");
    assert!(refused.head.contains("retry-after: 5"), "{}", refused.head);
    drop(streams.pop());
    // Its place is free once the server has seen that it left.
    let mut last = loop {
        if let Some(open) = Stream::try_open(&stage, &stage.b, "?types=email.*", "").await {
            break open;
        }
    };
    publish(&stage.client, "b", "b1", "email.sent").await;
    assert_eq!(last.event().await.0, "b1");
    stage.stop.request_soft();
    let ended = tokio::time::timeout(Duration::from_secs(5), async {
        while let Ok(Some(_)) = last.0.next_line().await {}
    });
    ended.await.expect("it ends");
}
