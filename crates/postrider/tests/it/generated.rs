//! What `postrider types gen --lang rust` writes: it compiles, and its payloads are what the schemas demand.

use postrider::{Event, publish_tx, published};
use serde_json::json;

use crate::stage::Stage;

// Written by another crate's test, so nobody formats it here.
#[rustfmt::skip]
#[path = "../../../postrider-core/tests/codegen/events.rs"]
#[allow(dead_code, unreachable_pub, reason = "some of it is only compiled, and it is no module of ours")]
mod events;

use events::{EVENT_TYPES, TreeGrown, USER_SIGNED_UP2, UserSignedUp2, UserSignedUp2Plan};

#[tokio::test]
async fn a_generated_payload_is_published_as_its_schema_has_it() {
    let payload = json!({
        "plan": "paid-yearly", "ref": "ad", "tags": ["a"], "choice": 7,
        "user": { "id": 1, "e-mail": null, "best_friend": { "id": 2, "e-mail": "x@example.com", "address": { "type": "home" } } },
    });
    let typed: UserSignedUp2 = serde_json::from_value(payload.clone()).unwrap();
    assert_eq!(typed.plan, UserSignedUp2Plan::PaidYearly);
    assert_eq!(
        serde_json::to_value(&typed).unwrap(),
        payload,
        "what is left out stays out, null stays null"
    );
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let tx = client.transaction().await.unwrap();
    let event = Event::new(USER_SIGNED_UP2, "t").data(&typed).unwrap();
    assert!(publish_tx(&tx, &event).await.unwrap().is_inserted());
    assert_eq!(published(&tx, USER_SIGNED_UP2.as_str()).await.unwrap().len(), 1);
    assert_eq!(EVENT_TYPES.len(), 5);
    assert_eq!(USER_SIGNED_UP2.description(), "Somebody signed up. Once a person.");
}

#[test]
fn a_type_may_be_inside_itself() {
    let tree =
        json!({ "parent": { "parent": null, "children": [] }, "children": [], "by_name": {} });
    let typed: TreeGrown = serde_json::from_value(tree.clone()).unwrap();
    assert_eq!(serde_json::to_value(typed).unwrap(), tree);
    for wrong in [json!({ "children": [] , "parent": 1 }), json!({ "parent": null })] {
        assert!(serde_json::from_value::<TreeGrown>(wrong).is_err());
    }
}
