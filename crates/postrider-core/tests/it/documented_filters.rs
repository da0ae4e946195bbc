//! The examples of docs/reference/filters.md are true: each filter is compiled and asked about the events below it.

use std::path::Path;

use postrider_core::filter::Subscription;
use serde_json::{Value, json};

use crate::reference;

/// A code block: its info line without the language, and its text.
struct Block {
    kind: String,
    text: String,
}

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/filters.md");
    std::fs::read_to_string(path).expect("the page is there")
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```json ") {
            let text: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push(Block { kind: kind.to_owned(), text: text.join("\n") });
        }
    }
    blocks
}

/// Each line of the block as an event, what it does not say being absent.
fn events(text: &str) -> Vec<Value> {
    let whole = |line: &str| {
        let mut event = json!({ "type": "order.paid", "tenant_id": "acme" });
        let said: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        event
            .as_object_mut()
            .expect("an object")
            .extend(said.as_object().expect("an object").clone());
        event
    };
    text.lines().map(whole).collect()
}

#[test]
fn every_example_of_the_page_does_what_the_page_says() {
    let (mut filter, mut filters, mut judged) = (None, 0, [0, 0]);
    for block in blocks(&page()) {
        match block.kind.as_str() {
            "filter" => {
                let value: Value = serde_json::from_str(&block.text).expect(&block.text);
                let compiled = Subscription::compile(&["*".to_owned()], Some(&value));
                filter = Some(compiled.unwrap_or_else(|error| panic!("{value}: {error}")));
                filters += 1;
            }
            kind @ ("matches" | "does not match") => {
                let filter = filter.as_ref().expect("a filter comes first");
                let expected = kind == "matches";
                for event in events(&block.text) {
                    let wanted = reference::with_view(&event, |view| filter.matches(view));
                    assert_eq!(wanted, Some(expected), "{event} {kind}");
                    judged[usize::from(expected)] += 1;
                }
            }
            "refused" => {
                for line in block.text.lines() {
                    let (code, text) = line.split_once(' ').expect("code and filter");
                    let value: Value =
                        serde_json::from_str(text).unwrap_or_else(|e| panic!("{text}: {e}"));
                    let error =
                        Subscription::compile(&["*".to_owned()], Some(&value)).expect_err(text);
                    assert_eq!(error.code, code, "{text}");
                }
            }
            other => panic!("what is {other:?}?"),
        }
    }
    assert!(filters >= 14 && judged.iter().all(|count| *count >= 14), "{filters} {judged:?}");
}

#[test]
fn the_page_shows_every_operator_every_field_and_every_code() {
    let page = page();
    for word in [
        "\"prefix\"",
        "\"suffix\"",
        "\"equals-ignore-case\"",
        "\"wildcard\"",
        "\"anything-but\"",
        "\"numeric\"",
        "\"exists\"",
        "\"cidr\"",
        "\"$or\"",
        "\"type\"",
        "\"tenant_id\"",
        "\"attributes\"",
        "\"labels\"",
        "\"data\"",
        "`filter.empty`",
        "`filter.unknown_key`",
        "`filter.unknown_operator`",
        "`filter.operand`",
        "`filter.size`",
        "`filter.cost`",
        "`filter.depth`",
        "`type`",
    ] {
        assert!(page.contains(word), "{word} is not on the page");
    }
}
