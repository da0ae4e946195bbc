//! `postrider-bench match` runs this: what matching one event against 10,000 endpoints costs, and what it allocates.
//!
//! It is a program of its own because its allocator counts, which would slow what else the benchmark measures. Prints one
//! line of JSON; the argument is how many rounds.

use std::hint::black_box;
use std::time::Instant;

use allocation_counter::measure;
use postrider_core::filter::{Attributes, Data, EventView, Routes, Subscription};
use serde_json::{Value, json};

const ENDPOINTS: usize = 10_000;
/// Events matched in one round.
const EVENTS: u32 = 100;
const EVENT_TYPE: &str = "email.received";
const ATTRIBUTES: &str =
    r#"{"agent_id":"agent-4711","conversation_id":"c-9","plan":"pro","score":7}"#;
const DATA: &str = r#"{"subject":"Your invoice","size":18234,"from":{"address":"billing@example.com","name":"Billing"},
    "to":[{"address":"a@example.com"},{"address":"b@example.com"}],"spam":{"score":0.3,"flags":["none"]}}"#;

/// Filters of one kind: the name of their rows, and the filter of the n-th endpoint.
type Kind = (&'static str, fn(usize) -> Value);

/// Three clauses each. Every second endpoint matches; the others fail at the clause that is asked last, so that no
/// endpoint is done early.
const KINDS: [Kind; 2] = [
    ("match", |n| {
        let label = if n.is_multiple_of(2) { "vip" } else { "trial" };
        json!({
            "attributes": { "plan": ["team", "pro", format!("plan-{n}")], "score": [{ "numeric": [">", 0, "<=", 10] }] },
            "labels": [label, format!("team-{n}")],
        })
    }),
    ("match.data", |n| {
        let suffix = if n.is_multiple_of(2) { "@example.com" } else { "@example.org" };
        json!({
            "attributes": { "agent_id": ["agent-4711", format!("agent-{n}")] },
            "data": { "size": [{ "numeric": ["<", 1_000_000] }], "to": { "address": [{ "suffix": suffix }] } },
        })
    }),
];

fn main() {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(5);
    let figures: Vec<Value> = KINDS.iter().map(|kind| figures(kind, rounds)).collect();
    println!("{}", Value::Array(figures));
}

/// Nanoseconds for each endpoint and allocations of one event, round by round.
fn figures((name, filter): &Kind, rounds: u32) -> Value {
    let routes = Routes::new((0..ENDPOINTS).map(|n| (n, subscription(&filter(n)))).collect());
    let attributes = Attributes::parse(ATTRIBUTES).expect("valid attributes");
    let labels = ["inbox".to_owned(), "vip".to_owned(), "2026".to_owned()];
    let data = if routes.need_data(EVENT_TYPE) { Data::parse(DATA) } else { Ok(Data::NONE) };
    let data = data.expect("valid data");
    let event = EventView {
        tenant: "acme",
        event_type: EVENT_TYPE,
        attributes: &attributes,
        labels: &labels,
        data: &data,
    };
    let mut matching = 0_usize;
    let (mut nanoseconds, mut allocations) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        matching = 0;
        let counted = measure(|| routes.for_each_match(black_box(&event), |_| matching += 1));
        assert_eq!(matching, ENDPOINTS / 2, "every even endpoint matches");
        allocations.push(counted.count_total);
        let mut found = 0_usize;
        let started = Instant::now();
        for _ in 0..EVENTS {
            routes.for_each_match(black_box(&event), |key| found += black_box(*key) & 1);
        }
        let spent = started.elapsed().as_nanos() as f64;
        assert_eq!(found, 0, "only even endpoints match");
        nanoseconds.push(spent / f64::from(EVENTS) / ENDPOINTS as f64);
    }
    json!({ "name": name, "endpoints": ENDPOINTS, "matching": matching, "nanoseconds": nanoseconds, "allocations": allocations })
}

fn subscription(filter: &Value) -> Subscription {
    Subscription::compile(&[EVENT_TYPE.to_owned()], Some(filter)).expect("a valid filter")
}
