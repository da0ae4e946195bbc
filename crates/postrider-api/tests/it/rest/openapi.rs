//! The OpenAPI document: what it says is what is there.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Stage;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/openapi.json");

async fn document(stage: &Stage) -> Value {
    let answer = stage.raw("GET", "/openapi.json").await;
    assert_eq!(answer.status, 200);
    answer.body
}

#[tokio::test]
async fn the_committed_document_is_the_one_that_is_served() {
    let stage = Stage::set().await;
    let served = serde_json::to_string_pretty(&document(&stage).await).expect("JSON") + "\n";
    if std::env::var_os("POSTRIDER_WRITE_DOCS").is_some() {
        std::fs::write(FILE, &served).expect("written");
    }
    let committed = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(served == committed, "`just docs-gen` rewrites docs/reference/openapi.json");
}

#[tokio::test]
async fn every_reference_leads_somewhere_and_every_name_is_there_once() {
    let stage = Stage::set().await;
    let document = document(&stage).await;
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 20);
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("within the document");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let mut names = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let name = operation["operationId"].as_str().expect("a name");
            assert!(names.insert(name.to_owned()), "{method} {path}: {name} is there twice");
        }
    }
    assert!(names.len() >= 25, "{names:?}");
}

fn collect(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            into.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| collect(member, into));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
        _ => {}
    }
}

#[tokio::test]
async fn every_operation_is_there_and_takes_the_parameters_it_names() {
    let stage = Stage::set().await;
    let document = document(&stage).await;
    for (path, operations) in document["paths"].as_object().expect("paths") {
        let path = path.strip_prefix("/api/v1").expect("the prefix");
        for (method, operation) in operations.as_object().expect("operations") {
            let method = method.to_uppercase();
            let concrete = path
                .replace("{event_id}", "evt_none")
                .replace("{endpoint_id}", "whk_00000000000000000000000000000000")
                .replace("{delivery_id}", "whd_00000000000000000000000000000000")
                .replace("{webhook_id}", "whk_00000000000000000000000000000000")
                .replace("{job_id}", "job_00000000000000000000000000000000")
                .replace("{key_id}", "key_00000000000000000000000000000000");
            let answer = stage.with_key(&stage.admin, &method, &concrete, "").await;
            assert!(!matches!(answer.status, 405 | 500), "{method} {concrete}: {}", answer.body);
            // Another method is told which there are.
            let other = stage.with_key(&stage.admin, "TRACE", &concrete, "").await;
            assert_eq!(other.status, 405, "{concrete}");
            assert!(other.head.contains("\nallow: "), "{}", other.head);
            if method != "GET" {
                continue;
            }
            for param in operation["parameters"].as_array().expect("parameters") {
                let Some(name) = param["name"].as_str().filter(|_| param["in"] == "query") else {
                    continue;
                };
                let asked = stage.get(&stage.admin, &format!("{concrete}?{name}=")).await;
                let unknown = asked.body["code"] == "query.unknown";
                assert!(!unknown, "{concrete} does not know its parameter {name}");
            }
        }
    }
}

#[tokio::test]
async fn the_page_that_shows_it_asks_nobody_else() {
    let stage = Stage::set().await;
    let page = stage.raw("GET", "/docs").await;
    assert_eq!(page.status, 200);
    assert!(page.head.contains("content-security-policy: default-src 'none'"), "{}", page.head);
    let viewer = stage.raw("HEAD", "/docs/viewer.js").await;
    assert_eq!(viewer.status, 200);
    assert!(viewer.head.contains("content-encoding: gzip"), "{}", viewer.head);
}
