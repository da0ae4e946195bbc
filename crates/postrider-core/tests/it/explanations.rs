//! What is said about a clause is what the event and the filter give reason to say.

use postrider_core::filter::{ClauseReport, Explanation, Subscription};
use serde_json::{Value, json};

use crate::reference;

fn explain(types: &[&str], filter: &Value, event: &Value) -> Explanation {
    let types: Vec<_> = types.iter().map(|text| (*text).to_owned()).collect();
    let subscription = Subscription::compile(&types, Some(filter)).expect("a valid filter");
    reference::with_view(event, |view| subscription.explain(view)).expect("an event")
}

/// Pointer and detail of each clause to blame.
fn blamed(filter: &Value, event: &Value) -> Vec<(String, String)> {
    let explanation = explain(&["*"], filter, event);
    let said = |clause: &ClauseReport| (clause.pointer.clone(), clause.detail.clone());
    explanation.failed().into_iter().map(said).collect()
}

fn event() -> Value {
    json!({
        "type": "order.paid",
        "tenant_id": "acme",
        "attributes": { "plan": "free", "seats": 3 },
        "labels": ["a", "b", "c", "d"],
        "data": { "total": 99.5, "items": [{ "sku": "x", "n": 1 }, { "sku": "y", "n": 2 }], "to": { "city": "Rome" } },
    })
}

#[test]
fn a_clause_that_fails_is_named_with_what_the_event_has() {
    for (filter, pointer, detail) in [
        (
            json!({ "attributes": { "plan": ["pro", "team"], "seats": [{ "numeric": [">", 1] }] } }),
            "/filter/attributes/plan",
            "attribute plan is \"free\", which nothing in the list allows",
        ),
        (
            json!({ "attributes": { "region": ["eu"] } }),
            "/filter/attributes/region",
            "the event has no attribute region",
        ),
        (
            json!({ "attributes": { "seats": [{ "exists": false }] } }),
            "/filter/attributes/seats",
            "attribute seats is 3, which nothing in the list allows",
        ),
        (
            json!({ "labels": ["vip"] }),
            "/filter/labels",
            "label is \"a\", \"b\", \"c\" and 1 more, which nothing in the list allows",
        ),
        (
            json!({ "agent_ids": ["a1"] }),
            "/filter/agent_ids",
            "the event has no attribute agent_id",
        ),
        (
            json!({ "data": { "total": [100] } }),
            "/filter/data/total",
            "key total is 99.5, which nothing in the list allows",
        ),
        (
            json!({ "data": { "to": ["Rome"] } }),
            "/filter/data/to",
            "key to is an object, which no list of values wants",
        ),
        (
            json!({ "data": { "to": { "zip": ["1"] } } }),
            "/filter/data/to/zip",
            "the event has no key zip",
        ),
        (
            json!({ "data": { "items": { "sku": ["y"], "n": [3] } } }),
            "/filter/data/items/n",
            "key n is 2, which nothing in the list allows",
        ),
        (
            json!({ "$or": [{ "type": ["order.paid"], "labels": ["vip"] }, { "type": ["order.paid"], "tenant_id": ["b"] }] }),
            "/filter/$or/0/labels",
            "label is \"a\", \"b\", \"c\" and 1 more, which nothing in the list allows",
        ),
    ] {
        let blamed = blamed(&filter, &event());
        assert_eq!((blamed[0].0.as_str(), blamed[0].1.as_str()), (pointer, detail), "{filter}");
    }
}

#[test]
fn an_event_type_that_is_not_asked_for_is_a_clause_too() {
    let explanation = explain(&["email.*"], &json!({}), &event());
    assert!(!explanation.matched);
    assert_eq!(explanation.clauses[0].pointer, "/event_types");
    assert_eq!(explanation.clauses[0].detail, "order.paid is none of the event types asked for");
}

#[test]
fn a_clause_that_holds_says_why() {
    let filter = json!({
        "attributes": { "plan": ["free"], "seats": [{ "numeric": [">", 1] }], "region": [{ "exists": false }] },
        "data": { "items": { "sku": ["y"], "n": [2] }, "total": [{ "exists": true }] },
        "$or": [{ "labels": ["vip"] }, { "labels": [{ "prefix": "d" }] }],
    });
    let explanation = explain(&["order.paid"], &filter, &event());
    assert!(explanation.matched && explanation.failed().is_empty());
    let json = serde_json::to_value(&explanation).unwrap();
    let details: Vec<_> =
        json["clauses"].as_array().unwrap().iter().map(|c| c["detail"].as_str().unwrap()).collect();
    assert_eq!(
        details,
        [
            "order.paid is an event type asked for",
            "1 of 2 alternatives hold; one is enough",
            "attribute plan is \"free\", as asked",
            "the event has no attribute region, as asked",
            "attribute seats is 3, which satisfies numeric",
            "data is an object",
        ]
    );
    let items = &json["clauses"][5]["within"][0];
    assert_eq!(
        (&items["pointer"], &items["detail"]),
        (&json!("/filter/data/items"), &json!("one of 2 objects in key items satisfies all"))
    );
    assert_eq!(json["clauses"][5]["within"][1]["detail"], "the event has a key total, as asked");
    assert_eq!(json["clauses"][1]["within"][1]["pointer"], "/filter/$or/1");
}

#[test]
fn what_is_said_stays_on_one_short_line() {
    let event = json!({ "type": "t", "tenant_id": "t", "attributes": { "a": format!("x\n{}", "y".repeat(2000)) } });
    let (_, detail) = blamed(&json!({ "attributes": { "a": ["z"] } }), &event).remove(0);
    assert!(detail.len() < 200 && !detail.contains('\n'), "{detail}");
}
