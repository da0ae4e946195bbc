//! Prints what matching costs per endpoint, with 10,000 endpoints of one tenant. The budget is 1 µs.
//!
//! `cargo run --release -p postrider-core --example match_speed`

use std::hint::black_box;
use std::time::Instant;

use postrider_core::filter::{Attributes, Data, EventView, Routes, Subscription};
use serde_json::{Value, json};

const ENDPOINTS: usize = 10_000;
const ROUNDS: u32 = 200;

/// One kind of endpoint population: its name, its event types, and the filter of its n-th endpoint.
type Population = (&'static str, &'static [&'static str], fn(usize) -> Value);

fn main() {
    let attributes = Attributes::parse(
        r#"{"agent_id":"agent-4711","conversation_id":"c-9","plan":"pro","score":7}"#,
    )
    .expect("valid attributes");
    let labels: Vec<_> = (0..48).map(|n| format!("tag-{n}")).chain(["vip".to_owned()]).collect();
    let event = EventView {
        tenant: "acme",
        event_type: "email.received",
        attributes: &attributes,
        labels: &labels,
        data: &Data::NONE,
    };

    let populations: [Population; 5] = [
        ("every endpoint wants everything", &["*"], |_| json!({})),
        (
            "one attribute each, one endpoint matches",
            &["email.*"],
            |n| json!({ "attributes": { "agent_id": [format!("agent-{n}")] } }),
        ),
        (
            "three lists, all match",
            &["email.received", "email.sent"],
            |_| json!({ "attributes": { "plan": ["free", "pro", "team"], "score": [5, 6, 7] }, "labels": ["vip", "beta"] }),
        ),
        ("100 values each, none matches", &["email.*"], |n| {
            let ids: Vec<_> = (0..100).map(|m| format!("agent-x{n}-{m}")).collect();
            json!({ "agent_ids": ids, "labels": ["vip"] })
        }),
        ("100 labels each, none matches", &["email.*"], |n| {
            let labels: Vec<_> = (0..100).map(|m| format!("team-{n}-{m}")).collect();
            json!({ "labels": labels })
        }),
    ];
    for (name, types, filter) in populations {
        let types: Vec<_> = types.iter().map(|text| (*text).to_owned()).collect();
        let compiled =
            |n| (n, Subscription::compile(&types, Some(&filter(n))).expect("a valid filter"));
        let routes = Routes::new((0..ENDPOINTS).map(compiled).collect());
        let mut matched = 0_u64;
        let start = Instant::now();
        for _ in 0..ROUNDS {
            routes.for_each_match(black_box(&event), |_| matched += 1);
        }
        let per_endpoint = start.elapsed().as_nanos() as f64 / f64::from(ROUNDS) / ENDPOINTS as f64;
        println!(
            "{per_endpoint:7.1} ns per endpoint, {:6} matches per event: {name}",
            matched / u64::from(ROUNDS)
        );
    }
}
