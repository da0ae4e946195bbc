//! Rust and SQL must agree on ids and rows, whatever the input.

use std::time::Duration;

use postrider::{AttributeValue, Event, EventType, Limits, publish_many_tx, publish_tx};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::Value;
use tokio_postgres::types::Type;
use tokio_postgres::{Statement, Transaction};

use crate::stage::Stage;

const INPUTS: usize = 300;

#[derive(Debug, Clone)]
pub(crate) struct Input {
    tenant: String,
    event_type: String,
    key: Vec<String>,
    data: String,
    attributes: Vec<(String, AttributeValue)>,
    labels: Vec<String>,
    ordering_key: Option<String>,
    expires_after_us: Option<u64>,
    traceparent: Option<String>,
}

/// Text with what is special to somebody: the id's delimiters, SQL, arrays, JSON, other scripts, emoji.
fn text() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        "|",
        "\\",
        "\\|",
        "'",
        "\"",
        "{",
        "}",
        ",",
        "NULL",
        "%",
        "$1",
        "\n",
        "\u{1}",
        "é",
        "e\u{301}",
        "漢",
        "🦔",
        "👩‍👩‍👧",
        "\u{7f}",
        "\u{feff}",
        "\u{2028}",
    ]);
    prop::collection::vec(prop_oneof![special.prop_map(str::to_owned), "[a-z ]{0,4}"], 0..6)
        .prop_map(|v| v.concat())
}

fn some_text() -> impl Strategy<Value = String> {
    text().prop_map(|text| format!("x{text}"))
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(text(), inner, 0..4)
                .prop_map(|map| map.into_iter().collect()),
        ]
    });
    (value, any::<bool>()).prop_map(|(value, spaced)| {
        if spaced { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }
            .expect("a value")
    })
}

fn attribute() -> impl Strategy<Value = AttributeValue> {
    prop_oneof![
        text().prop_map(AttributeValue::from),
        any::<i64>().prop_map(AttributeValue::from),
        any::<u64>().prop_map(AttributeValue::from),
        prop::num::f64::NORMAL.prop_map(AttributeValue::from),
        any::<bool>().prop_map(AttributeValue::from),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    let names = ("[A-Za-z0-9._:-]{1,20}", "[A-Za-z0-9_]{1,8}(\\.[A-Za-z0-9_]{1,8}){0,3}");
    let keys = (prop::collection::vec(text(), 1..4), json());
    let routing = (
        prop::collection::btree_map(some_text(), attribute(), 0..5),
        prop::collection::vec(some_text(), 0..5),
    );
    let rest = (
        prop::option::of(some_text()),
        prop::option::of(1..1_000_000_000_000_u64),
        prop::option::of("00-[1-9a-f]{32}-[1-9a-f]{16}-0[01]"),
    );
    (names, keys, routing, rest).prop_map(
        |(
            (tenant, event_type),
            (key, data),
            (attributes, labels),
            (ordering_key, expires_after_us, traceparent),
        )| {
            let attributes = attributes.into_iter().collect();
            Input {
                tenant,
                event_type,
                key,
                data,
                attributes,
                labels,
                ordering_key,
                expires_after_us,
                traceparent,
            }
        },
    )
}

pub(crate) fn inputs() -> Vec<Input> {
    let mut runner = TestRunner::deterministic();
    let strategy = input();
    (0..INPUTS)
        .map(|_| strategy.new_tree(&mut runner).expect("a strategy without filters").current())
        .collect()
}

impl Input {
    pub(crate) fn event(&self) -> Event {
        let event_type = EventType::parse(&*self.event_type).expect("a valid type");
        let mut event =
            Event::new(event_type, &*self.tenant).id_from(&self.key).labels(self.labels.clone());
        for (name, value) in &self.attributes {
            event = event.attribute(name, value.clone());
        }
        if let Some(key) = &self.ordering_key {
            event = event.ordering_key(key);
        }
        if let Some(us) = self.expires_after_us {
            event = event.expires_after(Duration::from_micros(us));
        }
        if let Some(traceparent) = &self.traceparent {
            event = event.traceparent(traceparent);
        }
        event.data_text(&*self.data)
    }

    /// The same by SQL, with parameters rendered here and not by the library.
    async fn publish_by_sql(&self, tx: &Transaction<'_>, function: &str) -> String {
        let attributes: serde_json::Map<String, Value> = self
            .attributes
            .iter()
            .map(|(name, value)| {
                let value = match value {
                    AttributeValue::Text(text) => Value::from(text.as_str()),
                    AttributeValue::Integer(number) => {
                        number.to_string().parse().expect("a number")
                    }
                    AttributeValue::Float(number) => Value::from(*number),
                    AttributeValue::Bool(flag) => Value::from(*flag),
                };
                (name.clone(), value)
            })
            .collect();
        let attributes = (!attributes.is_empty()).then(|| Value::Object(attributes).to_string());
        let labels = (!self.labels.is_empty()).then(|| self.labels.clone());
        let expires_after = self.expires_after_us.map(|us| format!("{us} microseconds"));
        let sql = format!(
            "SELECT event_id || ' ' || outcome FROM postrider.{function}(type => $1, tenant => $2, data => $3, key => $4, \
             attributes => $5::text::jsonb, labels => $6, ordering_key => $7, expires_after => $8::text::interval, \
             traceparent => $9)"
        );
        let params: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 9] = [
            (&self.event_type, Type::TEXT),
            (&self.tenant, Type::TEXT),
            (&self.data, Type::TEXT),
            (&self.key, Type::TEXT_ARRAY),
            (&attributes, Type::TEXT),
            (&labels, Type::TEXT_ARRAY),
            (&self.ordering_key, Type::TEXT),
            (&expires_after, Type::TEXT),
            (&self.traceparent, Type::TEXT),
        ];
        tx.query_typed(&sql, &params).await.unwrap_or_else(|error| panic!("{self:?}: {error:?}"))[0]
            .get(0)
    }
}

/// All columns of the event's three rows, as text, but `seq` and `created_at`; times as their distance from it, and the
/// envelope with it blanked out.
pub(crate) const ROWS: &str = "
    SELECT jsonb_build_object(
        'ledger', to_jsonb(l) - 'seq' - 'created_at',
        'event', to_jsonb(e) - 'seq' - 'created_at' - 'expires_at' - 'envelope',
        'envelope', overlay(e.envelope PLACING 'T' FROM position('\"created_at\"' IN e.envelope) + 14 FOR 27),
        'expires', e.expires_at - e.created_at,
        'pending', to_jsonb(p) - 'seq' - 'created_at' - 'next_attempt_at',
        'due', p.next_attempt_at - p.created_at,
        'same', l.seq = e.seq AND e.seq = p.seq AND l.created_at = e.created_at AND e.created_at = p.created_at)::text
    FROM postrider.webhook_event_ids l, postrider.webhook_events e, postrider.webhook_events_pending p";

pub(crate) async fn rows(tx: &Transaction<'_>, question: &Statement) -> String {
    let rows = tx.query(question, &[]).await.expect("one event can be read");
    assert_eq!(rows.len(), 1);
    rows[0].get(0)
}

#[tokio::test]
async fn rust_and_sql_write_the_same_ids_and_rows() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    // The planner believes that the question below joins millions of rows, and compiles it.
    client.batch_execute("SET jit = off; SET max_parallel_workers_per_gather = 0").await.unwrap();
    let question = client.prepare(ROWS).await.unwrap();
    for input in inputs() {
        let event = input.event();
        let expected = format!("{} inserted", event.id());
        let mut tx = client.transaction().await.unwrap();

        let by_sql = tx.transaction().await.unwrap();
        assert_eq!(input.publish_by_sql(&by_sql, "publish").await, expected, "{input:?}");
        let sql_rows = rows(&by_sql, &question).await;
        // Published again from Rust it is the same event, to the digest.
        assert_eq!(
            publish_tx(&by_sql, &event).await.unwrap(),
            postrider::Published::Duplicate,
            "{input:?}"
        );
        by_sql.rollback().await.unwrap();

        let by_rust = tx.transaction().await.unwrap();
        assert_eq!(
            publish_tx(&by_rust, &event).await.unwrap(),
            postrider::Published::Inserted,
            "{input:?}"
        );
        assert_eq!(rows(&by_rust, &question).await, sql_rows, "{input:?}");
        by_rust.rollback().await.unwrap();

        let batch = tx.transaction().await.unwrap();
        let answers = publish_many_tx(&batch, &[event.clone(), event.clone()]).await.unwrap();
        assert_eq!(
            answers,
            [postrider::Published::Inserted, postrider::Published::Duplicate],
            "{input:?}"
        );
        assert_eq!(rows(&batch, &question).await, sql_rows, "{input:?}");
        batch.rollback().await.unwrap();

        let best_effort = tx.transaction().await.unwrap();
        assert_eq!(
            input.publish_by_sql(&best_effort, "publish_best_effort").await,
            expected,
            "{input:?}"
        );
        assert_eq!(rows(&best_effort, &question).await, sql_rows, "{input:?}");
        best_effort.rollback().await.unwrap();
        tx.rollback().await.unwrap();
    }
}

/// JSON with one character put in, taken out or replaced: some of it is still JSON.
fn nearly_json() -> impl Strategy<Value = String> {
    let characters = "{}[]\",:\\/u0123deE+-.tfn \t\n\u{1}\u{b}\u{a0}é";
    let character = prop::sample::select(characters.chars().collect::<Vec<_>>());
    (json(), any::<prop::sample::Index>(), 0..3, character).prop_map(
        |(json, at, change, character)| {
            let mut characters: Vec<char> = json.chars().collect();
            let at = at.index(characters.len());
            match change {
                0 => characters.insert(at, character),
                1 => characters[at] = character,
                _ => drop(characters.remove(at)),
            }
            characters.into_iter().collect()
        },
    )
}

#[tokio::test]
async fn a_payload_passes_the_check_exactly_when_it_is_json_to_postgresql() {
    let stage = Stage::new().await;
    let mut runner = TestRunner::deterministic();
    let strategy = nearly_json();
    let texts: Vec<String> = (0..3000)
        .map(|_| strategy.new_tree(&mut runner).expect("a strategy without filters").current())
        .collect();
    let sql = "SELECT postrider.data_problem_v1(t) IS NULL FROM unnest($1::text[]) WITH ORDINALITY u(t, n) ORDER BY n";
    let rows = stage.observer.query(sql, &[&texts]).await.unwrap();
    let mut accepted = 0;
    for (text, row) in texts.iter().zip(&rows) {
        let event = Event::of(postrider::EMAIL_SENT).data_text(text.as_str());
        let valid = event.validate(&Limits::default()).is_ok();
        assert_eq!(valid, row.get::<_, bool>(0), "{text:?}");
        accepted += usize::from(valid);
    }
    assert!((300..2700).contains(&accepted), "{accepted} of 3000: the inputs are too much alike");
}
