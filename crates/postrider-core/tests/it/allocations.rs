//! How often the hot paths allocate, counted by an allocator that this test binary installs.

use allocation_counter::measure;
use postrider_core::filter::{Attributes, Data, EventView, Routes, Subscription};
use postrider_core::signing::{Secret, Signer};
use serde_json::json;

#[test]
fn matching_allocates_nothing() {
    let filters = [
        json!({}),
        json!({ "attributes": { "agent_id": ["a1", "a2"], "score": [1, 2.5] } }),
        json!({ "labels": ["vip", "beta"] }),
        json!({ "agent_ids": ["a9"], "labels": ["vip"] }),
        json!({ "type": [{ "prefix": "email." }], "tenant_id": [{ "equals-ignore-case": "ACME" }] }),
        json!({ "attributes": { "agent_id": [{ "anything-but": { "wildcard": ["x*", "*y*"] } }] } }),
        json!({ "labels": [{ "suffix": { "equals-ignore-case": "IP" } }, { "anything-but": ["vip"] }] }),
        json!({ "data": { "items": { "n": [{ "numeric": [">", 1] }], "ip": [{ "cidr": "10.0.0.0/8" }] } } }),
        json!({ "$or": [{ "data": { "path": [{ "wildcard": "a*b*c" }] } }, { "data": { "$or": [{ "x": [1] }, { "y": [{ "exists": false }] }] } }] }),
    ];
    let patterns = [&["email.received"][..], &["email.*"], &["*"], &["invoice.paid", "endpoint.*"]];
    let mut entries = Vec::new();
    for index in 0..1000_usize {
        let types: Vec<_> = patterns[index % 4].iter().map(|text| (*text).to_owned()).collect();
        let filter = &filters[index / 4 % filters.len()];
        entries.push((index, Subscription::compile(&types, Some(filter)).unwrap()));
    }
    let subscription = entries[5].1.clone();
    let routes = Routes::new(entries);
    let attributes = Attributes::parse(r#"{"agent_id":"a2","score":2.5,"x":null}"#).unwrap();
    let labels = ["other".to_owned(), "vip".to_owned()];
    let data = r#"{"items":[{"n":1,"ip":"10.0.0.1"},{"n":2,"ip":["::1","10.0.0.1"]}],"path":"a--b-b-c","x":[1,2]}"#;
    let data = Data::parse(data).unwrap();
    assert!(filters.iter().all(|filter| {
        let all = ["*".to_owned()];
        let event = EventView {
            tenant: "acme",
            event_type: "email.sent",
            attributes: &attributes,
            labels: &labels,
            data: &data,
        };
        filter.get("agent_ids").is_some()
            || Subscription::compile(&all, Some(filter)).unwrap().matches(&event)
    }));
    for event_type in ["email.received", "email.item.added", "endpoint.created", "unknown"] {
        let event = EventView {
            tenant: "acme",
            event_type,
            attributes: &attributes,
            labels: &labels,
            data: &data,
        };
        let mut matched = 0;
        let counted = measure(|| {
            routes.for_each_match(&event, |_| matched += 1);
            matched += usize::from(subscription.matches(&event));
        });
        assert!(matched > 0, "{event_type} must match something, or nothing is proven");
        assert_eq!(counted.count_total, 0, "{event_type}");
    }
}

#[test]
fn signing_allocates_the_signature_and_nothing_else() {
    let signer = Signer::new(&[Secret::generate(&[1; 32]), Secret::generate(&[2; 32])]);
    let mut signature = String::new();
    let counted = measure(|| signature = signer.sign("evt_1", i64::MIN, &[b'x'; 5000]));
    assert_eq!(signature.len(), 47 + 1 + 47);
    assert_eq!(counted.count_total, 1);
}
